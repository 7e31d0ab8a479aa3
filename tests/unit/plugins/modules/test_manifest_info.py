# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import base64

from ansible_collections.imageops.registry.plugins.module_utils._model._manifest import OCI_INDEX, OCI_MANIFEST
from ansible_collections.imageops.registry.tests.unit.support.documents import (
    OTHER_DIGEST,
    descriptor,
    encoded,
    image,
    index,
)
from ansible_collections.imageops.registry.tests.unit.support.hostile_server import answer
from ansible_collections.imageops.registry.tests.unit.support.module_runs import Plain, fail, succeed, transfer
from ansible_collections.imageops.registry.tests.unit.support.registry_server import RegistryServer

IMAGE = encoded(image())
PLATFORM = {"architecture": "amd64", "os": "linux"}


def test_a_manifest_is_named_by_tag_or_digest(registry: RegistryServer) -> None:
    digest = registry.add_image("a/b:1.0")
    options = {**registry.options, "repository": "a/b"}
    by_tag = succeed("manifest_info", {**options, "tag": "1.0"})
    assert by_tag["exists"] is True
    assert (by_tag["repository"], by_tag["tag"], by_tag["digest"]) == ("a/b", "1.0", digest)
    assert (by_tag["media_type"], by_tag["size"]) == (OCI_MANIFEST, len(IMAGE))
    assert [entry["digest"] for entry in by_tag["images"]] == [digest]
    assert by_tag["transfer"] == transfer(requests=1)
    by_digest = succeed("manifest_info", {**options, "digest": digest}, check=True)
    assert (by_digest["tag"], by_digest["digest"], by_digest["exists"]) == ("", digest, True)
    absent = succeed("manifest_info", {**options, "tag": "none"})
    assert absent["exists"] is False and absent["images"][0]["exists"] is False


def test_what_is_included(registry: RegistryServer) -> None:
    digest = registry.add_image("a/b:1.0")
    child = descriptor(IMAGE, OCI_MANIFEST, platform=PLATFORM)
    registry.add(index(child), "a/b:multi")

    def included(tag: str, *names: str) -> Plain:
        return succeed("manifest_info", {**registry.options, "repository": "a/b", "tag": tag, "include": list(names)})

    content = included("1.0", "content")
    assert base64.b64decode(content["content_base64"]) == IMAGE
    assert content["content"] == image()
    assert included("1.0", "config")["config"] == {"architecture": "amd64", "os": "linux"}
    whole = included("multi", "children", "platforms", "config")
    assert whole["media_type"] == OCI_INDEX and whole["platforms"] == ["linux/amd64"]
    assert [entry["digest"] for entry in whole["children"]] == [digest]
    assert not {"content_base64", "content", "children", "config", "platforms"} & set(included("1.0"))


def test_many_images_and_one_that_fails(registry: RegistryServer) -> None:
    digest = registry.add_image("a:1", "b:1")
    wanted = [
        {"repository": "a", "tag": 1},
        {"repository": "a", "tag": "1"},
        {"repository": "a", "digest": OTHER_DIGEST},
        {"repository": "b", "tag": "1"},
    ]
    result = succeed("manifest_info", {**registry.options, "images": wanted})
    assert [(entry["repository"], entry["exists"]) for entry in result["images"]] == [
        ("a", True),
        ("a", False),
        ("b", True),
    ]
    assert result["exists"] is False and "digest" not in result
    registry.on("HEAD|GET", "/v2/b/.*", answer(500))
    failed = fail("manifest_info", {**registry.options, "images": wanted})
    assert [entry["repository"] for entry in failed["images"]] == ["a", "a"] and "exists" not in failed
    assert failed["images"][0]["digest"] == digest
    assert [(entry["repository"], entry["tag"]) for entry in failed["failures"]] == [("b", "1")]


def test_what_it_returns_is_taken_as_it_is(registry: RegistryServer) -> None:
    registry.add_image("a:1")
    wanted = [{"repository": "a", "tag": "1"}, {"repository": "a", "tag": "none"}]
    seen = succeed("manifest_info", {**registry.options, "images": wanted})
    assert succeed("manifest_info", {**registry.options, "images": seen["images"]}) == seen
