# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import copy
import json
import re
import typing as t

import pytest
from ansible_collections.imageops.registry.plugins.module_utils._digest import compute_digest
from ansible_collections.imageops.registry.plugins.module_utils._errors import InvalidInput
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


def given(
    made: Plain, items: t.Sequence[ImageItem] = (), source: str = "dev.example", destination: str = "prod.example"
) -> Plain:
    return given_plan(made, items or ITEMS, FakeRegistry(source).client, FakeRegistry(destination).client)


def check_refused(made: Plain, sentence: str, *items: ImageItem, **ends: str) -> None:
    with pytest.raises(InvalidInput, match=re.escape(sentence)) as raised:
        given(made, items, **ends)
    assert raised.value.hint


def test_a_plan_is_taken_as_it_was_made(made: Plain) -> None:
    taken = given(made)
    for name in ("blobs", "manifests", "artifact_tags", "tags"):
        assert taken[name] == made[name]
    for image_taken, image_made in zip(taken["images"], made["images"]):
        assert image_taken.items() <= image_made.items()
    assert [entry["action"] for entry in taken["images"]] == ["promote", "missing"]


def test_nothing_of_a_plan_is_taken_but_what_it_has_to_have(made: Plain) -> None:
    made["blobs"][0]["blobs"][0].update(replace=True, action="upload")
    made["manifests"][0].update(replace="yes", more=1)
    made["tags"][0].update(summary={"digest": DIGEST}, more=1)
    taken = given(made)
    assert set(taken["blobs"][0]["blobs"][0]) == {"digest", "size", "replace"}
    assert "replace" not in taken["manifests"][0]
    assert set(taken["tags"][0]) == {"repository", "tag", "digest", "previous_digest", "content_base64", "summary"}


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
        ("manifests", "content_base64", "ä", "plan.manifests[0]: content_base64 is no valid base64"),
        ("tags", "tag", "a/b", "plan.tags[0]: malformed tag"),
        ("tags", "previous_digest", "x", "plan.tags[0]: "),
        ("tags", "content_base64", 1, "plan.tags[0]: content_base64 is no valid base64"),
    ],
)
def test_names_and_digests_of_a_plan_are_checked(
    made: Plain, name: str, field: str, value: t.Any, sentence: str
) -> None:
    made[name][0][field] = value
    check_refused(made, sentence)


@pytest.mark.parametrize(
    ("items", "ends", "sentence"),
    [
        (ITEMS[:1], {}, "plan is about 2 images, and images has 1"),
        (
            ITEMS[::-1],
            {},
            "plan.images[0]: it is about dev.example/team/app:1 to prod.example/team/app, and the task",
        ),
        (ITEMS, {"source": "another.example"}, "and the task about another.example/team/app:1 to prod.example"),
        (ITEMS, {"destination": "another.example"}, "to another.example/team/app"),
        ([ITEMS[0]._replace(tags=("1",)), ITEMS[1]], {}, "plan.images[0]: it has other tags than 1"),
        ([ITEMS[0]._replace(expected_digest=OTHER_DIGEST), ITEMS[1]], {}, f"expected_digest is {OTHER_DIGEST}"),
        ([ITEMS[0]._replace(expected_destination_digest=OTHER_DIGEST), ITEMS[1]], {}, "(expected_destination_digest)"),
    ],
)
def test_a_plan_for_something_else_is_refused(
    made: Plain, items: list[ImageItem], ends: dict[str, str], sentence: str
) -> None:
    check_refused(made, sentence, *items, **ends)


def test_a_plan_for_a_digest_has_to_promote_that(source: FakeRegistry, destination: FakeRegistry) -> None:
    item = ImageItem("team/app", digest=DIGEST, tags=("1",))
    comparisons = compare_images(source.client, destination.client, [item])
    made = plan(comparisons, source.client, destination.client, {})
    assert given(made, [item])["tags"] == made["tags"]
    made["images"][0]["source_digest"] = OTHER_DIGEST
    check_refused(made, f"it promotes {OTHER_DIGEST}, and digest is {DIGEST}", item)


@pytest.mark.parametrize("conditions", [{"on_conflict": "fail"}, {"on_conflict": "skip"}, {"immutable_tags": ("1",)}])
def test_a_plan_moves_no_tag_that_the_task_does_not_let_move(
    source: FakeRegistry, destination: FakeRegistry, conditions: Plain
) -> None:
    destination.add("team/app", image(annotations={"a": "b"}), "1")
    item = ITEMS[0]
    comparisons = compare_images(source.client, destination.client, [item])
    made = plan(comparisons, source.client, destination.client, {})
    assert given(made, [item])["tags"]
    strict = item._replace(**conditions)
    check_refused(made, "it moves the tag 1, which on_conflict or immutable_tags doesn't let move", strict)
    comparisons = compare_images(source.client, destination.client, [strict])
    same = plan(comparisons, source.client, destination.client, {})
    assert given(same, [strict])["images"][0]["action"] == same["images"][0]["action"]


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("tags", {"tag": "latest"}),
        ("tags", {"repository": "team/other"}),
        ("tags", {"digest": OTHER_DIGEST}),
        ("artifact_tags", {}),
    ],
)
def test_a_tag_that_no_image_moves_is_refused(made: Plain, name: str, change: Plain) -> None:
    made[name] = [{**copy.deepcopy(made["tags"][0]), **change}]
    check_refused(made, f"plan.{name}[0]: no image of the plan moves that tag")
