# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.imageops.registry.plugins.module_utils._digest import compute_digest
from ansible_collections.imageops.registry.plugins.module_utils._errors import Conflict, ReferencesMissing
from ansible_collections.imageops.registry.plugins.module_utils._manifest import OCI_INDEX, OCI_MANIFEST, Manifest
from ansible_collections.imageops.registry.plugins.module_utils._referrers_index import (
    list_under_subject,
    unlist_from_subject,
)
from ansible_collections.imageops.registry.plugins.module_utils._registry import referrers_tag
from ansible_collections.imageops.registry.tests.unit.support.documents import descriptor, encoded, image, index
from ansible_collections.imageops.registry.tests.unit.support.fake_registry import FakeRegistry

IMAGE = image()
SUBJECT = compute_digest(encoded(IMAGE))
TAG = referrers_tag(SUBJECT)
SPDX = "application/spdx+json"
ONE = Manifest.parse(
    encoded(image(artifactType=SPDX, subject=descriptor(encoded(IMAGE), OCI_MANIFEST), annotations={"a": "b"}))
)
TWO = Manifest.parse(encoded(image(subject=descriptor(encoded(IMAGE), OCI_MANIFEST))))


@pytest.fixture
def registry() -> FakeRegistry:
    fake = FakeRegistry()
    fake.referrers_api = False
    return fake


def listed(registry: FakeRegistry) -> list[str]:
    return [child.digest for child in registry.manifests["team/app", TAG].children()]


def keep(registry: FakeRegistry, *manifests: Manifest, check: bool = False) -> set[str]:
    return list_under_subject(registry.client, "team/app", SUBJECT, manifests, check=check)


def test_a_list_begins_with_what_refers_first(registry: FakeRegistry) -> None:
    assert keep(registry, ONE, TWO) == {ONE.digest, TWO.digest}
    written = registry.manifests["team/app", TAG].document
    assert written["mediaType"] == OCI_INDEX
    assert written["manifests"] == [
        {
            "mediaType": OCI_MANIFEST,
            "digest": ONE.digest,
            "size": ONE.size,
            "artifactType": SPDX,
            "annotations": {"a": "b"},
        },
        {
            "mediaType": OCI_MANIFEST,
            "digest": TWO.digest,
            "size": TWO.size,
            "artifactType": "application/vnd.oci.image.config.v1+json",
        },
    ]


def test_what_others_listed_stays(registry: FakeRegistry) -> None:
    others = index(descriptor(b"theirs", OCI_MANIFEST, artifactType="x/y"), annotations={"kept": "yes"})
    registry.add("team/app", others, TAG)
    keep(registry, ONE)
    written = registry.manifests["team/app", TAG].document
    assert written["manifests"][0] == others["manifests"][0]
    assert written["annotations"] == {"kept": "yes"}
    assert listed(registry) == [compute_digest(b"theirs"), ONE.digest]


def test_what_is_listed_is_not_written_again(registry: FakeRegistry) -> None:
    keep(registry, ONE)
    registry.calls.clear()
    assert keep(registry, ONE) == set()
    assert registry.writes == []


def test_a_registry_with_the_api_keeps_its_own_list(registry: FakeRegistry) -> None:
    registry.referrers_api = True
    assert keep(registry, ONE) == set()
    assert registry.writes == []


def test_check_mode_only_looks(registry: FakeRegistry) -> None:
    assert keep(registry, ONE, check=True) == {ONE.digest}
    assert registry.writes == []


class Racing(FakeRegistry):
    """Somebody else writes the list right after we have, as often as there are ``others``."""

    def __init__(self, others: int) -> None:
        super().__init__()
        self.referrers_api = False
        self.others = others
        self.naps: list[int] = []
        self.back_off = self.naps.append

    def put_manifest(self, repository: str, reference: str, manifest: Manifest) -> bool:
        answer = super().put_manifest(repository, reference, manifest)
        if self.others:
            self.others -= 1
            theirs = index(descriptor(str(self.others).encode(), OCI_MANIFEST))
            self.manifests[repository, reference] = Manifest.parse(encoded(theirs))
        return answer


def test_a_list_that_was_written_over_is_written_again() -> None:
    registry = Racing(2)
    assert keep(registry, ONE) == {ONE.digest}
    assert ONE.digest in listed(registry)
    assert compute_digest(b"0") in listed(registry)


def test_a_list_that_is_written_over_all_the_time_is_an_error() -> None:
    with pytest.raises(Conflict, match="others write it at the same time"):
        keep(Racing(100), ONE)


def test_a_tag_that_stands_for_the_subject_itself_is_no_list(registry: FakeRegistry) -> None:
    registry.add("team/app", IMAGE, TAG)
    assert keep(registry, ONE) == {ONE.digest}
    assert listed(registry) == [ONE.digest]


def test_a_tag_that_is_something_else_is_left_alone(registry: FakeRegistry) -> None:
    registry.add("team/app", image(layers=[]), TAG)
    registry.calls.clear()
    with pytest.raises(Conflict, match="no list of referrers"):
        keep(registry, ONE)
    assert registry.writes == []


def test_what_was_deleted_is_taken_off_the_list(registry: FakeRegistry) -> None:
    keep(registry, ONE, TWO)
    assert unlist_from_subject(registry.client, "team/app", SUBJECT, {ONE.digest})
    assert listed(registry) == [TWO.digest]
    assert not unlist_from_subject(registry.client, "team/app", SUBJECT, {ONE.digest})


def test_without_a_list_there_is_nothing_to_take_off(registry: FakeRegistry) -> None:
    assert not unlist_from_subject(registry.client, "team/app", SUBJECT, {ONE.digest})
    registry.add("team/app", IMAGE, TAG)
    assert not unlist_from_subject(registry.client, "team/app", SUBJECT, {ONE.digest})


class Strict(FakeRegistry):
    """Refuses a list that names what isn't there, as distribution does."""

    def put_manifest(self, repository: str, reference: str, manifest: Manifest) -> bool:
        missing = [child.digest for child in manifest.children() if (repository, child.digest) not in self.manifests]
        if missing:
            raise ReferencesMissing("it lacks what the manifest refers to", digests=missing)
        return super().put_manifest(repository, reference, manifest)


def test_what_somebody_else_deleted_leaves_the_list_where_the_registry_insists() -> None:
    registry = Strict()
    registry.referrers_api = False
    registry.manifests["team/app", ONE.digest] = ONE
    registry.manifests["team/app", TWO.digest] = TWO
    keep(registry, ONE)
    del registry.manifests["team/app", ONE.digest]
    assert keep(registry, TWO) == {TWO.digest}
    assert listed(registry) == [TWO.digest]
