# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import base64
import email.utils
import json
import pathlib
import shutil
import socket
import threading
import time
import typing as t
import urllib.parse

import pytest
import requests
from ansible_collections.imageops.registry.plugins.module_utils._credentials._auth_files import Place
from ansible_collections.imageops.registry.plugins.module_utils._credentials._credential import ANONYMOUS, Credential
from ansible_collections.imageops.registry.plugins.module_utils._credentials._credentials import Credentials
from ansible_collections.imageops.registry.plugins.module_utils._end._body import Body
from ansible_collections.imageops.registry.plugins.module_utils._http._endpoint import Endpoint
from ansible_collections.imageops.registry.plugins.module_utils._http._limits import Limits
from ansible_collections.imageops.registry.plugins.module_utils._http._notices import Notices
from ansible_collections.imageops.registry.plugins.module_utils._http._response import Response, retry_after
from ansible_collections.imageops.registry.plugins.module_utils._http._scopes import NOTHING, Scopes
from ansible_collections.imageops.registry.plugins.module_utils._http._transport import Transport
from ansible_collections.imageops.registry.plugins.module_utils._model._errors import (
    AccessDenied,
    AuthenticationFailed,
    ConnectionFailed,
    ContentMismatch,
    CredentialError,
    ErrorDetail,
    LocalFileError,
    NotFound,
    NotGranted,
    ProtocolViolation,
    RateLimited,
    RegistryError,
    RepositoryMissing,
    TLSFailed,
    UnexpectedAnswer,
    Unsupported,
)
from ansible_collections.imageops.registry.plugins.module_utils._run._counters import Counters
from ansible_collections.imageops.registry.tests.unit.support.certificates import Certificates
from ansible_collections.imageops.registry.tests.unit.support.documents import LOGIN, PASSWORD, Naps, errors, transport
from ansible_collections.imageops.registry.tests.unit.support.scripted_server import ScriptedServer

Serve = t.Callable[..., ScriptedServer]
BASIC = "Basic " + base64.b64encode(f"ci:{PASSWORD}".encode()).decode()
PULL = Scopes.repository("a/b", "pull")
PUSH = Scopes.repository("a/b", "pull", "push")
ASKS_BASIC = {"WWW-Authenticate": 'Basic realm="x"'}


def token_target(*scopes: str, service: str = "svc", account: str = "ci") -> str:
    query = (
        [("service", service)] + [("scope", scope) for scope in scopes] + ([("account", account)] if account else [])
    )
    return "/token?" + urllib.parse.urlencode(query)


def asks_bearer(server: ScriptedServer, scope: str = "") -> dict[str, str]:
    more = f',scope="{scope}"' if scope else ""
    return {"WWW-Authenticate": f'Bearer realm="{server.url}/token",service="svc"{more}'}


# One exchange --------------------------------------------------------------------------------------------------------


def test_every_request_names_the_client_and_refuses_compression(server: ScriptedServer) -> None:
    server.expect("GET", "/v2/x?n=1", 200, b"body", {"X-One": "1"})
    client = transport(server.host)
    response = client.exchange("GET", "/v2/x?n=1", NOTHING)
    (request,) = server.requests
    assert (response.status, response.body, response.headers["x-one"]) == (200, b"body", "1")
    assert request.header("User-Agent") == "imageops.registry"
    assert request.header("Accept-Encoding") == "identity"
    assert request.header("Accept") == "*/*"
    assert request.header("Authorization") is None
    assert request.header("Content-Type") is None
    assert client.counters.as_dict()["requests"] == 1


def test_a_body_comes_as_it_is_even_if_it_says_that_it_is_compressed(server: ScriptedServer) -> None:
    server.expect("GET", "/v2/x", 200, b"not gzip", {"Content-Encoding": "gzip"})
    server.expect("GET", "/v2/y", 200, b"not gzip", {"Content-Encoding": "gzip"})
    client = transport(server.host)
    assert client.exchange("GET", "/v2/x", NOTHING).body == b"not gzip"
    assert b"".join(client.exchange("GET", "/v2/y", NOTHING, stream=True).pieces()) == b"not gzip"


def test_repeated_headers_are_given_one_by_one(server: ScriptedServer) -> None:
    server.expect("GET", "/", headers=[("Link", "<a>"), ("Warning", "1, 2"), ("link", "<b>")])
    assert transport(server.host).exchange("GET", "/", NOTHING).header_list("LINK") == ["<a>", "<b>"]


@pytest.mark.parametrize("target", ["/v2/x?_state=a%7eb%2F|==&c", "/v2/x?a=~b'c&d=%C3%A9+%20"])
def test_a_query_reaches_the_server_to_the_byte(server: ScriptedServer, target: str) -> None:
    # urllib3 writes hexadecimal digits in upper case and escapes what no URL may hold: equal for whoever decodes it.
    wire = target.replace("%7e", "%7E").replace("|", "%7C")
    server.expect("GET", wire)
    transport(server.host).exchange("GET", server.url + target, NOTHING)


@pytest.mark.parametrize(
    ("target", "wire"),
    [
        ("/v2/x?sig=a%2Fb&x=100%", "/v2/x?sig=a%2Fb&x=100%25"),
        ("/v2/x?sig=a%2Fb%zz%2", "/v2/x?sig=a%2Fb%25zz%252"),
        ("/v2/%x/%41?%", "/v2/%25x/%41?%25"),
    ],
)
def test_a_percent_sign_that_escapes_nothing_leaves_the_others_alone(
    server: ScriptedServer, target: str, wire: str
) -> None:
    server.expect("GET", "/v2/1", 307, headers={"Location": target}).expect("GET", wire)
    assert transport(server.host).exchange("GET", "/v2/1", NOTHING).status == 200


def test_connections_are_kept_for_the_next_request(server: ScriptedServer) -> None:
    for method, status, body in (
        ("GET", 200, b"x" * 100000),
        ("HEAD", 404, b""),
        ("GET", 404, b"{}"),
        ("PUT", 201, b""),
    ):
        server.expect(method, "/v2/x", status, body)
    client = transport(server.host)
    for method in ("GET", "HEAD", "GET", "PUT"):
        client.exchange(method, "/v2/x", NOTHING, limit=1000000, body=b"abc" if method == "PUT" else None)
    assert server.connections == 1


def test_a_body_larger_than_the_limit_is_refused_and_one_of_its_size_is_not(server: ScriptedServer) -> None:
    server.expect("GET", "/a", body=b"x" * 1000).expect("GET", "/b", body=b"x" * 1001)
    client = transport(server.host)
    assert len(client.exchange("GET", "/a", NOTHING, limit=1000).body) == 1000
    with pytest.raises(ProtocolViolation, match="larger than 1000"):
        client.exchange("GET", "/b", NOTHING, limit=1000)


def test_an_endless_body_is_given_up_at_the_limit(server: ScriptedServer) -> None:
    server.expect("GET", "/a", body=b"x" * 100000, length="99999999999")
    with pytest.raises(ProtocolViolation, match="larger than 65536"):
        transport(server.host).exchange("GET", "/a", NOTHING)


def test_the_body_of_a_416_is_not_waited_for(server: ScriptedServer) -> None:
    server.expect("GET", "/a", 416, b"", length="11000")
    assert transport(server.host, timeout=3.0).exchange("GET", "/a", NOTHING).status == 416


# Bodies that are sent ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "sent"),
    [
        (b"", b""),
        (b"abc", b"abc"),
        (Body([], 0), b""),
        (Body([b"ab", b"", b"c"], 3), b"abc"),
        (
            Body((bytes([number]) * 100000 for number in range(20)), 2000000),
            b"".join(bytes([n]) * 100000 for n in range(20)),
        ),
    ],
    ids=["none", "bytes", "empty", "pieces", "large"],
)
def test_bodies_have_an_exact_length_and_are_never_chunked(
    server: ScriptedServer, body: bytes | Body, sent: bytes
) -> None:
    server.expect("PUT", "/v2/x", 201)
    headers = {"Content-Type": "application/octet-stream"}
    transport(server.host).exchange("PUT", "/v2/x", NOTHING, headers=headers, body=body)
    (request,) = server.requests
    assert request.body == sent
    assert request.header("Content-Length") == str(len(sent))
    assert request.header("Transfer-Encoding") is None
    assert request.header("Content-Type") == "application/octet-stream"


@pytest.mark.parametrize(
    ("pieces", "size", "why"),
    [
        ([], 1, "1 bytes were announced, and 0 are there"),
        ([b"ab", b"c"], 4, "4 bytes were announced, and 3 are there"),
        ([b"ab", b"cd"], 3, "more than the 3 bytes that were announced"),
        ([b"abc", b"", b"d"], 3, "more than the 3 bytes that were announced"),
        ([b"", b"a"], 0, "more than the 0 bytes that were announced"),
    ],
)
def test_a_body_of_another_size_than_its_own_ends_at_once(
    server: ScriptedServer, pieces: list[bytes], size: int, why: str
) -> None:
    if size:
        server.expect("PUT", "/v2/x", 201)
    client = transport(server.host, timeout=30.0)
    started = time.monotonic()
    with pytest.raises(ContentMismatch, match=why) as caught:
        client.exchange("PUT", "/v2/x", NOTHING, body=Body(pieces, size))
    assert time.monotonic() - started < 5
    assert not caught.value.temporary
    client.close()
    assert len(server.wait_for(1 if size else 0)) == (1 if size else 0)


def test_an_error_of_the_source_of_a_body_comes_through_as_it_is(server: ScriptedServer) -> None:
    def broken() -> t.Iterator[bytes]:
        yield b"a"
        raise ConnectionFailed("the source broke off").within("read blob")

    server.expect("PUT", "/v2/x", 0)
    client = transport(server.host)
    with pytest.raises(ConnectionFailed, match="Cannot read blob: the source broke off"):
        client.exchange("PUT", "/v2/x", NOTHING, body=Body(broken(), 10))
    client.close()
    assert server.wait_for(1)[0].body == b"a"


def test_a_source_that_breaks_off_does_not_stop_later_requests(server: ScriptedServer) -> None:
    def broken() -> t.Iterator[bytes]:
        yield b"a"
        raise ConnectionFailed("the source broke off")

    server.expect("PUT", "/v2/x", 0).expect("GET", "/v2/y")
    client = transport(server.host)
    with pytest.raises(ConnectionFailed):
        client.exchange("PUT", "/v2/x", NOTHING, body=Body(broken(), 10))
    server.wait_for(1)
    assert client.exchange("GET", "/v2/y", NOTHING).status == 200


# The environment -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("credential", [ANONYMOUS, LOGIN])
def test_a_netrc_neither_adds_nor_replaces_a_login(
    server: ScriptedServer, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, credential: Credential
) -> None:
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login evil password netrc-password\n")
    (tmp_path / ".netrc").chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    server.expect("GET", "/v2/", 401, headers=ASKS_BASIC)
    client = transport(server.host, credential=credential)
    if credential.is_anonymous:
        with pytest.raises(AuthenticationFailed):
            client.exchange("GET", "/v2/", NOTHING)
        assert server.requests[0].header("Authorization") is None
    else:
        server.expect("GET", "/v2/")
        client.exchange("GET", "/v2/", NOTHING)
        assert [request.header("Authorization") for request in server.requests] == [None, BASIC]


def test_cookies_are_never_sent_back(server: ScriptedServer) -> None:
    server.expect(
        "GET", "/v2/", headers=[("Set-Cookie", "a=1; Path=/"), ("Set-Cookie", "b=2; Domain=127.0.0.1")], times=2
    )
    client = transport(server.host)
    for _number in range(2):
        client.exchange("GET", "/v2/", NOTHING)
    assert [request.header("Cookie") for request in server.requests] == [None, None]


def test_the_proxy_of_the_environment_is_used_and_no_proxy_honoured(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy, server = serve(), serve()
    monkeypatch.setenv("http_proxy", proxy.url)
    proxy.expect("GET", f"{server.url}/v2/")
    transport(server.host).exchange("GET", "/v2/", NOTHING)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    server.expect("GET", "/v2/")
    transport(server.host).exchange("GET", "/v2/", NOTHING)


@pytest.mark.parametrize("status", [407, 403])
def test_a_proxy_that_refuses_is_named_without_its_password(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    proxy = serve()
    monkeypatch.setenv("https_proxy", f"http://ci:{PASSWORD}@{proxy.host}")
    proxy.expect("CONNECT", "r.example:443", status)
    secrets: list[str] = []
    client = transport("r.example", plain_http=False, on_secret=secrets.append)
    with pytest.raises(ConnectionFailed, match=f"the proxy {proxy.host} .*") as caught:
        client.exchange("GET", "/v2/", NOTHING)
    assert PASSWORD not in str(caught.value) and secrets == [PASSWORD]
    assert ("asks for a login" in str(caught.value)) == (status == 407)
    assert proxy.requests[0].header("Proxy-Authorization") == BASIC


def test_a_proxy_that_asks_for_a_login_without_tls_is_understood(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    proxy = serve()
    monkeypatch.setenv("http_proxy", proxy.url)
    proxy.expect("GET", "http://r.example/v2/", 407)
    response = transport("r.example").exchange("GET", "/v2/", NOTHING)
    assert "the proxy asks for a login" in str(response.error())


def test_a_proxy_that_is_not_there_is_named(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{port}")
        with pytest.raises(ConnectionFailed, match=f"the proxy 127.0.0.1:{port} can't be reached.*HTTP_PROXY"):
            transport("r.example", retries=0).exchange("GET", "/v2/", NOTHING)


# TLS -----------------------------------------------------------------------------------------------------------------


@pytest.fixture
def secure(serve: Serve, certificates: Certificates) -> ScriptedServer:
    return serve(tls=certificates.server_context(), name="localhost")


def over_tls(server: ScriptedServer, **options: t.Any) -> Response:
    options.setdefault("plain_http", False)
    return transport(server.host, **options).exchange("GET", "/v2/", NOTHING)


BUNDLES = ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"]


def test_an_untrusted_certificate_is_refused_at_once_and_ca_path_named(secure: ScriptedServer) -> None:
    naps = Naps()
    with pytest.raises(TLSFailed, match="isn't trusted.*ca_path"):
        transport(secure.host, naps, plain_http=False).exchange("GET", "/v2/", NOTHING)
    assert naps.seconds == []


@pytest.mark.parametrize("bundle", BUNDLES)
def test_a_good_ca_path_beats_a_bad_bundle_of_the_environment(
    secure: ScriptedServer, certificates: Certificates, monkeypatch: pytest.MonkeyPatch, bundle: str
) -> None:
    secure.expect("GET", "/v2/")
    monkeypatch.setenv(bundle, certificates.bad_ca)
    assert over_tls(secure, ca_path=certificates.good_ca).status == 200


@pytest.mark.parametrize("bundle", BUNDLES)
def test_a_bad_ca_path_beats_a_good_bundle_of_the_environment(
    secure: ScriptedServer, certificates: Certificates, monkeypatch: pytest.MonkeyPatch, bundle: str
) -> None:
    monkeypatch.setenv(bundle, certificates.good_ca)
    with pytest.raises(TLSFailed):
        over_tls(secure, ca_path=certificates.bad_ca)


@pytest.mark.parametrize("bundle", BUNDLES)
def test_a_bundle_of_the_environment_alone_is_used(
    secure: ScriptedServer, certificates: Certificates, monkeypatch: pytest.MonkeyPatch, bundle: str
) -> None:
    secure.expect("GET", "/v2/")
    monkeypatch.setenv(bundle, certificates.good_ca)
    assert over_tls(secure).status == 200
    monkeypatch.setenv(bundle, certificates.bad_ca)
    with pytest.raises(TLSFailed):
        over_tls(secure)


@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
def test_validate_certs_false_holds_for_its_own_transport_only(
    secure: ScriptedServer, certificates: Certificates
) -> None:
    secure.expect("GET", "/v2/", times=2)
    assert over_tls(secure, validate_certs=False).status == 200
    with pytest.raises(TLSFailed):
        over_tls(secure)
    assert over_tls(secure, validate_certs=False, ca_path=certificates.bad_ca).status == 200


def test_a_certificate_for_another_name_is_refused(
    serve: Serve, certificates: Certificates, names_below_test: None
) -> None:
    server = serve(tls=certificates.server_context(), name="other.test")
    with pytest.raises(TLSFailed, match="isn't trusted"):
        over_tls(server, ca_path=certificates.good_ca)


def test_a_client_certificate_is_shown_to_the_registry(serve: Serve, certificates: Certificates) -> None:
    server = serve(tls=certificates.server_context(ask_client=True), name="localhost").expect("GET", "/v2/")
    with pytest.raises((TLSFailed, ConnectionFailed), match="client_cert, .*client_key|broke off"):
        over_tls(server, ca_path=certificates.good_ca, retries=0)
    options = {"client_cert": certificates.client_certificate, "client_key": certificates.client_key}
    assert over_tls(server, ca_path=certificates.good_ca, **options).status == 200


def test_a_client_certificate_is_not_shown_to_another_origin(
    serve: Serve, certificates: Certificates, names_below_test: None
) -> None:
    registry = serve(tls=certificates.server_context(), name="localhost")
    foreign = serve(tls=certificates.server_context(ask_client=True), name="localhost")
    registry.expect("GET", "/v2/", 307, headers={"Location": foreign.url + "/x"})
    options = {"client_cert": certificates.client_certificate, "client_key": certificates.client_key}
    with pytest.raises((TLSFailed, ConnectionFailed)):
        over_tls(registry, ca_path=certificates.good_ca, retries=0, **options)


def test_without_options_the_cas_of_requests_are_trusted_and_no_client_certificate_is_shared(
    serve: Serve, certificates: Certificates, names_below_test: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(requests.certs, "where", lambda: certificates.good_ca)
    registry = serve(tls=certificates.server_context(), name="localhost").expect("GET", "/v2/")
    foreign = serve(tls=certificates.server_context(ask_client=True), name="localhost")
    options = {"client_cert": certificates.client_certificate, "client_key": certificates.client_key}
    assert over_tls(registry, retries=0, **options).status == 200
    registry.expect("GET", "/v2/", 307, headers={"Location": foreign.url + "/x"})
    with pytest.raises((TLSFailed, ConnectionFailed)):
        over_tls(registry, retries=0, **options)


def test_a_registry_without_tls_is_recognised(server: ScriptedServer) -> None:
    with pytest.raises(TLSFailed, match="plain_http to true"):
        over_tls(server)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_registry_that_expects_tls_is_recognised(server: ScriptedServer, method: str) -> None:
    text = b"Client sent an HTTP request to an HTTPS server.\n"
    server.expect(method, "/v2/x", 400, text)
    if method == "HEAD":
        server.expect("GET", "/v2/", 400, text)
    with pytest.raises(TLSFailed, match="plain_http to false"):
        raise transport(server.host).exchange(method, "/v2/x", NOTHING).error()


NGINX = (
    "<html>\r\n<head><title>400 {0}</title></head>\r\n<body>\r\n<center><h1>400 Bad Request</h1></center></body></html>"
)


@pytest.mark.parametrize(("method", "status"), [("GET", 400), ("HEAD", 400), ("GET", 496)])
@pytest.mark.parametrize(
    ("title", "said"),
    [
        ("No required SSL certificate was sent", "requires a client certificate .*client_cert, .*client_key"),
        ("The SSL certificate error", "doesn't accept the client certificate .*Check the certificate in client_cert"),
    ],
)
def test_a_client_certificate_that_is_asked_for_by_http_is_named(
    server: ScriptedServer, method: str, status: int, title: str, said: str
) -> None:
    page = NGINX.format(title).encode()
    server.expect(method, "/v2/x", status, page)
    if method == "HEAD":
        server.expect("GET", "/v2/", status, page)
    with pytest.raises(TLSFailed, match=said):
        raise transport(server.host).exchange(method, "/v2/x", NOTHING).error()


@pytest.mark.parametrize("option", ["ca_path", "client_cert"])
def test_a_missing_file_is_named_with_its_option(tmp_path: pathlib.Path, option: str) -> None:
    with pytest.raises(LocalFileError, match=f"{option}: .*absent can't be read"):
        options: dict[str, t.Any] = {option: str(tmp_path / "absent")}
        transport("r.example", plain_http=False, **options)


def test_a_missing_bundle_of_the_environment_is_named_by_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CURL_CA_BUNDLE", "/absent/bundle")
    with pytest.raises(LocalFileError, match="CURL_CA_BUNDLE"):
        transport("r.example", plain_http=False)


def test_a_ca_file_without_certificates_is_an_error_without_traceback(
    server: ScriptedServer, tmp_path: pathlib.Path
) -> None:
    (tmp_path / "ca.pem").write_text("nothing\n")
    with pytest.raises(RegistryError):
        over_tls(server, ca_path=str(tmp_path / "ca.pem"), retries=0)


# Redirects -----------------------------------------------------------------------------------------------------------


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


def test_a_relative_token_server_is_asked_at_the_registry(server: ScriptedServer) -> None:
    server.expect("GET", "/v2/x", 401, headers={"WWW-Authenticate": 'Bearer realm="/token",service="svc"'})
    server.expect("GET", token_target("repository:a/b:pull"), 200, {"token": "t"}).expect("GET", "/v2/x")
    transport(server.host, credential=LOGIN).exchange("GET", "/v2/x", Scopes.repository("a/b", "pull"))
    assert server.requests[-1].header("Authorization") == "Bearer t"


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


# Retries -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [408, 425, 429, 499, 500, 502, 503, 504, 520, 524])
def test_a_status_that_may_pass_is_tried_again(server: ScriptedServer, status: int) -> None:
    server.expect("PUT", "/v2/x", status, b"<html>").expect("PUT", "/v2/x", 201)
    naps = Naps()
    client = transport(server.host, naps)
    assert client.exchange("PUT", "/v2/x", NOTHING, body=b"abc").status == 201
    assert [request.body for request in server.requests] == [b"abc", b"abc"]
    assert len(naps.seconds) == 1 and 0 < naps.seconds[0] <= 1.25
    assert client.counters.as_dict()["retries"] == 1
    assert client.counters.as_dict()["requests"] == 2


@pytest.mark.parametrize("status", [400, 403, 404, 405, 409, 412, 413, 415, 416, 501])
def test_a_status_that_will_not_pass_is_not_tried_again(server: ScriptedServer, status: int) -> None:
    server.expect("GET", "/v2/x", status)
    assert transport(server.host).exchange("GET", "/v2/x", NOTHING).status == status


def test_retries_are_bounded_and_wait_longer_each_time(server: ScriptedServer) -> None:
    server.expect("GET", "/v2/x", 503, errors("UNAVAILABLE"), times=5)
    naps = Naps()
    client = transport(server.host, naps, retries=4)
    error = client.exchange("GET", "/v2/x", NOTHING).error()
    assert isinstance(error, UnexpectedAnswer) and error.temporary
    assert all(nap <= 1.25 * 2.0**attempt for attempt, nap in enumerate(naps.seconds))
    assert len(naps.seconds) == 4
    assert client.counters.as_dict()["retries"] == 4


def test_no_retries_means_one_request(server: ScriptedServer) -> None:
    server.expect("GET", "/v2/x", 503)
    assert transport(server.host, retries=0).exchange("GET", "/v2/x", NOTHING).status == 503


@pytest.mark.parametrize("code", ["MANIFEST_BLOB_UNKNOWN", "MANIFEST_INVALID", "DIGEST_INVALID"])
def test_a_500_that_speaks_of_the_content_is_not_tried_again(server: ScriptedServer, code: str) -> None:
    server.expect("PUT", "/v2/x", 500, errors("UNKNOWN", "UNKNOWN", code))
    error = transport(server.host).exchange("PUT", "/v2/x", NOTHING, body=b"abc").error()
    assert not error.temporary and error.codes[-1] == code


@pytest.mark.parametrize("status", [408, 425, 429, 499, 502, 503, 504, 520])
@pytest.mark.parametrize("code", ["UNSUPPORTED", "TOO_MANY_REQUEST", "MANIFEST_INVALID", "NAME_UNKNOWN", "DENIED"])
def test_a_status_that_is_temporary_by_itself_is_tried_again_whatever_its_codes(
    server: ScriptedServer, status: int, code: str
) -> None:
    server.expect("PUT", "/v2/x", status, errors(code, message="Request was throttled."))
    server.expect("PUT", "/v2/x", 201)
    assert transport(server.host).exchange("PUT", "/v2/x", NOTHING, body=b"abc").status == 201


def test_a_500_with_passing_codes_is_tried_again_whatever_their_case(server: ScriptedServer) -> None:
    server.expect("GET", "/v2/x", 500, errors("unknown", "Unavailable")).expect("GET", "/v2/x")
    assert transport(server.host).exchange("GET", "/v2/x", NOTHING).status == 200


@pytest.mark.parametrize(
    ("value", "least", "most"),
    [
        ("7", 7, 7),
        (" 0 ", 0, 0),
        ("", 0.1, 1),
        ("soon", 0.1, 1),
        ("-5", 0.1, 1),
        ("1.5", 0.1, 1),
        ("\u00b2", 0.1, 1),
        ("Wed, 21 Oct 2026 07:28:00 +99999999999999999", 0.1, 1),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0, 0),
    ],
)
def test_retry_after_is_honoured_where_it_is_readable(
    server: ScriptedServer, value: str, least: float, most: float
) -> None:
    server.expect("GET", "/v2/x", 429, headers={"Retry-After": value}).expect("GET", "/v2/x")
    naps = Naps()
    assert transport(server.host, naps).exchange("GET", "/v2/x", NOTHING).status == 200
    # All wait for the same moment, and then not all begin at once.
    assert least - 0.1 < sum(naps.seconds) <= 1.25 * most


def test_retry_after_may_be_a_date(server: ScriptedServer) -> None:
    date = email.utils.formatdate(time.time() + 50, usegmt=True)
    server.expect("GET", "/v2/x", 503, headers={"Retry-After": date}).expect("GET", "/v2/x")
    naps = Naps()
    transport(server.host, naps).exchange("GET", "/v2/x", NOTHING)
    assert 45 <= naps.seconds[0] <= 52


def test_retry_after_slows_down_all_threads(server: ScriptedServer) -> None:
    server.expect("GET", "/v2/x", 429, headers={"Retry-After": "9"}).expect("GET", "/v2/x").expect("GET", "/v2/y")
    naps = Naps()
    client = transport(server.host, naps)
    client.exchange("GET", "/v2/x", NOTHING)
    before = len(naps.seconds)
    client.exchange("GET", "/v2/y", NOTHING)
    assert 5 < naps.seconds[before] <= 10


@pytest.mark.parametrize("value", ["121", "86400", "9" * 5000, "Wed, 21 Oct 2199 07:28:00 GMT"])
def test_a_wait_that_is_too_long_is_cut_once_and_then_an_error(server: ScriptedServer, value: str) -> None:
    server.expect("GET", "/v2/x", 429, errors("TOOMANYREQUESTS"), headers={"Retry-After": value}, times=2)
    naps = Naps()
    with pytest.raises(RateLimited, match=r"asks to wait \d+ seconds, and retry_max_wait is 120") as caught:
        transport(server.host, naps, retries=5).exchange("GET", "/v2/x", NOTHING)
    assert len(naps.seconds) == 1 and 119 < naps.seconds[0] <= 121
    assert caught.value.codes == ("TOOMANYREQUESTS",)


def test_no_pause_is_longer_than_it_may_be(server: ScriptedServer) -> None:
    server.expect("GET", "/v2/x", 500, times=4).expect("GET", "/v2/x", 429, headers={"Retry-After": "90"}, times=2)
    naps = Naps()
    client = transport(server.host, naps, retries=5, retry_max_wait=0.05)
    with pytest.raises(RateLimited, match="asks to wait 90 seconds, and retry_max_wait is 0.05"):
        client.exchange("GET", "/v2/x", NOTHING)
    assert naps.seconds[:4] == [0.05] * 4
    assert len(naps.seconds) == 5 and naps.seconds[4] <= 0.0625


def test_a_quota_costs_one_pause_however_many_ask(server: ScriptedServer) -> None:
    server.expect("GET", "/v2/x", 429, headers={"Retry-After": "3600"}, times=21)
    naps = Naps()
    client = transport(server.host, naps)
    for _number in range(20):
        with pytest.raises(RateLimited, match="asks to wait 3600 seconds"):
            client.exchange("GET", "/v2/x", NOTHING)
    assert len([seconds for seconds in naps.seconds if seconds > 100]) <= 21


def test_a_registry_that_restarts_is_left_alone_by_all() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    naps = Naps()
    limits = Limits()
    with pytest.raises(ConnectionFailed, match="refuses the connection"):
        endpoint = Endpoint(f"127.0.0.1:{port}", plain_http=True, retries=2)
        Transport(endpoint, Counters(), limits=limits, sleep=naps).exchange("GET", "/v2/", NOTHING)
    assert len(naps.seconds) == 2
    others: list[float] = []
    limits.wait(others.append)
    assert others


def test_retry_after_reads_numbers_and_dates_only() -> None:
    assert retry_after("120") == 120
    assert retry_after("x") is None
    assert retry_after("") is None
    assert retry_after("Wed, 21 Oct 2015 07:28:00 GMT") == 0


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "POST"])
def test_a_cut_connection_is_tried_again(server: ScriptedServer, method: str) -> None:
    server.expect(method, "/v2/x", 0).expect(method, "/v2/x", 200)
    body = b"abc" if method in ("PUT", "POST") else None
    assert transport(server.host).exchange(method, "/v2/x", NOTHING, body=body).status == 200


def test_a_body_that_breaks_off_is_read_again(server: ScriptedServer) -> None:
    server.expect("GET", "/v2/x", 200, b"half", length="8", cut=True).expect("GET", "/v2/x", 200, b"all of it")
    assert transport(server.host).exchange("GET", "/v2/x", NOTHING).body == b"all of it"


def test_a_connection_that_stays_cut_is_a_temporary_error(server: ScriptedServer) -> None:
    server.expect("GET", "/v2/x", 0, times=2)
    with pytest.raises(ConnectionFailed, match="broke off") as caught:
        transport(server.host, retries=1).exchange("GET", "/v2/x", NOTHING)
    assert caught.value.temporary


def test_a_registry_that_does_not_answer_times_out(server: ScriptedServer) -> None:
    server.expect("GET", "/v2/x", hang=True)
    with pytest.raises(ConnectionFailed, match="doesn't answer in time.*Raise timeout") as caught:
        transport(server.host, retries=0, timeout=0.2).exchange("GET", "/v2/x", NOTHING)
    assert caught.value.temporary


@pytest.mark.parametrize(("status", "stream"), [(200, False), (200, True), (404, True)])
def test_an_answer_that_drips_is_cut_off(server: ScriptedServer, status: int, stream: bool) -> None:
    server.expect("GET", "/v2/x", status, b"x" * 10000, drip=1)
    with pytest.raises(ConnectionFailed, match=r"less than 1024 bytes came in 0\.5 seconds.*Raise timeout") as caught:
        response = transport(server.host, retries=0, timeout=0.5).exchange("GET", "/v2/x", NOTHING, stream=stream)
        list(response.pieces())
    assert caught.value.temporary


@pytest.mark.parametrize(("drip", "said"), [(1, "less than 1024 bytes"), (5000, "the head of the answer isn't whole")])
def test_a_head_that_drips_is_cut_off(server: ScriptedServer, drip: int, said: str) -> None:
    headers = [(f"X-{number}", "x" * 20000) for number in range(90)]
    server.expect("GET", "/v2/x", 200, headers=headers, drip=drip, drip_head=True)
    with pytest.raises(ConnectionFailed, match=f"answers too slowly: {said}"):
        transport(server.host, retries=0, timeout=0.3).exchange("GET", "/v2/x", NOTHING)


def test_an_answer_that_is_no_blob_must_be_whole_after_a_while(server: ScriptedServer) -> None:
    server.expect("GET", "/v2/x", 200, b"x" * 5000000, drip=10000)
    with pytest.raises(ConnectionFailed, match=r"the answer isn't whole after 1\.5 seconds"):
        transport(server.host, retries=0, timeout=0.3).exchange("GET", "/v2/x", NOTHING, limit=10000000)


def test_a_slow_blob_is_read_however_long_it_takes(server: ScriptedServer) -> None:
    content = b"x" * 1500000
    server.expect("GET", "/v2/x", 200, content, drip=5000)
    response = transport(server.host, retries=0, timeout=0.5).exchange("GET", "/v2/x", NOTHING, stream=True)
    assert b"".join(response.pieces()) == content


def test_a_dripping_token_server_is_cut_off(server: ScriptedServer) -> None:
    server.expect("GET", "/1", 401, headers=asks_bearer(server))
    server.expect("GET", token_target(str(PULL)), 200, {"token": "t" * 5000}, drip=1)
    with pytest.raises(ConnectionFailed, match=f"Cannot log in to {server.host}: .*too slowly"):
        transport(server.host, credential=LOGIN, retries=0, timeout=0.5).exchange("GET", "/1", PULL)


def test_answers_of_a_proxy_are_paced_too(server: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", server.url)
    server.expect("GET", "http://r.example/v2/x", 200, b"x" * 10000, drip=1)
    with pytest.raises(ConnectionFailed, match="less than 1024 bytes came"):
        transport("r.example", retries=0, timeout=0.5).exchange("GET", "/v2/x", NOTHING)


def test_answers_over_tls_are_paced_too(serve: Serve, certificates: Certificates) -> None:
    server = serve(tls=certificates.server_context(), name="localhost")
    server.expect("GET", "/v2/x", 200, b"x" * 10000, drip=1)
    client = transport(server.host, plain_http=False, ca_path=certificates.good_ca, retries=0, timeout=0.5)
    with pytest.raises(ConnectionFailed, match="less than 1024 bytes came"):
        client.exchange("GET", "/v2/x", NOTHING)


def test_the_timeout_of_a_single_request_may_be_longer(server: ScriptedServer) -> None:
    server.expect("GET", "/v2/x", hang=True)
    threading.Timer(0.4, server.stopping.set).start()
    with pytest.raises(ConnectionFailed, match="broke off"):
        transport(server.host, retries=0, timeout=0.1).exchange("GET", "/v2/x", NOTHING, timeout=5)


@pytest.mark.parametrize("status", [429, 500, 503, 0])
def test_a_streamed_body_is_sent_once_and_its_failure_is_temporary(server: ScriptedServer, status: int) -> None:
    server.expect("PUT", "/v2/x", status, headers={"Retry-After": "1"})
    naps = Naps()
    with pytest.raises(RegistryError) as caught:
        raise transport(server.host, naps).exchange("PUT", "/v2/x", NOTHING, body=Body([b"a", b"bc"], 3)).error()
    assert caught.value.temporary
    assert naps.seconds == []
    assert [request.body for request in server.requests] == [b"abc"]


def test_a_streamed_answer_that_breaks_off_is_a_temporary_error(server: ScriptedServer) -> None:
    server.expect("GET", "/v2/x?sig=secret", 200, b"half", length="8", cut=True)
    response = transport(server.host).exchange("GET", "/v2/x?sig=secret", NOTHING, stream=True)
    with pytest.raises(ConnectionFailed) as caught:
        list(response.pieces())
    assert caught.value.temporary and "secret" not in str(caught.value)


def test_a_refused_connection_and_an_unknown_host_are_named(serve: Serve) -> None:
    gone = serve()
    gone.close()
    with pytest.raises(ConnectionFailed, match="refuses the connection"):
        transport(gone.host, retries=0).exchange("GET", "/v2/", NOTHING)
    naps = Naps()
    with pytest.raises(ConnectionFailed, match=r"registry.invalid can't be resolved"):
        transport("registry.invalid", naps).exchange("GET", "/v2/", NOTHING)
    assert naps.seconds == []


def test_a_host_that_never_answered_is_not_tried_for_the_next_image(server: ScriptedServer) -> None:
    server.expect("GET", "/v2/x", 0)
    client = transport(server.host, retries=0)
    for _number in range(3):
        with pytest.raises(ConnectionFailed):
            client.exchange("GET", "/v2/x", NOTHING)


def test_a_host_that_has_answered_is_tried_again_for_the_next_image(server: ScriptedServer) -> None:
    server.expect("GET", "/1").expect("GET", "/2", 0).expect("GET", "/3")
    client = transport(server.host, retries=0)
    client.exchange("GET", "/1", NOTHING)
    with pytest.raises(ConnectionFailed):
        client.exchange("GET", "/2", NOTHING)
    assert client.exchange("GET", "/3", NOTHING).status == 200


def test_what_a_registry_denies_to_all_is_said_without_the_image_that_met_it_first(server: ScriptedServer) -> None:
    server.expect("GET", "/v2/a/manifests/1", 0)
    client = transport(server.host, retries=0)
    said = []
    for image in ("a", "b"):
        with pytest.raises(ConnectionFailed) as caught:
            client.exchange("GET", f"/v2/{image}/manifests/1", NOTHING)
        said.append(str(caught.value.within(f"look for {image}")))
    assert said[0].startswith(f"Cannot reach {server.host}: the connection to {server.host} broke off")
    assert said == [said[0]] * 2 and "manifests" not in said[0]
    assert caught.value.url == server.url


def test_a_registry_that_was_given_up_is_said_without_the_image_at_which_it_was(server: ScriptedServer) -> None:
    server.expect("GET", "/v2/a/tags/list").expect("GET", "/v2/a/manifests/1", 503, times=8)
    client = transport(server.host, retries=0)
    client.exchange("GET", "/v2/a/tags/list", NOTHING)
    for _number in range(8):
        assert client.exchange("GET", "/v2/a/manifests/1", NOTHING).status == 503
    with pytest.raises(UnexpectedAnswer, match=rf"^Cannot continue with {server.host}: .*\(answer 503\)\.$"):
        client.exchange("GET", "/v2/b/manifests/1", NOTHING)


@pytest.fixture
def certificate_directory(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> t.Callable[[str], pathlib.Path]:
    """Makes the directory of certificates of a registry, in a home of its own."""
    monkeypatch.setenv("HOME", str(tmp_path))

    def make(registry: str) -> pathlib.Path:
        path = tmp_path / ".config/containers/certs.d" / registry
        path.mkdir(parents=True)
        return path

    return make


def test_the_cas_of_the_directory_are_trusted_whatever_the_environment_says(
    secure: ScriptedServer,
    certificates: Certificates,
    monkeypatch: pytest.MonkeyPatch,
    certificate_directory: t.Callable[[str], pathlib.Path],
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", certificates.bad_ca)
    directory = certificate_directory(secure.host)
    for name, source in (("a.crt", certificates.bad_ca), ("b.crt", certificates.good_ca)):
        shutil.copyfile(source, directory / name)
    secure.expect("GET", "/v2/")
    assert over_tls(secure).status == 200
    (directory / "b.crt").unlink()
    with pytest.raises(TLSFailed, match="isn't trusted"):
        over_tls(secure)


def put_client_certificate(directory: pathlib.Path, certificates: Certificates) -> None:
    for name, source in (
        ("ca.crt", certificates.good_ca),
        ("client.cert", certificates.client_certificate),
        ("client.key", certificates.client_key),
    ):
        shutil.copyfile(source, directory / name)


def test_the_client_certificate_of_the_directory_is_shown_to_its_registry_only(
    serve: Serve, certificates: Certificates, certificate_directory: t.Callable[[str], pathlib.Path]
) -> None:
    registry = serve(tls=certificates.server_context(ask_client=True), name="localhost")
    foreign = serve(tls=certificates.server_context(ask_client=True), name="localhost")
    directory = certificate_directory(registry.host)
    put_client_certificate(directory, certificates)
    registry.expect("GET", "/v2/")
    registry.expect("GET", "/v2/", 307, headers={"Location": foreign.url + "/"})
    client = transport(registry.host, plain_http=False, retries=0)
    assert client.exchange("GET", "/v2/", NOTHING).status == 200
    with pytest.raises((TLSFailed, ConnectionFailed)):
        client.exchange("GET", "/v2/", NOTHING)
    assert not foreign.requests


def test_the_client_certificate_of_the_directory_is_read_once_for_all_connections(
    serve: Serve, certificates: Certificates, certificate_directory: t.Callable[[str], pathlib.Path]
) -> None:
    # Threads that read it into the context which they share would destroy it.
    registry = serve(tls=certificates.server_context(ask_client=True), name="localhost")
    directory = certificate_directory(registry.host)
    put_client_certificate(directory, certificates)
    registry.expect("GET", "/v2/", headers={"Connection": "close"}, times=2)
    client = transport(registry.host, plain_http=False, retries=0)
    assert client.exchange("GET", "/v2/", NOTHING).status == 200
    (directory / "client.key").unlink()
    assert client.exchange("GET", "/v2/", NOTHING).status == 200


# Several accounts ----------------------------------------------------------------------------------------------------


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
    with pytest.raises(CredentialError, match="auth.json is no valid JSON"):
        client.exchange("GET", "/2", PULL)


def test_an_identity_token_logs_in(server: ScriptedServer) -> None:
    server.expect("GET", "/1", 401, headers=asks_bearer(server))
    server.expect("POST", "/token", 200, {"access_token": "t1", "expires_in": 300}).expect("GET", "/1")
    client = transport(server.host, credential=Credential(identity_token="identity"))
    assert client.exchange("GET", "/1", PULL).status == 200
    assert b"refresh_token=identity" in server.requests[1].body
    assert [request.header("Authorization") for request in server.requests] == [None, None, "Bearer t1"]


# Logging in ----------------------------------------------------------------------------------------------------------


def test_basic_login_is_learned_once_and_then_sent_at_once(server: ScriptedServer) -> None:
    server.expect("GET", "/1", 401, headers=ASKS_BASIC).expect("GET", "/1").expect("GET", "/2")
    client = transport(server.host, credential=LOGIN)
    assert client.exchange("GET", "/1", PULL).status == 200
    assert client.exchange("GET", "/2", PULL).status == 200
    assert [request.header("Authorization") for request in server.requests] == [None, BASIC, BASIC]


def test_a_wrong_password_is_an_error_that_is_not_repeated(server: ScriptedServer) -> None:
    server.expect("GET", "/1", 401, headers=ASKS_BASIC).expect(
        "GET", "/1", 401, errors("UNAUTHORIZED"), headers=ASKS_BASIC
    )
    server.expect("GET", "/v2/", 401, headers=ASKS_BASIC)
    client = transport(server.host, credential=LOGIN)
    for _number in range(3):
        with pytest.raises(AuthenticationFailed, match="doesn't accept the credential.*Check username") as caught:
            client.exchange("GET", "/1", PULL)
        assert PASSWORD not in str(caught.value)


@pytest.mark.parametrize("names", [("there", "none", "none"), ("none", "none", "there")])
def test_a_password_that_is_good_for_something_is_not_taken_for_wrong(
    server: ScriptedServer, names: tuple[str, ...]
) -> None:
    server.expect("GET", f"/{names[0]}", 401, headers=ASKS_BASIC)
    server.expect("GET", f"/{names[0]}", 200 if names[0] == "there" else 401, headers=ASKS_BASIC)
    if names[0] == "none":
        server.expect("GET", "/v2/")
    for name in names[1:]:
        server.expect("GET", f"/{name}", 200 if name == "there" else 401, headers=ASKS_BASIC)
    client = transport(server.host, credential=LOGIN)
    for name in names:
        if name == "there":
            assert client.exchange("GET", "/there", Scopes.repository(name, "pull")).status == 200
        else:
            with pytest.raises(AccessDenied, match="the account isn't granted repository:none:pull"):
                client.exchange("GET", "/none", Scopes.repository(name, "pull"))
    assert [request.header("Authorization") for request in server.requests[1:]] == [BASIC] * (len(server.requests) - 1)


def test_a_passing_failure_does_not_make_a_password_good(server: ScriptedServer) -> None:
    server.expect("GET", "/1", 401, headers=ASKS_BASIC).expect("GET", "/1", 503)
    server.expect("GET", "/1", 401, headers=ASKS_BASIC).expect("GET", "/v2/", 401)
    with pytest.raises(AuthenticationFailed, match="doesn't accept the credential"):
        transport(server.host, credential=LOGIN).exchange("GET", "/1", PULL)


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
    with pytest.raises(AccessDenied, match="the account isn't granted repository:a/b:pull"):
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


def test_a_token_server_that_refuses_the_password_is_asked_once(server: ScriptedServer) -> None:
    server.expect("GET", "/1", 401, headers=asks_bearer(server))
    server.expect("GET", token_target("repository:a/b:pull"), 401, PASSWORD)
    client = transport(server.host, credential=LOGIN)
    for _number in range(2):
        with pytest.raises(
            AuthenticationFailed, match="token server doesn't accept the user name and password"
        ) as caught:
            client.exchange("GET", "/1", PULL)
        assert PASSWORD not in f"{caught.value} {caught.value.facts()}"


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
            with pytest.raises(NotGranted, match="doesn't grant repository:none:pull to the user name and password"):
                client.exchange("GET", f"/{name}", Scopes.repository(name, "pull"))


def test_threads_whose_images_are_not_granted_do_not_wait_for_each_other(serve: Serve) -> None:
    # The gate opens when all three others are at the token server at the same time.
    server = serve(ordered=False)
    gate = threading.Barrier(3)
    server.expect("GET", "/1", 401, headers=asks_bearer(server))
    server.expect("GET", token_target(str(REPOSITORIES[0])), 403)
    client = transport(server.host, credential=LOGIN)
    failures = failures_of_threads(client, REPOSITORIES[0])
    for scopes in REPOSITORIES[1:]:
        server.expect("GET", token_target(str(scopes)), 403, gate=gate)
    failures += failures_of_threads(client, *REPOSITORIES[1:])
    assert [type(failure) for failure in failures] == [NotGranted] * 4


def test_a_token_server_that_is_busy_is_asked_again(server: ScriptedServer) -> None:
    server.expect("GET", "/1", 401, headers=asks_bearer(server))
    server.expect("GET", token_target("repository:a/b:pull"), 429, headers={"Retry-After": "3"})
    server.expect("GET", token_target("repository:a/b:pull"), 0)
    server.expect("GET", token_target("repository:a/b:pull"), 200, {"token": "t1", "expires_in": 300})
    server.expect("GET", "/1")
    naps = Naps()
    transport(server.host, naps, credential=LOGIN).exchange("GET", "/1", PULL)
    assert 2.9 < naps.seconds[0] <= 4


@pytest.mark.parametrize("code", ["TOOMANYREQUESTS", "TOO_MANY_REQUESTS"])
def test_a_403_that_says_too_many_requests_is_asked_again(server: ScriptedServer, code: str) -> None:
    server.expect("GET", "/1", 403, errors(code), headers={"Retry-After": "3"}).expect("GET", "/1")
    naps = Naps()
    client = transport(server.host, naps)
    assert client.exchange("GET", "/1", PULL).status == 200
    assert 2.9 < naps.seconds[0] <= 4 and client.counters.as_dict()["retries"] == 1


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


@pytest.mark.parametrize("named", ["", "repository:a/b:pull", "repository:a/b:pull,push"])
def test_sixteen_threads_make_one_request_without_login_and_one_for_a_token(serve: Serve, named: str) -> None:
    server = serve(ordered=False)
    server.expect("GET", "/1", 401, headers=asks_bearer(server, named))
    wanted = "repository:a/b:pull,push" if "push" in named else "repository:a/b:pull"
    server.expect("GET", token_target(wanted), 200, {"token": "t1", "expires_in": 300})
    server.expect("GET", "/1", 200, times=16)
    client = transport(server.host, credential=LOGIN, jobs=16)
    barrier = threading.Barrier(16)
    results: list[int] = []

    def work() -> None:
        barrier.wait(10)
        results.append(client.exchange("GET", "/1", PULL).status)

    run_threads(work)
    assert results == [200] * 16
    assert sum(request.header("Authorization") is None for request in server.requests) == 1


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


def test_the_first_answers_are_not_waited_for_one_by_one(serve: Serve) -> None:
    # The gate opens when the three others are at the server at the same time.
    server = serve(ordered=False)
    server.expect("GET", "/1", 401, headers=ASKS_BASIC).expect("GET", "/1")
    server.expect("GET", "/1", 200, gate=threading.Barrier(3), times=3)
    client = transport(server.host, credential=LOGIN)
    results: list[int] = []
    run_threads(lambda: results.append(client.exchange("GET", "/1", PULL).status), 4)
    assert results == [200] * 4


def failures_of_threads(client: Transport, *scopes: Scopes) -> list[RegistryError]:
    barrier = threading.Barrier(len(scopes))
    failures: list[RegistryError] = []
    waiting = list(scopes)

    def work() -> None:
        wanted = waiting.pop()
        barrier.wait(10)
        with pytest.raises(RegistryError) as caught:
            client.exchange("GET", "/1", wanted)
        failures.append(caught.value)

    run_threads(work, len(scopes))
    return failures


REPOSITORIES = [Scopes.repository(f"a/{number}", "pull") for number in range(4)]


def test_a_host_that_never_answers_is_waited_for_by_one_thread_only(serve: Serve) -> None:
    server = serve(ordered=False)
    server.expect("GET", "/1", hang=True, times=3)
    naps = Naps()
    failures = failures_of_threads(transport(server.host, naps, timeout=0.1, retries=2), *REPOSITORIES)
    assert [type(failure) for failure in failures] == [ConnectionFailed] * 4
    assert {str(failure) for failure in failures} == {str(failures[0])}
    assert len({id(failure) for failure in failures}) == 4
    assert len(naps.seconds) == 2


@pytest.mark.parametrize("status", [200, 503])
def test_the_other_threads_go_on_after_the_first_answer(serve: Serve, status: int) -> None:
    # The gate opens when all three others are at the server. What asks for a pause is no answer yet.
    server = serve(ordered=False)
    server.expect("GET", "/1", status)
    if status == 503:
        server.expect("GET", "/1")
    server.expect("GET", "/1", gate=threading.Barrier(3), times=3)
    client = transport(server.host)
    results: list[int] = []
    run_threads(lambda: results.append(client.exchange("GET", "/1", PULL).status), 4)
    assert results == [200] * 4


def test_where_the_first_thread_has_tried_in_vain_the_others_try_at_the_same_time(serve: Serve) -> None:
    server = serve(ordered=False)
    server.expect("GET", "/1", 503, times=2)
    server.expect("GET", "/1", 503, gate=threading.Barrier(3), times=3)
    server.expect("GET", "/1", 503, times=3)
    client = transport(server.host, retries=1)
    results: list[int] = []
    run_threads(lambda: results.append(client.exchange("GET", "/1", PULL).status), 4)
    assert results == [503] * 4


def test_where_the_first_thread_may_not_the_others_ask_at_the_same_time(serve: Serve) -> None:
    # Some registries answer 401 for a repository, to an account that they accept.
    server = serve(ordered=False)
    server.expect("GET", "/1", 401, times=2, headers=ASKS_BASIC).expect("GET", "/v2/")
    server.expect("GET", "/1", 200, gate=threading.Barrier(3), times=3)
    client = transport(server.host, credential=LOGIN)
    results: list[int] = []

    def work() -> None:
        try:
            results.append(client.exchange("GET", "/1", PULL).status)
        except AccessDenied:
            results.append(401)

    run_threads(work, 4)
    assert sorted(results) == [200, 200, 200, 401]


def test_a_password_that_the_token_server_refuses_is_tried_once_whatever_the_scopes(serve: Serve) -> None:
    server = serve(ordered=False)
    gate = threading.Barrier(2)
    server.expect("GET", "/1", 401, headers=asks_bearer(server), gate=gate)
    server.expect("GET", token_target(str(REPOSITORIES[0])), 401)
    client = transport(server.host, credential=LOGIN)
    failures: list[RegistryError] = []
    first = threading.Thread(target=lambda: failures.extend(failures_of_threads(client, REPOSITORIES[0])))
    others = threading.Thread(target=lambda: failures.extend(failures_of_threads(client, *REPOSITORIES[1:])))
    first.start()
    server.wait_for(1)
    others.start()
    gate.wait(10)
    first.join(20)
    others.join(20)
    assert [type(failure) for failure in failures] == [AuthenticationFailed] * 4
    assert {str(failure) for failure in failures} == {str(failures[0])}


@pytest.mark.parametrize("busy", [False, True])
def test_a_password_that_the_registry_refuses_is_tried_by_one_thread_only(serve: Serve, busy: bool) -> None:
    # With the base of the API too, since some registries answer 401 for a single repository.
    server = serve(ordered=False)
    if busy:
        server.expect("GET", "/1", 503)
    server.expect("GET", "/1", 401, headers=ASKS_BASIC).expect("GET", "/1", 401, headers=ASKS_BASIC)
    server.expect("GET", "/v2/", 401, headers=ASKS_BASIC)
    failures = failures_of_threads(transport(server.host, credential=LOGIN), *REPOSITORIES)
    assert [type(failure) for failure in failures] == [AuthenticationFailed] * 4
    assert {str(failure) for failure in failures} == {str(failures[0])}


def test_a_password_that_is_asked_for_late_and_refused_is_tried_by_one_thread_only(serve: Serve) -> None:
    # The first answer needs no login: a public repository.
    server = serve(ordered=False)
    server.expect("GET", "/0")
    client = transport(server.host, credential=LOGIN)
    client.exchange("GET", "/0", PULL)
    server.expect("GET", "/1", 401, headers=ASKS_BASIC, gate=threading.Barrier(4), times=4)
    server.expect("GET", "/1", 401, headers=ASKS_BASIC).expect("GET", "/v2/", 401, headers=ASKS_BASIC)
    failures = failures_of_threads(client, *REPOSITORIES)
    assert [type(failure) for failure in failures] == [AuthenticationFailed] * 4
    assert {str(failure) for failure in failures} == {str(failures[0])}
    assert sum(request.header("Authorization") is not None for request in server.requests) == 2


def test_a_password_that_is_asked_for_late_and_taken_is_used_by_all_at_the_same_time(serve: Serve) -> None:
    server = serve(ordered=False)
    server.expect("GET", "/0")
    client = transport(server.host, credential=LOGIN)
    client.exchange("GET", "/0", PULL)
    server.expect("GET", "/1", 401, headers=ASKS_BASIC, gate=threading.Barrier(4), times=4)
    server.expect("GET", "/1", 200).expect("GET", "/1", 200, gate=threading.Barrier(3), times=3)
    results: list[int] = []
    run_threads(lambda: results.append(client.exchange("GET", "/1", PULL).status), 4)
    assert results == [200] * 4


def test_a_passing_failure_of_the_first_login_does_not_let_the_others_try(serve: Serve) -> None:
    server = serve(ordered=False)
    server.expect("GET", "/1", 401, headers=ASKS_BASIC).expect("GET", "/1", 503)
    server.expect("GET", "/1", 401, headers=ASKS_BASIC).expect("GET", "/v2/", 401, headers=ASKS_BASIC)
    failures = failures_of_threads(transport(server.host, credential=LOGIN), *REPOSITORIES)
    assert [type(failure) for failure in failures] == [AuthenticationFailed] * 4


def test_a_token_server_that_never_answers_is_waited_for_by_one_thread_only(serve: Serve) -> None:
    server = serve(ordered=False)
    server.expect("GET", "/1", 401, headers=asks_bearer(server))
    server.expect("GET", token_target(str(PULL)), hang=True, times=2)
    client = transport(server.host, credential=LOGIN, timeout=0.1, retries=1)
    failures = failures_of_threads(client, *[PULL] * 4)
    assert [type(failure) for failure in failures] == [ConnectionFailed] * 4
    assert {failure.operation for failure in failures} == {f"log in to {server.host}"}
    assert {failure.url for failure in failures} == {f"{server.url}/token"}


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


def run_threads(work: t.Callable[[], t.Any], number: int = 16) -> None:
    threads = [threading.Thread(target=work) for _number in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)


def test_secrets_are_reported_and_shown_nowhere(server: ScriptedServer) -> None:
    server.expect("GET", "/1", 401, headers=asks_bearer(server))
    server.expect("GET", token_target("repository:a/b:pull"), 200, {"token": "token-of-the-test", "expires_in": 300})
    server.expect("GET", "/1", 404, errors("MANIFEST_UNKNOWN"))
    secrets: list[str] = []
    client = transport(server.host, credential=LOGIN, on_secret=secrets.append)
    response = client.exchange("GET", "/1", PULL)
    error = response.error()
    shown = " ".join(
        f"{thing!s} {thing!r}" for thing in (client, client.endpoint, response, error, error.facts(), client.counters)
    )
    assert secrets == [PASSWORD, BASIC[6:], "token-of-the-test"]
    assert "token-of-the-test" not in shown and PASSWORD not in shown and BASIC[6:] not in shown


def test_a_token_with_a_line_break_does_not_reach_the_wire_or_an_error(server: ScriptedServer) -> None:
    with pytest.raises(RegistryError) as caught:
        transport(server.host, credential=Credential(token="tok\r\nX-Evil: 1")).exchange("GET", "/1", PULL)
    assert "Evil" not in str(caught.value)
    with pytest.raises(RegistryError):
        transport(server.host, credential=Credential(token="tok\u20ac")).exchange("GET", "/1", PULL)


# Errors --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "codes", "kind"),
    [
        (403, ["DENIED"], AccessDenied),
        (404, ["MANIFEST_UNKNOWN"], NotFound),
        (404, [], NotFound),
        (404, ["NAME_UNKNOWN"], RepositoryMissing),
        (405, ["UNSUPPORTED"], Unsupported),
        (405, [], Unsupported),
        (429, ["toomanyrequests"], RateLimited),
        (400, ["MANIFEST_INVALID"], UnexpectedAnswer),
        (418, [], UnexpectedAnswer),
        (500, ["UNKNOWN"], UnexpectedAnswer),
    ],
)
def test_an_answer_is_an_error_of_its_kind_with_its_facts(
    server: ScriptedServer, status: int, codes: list[str], kind: type[RegistryError]
) -> None:
    server.expect("GET", "/v2/x?sig=secret", status, errors(*codes, detail={"a": 1}) if codes else b"")
    error = transport(server.host, retries=0).exchange("GET", "/v2/x?sig=secret", NOTHING).error()
    assert error.__class__ is kind
    assert (error.method, error.url, error.status) == ("GET", server.url + "/v2/x", status)
    assert [entry.code for entry in error.errors] == codes
    assert not codes or error.errors[0].detail == '{"a": 1}'
    assert "secret" not in f"{error} {error.facts()}"


def test_control_characters_of_a_registry_do_not_reach_the_screen(server: ScriptedServer) -> None:
    nasty = "a\x1b[31mb\x00c\r\nd\x9be\u202ef\u2028g\ud800h\x7f"
    server.expect("GET", "/1", 400, errors(nasty, message=nasty, detail=nasty))
    server.expect("GET", "/2", 400, nasty.encode("utf-8", "surrogatepass"))
    server.expect("GET", "/3", 400, {"errors": [{"code": "a\x1b\x00b\u202ec"}]})
    client = transport(server.host)
    for target in ("/1", "/2"):
        error = client.exchange("GET", target, NOTHING).error()
        for text in (str(error), error.reason, *(field for entry in error.errors for field in entry)):
            assert not set(text) & set("\x1b\x00\r\n\x9b\u2028\ud800\x7f"), text
            text.encode()
    assert client.exchange("GET", "/3", NOTHING).error().errors == (ErrorDetail("a b c", "", ""),)


def test_huge_error_bodies_are_cut(server: ScriptedServer) -> None:
    server.expect("GET", "/1", 400, b"x" * 10000000)
    server.expect("GET", "/2", 400, {"errors": [{"code": "C" * 600, "message": "m" * 600, "detail": ["d" * 600]}] * 30})
    client = transport(server.host)
    response = client.exchange("GET", "/1", NOTHING)
    assert len(response.body) == 65536
    assert len(str(response.error())) < 500
    error = client.exchange("GET", "/2", NOTHING).error()
    assert len(error.errors) == 30
    assert max(len(field) for entry in error.errors for field in entry) == 500


def test_no_more_than_fifty_errors_are_kept(server: ScriptedServer) -> None:
    server.expect("GET", "/1", 400, {"errors": [{"code": "C"}] * 100})
    assert len(transport(server.host).exchange("GET", "/1", NOTHING).error().errors) == 50


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"null",
        b"[]",
        b'{"errors":null}',
        b'{"errors":{}}',
        b'{"errors":"x"}',
        b'{"errors":[1,null,"x",[]]}',
        b'{"errors":[{}]}',
        b'{"errors":[{"code":{"a":[1]},"message":null,"detail":false}]}',
        b'{"details":"x"}',
        b"404 page not found\n",
        b"\xff\xfe\x00",
        b"[" * 65000,
        b'{"errors":[{"code":"A","detail":' + b"[" * 30000 + b"]" * 30000 + b"}]}",
        b'{"errors":[{"code":"A","detail":' + b"9" * 20000 + b"}]}",
    ],
    ids=lambda body: repr(body[:40]),
)
def test_error_bodies_of_any_shape_are_an_error_without_traceback(server: ScriptedServer, body: bytes) -> None:
    server.expect("GET", "/1", 400, body)
    error = transport(server.host).exchange("GET", "/1", NOTHING).error()
    assert isinstance(error, UnexpectedAnswer)
    assert str(error).endswith(".")


def test_what_the_registry_itself_tells_is_noted_and_not_what_others_do(serve: Serve) -> None:
    own, other = serve(), serve()
    other.expect("GET", "/blob", headers={"Warning": '299 - "Of the storage"'})
    told = [("Warning", '299 - "Ends soon"'), ("Warning", '299 - "Pay", 199 - "No"')]
    own.expect("GET", "/1", 307, headers=[*told, ("Location", f"{other.url}/blob")])
    notices = Notices()
    client = Transport(Endpoint(own.host, plain_http=True), Counters(), notices=notices)
    assert client.exchange("GET", "/1", NOTHING).status == 200
    assert notices.sentence() == f'The registry {own.host} says: "Ends soon"; "Pay"'


@pytest.mark.parametrize("headers", [[("X", "x" * 100000)], [(f"X-{number}", "x") for number in range(1000)]])
def test_huge_headers_are_an_error_without_traceback(server: ScriptedServer, headers: list[tuple[str, str]]) -> None:
    server.expect("GET", "/1", 200, headers=headers)
    with pytest.raises(ConnectionFailed):
        transport(server.host, retries=0).exchange("GET", "/1", NOTHING)


@pytest.mark.parametrize("length", ["-5", "x", "\u00b2", "9" * 5000, "5, 6"])
def test_a_malformed_content_length_is_no_traceback(server: ScriptedServer, length: str) -> None:
    server.expect("GET", "/1", 200, b"abc", length=length, cut=True)
    try:
        assert transport(server.host, retries=0).exchange("GET", "/1", NOTHING).body in (b"abc", b"")
    except RegistryError:
        pass


def test_docker_hub_is_asked_at_its_own_host() -> None:
    for name in ("docker.io", "index.docker.io", "registry-1.docker.io"):
        assert Transport(Endpoint(name), Counters()).base == "https://registry-1.docker.io"


def test_a_registry_that_stays_silent_is_given_up(server: ScriptedServer) -> None:
    client = transport(server.host, retries=0, jobs=1)
    server.expect("GET", "/v2/x", 200, b"{}")
    client.exchange("GET", "/v2/x", NOTHING)
    server.expect("GET", "/v2/x", 503, b"", times=8)
    for _attempt in range(8):
        assert client.exchange("GET", "/v2/x", NOTHING).status == 503
    with pytest.raises(UnexpectedAnswer, match="answer 503"):
        client.exchange("GET", "/v2/x", NOTHING)


@pytest.mark.parametrize("status", [500, 0])
def test_a_registry_is_not_given_up_for_what_is_tried_once(server: ScriptedServer, status: int) -> None:
    client = transport(server.host, retries=0, jobs=1)
    server.expect("GET", "/v2/x", 200, b"{}")
    client.exchange("GET", "/v2/x", NOTHING)
    server.expect("POST", "/v2/mount", status, times=9)
    for _mount in range(9):
        if status:
            assert client.exchange("POST", "/v2/mount", NOTHING, body=b"", repeat=False).status == status
        else:
            with pytest.raises(ConnectionFailed):
                client.exchange("POST", "/v2/mount", NOTHING, body=b"", repeat=False)
    server.expect("GET", "/v2/x", 200, b"{}")
    assert client.exchange("GET", "/v2/x", NOTHING).status == 200


def test_a_registry_that_answers_in_between_is_not_given_up(server: ScriptedServer) -> None:
    client = transport(server.host, retries=0, jobs=1)
    for _round in range(3):
        server.expect("GET", "/v2/x", 503, b"", times=7)
        server.expect("GET", "/v2/x", 200, b"{}")
        assert [client.exchange("GET", "/v2/x", NOTHING).status for _attempt in range(8)] == [503] * 7 + [200]


# Limits --------------------------------------------------------------------------------------------------------------


def test_no_more_than_jobs_requests_are_under_way_however_many_threads_ask(serve: Serve) -> None:
    server = serve(ordered=False)
    server.expect("GET", "/v2/", 200)
    client = transport(server.host, jobs=2)
    client.exchange("GET", "/v2/", NOTHING)
    lock, running, most = threading.Lock(), [0], [0]
    channel = client._connections._own
    send = channel.send_directly

    def counted(*arguments: t.Any, **options: t.Any) -> t.Any:
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        try:
            return send(*arguments, **options)
        finally:
            with lock:
                running[0] -= 1

    channel.send_directly = counted
    server.expect("GET", "/v2/x", 200, times=30)
    threads = [threading.Thread(target=client.exchange, args=("GET", "/v2/x", NOTHING)) for _number in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 0 < most[0] <= 2


def test_requests_begin_at_the_pace_that_is_asked_for(server: ScriptedServer) -> None:
    server.expect("GET", "/v2/", 200, times=4)
    naps = Naps()
    client = transport(server.host, naps, requests_per_second=0.001)
    for _number in range(4):
        client.exchange("GET", "/v2/", NOTHING)
    # Nobody really waits here, so each request is told to wait for all those before it.
    assert [round(nap / 1000) for nap in naps.seconds if nap] == [1, 2, 3]


@pytest.mark.parametrize("path", ["//v2/a/blobs/uploads/1?state=x%3D", "/v2/a//b", "/?x"])
def test_paths_are_asked_for_as_they_are(server: ScriptedServer, path: str) -> None:
    server.expect("GET", path, 200)
    client = transport(server.host)
    assert client.exchange("GET", client.base + path, NOTHING).status == 200


def test_both_ends_of_a_task_keep_one_pace_where_they_are_one_registry(server: ScriptedServer) -> None:
    server.expect("GET", "/v2/", 200, times=2)
    naps, limits = Naps(), Limits(0.001)
    endpoint = transport(server.host).endpoint
    for _end in range(2):
        Transport(endpoint, Counters(), limits=limits, sleep=naps).exchange("GET", "/v2/", NOTHING)
    assert [round(nap / 1000) for nap in naps.seconds if nap] == [1]


def test_a_body_is_sent_in_pieces_that_a_slow_connection_takes_in_time() -> None:
    body = Body(iter([b"x" * 600 * 1024, b"y" * 10]), 600 * 1024 + 10)
    pieces = list(body)
    assert [len(piece) for piece in pieces] == [256 * 1024, 256 * 1024, 88 * 1024, 10]
    assert b"".join(pieces) == b"x" * 600 * 1024 + b"y" * 10


@pytest.mark.parametrize("status", [429, 503])
def test_a_token_server_that_is_down_is_given_up(server: ScriptedServer, status: int) -> None:
    server.expect("GET", "/1", 401, headers=asks_bearer(server))
    server.expect("GET", token_target("repository:a/b:pull"), status, times=8)
    client = transport(server.host, credential=LOGIN, retries=0, jobs=1)
    for number in range(12):
        with pytest.raises(RegistryError) as caught:
            client.exchange("GET", "/1", PULL)
        assert (caught.value.operation == "") == (number < 8)
