# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import re
import typing as t

import pytest
from ansible_collections.imageops.registry.plugins.module_utils._images._referrers import cosign_tags
from ansible_collections.imageops.registry.plugins.module_utils._model._digest import compute_digest
from ansible_collections.imageops.registry.plugins.module_utils._model._errors import AccessDenied, InvalidInput
from ansible_collections.imageops.registry.plugins.module_utils._model._manifest import Manifest
from ansible_collections.imageops.registry.plugins.module_utils._promotion._plain_shapes import HINT
from ansible_collections.imageops.registry.plugins.module_utils._promotion._plan import Plan
from ansible_collections.imageops.registry.plugins.module_utils._promotion._plan_as_plain import as_plain, from_plain
from ansible_collections.imageops.registry.tests.unit.support.documents import CONFIG, descriptor, encoded, image
from ansible_collections.imageops.registry.tests.unit.support.fake_registry import FakeRegistry
from ansible_collections.imageops.registry.tests.unit.support.promotions import image_item, plan_for

Plain = dict[str, t.Any]
DIGEST = compute_digest(encoded(image()))
OTHER_DIGEST = compute_digest(b"another")
ITEMS = [image_item("team/app", tag="1", tags=("1", "stable")), image_item("team/nothing", tag="1", tags=("1",))]
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
def made(source: FakeRegistry, destination: FakeRegistry) -> Plain:
    """What image_diff_info returns, as far as it is the plan, and more that it also returns."""
    planned = as_plain(plan_for(source, destination, *ITEMS))
    return {**t.cast(Plain, json.loads(json.dumps(planned))), "changed": False, "differs": True, "transfer": {}}


def taken(made: Plain) -> Plan:
    return from_plain(made, ITEMS, "dev.example", "prod.example")


def check_refused(made: Plain, sentence: str) -> str:
    """Refused with that sentence. Returns the advice."""
    with pytest.raises(InvalidInput, match=re.escape(sentence)) as raised:
        taken(made)
    assert raised.value.hint
    return raised.value.hint


def test_a_plan_is_taken_as_it_was_made(made: Plain) -> None:
    plan = taken(made)
    again = as_plain(plan)
    assert set(made) - set(again) == {"changed", "differs", "transfer"}
    assert again == {name: made[name] for name in again}
    assert [image.action for image in plan.images] == ["promote", "missing"]
    assert [image.item for image in plan.images] == ITEMS


def test_a_plan_is_the_same_behind_its_plain_data(source: FakeRegistry, destination: FakeRegistry) -> None:
    """Everything that plain data says comes back, and nothing is lost that is needed to carry it out."""
    source.add_blob(CONFIG, "team/app")
    source.add("team/app", image(layers=[descriptor(b"signature")]), cosign_tags(DIGEST)[0])
    destination.add("team/app", image(annotations={"before": "this"}), "stable", cosign_tags(DIGEST)[0])
    destination.add("team/there", image())
    destination.failing["HEAD team/failing 1"] = AccessDenied("the account may not do this")
    items = [
        ITEMS[0]._replace(artifacts=("all",)),
        ITEMS[0]._replace(destination_repository="team/there"),
        ITEMS[0]._replace(destination_repository="team/failing", expected_digest=DIGEST),
        ITEMS[0]._replace(destination_repository="team/other", expected_digest=OTHER_DIGEST),
    ]
    plan = plan_for(source, destination, *items, summaries=True)
    assert [one.action for one in plan.images] == ["promote", "promote", "failed", "refused"]
    assert plan.artifact_tags[0].previous_digest and plan.images[1].present == Manifest.parse(encoded(image()))
    again = from_plain(json.loads(json.dumps(as_plain(plan))), items, "dev.example", "prod.example")
    assert again.images == tuple(
        one._replace(artifacts=tuple(artifact._replace(media_type="") for artifact in one.artifacts))
        for one in plan.images
    )
    assert (again.blobs, again.tags, again.artifact_tags) == (plan.blobs, plan.tags, plan.artifact_tags)
    assert again.summaries == plan.summaries
    # What was just seen to be missing may be there by now.
    assert [one.just_missed for one in plan.manifests] == [True, False]
    assert [one.just_missed for one in again.manifests] == [False, False]
    assert [one.manifest.content for one in again.manifests] == [one.manifest.content for one in plan.manifests]


def test_without_contents_no_bytes_are_in_plain_data(source: FakeRegistry, destination: FakeRegistry) -> None:
    assert "content_base64" not in json.dumps(as_plain(plan_for(source, destination, *ITEMS), contents=False))


@pytest.mark.parametrize("replace", [True, False])
def test_what_is_to_be_replaced_is_kept_in_mind(made: Plain, replace: bool) -> None:
    for entry in (made["blobs"][0]["blobs"][0], made["manifests"][0]):
        entry["replace"] = replace
    plan = taken(made)
    assert plan.blobs[0].replace == ({made["blobs"][0]["blobs"][0]["digest"]} if replace else set())
    assert plan.manifests[0].replace is replace


def test_what_a_task_registers_beside_a_plan_is_left_out(made: Plain) -> None:
    more = {"failed": False, "warnings": ["?"], "failed_when_result": False, "attempts": 2, "gates": [], "diff": {}}
    assert as_plain(taken({**made, **more})) == as_plain(taken(made))


@pytest.mark.parametrize(
    ("wrong", "meant"), [("manifest", "manifests"), ("artefact_tags", "artifact_tags"), ("image", "images")]
)
def test_a_part_with_a_misspelt_name_is_pointed_out(made: Plain, wrong: str, meant: str) -> None:
    made[wrong] = made.pop(meant)
    assert check_refused(made, f"plan.{meant} is not a list") == f"'{wrong}' perhaps stands for {meant}"


@pytest.mark.parametrize(
    ("path", "wrong", "hint"),
    [
        (("images", 0), "destinatoin", "'destinatoin' perhaps stands for destination"),
        (("images", 0), "records", ""),
        (("images", 0, "tags", 0), "digest", ""),
        (("blobs", 0), "mounts_from", "'mounts_from' perhaps stands for mount_from"),
        (("blobs", 0, "blobs", 0), "action", ""),
        (("manifests", 0), "replaced", "'replaced' perhaps stands for replace"),
        (("tags", 0), "content_base46", "'content_base46' perhaps stands for content_base64"),
    ],
)
def test_a_key_that_nothing_reads_is_refused(made: Plain, path: tuple[t.Any, ...], wrong: str, hint: str) -> None:
    entry: t.Any = made
    for step in path:
        entry = entry[step]
    entry[wrong] = "x"
    told = check_refused(made, f"it has the unknown key '{wrong}'")
    assert told == (hint or HINT)


@pytest.mark.parametrize("action", ["copied", "listed", ""])
def test_an_artifact_is_not_left_behind_by_an_action_that_is_none(
    source: FakeRegistry, destination: FakeRegistry, action: str
) -> None:
    source.add_blob(CONFIG, "team/app")
    source.add("team/app", image(layers=[descriptor(b"signature")]), cosign_tags(DIGEST)[0])
    items = [ITEMS[0]._replace(artifacts=("all",))]
    made = as_plain(plan_for(source, destination, *items))
    made["images"][0]["artifacts"][0]["action"] = action
    made["artifact_tags"] = []
    sentence = f"plan.images[0]: artifacts[0]: '{action}' is not an action for an artifact"
    with pytest.raises(InvalidInput, match=re.escape(sentence)):
        from_plain(made, items, "dev.example", "prod.example")


def test_a_summary_says_nothing_else_than_a_diff_shows(made: Plain) -> None:
    right: Plain = {"media_type": "a/b", "platforms": ["linux/amd64"], "total_size": 3, "labels": {"a": "b"}}
    right["created"] = "2026-01-01T00:00:00Z"
    for summary, shown in (
        ({**right, "digest": OTHER_DIGEST, "more": 1}, {**right, "digest": DIGEST}),
        ({"labels": {"a": [[[]]]}, "platforms": "all", "total_size": "3", "created": 1}, {"digest": DIGEST}),
    ):
        for tag in made["tags"]:
            tag["summary"] = summary
        plan = taken(made)
        assert plan.summaries == {("team/app", "1"): shown, ("team/app", "stable"): shown}
        assert [tag["summary"] for tag in as_plain(plan)["tags"]] == [shown, shown]


@pytest.mark.parametrize(
    ("size", "is_shown"), [(0, True), (2**63 - 1, True), (2**63, False), (10**400, False), (-1, False), (True, False)]
)
def test_a_summary_has_only_a_size_that_an_image_may_have(made: Plain, size: int, is_shown: bool) -> None:
    for tag in made["tags"]:
        tag["summary"] = {"total_size": size}
    assert [("total_size" in shown) for shown in taken(made).summaries.values()] == [is_shown, is_shown]


def test_reasons_are_fit_for_a_screen(made: Plain) -> None:
    made["images"][1]["reason"] = "red \x1b[31m\r\n" + "x" * 3000
    reason = taken(made).images[1].reason
    assert reason.startswith("red  [31m x") and len(reason) == 2000


@pytest.mark.parametrize("name", sorted(DAMAGED_ENTRIES))
@pytest.mark.parametrize("entry", [None, "text", 1, [], {}])
def test_what_is_no_plan_is_told_with_its_place(made: Plain, name: str, entry: t.Any) -> None:
    check_refused({**made, name: [entry]}, DAMAGED_ENTRIES[name])
    check_refused({**made, name: entry if not isinstance(entry, list) else None}, f"plan.{name} is not a list")


@pytest.mark.parametrize(
    ("name", "field", "value", "sentence"),
    [
        ("images", "action", "push", "'push' is not an action for an image"),
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
        ("manifests", "content_base64", "ä", "plan.manifests[0]: content_base64 is not valid base64"),
        ("tags", "tag", "a/b", "plan.tags[0]: malformed tag"),
        ("tags", "previous_digest", "x", "plan.tags[0]: "),
        ("tags", "digest", "", "plan.tags[0]: "),
        ("images", "digest", "", "plan.images[0]: "),
        ("images", "source_digest", "x", "plan.images[0]: "),
        ("images", "exists", 1, "it has no exists, or another one"),
        ("manifests", "replace", "yes", "it has no replace, or another one"),
        ("tags", "summary", "x", "it has no summary, or another one"),
        ("tags", "content_base64", "e30=", "plan.tags[0]: the manifest's bytes have the digest "),
        ("tags", "content_base64", 1, "plan.tags[0]: content_base64 is not valid base64"),
    ],
)
def test_names_and_digests_of_a_plan_are_checked(
    made: Plain, name: str, field: str, value: t.Any, sentence: str
) -> None:
    made[name][0][field] = value
    check_refused(made, sentence)
