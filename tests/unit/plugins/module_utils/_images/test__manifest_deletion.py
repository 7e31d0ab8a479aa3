# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.imageops.registry.plugins.module_utils._end._referrers import referrers_tag
from ansible_collections.imageops.registry.plugins.module_utils._images._manifest_deletion import delete_manifests
from ansible_collections.imageops.registry.plugins.module_utils._images._manifest_push import (
    ManifestItem,
    ManifestOutcome,
    push_manifests,
)
from ansible_collections.imageops.registry.plugins.module_utils._model._digest import compute_digest
from ansible_collections.imageops.registry.plugins.module_utils._model._errors import AccessDenied, Unsupported
from ansible_collections.imageops.registry.plugins.module_utils._model._manifest import OCI_MANIFEST
from ansible_collections.imageops.registry.tests.unit.support.documents import descriptor, encoded, image
from ansible_collections.imageops.registry.tests.unit.support.fake_registry import FakeRegistry

IMAGE = encoded(image())
IMAGE_DIGEST = compute_digest(IMAGE)
REFERRER = encoded(image(artifactType="application/spdx+json", subject=descriptor(IMAGE, OCI_MANIFEST)))
REFERRER_DIGEST = compute_digest(REFERRER)
LIST_TAG = referrers_tag(IMAGE_DIGEST)


@pytest.mark.parametrize("check", [True, False])
def test_manifests_are_deleted_where_they_are(check: bool) -> None:
    registry = FakeRegistry()
    manifest = registry.add("a", image(), "1", "2")
    outcomes = delete_manifests(registry.client, [("a", IMAGE_DIGEST), ("b", IMAGE_DIGEST)], check=check)
    assert outcomes == [
        ManifestOutcome("a", IMAGE_DIGEST, OCI_MANIFEST, len(IMAGE), "delete"),
        ManifestOutcome("b", IMAGE_DIGEST, "", 0, "absent"),
    ]
    assert registry.manifests == ({("a", name): manifest for name in (IMAGE_DIGEST, "1", "2")} if check else {})
    assert registry.writes == ([] if check else [f"DELETE a {IMAGE_DIGEST}"])


def test_a_delete_after_which_the_manifest_is_still_there_is_an_error() -> None:
    registry = FakeRegistry()
    digest = registry.add("a", image()).digest
    registry.delete_manifest = lambda repository, reference: False
    (outcome,) = delete_manifests(registry.client, [("a", digest)], check=False)
    assert isinstance(outcome, Unsupported)
    assert str(outcome).startswith(f"Cannot delete r.example/a@{digest}: the registry answers that it is not there")


def test_a_delete_that_is_not_allowed_is_an_outcome() -> None:
    registry = FakeRegistry()
    registry.add("a", image())
    registry.failing[f"DELETE a {IMAGE_DIGEST}"] = Unsupported("deletes are off")
    assert isinstance(delete_manifests(registry.client, [("a", IMAGE_DIGEST)], check=False)[0], Unsupported)


def test_a_referrer_that_was_deleted_leaves_the_list() -> None:
    registry = FakeRegistry()
    registry.referrers_api = False
    push_manifests(registry.client, [ManifestItem("a", REFERRER_DIGEST, content=REFERRER)], None, check=False)
    delete_manifests(registry.client, [("a", REFERRER_DIGEST)], check=True)
    assert len(registry.manifests["a", LIST_TAG].children()) == 1
    delete_manifests(registry.client, [("a", REFERRER_DIGEST)], check=False)
    assert registry.manifests["a", LIST_TAG].children() == []


def test_several_referrers_that_are_deleted_leave_the_list_at_once() -> None:
    registry = FakeRegistry(jobs=4)
    registry.referrers_api = False
    others = [
        encoded(image(artifactType=f"a/{number}", subject=descriptor(IMAGE, OCI_MANIFEST))) for number in range(3)
    ]
    items = [ManifestItem("a", compute_digest(content), content=content) for content in others]
    push_manifests(registry.client, items, None, check=False)
    registry.calls.clear()
    outcomes = delete_manifests(registry.client, [("a", item.digest) for item in items], check=False)
    assert [outcome.referrers_tag for outcome in outcomes if isinstance(outcome, ManifestOutcome)] == [LIST_TAG] * 3
    assert registry.manifests["a", LIST_TAG].children() == []
    assert [call for call in registry.writes if call.startswith("PUT")] == [f"PUT a {LIST_TAG}"]


def test_a_list_that_can_not_be_written_does_not_hide_the_delete() -> None:
    registry = FakeRegistry()
    registry.referrers_api = False
    push_manifests(registry.client, [ManifestItem("a", REFERRER_DIGEST, content=REFERRER)], None, check=False)
    registry.failing[f"PUT a {LIST_TAG}"] = AccessDenied("no")
    (outcome,) = delete_manifests(registry.client, [("a", REFERRER_DIGEST)], check=False)
    assert isinstance(outcome, ManifestOutcome)
    assert (outcome.action, outcome.referrers_tag, len(outcome.given_up)) == ("delete", "", 1)
