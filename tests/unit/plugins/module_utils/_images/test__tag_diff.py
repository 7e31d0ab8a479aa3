# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import threading

import pytest
from ansible_collections.imageops.registry.plugins.module_utils._images._tag_diff import describe_tags, tag_diff
from ansible_collections.imageops.registry.plugins.module_utils._images._tagging import TagOutcome
from ansible_collections.imageops.registry.plugins.module_utils._model._actions import CREATE, DELETE, EXISTS
from ansible_collections.imageops.registry.plugins.module_utils._model._digest import compute_digest
from ansible_collections.imageops.registry.plugins.module_utils._model._errors import (
    AccessDenied,
    ConnectionFailed,
    RegistryError,
)
from ansible_collections.imageops.registry.plugins.module_utils._model._manifest import Manifest
from ansible_collections.imageops.registry.tests.unit.support.documents import CONFIG, image
from ansible_collections.imageops.registry.tests.unit.support.fake_registry import FakeRegistry

PLACES = [("a", "1"), ("a", "2"), ("b", "1")]


class MeetingRegistry(FakeRegistry):
    """Answers when so many requests for manifests are there as it takes at a time."""

    def __init__(self, jobs: int) -> None:
        super().__init__(jobs=jobs)
        self.meeting = threading.Barrier(jobs, timeout=20)

    def get_manifest(self, repository: str, reference: str, media_type: str = "") -> Manifest:
        self.meeting.wait()
        return super().get_manifest(repository, reference, media_type)


def test_tags_are_described_as_many_at_a_time_as_the_registry_takes() -> None:
    registry = MeetingRegistry(jobs=len(PLACES))
    registry.add_blob(CONFIG, "a")
    manifest = registry.add("a", image(), "1", "2")
    found = describe_tags(registry, PLACES)
    assert list(found) == PLACES
    assert [found[place].get("digest") for place in PLACES] == [manifest.digest, manifest.digest, None]


def test_the_first_error_in_their_order_is_raised() -> None:
    registry = FakeRegistry(jobs=3)
    first, second = AccessDenied("first"), AccessDenied("second")
    registry.failing = {"GET a 2": first, "GET b 1": second}
    with pytest.raises(RegistryError) as caught:
        describe_tags(registry, PLACES)
    assert caught.value is first


def test_rows_are_of_tags_that_move_and_ask_only_for_what_is_not_known() -> None:
    registry = FakeRegistry(jobs=2)
    registry.add_blob(CONFIG, "a")
    there = registry.add("a", image())
    absent = "sha256:" + "0" * 64
    outcomes = [
        TagOutcome("a", "1", there.digest, "", CREATE),
        TagOutcome("a", "2", there.digest, "", CREATE),
        TagOutcome("a", "3", there.digest, "", CREATE),
        TagOutcome("a", "4", absent, "", CREATE),
        TagOutcome("a", "5", "", there.digest, DELETE),
        TagOutcome("a", "6", there.digest, there.digest, EXISTS),
    ]
    before = {(one.repository, one.tag): {"before": one.tag} for one in outcomes}
    rows = tag_diff(registry, outcomes, before, {("a", "1"): {"digest": "known"}, ("a", "2"): None})
    assert [row["after_header"] for row in rows] == [f"r.example/a:{tag}" for tag in "12345"]
    assert [row["before"] for row in rows] == [{"before": tag} for tag in "12345"]
    after = [row["after"].get("digest") for row in rows]
    assert after == ["known", there.digest, there.digest, absent, None]
    assert sorted(registry.calls) == sorted(f"GET a {one}" for one in (there.digest, absent, compute_digest(CONFIG)))


def test_what_can_not_be_read_after_a_move_is_its_digest() -> None:
    registry = FakeRegistry()
    digest = "sha256:" + "1" * 64
    registry.failing[f"GET a {digest}"] = ConnectionFailed("it broke")
    (row,) = tag_diff(registry, [TagOutcome("a", "1", digest, "", CREATE)], {("a", "1"): {}}, {})
    assert (row["before"], row["after"]) == ({}, {"digest": digest})
