# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import base64
import typing as t

import pytest
from ansible_collections.imageops.registry.plugins.module_utils._model._digest import compute_digest
from ansible_collections.imageops.registry.plugins.module_utils._model._errors import AccessDenied
from ansible_collections.imageops.registry.plugins.module_utils._model._manifest import OCI_MANIFEST
from ansible_collections.imageops.registry.plugins.module_utils._promotion._items import ImageItem
from ansible_collections.imageops.registry.plugins.module_utils._promotion._plan_as_plain import as_plain
from ansible_collections.imageops.registry.tests.unit.support.documents import (
    CONFIG,
    DIGEST,
    LAYER,
    descriptor,
    encoded,
    image,
)
from ansible_collections.imageops.registry.tests.unit.support.fake_registry import FakeRegistry
from ansible_collections.imageops.registry.tests.unit.support.promotions import (
    ANOTHER_LAYER,
    BY_TAG,
    CONFIG_DIGEST,
    IMAGE,
    IMAGE_BYTES,
    IMAGE_DIGEST,
    INDEX_DIGEST,
    OTHER,
    OTHER_DIGEST,
    image_item,
    plan_for,
)

Plain = dict[str, t.Any]


def planned(source: FakeRegistry, destination: FakeRegistry, *items: ImageItem, **rules: t.Any) -> Plain:
    return as_plain(plan_for(source, destination, *items, **rules))


def test_a_plan_holds_what_the_next_tasks_need(source: FakeRegistry, destination: FakeRegistry) -> None:
    destination.add("prod/app", OTHER, "stable")
    item = BY_TAG._replace(destination_repository="prod/app", mount_from=("base",))
    result = planned(source, destination, item)
    content = base64.b64encode(IMAGE_BYTES).decode()
    assert result["images"] == [
        {
            "reference": "dev.example/team/app:1",
            "destination": "prod.example/prod/app",
            "repository": "team/app",
            "destination_repository": "prod/app",
            "exists": True,
            "digest": IMAGE_DIGEST,
            "source_digest": IMAGE_DIGEST,
            "media_type": OCI_MANIFEST,
            "action": "promote",
            "reason": "",
            "tags": [
                {"tag": "1", "previous_digest": "", "action": "create"},
                {"tag": "stable", "previous_digest": OTHER_DIGEST, "action": "replace"},
            ],
            "layers_left_out": [],
            "artifacts": [],
            "artifacts_compared": False,
            "gates": [],
            "verified": None,
            "signatures": [],
            "missing": [],
        }
    ]
    assert result["blobs"] == [
        {
            "repository": "prod/app",
            "source_repository": "team/app",
            "mount_from": ["base"],
            "blobs": [{"digest": CONFIG_DIGEST, "size": len(CONFIG)}, {"digest": DIGEST, "size": len(LAYER)}],
        }
    ]
    assert result["manifests"] == [
        {
            "repository": "prod/app",
            "source_repository": "team/app",
            "digest": IMAGE_DIGEST,
            "media_type": OCI_MANIFEST,
            "content_base64": content,
        }
    ]
    assert result["tags"] == [
        {
            "repository": "prod/app",
            "tag": tag,
            "digest": IMAGE_DIGEST,
            "previous_digest": previous,
            "content_base64": content,
        }
        for tag, previous in (("1", ""), ("stable", OTHER_DIGEST))
    ]


def test_nothing_but_a_line_is_said_of_what_is_not_promoted(source: FakeRegistry, destination: FakeRegistry) -> None:
    destination.add("team/app", IMAGE, "1", "stable")
    destination.add("team/app", OTHER, "x")
    result = planned(
        source,
        destination,
        BY_TAG,
        image_item("team/app", tag="9", tags=("9",)),
        image_item("team/app", tag="1", tags=("x",), on_conflict="skip"),
        image_item(
            "team/app", tag="multi", tags=("x",), destination_repository="y", expected_destination_digest=DIGEST
        ),
    )
    assert [one["action"] for one in result["images"]] == ["unchanged", "missing", "skip", "refused"]
    assert [one["exists"] for one in result["images"]] == [True, False, True, True]
    assert result["blobs"] == result["manifests"] == result["tags"] == []


def test_an_image_that_could_not_be_looked_for_is_not_said_to_be_missing(
    source: FakeRegistry, destination: FakeRegistry
) -> None:
    source.failing["HEAD team/app 1"] = AccessDenied("the account may not do this")
    (image,) = planned(source, destination, BY_TAG)["images"]
    assert image["action"] == "failed"
    assert "exists" not in image


def test_a_tag_whose_content_is_there_has_none_to_carry(source: FakeRegistry, destination: FakeRegistry) -> None:
    destination.add("team/app", IMAGE, "1")
    result = planned(source, destination, BY_TAG)
    assert result["manifests"] == result["blobs"] == []
    assert result["tags"] == [
        {"repository": "team/app", "tag": "stable", "digest": IMAGE_DIGEST, "previous_digest": ""}
    ]


def test_children_come_before_their_index_and_shared_parts_once(
    source: FakeRegistry, destination: FakeRegistry
) -> None:
    result = planned(source, destination, image_item("team/app", tag="multi", tags=("multi",)), BY_TAG)
    assert [entry["digest"] for entry in result["manifests"]] == [IMAGE_DIGEST, OTHER_DIGEST, INDEX_DIGEST]
    (group,) = result["blobs"]
    assert [entry["digest"] for entry in group["blobs"]] == [CONFIG_DIGEST, DIGEST, ANOTHER_LAYER]
    assert [entry["tag"] for entry in result["tags"]] == ["multi", "1", "stable"]


def test_on_one_registry_blobs_are_mounted_from_the_source_first(source: FakeRegistry) -> None:
    item = BY_TAG._replace(destination_repository="prod/app", mount_from=("base", "team/app"))
    (group,) = planned(source, source, item)["blobs"]
    assert group["mount_from"] == ["team/app", "base"]


def test_a_diff_says_what_the_images_are(source: FakeRegistry, destination: FakeRegistry) -> None:
    destination.add("team/app", OTHER, "2")
    items = [BY_TAG, image_item("team/app", tag="2", tags=("2",))]
    promoted, equal = plan_for(source, destination, *items, summaries=True).images
    assert promoted.summary["platforms"] == ["linux/amd64"]
    assert equal.summary == {}
    result = planned(source, destination, *items, summaries=True)
    assert [tag["summary"]["digest"] for tag in result["tags"]] == [IMAGE_DIGEST] * 2
    assert not any("summary" in tag for tag in planned(source, destination, *items)["tags"])
    source.failing[f"GET team/app {CONFIG_DIGEST}"] = AccessDenied("no")
    with pytest.raises(AccessDenied):
        plan_for(source, destination, *items, summaries=True)


def test_what_belongs_to_an_image_is_said_of_it(source: FakeRegistry, destination: FakeRegistry) -> None:
    sbom = image(artifactType="application/spdx+json", subject=descriptor(IMAGE_BYTES, OCI_MANIFEST))
    source.add("team/app", sbom)
    result = planned(source, destination, BY_TAG._replace(artifacts=("all",)))
    (one,) = result["images"]
    assert one["artifacts_compared"] is True
    assert one["artifacts"] == [
        {
            "subject": IMAGE_DIGEST,
            "digest": compute_digest(encoded(sbom)),
            "artifact_type": "application/spdx+json",
            "tag": "",
            "action": "copy",
            "reason": "",
        }
    ]
    assert [entry["digest"] for entry in result["manifests"]] == [IMAGE_DIGEST, compute_digest(encoded(sbom))]
