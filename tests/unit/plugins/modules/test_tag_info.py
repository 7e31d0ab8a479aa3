# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.imageops.registry.plugins.module_utils._model._manifest import OCI_MANIFEST
from ansible_collections.imageops.registry.tests.unit.support.documents import encoded, image
from ansible_collections.imageops.registry.tests.unit.support.hostile_server import answer
from ansible_collections.imageops.registry.tests.unit.support.module_runs import Plain, fail, succeed, transfer
from ansible_collections.imageops.registry.tests.unit.support.registry_server import RegistryServer

TAGS = ["1.10.0", "1.9.3", "latest", "sha256-" + "a" * 64]


@pytest.fixture
def tagged(registry: RegistryServer) -> RegistryServer:
    registry.add_image(*(f"a/b:{tag}" for tag in TAGS))
    return registry


@pytest.mark.parametrize(
    ("given", "selected"),
    [
        ({}, ["1.10.0", "1.9.3", "latest"]),
        ({"digest_tags": True}, TAGS),
        ({"match": ["1[.].*"]}, ["1.10.0", "1.9.3"]),
        ({"pattern": ["1[.].*"], "exclude": [".*[.]3"]}, ["1.10.0"]),
        ({"semver": ">=1.9"}, ["1.10.0", "1.9.3"]),
        ({"semver": ">=1.9", "newest": 1}, ["1.10.0"]),
    ],
)
def test_tags_are_listed_and_selected(tagged: RegistryServer, given: Plain, selected: list[str]) -> None:
    options = {**tagged.options, "repository": "a/b", **given}
    result = succeed("tag_info", options)
    assert sorted(result["tags"]) == sorted(selected)
    entry = {"repository": "a/b", "exists": True, "tags": result["tags"], "all_count": 4, "malformed_count": 0}
    assert result == {
        "exists": True,
        "tags": result["tags"],
        "all_count": 4,
        "malformed_count": 0,
        "repositories": [entry],
        "images": [{"repository": "a/b", "tag": tag} for tag in result["tags"]],
        "transfer": transfer(requests=1),
    }
    assert succeed("tag_info", options, check=True) == result


def test_tags_are_resolved(tagged: RegistryServer) -> None:
    digest = tagged.tags["a/b:latest"]
    result = succeed("tag_info", {**tagged.options, "repository": "a/b", "match": ["1[.].*"], "resolve": True})
    resolved = {"digest": digest, "media_type": OCI_MANIFEST, "size": len(encoded(image()))}
    assert result["resolved"] == [{"repository": "a/b", "tag": tag, **resolved} for tag in result["tags"]]
    assert result["images"] == [{"repository": "a/b", "tag": tag, "digest": digest} for tag in result["tags"]]
    assert result["transfer"] == transfer(requests=3)


def test_a_tag_that_goes_meanwhile_is_left_out_and_one_that_fails_is_named(tagged: RegistryServer) -> None:
    tagged.on("HEAD|GET", "/v2/a/b/manifests/1.9.3", answer(404))
    options = {**tagged.options, "repository": "a/b", "match": ["1[.].*"], "resolve": True}
    result = succeed("tag_info", options)
    assert result["tags"] == ["1.10.0"] and [entry["tag"] for entry in result["resolved"]] == ["1.10.0"]
    tagged.on("HEAD|GET", "/v2/a/b/manifests/1.10.0", answer(500))
    failed = fail("tag_info", options)
    assert [(entry["repository"], entry["tag"]) for entry in failed["failures"]] == [("a/b", "1.10.0")]


def test_many_repositories_and_one_that_fails(tagged: RegistryServer) -> None:
    options = {**tagged.options, "repositories": ["a/b", "none", "a/b"]}
    result = succeed("tag_info", options)
    assert [(entry["repository"], entry["exists"]) for entry in result["repositories"]] == [
        ("a/b", True),
        ("none", False),
    ]
    assert result["exists"] is False and "tags" not in result
    tagged.on("GET", "/v2/none/.*", answer(500))
    failed = fail("tag_info", options)
    assert [entry["repository"] for entry in failed["failures"]] == ["none"]
    assert "exists" not in failed and "all_count" not in failed
    assert [entry["repository"] for entry in failed["repositories"]] == ["a/b"]


def test_tags_that_are_malformed_are_counted(registry: RegistryServer) -> None:
    registry.on("GET", "/v2/a/b/tags/list", answer(200, {"name": "a/b", "tags": ["1", "not a tag"]}))
    result = succeed("tag_info", {**registry.options, "repository": "a/b"})
    assert (result["tags"], result["all_count"], result["malformed_count"]) == (["1"], 2, 1)
