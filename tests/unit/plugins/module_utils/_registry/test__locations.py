# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.imageops.registry.plugins.module_utils._end._upload_session import UploadSession
from ansible_collections.imageops.registry.plugins.module_utils._model._errors import (
    ProtocolViolation,
)
from ansible_collections.imageops.registry.tests.unit.support.certificates import Certificates
from ansible_collections.imageops.registry.tests.unit.support.documents import (
    DIGEST,
    LAYER,
)
from ansible_collections.imageops.registry.tests.unit.support.registry_client import (
    BLOB,
    ENCODED_DIGEST,
    TOKEN,
    UPLOADS,
    registry,
    start,
)
from ansible_collections.imageops.registry.tests.unit.support.scripted_server import ScriptedServer

Serve = t.Callable[..., ScriptedServer]


@pytest.mark.parametrize(
    "content_range",
    ["bytes 0-17/18", "bytes 50-60/70", "", "5-17", "bytes x-y/z", "bytes */18", "bytes " + "9" * 5000 + "-"],
)
def test_get_blob_reads_the_whole_where_another_range_comes(server: ScriptedServer, content_range: str) -> None:
    server.expect("GET", BLOB, 206, LAYER, {"Content-Range": content_range} if content_range else {})
    server.expect("GET", BLOB, 200, LAYER)
    pieces, start = registry(server).get_blob("a/b", DIGEST, 5)
    assert (b"".join(pieces), start) == (LAYER, 0)
    assert [seen.header("Range") for seen in server.requests] == ["bytes=5-", None]


@pytest.mark.parametrize(
    ("location", "target"),
    [
        ("/u/1?_state=a%2Fb==&x", "/u/1?_state=a%2Fb==&x"),
        ("1?s=1", UPLOADS + "1?s=1"),
        ("/u/1", "/u/1"),
        ("{url}/u/1?s=1", "/u/1?s=1"),
        ("{host}/u/1?s=1", "/u/1?s=1"),
        ("//{host}/u/1?s=1#part", "/u/1?s=1"),
    ],
)
def test_every_form_of_a_location_is_used_with_its_query_kept_and_the_digest_added(
    server: ScriptedServer, location: str, target: str
) -> None:
    location = location.format(url=server.url, host=server.host)
    server.expect("POST", UPLOADS, 202, headers={"Location": location})
    server.expect("PUT", f"{target}{'&' if '?' in target else '?'}digest={ENCODED_DIGEST}", 201)
    client = registry(server, credential=TOKEN)
    client.put_upload(client.start_upload("a/b"), DIGEST, LAYER)
    assert server.requests[1].body == LAYER
    assert server.requests[1].header("Authorization") == "Bearer tok"


def test_a_foreign_location_is_used_without_login(serve: Serve) -> None:
    server, foreign = serve(), serve()
    server.expect("POST", UPLOADS, 202, headers={"Location": foreign.url + "/u?sig=a%2Fb"})
    foreign.expect("PATCH", "/u?sig=a%2Fb", 202, headers={"Location": "/u2"})
    foreign.expect("PUT", f"/u2?digest={ENCODED_DIGEST}", 201)
    client = registry(server, credential=TOKEN)
    client.put_upload(client.patch_upload(client.start_upload("a/b"), LAYER), DIGEST)
    assert server.requests[0].header("Authorization") == "Bearer tok"
    assert [request.header("Authorization") for request in foreign.requests] == [None, None]


@pytest.mark.parametrize(
    "location",
    ["", "ftp://x/", "http://u:p@x/", "http://[bad", "/a b", "/a\\b", "http:///x y", "null://x/u", "http://\u00e9@x/"],
)
def test_an_unusable_location_is_refused(server: ScriptedServer, location: str) -> None:
    with pytest.raises(ProtocolViolation, match="Cannot start an upload"):
        start(server, location)


def test_a_missing_location_is_refused(server: ScriptedServer) -> None:
    server.expect("POST", UPLOADS, 202)
    with pytest.raises(ProtocolViolation, match="no Location"):
        registry(server).start_upload("a/b")


def test_a_location_at_a_local_address_is_refused_where_the_registry_is_not_local(
    serve: Serve, names_below_test: None
) -> None:
    server = serve(name="registry.test")
    with pytest.raises(ProtocolViolation, match="local address"):
        start(server, "http://169.254.169.254/latest")


def test_an_http_location_behind_tls_is_upgraded(serve: Serve, certificates: Certificates) -> None:
    server = serve(tls=certificates.server_context(), name="localhost")
    # A proxy that ends TLS hides scheme and port from the registry behind it.
    server.expect("POST", UPLOADS, 202, headers={"Location": "http://localhost/u/1?s=a%2Fb"})
    server.expect("PUT", f"/u/1?s=a%2Fb&digest={ENCODED_DIGEST}", 201)
    client = registry(server, credential=TOKEN, plain_http=False, ca_path=certificates.good_ca)
    session = client.start_upload("a/b")
    assert session.location == f"{server.url}/u/1?s=a%2Fb"
    client.put_upload(session, DIGEST, LAYER)
    assert server.requests[1].header("Authorization") == "Bearer tok"


def test_an_http_location_on_another_host_behind_tls_is_refused(serve: Serve, certificates: Certificates) -> None:
    server = serve(tls=certificates.server_context(), name="localhost")
    with pytest.raises(ProtocolViolation, match="without TLS"):
        start(server, "http://other.example/u/1", plain_http=False, ca_path=certificates.good_ca)


@pytest.mark.parametrize(
    ("value", "minimum"), [("", 0), ("5242880", 5242880), ("x", 0), ("\u00b2", 0), ("-1", 0), ("9" * 5000, 0)]
)
def test_the_least_size_of_a_chunk_is_read(server: ScriptedServer, value: str, minimum: int) -> None:
    server.expect("POST", UPLOADS, 202, headers={"Location": "/u", "OCI-Chunk-Min-Length": value})
    assert registry(server).start_upload("a/b").minimum_chunk == minimum


@pytest.mark.parametrize(
    ("value", "received"),
    [
        ("0-9", 10),
        ("bytes=0-9", 10),
        ("0-6", 7),
        (None, 10),
        ("", 10),
        ("5-9", 10),
        ("bytes 0-9", 10),
        ("0-" + "9" * 5000, 10),
        ("x", 10),
    ],
)
def test_the_range_of_a_patch_is_read_and_otherwise_counted(
    server: ScriptedServer, value: str | None, received: int
) -> None:
    headers = {"Location": "/u"} if value is None else {"Location": "/u", "Range": value}
    server.expect("PATCH", "/u", 202, headers=headers)
    assert registry(server).patch_upload(UploadSession("a/b", server.url + "/u", 5), b"abcde").received == received


@pytest.mark.parametrize(
    ("before", "value", "received"),
    [
        (0, "0-0", 0),
        (0, "0-99", 100),
        (100, "0-99", 100),
        (100, "0-49", 50),
        (1, "0-0", 1),
        (5, None, 5),
        (0, "bytes=0-99", 100),
    ],
)
def test_get_upload_tells_how_far_it_is(server: ScriptedServer, before: int, value: str | None, received: int) -> None:
    headers = {"Location": "/u?s=2"} if value is None else {"Location": "/u?s=2", "Range": value}
    server.expect("GET", "/u?s=1", 204, headers=headers)
    session = registry(server).get_upload(UploadSession("a/b", server.url + "/u?s=1", before))
    assert (session.received, session.location) == (received, server.url + "/u?s=2")
