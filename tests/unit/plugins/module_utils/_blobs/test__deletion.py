# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import threading
import typing as t

import pytest
from ansible_collections.imageops.registry.plugins.module_utils._blobs._blob_deletion import delete_blobs
from ansible_collections.imageops.registry.plugins.module_utils._blobs._blob_group import BlobGroup
from ansible_collections.imageops.registry.plugins.module_utils._blobs._deletion import (
    Deletions,
    Patience,
    Pauses,
    is_change,
    outcome_as_plain,
    unseen,
)
from ansible_collections.imageops.registry.plugins.module_utils._blobs._placement import (
    BlobOutcome,
)
from ansible_collections.imageops.registry.plugins.module_utils._end._last_look import LastLook, no_look
from ansible_collections.imageops.registry.plugins.module_utils._end._purpose import Purpose
from ansible_collections.imageops.registry.plugins.module_utils._end._referrers import referrers_tag
from ansible_collections.imageops.registry.plugins.module_utils._images._manifest_deletion import delete_manifests
from ansible_collections.imageops.registry.plugins.module_utils._images._manifest_push import (
    ManifestOutcome,
)
from ansible_collections.imageops.registry.plugins.module_utils._images._referrers_index import list_under_subject
from ansible_collections.imageops.registry.plugins.module_utils._images._tagging import TagItem, TagOutcome
from ansible_collections.imageops.registry.plugins.module_utils._images._untagging import delete_tags
from ansible_collections.imageops.registry.plugins.module_utils._model._digest import compute_digest
from ansible_collections.imageops.registry.plugins.module_utils._model._errors import (
    AccessDenied,
    NotGranted,
    RegistryError,
    UnexpectedAnswer,
    Unsupported,
)
from ansible_collections.imageops.registry.plugins.module_utils._model._manifest import OCI_MANIFEST, Descriptor
from ansible_collections.imageops.registry.tests.unit.support.documents import descriptor, image
from ansible_collections.imageops.registry.tests.unit.support.fake_registry import FakeRegistry

DIGEST = compute_digest(b"x")
OTHER = compute_digest(b"y")
TYPE = "application/vnd.docker.distribution.manifest.v2+json"


class Time:
    """Time passes where somebody sleeps only."""

    def __init__(self) -> None:
        self.now = 100.0
        self.slept: list[float] = []

    @property
    def patience(self) -> Patience:
        return Patience(clock=lambda: self.now, sleep=self.sleep)

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.slept.append(seconds)


@pytest.fixture
def time() -> Time:
    return Time()


class SlowRegistry:
    """Accepts every delete, and carries it out so many seconds later; never where that is None."""

    name = "r.example"
    jobs = 8

    def __init__(self, time: Time, seconds: float | None, *, tags_alone: bool = True) -> None:
        self.looks: list[str] = []
        self.pushed_again = False
        self._time = time
        self._seconds = seconds
        self._tags_alone = tags_alone
        self._gone: dict[str, float] = {}
        self._lock = threading.Lock()

    @property
    def client(self) -> t.Any:
        return self

    def head_blob(self, repository: str, digest: str) -> int | None:
        return 1 if self._is_there(digest) else None

    def delete_blob(self, repository: str, digest: str) -> bool:
        return self._delete(digest)

    def head_manifest(self, repository: str, reference: str, purpose: Purpose = Purpose.REPORT) -> Descriptor | None:
        if self._is_there(reference):
            return Descriptor(TYPE, DIGEST, 1)
        return Descriptor(TYPE, OTHER, 1) if self.pushed_again else None

    def waited(self) -> int:
        return 0

    def delete_manifest(self, repository: str, reference: str, last_look: LastLook = no_look) -> bool:
        last_look()
        if not reference.startswith("sha256:") and not self._tags_alone:
            raise Unsupported("no", status=405)
        if reference == DIGEST:
            self._delete("1")
        return self._delete(reference)

    def _delete(self, name: str) -> bool:
        with self._lock:
            self._gone[name] = float("inf") if self._seconds is None else self._time.now + self._seconds
        return True

    def _is_there(self, name: str) -> bool:
        with self._lock:
            self.looks.append(name)
            return self._gone.get(name, float("inf")) > self._time.now


def tag_deleted(registry: SlowRegistry, time: Time, *, delete_manifest: bool = False) -> TagOutcome | RegistryError:
    item = TagItem("a", "1", "")
    return delete_tags(registry.client, [item], delete_manifest=delete_manifest, check=False, patience=time.patience)[0]


def manifest_deleted(registry: SlowRegistry, time: Time) -> ManifestOutcome | RegistryError:
    return delete_manifests(registry.client, [("a", DIGEST)], check=False, patience=time.patience)[0]


def blob_deleted(registry: SlowRegistry, time: Time) -> BlobOutcome | RegistryError:
    groups = [BlobGroup("a", "", (), ((DIGEST, None),))]
    return delete_blobs(registry.client, groups, check=False, patience=time.patience)[0]


DELETES = [tag_deleted, manifest_deleted, blob_deleted]


@pytest.mark.parametrize("delete", DELETES)
@pytest.mark.parametrize(("seconds", "slept"), [(0, []), (2, [0.5, 1.0, 2.0]), (5, [0.5, 1.0, 2.0, 4.0])])
def test_what_goes_in_the_background_is_waited_for(
    time: Time, delete: t.Callable[[SlowRegistry, Time], t.Any], seconds: float, slept: list[float]
) -> None:
    outcome = delete(SlowRegistry(time, seconds), time)
    assert (outcome.action, outcome.deletion_pending, time.slept) == ("delete", False, slept)
    assert "deletion_pending" not in outcome_as_plain(outcome)


@pytest.mark.parametrize("delete", DELETES)
def test_what_stays_is_pending(time: Time, delete: t.Callable[[SlowRegistry, Time], t.Any]) -> None:
    registry = SlowRegistry(time, None)
    outcome = delete(registry, time)
    assert (outcome.action, outcome_as_plain(outcome)["deletion_pending"]) == ("delete", True)
    assert sum(time.slept) == 10
    assert len(registry.looks) == 1 + 6


def test_a_tag_that_stays_still_serves_its_digest(time: Time) -> None:
    assert tag_deleted(SlowRegistry(time, None), time) == TagOutcome("a", "1", DIGEST, DIGEST, "delete", True)


@pytest.mark.parametrize("seconds", [2, None])
def test_a_tag_that_goes_with_its_manifest_is_waited_for(time: Time, seconds: float | None) -> None:
    registry = SlowRegistry(time, seconds, tags_alone=False)
    outcome = tag_deleted(registry, time, delete_manifest=True)
    assert isinstance(outcome, TagOutcome)
    assert outcome.deletion_pending is (seconds is None)
    assert set(registry.looks) == {"1"}


def test_a_tag_that_serves_something_else_was_deleted(time: Time) -> None:
    registry = SlowRegistry(time, 0)
    registry.pushed_again = True
    assert tag_deleted(registry, time) == TagOutcome("a", "1", "", DIGEST, "delete")


def test_a_hundred_pending_deletes_take_as_long_as_one(time: Time) -> None:
    digests = [compute_digest(bytes([number])) for number in range(100)]
    groups = [BlobGroup("a", "", (), tuple((digest, None) for digest in digests))]
    registry = SlowRegistry(time, None)
    outcomes = delete_blobs(registry.client, groups, check=False, patience=time.patience)
    assert [outcome.deletion_pending for outcome in outcomes if isinstance(outcome, BlobOutcome)] == [True] * 100
    assert time.now == 110


@pytest.mark.parametrize("delete", DELETES)
def test_what_is_denied_after_its_delete_is_gone(
    time: Time, delete: t.Callable[[SlowRegistry, Time], t.Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = SlowRegistry(time, None)
    raise_at_second_look(monkeypatch, registry, AccessDenied("DENIED", status=403))
    assert not delete(registry, time).deletion_pending
    assert time.slept == []


@pytest.mark.parametrize("delete", DELETES)
@pytest.mark.parametrize("error", [NotGranted("no token", status=403), UnexpectedAnswer("broken", status=500)])
def test_what_can_not_be_looked_for_stays_deleted_and_is_told(
    time: Time,
    delete: t.Callable[[SlowRegistry, Time], t.Any],
    error: RegistryError,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    registry = SlowRegistry(time, None)
    raise_at_second_look(monkeypatch, registry, error)
    outcome = delete(registry, time)
    assert (outcome.action, outcome.deletion_pending) == ("delete", False)
    assert not {"deletion_pending", "unseen"} & set(outcome_as_plain(outcome))
    told = f"the registry has accepted the delete, and whether it has happened cannot be seen: {error.reason}"
    ((place, unseen_error),) = unseen([("here", outcome)])
    assert (place, unseen_error.reason, unseen_error.status) == ("here", told, error.status)
    assert unseen_error.hint == "Run the task again to see whether it is gone"


def test_what_was_taken_off_a_list_is_told_where_the_manifest_can_not_be_looked_for() -> None:
    registry = FakeRegistry()
    registry.referrers_api = False
    subject = registry.add("a", image())
    one = registry.add("a", image(subject=descriptor(subject.content, OCI_MANIFEST)))
    list_under_subject(registry.client, "a", subject.digest, [one], check=False, pauses=Pauses(Patience()))
    real = registry.delete_manifest

    def delete(repository: str, reference: str, last_look: LastLook = no_look) -> bool:
        registry.failing[f"HEAD a {one.digest}"] = UnexpectedAnswer("broken", status=500)
        return real(repository, reference)

    registry.delete_manifest = delete  # type: ignore[method-assign]  # of this one only
    (outcome,) = delete_manifests(registry.client, [("a", one.digest)], check=False)
    assert isinstance(outcome, ManifestOutcome) and outcome.unseen is not None
    assert (outcome.action, outcome.referrers_tag) == ("delete", referrers_tag(subject.digest))


def raise_at_second_look(monkeypatch: pytest.MonkeyPatch, registry: SlowRegistry, error: RegistryError) -> None:
    real = registry._is_there

    def look(name: str) -> bool:
        if registry.looks:
            raise error
        return real(name)

    monkeypatch.setattr(registry, "_is_there", look)


def test_what_a_registry_denies_to_have_and_has_is_an_error(time: Time) -> None:
    deletions: Deletions[str] = Deletions(1, time.patience)
    deletions.delete("gone", lambda: False, lambda: False, "delete it")
    with pytest.raises(
        Unsupported, match="Cannot delete it: the registry answers that it is not there, although it is"
    ):
        deletions.delete("there", lambda: False, lambda: True, "delete it")
    assert deletions.settle() == {}
    assert time.slept == []


def test_what_a_registry_denies_to_have_and_to_show_is_gone(time: Time) -> None:
    def look() -> bool:
        raise error

    deletions: Deletions[str] = Deletions(1, time.patience)
    error: RegistryError = AccessDenied("DENIED", status=403)
    deletions.delete("gone", lambda: False, look, "delete it")
    error = NotGranted("no token", status=403)
    with pytest.raises(NotGranted):
        deletions.delete("gone", lambda: False, look, "delete it")


def test_a_tag_that_a_registry_denies_to_have_and_to_show_is_gone() -> None:
    registry = FakeRegistry()
    registry.add("a", image(), "1")

    def delete(repository: str, reference: str, last_look: LastLook = no_look) -> bool:
        registry.failing["HEAD a 1"] = AccessDenied("DENIED", status=403)
        return False

    registry.delete_manifest = delete  # type: ignore[method-assign]  # of this one only
    (outcome,) = delete_tags(registry.client, [TagItem("a", "1", "")], delete_manifest=False, check=False)
    assert isinstance(outcome, TagOutcome) and outcome.action == "delete"


@pytest.mark.parametrize("action", ["create", "replace", "push", "upload", "mount", "mount_or_upload", "delete"])
def test_what_is_pending_is_no_change(action: str) -> None:
    assert is_change({"action": action})
    assert not is_change({"action": action, "deletion_pending": True})


@pytest.mark.parametrize("action", ["exists", "absent"])
def test_what_stays_as_it_is_is_no_change(action: str) -> None:
    assert not is_change({"action": action})
