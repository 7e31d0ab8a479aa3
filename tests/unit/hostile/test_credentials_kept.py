# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every way by which a registry can lead a client elsewhere: no credential goes along, and what is allowed works."""

from __future__ import annotations

import socket
import typing as t

import pytest
from ansible_collections.imageops.registry.plugins.module_utils._credentials._credential import ANONYMOUS, Credential
from ansible_collections.imageops.registry.plugins.module_utils._credentials._credentials import (
    credentials_from_options,
)
from ansible_collections.imageops.registry.plugins.module_utils._end._body import Body
from ansible_collections.imageops.registry.plugins.module_utils._http._auth import Authenticator
from ansible_collections.imageops.registry.plugins.module_utils._http._challenges import parse_challenges
from ansible_collections.imageops.registry.plugins.module_utils._http._requests import requests
from ansible_collections.imageops.registry.plugins.module_utils._http._scopes import Scopes
from ansible_collections.imageops.registry.plugins.module_utils._http._token_server import Answer as TokenAnswer
from ansible_collections.imageops.registry.plugins.module_utils._model._errors import (
    InvalidInput,
    ProtocolViolation,
    RegistryError,
)
from ansible_collections.imageops.registry.plugins.module_utils._model._manifest import Manifest
from ansible_collections.imageops.registry.plugins.module_utils._model._reference import check_registry
from ansible_collections.imageops.registry.plugins.module_utils._registry._registry import Registry
from ansible_collections.imageops.registry.tests.unit.support.certificates import Certificates
from ansible_collections.imageops.registry.tests.unit.support.documents import (
    CONFIG,
    DIGEST,
    LAYER,
    descriptor,
    encoded,
    image,
    transport,
)
from ansible_collections.imageops.registry.tests.unit.support.hostile_server import (
    COOKIE,
    IDENTITY_TOKEN,
    PASSWORD,
    TOKEN,
    USER,
    Answer,
    HostileServer,
    answer,
    redirect_to,
)
from ansible_collections.imageops.registry.tests.unit.support.promotions import image_item, promoted

Hostile = t.Callable[..., HostileServer]
Call = t.Callable[[Registry], object]
MANIFEST = Manifest.parse(encoded(image()))
REDIRECTS = (301, 302, 303, 307, 308)

LOGINS = {
    "basic": ("basic", Credential(USER, PASSWORD)),
    "bearer": ("bearer", Credential(USER, PASSWORD)),
    "token option": ("bearer", Credential(token=TOKEN)),
    "identity token": ("bearer", Credential(identity_token=IDENTITY_TOKEN)),
}

READS: dict[str, tuple[str, str, Call]] = {
    "blob GET": ("GET", ".*/blobs/.*", lambda client: b"".join(client.get_blob("a/b", DIGEST)[0])),
    "blob GET, continued": ("GET", ".*/blobs/.*", lambda client: b"".join(client.get_blob("a/b", DIGEST, 5)[0])),
    "blob HEAD": ("HEAD", ".*/blobs/.*", lambda client: client.head_blob("a/b", DIGEST)),
    "manifest GET": ("GET", ".*/manifests/.*", lambda client: client.get_manifest("a/b", "1")),
    "manifest HEAD": ("HEAD", ".*/manifests/.*", lambda client: client.head_manifest("a/b", "1")),
    "tags": ("GET", ".*/tags/list", lambda client: client.list_tags("a/b")),
    "referrers": ("GET", ".*/referrers/.*", lambda client: client.list_referrers("a/b", DIGEST)),
    "catalog": ("GET", ".*/_catalog", lambda client: client.list_repositories()),
}


def streamed(client: Registry) -> None:
    client.put_upload(client.start_upload("a/b"), DIGEST, Body(iter([LAYER]), len(LAYER)))


WRITES: dict[str, tuple[str, str, Call]] = {
    "upload POST": ("POST", ".*/uploads/", lambda client: client.start_upload("a/b")),
    "mount": ("POST", ".*/uploads/", lambda client: client.mount_blob("a/b", DIGEST, "c/d")),
    "upload PUT": ("PUT", "/uploads/.*", lambda client: client.put_upload(client.start_upload("a/b"), DIGEST, LAYER)),
    "upload PUT, streamed": ("PUT", "/uploads/.*", streamed),
    "upload PATCH": ("PATCH", "/uploads/.*", lambda client: client.patch_upload(client.start_upload("a/b"), LAYER)),
    "upload GET": ("GET", "/uploads/.*", lambda client: client.get_upload(client.start_upload("a/b"))),
    "upload DELETE": ("DELETE", "/uploads/.*", lambda client: client.cancel_upload(client.start_upload("a/b"))),
    "manifest PUT": ("PUT", ".*/manifests/.*", lambda client: client.put_manifest("a/b", "2", MANIFEST)),
    "manifest DELETE": ("DELETE", ".*/manifests/.*", lambda client: client.delete_manifest("a/b", "1")),
    "blob DELETE": ("DELETE", ".*/blobs/.*", lambda client: client.delete_blob("a/b", DIGEST)),
}


def registry(server: HostileServer, credential: Credential = ANONYMOUS, **options: t.Any) -> Registry:
    options.setdefault("retries", 0)
    return Registry(transport(server.host, credential=credential, **options), writing=True)


def filled(server: HostileServer) -> HostileServer:
    """With an image ``1`` in it, and its blobs."""
    server.blobs.update({DIGEST: LAYER, descriptor(CONFIG)["digest"]: CONFIG})
    server.add(image(), "1")
    return server


def attempt(call: Call, client: Registry) -> RegistryError | None:
    """Whether it works is for another test."""
    try:
        call(client)
    except RegistryError as error:
        return error
    return None


def assert_at_home_only(home: HostileServer, *others: HostileServer, home_name: str = "") -> None:
    """Of all the requests that gave something away, each went to the registry itself, under its own name."""
    own = home_name or home.host
    away = [seen for server in (home, *others) for seen in server.seen if seen.host != own or server is not home]
    assert not [f"{seen.method} {seen.host}{seen.target}: {seen.secrets}" for seen in away if seen.secrets]
    assert home.leaks, "the registry itself got no credential either, so this test shows nothing"


# Redirects -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("elsewhere", ["another port", "another name of the same socket"])
@pytest.mark.parametrize("login", ["basic", "bearer"])
@pytest.mark.parametrize("way", [*READS, *WRITES])
def test_no_credential_goes_along_a_redirect_to_another_origin(
    hostile: Hostile, way: str, login: str, elsewhere: str
) -> None:
    scheme, credential = LOGINS[login]
    method, path, call = {**READS, **WRITES}[way]
    home, storage = filled(hostile(login=scheme)), filled(hostile())
    place = storage.url if elsewhere == "another port" else home.url_as("localhost")
    statuses = iter(REDIRECTS)
    home.on(method, path, lambda seen: redirect_to(place, next(statuses))(seen) if seen.host == home.host else None)
    client = registry(home, credential)
    for _status in REDIRECTS:
        attempt(call, client)
    assert next(statuses, None) is None, "not every redirect was met"
    assert_at_home_only(home, storage)
    assert method in ("GET", "HEAD") or not storage.seen, "a write must not be sent to another origin"


@pytest.mark.parametrize("way", READS)
@pytest.mark.parametrize("status", REDIRECTS)
def test_what_is_read_still_comes_from_a_storage_behind_the_registry(hostile: Hostile, way: str, status: int) -> None:
    home, storage = filled(hostile(login="bearer")), filled(hostile())
    method, path, call = READS[way]
    expected = call(registry(filled(hostile())))
    home.on(method, path, redirect_to(storage.url, status))
    found = call(registry(home, Credential(USER, PASSWORD)))
    assert str(found) == str(expected) or isinstance(found, Manifest)
    assert len(storage.seen) == 1
    assert_at_home_only(home, storage)


def test_a_storage_that_asks_for_a_login_gets_none(hostile: Hostile) -> None:
    for scheme in ("basic", "bearer"):
        home, storage = filled(hostile(login="basic")), filled(hostile(login=scheme))
        home.on("GET", ".*/blobs/.*", redirect_to(storage.url))
        client = registry(home, Credential(USER, PASSWORD))
        client.list_tags("a/b")
        error = attempt(READS["blob GET"][2], client)
        assert error is not None and storage.requests == [f"GET /v2/a/b/blobs/{DIGEST}"]
        assert_at_home_only(home, storage)


def test_a_credential_that_was_dropped_on_the_way_does_not_come_back(hostile: Hostile) -> None:
    home, first, second = filled(hostile(login="basic")), hostile(), filled(hostile())
    home.on("GET", ".*/blobs/.*", redirect_to(first.url))
    first.on("GET", ".*", redirect_to(second.url))
    assert READS["blob GET"][2](registry(home, Credential(USER, PASSWORD))) == LAYER
    assert_at_home_only(home, first, second)


@pytest.mark.parametrize("credential", [Credential(USER, PASSWORD), Credential(identity_token=IDENTITY_TOKEN)])
def test_a_token_server_cannot_send_the_secret_on(hostile: Hostile, credential: Credential) -> None:
    for status in REDIRECTS:
        home, elsewhere = filled(hostile(login="bearer")), hostile()
        home.on("GET|POST", "/token", redirect_to(elsewhere.url, status))
        assert attempt(READS["tags"][2], registry(home, credential)) is not None
        assert not elsewhere.seen


# The place for uploads -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("elsewhere", ["another port", "another name of the same socket"])
@pytest.mark.parametrize("login", LOGINS)
@pytest.mark.parametrize("start", ["POST", "PATCH", "GET", "mount"])
def test_a_location_on_another_origin_gets_the_blob_and_no_credential(
    hostile: Hostile, login: str, start: str, elsewhere: str
) -> None:
    scheme, credential = LOGINS[login]
    home, storage = hostile(login=scheme), hostile()
    place = storage.url if elsewhere == "another port" else home.url_as("localhost")
    location = {"Location": place + "/uploads/elsewhere?sig=a%2Fb"}
    if start in ("PATCH", "GET"):
        home.on(start, "/uploads/[0-9]+", answer(202 if start == "PATCH" else 204, **location))
    else:
        home.on("POST", ".*/uploads/", answer(202, **location))
    client = registry(home, credential)
    session = client.mount_blob("a/b", DIGEST, "c/d") if start == "mount" else client.start_upload("a/b")
    assert session is not None
    if start == "PATCH":
        session = client.patch_upload(session, LAYER)
    if start == "GET":
        session = client.get_upload(session)
    client.put_upload(session, DIGEST, LAYER)
    arrived = storage if elsewhere == "another port" else home
    assert arrived.blobs == {DIGEST: LAYER}, "what the specification allows has to work"
    client.get_upload(session)
    client.cancel_upload(session)
    assert_at_home_only(home, storage)


@pytest.mark.parametrize("scheme", ["basic", "bearer"])
def test_a_location_that_asks_for_a_login_gets_none(hostile: Hostile, scheme: str) -> None:
    home, storage = hostile(login=scheme), hostile()
    home.on("POST", ".*/uploads/", answer(202, Location=storage.url + "/uploads/1"))
    challenge = f'Basic realm="x", Bearer realm="{storage.url}/token",service="x"'
    storage.on("PUT", "/uploads/.*", answer(401, WWW_Authenticate=challenge))
    error = attempt(WRITES["upload PUT"][2], registry(home, Credential(USER, PASSWORD)))
    assert error is not None and storage.requests == ["PUT /uploads/1"]
    assert_at_home_only(home, storage)


def test_a_location_cannot_lead_a_write_on_to_a_third_origin(hostile: Hostile) -> None:
    for status in REDIRECTS:
        home, storage, third = hostile(login="basic"), hostile(), hostile()
        home.on("POST", ".*/uploads/", answer(202, Location=storage.url + "/uploads/1"))
        storage.on("PUT", ".*", redirect_to(third.url, status))
        assert attempt(WRITES["upload PUT"][2], registry(home, Credential(USER, PASSWORD))) is not None
        assert not third.seen
        assert_at_home_only(home, storage)


# Token servers -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("credential", [Credential(USER, PASSWORD), Credential(identity_token=IDENTITY_TOKEN)])
@pytest.mark.parametrize("way", [*READS, *WRITES])
def test_a_token_server_on_another_host_is_not_even_asked(hostile: Hostile, way: str, credential: Credential) -> None:
    evil = hostile(name="localhost")
    home = filled(hostile(login="bearer", realm=evil.url + "/token"))
    error = attempt({**READS, **WRITES}[way][2], registry(home, credential))
    assert isinstance(error, ProtocolViolation)
    assert not evil.connections and not home.leaks


@pytest.mark.parametrize("credential", [Credential(USER, PASSWORD), Credential(identity_token=IDENTITY_TOKEN)])
def test_a_token_server_on_the_same_host_or_one_that_the_user_names_works(
    hostile: Hostile, names_below_test: None, credential: Credential
) -> None:
    own = hostile()
    home = filled(hostile(login="bearer", realm=own.url + "/token"))
    assert registry(home, credential).list_tags("a/b") == ["1"]
    assert own.leaks
    named = hostile(name="tokens.test")
    home = filled(hostile(login="bearer", realm=named.url + "/token"))
    assert registry(home, credential, trusted_realm_hosts=("tokens.test",)).list_tags("a/b") == ["1"]
    assert named.leaks


def test_a_token_server_elsewhere_serves_who_has_no_secret(hostile: Hostile, names_below_test: None) -> None:
    elsewhere = hostile(name="tokens.test")
    home = filled(hostile(login="bearer", realm=elsewhere.url + "/token"))
    assert registry(home).list_tags("a/b") == ["1"]
    assert not elsewhere.leaks


@pytest.mark.parametrize(
    "name", ["{host}@{evil}", "{host}.{evil}", "{evil}#@{host}", "{evil}\\@{host}", "{evil}?@{host}"]
)
def test_a_realm_that_only_looks_like_the_registrys_is_refused(hostile: Hostile, name: str) -> None:
    evil = hostile(name="localhost")
    home = filled(hostile(login="bearer"))
    home.realm = f"http://{name.format(host='127.0.0.1', evil=evil.host)}/token"
    assert attempt(READS["tags"][2], registry(home, Credential(USER, PASSWORD))) is not None
    assert not evil.seen and not home.leaks


def test_a_realm_that_changes_meanwhile_gets_nothing() -> None:
    """Another thread may learn a new realm between the look at the old one and the request."""
    asked: list[str] = []

    def fetch(url: str, headers: t.Mapping[str, str], body: bytes | None) -> TokenAnswer:
        asked.append(url)
        return TokenAnswer(200, b'{"token": "x"}')

    credential = Credential(USER, PASSWORD)
    authenticator = Authenticator("registry.test", True, fetch)

    def learn(host: str) -> None:
        authenticator.learn(parse_challenges([f'Bearer realm="https://{host}/token",service="x"']), credential)

    class Meanwhile(Scopes):
        def __iter__(self) -> t.Iterator[str]:
            learn("evil.test")
            return super().__iter__()

    learn("registry.test")
    authenticator.header(credential, Meanwhile({"repository:a/b": ("pull",)}))
    assert [url.partition("?")[0] for url in asked] == ["https://registry.test/token"]


# Pages ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("elsewhere", ["another port", "another name of the same socket"])
@pytest.mark.parametrize("login", LOGINS)
@pytest.mark.parametrize("way", ["tags", "referrers", "catalog"])
def test_a_next_page_elsewhere_is_refused(hostile: Hostile, way: str, login: str, elsewhere: str) -> None:
    scheme, credential = LOGINS[login]
    home, evil = filled(hostile(login=scheme)), filled(hostile())
    place = evil.url if elsewhere == "another port" else home.url_as("localhost")
    method, path, call = READS[way]
    home.always = (("Link", f'<{place}/v2/a/b/tags/list?last=1>; rel="next"'),)
    assert isinstance(attempt(call, registry(home, credential)), ProtocolViolation)
    assert not evil.connections
    assert_at_home_only(home, evil)
    home.always = (("Link", '</v2/_catalog?last=1>; rel="next"'),)
    home.on("GET", "/v2/_catalog", lambda seen: None)
    if way == "catalog":
        assert call(registry(home, credential)) == ["a/b"], "the registry's own next page has to work"


# Layers with URLs ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "media_type",
    ["application/vnd.oci.image.layer.v1.tar", "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"],
)
def test_the_urls_of_layers_are_never_asked(hostile: Hostile, media_type: str) -> None:
    source, destination, evil = hostile(login="basic"), hostile(login="bearer"), hostile(login="basic")
    config = descriptor(CONFIG, "application/vnd.oci.image.config.v1+json", urls=[evil.url + "/config"])
    layer = descriptor(LAYER, media_type, urls=[evil.url + "/layer"])
    filled(source).manifests.clear()
    source.add(image(config=config, layers=[layer]), "1")
    ends = [registry(server, Credential(USER, PASSWORD)) for server in (source, destination)]
    item = image_item("a/b", tag="1", tags=("1",))
    result = promoted(*ends, item)
    assert result["changed"] and destination.manifests["1"] == source.manifests["1"]
    # Neither those of the source, nor where the source hasn't got the layer.
    source.blobs.clear()
    destination.blobs.clear()
    destination.manifests.clear()
    promoted(*ends, item)
    assert not evil.connections


# From TLS to plain HTTP ----------------------------------------------------------------------------------------------


def over_tls(server: HostileServer, certificates: Certificates, credential: Credential, **options: t.Any) -> Registry:
    options.setdefault("ca_path", certificates.good_ca)
    return registry(server, credential, plain_http=False, **options)


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1"])
@pytest.mark.parametrize("way", [*READS, *WRITES])
def test_a_redirect_from_tls_to_plain_http_is_not_followed(
    hostile: Hostile, certificates: Certificates, way: str, name: str
) -> None:
    method, path, call = {**READS, **WRITES}[way]
    home = filled(hostile(name="localhost", tls=certificates.server_context(), login="basic"))
    plain = filled(hostile(name=name))
    statuses = iter(REDIRECTS)

    def redirect(seen: t.Any) -> t.Any:
        return redirect_to(plain.url, next(statuses))(seen)

    home.on(method, path, redirect)
    client = over_tls(home, certificates, Credential(USER, PASSWORD))
    for _status in REDIRECTS:
        attempt(call, client)
    assert next(statuses, None) is None, "not every redirect was met"
    assert not plain.connections and home.leaks


@pytest.mark.parametrize("login", ["password", "identity token", "anonymous"])
def test_a_realm_without_tls_is_not_asked(hostile: Hostile, certificates: Certificates, login: str) -> None:
    credential = LOGINS["identity token"][1] if login == "identity token" else Credential(USER, PASSWORD)
    credential = ANONYMOUS if login == "anonymous" else credential
    plain = hostile(name="localhost")
    home = filled(
        hostile(name="localhost", tls=certificates.server_context(), login="bearer", realm=plain.url + "/token")
    )
    client = over_tls(home, certificates, credential, trusted_realm_hosts=("localhost",))
    assert isinstance(attempt(READS["tags"][2], client), ProtocolViolation)
    assert not plain.connections and not home.leaks


@pytest.mark.parametrize("start", ["POST", "PATCH"])
def test_a_location_without_tls_is_asked_with_tls_or_not_at_all(
    hostile: Hostile, certificates: Certificates, start: str
) -> None:
    home = hostile(name="localhost", tls=certificates.server_context(), login="basic")
    plain, plain_elsewhere = hostile(name="localhost"), hostile()
    way = ("POST", ".*/uploads/") if start == "POST" else ("PATCH", "/uploads/[0-9]+")
    client = over_tls(home, certificates, Credential(USER, PASSWORD))

    def upload() -> None:
        session = client.start_upload("a/b")
        session = client.patch_upload(session, LAYER) if start == "PATCH" else session
        client.put_upload(session, DIGEST, LAYER)

    # What a proxy that ends TLS does to it.
    home.on(*way, answer(202, Location=plain.url + "/uploads/x?_state=y"))
    upload()
    assert home.blobs == {DIGEST: LAYER}
    elsewhere = hostile(name="localhost", tls=certificates.server_context(), login="basic")
    client = over_tls(elsewhere, certificates, Credential(USER, PASSWORD))
    elsewhere.on(*way, answer(202, Location=plain_elsewhere.url + "/uploads/x"))
    with pytest.raises(ProtocolViolation, match="without TLS"):
        upload()
    assert not plain.connections and not plain_elsewhere.connections


def test_a_next_page_without_tls_is_asked_with_tls_or_not_at_all(hostile: Hostile, certificates: Certificates) -> None:
    home = filled(hostile(name="localhost", tls=certificates.server_context(), login="basic"))
    plain, elsewhere = hostile(name="localhost"), hostile()
    client = over_tls(home, certificates, Credential(USER, PASSWORD))
    home.always = (("Link", f'<{plain.url}/v2/a/b/tags/list?last=1>; rel="next"'),)
    assert client.list_tags("a/b") == ["1"]
    assert [seen.target for seen in home.seen][-1].endswith("?last=1")
    home.always = (("Link", f'<{elsewhere.url}/v2/a/b/tags/list?last=1>; rel="next"'),)
    with pytest.raises(ProtocolViolation):
        client.list_tags("a/b")
    assert not plain.connections and not elsewhere.connections


# Client certificates -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("by", ["redirect", "Location", "realm"])
@pytest.mark.parametrize("elsewhere", ["another port", "another host"])
@pytest.mark.parametrize("trust", ["ca_path", "anyway"])
def test_a_client_certificate_is_offered_to_its_registry_only(
    hostile: Hostile, certificates: Certificates, monkeypatch: pytest.MonkeyPatch, by: str, elsewhere: str, trust: str
) -> None:
    name = "localhost" if elsewhere == "another port" else "127.0.0.1"
    other = filled(hostile(name=name, tls=certificates.curious_context()))
    home = filled(
        hostile(name="localhost", tls=certificates.curious_context(), login="bearer", realm=other.url + "/token")
    )
    if by != "realm":
        home.realm = home.url + "/token"
    home.on(
        "POST", ".*/uploads/", answer(202, Location=other.url + "/uploads/1") if by == "Location" else lambda seen: None
    )
    home.on("GET", ".*/blobs/.*", redirect_to(other.url) if by == "redirect" else lambda seen: None)
    options: dict[str, t.Any] = {"client_cert": certificates.client_certificate, "client_key": certificates.client_key}
    options["trusted_realm_hosts"] = (name,)
    if trust == "anyway":
        monkeypatch.setattr(requests.certs, "where", lambda: certificates.good_ca)
        options["ca_path"] = ""
    client = over_tls(home, certificates, Credential(USER, PASSWORD), **options)
    assert READS["blob GET"][2](client) == LAYER
    client.put_upload(client.start_upload("a/b"), DIGEST, LAYER)
    assert all(seen.certificate for seen in home.seen if seen.target.startswith("/v2/"))
    assert other.seen and not any(seen.certificate for seen in other.seen)


# Local addresses -----------------------------------------------------------------------------------------------------

LOCAL = ["127.0.0.1", "localhost", "127.1", "0x7f000001", "0.0.0.0", "[::1]", "[::ffff:127.0.0.1]", "169.254.169.254"]
LOCAL += ["[64:ff9b::a9fe:a9fe]", "[fe80::1]", "[fd00:ec2::254]", "100.100.100.200", "168.63.129.16", "metadata.test"]


@pytest.fixture
def public_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    """``registry.test`` has a public address, as far as one who asks for it is told; ``metadata.test`` has a local one.

    Connections end at this machine, whatever their address.
    """
    real_lookup, real_connect = socket.getaddrinfo, socket.socket.connect
    addresses = {"registry.test": "192.0.2.1", "storage.test": "192.0.2.2", "metadata.test": "169.254.169.254"}

    def lookup(host: t.Any, *arguments: t.Any, **options: t.Any) -> t.Any:
        return real_lookup(addresses.get(host, host), *arguments, **options)

    def connect(self: socket.socket, address: t.Any) -> None:
        here = "::1" if self.family == socket.AF_INET6 else "127.0.0.1"
        real_connect(self, (here, address[1]))

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    monkeypatch.setattr(socket.socket, "connect", connect)


@pytest.mark.parametrize("by", ["redirect", "Location", "realm"])
@pytest.mark.parametrize("host", LOCAL)
def test_a_public_registry_cannot_lead_to_a_local_address(
    hostile: Hostile, public_registry: None, host: str, by: str
) -> None:
    local = hostile()
    home = filled(hostile(name="registry.test"))
    place = f"http://{host}:{local.port}"
    if by == "redirect":
        home.on("GET", ".*/blobs/.*", redirect_to(place))
        call = READS["blob GET"][2]
    elif by == "Location":
        home.on("POST", ".*/uploads/", answer(202, Location=place + "/uploads/1"))
        call = WRITES["upload PUT"][2]
    else:
        home.login, home.realm = "bearer", place + "/token"
        call = READS["tags"][2]
    with pytest.raises(ProtocolViolation, match="local address"):
        call(registry(home))
    assert not local.connections


def test_a_public_registry_can_lead_to_another_public_host(hostile: Hostile, public_registry: None) -> None:
    storage = filled(hostile(name="storage.test"))
    home = filled(hostile(name="registry.test"))
    home.on("GET", ".*/blobs/.*", redirect_to(storage.url))
    assert READS["blob GET"][2](registry(home)) == LAYER
    assert storage.seen


# What is left --------------------------------------------------------------------------------------------------------


def test_cookies_are_never_sent_anywhere(hostile: Hostile) -> None:
    home, storage = filled(hostile(login="bearer")), filled(hostile())
    storage.always = (("Set-Cookie", f"s={COOKIE}"),)
    home.always = (("Set-Cookie", f"s={COOKIE}; Domain=127.0.0.1; Path=/"),)
    home.on("GET", ".*/blobs/.*", redirect_to(storage.url))
    client = registry(home, Credential(USER, PASSWORD))
    for _time in range(2):
        READS["blob GET"][2](client)
        client.put_upload(client.start_upload("a/b"), DIGEST, LAYER)
        READS["tags"][2](client)
    assert not [seen for seen in (*home.seen, *storage.seen) if "cookie" in dict(seen.headers)]


@pytest.mark.parametrize("by", ["redirect", "Location", "Link", "realm"])
def test_a_url_with_a_login_in_it_is_refused(hostile: Hostile, by: str) -> None:
    home, evil = filled(hostile(login="basic")), filled(hostile())
    place = f"http://user:word@{evil.host}"
    home.on("GET", ".*/blobs/.*", redirect_to(place))
    home.on("POST", ".*/uploads/", answer(202, Location=place + "/uploads/1"))
    home.on("GET", ".*/tags/list", answer(200, {"tags": []}, Link=f'<{place}/x>; rel="next"'))
    if by == "realm":
        home.login, home.realm = "bearer", f"http://user:word@127.0.0.1:{evil.port}/token"
    calls = {"redirect": READS["blob GET"][2], "Location": WRITES["upload PUT"][2], "Link": READS["tags"][2]}
    error = attempt(calls.get(by, READS["tags"][2]), registry(home, Credential(USER, PASSWORD)))
    assert isinstance(error, ProtocolViolation) and "word" not in f"{error} {error.facts()}".replace("password", "")
    assert not evil.connections


@pytest.mark.parametrize(
    "name", ["user:word@r.example", "r.example/../x", "r.example\r\nX: y", "r.example?x", "r\\.example"]
)
def test_a_registry_whose_name_is_no_host_is_refused(name: str) -> None:
    with pytest.raises(InvalidInput):
        check_registry(name)


@pytest.mark.parametrize(
    "location", ["{url}/a\r\n b", "{url}/a b", "{url}\\@elsewhere/", "{url}/a\x7fb", "//{host}\\x"]
)
@pytest.mark.parametrize("by", ["redirect", "Location", "Link"])
def test_a_url_with_line_breaks_or_spaces_in_it_is_refused(hostile: Hostile, by: str, location: str) -> None:
    home, evil = filled(hostile(login="basic")), filled(hostile())
    place = location.format(url=evil.url, host=evil.host)
    home.on("GET", ".*/blobs/.*", lambda seen: Answer(307, (("Location", place),)))
    home.on("POST", ".*/uploads/", lambda seen: Answer(202, (("Location", place),)))
    home.on("GET", ".*/tags/list", answer(200, {"tags": []}, Link=f'<{place}>; rel="next"'))
    calls = {"redirect": READS["blob GET"][2], "Location": WRITES["upload PUT"][2], "Link": READS["tags"][2]}
    assert isinstance(attempt(calls[by], registry(home, Credential(USER, PASSWORD))), ProtocolViolation)
    assert not evil.connections


@pytest.mark.parametrize("name", ["a/b\r\nX: y", "a/../b", "a/b?x=", "a/b#", "a/%2e%2e/b", "/a", "a//b", "A/b", "a/b/"])
def test_a_repository_that_is_no_name_reaches_no_request(hostile: Hostile, name: str) -> None:
    home = hostile()
    client = registry(home)
    for call in (
        lambda: client.list_tags(name),
        lambda: client.head_blob(name, DIGEST),
        lambda: client.get_manifest(name, "1"),
        lambda: client.start_upload(name),
        lambda: client.mount_blob("a/b", DIGEST, name),
        lambda: client.list_referrers(name, DIGEST),
        lambda: client.put_manifest(name, "1", MANIFEST),
    ):
        with pytest.raises(InvalidInput):
            call()
    assert not home.connections


@pytest.mark.parametrize(
    "text", ["1\r\nX: y", "../1", "1/2", "1?x", "1#", ".1", "1\n", "%2e", "sha256:../x", "sha256:" + "a" * 63]
)
def test_a_reference_that_is_none_reaches_no_request(hostile: Hostile, text: str) -> None:
    home = hostile()
    client = registry(home)
    for call in (
        lambda: client.head_blob("a/b", text),
        lambda: client.get_blob("a/b", text),
        lambda: client.get_manifest("a/b", text),
        lambda: client.put_manifest("a/b", text, MANIFEST),
        lambda: client.delete_manifest("a/b", text),
        lambda: client.list_referrers("a/b", text),
        lambda: client.mount_blob("a/b", text, "c/d"),
    ):
        with pytest.raises(InvalidInput):
            call()
    assert not home.connections


@pytest.mark.parametrize("secret", ["a\r\nX-Evil: 1", "a\nb", "a b", "a\x00b", "a\u20acb"])
def test_a_token_that_would_be_another_header_reaches_no_request(hostile: Hostile, secret: str) -> None:
    with pytest.raises(RegistryError) as caught:
        credentials_from_options(
            "r.example",
            username=None,
            password=None,
            token=secret,
            auth_file=None,
            search=False,
            on_secret=lambda text: None,
        )
    assert secret not in f"{caught.value} {caught.value!r}"
    # One that the token server gives.
    home = hostile(login="bearer")
    home.on("GET", "/token", answer(200, {"token": secret}))
    with pytest.raises(ProtocolViolation, match="no valid token"):
        registry(home, Credential(USER, PASSWORD)).list_tags("a/b")


def test_a_user_and_a_password_with_line_breaks_are_one_header(hostile: Hostile) -> None:
    home = hostile()
    home.on("GET", "/v2/.*", answer(401, WWW_Authenticate='Basic realm="x"'))
    attempt(READS["tags"][2], registry(home, Credential("ci\r\nX-Evil: 1", "a\r\nX-Evil: 1")))
    assert len(home.seen) >= 2
    assert not [seen for seen in home.seen if "x-evil" in dict(seen.headers) or b"Evil" in seen.body]
