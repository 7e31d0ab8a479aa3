# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import socket
import typing as t

import pytest
from ansible_collections.imageops.registry.plugins.module_utils._blobs._look import look_at_blob, look_at_blobs
from ansible_collections.imageops.registry.plugins.module_utils._images._contents import (
    Depth,
    look_at_manifest,
    verify_pushed,
)
from ansible_collections.imageops.registry.plugins.module_utils._model._digest import compute_digest
from ansible_collections.imageops.registry.plugins.module_utils._model._errors import (
    AccessDenied,
    ConnectionFailed,
    ContentMismatch,
    NotFound,
    ProtocolViolation,
    RegistryError,
)
from ansible_collections.imageops.registry.plugins.module_utils._model._manifest import OCI_MANIFEST, Descriptor
from ansible_collections.imageops.registry.plugins.module_utils._registry._registry import Registry
from ansible_collections.imageops.registry.tests.unit.support.documents import (
    CONFIG,
    DIGEST,
    LAYER,
    descriptor,
    encoded,
    image,
    transport,
)
from ansible_collections.imageops.registry.tests.unit.support.fake_registry import FakeRegistry
from ansible_collections.imageops.registry.tests.unit.support.scripted_server import ScriptedServer

IMAGE = encoded(image())
IMAGE_DIGEST = compute_digest(IMAGE)
CONFIG_DIGEST = compute_digest(CONFIG)
MANIFEST = f"/v2/a/manifests/{IMAGE_DIGEST}"
BLOB = f"/v2/a/blobs/{DIGEST}"
TYPE = {"Content-Type": OCI_MANIFEST}
LAYER_DESCRIPTOR = Descriptor("application/vnd.oci.image.layer.v1.tar", DIGEST, len(LAYER))


def client(server: ScriptedServer) -> Registry:
    return Registry(transport(server.host, retries=0), writing=False)


def test_a_manifest_is_looked_for_by_head_and_read_where_that_is_asked_for(server: ScriptedServer) -> None:
    server.expect("HEAD", MANIFEST, 200, IMAGE, {**TYPE, "Docker-Content-Digest": IMAGE_DIGEST})
    server.expect("GET", MANIFEST, 200, IMAGE, TYPE)
    looks = [look_at_manifest(client(server), "a", IMAGE_DIGEST, read=read) for read in (False, True)]
    assert [look.digest for look in looks] == [IMAGE_DIGEST, IMAGE_DIGEST]


@pytest.mark.parametrize("method", ["HEAD", "GET"])
def test_a_manifest_that_is_not_there_is_missing(server: ScriptedServer, method: str) -> None:
    server.expect(method, MANIFEST, 404)
    with pytest.raises(NotFound):
        look_at_manifest(client(server), "a", IMAGE_DIGEST, read=method == "GET")


def test_a_manifest_with_other_bytes_is_damaged(server: ScriptedServer) -> None:
    server.expect("GET", MANIFEST, 200, IMAGE + b" ", TYPE)
    with pytest.raises(ContentMismatch, match=f"Cannot look for .*/a@{IMAGE_DIGEST}: the manifest's bytes have"):
        look_at_manifest(client(server), "a", IMAGE_DIGEST, read=True)


def test_a_page_for_people_says_nothing_of_the_manifest(server: ScriptedServer) -> None:
    server.expect("GET", MANIFEST, 200, b"<!DOCTYPE html><html><title>Log in</title></html>", TYPE)
    with pytest.raises(ProtocolViolation):
        look_at_manifest(client(server), "a", IMAGE_DIGEST, read=True)


def test_a_blob_is_looked_for_by_head_and_read_only_where_that_is_asked_for(server: ScriptedServer) -> None:
    server.expect("HEAD", BLOB, 200, LAYER, times=2).expect("GET", BLOB, 200, LAYER)
    for read in (False, True):
        look_at_blob(client(server), "a", LAYER_DESCRIPTOR, read=read)
    assert [request.method for request in server.requests] == ["HEAD", "HEAD", "GET"]


@pytest.mark.parametrize(
    ("status", "found", "kind", "said"),
    [
        (404, b"", NotFound, "it is not there"),
        (200, LAYER[1:], ContentMismatch, f"it has {len(LAYER) - 1} bytes there, {len(LAYER)} were promised"),
    ],
)
def test_a_blob_that_is_not_there_in_its_size(
    server: ScriptedServer, status: int, found: bytes, kind: type[RegistryError], said: str
) -> None:
    server.expect("HEAD", BLOB, status, found)
    with pytest.raises(kind, match=f"Cannot look for blob {DIGEST} in .*/a: {said}"):
        look_at_blob(client(server), "a", LAYER_DESCRIPTOR, read=True)


@pytest.mark.parametrize(
    ("status", "content", "said"),
    [
        (200, b"X" + LAYER[1:], "the bytes that arrived have the digest"),
        (404, b"", "the registry says that it is there, and does not serve it"),
    ],
)
def test_a_blob_with_other_bytes_or_none_is_damaged(
    server: ScriptedServer, status: int, content: bytes, said: str
) -> None:
    server.expect("HEAD", BLOB, 200, LAYER).expect("GET", BLOB, status, content)
    with pytest.raises(ContentMismatch, match=f"Cannot (look for|read) blob {DIGEST} (in|from) .*/a: {said}"):
        look_at_blob(client(server), "a", LAYER_DESCRIPTOR, read=True)


@pytest.mark.parametrize(("afterwards", "kind"), [(200, ContentMismatch), (0, ConnectionFailed)])
def test_a_blob_that_breaks_off_is_damaged_where_the_registry_still_answers(
    server: ScriptedServer, afterwards: int, kind: type[RegistryError]
) -> None:
    server.expect("HEAD", BLOB, 200, LAYER).expect("GET", BLOB, 200, LAYER[:3], length=str(len(LAYER)), cut=True)
    server.expect("HEAD", BLOB, afterwards, LAYER)
    with pytest.raises(kind):
        look_at_blob(client(server), "a", LAYER_DESCRIPTOR, read=True)


def test_a_blob_whose_store_can_not_be_reached_is_not_damaged(server: ScriptedServer) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        store = f"http://127.0.0.1:{unused.getsockname()[1]}/x"
        server.expect("HEAD", BLOB, 200, LAYER).expect("GET", BLOB, 307, headers={"Location": store})
        with pytest.raises(ConnectionFailed, match="refuses the connection"):
            look_at_blob(client(server), "a", LAYER_DESCRIPTOR, read=True)


def test_each_blob_of_a_repository_is_asked_for_once() -> None:
    registry = FakeRegistry()
    registry.add_blob(LAYER, "a", "b")
    named = LAYER_DESCRIPTOR._replace(annotations={"title": "x"})
    looks = look_at_blobs(registry.client, [("a", LAYER_DESCRIPTOR), ("b", named), ("a", named)], read=False)
    assert looks == {("a", DIGEST, len(LAYER)): None, ("b", DIGEST, len(LAYER)): None}
    assert sorted(registry.calls) == [f"HEAD a {DIGEST}", f"HEAD b {DIGEST}"]


@pytest.fixture
def whole() -> FakeRegistry:
    registry = FakeRegistry()
    registry.add("a", json.loads(IMAGE))
    for content in (LAYER, CONFIG):
        registry.add_blob(content, "a")
    return registry


def unverified(registry: FakeRegistry, *level: t.Any) -> list[tuple[str, str]]:
    found = verify_pushed(registry.client, [("a", IMAGE_DIGEST), ("a", IMAGE_DIGEST)], Depth(*level))
    return [(entry.repository, entry.digest) for entry in found]


@pytest.mark.parametrize(
    ("level", "calls"),
    [
        (("manifests",), [f"GET a {IMAGE_DIGEST}"]),
        (("blobs",), [f"GET a {IMAGE_DIGEST}", f"HEAD a {DIGEST}", f"HEAD a {CONFIG_DIGEST}"]),
        (
            ("blobs", True),
            [f"GET a {digest}" for digest in (IMAGE_DIGEST, CONFIG_DIGEST, DIGEST)]
            + [f"HEAD a {digest}" for digest in (CONFIG_DIGEST, DIGEST)],
        ),
    ],
)
def test_what_was_pushed_is_looked_at_as_deep_as_is_asked_for(
    whole: FakeRegistry, level: tuple[t.Any, ...], calls: list[str]
) -> None:
    assert unverified(whole, *level) == []
    assert sorted(whole.calls) == sorted(calls)


def test_what_is_not_there_after_it_was_pushed_is_named(whole: FakeRegistry) -> None:
    del whole.blobs["a", DIGEST]
    assert unverified(whole, "blobs") == [("a", DIGEST)]
    del whole.manifests["a", IMAGE_DIGEST]
    assert unverified(whole, "manifests") == [("a", IMAGE_DIGEST)]


def test_what_can_not_be_looked_at_is_not_verified(whole: FakeRegistry) -> None:
    whole.failing[f"HEAD a {DIGEST}"] = AccessDenied("the account may not do this")
    (found,) = verify_pushed(whole.client, [("a", IMAGE_DIGEST)], Depth("blobs"))
    assert str(found.error) == "the account may not do this."


def test_depths() -> None:
    assert [(depth.is_deep, depth.with_blobs) for depth in map(Depth, ("none", "tag", "manifests", "blobs"))] == [
        (False, False),
        (False, False),
        (True, False),
        (True, True),
    ]
    assert descriptor()["digest"] == LAYER_DESCRIPTOR.digest
