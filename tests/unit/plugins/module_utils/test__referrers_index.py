# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.imageops.registry.plugins.module_utils._digest import compute_digest
from ansible_collections.imageops.registry.plugins.module_utils._errors import (
    AccessDenied,
    Conflict,
    ReferencesMissing,
    UnexpectedAnswer,
    Unsupported,
)
from ansible_collections.imageops.registry.plugins.module_utils._manifest import OCI_INDEX, OCI_MANIFEST, Manifest
from ansible_collections.imageops.registry.plugins.module_utils._referrers_index import (
    Listing,
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


def listing(registry: FakeRegistry, *manifests: Manifest, check: bool = False) -> Listing:
    return list_under_subject(registry.client, "team/app", SUBJECT, manifests, check=check)


def keep(registry: FakeRegistry, *manifests: Manifest, check: bool = False) -> set[str]:
    found = listing(registry, *manifests, check=check)
    assert (found.pushed_again, found.silent) == (frozenset(), False)
    return set(found.tagged)


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


def with_api(*there: Manifest, lost: int | None = None) -> FakeRegistry:
    """A registry with the referrers API and these manifests, whose list is without them for so many pushes."""
    registry = FakeRegistry()
    for manifest in there:
        registry.manifests["team/app", manifest.digest] = manifest
        if lost is not None:
            registry.lost[manifest.digest] = lost - 1
    return registry


def test_a_registry_with_the_api_keeps_its_own_list() -> None:
    registry = with_api(ONE)
    assert keep(registry, ONE) == set()
    assert registry.writes == []
    assert registry.calls == [f"REFERRERS team/app {SUBJECT}"]


@pytest.mark.parametrize("times", [1, 3])
def test_what_the_list_of_the_api_has_lost_is_pushed_again(times: int) -> None:
    registry = with_api(TWO)
    registry.manifests["team/app", ONE.digest] = ONE
    registry.lost[ONE.digest] = times - 1
    assert listing(registry, ONE, TWO) == Listing(pushed_again=frozenset({ONE.digest}))
    assert registry.writes == [f"PUT team/app {ONE.digest}"] * times
    assert registry.naps == list(range(times - 1))


def test_what_the_list_of_the_api_never_has_is_an_error() -> None:
    registry = with_api(TWO)
    registry.manifests["team/app", ONE.digest] = ONE
    registry.lost[ONE.digest] = 100
    with pytest.raises(Conflict, match=f"stored {ONE.digest}, and its list of referrers is without it"):
        listing(registry, ONE, TWO)
    assert ("team/app", TAG) not in registry.manifests


@pytest.mark.parametrize(("promises", "pushes"), [(False, 1), (True, 3)])
def test_what_an_api_without_any_entry_does_not_list_goes_under_the_tag(promises: bool, pushes: int) -> None:
    registry = with_api(ONE, TWO, lost=100)
    registry.promises = promises
    both = frozenset({ONE.digest, TWO.digest})
    assert listing(registry, ONE, TWO) == Listing(tagged=both, pushed_again=both, silent=True)
    assert len(registry.writes) == 2 * pushes + 1
    assert listed(registry) == [ONE.digest, TWO.digest]
    assert listing(registry, ONE, TWO) == Listing()


def test_what_can_not_be_pushed_again_goes_under_the_tag() -> None:
    registry = with_api(ONE, lost=100)
    registry.failing[f"PUT team/app {ONE.digest}"] = AccessDenied("no")
    assert listing(registry, ONE).tagged == {ONE.digest}


@pytest.mark.parametrize("proven", [True, False])
@pytest.mark.parametrize("is_there", [True, False])
def test_check_mode_says_what_would_be_pushed_again_or_listed_under_the_tag(proven: bool, is_there: bool) -> None:
    registry = with_api(ONE, lost=100)
    if proven:
        registry.manifests["team/app", TWO.digest] = TWO
    one = frozenset({ONE.digest})
    there = one if is_there else frozenset()
    found = list_under_subject(registry.client, "team/app", SUBJECT, [ONE], check=True, there=there)
    # A registry that hasn't got anything to list yet may well list it.
    assert found == Listing(tagged=one if is_there and not proven else frozenset(), pushed_again=one)
    assert registry.writes == []
    if is_there and not proven:
        assert listing(registry, ONE) == found._replace(silent=True)


@pytest.mark.parametrize("standing", [True, False])
@pytest.mark.parametrize("status", [400, 403, 405, 409, 412])
def test_a_list_whose_tag_is_immutable_is_said_to_be_that(registry: FakeRegistry, status: int, standing: bool) -> None:
    if standing:
        keep(registry, TWO)
    kind = {403: AccessDenied, 405: Unsupported}.get(status, UnexpectedAnswer)
    registry.failing[f"PUT team/app {TAG}"] = kind("TAG_INVALID: immutable", status=status)
    with pytest.raises(Conflict) as raised:
        keep(registry, ONE)
    text = str(raised.value)
    assert text.startswith(f"Cannot list the referrers of r.example/team/app@{SUBJECT} under the tag {TAG}: ")
    assert "refuses to store this list: TAG_INVALID: immutable" in text
    assert "exempt those that begin with sha256-" in text


class Frozen(FakeRegistry):
    """Takes every push, and leaves tags where they are."""

    def put_manifest(self, repository: str, reference: str, manifest: Manifest) -> bool:
        return super().put_manifest(repository, manifest.digest, manifest)


@pytest.mark.parametrize("standing", [True, False])
def test_a_list_that_is_taken_and_does_not_move_is_an_error(standing: bool) -> None:
    registry = Frozen()
    registry.referrers_api = False
    if standing:
        registry.add("team/app", index(descriptor(b"theirs", OCI_MANIFEST)), TAG)
    with pytest.raises(Conflict, match="the tag serves what it served before.*exempt those that begin with sha256-"):
        keep(registry, ONE)
    assert registry.naps == [0]


def test_a_list_that_can_not_be_written_for_another_reason_keeps_it(registry: FakeRegistry) -> None:
    registry.failing[f"PUT team/app {TAG}"] = UnexpectedAnswer("no space", status=500)
    with pytest.raises(UnexpectedAnswer, match="no space"):
        keep(registry, ONE)


def test_check_mode_only_looks(registry: FakeRegistry) -> None:
    assert keep(registry, ONE, check=True) == {ONE.digest}
    assert registry.writes == []


class Racing(FakeRegistry):
    """Somebody else writes the list right after we have, as often as there are ``others``."""

    def __init__(self, others: int) -> None:
        super().__init__()
        self.referrers_api = False
        self.others = others

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
    with pytest.raises(Conflict, match="other clients write this list at the same time"):
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


def test_a_list_that_is_taken_and_stays_keeps_what_was_deleted() -> None:
    registry = Frozen()
    registry.referrers_api = False
    registry.add("team/app", index(descriptor(ONE.content, OCI_MANIFEST)), TAG)
    with pytest.raises(Conflict, match="the tag serves what it served before.*exempt those that begin with sha256-"):
        unlist_from_subject(registry.client, "team/app", SUBJECT, {ONE.digest})
    assert len(registry.writes) == 1


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
