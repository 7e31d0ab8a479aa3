# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import re
import typing as t

import pytest
from ansible_collections.imageops.registry.plugins.module_utils._model._digest import compute_digest
from ansible_collections.imageops.registry.plugins.module_utils._model._errors import InvalidInput
from ansible_collections.imageops.registry.plugins.module_utils._promotion._comparison import compare_images
from ansible_collections.imageops.registry.plugins.module_utils._promotion._given_plan import given_plan
from ansible_collections.imageops.registry.plugins.module_utils._promotion._items import ImageItem
from ansible_collections.imageops.registry.plugins.module_utils._promotion._plan import plan
from ansible_collections.imageops.registry.tests.unit.support.documents import encoded, image
from ansible_collections.imageops.registry.tests.unit.support.fake_registry import FakeRegistry

Plain = dict[str, t.Any]
DIGEST = compute_digest(encoded(image()))
OTHER_DIGEST = compute_digest(b"another")
ITEMS = [ImageItem("team/app", tag="1", tags=("1", "stable")), ImageItem("team/nothing", tag="1", tags=("1",))]
DAMAGED_ENTRIES = {
    "images": "plan.images[0]: it has no reference, or another one than image_diff_info returns",
    "blobs": "plan.blobs[0]: it has no repository, or another one than image_diff_info returns",
    "manifests": "plan.manifests[0]: it has no repository, or another one than image_diff_info returns",
    "tags": "plan.tags[0]: it has no repository, or another one than image_diff_info returns",
    "artifact_tags": "plan.artifact_tags[0]: it has no repository, or another one than image_diff_info returns",
}


@pytest.fixture
def source() -> FakeRegistry:
    registry = FakeRegistry("dev.example")
    registry.add("team/app", image(), "1")
    return registry


@pytest.fixture
def destination() -> FakeRegistry:
    return FakeRegistry("prod.example")


@pytest.fixture
def made(source: FakeRegistry, destination: FakeRegistry) -> Plain:
    """What image_diff_info returns, as far as it is the plan, and more that it also returns."""
    comparisons = compare_images(source.client, destination.client, ITEMS)
    planned = plan(comparisons, source.client, destination.client, {})
    return {**t.cast(Plain, json.loads(json.dumps(planned))), "changed": False, "differs": True, "transfer": {}}


def check_refused(made: Plain, sentence: str) -> None:
    with pytest.raises(InvalidInput, match=re.escape(sentence)) as raised:
        given_plan(made)
    assert raised.value.hint


def test_a_plan_is_taken_as_it_was_made(made: Plain) -> None:
    taken = given_plan(made).planned
    for name in ("blobs", "manifests", "artifact_tags", "tags"):
        assert taken[name] == made[name]
    for image_taken, image_made in zip(taken["images"], made["images"]):
        assert image_taken.items() <= image_made.items()
    assert [entry["action"] for entry in taken["images"]] == ["promote", "missing"]


def test_nothing_of_a_plan_is_taken_but_what_it_has_to_have(made: Plain) -> None:
    made["blobs"][0]["blobs"][0].update(replace=True, action="upload")
    made["manifests"][0].update(replace="yes", more=1)
    made["tags"][0].update(summary={"digest": DIGEST}, more=1)
    taken = given_plan(made).planned
    assert set(taken["blobs"][0]["blobs"][0]) == {"digest", "size", "replace"}
    assert "replace" not in taken["manifests"][0]
    assert set(taken["tags"][0]) == {"repository", "tag", "digest", "previous_digest", "content_base64", "summary"}


def test_a_summary_says_nothing_else_than_a_diff_shows(made: Plain) -> None:
    right = {"media_type": "a/b", "platforms": ["linux/amd64"], "total_size": 3, "labels": {"a": "b"}}
    for tag, summary, shown in (
        (made["tags"][0], {**right, "digest": OTHER_DIGEST, "more": 1}, {**right, "digest": DIGEST}),
        (made["tags"][1], {"labels": {"a": [[[]]]}, "platforms": "all", "total_size": "3"}, {"digest": DIGEST}),
    ):
        tag["summary"] = summary
        given = next(entry for entry in given_plan(made).planned["tags"] if entry["tag"] == tag["tag"])
        assert given["summary"] == shown


def test_reasons_are_fit_for_a_screen(made: Plain) -> None:
    made["images"][1]["reason"] = "red \x1b[31m\r\n" + "x" * 3000
    reason = given_plan(made).planned["images"][1]["reason"]
    assert reason.startswith("red  [31m x") and len(reason) == 2000


@pytest.mark.parametrize("name", sorted(DAMAGED_ENTRIES))
@pytest.mark.parametrize("entry", [None, "text", 1, [], {}])
def test_what_is_no_plan_is_told_with_its_place(made: Plain, name: str, entry: t.Any) -> None:
    check_refused({**made, name: [entry]}, DAMAGED_ENTRIES[name])
    check_refused({**made, name: entry if not isinstance(entry, list) else None}, f"plan.{name} is no list")


@pytest.mark.parametrize(
    ("name", "field", "value", "sentence"),
    [
        ("images", "action", "push", "'push' is no action of an image"),
        ("images", "tags", [{"tag": "1"}], "plan.images[0]: tags[0]: it has no previous_digest"),
        ("images", "artifacts_compared", 1, "it has no artifacts_compared"),
        ("blobs", "repository", "../x", "plan.blobs[0]: malformed repository name"),
        ("blobs", "mount_from", ["a//b"], "plan.blobs[0]: malformed repository name"),
        ("blobs", "blobs", [{"digest": "x", "size": 1}], "plan.blobs[0]: blobs[0]: "),
        ("blobs", "blobs", [{"digest": DIGEST, "size": -1}], "is negative or too large"),
        ("blobs", "blobs", [{"digest": DIGEST, "size": True}], "it has no size"),
        ("manifests", "source_repository", "A", "plan.manifests[0]: malformed repository name"),
        ("manifests", "digest", "sha256:1", "plan.manifests[0]: "),
        ("manifests", "content_base64", "e30=", "plan.manifests[0]: the manifest's bytes have the digest "),
        ("manifests", "content_base64", "ä", "plan.manifests[0]: content_base64 is no valid base64"),
        ("tags", "tag", "a/b", "plan.tags[0]: malformed tag"),
        ("tags", "previous_digest", "x", "plan.tags[0]: "),
        ("tags", "digest", "", "plan.tags[0]: "),
        ("images", "digest", "", "plan.images[0]: "),
        ("images", "source_digest", "x", "plan.images[0]: "),
        ("tags", "content_base64", "e30=", "plan.tags[0]: its content has the digest "),
        ("tags", "content_base64", 1, "plan.tags[0]: content_base64 is no valid base64"),
    ],
)
def test_names_and_digests_of_a_plan_are_checked(
    made: Plain, name: str, field: str, value: t.Any, sentence: str
) -> None:
    made[name][0][field] = value
    check_refused(made, sentence)
