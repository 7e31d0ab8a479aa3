# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.imageops.registry.plugins.module_utils._end._body import Body
from ansible_collections.imageops.registry.plugins.module_utils._model._errors import (
    ConnectionFailed,
    RateLimited,
    RegistryError,
)
from ansible_collections.imageops.registry.tests.unit.support.documents import LOGIN, Naps, errors, transport
from ansible_collections.imageops.registry.tests.unit.support.exchanges import (
    PULL,
    PUSH,
    Serve,
    asks_bearer,
    token_target,
)
from ansible_collections.imageops.registry.tests.unit.support.scripted_server import ScriptedServer


def test_a_dripping_token_server_is_cut_off(server: ScriptedServer) -> None:
    server.expect("GET", "/1", 401, headers=asks_bearer(server))
    server.expect("GET", token_target(str(PULL)), 200, {"token": "t" * 5000}, drip=1)
    with pytest.raises(ConnectionFailed, match=f"Cannot log in to {server.host}: .*too slowly"):
        transport(server.host, credential=LOGIN, retries=0, timeout=0.5).exchange("GET", "/1", PULL)


def test_a_token_server_that_is_busy_is_asked_again(server: ScriptedServer) -> None:
    server.expect("GET", "/1", 401, headers=asks_bearer(server))
    server.expect("GET", token_target("repository:a/b:pull"), 429, headers={"Retry-After": "3"})
    server.expect("GET", token_target("repository:a/b:pull"), 0)
    server.expect("GET", token_target("repository:a/b:pull"), 200, {"token": "t1", "expires_in": 300})
    server.expect("GET", "/1")
    naps = Naps()
    transport(server.host, naps, credential=LOGIN).exchange("GET", "/1", PULL)
    assert 2.9 < naps.seconds[0] <= 4


def test_a_token_server_that_answers_403_for_too_many_requests_is_asked_again(server: ScriptedServer) -> None:
    server.expect("GET", "/1", 401, headers=asks_bearer(server))
    server.expect("GET", token_target("repository:a/b:pull"), 403, errors("TOOMANYREQUESTS"), times=2)
    with pytest.raises(RateLimited, match="gave no token: too many requests"):
        transport(server.host, credential=LOGIN, retries=1).exchange("GET", "/1", PULL)


def test_a_token_server_cannot_redirect_the_password(serve: Serve) -> None:
    server, foreign = serve(), serve()
    server.expect("GET", "/1", 401, headers=asks_bearer(server))
    server.expect("GET", token_target("repository:a/b:pull"), 307, headers={"Location": foreign.url + "/token"})
    with pytest.raises(RegistryError, match="gave no token"):
        transport(server.host, credential=LOGIN).exchange("GET", "/1", PULL)
    assert foreign.connections == 0


@pytest.mark.parametrize(("status", "kind"), [(429, RateLimited), (503, RegistryError)])
def test_a_streamed_body_that_meets_a_busy_token_server_may_be_tried_again(
    server: ScriptedServer, status: int, kind: type[RegistryError]
) -> None:
    server.expect("GET", "/1", 401, headers=asks_bearer(server))
    server.expect("GET", token_target("repository:a/b:pull"), 200, {"token": "t1", "expires_in": 300})
    server.expect("GET", "/1")
    server.expect("GET", token_target("repository:a/b:pull,push"), status, times=2)
    client = transport(server.host, credential=LOGIN, retries=1)
    client.exchange("GET", "/1", PULL)
    with pytest.raises(kind, match="gave no token") as caught:
        client.exchange("PUT", "/2", PUSH, body=Body([b"abc"], 3))
    assert caught.value.temporary
    server.expect("GET", token_target("repository:a/b:pull,push"), 200, {"token": "t2", "expires_in": 300})
    server.expect("PUT", "/2", 201)
    assert client.exchange("PUT", "/2", PUSH, body=Body([b"abc"], 3)).status == 201
