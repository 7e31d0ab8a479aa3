# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import base64
import copy
import json
import re
import typing as t

import pytest
from ansible_collections.imageops.registry.plugins.module_utils._images._referrers import cosign_tags
from ansible_collections.imageops.registry.plugins.module_utils._model._digest import compute_digest
from ansible_collections.imageops.registry.plugins.module_utils._model._errors import InvalidInput
from ansible_collections.imageops.registry.plugins.module_utils._model._manifest import OCI_MANIFEST
from ansible_collections.imageops.registry.plugins.module_utils._promotion._items import ImageItem
from ansible_collections.imageops.registry.plugins.module_utils._promotion._plan_as_plain import as_plain, from_plain
from ansible_collections.imageops.registry.plugins.module_utils._promotion._plan_conditions import check_conditions
from ansible_collections.imageops.registry.tests.unit.support.documents import CONFIG, descriptor, encoded, image, index
from ansible_collections.imageops.registry.tests.unit.support.fake_registry import FakeRegistry
from ansible_collections.imageops.registry.tests.unit.support.promotions import image_item, plan_for

Plain = dict[str, t.Any]
IMAGE = image()
DIGEST = compute_digest(encoded(IMAGE))
SIGNATURE = image(layers=[descriptor(b"signature")])
SIGNATURE_TAG = cosign_tags(DIGEST)[0]
SBOM = image(artifactType="application/spdx+json", subject=descriptor(encoded(IMAGE), OCI_MANIFEST))
EVIL = image(layers=[descriptor(b"evil")])
EVIL_DIGEST = compute_digest(encoded(EVIL))
ITEM = image_item("team/app", tag="1", tags=("1", "stable"), artifacts=("all",))
NOTHING = image_item("team/nothing", tag="1", tags=("1",))


@pytest.fixture
def source() -> FakeRegistry:
    registry = FakeRegistry("dev.example")
    registry.add("team/app", IMAGE, "1")
    registry.add("team/app", SIGNATURE, SIGNATURE_TAG)
    registry.add("team/app", SBOM)
    registry.add_blob(CONFIG, "team/app")
    return registry


@pytest.fixture
def destination() -> FakeRegistry:
    registry = FakeRegistry("prod.example")
    registry.add("team/app", image(annotations={"before": "this"}), "1", SIGNATURE_TAG)
    return registry


def made_for(source: FakeRegistry, destination: FakeRegistry, *items: ImageItem) -> Plain:
    return t.cast(Plain, json.loads(json.dumps(as_plain(plan_for(source, destination, *items)))))


@pytest.fixture
def made(source: FakeRegistry, destination: FakeRegistry) -> Plain:
    return made_for(source, destination, ITEM, NOTHING)


def check(
    made: Plain,
    items: t.Sequence[ImageItem] = (ITEM, NOTHING),
    source: str = "dev.example",
    destination: str = "prod.example",
) -> None:
    check_conditions(from_plain(made, items, source, destination))


def check_refused(made: Plain, sentence: str, *items: ImageItem, **ends: str) -> None:
    with pytest.raises(InvalidInput, match=re.escape(sentence)) as raised:
        check(made, items or (ITEM, NOTHING), **ends)
    assert raised.value.hint


def test_a_plan_for_these_images_is_right(made: Plain) -> None:
    assert len(made["manifests"]) == 3
    assert [tag["previous_digest"] == "" for tag in made["tags"]] == [False, True]
    assert len(made["artifact_tags"]) == 1
    check(made)


def test_a_plan_of_nothing_is_right(source: FakeRegistry, destination: FakeRegistry) -> None:
    destination.add("team/app", IMAGE, "1", "stable")
    made = made_for(source, destination, ITEM)
    assert made["tags"] == made["manifests"] == []
    check(made, [ITEM])


@pytest.mark.parametrize(
    "items",
    [
        [
            ITEM._replace(destination_repository="a/b"),
            ITEM._replace(destination_repository="a/b", tag="2", tags=("2",)),
        ],
        [ITEM._replace(mount_from=("base/image",)), ITEM._replace(destination_repository="other/app")],
        [image_item("team/app", digest=DIGEST)],
        [ITEM._replace(platforms=("linux/amd64",), tag="multi")],
        [ITEM._replace(platforms=("linux/amd64",), tag="multi", flatten=True)],
    ],
)
def test_whatever_was_planned_is_right(source: FakeRegistry, destination: FakeRegistry, items: list[ImageItem]) -> None:
    source.add("team/app", EVIL, "2")
    platform = {"os": "linux", "architecture": "amd64"}
    children = [descriptor(encoded(IMAGE), OCI_MANIFEST, platform=platform), descriptor(encoded(EVIL), OCI_MANIFEST)]
    source.add("team/app", index(*children), "multi")
    made = made_for(source, destination, *items)
    assert {entry["action"] for entry in made["images"]} == {"promote"}
    check(made, items)


def test_on_one_registry_blobs_are_mounted_from_the_repository_of_the_source(source: FakeRegistry) -> None:
    item = ITEM._replace(destination_repository="released/app", mount_from=("base/image",))
    made = made_for(source, source, item)
    check(made, [item], destination="dev.example")
    made["blobs"][0]["mount_from"].append("private/app")
    check_refused(
        made, "plan.blobs[0]: no image of the plan is copied from there to there", item, destination="dev.example"
    )


@pytest.mark.parametrize(
    ("items", "ends", "sentence"),
    [
        ([ITEM], {}, "plan is about 2 images, and images has 1"),
        (
            [NOTHING, ITEM],
            {},
            "plan.images[0]: it is about dev.example/team/app:1 to prod.example/team/app, and the task",
        ),
        ([ITEM, NOTHING], {"source": "x.example"}, "and the task about x.example/team/app:1 to prod.example"),
        ([ITEM, NOTHING], {"destination": "x.example"}, "to x.example/team/app"),
        ([ITEM._replace(tags=("1",)), NOTHING], {}, "plan.images[0]: it has other tags than 1"),
        ([ITEM._replace(expected_digest=EVIL_DIGEST), NOTHING], {}, f"expected_digest is {EVIL_DIGEST}"),
        ([ITEM._replace(expected_destination_digest=EVIL_DIGEST), NOTHING], {}, "(expected_destination_digest)"),
        ([ITEM._replace(expected_destination_digest=""), NOTHING], {}, "and no tag is expected"),
        ([ITEM._replace(on_conflict="fail"), NOTHING], {}, "its action for the tag 1 is replace"),
        ([ITEM._replace(on_conflict="skip"), NOTHING], {}, "its action for the tag 1 is replace"),
        ([ITEM._replace(immutable_tags=("1",)), NOTHING], {}, "its action for the tag 1 is replace"),
        (
            [ITEM._replace(immutable_tags=("sha256-.*",)), NOTHING],
            {},
            "may not move, by on_conflict and immutable_tags",
        ),
    ],
)
def test_a_plan_for_something_else_is_refused(
    made: Plain, items: list[ImageItem], ends: dict[str, str], sentence: str
) -> None:
    check_refused(made, sentence, *items, **ends)


def test_a_plan_for_a_digest_has_to_promote_that(source: FakeRegistry, destination: FakeRegistry) -> None:
    item = image_item("team/app", digest=DIGEST, tags=("1",))
    made = made_for(source, destination, item)
    check(made, [item])
    made["images"][0]["source_digest"] = EVIL_DIGEST
    check_refused(made, f"it promotes {EVIL_DIGEST}, and digest is {DIGEST}", item)


def test_no_other_digest_is_promoted_than_the_source_has(made: Plain) -> None:
    content = base64.b64encode(encoded(EVIL)).decode()
    made["images"][0]["digest"] = EVIL_DIGEST
    for tag in made["tags"]:
        tag.update(digest=EVIL_DIGEST, content_base64=content)
    check_refused(made, f"it promotes {EVIL_DIGEST}, a part of {DIGEST}, and the task has no platforms")


@pytest.mark.parametrize(
    "conditions", [{"immutable_tags": (".*",)}, {"on_conflict": "fail"}, {"expected_destination_digest": ""}]
)
def test_an_image_that_says_create_moves_no_tag_that_is_there(made: Plain, conditions: Plain) -> None:
    made["images"][0]["tags"][0].update(action="create", previous_digest="")
    made["artifact_tags"] = []
    check_refused(made, "plan.tags are others than", ITEM._replace(**conditions), NOTHING)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"digest": EVIL_DIGEST, "content_base64": None}, "plan.tags are others than those that plan.images says"),
        ({"tag": "latest"}, "plan.tags are others than those that plan.images says"),
        ({"repository": "team/other"}, "plan.tags are others than those that plan.images says"),
        ({"previous_digest": ""}, "plan.tags are others than those that plan.images says"),
    ],
)
def test_a_tag_that_no_image_moves_is_refused(made: Plain, change: Plain, sentence: str) -> None:
    made["tags"][0].update(change)
    check_refused(made, sentence)


@pytest.mark.parametrize("number", [0, 3])
def test_a_tag_that_is_left_out_or_given_twice_is_refused(made: Plain, number: int) -> None:
    made["tags"] = (made["tags"] * 2)[:number]
    check_refused(made, "plan.tags are others than those that plan.images says")


def test_what_is_not_promoted_moves_no_tag(made: Plain) -> None:
    made["images"][0]["action"] = "unchanged"
    check_refused(made, "plan.tags are others than those that plan.images says")
    made["tags"] = made["artifact_tags"] = []
    check_refused(made, "plan.images[0]: it moves tags, and its action is unchanged")


@pytest.mark.parametrize("change", [{"tag": "prod"}, {"digest": EVIL_DIGEST}, {"repository": "team/other"}])
def test_a_tag_of_an_artifact_is_one_of_the_images(made: Plain, change: Plain) -> None:
    made["artifact_tags"][0].update(change)
    made["artifact_tags"][0].pop("content_base64")
    check_refused(made, "plan.artifact_tags are others than those that plan.images says")


def test_a_tag_of_an_artifact_has_the_name_that_cosign_gives_it(made: Plain) -> None:
    for entry in (*made["artifact_tags"], *(entry for entry in made["images"][0]["artifacts"] if entry["tag"])):
        entry["tag"] = "prod"
    check_refused(
        made, f"plan.artifact_tags: prod.example/team/app:prod is not how cosign names what belongs to {DIGEST}"
    )


@pytest.mark.parametrize("times", [0, 2])
def test_a_tag_of_an_artifact_moves_once(made: Plain, times: int) -> None:
    made["artifact_tags"] *= times
    check_refused(made, "plan.artifact_tags are others than those that plan.images says")


def a_manifest(document: Plain, **changes: str) -> Plain:
    return {
        "repository": "team/app",
        "source_repository": "team/app",
        "digest": compute_digest(encoded(document)),
        "media_type": OCI_MANIFEST,
        "content_base64": base64.b64encode(encoded(document)).decode(),
        **changes,
    }


@pytest.mark.parametrize(
    "entry",
    [
        a_manifest(EVIL),
        a_manifest(IMAGE, repository="public/leak"),
        a_manifest(IMAGE, repository="team/nothing", source_repository="team/nothing"),
    ],
)
def test_no_other_manifest_is_pushed_than_those_of_the_images(made: Plain, entry: Plain) -> None:
    made["manifests"].append(entry)
    check_refused(made, "plan.manifests[3]: no image of the plan has it")


def test_no_manifest_is_read_from_another_repository(made: Plain) -> None:
    made["manifests"][0]["source_repository"] = "secret/app"
    check_refused(made, "plan.manifests[0]: no image of the plan has it")


def test_a_manifest_is_pushed_once(made: Plain) -> None:
    made["manifests"] *= 2
    check_refused(made, "plan.manifests has a manifest twice")


def test_a_referrer_is_one_of_the_subject_that_the_image_names(made: Plain) -> None:
    referrer = next(entry for entry in made["images"][0]["artifacts"] if not entry["tag"])
    referrer["subject"] = EVIL_DIGEST
    check_refused(made, "no image of the plan has it")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"repository": "public/leak"}, "plan.blobs[0]: no image of the plan is copied from there to there"),
        ({"source_repository": "secret/app"}, "plan.blobs[0]: no image of the plan is copied from there to there"),
        ({"mount_from": ["private/base"]}, "plan.blobs[0]: no image of the plan is copied from there to there"),
        ({"blobs": [{"digest": EVIL_DIGEST, "size": 1}]}, f"plan.blobs[0]: no image of the plan has {EVIL_DIGEST}"),
    ],
)
def test_no_other_blob_moves_than_those_of_the_images(made: Plain, change: Plain, sentence: str) -> None:
    made["blobs"][0].update(change)
    check_refused(made, sentence)


def test_a_blob_has_the_size_that_its_manifest_says(made: Plain) -> None:
    more = copy.deepcopy(made["blobs"][0])
    more["blobs"][0]["size"] += 1
    made["blobs"].append(more)
    check_refused(made, "plan.blobs[1]: no image of the plan has ")


@pytest.mark.parametrize("document", [SIGNATURE, SBOM])
def test_an_artifact_without_its_manifest_is_refused(made: Plain, document: Plain) -> None:
    """What a plan calls an artifact may be anything at the destination."""
    digest = compute_digest(encoded(document))
    made["manifests"] = [entry for entry in made["manifests"] if entry["digest"] != digest]
    check_refused(made, f"plan.manifests does not have the artifact prod.example/team/app@{digest}")
