# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.imageops.registry.plugins.module_utils._promotion._gates import read_gates
from ansible_collections.imageops.registry.plugins.module_utils._promotion._judging import Conditions
from ansible_collections.imageops.registry.plugins.module_utils._promotion._record import (
    OUTCOMES,
    TAG_ACTIONS,
    Record,
    encode_record,
)
from ansible_collections.imageops.registry.plugins.module_utils._promotion._record_reading import parse_record
from ansible_collections.imageops.registry.plugins.module_utils._promotion._recorded_images import (
    expected_size,
    outcome_of,
    recorded_images,
)
from ansible_collections.imageops.registry.tests.unit.support.every_record import every_record
from ansible_collections.imageops.registry.tests.unit.support.fake_registry import FakeRegistry
from ansible_collections.imageops.registry.tests.unit.support.promotions import BY_TAG, done, filled_source, plan_for
from ansible_collections.imageops.registry.tests.unit.support.records import APP, DONE, EQUAL, FAILED

EVERY = every_record()


@pytest.mark.parametrize("record", EVERY, ids=lambda record: f"{record.outcome} {record.images[0].reference}")
def test_what_is_written_is_read(record: Record) -> None:
    assert parse_record(encode_record(record)) == record


def test_every_action_and_outcome_is_among_them() -> None:
    assert {record.outcome for record in EVERY} == set(OUTCOMES)
    assert {tag.action for record in EVERY for image in record.images for tag in image.tags} == set(TAG_ACTIONS)
    assert {record.outcome for record in EVERY if record.reverts} == {"done"}
    assert {record.outcome for record in EVERY if record.not_reverted} == {"failed"}


def test_what_is_promoted_in_part_says_what_the_source_serves() -> None:
    (image,) = (one for one in EVERY[-1].images if [tag.tag for tag in one.tags] == ["amd64"])
    assert image.digest != image.source_digest


def test_the_room_that_is_taken_is_enough() -> None:
    source, destination = filled_source(), FakeRegistry("prod.example")
    gates = read_gates([{"name": "g", "that": "`true`", "msg": "m" * 300, "severity": "error", "repositories": None}])
    plan = plan_for(source, destination, *[BY_TAG] * 50, conditions=Conditions(gates))
    images = recorded_images(plan, done(plan))
    written = len(encode_record(DONE._replace(images=images), indent=1))
    assert written < expected_size(plan) < 4 * written


@pytest.mark.parametrize(
    ("actions", "all_or_nothing", "outcome"),
    [
        (["create", "replace", "exists", "skip"], True, "done"),
        (["reverted", "failed"], True, "reverted"),
        (["failed"], True, "reverted"),
        (["reverted", "failed", "create"], True, "failed"),
        (["reverted", "replace"], True, "failed"),
        (["failed", "create"], False, "failed"),
        (["failed"], False, "failed"),
    ],
)
def test_how_it_ended_is_told_by_the_tags(actions: list[str], all_or_nothing: bool, outcome: str) -> None:
    tags = tuple(APP.tags[0]._replace(action=action) for action in actions)
    record = DONE._replace(images=(EQUAL, APP._replace(tags=tags)))
    assert outcome_of(record, all_or_nothing=all_or_nothing) == outcome


def test_a_tag_that_could_not_go_back_is_no_promotion_that_is_back() -> None:
    """Also where it isn't sure that the tag had moved, and it counts as failed."""
    image = APP._replace(tags=(APP.tags[0]._replace(action="failed"),))
    assert outcome_of(FAILED._replace(images=(image,)), all_or_nothing=True) == "failed"


@pytest.mark.parametrize("action", ["missing", "refused", "failed"])
def test_an_image_that_was_not_promoted_is_no_promotion_that_is_done(action: str) -> None:
    record = DONE._replace(images=(APP, EQUAL._replace(action=action, tags=())))
    assert outcome_of(record, all_or_nothing=False) == "failed"
