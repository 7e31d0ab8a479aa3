# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible_collections.imageops.registry.tests.unit.support.documents import DIGEST, LAYER, OTHER_DIGEST
from ansible_collections.imageops.registry.tests.unit.support.hostile_server import answer
from ansible_collections.imageops.registry.tests.unit.support.module_runs import Plain, fail, succeed, transfer
from ansible_collections.imageops.registry.tests.unit.support.registry_server import RegistryServer

SIZE = len(LAYER)


def found(digest: str, size: int) -> Plain:
    return {"digest": digest, "exists": size > 0, "size": size}


def test_a_blob_is_there_or_missing(registry: RegistryServer) -> None:
    registry.add_blob(LAYER, "a/b")
    options = {**registry.options, "repository": "a/b"}
    there = succeed("blob_info", {**options, "digest": DIGEST})
    assert there == {
        "exists": True,
        "blobs": [{"repository": "a/b", "blobs": [found(DIGEST, SIZE)]}],
        "missing": [],
        "transfer": transfer(requests=1),
    }
    missing = succeed("blob_info", {**options, "digest": OTHER_DIGEST, "size": 7})
    assert missing["exists"] is False
    assert missing["blobs"] == [{"repository": "a/b", "blobs": [found(OTHER_DIGEST, 0)]}]
    assert missing["missing"] == [
        {
            "repository": "a/b",
            "source_repository": "",
            "mount_from": [],
            "blobs": [{"digest": OTHER_DIGEST, "size": 7}],
        }
    ]
    assert missing["transfer"] == transfer(requests=2)
    assert succeed("blob_info", {**options, "digest": DIGEST}, check=True) == there


def test_what_is_missing_keeps_all_that_was_said_of_it(registry: RegistryServer) -> None:
    registry.add_blob(LAYER, "a")
    replaced = {"digest": OTHER_DIGEST, "size": 5, "replace": True}
    wanted = [
        {"repository": "a", "blobs": [{"digest": DIGEST}]},
        {"repository": "b", "source_repository": "from", "mount_from": ["a"], "blobs": [{"digest": DIGEST}, replaced]},
    ]
    result = succeed("blob_info", {**registry.options, "blobs": wanted})
    assert result["exists"] is False
    assert [group["blobs"] for group in result["blobs"]] == [
        [found(DIGEST, SIZE)],
        [found(DIGEST, 0), found(OTHER_DIGEST, 0)],
    ]
    (group,) = result["missing"]
    assert (group["repository"], group["source_repository"], group["mount_from"]) == ("b", "from", ["a"])
    assert group["blobs"] == [{"digest": DIGEST, "size": None}, replaced]


def test_what_cannot_be_asked_is_a_failure_beside_the_others(registry: RegistryServer) -> None:
    registry.add_blob(LAYER, "a")
    registry.on("HEAD|GET", "/v2/b/blobs/.*", answer(500))
    wanted = [{"repository": name, "blobs": [{"digest": DIGEST}]} for name in ("a", "b")]
    failed = fail("blob_info", {**registry.options, "blobs": wanted})
    assert "exists" not in failed
    assert [group["blobs"] for group in failed["blobs"]] == [[found(DIGEST, SIZE)], []]
    assert [(one["repository"], one["digest"]) for one in failed["failures"]] == [("b", DIGEST)]
    assert f"{registry.host}/b" in failed["msg"]
