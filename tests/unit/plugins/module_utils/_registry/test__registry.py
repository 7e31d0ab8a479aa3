# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import threading
import time
import typing as t
import urllib.parse

import pytest
from ansible_collections.imageops.registry.plugins.module_utils._end._body import Body
from ansible_collections.imageops.registry.plugins.module_utils._end._upload_session import UploadSession
from ansible_collections.imageops.registry.plugins.module_utils._model._errors import (
    AccessDenied,
    ConnectionFailed,
    NotFound,
    ProtocolViolation,
    RegistryError,
    UnexpectedAnswer,
    Unsupported,
)
from ansible_collections.imageops.registry.plugins.module_utils._model._manifest import (
    OCI_MANIFEST,
    Manifest,
)
from ansible_collections.imageops.registry.plugins.module_utils._registry._registry import Registry
from ansible_collections.imageops.registry.plugins.module_utils._run._parallel import run_all
from ansible_collections.imageops.registry.tests.unit.support.documents import (
    DIGEST,
    DIGEST_512,
    LAYER,
    OTHER_DIGEST,
    errors,
    transport,
)
from ansible_collections.imageops.registry.tests.unit.support.hostile_server import Seen
from ansible_collections.imageops.registry.tests.unit.support.registry_client import (
    BLOB,
    CONTENT,
    ENCODED_DIGEST,
    MANIFEST_DIGEST,
    MOUNT,
    UPLOADS,
    registry,
    start,
)
from ansible_collections.imageops.registry.tests.unit.support.registry_server import RegistryServer
from ansible_collections.imageops.registry.tests.unit.support.scripted_server import ScriptedServer

Serve = t.Callable[..., ScriptedServer]


# Scopes --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("writing", "call", "request_line", "scopes"),
    [
        (False, lambda r: r.head_blob("a/b", DIGEST), f"HEAD {BLOB}", ["repository:a/b:pull"]),
        (True, lambda r: r.head_blob("a/b", DIGEST), f"HEAD {BLOB}", ["repository:a/b:pull,push"]),
        (False, lambda r: r.list_tags("a/b"), "GET /v2/a/b/tags/list", ["repository:a/b:pull"]),
        (False, lambda r: r.get_manifest("a/b", "1"), "GET /v2/a/b/manifests/1", ["repository:a/b:pull"]),
        (True, lambda r: r.start_upload("a/b"), f"POST {UPLOADS}", ["repository:a/b:pull,push"]),
        (True, lambda r: r.delete_manifest("a/b", "1"), "DELETE /v2/a/b/manifests/1", ["repository:a/b:pull,delete"]),
        (
            True,
            lambda r: r.mount_blob("a/b", DIGEST, "0/c"),
            f"POST {UPLOADS}?mount={ENCODED_DIGEST}&from=0%2Fc",
            ["repository:a/b:pull,push", "repository:0/c:pull"],
        ),
        (False, lambda r: r.list_repositories(), "GET /v2/_catalog", ["registry:catalog:*"]),
    ],
)
def test_a_token_is_asked_for_what_is_done(
    server: ScriptedServer, writing: bool, call: t.Callable[[Registry], t.Any], request_line: str, scopes: list[str]
) -> None:
    method, target = request_line.split(" ")
    server.expect(method, target, 401, headers={"WWW-Authenticate": f'Bearer realm="{server.url}/token"'})
    server.expect("GET", "/token?" + urllib.parse.urlencode([("scope", scope) for scope in scopes]), 418)
    with pytest.raises(RegistryError, match="gave no token"):
        call(registry(server, writing=writing))


# Blobs ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("length", "size"), [("7", 7), ("0", 0), (None, -1), ("x", -1), ("\u00b2", -1), ("9" * 5000, -1), ("-1", -1)]
)
def test_head_blob_gives_the_size_or_minus_one(server: ScriptedServer, length: str | None, size: int) -> None:
    server.expect("HEAD", BLOB, 200, length=length)
    assert registry(server).head_blob("a/b", DIGEST) == size


def test_head_blob_of_nothing_is_none(server: ScriptedServer) -> None:
    server.expect("HEAD", BLOB, 404)
    assert registry(server).head_blob("a/b", DIGEST) is None


def test_head_blob_that_is_refused_names_operation_and_object(server: ScriptedServer) -> None:
    server.expect("HEAD", BLOB, 403).expect("GET", BLOB, 403)
    with pytest.raises(AccessDenied, match=f"Cannot look for blob {DIGEST} in {server.host}/a/b: "):
        registry(server).head_blob("a/b", DIGEST)


def test_get_blob_streams_the_bytes(server: ScriptedServer) -> None:
    server.expect("GET", BLOB, 200, LAYER * 200000)
    pieces, start = registry(server).get_blob("a/b", DIGEST)
    assert (b"".join(pieces), start) == (LAYER * 200000, 0)
    assert server.requests[0].header("Range") is None


def test_get_blob_from_an_offset(server: ScriptedServer) -> None:
    server.expect("GET", BLOB, 206, LAYER[5:], {"Content-Range": f"bytes 5-17/{len(LAYER)}"})
    pieces, start = registry(server).get_blob("a/b", DIGEST, 5)
    assert (b"".join(pieces), start) == (LAYER[5:], 5)
    assert server.requests[0].header("Range") == "bytes=5-"


@pytest.mark.parametrize(
    ("status", "kind"), [(404, NotFound), (416, RegistryError), (206, RegistryError), (500, UnexpectedAnswer)]
)
def test_get_blob_that_gives_no_blob_is_an_error(
    server: ScriptedServer, status: int, kind: type[RegistryError]
) -> None:
    server.expect("GET", BLOB, status, b"")
    with pytest.raises(kind, match="Cannot read blob"):
        registry(server).get_blob("a/b", DIGEST)


def test_a_blob_that_breaks_off_names_the_operation(server: ScriptedServer) -> None:
    server.expect("GET", BLOB, 200, LAYER, length="100", cut=True)
    pieces, _start = registry(server).get_blob("a/b", DIGEST)
    with pytest.raises(ConnectionFailed, match=f"Cannot read blob {DIGEST}"):
        list(pieces)


# Deleting ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("status", "was_there"), [(202, True), (200, True), (204, True), (404, False)])
def test_delete_says_whether_it_was_there(server: ScriptedServer, status: int, was_there: bool) -> None:
    server.expect("DELETE", BLOB, status).expect("DELETE", "/v2/a/b/manifests/1", status)
    server.expect("DELETE", f"/v2/a/b/manifests/{DIGEST}", status)
    client = registry(server)
    assert client.delete_blob("a/b", DIGEST) is was_there
    assert client.delete_manifest("a/b", "1") is was_there
    assert client.delete_manifest("a/b", DIGEST) is was_there


# Manifests -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [200, 201, 202])
@pytest.mark.parametrize("reference", ["1", MANIFEST_DIGEST])
def test_put_manifest_sends_the_exact_bytes_and_type(server: ScriptedServer, status: int, reference: str) -> None:
    server.expect("PUT", f"/v2/a/b/manifests/{reference}", status, headers={"Docker-Content-Digest": MANIFEST_DIGEST})
    registry(server).put_manifest("a/b", reference, Manifest.parse(CONTENT))
    (request,) = server.requests
    assert request.body == CONTENT
    assert request.header("Content-Type") == OCI_MANIFEST
    assert request.header("Content-Length") == str(len(CONTENT))


def test_put_manifest_refuses_that_something_else_was_stored(server: ScriptedServer) -> None:
    server.expect("PUT", "/v2/a/b/manifests/1", 201, headers={"Docker-Content-Digest": OTHER_DIGEST})
    with pytest.raises(ProtocolViolation, match="stored another digest"):
        registry(server).put_manifest("a/b", "1", Manifest.parse(CONTENT))


def test_put_manifest_takes_a_second_digest_of_another_algorithm(server: ScriptedServer) -> None:
    server.expect("PUT", "/v2/a/b/manifests/1", 201, headers={"Docker-Content-Digest": DIGEST_512})
    found = {"Docker-Content-Digest": MANIFEST_DIGEST, "Content-Type": OCI_MANIFEST, "Content-Length": "2"}
    server.expect("HEAD", f"/v2/a/b/manifests/{MANIFEST_DIGEST}", headers=found)
    registry(server).put_manifest("a/b", "1", Manifest.parse(CONTENT))


@pytest.mark.parametrize("reference", ["1", MANIFEST_DIGEST])
def test_put_manifest_refuses_that_it_was_stored_under_another_algorithm_only(
    server: ScriptedServer, reference: str
) -> None:
    server.expect("PUT", f"/v2/a/b/manifests/{reference}", 201, headers={"Docker-Content-Digest": DIGEST_512})
    server.expect("HEAD", f"/v2/a/b/manifests/{MANIFEST_DIGEST}", 404)
    server.expect("GET", f"/v2/a/b/manifests/{MANIFEST_DIGEST}", 404)
    with pytest.raises(Unsupported, match=f"has stored it as {DIGEST_512}, and not under its sha256 digest"):
        registry(server).put_manifest("a/b", reference, Manifest.parse(CONTENT))


# Uploads -------------------------------------------------------------------------------------------------------------


def test_start_upload_posts_nothing(server: ScriptedServer) -> None:
    session = start(server, "/v2/a/b/blobs/uploads/1?_state=x")
    assert session == UploadSession("a/b", server.url + UPLOADS + "1?_state=x", 0, 0)
    (request,) = server.requests
    assert (request.body, request.header("Content-Length"), request.header("Transfer-Encoding")) == (b"", "0", None)


@pytest.mark.parametrize(
    ("body", "sent"),
    [(LAYER, LAYER), (b"", b""), (Body([LAYER[:3], LAYER[3:]], len(LAYER)), LAYER), (Body([], 0), b"")],
)
def test_put_upload_sends_octets_of_exact_length(server: ScriptedServer, body: bytes | Body, sent: bytes) -> None:
    server.expect("PUT", f"/u?digest={ENCODED_DIGEST}", 201, headers={"Docker-Content-Digest": DIGEST})
    registry(server).put_upload(UploadSession("a/b", server.url + "/u"), DIGEST, body)
    (request,) = server.requests
    assert request.body == sent
    assert request.header("Content-Type") == "application/octet-stream"
    assert request.header("Content-Length") == str(len(sent))
    assert request.header("Transfer-Encoding") is None
    assert request.header("Content-Range") is None


def test_put_upload_of_the_rest_says_its_range(server: ScriptedServer) -> None:
    server.expect("PUT", f"/u?digest={ENCODED_DIGEST}", 201).expect("PUT", f"/u?digest={ENCODED_DIGEST}", 204)
    client = registry(server)
    client.put_upload(UploadSession("a/b", server.url + "/u", 5), DIGEST, LAYER[5:])
    client.put_upload(UploadSession("a/b", server.url + "/u", len(LAYER)), DIGEST)
    assert [request.header("Content-Range") for request in server.requests] == [f"5-{len(LAYER) - 1}", None]


@pytest.mark.parametrize("status", [200, 202, 302])
def test_put_upload_that_is_not_answered_201_is_no_success(server: ScriptedServer, status: int) -> None:
    server.expect("PUT", f"/u?digest={ENCODED_DIGEST}", status)
    with pytest.raises(RegistryError, match=f"Cannot upload blob {DIGEST}"):
        registry(server).put_upload(UploadSession("a/b", server.url + "/u"), DIGEST, LAYER)


def test_put_upload_refuses_another_digest(server: ScriptedServer) -> None:
    server.expect("PUT", f"/u?digest={ENCODED_DIGEST}", 201, headers={"Docker-Content-Digest": OTHER_DIGEST})
    with pytest.raises(ProtocolViolation, match="stored another digest"):
        registry(server).put_upload(UploadSession("a/b", server.url + "/u"), DIGEST, LAYER)


@pytest.mark.parametrize("status", [200, 404])
def test_put_upload_looks_for_what_was_stored_under_another_algorithm(server: ScriptedServer, status: int) -> None:
    server.expect("PUT", f"/u?digest={ENCODED_DIGEST}", 201, headers={"Docker-Content-Digest": DIGEST_512})
    server.expect("HEAD", f"/v2/a/b/blobs/{DIGEST}", status, headers={"Content-Length": str(len(LAYER))})
    client = registry(server)
    if status == 200:
        client.put_upload(UploadSession("a/b", server.url + "/u"), DIGEST, LAYER)
        return
    server.expect("GET", f"/v2/a/b/blobs/{DIGEST}", 404)
    with pytest.raises(Unsupported, match="not under its sha256 digest"):
        client.put_upload(UploadSession("a/b", server.url + "/u"), DIGEST, LAYER)


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_patch_upload_sends_a_range_and_takes_the_newest_location(server: ScriptedServer, status: int) -> None:
    server.expect("PATCH", "/u?s=1", status, headers={"Location": "/u?s=2", "Range": "0-9"})
    session = registry(server).patch_upload(UploadSession("a/b", server.url + "/u?s=1", 5), b"abcde")
    assert session == UploadSession("a/b", server.url + "/u?s=2", 10, 0)
    (request,) = server.requests
    assert request.header("Content-Range") == "5-9"
    assert request.header("Content-Type") == "application/octet-stream"
    assert request.header("Content-Length") == "5"


@pytest.mark.parametrize("value", ["0-10", "bytes=0-99", "0-" + "9" * 18])
def test_a_patch_after_which_the_registry_has_more_than_was_sent_is_refused(server: ScriptedServer, value: str) -> None:
    server.expect("PATCH", "/u", 202, headers={"Location": "/u", "Range": value})
    with pytest.raises(ProtocolViolation, match=r"Cannot upload a chunk to .*, 10 were sent"):
        registry(server).patch_upload(UploadSession("a/b", server.url + "/u", 5), b"abcde")


@pytest.mark.parametrize(
    ("statuses", "done"),
    [
        ([200], True),
        ([202], True),
        ([204], True),
        ([401], False),
        ([404], False),
        ([405], False),
        # The connection breaks off.
        ([0, 204], True),
        ([0, 404], False),
        ([0, 0], False),
    ],
)
def test_cancel_upload_never_fails(server: ScriptedServer, statuses: list[int], done: bool) -> None:
    server.expect("POST", UPLOADS, 202, headers={"Location": "/u?s=1"})
    for status in statuses:
        server.expect("DELETE", "/u?s=1", status)
    client = registry(server)
    assert client.cancel_upload(client.start_upload("a/b")) is done


def test_cancelling_an_upload_is_not_waited_for_again(server: ScriptedServer) -> None:
    server.expect("DELETE", "/u?s=1", hang=True)
    client = registry(server, timeout=0.1)
    assert client.cancel_upload(UploadSession("a/b", server.url + "/u?s=1")) is False


def test_mount_answered_201_is_done(server: ScriptedServer) -> None:
    server.expect("POST", MOUNT, 201, headers={"Location": BLOB})
    assert registry(server).mount_blob("a/b", DIGEST, "c/d") is None
    assert server.requests[0].header("Content-Length") == "0"


def test_mount_answered_202_is_a_session(server: ScriptedServer) -> None:
    server.expect("POST", MOUNT, 202, headers={"Location": "/u?s=1"})
    assert registry(server).mount_blob("a/b", DIGEST, "c/d") == UploadSession("a/b", server.url + "/u?s=1")


# Lists ---------------------------------------------------------------------------------------------------------------


def test_tags_are_sorted_and_distinct(server: ScriptedServer) -> None:
    server.expect("GET", "/v2/a/b/tags/list", 200, {"name": "a/b", "tags": ["b", "a", "b"]})
    assert registry(server).list_tags("a/b") == ["a", "b"]
    assert server.requests[0].header("Accept") == "application/json"


def test_tags_of_a_missing_repository_are_not_found(server: ScriptedServer) -> None:
    server.expect("GET", "/v2/a/b/tags/list", 404, errors("NAME_UNKNOWN"))
    with pytest.raises(NotFound):
        registry(server).list_tags("a/b")


@pytest.mark.parametrize(
    ("status", "body", "lacking"),
    [
        (404, b'{"errors": [{"code": "NAME_UNKNOWN"}]}', True),
        (404, b"404 page not found", False),
        (200, b'{"tags": null}', False),
        (401, b"", False),
        (403, b"", False),
        (503, b"", False),
        (200, b"x" * 100000, False),
    ],
)
def test_a_repository_is_lacking_only_where_the_registry_says_so(
    server: ScriptedServer, status: int, body: bytes, lacking: bool
) -> None:
    server.expect("GET", "/v2/a/tags/list?n=1", status, body)
    client = Registry(transport(server.host, retries=3), writing=True, pushed_to=True)
    # Asked once, whatever the answer is.
    assert [client.lacks_repository("a") for _question in range(2)] == [lacking] * 2


# Work within work ----------------------------------------------------------------------------------------------------


def test_run_all_within_run_all_makes_no_more_requests_at_a_time_than_jobs() -> None:
    server = RegistryServer()
    lock, running, most = threading.Lock(), [0], [0]

    def counted(seen: Seen) -> None:
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        time.sleep(0.01)
        with lock:
            running[0] -= 1

    server.on("HEAD", "/v2/.*", counted)
    client = Registry(transport(server.host, jobs=2), writing=False)
    digests = [server.add_blob(content, "a", "b", "c") for content in (b"1", b"2", b"3")]
    try:
        found = run_all(
            lambda name: run_all(lambda digest: client.head_blob(name, digest), digests, client.jobs),
            ["a", "b", "c"],
            client.jobs,
        )
    finally:
        client.close()
        server.close()
    assert found == [[1, 1, 1]] * 3
    assert 0 < most[0] <= 2
