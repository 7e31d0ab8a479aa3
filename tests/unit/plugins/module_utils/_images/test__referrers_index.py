# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.imageops.registry.plugins.module_utils._blobs._deletion import Patience, Pauses
from ansible_collections.imageops.registry.plugins.module_utils._end._last_look import LastLook, no_look
from ansible_collections.imageops.registry.plugins.module_utils._end._referrers import Referrers, referrers_tag
from ansible_collections.imageops.registry.plugins.module_utils._images._referrers_index import (
    Listing,
    list_under_subject,
    unlist_from_subject,
)
from ansible_collections.imageops.registry.plugins.module_utils._model._digest import compute_digest
from ansible_collections.imageops.registry.plugins.module_utils._model._errors import (
    AccessDenied,
    Conflict,
    InvalidInput,
    ReferencesMissing,
    UnexpectedAnswer,
    Unsupported,
)
from ansible_collections.imageops.registry.plugins.module_utils._model._manifest import (
    OCI_INDEX,
    OCI_MANIFEST,
    Descriptor,
    Manifest,
)
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


class Waiting(FakeRegistry):
    """Time passes where somebody waits only. ``late`` are the seconds until its list has what was pushed."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 100.0
        self.slept: list[float] = []
        self.late = 0.0
        for manifest in (ONE, TWO):
            self.manifests["team/app", manifest.digest] = manifest

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.slept.append(seconds)

    def list_referrers(self, repository: str, digest: str) -> Referrers:
        found = super().list_referrers(repository, digest)
        if self.now >= 100.0 + self.late:
            return found
        return found._replace(descriptors=tuple(entry for entry in found.descriptors if entry.digest != ONE.digest))


@pytest.fixture
def registry() -> Waiting:
    fake = Waiting()
    fake.referrers_api = False
    return fake


def listed(registry: FakeRegistry) -> list[str]:
    return [child.digest for child in registry.manifests["team/app", TAG].children()]


def listing(registry: Waiting, *manifests: Manifest, check: bool = False) -> Listing:
    pauses = Pauses(Patience(clock=lambda: registry.now, sleep=registry.sleep))
    return list_under_subject(registry.client, "team/app", SUBJECT, manifests, check=check, pauses=pauses)


def keep(registry: Waiting, *manifests: Manifest, check: bool = False) -> set[str]:
    found = listing(registry, *manifests, check=check)
    assert (found.pushed_again, found.silent) == (frozenset(), False)
    return set(found.tagged)


def test_a_list_begins_with_what_refers_first(registry: Waiting) -> None:
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


def test_what_others_listed_stays(registry: Waiting) -> None:
    others = index(descriptor(b"theirs", OCI_MANIFEST, artifactType="x/y"), annotations={"kept": "yes"})
    registry.add("team/app", others, TAG)
    keep(registry, ONE)
    written = registry.manifests["team/app", TAG].document
    assert written["manifests"][0] == others["manifests"][0]
    assert written["annotations"] == {"kept": "yes"}
    assert listed(registry) == [compute_digest(b"theirs"), ONE.digest]


def test_what_is_listed_is_not_written_again(registry: Waiting) -> None:
    keep(registry, ONE)
    registry.calls.clear()
    assert keep(registry, ONE) == set()
    assert registry.writes == []


def with_api(*there: Manifest, lost: int | None = None) -> Waiting:
    """A registry with the referrers API and these manifests, whose list is without them for so many pushes."""
    registry = Waiting()
    registry.manifests.clear()
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


def test_what_the_list_of_the_api_has_lost_is_pushed_again() -> None:
    registry = with_api(TWO)
    registry.manifests["team/app", ONE.digest] = ONE
    registry.lost[ONE.digest] = 0
    assert listing(registry, ONE, TWO) == Listing(pushed_again=frozenset({ONE.digest}))
    assert registry.writes == [f"PUT team/app {ONE.digest}"]
    assert registry.slept == []


@pytest.mark.parametrize("promises", [True, False])
def test_a_list_of_the_api_that_has_it_later_is_waited_for(promises: bool) -> None:
    # Without the promise, another referrer that it lists proves the API.
    registry = with_api(*([ONE] if promises else [ONE, TWO]))
    registry.late, registry.promises = 4.0, promises
    assert listing(registry, ONE) == Listing(pushed_again=frozenset({ONE.digest}))
    assert registry.writes == [f"PUT team/app {ONE.digest}"]
    assert registry.slept == [0.5, 1.0, 2.0, 4.0]


def test_all_subjects_of_a_task_are_waited_for_together() -> None:
    registry = with_api(TWO, ONE)
    registry.late = 1000
    pauses = Pauses(Patience(clock=lambda: registry.now, sleep=registry.sleep))
    for _time in range(2):
        with pytest.raises(Conflict, match="although it was pushed again"):
            list_under_subject(registry.client, "team/app", SUBJECT, [ONE], check=False, pauses=pauses)
    assert sum(registry.slept) == 10


def test_a_referrer_that_was_taken_and_is_not_there_is_an_error(registry: Waiting) -> None:
    del registry.manifests["team/app", ONE.digest]
    with pytest.raises(Conflict, match=f"has accepted {ONE.digest}, and does not serve it"):
        keep(registry, ONE, TWO)
    assert f"team/app {ONE.digest}" in registry.guarded


def test_a_list_with_a_bad_entry_is_written_anew_with_what_can_be_read(registry: Waiting) -> None:
    bad = [{"digest": TWO.digest}, {"digest": compute_digest(b"gone"), "size": -1}, {"mediaType": OCI_MANIFEST}]
    registry.failing[f"GET team/app {TAG}"] = InvalidInput("a descriptor in manifests has no valid size")
    entries = tuple(Descriptor("", str(entry["digest"]), 0) for entry in bad[:2])
    registry.list_referrers = lambda repository, digest: Referrers(  # type: ignore[method-assign]  # of this one only
        (*entries, *(tuple(found.children()) if (found := registry.manifests.get((repository, TAG))) else ())),
        "tag_schema",
    )
    assert keep(registry, ONE) == {ONE.digest}
    assert listed(registry) == [TWO.digest, ONE.digest]


def test_what_the_list_of_the_api_never_has_is_an_error() -> None:
    registry = with_api(TWO)
    registry.manifests["team/app", ONE.digest] = ONE
    registry.lost[ONE.digest] = 100
    with pytest.raises(Conflict, match=f"stored {ONE.digest}, and still does not list all of it as referrers"):
        listing(registry, ONE, TWO)
    assert ("team/app", TAG) not in registry.manifests


@pytest.mark.parametrize(("promises", "waited"), [(False, 0), (True, 10)])
def test_what_an_api_without_any_entry_does_not_list_goes_under_the_tag(promises: bool, waited: float) -> None:
    registry = with_api(ONE, TWO, lost=100)
    registry.promises = promises
    both = frozenset({ONE.digest, TWO.digest})
    assert listing(registry, ONE, TWO) == Listing(tagged=both, pushed_again=both, silent=True)
    assert len(registry.writes) == 2 + 1
    assert sum(registry.slept) == waited
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
    found = list_under_subject(
        registry.client, "team/app", SUBJECT, [ONE], check=True, there=there, pauses=Pauses(Patience())
    )
    # A registry that hasn't got anything to list yet may well list it.
    assert found == Listing(tagged=one if is_there and not proven else frozenset(), pushed_again=one)
    assert registry.writes == []
    if is_there and not proven:
        assert listing(registry, ONE) == found._replace(silent=True)


@pytest.mark.parametrize("standing", [True, False])
@pytest.mark.parametrize("status", [400, 403, 405, 409, 412])
def test_a_list_whose_tag_is_immutable_is_said_to_be_that(registry: Waiting, status: int, standing: bool) -> None:
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


class Frozen(Waiting):
    """Takes every push, and leaves tags where they are."""

    def put_manifest(self, repository: str, reference: str, manifest: Manifest, last_look: LastLook = no_look) -> bool:
        return super().put_manifest(repository, manifest.digest, manifest, last_look)


@pytest.mark.parametrize("standing", [True, False])
def test_a_list_that_is_taken_and_does_not_move_is_an_error(standing: bool) -> None:
    registry = Frozen()
    registry.referrers_api = False
    if standing:
        registry.add("team/app", index(descriptor(b"theirs", OCI_MANIFEST)), TAG)
    with pytest.raises(
        Conflict, match="the tag still points to what it did before.*exempt those that begin with sha256-"
    ):
        keep(registry, ONE)
    assert registry.naps == [0]


def test_a_list_that_can_not_be_written_for_another_reason_keeps_it(registry: Waiting) -> None:
    registry.failing[f"PUT team/app {TAG}"] = UnexpectedAnswer("no space", status=500)
    with pytest.raises(UnexpectedAnswer, match="no space"):
        keep(registry, ONE)


def test_check_mode_only_looks(registry: Waiting) -> None:
    assert keep(registry, ONE, check=True) == {ONE.digest}
    assert registry.writes == []


class Racing(Waiting):
    """Somebody else writes the list right after we have, as often as there are ``others``."""

    def __init__(self, others: int) -> None:
        super().__init__()
        self.referrers_api = False
        self.others = others

    def put_manifest(self, repository: str, reference: str, manifest: Manifest, last_look: LastLook = no_look) -> bool:
        answer = super().put_manifest(repository, reference, manifest, last_look)
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


def test_a_tag_that_stands_for_the_subject_itself_is_no_list(registry: Waiting) -> None:
    registry.add("team/app", IMAGE, TAG)
    assert keep(registry, ONE) == {ONE.digest}
    assert listed(registry) == [ONE.digest]


def test_a_tag_that_is_something_else_is_left_alone(registry: Waiting) -> None:
    registry.add("team/app", image(layers=[]), TAG)
    registry.calls.clear()
    with pytest.raises(Conflict, match="is not a list of referrers"):
        keep(registry, ONE)
    assert registry.writes == []


def test_what_was_deleted_is_taken_off_the_list(registry: Waiting) -> None:
    keep(registry, ONE, TWO)
    assert unlist_from_subject(registry.client, "team/app", SUBJECT, {ONE.digest})
    assert listed(registry) == [TWO.digest]
    assert not unlist_from_subject(registry.client, "team/app", SUBJECT, {ONE.digest})


def test_a_list_that_is_taken_and_stays_keeps_what_was_deleted() -> None:
    registry = Frozen()
    registry.referrers_api = False
    registry.add("team/app", index(descriptor(ONE.content, OCI_MANIFEST)), TAG)
    with pytest.raises(
        Conflict, match="the tag still points to what it did before.*exempt those that begin with sha256-"
    ):
        unlist_from_subject(registry.client, "team/app", SUBJECT, {ONE.digest})
    assert len(registry.writes) == 1


def test_without_a_list_there_is_nothing_to_take_off(registry: Waiting) -> None:
    assert not unlist_from_subject(registry.client, "team/app", SUBJECT, {ONE.digest})
    registry.add("team/app", IMAGE, TAG)
    assert not unlist_from_subject(registry.client, "team/app", SUBJECT, {ONE.digest})


class Strict(Waiting):
    """Refuses a list that names what isn't there, as distribution does."""

    def put_manifest(self, repository: str, reference: str, manifest: Manifest, last_look: LastLook = no_look) -> bool:
        missing = [child.digest for child in manifest.children() if (repository, child.digest) not in self.manifests]
        if missing:
            raise ReferencesMissing("it lacks what the manifest refers to", digests=missing)
        return super().put_manifest(repository, reference, manifest, last_look)


def test_what_somebody_else_deleted_leaves_the_list_where_the_registry_insists() -> None:
    registry = Strict()
    registry.referrers_api = False
    registry.manifests["team/app", ONE.digest] = ONE
    registry.manifests["team/app", TWO.digest] = TWO
    keep(registry, ONE)
    del registry.manifests["team/app", ONE.digest]
    assert keep(registry, TWO) == {TWO.digest}
    assert listed(registry) == [TWO.digest]
