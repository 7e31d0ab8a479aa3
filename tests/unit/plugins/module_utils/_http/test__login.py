# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import base64
import json
import pathlib
import threading

import pytest
from ansible_collections.imageops.registry.plugins.module_utils._credentials._auth_files import Place
from ansible_collections.imageops.registry.plugins.module_utils._credentials._credential import ANONYMOUS, Credential
from ansible_collections.imageops.registry.plugins.module_utils._credentials._credentials import Credentials
from ansible_collections.imageops.registry.plugins.module_utils._end._body import Body
from ansible_collections.imageops.registry.plugins.module_utils._http._scopes import Scopes
from ansible_collections.imageops.registry.plugins.module_utils._http._transport import Transport
from ansible_collections.imageops.registry.plugins.module_utils._model._errors import (
    AccessDenied,
    AuthenticationFailed,
    CredentialError,
    NotGranted,
    ProtocolViolation,
    RegistryError,
)
from ansible_collections.imageops.registry.tests.unit.support.certificates import Certificates
from ansible_collections.imageops.registry.tests.unit.support.documents import LOGIN, PASSWORD, errors, transport
from ansible_collections.imageops.registry.tests.unit.support.exchanges import (
    ASKS_BASIC,
    BASIC,
    PULL,
    PUSH,
    Serve,
    asks_bearer,
    over_tls,
    run_threads,
    token_target,
)
from ansible_collections.imageops.registry.tests.unit.support.scripted_server import ScriptedServer


def test_a_relative_token_server_is_asked_at_the_registry(server: ScriptedServer) -> None:
    server.expect("GET", "/v2/x", 401, headers={"WWW-Authenticate": 'Bearer realm="/token",service="svc"'})
    server.expect("GET", token_target("repository:a/b:pull"), 200, {"token": "t"}).expect("GET", "/v2/x")
    transport(server.host, credential=LOGIN).exchange("GET", "/v2/x", Scopes.repository("a/b", "pull"))
    assert server.requests[-1].header("Authorization") == "Bearer t"


def several_accounts(folder: pathlib.Path, server: ScriptedServer, **users: str) -> Transport:
    """A transport with an auth file that has a user for each namespace; all have the same password."""
    entries = {
        f"{server.host}/{name}": {"auth": base64.b64encode(f"{user}:{PASSWORD}".encode()).decode()}
        for name, user in users.items()
    }
    (folder / "auth.json").write_text(json.dumps({"auths": entries}))
    return transport(server.host, credentials=Credentials(server.host, [Place(str(folder / "auth.json"))]))


def basic(user: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{PASSWORD}".encode()).decode()


def test_each_repository_is_asked_for_as_its_own_account(server: ScriptedServer, tmp_path: pathlib.Path) -> None:
    server.expect("GET", "/a", 401, headers=ASKS_BASIC).expect("GET", "/a").expect("GET", "/b").expect("GET", "/c", 404)
    client = several_accounts(tmp_path, server, a="ann", b="bob")
    for name in "abc":
        client.exchange("GET", f"/{name}", Scopes.repository(name, "pull"))
    assert [request.header("Authorization") for request in server.requests] == [None, basic("ann"), basic("bob"), None]


def test_an_account_that_is_refused_does_not_stop_the_others(server: ScriptedServer, tmp_path: pathlib.Path) -> None:
    server.expect("GET", "/a", 401, headers=ASKS_BASIC, times=2).expect("GET", "/v2/", 401).expect("GET", "/b")
    server.expect("GET", "/c", 401, headers=ASKS_BASIC).expect("GET", "/d")
    client = several_accounts(tmp_path, server, a="ann", b="bob", d="bob")
    for name, reason in (("a", "the credential of the entry '.*/a' of the auth file .*"), ("c", "asks for a login")):
        for _time in range(2 if name == "a" else 1):
            with pytest.raises(AuthenticationFailed, match=reason):
                client.exchange("GET", f"/{name}", Scopes.repository(name, "pull"))
        assert client.exchange("GET", f"/{'b' if name == 'a' else 'd'}", Scopes.repository("b", "pull")).status == 200


def test_a_mount_is_asked_for_as_the_account_of_the_target(server: ScriptedServer, tmp_path: pathlib.Path) -> None:
    server.expect("POST", "/m", 401, headers=ASKS_BASIC).expect("POST", "/m", 202)
    client = several_accounts(tmp_path, server, a="ann", b="bob")
    scopes = Scopes.repository("b", "pull", "push").union(Scopes.repository("a", "pull"))
    client.exchange("POST", "/m", scopes, body=b"")
    assert server.requests[1].header("Authorization") == basic("bob")


def test_a_registry_that_is_open_is_asked_without_looking_for_a_login(
    server: ScriptedServer, tmp_path: pathlib.Path
) -> None:
    (tmp_path / "auth.json").write_text("broken")
    credentials = Credentials(server.host, [Place(str(tmp_path / "auth.json"))])
    server.expect("GET", "/1").expect("GET", "/2", 401, headers=ASKS_BASIC)
    client = transport(server.host, credentials=credentials)
    assert client.exchange("GET", "/1", PULL).status == 200
    with pytest.raises(CredentialError, match="auth.json is not valid JSON"):
        client.exchange("GET", "/2", PULL)


def test_an_identity_token_logs_in(server: ScriptedServer) -> None:
    server.expect("GET", "/1", 401, headers=asks_bearer(server))
    server.expect("POST", "/token", 200, {"access_token": "t1", "expires_in": 300}).expect("GET", "/1")
    client = transport(server.host, credential=Credential(identity_token="identity"))
    assert client.exchange("GET", "/1", PULL).status == 200
    assert b"refresh_token=identity" in server.requests[1].body
    assert [request.header("Authorization") for request in server.requests] == [None, None, "Bearer t1"]


def test_basic_login_is_learned_once_and_then_sent_at_once(server: ScriptedServer) -> None:
    server.expect("GET", "/1", 401, headers=ASKS_BASIC).expect("GET", "/1").expect("GET", "/2")
    client = transport(server.host, credential=LOGIN)
    assert client.exchange("GET", "/1", PULL).status == 200
    assert client.exchange("GET", "/2", PULL).status == 200
    assert [request.header("Authorization") for request in server.requests] == [None, BASIC, BASIC]


@pytest.mark.parametrize("scheme", ["basic", "bearer"])
def test_a_login_without_an_entry_in_the_auth_file_says_so(server: ScriptedServer, scheme: str) -> None:
    if scheme == "basic":
        server.expect("GET", "/v2/a/tags/list", 401, headers=ASKS_BASIC)
    else:
        server.expect("GET", "/v2/a/tags/list", 401, headers=asks_bearer(server))
        server.expect("GET", token_target("repository:a/b:pull", account=""), 200, {"token": "t1"})
        server.expect("GET", "/v2/a/tags/list", 401, headers=asks_bearer(server))
    credential = ANONYMOUS._replace(advice="The auth file /a has no entry for it")
    with pytest.raises((AuthenticationFailed, AccessDenied), match=r"The auth file /a has no entry for it\.$"):
        transport(server.host, credential=credential).exchange("GET", "/v2/a/tags/list", PULL)


def test_a_bearer_token_is_fetched_and_used(server: ScriptedServer) -> None:
    server.expect("GET", "/1", 401, headers=asks_bearer(server))
    server.expect("GET", token_target("repository:a/b:pull"), 200, {"token": "t1", "expires_in": 300})
    server.expect("GET", "/1").expect("GET", "/2")
    client = transport(server.host, credential=LOGIN)
    client.exchange("GET", "/1", PULL)
    client.exchange("GET", "/2", PULL)
    assert [request.header("Authorization") for request in server.requests] == [None, BASIC, "Bearer t1", "Bearer t1"]
    assert client.counters.as_dict()["requests"] == 4


def test_an_anonymous_token_is_fetched_without_login(server: ScriptedServer) -> None:
    server.expect("GET", "/1", 401, headers=asks_bearer(server))
    server.expect("GET", token_target("repository:a/b:pull", account=""), 200, {"token": "t1"})
    server.expect("GET", "/1")
    transport(server.host).exchange("GET", "/1", PULL)
    assert [request.header("Authorization") for request in server.requests] == [None, None, "Bearer t1"]


def test_the_scopes_of_the_challenge_are_added_to_those_needed(server: ScriptedServer) -> None:
    server.expect("GET", "/1", 401, headers=asks_bearer(server, "repository:a/b:pull,delete repository:c:pull"))
    server.expect("GET", token_target("repository:a/b:pull,push,delete", "repository:c:pull"), 200, {"token": "t1"})
    server.expect("GET", "/1").expect("GET", "/2")
    client = transport(server.host, credential=LOGIN)
    client.exchange("GET", "/1", PUSH)
    client.exchange("GET", "/2", PUSH)


def test_challenges_in_repeated_headers_are_read(server: ScriptedServer) -> None:
    headers = [("WWW-Authenticate", "Negotiate"), ("www-authenticate", 'Basic realm="x, y"')]
    server.expect("GET", "/1", 401, headers=headers).expect("GET", "/1")
    assert transport(server.host, credential=LOGIN).exchange("GET", "/1", PULL).status == 200


def test_a_token_that_is_refused_is_renewed_once(server: ScriptedServer) -> None:
    server.expect("GET", "/1", 401, headers=asks_bearer(server))
    server.expect("GET", token_target("repository:a/b:pull"), 200, {"token": "t1", "expires_in": 300})
    server.expect("GET", "/1")
    server.expect("GET", "/2", 401, headers=asks_bearer(server))
    server.expect("GET", token_target("repository:a/b:pull"), 200, {"token": "t2", "expires_in": 300})
    server.expect("GET", "/2", 200)
    client = transport(server.host, credential=LOGIN)
    client.exchange("GET", "/1", PULL)
    assert client.exchange("GET", "/2", PULL).status == 200
    assert server.requests[-1].header("Authorization") == "Bearer t2"


def test_a_token_that_stays_refused_means_that_the_account_may_not(server: ScriptedServer) -> None:
    server.expect("GET", "/1", 401, headers=asks_bearer(server))
    server.expect("GET", token_target("repository:a/b:pull"), 200, {"token": "t1", "expires_in": 300})
    server.expect("GET", "/1", 401, errors("UNAUTHORIZED"), headers=asks_bearer(server))
    with pytest.raises(AccessDenied, match="the account is not granted repository:a/b:pull"):
        transport(server.host, credential=LOGIN).exchange("GET", "/1", PULL)


def test_the_token_is_renewed_where_harbor_switches_to_basic(server: ScriptedServer) -> None:
    server.expect("GET", "/1", 401, headers=asks_bearer(server))
    server.expect("GET", token_target("repository:a/b:pull"), 200, {"token": "t1", "expires_in": 300})
    server.expect("GET", "/1")
    server.expect("GET", "/2", 401, headers={"WWW-Authenticate": 'Basic realm="harbor"'})
    server.expect("GET", token_target("repository:a/b:pull"), 200, {"token": "t2", "expires_in": 300})
    server.expect("GET", "/2")
    client = transport(server.host, credential=LOGIN)
    client.exchange("GET", "/1", PULL)
    assert client.exchange("GET", "/2", PULL).status == 200


def test_a_streamed_body_that_meets_a_401_is_temporary_and_the_next_try_logs_in(server: ScriptedServer) -> None:
    server.expect("PUT", "/1", 401, headers=asks_bearer(server))
    server.expect("GET", token_target("repository:a/b:pull,push"), 200, {"token": "t1", "expires_in": 300})
    server.expect("PUT", "/1", 201)
    client = transport(server.host, credential=LOGIN)
    with pytest.raises(AuthenticationFailed) as caught:
        client.exchange("PUT", "/1", PUSH, body=Body([b"abc"], 3))
    assert caught.value.temporary
    assert client.exchange("PUT", "/1", PUSH, body=Body([b"abc"], 3)).status == 201


@pytest.mark.parametrize("names", [("there", "none", "none"), ("none", "none", "there")])
def test_what_the_token_server_does_not_grant_says_nothing_of_other_images(
    server: ScriptedServer, names: tuple[str, ...]
) -> None:
    server.expect("GET", f"/{names[0]}", 401, headers=asks_bearer(server))
    for name in names:
        granted = (200, {"token": "t1", "expires_in": 300}) if name == "there" else (403, errors("DENIED"))
        server.expect("GET", token_target(f"repository:{name}:pull"), *granted)
        if name == "there":
            server.expect("GET", "/there")
    client = transport(server.host, credential=LOGIN)
    for name in names:
        if name == "there":
            assert client.exchange("GET", "/there", Scopes.repository(name, "pull")).status == 200
        else:
            with pytest.raises(NotGranted, match="does not grant repository:none:pull to the user name and password"):
                client.exchange("GET", f"/{name}", Scopes.repository(name, "pull"))


def test_the_password_is_not_sent_to_a_foreign_realm_unless_it_is_trusted(serve: Serve, names_below_test: None) -> None:
    server, foreign = serve(name="registry.test"), serve(name="auth.test")
    server.expect("GET", "/1", 401, headers=asks_bearer(foreign), times=2)
    with pytest.raises(ProtocolViolation, match="add auth.test to trusted_realm_hosts"):
        transport(server.host, credential=LOGIN).exchange("GET", "/1", PULL)
    assert foreign.connections == 0
    foreign.expect("GET", token_target("repository:a/b:pull"), 200, {"token": "t1", "expires_in": 300})
    server.expect("GET", "/1")
    transport(server.host, credential=LOGIN, trusted_realm_hosts=("auth.test",)).exchange("GET", "/1", PULL)
    assert foreign.requests[0].header("Authorization") == BASIC


def test_a_realm_without_tls_is_refused_behind_tls(
    serve: Serve, secure: ScriptedServer, certificates: Certificates
) -> None:
    plain = serve(name="localhost")
    secure.expect("GET", "/v2/", 401, headers=asks_bearer(plain))
    with pytest.raises(ProtocolViolation, match="without TLS"):
        over_tls(secure, ca_path=certificates.good_ca, credential=LOGIN)
    assert plain.connections == 0


def test_a_token_option_is_sent_at_once_and_its_refusal_named(server: ScriptedServer) -> None:
    server.expect("GET", "/1").expect("GET", "/2", 401, headers=asks_bearer(server))
    client = transport(server.host, credential=Credential(token="tok"))
    client.exchange("GET", "/1", PULL)
    with pytest.raises(AuthenticationFailed) as caught:
        client.exchange("GET", "/2", PULL)
    assert [request.header("Authorization") for request in server.requests] == ["Bearer tok", "Bearer tok"]
    assert "tok" not in str(caught.value).replace("token", "")


def test_sixteen_threads_whose_token_is_refused_renew_it_once(serve: Serve) -> None:
    server = serve(ordered=False)
    server.expect("GET", "/0", 401, headers=asks_bearer(server))
    server.expect("GET", token_target("repository:a/b:pull"), 200, {"token": "t1", "expires_in": 300})
    server.expect("GET", "/0")
    client = transport(server.host, credential=LOGIN, jobs=16)
    client.exchange("GET", "/0", PULL)
    gate = threading.Barrier(16)
    server.expect("GET", "/1", 401, headers=asks_bearer(server), gate=gate, times=16)
    server.expect("GET", token_target("repository:a/b:pull"), 200, {"token": "t2", "expires_in": 300})
    server.expect("GET", "/1", 200, times=16)
    results: list[int] = []
    run_threads(lambda: results.append(client.exchange("GET", "/1", PULL).status))
    assert results == [200] * 16


def test_a_token_with_a_line_break_does_not_reach_the_wire_or_an_error(server: ScriptedServer) -> None:
    with pytest.raises(RegistryError) as caught:
        transport(server.host, credential=Credential(token="tok\r\nX-Evil: 1")).exchange("GET", "/1", PULL)
    assert "Evil" not in str(caught.value)
    with pytest.raises(RegistryError):
        transport(server.host, credential=Credential(token="tok\u20ac")).exchange("GET", "/1", PULL)
