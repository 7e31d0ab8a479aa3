# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""TLS, client certificates, proxies, and what of the environment counts, on real sockets."""

from __future__ import annotations

import pathlib
import shutil
import socket
import typing as t

import pytest
import requests
from ansible_collections.imageops.registry.plugins.module_utils._credentials._credential import ANONYMOUS, Credential
from ansible_collections.imageops.registry.plugins.module_utils._credentials._secrets import Secrets
from ansible_collections.imageops.registry.plugins.module_utils._http._scopes import NOTHING
from ansible_collections.imageops.registry.plugins.module_utils._model._errors import (
    AuthenticationFailed,
    ConnectionFailed,
    LocalFileError,
    RegistryError,
    TLSFailed,
)
from ansible_collections.imageops.registry.tests.unit.support.certificates import Certificates
from ansible_collections.imageops.registry.tests.unit.support.documents import LOGIN, PASSWORD, Naps, transport
from ansible_collections.imageops.registry.tests.unit.support.exchanges import (
    ASKS_BASIC,
    BASIC,
    Serve,
    over_tls,
)
from ansible_collections.imageops.registry.tests.unit.support.scripted_server import ScriptedServer


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
    client = transport("r.example", plain_http=False, secrets=Secrets(secrets.append))
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
        with pytest.raises(ConnectionFailed, match=f"the proxy 127.0.0.1:{port} cannot be reached.*HTTP_PROXY"):
            transport("r.example", retries=0).exchange("GET", "/v2/", NOTHING)


BUNDLES = ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"]


def test_an_untrusted_certificate_is_refused_at_once_and_ca_path_named(secure: ScriptedServer) -> None:
    naps = Naps()
    with pytest.raises(TLSFailed, match="is not trusted.*ca_path"):
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
    with pytest.raises(TLSFailed, match="is not trusted"):
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
        ("The SSL certificate error", "does not accept the client certificate .*Check the certificate in client_cert"),
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
    with pytest.raises(LocalFileError, match=f"{option}: .*absent cannot be read"):
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
    with pytest.raises(TLSFailed, match="is not trusted"):
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
