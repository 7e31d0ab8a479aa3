# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.imageops.registry.plugins.module_utils._credentials._credential import Credential
from ansible_collections.imageops.registry.plugins.module_utils._credentials._secrets import Secrets
from ansible_collections.imageops.registry.plugins.module_utils._http._limits import Limits
from ansible_collections.imageops.registry.plugins.module_utils._http._scopes import NOTHING, Scopes
from ansible_collections.imageops.registry.plugins.module_utils._http._transport import Transport
from ansible_collections.imageops.registry.plugins.module_utils._model._errors import (
    ConnectionFailed,
    RegistryError,
    UnexpectedAnswer,
)
from ansible_collections.imageops.registry.plugins.module_utils._run._counters import Counters
from ansible_collections.imageops.registry.tests.unit.support.documents import LOGIN, PASSWORD, Naps, errors, transport
from ansible_collections.imageops.registry.tests.unit.support.exchanges import (
    ASKS_BASIC,
    BASIC,
    PULL,
    PUSH,
    Serve,
    asks_bearer,
    token_target,
)
from ansible_collections.imageops.registry.tests.unit.support.scripted_server import ScriptedServer


@pytest.mark.parametrize(
    ("status", "headers"),
    [
        (307, {"Location": "http://127.0.0.1/x"}),
        (401, {"WWW-Authenticate": 'Bearer realm="http://127.0.0.1/token",service="svc"'}),
    ],
    ids=["redirect", "token server"],
)
def test_an_answer_that_has_lost_the_port_is_explained(
    server: ScriptedServer, status: int, headers: dict[str, str]
) -> None:
    server.expect("GET", "/v2/x", status, headers=headers)
    with pytest.raises(ConnectionFailed, match=f"lost the port {server.port}. Have the proxy pass on"):
        transport(server.host, retries=0).exchange("GET", "/v2/x", Scopes.repository("a/b", "pull"))


def test_no_login_goes_to_another_origin_and_its_challenge_is_not_answered(serve: Serve) -> None:
    server, foreign = serve(), serve()
    foreign.expect("PUT", "/upload?s=1", 401, headers=ASKS_BASIC)
    client = transport(server.host, credential=LOGIN)
    assert client.exchange("PUT", foreign.url + "/upload?s=1", PUSH, body=b"abc").status == 401
    assert foreign.requests[0].header("Authorization") is None
    foreign.expect("PUT", "/upload?s=2", 201)
    client = transport(server.host, credential=Credential(token="tok"))
    client.exchange("PUT", foreign.url + "/upload?s=2", PUSH, body=b"abc")
    assert foreign.requests[1].header("Authorization") is None


def test_secrets_are_reported_and_shown_nowhere(server: ScriptedServer) -> None:
    server.expect("GET", "/1", 401, headers=asks_bearer(server))
    server.expect("GET", token_target("repository:a/b:pull"), 200, {"token": "token-of-the-test", "expires_in": 300})
    server.expect("GET", "/1", 404, errors("MANIFEST_UNKNOWN"))
    secrets: list[str] = []
    client = transport(server.host, credential=LOGIN, secrets=Secrets(secrets.append))
    response = client.exchange("GET", "/1", PULL)
    error = response.error()
    shown = " ".join(
        f"{thing!s} {thing!r}" for thing in (client, client.endpoint, response, error, error.facts(), client.counters)
    )
    # Those of the user, which Ansible masks. A token server's tokens it is never told.
    assert secrets == [PASSWORD, BASIC[6:]]
    assert "token-of-the-test" not in shown and PASSWORD not in shown and BASIC[6:] not in shown


def test_both_ends_of_a_task_keep_one_pace_where_they_are_one_registry(server: ScriptedServer) -> None:
    server.expect("GET", "/v2/", 200, times=2)
    naps, limits = Naps(), Limits(0.001)
    endpoint = transport(server.host).endpoint
    for _end in range(2):
        Transport(endpoint, Counters(), limits=limits, sleep=naps).exchange("GET", "/v2/", NOTHING)
    assert [round(nap / 1000) for nap in naps.seconds if nap] == [1]


def test_what_is_asked_without_a_login_is_asked_again_where_that_fails_temporarily(server: ScriptedServer) -> None:
    server.expect("GET", "/v2/", 503).expect("GET", "/v2/", 0).expect("GET", "/v2/", 401, headers=ASKS_BASIC)
    client = transport(server.host, credential=LOGIN)
    assert client.exchange_anonymously("GET", "/v2/").status == 401
    assert [request.header("Authorization") for request in server.requests] == [None] * 3
    assert not client.was_challenged


@pytest.mark.parametrize(("status", "kind"), [(503, UnexpectedAnswer), (0, ConnectionFailed)])
def test_what_is_asked_without_a_login_ends_in_an_error_and_gives_nothing_up(
    server: ScriptedServer, status: int, kind: type[RegistryError]
) -> None:
    server.expect("GET", "/v2/", status, times=2).expect("GET", "/v2/x")
    client = transport(server.host, retries=1)
    with pytest.raises(kind):
        client.exchange_anonymously("GET", "/v2/")
    assert client.exchange("GET", "/v2/x", NOTHING).status == 200


def test_after_a_challenge_that_was_learned_from_the_first_request_is_logged_in(server: ScriptedServer) -> None:
    server.expect("GET", "/v2/", 401, headers=ASKS_BASIC).expect("GET", "/v2/x")
    client = transport(server.host, credential=LOGIN)
    client.learn_from(client.exchange_anonymously("GET", "/v2/"), "")
    assert client.was_challenged
    client.exchange("GET", "/v2/x", NOTHING)
    assert server.requests[-1].header("Authorization") == BASIC


def test_nothing_is_learned_from_the_challenge_of_another_origin(serve: Serve) -> None:
    server, other = serve(), serve()
    server.expect("GET", "/v2/", 302, headers={"Location": f"{other.url}/v2/"}).expect("GET", "/v2/x")
    other.expect("GET", "/v2/", 401, headers=ASKS_BASIC)
    client = transport(server.host, credential=LOGIN)
    client.learn_from(client.exchange_anonymously("GET", "/v2/"), "")
    assert not client.was_challenged
    client.exchange("GET", "/v2/x", NOTHING)
    assert server.requests[-1].header("Authorization") is None
