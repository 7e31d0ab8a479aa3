# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import base64
import typing as t

import pytest
from ansible_collections.imageops.registry.plugins.module_utils._images._inspection import (
    describe,
    look_at_images,
    read_tree,
)
from ansible_collections.imageops.registry.plugins.module_utils._images._listing import ImageName
from ansible_collections.imageops.registry.plugins.module_utils._model._digest import compute_digest
from ansible_collections.imageops.registry.plugins.module_utils._model._errors import (
    AccessDenied,
    ForeignType,
    RegistryError,
)
from ansible_collections.imageops.registry.plugins.module_utils._model._manifest import (
    FOREIGN_TYPES,
    OCI_INDEX,
    OCI_MANIFEST,
)
from ansible_collections.imageops.registry.plugins.module_utils._registry._registry import Registry
from ansible_collections.imageops.registry.tests.unit.support.documents import (
    descriptor,
    encoded,
    errors,
    image,
    index,
    transport,
)
from ansible_collections.imageops.registry.tests.unit.support.fake_registry import FakeRegistry
from ansible_collections.imageops.registry.tests.unit.support.scripted_server import ScriptedServer

CONFIG = encoded({"architecture": "arm64", "os": "linux", "variant": "v8", "config": {"Labels": {"a": "b"}}})
IMAGE = image(config=descriptor(CONFIG, "application/vnd.oci.image.config.v1+json"), annotations={"org.example": "yes"})
IMAGE_BYTES = encoded(IMAGE)
DIGEST = compute_digest(IMAGE_BYTES)
INDEX = index(
    descriptor(b"one", OCI_MANIFEST, platform={"os": "linux", "architecture": "arm64", "variant": "v8"}),
    descriptor(b"two", OCI_MANIFEST, platform={"os": "linux", "architecture": "amd64"}),
    descriptor(b"three", OCI_MANIFEST),
)


@pytest.fixture
def registry(server: ScriptedServer) -> t.Iterator[Registry]:
    opened = Registry(transport(server.host, jobs=1), writing=False)
    yield opened
    opened.close()


def look(registry: Registry, name: ImageName, *include: str) -> dict[str, t.Any]:
    (found,) = look_at_images(registry, [name], include)
    assert not isinstance(found, RegistryError)
    return found


def expect_image(server: ScriptedServer, method: str) -> None:
    headers = {"Content-Type": OCI_MANIFEST, "Docker-Content-Digest": DIGEST}
    server.expect(method, "/v2/a/b/manifests/1.0", 200, IMAGE_BYTES, headers)


def test_without_anything_to_include_no_manifest_is_read(server: ScriptedServer, registry: Registry) -> None:
    expect_image(server, "HEAD")
    assert look(registry, ImageName("a/b", "1.0", "")) == {
        "exists": True,
        "digest": DIGEST,
        "media_type": OCI_MANIFEST,
        "size": len(IMAGE_BYTES),
    }


def test_an_image_with_all_that_can_be_included_costs_two_requests(server: ScriptedServer, registry: Registry) -> None:
    expect_image(server, "GET")
    server.expect("GET", f"/v2/a/b/blobs/{compute_digest(CONFIG)}", 200, CONFIG)
    found = look(registry, ImageName("a/b", "1.0", ""), "content", "children", "config", "platforms")
    assert found == {
        "exists": True,
        "digest": DIGEST,
        "media_type": OCI_MANIFEST,
        "size": len(IMAGE_BYTES),
        "content": IMAGE,
        "content_base64": base64.b64encode(IMAGE_BYTES).decode(),
        "children": [],
        "config": {"architecture": "arm64", "os": "linux", "variant": "v8", "config": {"Labels": {"a": "b"}}},
        "labels": {"a": "b"},
        "platforms": ["linux/arm64/v8"],
        "annotations": {"org.example": "yes"},
        "artifact_type": "application/vnd.oci.image.config.v1+json",
    }


def test_an_index_has_children_and_platforms_and_no_config(server: ScriptedServer, registry: Registry) -> None:
    server.expect("GET", "/v2/a/b/manifests/1.0", 200, INDEX, {"Content-Type": OCI_INDEX})
    found = look(registry, ImageName("a/b", "1.0", ""), "children", "config", "platforms")
    assert found["children"] == [
        {"digest": compute_digest(b"one"), "media_type": OCI_MANIFEST, "size": 3, "platform": "linux/arm64/v8"},
        {"digest": compute_digest(b"two"), "media_type": OCI_MANIFEST, "size": 3, "platform": "linux/amd64"},
        {"digest": compute_digest(b"three"), "media_type": OCI_MANIFEST, "size": 5, "platform": ""},
    ]
    assert found["platforms"] == ["linux/amd64", "linux/arm64/v8"]
    assert found["config"] == found["labels"] == {}
    assert "content" not in found


@pytest.mark.parametrize("include", [(), ("content", "children", "config", "platforms")])
def test_what_isnt_there_has_the_same_keys(
    server: ScriptedServer, registry: Registry, include: tuple[str, ...]
) -> None:
    method = "GET" if include else "HEAD"
    server.expect(method, "/v2/a/b/manifests/1.0", 404, errors("NAME_UNKNOWN"))
    server.expect(method, f"/v2/a/b/manifests/{DIGEST}", 404, errors("MANIFEST_UNKNOWN"))
    if not include:
        server.expect("GET", f"/v2/a/b/manifests/{DIGEST}", 404, errors("MANIFEST_UNKNOWN"))
    missing = look(registry, ImageName("a/b", "1.0", ""), *include)
    assert not missing["exists"]
    assert missing["digest"] == missing["media_type"] == ""
    # Where both are given, the digest is what counts.
    assert look(registry, ImageName("a/b", "1.0", DIGEST), *include)["digest"] == DIGEST
    if include:
        assert missing["content"] == missing["config"] == missing["labels"] == missing["annotations"] == {}
        assert missing["children"] == missing["platforms"] == []
        assert missing["content_base64"] == missing["artifact_type"] == ""


def test_an_error_is_the_outcome_of_its_image_only(server: ScriptedServer, registry: Registry) -> None:
    server.expect("HEAD", "/v2/c/manifests/1.0", 403).expect("GET", "/v2/c/manifests/1.0", 403)
    server.expect("GET", "/v2/c/tags/list", 403)
    expect_image(server, "HEAD")
    refused, found = look_at_images(registry, [ImageName("c", "1.0", ""), ImageName("a/b", "1.0", "")], ())
    assert isinstance(refused, AccessDenied)
    assert isinstance(found, dict)
    assert found["exists"]


@pytest.mark.parametrize("media_type", FOREIGN_TYPES)
def test_an_index_with_a_manifest_that_cannot_be_pushed_is_refused_with_the_true_reason(media_type: str) -> None:
    registry = FakeRegistry()
    child = descriptor(b"{}", media_type)
    top = registry.add("a/b", index(child), "1")
    with pytest.raises(ForeignType, match=f"lists {child['digest']}, and it is of the type") as caught:
        read_tree(registry.client, "a/b", top.digest)
    assert media_type in caught.value.reason and caught.value.operation == f"read r.example/a/b@{child['digest']}"


@pytest.mark.parametrize("media_type", ["application/vnd.example.manifest.v9+json", "application/vnd.example.cache.v0"])
@pytest.mark.parametrize("is_blob", [False, True])
def test_what_an_index_lists_under_an_unknown_type_may_be_a_blob(media_type: str, is_blob: bool) -> None:
    registry = FakeRegistry()
    child = descriptor(b"{}", media_type)
    top = registry.add("a/b", index(child), "1")
    registry.add_blob(b"{}", "a/b" if is_blob else "elsewhere")
    if is_blob or "manifest" not in media_type:
        assert read_tree(registry.client, "a/b", top.digest) == [top]
    else:
        with pytest.raises(ForeignType, match="is not a manifest type that can be pushed"):
            read_tree(registry.client, "a/b", top.digest)


def test_a_child_is_read_by_the_type_in_its_entry() -> None:
    registry = FakeRegistry()
    child = registry.add("a/b", image())
    top = registry.add("a/b", index(descriptor(child.content, OCI_MANIFEST)), "1")
    read_tree(registry.client, "a/b", top.digest, media_type=OCI_INDEX)
    assert registry.accepted == {top.digest: OCI_INDEX, child.digest: OCI_MANIFEST}


@pytest.mark.parametrize("reference", ["1", "digest"])
def test_to_describe_an_index_reads_each_manifest_once(reference: str) -> None:
    registry = FakeRegistry()
    registry.add_blob(CONFIG, "a/b")
    registry.add("a/b", IMAGE)
    child = descriptor(IMAGE_BYTES, OCI_MANIFEST, platform={"os": "linux", "architecture": "arm64", "variant": "v8"})
    top = registry.add("a/b", index(child), "1")
    reference = top.digest if reference == "digest" else reference
    described = describe(registry.client, "a/b", reference)
    assert registry.calls == [f"GET a/b {name}" for name in (reference, DIGEST, compute_digest(CONFIG))]
    blobs = sum(entry["size"] for entry in (IMAGE["config"], *IMAGE["layers"]))
    assert described == {
        "digest": top.digest,
        "media_type": OCI_INDEX,
        "platforms": ["linux/arm64/v8"],
        "total_size": top.size + len(IMAGE_BYTES) + blobs,
        "labels": {"a": "b"},
    }
    assert describe(registry.client, "a/b", "none") == {}
