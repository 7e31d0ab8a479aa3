# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.imageops.registry.plugins.module_utils._credentials._credential import Credential
from ansible_collections.imageops.registry.plugins.module_utils._end._body import Body
from ansible_collections.imageops.registry.plugins.module_utils._http import _redirects
from ansible_collections.imageops.registry.plugins.module_utils._http._endpoint import Endpoint, address_of
from ansible_collections.imageops.registry.plugins.module_utils._http._proxy import Proxies
from ansible_collections.imageops.registry.plugins.module_utils._http._scopes import NOTHING
from ansible_collections.imageops.registry.plugins.module_utils._model._errors import (
    ConnectionFailed,
    ProtocolViolation,
    RegistryError,
)
from ansible_collections.imageops.registry.tests.unit.support.certificates import Certificates
from ansible_collections.imageops.registry.tests.unit.support.documents import LOGIN, transport
from ansible_collections.imageops.registry.tests.unit.support.exchanges import (
    ASKS_BASIC,
    Serve,
    over_tls,
)
from ansible_collections.imageops.registry.tests.unit.support.scripted_server import ScriptedServer


@pytest.mark.parametrize("status", [301, 302, 303])
@pytest.mark.parametrize("method", ["PUT", "POST", "PATCH", "DELETE"])
def test_a_request_that_writes_never_turns_into_a_get(server: ScriptedServer, method: str, status: int) -> None:
    server.expect(method, "/v2/x", status, headers={"Location": server.url + "/v2/y"})
    response = transport(server.host).exchange(method, "/v2/x", NOTHING, body=b"abc")
    error = response.error()
    assert isinstance(error, ProtocolViolation) and "redirects a request that writes" in str(error)
    assert server.seen() == [f"{method} /v2/x"]


@pytest.mark.parametrize("status", [307, 308])
def test_a_write_is_sent_again_to_the_same_registry_with_body_and_login(server: ScriptedServer, status: int) -> None:
    server.expect("PUT", "/v2/x", status, headers={"Location": "/v2/y?s=1"}).expect("PUT", "/v2/y?s=1", 201)
    client = transport(server.host, credential=Credential(token="tok"))
    assert client.exchange("PUT", "/v2/x", NOTHING, headers={"Content-Type": "a/b"}, body=b"abc").status == 201
    assert [
        (request.body, request.header("Authorization"), request.header("Content-Type")) for request in server.requests
    ] == [(b"abc", "Bearer tok", "a/b")] * 2


def test_a_write_is_not_sent_to_another_origin(serve: Serve) -> None:
    server, foreign = serve(), serve()
    server.expect("PUT", "/v2/x", 307, headers={"Location": foreign.url + "/v2/x"})
    assert transport(server.host).exchange("PUT", "/v2/x", NOTHING, body=b"abc").status == 307
    assert foreign.connections == 0


def test_a_streamed_write_is_not_redirected(server: ScriptedServer) -> None:
    server.expect("PUT", "/v2/x", 307, headers={"Location": "/v2/y"})
    assert transport(server.host).exchange("PUT", "/v2/x", NOTHING, body=Body([b"abc"], 3)).status == 307


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_read_follows_to_another_port_without_login_but_with_range(serve: Serve, method: str, status: int) -> None:
    server, storage = serve(), serve()
    server.expect(method, "/v2/x", status, headers={"Location": storage.url + "/blob?X-Sig=a%2Fb"})
    storage.expect(method, "/blob?X-Sig=a%2Fb", 206)
    client = transport(server.host, credential=Credential(token="tok"))
    response = client.exchange(method, "/v2/x", NOTHING, headers={"Range": "bytes=5-"})
    assert response.status == 206
    assert server.requests[0].header("Authorization") == "Bearer tok"
    assert storage.requests[0].header("Authorization") is None
    assert storage.requests[0].header("Range") == "bytes=5-"


def test_a_login_dropped_on_the_way_does_not_come_back(serve: Serve) -> None:
    server, storage = serve(), serve()
    server.expect("GET", "/1", 302, headers={"Location": storage.url + "/2"})
    storage.expect("GET", "/2", 302, headers={"Location": server.url + "/3"})
    server.expect("GET", "/3")
    transport(server.host, credential=Credential(token="tok")).exchange("GET", "/1", NOTHING)
    assert [request.header("Authorization") for request in server.requests] == ["Bearer tok", None]


def test_a_challenge_of_a_redirects_target_is_not_answered(serve: Serve) -> None:
    server, storage = serve(), serve()
    server.expect("GET", "/v2/x", 307, headers={"Location": storage.url + "/blob"})
    storage.expect("GET", "/blob", 401, headers=ASKS_BASIC)
    assert transport(server.host, credential=LOGIN).exchange("GET", "/v2/x", NOTHING).status == 401


def test_a_redirect_from_tls_to_plain_http_is_refused(
    serve: Serve, secure: ScriptedServer, certificates: Certificates
) -> None:
    plain = serve(name="localhost")
    secure.expect("GET", "/v2/", 307, headers={"Location": plain.url + "/x"})
    with pytest.raises(ProtocolViolation, match="from TLS to plain HTTP"):
        over_tls(secure, ca_path=certificates.good_ca)
    assert plain.connections == 0


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_loop_of_redirects_ends(server: ScriptedServer, method: str) -> None:
    server.expect(method, "/v2/x", 302, headers={"Location": "/v2/x"}, times=6)
    error = transport(server.host).exchange(method, "/v2/x", NOTHING).error()
    assert isinstance(error, ProtocolViolation) and "too often" in str(error)


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "[::1]", "169.254.169.254", "2130706433", "[::ffff:127.0.0.1]"]
)
def test_a_registry_that_is_not_local_cannot_redirect_to_a_local_address(
    serve: Serve, names_below_test: None, host: str
) -> None:
    server, local = serve(name="registry.test"), serve()
    server.expect("GET", "/v2/x", 302, headers={"Location": f"http://{host}:{local.port}/meta-data"})
    with pytest.raises(ProtocolViolation, match="local address"):
        transport(server.host).exchange("GET", "/v2/x", NOTHING)
    assert local.connections == 0


@pytest.mark.parametrize(
    "location",
    [
        "ftp://x/",
        "http://u:p@x/",
        "http://[bad",
        "http://x:y/",
        "http://a\\b/",
        "http://.x/",
        "http://\u00e9\u00ff..x/",
    ],
)
def test_a_redirect_to_no_safe_url_is_refused(server: ScriptedServer, location: str) -> None:
    server.expect("GET", "/v2/x", 302, headers={"Location": location})
    with pytest.raises(RegistryError):
        transport(server.host, retries=0).exchange("GET", "/v2/x", NOTHING)


def test_the_body_of_a_redirect_is_not_read_without_a_limit(server: ScriptedServer) -> None:
    # requests itself would wait for all of it, and unpack it.
    server.expect("GET", "/v2/x", 302, b"x" * 1000, {"Location": "/v2/y"}, length="99999999999", cut=True)
    server.expect("GET", "/v2/z", 302, b"x" * 100000, {"Location": "/v2/y", "Content-Encoding": "gzip"})
    with pytest.raises(ConnectionFailed):
        transport(server.host, retries=0).exchange("GET", "/v2/x", NOTHING)
    with pytest.raises(ProtocolViolation, match="larger than 65536"):
        transport(server.host).exchange("GET", "/v2/z", NOTHING)


def test_a_redirect_without_location_is_the_callers_to_judge(server: ScriptedServer) -> None:
    server.expect("GET", "/v2/x", 302)
    assert transport(server.host).exchange("GET", "/v2/x", NOTHING).status == 302


def test_where_a_name_leads_is_looked_up_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def lookup(host: str) -> bool:
        asked.append(host)
        return host == "local.example"

    monkeypatch.setattr(_redirects, "is_local_host", lookup)
    monkeypatch.setattr(_redirects, "is_local_only", lookup)
    address = address_of(Endpoint("r.example"))
    redirects = _redirects.Redirects(lambda request: pytest.fail("asked"), address, Proxies(address, print))
    for _time in range(2):
        assert redirects.leads_astray("https://local.example/x")
        assert not redirects.leads_astray("https://storage.example/x")
        assert not redirects.leads_astray("https://r.example:5000/x")
    assert asked == ["local.example", "r.example", "storage.example"]
