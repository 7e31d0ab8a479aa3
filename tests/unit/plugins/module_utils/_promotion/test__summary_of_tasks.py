# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.imageops.registry.plugins.module_utils._images._referrers import cosign_tags
from ansible_collections.imageops.registry.plugins.module_utils._model._manifest import OCI_MANIFEST
from ansible_collections.imageops.registry.plugins.module_utils._promotion._items import ImageItem
from ansible_collections.imageops.registry.plugins.module_utils._promotion._outcomes import Outcomes
from ansible_collections.imageops.registry.plugins.module_utils._promotion._plan import Plan
from ansible_collections.imageops.registry.plugins.module_utils._promotion._plan_as_plain import as_plain
from ansible_collections.imageops.registry.plugins.module_utils._promotion._recorded import NOT_RECORDED
from ansible_collections.imageops.registry.plugins.module_utils._promotion._result import result_of
from ansible_collections.imageops.registry.plugins.module_utils._promotion._summary_of_tasks import (
    stats_of,
    summary_of_tasks,
)
from ansible_collections.imageops.registry.tests.unit.support.documents import descriptor, image
from ansible_collections.imageops.registry.tests.unit.support.fake_registry import FakeRegistry
from ansible_collections.imageops.registry.tests.unit.support.promotions import (
    BY_TAG,
    IMAGE,
    IMAGE_BYTES,
    IMAGE_DIGEST,
    image_item,
    plan_for,
)

Plain = dict[str, t.Any]


@pytest.fixture
def compared(both: Plan) -> Plain:
    """The result of image_diff_info."""
    return {**as_plain(both), "changed": False, "transfer": {"requests": 3, "retries": 1}}


def test_what_one_task_copied_is_told_as_that_task_tells_it(compared: Plain) -> None:
    image_told = {"action": "promote", "reason": "", "gates": [], "verified": None, "signatures": []}
    record = {"path": "/records/a.promotion.json", "outcome": "done", "finished": []}
    copied = {"changed": True, "images": [image_told], "record": record, "transfer": {"requests": 4}, "failures": []}
    # The comparison has judged.
    judged = {"gates": [{"name": "a gate"}], "verified": True, "signatures": [{"verified": True}]}
    compared["images"][0].update(judged)
    told = summary_of_tasks(compared, copied)
    images = [{**image_told, **judged}]
    assert told == {
        "changed": True,
        "images": images,
        "replaced_tags": [],
        "not_reverted": [],
        "record": record,
        "transfer": {"requests": 7, "retries": 1},
    }


def told_by_task(plan: Plan) -> list[Plain]:
    """The images of a plan that came to nothing, as image_copy returns them."""
    return [{**image, "record_attached": None} for image in result_of(plan, Outcomes())["images"]]


@pytest.mark.parametrize("copied", [{}, {"skipped": True, "msg": "not needed"}, {"msg": "it broke", "failed": True}])
def test_what_no_task_copied_is_told_by_the_plan(both: Plan, compared: Plain, copied: Plain) -> None:
    told = summary_of_tasks(compared, copied)
    reasons = [image["reason"] for image in told["images"]]
    if copied.get("failed"):
        assert reasons == ["it broke", "it broke"]
    else:
        assert reasons == ["prod.example/team/app:multi was not moved", "prod.example/team/api:1 was not moved"]
        # As the task itself would have told it, had it come to nothing.
        assert told["images"] == told_by_task(both)
    assert [image["action"] for image in told["images"]] == ["failed", "failed"]
    assert told["changed"] is False
    assert told["record"] == {"path": None, "outcome": None, "finished": []}


@pytest.mark.parametrize(
    "item",
    [
        BY_TAG._replace(artifacts=("all",)),
        image_item("team/app", digest=IMAGE_DIGEST),
        image_item("team/app", digest=IMAGE_DIGEST, artifacts=("all",)),
        image_item("team/app", tag="9", tags=("9",)),
    ],
)
@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("standing", [False, True])
def test_what_no_task_copied_is_told_as_the_task_would_tell_it(
    source: FakeRegistry, destination: FakeRegistry, item: ImageItem, signed: bool, standing: bool
) -> None:
    source.add("team/app", image(subject=descriptor(IMAGE_BYTES, OCI_MANIFEST), artifactType="a/b"))
    if signed:
        source.add("team/app", image(annotations={"a": "signature"}), cosign_tags(IMAGE_DIGEST)[0])
    if standing:
        destination.add("team/app", IMAGE, "1")
    plan = plan_for(source, destination, item)
    assert summary_of_tasks(as_plain(plan), {})["images"] == told_by_task(plan)


def test_a_number_that_ansible_has_damaged_counts_as_nothing(compared: Plain) -> None:
    copied = {"transfer": {"requests": "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER", "retries": 2}, "images": []}
    assert summary_of_tasks(compared, copied)["transfer"] == {"requests": 3, "retries": 3}


def test_a_damaged_changed_is_no_change(compared: Plain) -> None:
    assert summary_of_tasks(compared, {"changed": "********"})["changed"] is False


@pytest.mark.parametrize("plan", [{}, {"failed": True, "msg": "timed out"}, {"failed": False, "msg": "no login"}])
def test_without_a_plan_nothing_was_done_whatever_an_earlier_promotion_copied(plan: Plain) -> None:
    earlier = {"changed": True, "images": [{"action": "promote"}], "transfer": {"requests": 4}}
    nothing = {"path": None, "outcome": None, "finished": []}
    assert summary_of_tasks(plan, earlier) == {
        "changed": False,
        "images": [],
        "replaced_tags": [],
        "not_reverted": [],
        "record": nothing,
        "transfer": {},
    }


def test_what_is_no_plan_has_no_summary() -> None:
    with pytest.raises(KeyError):
        summary_of_tasks({"blobs": []}, {})


RECORDED = {"path": "/records/1.promotion.json", "outcome": "done", "finished": []}


def test_with_a_plan_that_was_given_the_copy_says_everything(source: FakeRegistry, destination: FakeRegistry) -> None:
    plan = plan_for(source, destination, BY_TAG)
    copied = {**result_of(plan, Outcomes()), "changed": True, "record": RECORDED, "transfer": {"requests": 9}}
    summary = summary_of_tasks({"skipped": True, "changed": False}, copied)
    tags: Plain = {"replaced_tags": [], "not_reverted": []}
    done = {"images": copied["images"], "record": RECORDED, "transfer": {"requests": 9}}
    assert summary == {"changed": True, **done, **tags}
    failed = summary_of_tasks({"skipped": True}, {"failed": True, "msg": "no plan", "changed": False})
    assert failed == {"changed": False, "images": [], "record": NOT_RECORDED, "transfer": {}, **tags}


def test_the_next_job_is_told_what_is_served_and_what_was_before() -> None:
    tags = [
        {"tag": "1", "previous_digest": "", "action": "create"},
        {"tag": "stable", "previous_digest": "sha256:old", "action": "replace"},
        {"tag": "same", "previous_digest": "sha256:new", "action": "exists"},
    ]
    image = {"destination": "prod.example/team/app", "digest": "sha256:new", "tags": tags, "action": "promote"}
    others = [{**image, "action": name} for name in ("unchanged", "skip", "missing", "refused", "failed")]
    stats = stats_of({"changed": True, "images": [image, *others], "record": RECORDED, "transfer": {}})
    assert stats == {
        "changed": True,
        "record": "/records/1.promotion.json",
        "images": [
            {
                "destination": "prod.example/team/app",
                "digest": "sha256:new",
                "action": action,
                "tags": ["1", "stable", "same"],
                "previous_digests": {"stable": "sha256:old"},
            }
            for action in ("promote", "unchanged")
        ],
    }
