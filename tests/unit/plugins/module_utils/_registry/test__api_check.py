# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.imageops.registry.plugins.module_utils._credentials._credential import ANONYMOUS
from ansible_collections.imageops.registry.plugins.module_utils._model._errors import (
    AuthenticationFailed,
    TLSFailed,
    UnexpectedAnswer,
)
from ansible_collections.imageops.registry.tests.unit.support.documents import (
    DIGEST,
    LOGIN,
)
from ansible_collections.imageops.registry.tests.unit.support.registry_client import (
    BLOB,
    registry,
)
from ansible_collections.imageops.registry.tests.unit.support.scripted_server import ScriptedServer

Serve = t.Callable[..., ScriptedServer]


def test_check_api_of_an_open_registry(server: ScriptedServer) -> None:
    server.expect(
        "GET", "/v2/", 200, {}, {"Content-Type": "application/json", "Docker-Distribution-Api-Version": "registry/2.0"}
    )
    assert registry(server).check_api() == (True, False, False, (), "registry/2.0", "")


def test_check_api_of_a_closed_registry_without_a_login(server: ScriptedServer) -> None:
    server.expect(
        "GET", "/v2/", 401, headers=[("WWW-Authenticate", 'Basic realm="x"'), ("WWW-Authenticate", "Bearer realm=y")]
    )
    assert registry(server, credential=ANONYMOUS).check_api() == (True, True, False, ("basic", "bearer"), "", "")


def test_check_api_logs_in(server: ScriptedServer) -> None:
    server.expect("GET", "/v2/", 401, headers={"WWW-Authenticate": 'Basic realm="x"'})
    server.expect("GET", "/v2/", 200, {}).expect("HEAD", BLOB, 404)
    client = registry(server, credential=LOGIN)
    assert client.check_api() == (True, True, True, ("basic",), "", "")
    client.head_blob("a/b", DIGEST)
    assert [request.header("Authorization") is None for request in server.requests] == [True, False, False]


def test_check_api_gets_a_token_after_one_401(server: ScriptedServer) -> None:
    server.expect("GET", "/v2/", 401, headers={"WWW-Authenticate": f'Bearer realm="{server.url}/token"'})
    server.expect("GET", "/token?account=ci", 200, {"token": "t1", "expires_in": 300}).expect("GET", "/v2/", 200, {})
    assert registry(server, credential=LOGIN).check_api() == (True, True, True, ("bearer",), "", "")


def test_check_api_raises_where_the_login_is_refused(server: ScriptedServer) -> None:
    server.expect("GET", "/v2/", 401, headers={"WWW-Authenticate": 'Basic realm="x"'}, times=2)
    with pytest.raises(AuthenticationFailed, match=f"Cannot log in to {server.host}: "):
        registry(server, credential=LOGIN).check_api()


def test_check_api_raises_where_there_is_no_way_to_log_in(server: ScriptedServer) -> None:
    server.expect("GET", "/v2/", 401, headers={"WWW-Authenticate": "Negotiate"})
    with pytest.raises(AuthenticationFailed, match="Cannot check the API of .*schemes: negotiate"):
        registry(server, credential=LOGIN).check_api()


def test_check_api_does_not_learn_from_a_redirects_target(serve: Serve) -> None:
    server, foreign = serve(), serve()
    asks = {"WWW-Authenticate": 'Basic realm="x"'}
    server.expect("GET", "/v2/", 307, headers={"Location": foreign.url + "/v2/"})
    foreign.expect("GET", "/v2/", 401, headers=asks)
    assert not registry(server, credential=LOGIN).check_api().is_registry
    assert [request.header("Authorization") for request in [*server.requests, *foreign.requests]] == [None] * 2


@pytest.mark.parametrize(
    ("status", "headers"),
    [(404, {}), (200, {"Content-Type": "text/html"}), (401, {}), (302, {}), (200, {})],
)
def test_check_api_of_what_is_no_registry(server: ScriptedServer, status: int, headers: dict[str, str]) -> None:
    server.expect("GET", "/v2/", status, b"<html>", headers)
    assert not registry(server, credential=LOGIN).check_api().is_registry


def test_check_api_of_a_registry_that_expects_tls_is_an_error(server: ScriptedServer) -> None:
    server.expect("GET", "/v2/", 400, b"Client sent an HTTP request to an HTTPS server.\n")
    with pytest.raises(TLSFailed, match="Cannot check the API of .*expects TLS.*Set plain_http to false"):
        registry(server).check_api()


def test_check_api_tries_again_where_the_registry_is_busy(server: ScriptedServer) -> None:
    server.expect("GET", "/v2/", 503, b"<html>")
    server.expect("GET", "/v2/", 200, b"{}", {"Docker-Distribution-Api-Version": "registry/2.0"})
    assert registry(server, retries=1).check_api().is_registry


def test_check_api_of_a_registry_that_stays_busy_is_an_error(server: ScriptedServer) -> None:
    server.expect("GET", "/v2/", 503, b"<html>", times=2)
    with pytest.raises(UnexpectedAnswer, match="answer 503"):
        registry(server, retries=1).check_api()
