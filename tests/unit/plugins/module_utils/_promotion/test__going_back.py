# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tags of a set are all or nothing, on a registry in memory."""

from __future__ import annotations

import threading
import typing as t

import pytest
from ansible_collections.imageops.registry.plugins.module_utils._end._last_look import LastLook, no_look
from ansible_collections.imageops.registry.plugins.module_utils._end._purpose import Purpose
from ansible_collections.imageops.registry.plugins.module_utils._images._referrers import cosign_tags
from ansible_collections.imageops.registry.plugins.module_utils._model._digest import compute_digest
from ansible_collections.imageops.registry.plugins.module_utils._model._errors import (
    AccessDenied,
    NotFound,
    ProtocolViolation,
    RegistryError,
    UnexpectedAnswer,
    Unsupported,
)
from ansible_collections.imageops.registry.plugins.module_utils._model._manifest import Descriptor, Manifest
from ansible_collections.imageops.registry.plugins.module_utils._promotion._copy import CopyRules, Promotion
from ansible_collections.imageops.registry.plugins.module_utils._promotion._items import ImageItem
from ansible_collections.imageops.registry.plugins.module_utils._promotion._outcomes import Outcomes
from ansible_collections.imageops.registry.plugins.module_utils._promotion._report import problem
from ansible_collections.imageops.registry.plugins.module_utils._promotion._result import result_of
from ansible_collections.imageops.registry.plugins.module_utils._run._progress import Progress
from ansible_collections.imageops.registry.tests.unit.support.documents import DIGEST, LAYER, encoded, image
from ansible_collections.imageops.registry.tests.unit.support.fake_registry import FakeRegistry
from ansible_collections.imageops.registry.tests.unit.support.promotions import IMAGE_DIGEST, image_item, plan_for

OLD, THIRD = (image(annotations={"version": version}) for version in ("old", "third"))
OLD_DIGEST, THIRD_DIGEST = (compute_digest(encoded(document)) for document in (OLD, THIRD))
ENTRIES = (
    image_item("team/app", tag="1", tags=("1", "1.0", "stable")),
    image_item("team/app", tag="1", destination_repository="team/api", tags=("1", "stable")),
    image_item("team/app", tag="1", destination_repository="team/web", tags=("1", "new")),
)
PLACES = [(item.destination_repository, tag) for item in ENTRIES for tag in item.tags]
CREATED = ("team/web", "new")
REFUSAL = AccessDenied("DENIED: no", status=403)


class CaselessRegistry(FakeRegistry):
    """Takes tags that differ in upper and lower case only for one, as Gitea does."""

    def head_manifest(self, repository: str, reference: str, purpose: Purpose = Purpose.REPORT) -> Descriptor | None:
        return super().head_manifest(repository, reference.lower(), purpose)

    def get_manifest(self, repository: str, reference: str, media_type: str = "") -> Manifest:
        return super().get_manifest(repository, reference.lower(), media_type)

    def put_manifest(self, repository: str, reference: str, manifest: Manifest, last_look: LastLook = no_look) -> bool:
        return super().put_manifest(repository, reference.lower(), manifest, last_look)

    def delete_manifest(self, repository: str, reference: str, last_look: LastLook = no_look) -> bool:
        return super().delete_manifest(repository, reference.lower(), last_look)


def promote(
    source: FakeRegistry,
    destination: FakeRegistry,
    *,
    all_or_nothing: bool = True,
    check: bool = False,
    entries: t.Sequence[ImageItem] = ENTRIES,
) -> tuple[dict[str, object], Outcomes]:
    plan = plan_for(source, destination, *entries)
    rules = CopyRules(all_or_nothing, check)
    promotion = Promotion(source.client, destination.client, plan, rules, Progress())
    outcomes = promotion.carry_out()
    return result_of(plan, outcomes), outcomes


@pytest.fixture
def production(destination: FakeRegistry) -> FakeRegistry:
    """Has the image, and every tag but one on another."""
    for repository, tag in PLACES:
        destination.add(repository, image())
        destination.add(repository, OLD, *([] if (repository, tag) == CREATED else [tag]))
    return destination


def served(registry: FakeRegistry) -> dict[tuple[str, str], str]:
    return {place: registry.manifests[place].digest for place in PLACES if place in registry.manifests}


def actions(outcomes: Outcomes) -> dict[tuple[str, str], str]:
    return {(tag.repository, tag.tag): tag.action for tag in outcomes.moved}


@pytest.mark.parametrize("jobs", [1, 4])
@pytest.mark.parametrize("refused", PLACES)
def test_where_one_tag_is_refused_all_old_digests_are_back(
    source: FakeRegistry, production: FakeRegistry, refused: tuple[str, str], jobs: int
) -> None:
    production.jobs = jobs
    before = served(production)
    production.failing[f"PUT {refused[0]} {refused[1]}"] = REFUSAL
    result, outcomes = promote(source, production)
    assert served(production) == before
    assert set(actions(outcomes).values()) <= {"reverted"} and refused not in actions(outcomes)
    assert result["not_reverted"] == [] and result["changed"] is False
    images = result["images"]
    assert isinstance(images, list) and [entry["action"] for entry in images] == ["failed"] * 3
    told = {tag["action"] for entry in images for tag in entry["tags"]}
    assert told <= {"failed", "reverted"}
    # The tag at fault is told. The other images were blocked by it.
    back = len(actions(outcomes))
    said = f" | {back} tag{'s' if back > 1 else ''} that had moved {'are' if back > 1 else 'is'} back" if back else ""
    assert "DENIED: no" in problem(images) and problem(images).endswith(f"2 others were blocked by that{said}")


def test_where_no_tag_is_refused_all_stay(source: FakeRegistry, production: FakeRegistry) -> None:
    result, outcomes = promote(source, production)
    assert set(served(production).values()) == {IMAGE_DIGEST} and len(served(production)) == len(PLACES)
    assert set(actions(outcomes).values()) == {"replace", "create"}
    assert result["not_reverted"] == [] and outcomes.not_reverted == ()


def test_what_others_promote_is_kept_where_they_may_go_on(source: FakeRegistry, production: FakeRegistry) -> None:
    production.failing["PUT team/api 1"] = REFUSAL
    _result, outcomes = promote(source, production, all_or_nothing=False)
    digests = served(production)
    assert digests["team/app", "stable"] == digests[CREATED] == IMAGE_DIGEST
    # A pointer doesn't move where the version that it follows has not.
    assert digests["team/api", "1"] == digests["team/api", "stable"] == OLD_DIGEST
    assert outcomes.not_reverted == () and ("team/api", "stable") not in actions(outcomes)


@pytest.mark.parametrize("standing", ["", IMAGE_DIGEST, OLD_DIGEST])
def test_two_tags_that_a_registry_takes_for_one_are_as_they_were(source: FakeRegistry, standing: str) -> None:
    source.add("team/app", OLD, "2")
    destination = CaselessRegistry()
    destination.jobs = 1
    for document, digest in ((image(), IMAGE_DIGEST), (OLD, OLD_DIGEST)):
        destination.add("team/app", document, *(["stable"] if digest == standing else []))
    entries = [image_item("team/app", tag="1", tags=("Stable",)), image_item("team/app", tag="2", tags=("stable",))]
    result, outcomes = promote(source, destination, entries=entries)
    tags = {name: found.digest for (_repository, name), found in destination.manifests.items() if name == "stable"}
    assert tags == ({"stable": standing} if standing else {})
    assert outcomes.not_reverted == () and result["changed"] is False
    images = result["images"]
    assert isinstance(images, list) and "as one tag" in problem(images)


def test_a_tag_that_is_gone_with_the_one_that_took_its_place_is_back(source: FakeRegistry) -> None:
    class BothAtOnce(CaselessRegistry):
        """Both tags are looked at before either is written, the one in lower case last."""

        looked, written = threading.Barrier(2), threading.Event()

        def put_manifest(
            self, repository: str, reference: str, manifest: Manifest, last_look: LastLook = no_look
        ) -> bool:
            self.looked.wait(10)
            self.jobs = 1
            assert reference == "Stable" or self.written.wait(10)
            done = super().put_manifest(repository, reference, manifest, last_look)
            self.written.set()
            return done

    source.add("team/app", OLD, "2")
    destination = BothAtOnce()
    destination.jobs = 2
    for document in (image(), OLD):
        destination.add("team/app", document)
    entries = [image_item("team/app", tag="1", tags=("Stable",)), image_item("team/app", tag="2", tags=("stable",))]
    result, outcomes = promote(source, destination, entries=entries)
    assert ("team/app", "stable") not in destination.manifests
    assert actions(outcomes) == {("team/app", "Stable"): "reverted", ("team/app", "stable"): "reverted"}
    assert outcomes.not_reverted == () and result["changed"] is False


def test_the_tags_of_an_entry_move_in_their_order_and_return_in_the_other(
    source: FakeRegistry, production: FakeRegistry
) -> None:
    production.failing["PUT team/web new"] = REFUSAL
    promote(source, production)
    puts = [call for call in production.writes if call.startswith("PUT team/app ") and "sha256:" not in call]
    tags = [call.split()[2] for call in puts]
    assert tags == ["1", "1.0", "stable", "stable", "1.0", "1"]


def test_after_a_failure_no_other_entry_begins(source: FakeRegistry, production: FakeRegistry) -> None:
    production.failing["PUT team/app 1"] = REFUSAL
    _result, outcomes = promote(source, production)
    assert outcomes.moved == [] and production.writes == ["PUT team/app 1"]


def test_a_created_tag_that_cannot_be_removed_alone_is_told(source: FakeRegistry, production: FakeRegistry) -> None:
    del production.manifests["team/app", "1"]
    refusal = Unsupported("UNSUPPORTED: no", status=405)
    production.failing.update({"PUT team/web new": REFUSAL, "DELETE team/app 1": refusal})
    result, outcomes = promote(source, production)
    assert served(production)["team/app", "1"] == IMAGE_DIGEST
    assert served(production)["team/app", "stable"] == OLD_DIGEST
    (left,) = outcomes.not_reverted
    assert left[:4] == ("team/app", "1", IMAGE_DIGEST, "") and "cannot delete a tag alone" in left.reason
    assert result["not_reverted"] == [left._asdict()] and result["changed"] is True
    assert actions(outcomes)["team/app", "1"] == "create" and actions(outcomes)["team/app", "1.0"] == "reverted"


def test_what_somebody_else_moved_meanwhile_is_left_and_told(source: FakeRegistry, production: FakeRegistry) -> None:
    put = production.put_manifest

    def push(repository: str, reference: str, manifest: Manifest, last_look: LastLook = no_look) -> bool:
        if (repository, reference) == ("team/web", "new"):
            production.add("team/app", THIRD, "stable")
            raise REFUSAL
        return put(repository, reference, manifest, last_look)

    production.put_manifest = push
    _result, outcomes = promote(source, production)
    assert served(production)["team/app", "stable"] == THIRD_DIGEST
    (left,) = outcomes.not_reverted
    assert left[:4] == ("team/app", "stable", IMAGE_DIGEST, OLD_DIGEST) and f"points to {THIRD_DIGEST}" in left.reason
    others = {place: digest for place, digest in served(production).items() if place != ("team/app", "stable")}
    assert set(others.values()) == {OLD_DIGEST}


@pytest.mark.parametrize("failure", [UnexpectedAnswer("broken", status=502, temporary=True), REFUSAL])
@pytest.mark.parametrize("call", ["HEAD team/app 1.0", f"GET team/app {OLD_DIGEST}", "PUT team/app 1.0"])
def test_a_failure_while_going_back_is_told_and_does_not_stop_the_rest(
    source: FakeRegistry, production: FakeRegistry, call: str, failure: RegistryError
) -> None:
    put = production.put_manifest

    def push(repository: str, reference: str, manifest: Manifest, last_look: LastLook = no_look) -> bool:
        if (repository, reference) == ("team/web", "new"):
            production.failing[call] = failure
            raise REFUSAL
        return put(repository, reference, manifest, last_look)

    production.put_manifest = push
    _result, outcomes = promote(source, production)
    left = {(one.repository, one.tag) for one in outcomes.not_reverted}
    of_app = {("team/app", tag) for tag in ("1", "1.0", "stable")}
    assert left == (of_app if call.startswith("GET") else {("team/app", "1.0")})
    assert all(str(failure.reason) in one.reason for one in outcomes.not_reverted)
    back = {place for place, digest in served(production).items() if digest == OLD_DIGEST}
    assert back == {place for place in PLACES if place != CREATED} - left


@pytest.mark.parametrize("arrived", [True, False])
def test_a_tag_whose_move_failed_and_happened_goes_back_as_well(
    source: FakeRegistry, production: FakeRegistry, arrived: bool
) -> None:
    put, head = production.put_manifest, production.head_manifest
    broken = UnexpectedAnswer("broken", status=502, temporary=True)

    def push(repository: str, reference: str, manifest: Manifest, last_look: LastLook = no_look) -> bool:
        if (repository, reference) != ("team/api", "1") or manifest.digest == OLD_DIGEST:
            return put(repository, reference, manifest, last_look)
        if arrived:
            put(repository, reference, manifest, last_look)
        # The look that would tell whether it has moved fails as well.
        production.failing["HEAD team/api 1"] = broken
        raise broken

    def look(repository: str, reference: str, *more: object) -> object:
        try:
            return head(repository, reference, *more)
        finally:
            production.failing.pop("HEAD team/api 1", None)

    production.put_manifest, production.head_manifest = push, look
    before = served(production)
    _result, outcomes = promote(source, production)
    assert served(production) == before and outcomes.not_reverted == ()
    assert [failure.tag for failure in outcomes.tags.failed] == ["1"]


NO_REFUSALS = [
    ProtocolViolation("the registry stored another digest"),
    UnexpectedAnswer("a teapot", status=418),
    NotFound("it is not there", status=404),
]


def fail_after(
    registry: FakeRegistry, place: tuple[str, str], error: RegistryError, document: dict[str, object] | None
) -> None:
    """Have the move of a tag fail that has put this there, or nothing."""
    put = registry.put_manifest

    def push(repository: str, reference: str, manifest: Manifest, last_look: LastLook = no_look) -> bool:
        if (repository, reference) != place or manifest.digest != IMAGE_DIGEST:
            return put(repository, reference, manifest, last_look)
        last_look()
        if document is not None:
            registry.add(repository, document, reference)
        raise error

    registry.put_manifest = push


@pytest.mark.parametrize("error", NO_REFUSALS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("place", [("team/api", "1"), CREATED])
def test_no_answer_says_for_sure_that_a_tag_has_not_moved(
    source: FakeRegistry, production: FakeRegistry, place: tuple[str, str], error: RegistryError
) -> None:
    before = served(production)
    fail_after(production, place, error, image())
    _result, outcomes = promote(source, production)
    assert served(production) == before and outcomes.not_reverted == ()


@pytest.mark.parametrize("error", NO_REFUSALS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("place", [("team/api", "1"), CREATED])
def test_what_a_failed_move_has_left_on_a_third_digest_is_told(
    source: FakeRegistry, production: FakeRegistry, place: tuple[str, str], error: RegistryError
) -> None:
    fail_after(production, place, error, THIRD)
    _result, outcomes = promote(source, production)
    (left,) = outcomes.not_reverted
    assert (left.repository, left.tag) == place and f"it points to {THIRD_DIGEST}" in left.reason


@pytest.mark.parametrize("error", [*NO_REFUSALS, REFUSAL], ids=lambda error: type(error).__name__)
def test_a_move_that_failed_and_has_not_happened_leaves_nothing_to_tell(
    source: FakeRegistry, production: FakeRegistry, error: RegistryError
) -> None:
    before = served(production)
    fail_after(production, ("team/api", "stable"), error, None)
    _result, outcomes = promote(source, production)
    assert served(production) == before and outcomes.not_reverted == ()


def test_a_tag_that_somebody_else_has_moved_before_was_not_ours(source: FakeRegistry, production: FakeRegistry) -> None:
    plan = plan_for(source, production, *ENTRIES)
    production.add("team/api", THIRD, "stable")
    rules = CopyRules(all_or_nothing=True, check=False)
    outcomes = Promotion(source.client, production.client, plan, rules, Progress()).carry_out()
    assert outcomes.not_reverted == () and served(production)["team/api", "stable"] == THIRD_DIGEST


def stale(registry: FakeRegistry, place: tuple[str, str]) -> None:
    """Have a cache answer HEAD of a tag with what it serves now, as long as the run lasts."""
    head, before = registry.head_manifest, registry.manifests.get(place)

    def look(repository: str, reference: str, *more: object) -> object:
        found = head(repository, reference, *more)
        if (repository, reference) != place:
            return found
        return None if before is None else before.descriptor

    registry.head_manifest = look


@pytest.mark.parametrize("place", [("team/app", "stable"), ("team/api", "1"), CREATED])
def test_a_cache_that_says_it_is_back_is_not_believed(
    source: FakeRegistry, production: FakeRegistry, place: tuple[str, str]
) -> None:
    stale(production, place)
    before = served(production)
    refused = ("team/web", "1") if place != CREATED else ("team/app", "1")
    _fail_when_moved(production, refused, place)
    _result, outcomes = promote(source, production)
    assert served(production) == before and outcomes.not_reverted == ()


def test_where_a_cache_hides_that_it_cannot_go_back_that_is_told(
    source: FakeRegistry, production: FakeRegistry
) -> None:
    """The registry accepts the push and ignores it: only a GET says so."""
    stale(production, ("team/app", "stable"))
    put = production.put_manifest

    def push(repository: str, reference: str, manifest: Manifest, last_look: LastLook = no_look) -> bool:
        if (repository, reference, manifest.digest) == ("team/app", "stable", OLD_DIGEST):
            return True
        if (repository, reference) == ("team/web", "new"):
            raise REFUSAL
        return put(repository, reference, manifest, last_look)

    production.put_manifest = push
    _result, outcomes = promote(source, production)
    assert [(one.repository, one.tag) for one in outcomes.not_reverted] == [("team/app", "stable")]
    assert f"serves {IMAGE_DIGEST}" in outcomes.not_reverted[0].reason


@pytest.mark.parametrize("place", [("team/api", "1"), CREATED])
def test_a_cache_does_not_hide_a_move_that_failed_and_happened(
    source: FakeRegistry, production: FakeRegistry, place: tuple[str, str]
) -> None:
    stale(production, place)
    before = served(production)
    fail_after(production, place, NO_REFUSALS[0], image())
    _result, outcomes = promote(source, production)
    assert served(production) == before and outcomes.not_reverted == ()


def _fail_when_moved(registry: FakeRegistry, refused: tuple[str, str], moved: tuple[str, str]) -> None:
    """Refuse a tag, but not before another one has moved."""
    put = registry.put_manifest
    has_moved = threading.Event()

    def push(repository: str, reference: str, manifest: Manifest, last_look: LastLook = no_look) -> bool:
        if (repository, reference) == refused:
            assert has_moved.wait(5)
            raise REFUSAL
        done = put(repository, reference, manifest, last_look)
        if (repository, reference) == moved:
            has_moved.set()
        return done

    registry.put_manifest, registry.jobs = push, 4


def test_the_tags_of_artifacts_go_back_too(source: FakeRegistry, destination: FakeRegistry) -> None:
    signature = image(annotations={"a": "signature"})
    name = cosign_tags(IMAGE_DIGEST)[0]
    source.add("team/app", signature, name)
    source.blobs["team/app", DIGEST] = LAYER
    destination.add("team/app", OLD, "1")
    destination.failing["PUT team/app 1"] = REFUSAL
    plan = plan_for(source, destination, image_item("team/app", tag="1", tags=("1",), artifacts=("all",)))
    outcomes = Promotion(
        source.client, destination.client, plan, CopyRules(all_or_nothing=True, check=False), Progress()
    ).carry_out()
    assert ("team/app", name) not in destination.manifests
    assert [(tag.tag, tag.action) for tag in outcomes.moved] == [(name, "reverted")]


def test_check_mode_tells_the_same_and_writes_nothing(source: FakeRegistry, production: FakeRegistry) -> None:
    production.failing["HEAD team/web new"] = REFUSAL
    plan = plan_for(source, production, *ENTRIES[:2])
    assert all(entry.action == "promote" for entry in plan.images)
    production.failing = {"HEAD team/api stable": REFUSAL}
    rules = CopyRules(all_or_nothing=True, check=True)
    outcomes = Promotion(source.client, production.client, plan, rules, Progress()).carry_out()
    assert actions(outcomes) and set(actions(outcomes).values()) == {"reverted"}
    assert production.writes == [] and not result_of(plan, outcomes)["changed"]
