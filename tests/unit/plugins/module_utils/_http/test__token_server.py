# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.imageops.registry.plugins.module_utils._credentials._credential import ANONYMOUS, Credential
from ansible_collections.imageops.registry.plugins.module_utils._http._scopes import NOTHING, Scopes
from ansible_collections.imageops.registry.plugins.module_utils._http._token_server import Answer
from ansible_collections.imageops.registry.plugins.module_utils._model._errors import (
    AuthenticationFailed,
    NotGranted,
    NoToken,
    ProtocolViolation,
    RateLimited,
    RegistryError,
)
from ansible_collections.imageops.registry.tests.unit.support.documents import LOGIN, PASSWORD
from ansible_collections.imageops.registry.tests.unit.support.exchanges import BASIC, PULL, PUSH
from ansible_collections.imageops.registry.tests.unit.support.token_servers import (
    FORM,
    IDENTITY,
    REALM,
    TokenServer,
    learned,
)

pytestmark = pytest.mark.usefixtures("no_collection")


def test_a_bearer_challenge_gets_a_token_for_service_scopes_and_account() -> None:
    server = TokenServer()
    assert learned(server).header(PUSH) == "Bearer t1"
    url, headers = server.requests[0]
    assert url.startswith(REALM + "?")
    assert server.query() == [("service", "svc"), ("scope", "repository:a/b:pull,push"), ("account", "ci")]
    assert headers["Authorization"] == BASIC


def test_several_scopes_are_several_parameters_and_the_realms_own_query_is_kept() -> None:
    server = TokenServer()
    scopes = PUSH.union(Scopes.repository("0", "pull"))
    learned(server, f'Bearer realm="{REALM}?x=1"').header(scopes)
    assert server.requests[0][0].startswith(REALM + "?x=1&scope=")
    assert server.query()[:3] == [("x", "1"), ("scope", "repository:a/b:pull,push"), ("scope", "repository:0:pull")]


def test_an_anonymous_token_is_asked_for_without_login_and_account() -> None:
    server = TokenServer()
    assert learned(server, credential=ANONYMOUS).header(PULL) == "Bearer t1"
    assert "Authorization" not in server.requests[0][1]
    assert "account" not in dict(server.query())


def test_access_token_is_taken_where_there_is_no_token() -> None:
    assert learned(TokenServer({"access_token": "t2"})).header(PULL) == "Bearer t2"
    assert learned(TokenServer({"token": "t1", "access_token": "t2"})).header(PULL) == "Bearer t1"


@pytest.mark.parametrize("text", [b"1e999", b"1" + b"0" * 400, b"NaN", b"-Infinity"])
def test_an_absurd_lifetime_is_bounded(text: bytes) -> None:
    server = TokenServer(b'{"token":"t1","expires_in":' + text + b"}", {"token": "t2"})
    found = learned(server)
    assert found.header(PULL) == "Bearer t1"
    assert found.header(PULL) == "Bearer t1"
    server.now += 24 * 3600
    assert found.header(PULL) == "Bearer t2"


def test_an_identity_token_is_exchanged_by_post_and_never_in_the_url() -> None:
    server = TokenServer({"access_token": "t2", "token": "t1"})
    scopes = PUSH.union(Scopes.repository("0", "pull"))
    assert learned(server, credential=IDENTITY).header(scopes) == "Bearer t2"
    ((url, headers),) = server.requests
    assert url == REALM and headers["Content-Type"] == FORM and "Authorization" not in headers
    assert server.forms == [
        {
            "grant_type": "refresh_token",
            "refresh_token": "identity-token",
            "service": "svc",
            "client_id": "imageops.registry",
            "scope": "repository:a/b:pull,push repository:0:pull",
        }
    ]


def test_a_new_identity_token_takes_the_place_of_the_old_one() -> None:
    server = TokenServer({"access_token": "t1", "refresh_token": "second"}, {"access_token": "t2"})
    secrets: list[str] = []
    found = learned(server, credential=IDENTITY, on_token=secrets.append)
    for number, scopes in enumerate((PULL, Scopes.repository("c", "pull"), Scopes.repository("d", "pull"))):
        found.header(scopes)
        form = server.forms[number]
        assert form is not None and form["refresh_token"] == ("second" if number else "identity-token")
    assert secrets == ["t1", "second", "t2", "t2"]


@pytest.mark.parametrize("given", ["", 7, "a b", "a\nb", None])
def test_a_new_identity_token_that_is_none_is_passed_over(given: object) -> None:
    server = TokenServer({"access_token": "t1", "refresh_token": given})
    found = learned(server, credential=IDENTITY)
    for scopes in (PULL, Scopes.repository("c", "pull")):
        found.header(scopes)
    assert [form and form["refresh_token"] for form in server.forms] == ["identity-token"] * 2


def test_a_refused_identity_token_is_named_by_where_it_was_found() -> None:
    with pytest.raises(AuthenticationFailed, match="does not accept the credential of the entry 'r.example'") as caught:
        learned(TokenServer(Answer(401, b"")), credential=IDENTITY).header(PULL)
    assert caught.value.method == "POST" and "identity-token" not in str(caught.value)


def test_an_identity_token_is_not_sent_to_another_host_nor_as_a_password() -> None:
    server = TokenServer()
    with pytest.raises(ProtocolViolation, match="trusted_realm_hosts"):
        learned(server, 'Bearer realm="https://evil.example/"', credential=IDENTITY).header(PULL)
    with pytest.raises(
        AuthenticationFailed, match="asks for a user name and password, and the credential of the entry"
    ):
        learned(server, 'Basic realm="x"', credential=IDENTITY)
    assert not server.requests


def test_a_token_server_without_get_is_sent_the_password_in_a_form() -> None:
    server = TokenServer(Answer(405, b""), {"access_token": "t1", "refresh_token": "not-used"}, {"access_token": "t2"})
    found = learned(server)
    assert found.header(PULL) == "Bearer t1"
    assert found.header(Scopes.repository("c", "pull")) == "Bearer t2"
    assert [form is None for form in server.forms] == [True, False, False]
    assert server.forms[1] == {
        "grant_type": "password",
        "username": "ci",
        "password": PASSWORD,
        "service": "svc",
        "client_id": "imageops.registry",
        "scope": "repository:a/b:pull",
    }
    assert [url for url, _headers in server.requests[1:]] == [REALM, REALM]


def test_a_token_server_without_get_has_nothing_for_the_anonymous() -> None:
    server = TokenServer(Answer(405, b""))
    with pytest.raises(RegistryError, match="gave no token"):
        learned(server, credential=ANONYMOUS).header(PULL)
    assert server.forms == [None]


@pytest.mark.parametrize(("status", "scopes"), [(400, PULL), (401, PULL), (403, NOTHING)])
def test_a_refused_password_is_named_as_the_reason(status: int, scopes: Scopes) -> None:
    with pytest.raises(AuthenticationFailed, match="does not accept the user name and password") as caught:
        learned(TokenServer(Answer(status, b"{}"))).header(scopes)
    assert caught.value.url == REALM and caught.value.status == status
    with pytest.raises(AuthenticationFailed, match="does not accept anonymous access"):
        learned(TokenServer(Answer(status, b"{}")), credential=ANONYMOUS).header(scopes)


@pytest.mark.parametrize(
    ("credential", "said"),
    [
        (LOGIN, "the user name and password .*Check username and password, or the auth_file, and the account's rights"),
        (ANONYMOUS, "anonymous access .*Give username and password, or an auth_file"),
        (ANONYMOUS._replace(advice="The file has no entry"), "anonymous access .*The file has no entry"),
    ],
)
def test_a_403_of_the_token_server_is_about_what_was_asked_for(credential: Credential, said: str) -> None:
    with pytest.raises(NotGranted, match=f"does not grant repository:a/b:pull to {said}") as caught:
        learned(TokenServer(Answer(403, b"{}")), credential=credential).header(PULL)
    assert (caught.value.url, caught.value.status) == (REALM, 403)


@pytest.mark.parametrize(("status", "kind"), [(429, RateLimited), (500, NoToken), (503, NoToken)])
def test_a_busy_token_server_is_a_temporary_error(status: int, kind: type[RegistryError]) -> None:
    with pytest.raises(kind, match="gave no token") as caught:
        learned(TokenServer(Answer(status, b"{}", is_throttled=status == 429))).header(PULL)
    assert caught.value.__class__ is kind and caught.value.temporary
    assert (caught.value.url, caught.value.status) == (REALM, status)


@pytest.mark.parametrize("status", [302, 404, 500])
def test_another_status_gives_no_token(status: int) -> None:
    with pytest.raises(RegistryError, match="gave no token"):
        learned(TokenServer(Answer(status, b"{}"))).header(PULL)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"\xff",
        b"[]",
        b"null",
        b"[" * 200000,
        b"{}",
        b'{"token":""}',
        b'{"token":7}',
        b'{"token":["a"]}',
        b'{"token":"a b"}',
        b'{"token":"a\\r\\nX-Evil: 1"}',
        b'{"token":"\\u00e4"}',
        b'{"token":"' + b"a" * 262145 + b'"}',
    ],
    ids=lambda body: repr(body[:20]),
)
def test_an_answer_without_a_token_that_a_header_can_carry_is_refused(body: bytes) -> None:
    with pytest.raises(ProtocolViolation, match="token server's answer"):
        learned(TokenServer(body)).header(PULL)


def test_a_token_is_reported() -> None:
    tokens: list[str] = []
    learned(TokenServer(), on_token=tokens.append).header(PULL)
    assert tokens == ["t1"]


def test_neither_password_nor_token_nor_query_is_in_an_error() -> None:
    for answer in (Answer(401, PASSWORD.encode()), Answer(500, b"t1"), b'{"token": "x y"}'):
        with pytest.raises(RegistryError) as caught:
            learned(TokenServer(answer), f'Bearer realm="{REALM}?k=secret-part"').header(PULL)
        shown = f"{caught.value!s} {caught.value!r} {caught.value.facts()}"
        assert PASSWORD not in shown and "secret-part" not in shown and "x y" not in shown
