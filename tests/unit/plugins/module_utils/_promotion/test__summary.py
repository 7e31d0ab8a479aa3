# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import dataclasses
import typing as t

import pytest
from ansible_collections.imageops.registry.plugins.module_utils._images._referrers import cosign_tags
from ansible_collections.imageops.registry.plugins.module_utils._model._errors import ConnectionFailed
from ansible_collections.imageops.registry.plugins.module_utils._promotion._outcomes import Outcomes, Part
from ansible_collections.imageops.registry.plugins.module_utils._promotion._plan import Plan
from ansible_collections.imageops.registry.plugins.module_utils._promotion._result import result_of
from ansible_collections.imageops.registry.tests.unit.support.documents import CONFIG, DIGEST, LAYER, image
from ansible_collections.imageops.registry.tests.unit.support.fake_registry import FakeRegistry
from ansible_collections.imageops.registry.tests.unit.support.promotions import (
    BY_TAG,
    IMAGE,
    IMAGE_DIGEST,
    INDEX_DIGEST,
    OTHER_DIGEST,
    done,
    failing,
    image_item,
    plan_for,
)

Plain = dict[str, t.Any]


def reasons(summary: Plain) -> list[tuple[str, str]]:
    return [(one["action"], one["reason"]) for one in summary["images"]]


def test_a_promotion_that_went_well(both: Plan) -> None:
    result = result_of(both, done(both))
    assert result["changed"] is True
    assert reasons(result) == [("promote", ""), ("promote", "")]
    assert [tag["tag"] for tag in result["tags"]] == ["multi", "1"]
    assert result["given_up"] == result["artifact_tags"] == []
    app, api = result["images"]
    assert (app["reference"], app["destination"], app["digest"]) == (
        "dev.example/team/app:multi",
        "prod.example/team/app",
        INDEX_DIGEST,
    )
    assert (app["blobs_uploaded"], api["blobs_uploaded"]) == (3, 3)
    assert app["bytes_uploaded"] == len(CONFIG) + len(LAYER) + len(b"another layer")
    assert api["tags"] == [{"tag": "1", "previous_digest": "", "action": "create"}]


def test_nothing_to_do_is_no_change(source: FakeRegistry, destination: FakeRegistry) -> None:
    destination.add("team/app", IMAGE, "1", "stable")
    plan = plan_for(source, destination, BY_TAG)
    result = result_of(plan, Outcomes())
    assert result["changed"] is False
    assert reasons(result) == [("unchanged", "")]
    (one,) = result["images"]
    assert {one[f"{unit}_{way}"] for unit in ("blobs", "bytes") for way in ("uploaded", "skipped")} == {0}


def test_what_was_there_when_it_was_to_be_done_is_no_change(source: FakeRegistry, destination: FakeRegistry) -> None:
    plan = plan_for(source, destination, BY_TAG)
    well = done(plan)
    outcomes = Outcomes(
        Part(tuple(blob._replace(action="exists") for blob in well.blobs.done)),
        Part(tuple(manifest._replace(action="exists") for manifest in well.manifests.done)),
        tags=Part(tuple(tag._replace(action="exists") for tag in well.tags.done)),
    )
    assert not outcomes.changed and reasons(result_of(plan, outcomes)) == [("unchanged", "")]
    for name, action in (("blobs", "mount"), ("manifests", "push"), ("tags", "create")):
        part = getattr(outcomes, name)
        assert dataclasses.replace(outcomes, **{name: Part((part.done[0]._replace(action=action),))}).changed
    listed = Part((outcomes.manifests.done[0]._replace(referrers_tag="sha256-0"),))
    assert dataclasses.replace(outcomes, manifests=listed).changed


def test_what_was_tried_in_vain_is_told(both: Plan) -> None:
    outcomes = done(both)
    blob, manifest = outcomes.blobs.done[0], outcomes.manifests.done[-1]
    outcomes.blobs = Part((blob._replace(given_up=("No mount.",)), *outcomes.blobs.done[1:]))
    outcomes.manifests = Part((manifest._replace(given_up=("No HEAD.",), uploaded_again=(DIGEST,)),))
    again = f"The registry said that it has {DIGEST}, but refused the manifest without it; it was uploaded again."
    assert result_of(both, outcomes)["given_up"] == [
        {"repository": "team/app", "digest": blob.digest, "given_up": ["No mount."]},
        {"repository": "team/api", "digest": OTHER_DIGEST, "given_up": ["No HEAD.", again]},
    ]


def test_a_shared_blob_counts_for_the_first_image_that_needs_it(
    source: FakeRegistry, destination: FakeRegistry
) -> None:
    plan = plan_for(source, destination, BY_TAG, image_item("team/app", tag="2", tags=("2",)))
    first, second = result_of(plan, done(plan))["images"]
    assert (first["blobs_uploaded"], first["blobs_skipped"]) == (2, 0)
    assert (second["blobs_uploaded"], second["blobs_skipped"]) == (1, 2)
    assert second["bytes_skipped"] == len(CONFIG) + len(LAYER)


@pytest.mark.parametrize(
    ("action", "way"),
    [
        ("upload", "uploaded"),
        ("mount_or_upload", "uploaded"),
        ("mount", "mounted"),
        ("exists", "skipped"),
        ("x", "skipped"),
    ],
)
def test_blobs_are_summed_by_what_was_done(
    source: FakeRegistry, destination: FakeRegistry, action: str, way: str
) -> None:
    plan = plan_for(source, destination, BY_TAG)
    blobs = tuple(blob._replace(action=action) for blob in done(plan).blobs.done)
    (one,) = result_of(plan, done(plan, blobs=Part(blobs)))["images"]
    assert {name for name, amount in one.items() if name.startswith(("blobs_", "bytes_")) and amount} == {
        f"blobs_{way}",
        f"bytes_{way}",
    }


def test_blobs_that_were_never_looked_at_are_not_counted(source: FakeRegistry, destination: FakeRegistry) -> None:
    (one,) = result_of(plan_for(source, destination, BY_TAG), Outcomes())["images"]
    assert (one["action"], one["blobs_skipped"], one["bytes_skipped"]) == ("failed", 0, 0)


@pytest.mark.parametrize("digest", [DIGEST, IMAGE_DIGEST, INDEX_DIGEST])
@pytest.mark.parametrize("part", ["blobs", "manifests", "unverified"])
def test_an_image_of_which_a_part_failed_has_failed(both: Plan, digest: str, part: str) -> None:
    failed = failing("team/app", digest)
    well = done(both)
    outcomes = done(both, **{part: failed if part == "unverified" else Part(getattr(well, part).done, failed)})
    result = result_of(both, outcomes)
    assert reasons(result) == [("failed", str(failed[0].error)), ("promote", "")]
    assert result["changed"] is True


def test_a_tag_that_failed_is_named_and_another_tag_on_the_digest_is_not(
    source: FakeRegistry, destination: FakeRegistry
) -> None:
    source.add("team/app", IMAGE, "1", "latest")
    items = [image_item("team/app", tag="1", tags=("1",)), image_item("team/app", tag="latest", tags=("latest",))]
    plan = plan_for(source, destination, *items)
    failed = failing("team/app", IMAGE_DIGEST, "latest")
    outcomes = done(plan, tags=Part(done(plan).tags.done[:1], failed))
    assert reasons(result_of(plan, outcomes)) == [("promote", ""), ("failed", str(failed[0].error))]


def test_what_was_refused_again_has_failed_with_that_reason(both: Plan) -> None:
    outcomes = done(both, refused={both.images[1].way: "it points to something else"})
    assert reasons(result_of(both, outcomes)) == [("promote", ""), ("failed", "it points to something else")]


def test_what_was_refused_again_in_one_of_two_repositories_has_failed_there(
    source: FakeRegistry, destination: FakeRegistry
) -> None:
    plan = plan_for(source, destination, BY_TAG._replace(destination_repository="elsewhere"), BY_TAG)
    outcomes = done(plan, refused={plan.images[1].way: "no"})
    assert reasons(result_of(plan, outcomes)) == [("promote", ""), ("failed", "no")]


def test_a_tag_that_was_not_moved_has_failed(both: Plan) -> None:
    assert reasons(result_of(both, done(both, tags=Part(done(both).tags.done[1:])))) == [
        ("failed", "prod.example/team/app:multi was not moved"),
        ("promote", ""),
    ]


def test_an_artifact_that_was_not_tagged_fails_its_image(source: FakeRegistry, destination: FakeRegistry) -> None:
    tag = cosign_tags(IMAGE_DIGEST)[0]
    source.add("team/app", image(annotations={"a": "signature"}), tag)
    plan = plan_for(source, destination, BY_TAG._replace(artifacts=("all",)))
    assert reasons(result_of(plan, done(plan))) == [("promote", "")]
    assert reasons(result_of(plan, done(plan, artifact_tags=Part()))) == [
        ("failed", f"prod.example/team/app:{tag} was not tagged")
    ]


def test_what_was_not_to_be_promoted_keeps_its_action_and_reason(
    source: FakeRegistry, destination: FakeRegistry
) -> None:
    destination.failing["HEAD team/app 3"] = ConnectionFailed("no answer")
    plan = plan_for(
        source,
        destination,
        image_item("team/app", tag="9", tags=("9",)),
        image_item("team/app", tag="1", tags=("3",)),
        BY_TAG._replace(expected_digest=DIGEST),
    )
    told = reasons(result_of(plan, Outcomes()))
    assert told == [(image.action, image.reason) for image in plan.images]
    assert [action for action, _reason in told] == ["missing", "failed", "refused"]
