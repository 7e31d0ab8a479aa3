# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.imageops.registry.plugins.module_utils._end._last_look import LastLook, no_look
from ansible_collections.imageops.registry.plugins.module_utils._images._tagging import (
    TagItem,
    TagOutcome,
    advise_of_case,
    alike,
    move_tags,
    verify_tags,
)
from ansible_collections.imageops.registry.plugins.module_utils._images._untagging import delete_tags
from ansible_collections.imageops.registry.plugins.module_utils._model._digest import compute_digest
from ansible_collections.imageops.registry.plugins.module_utils._model._errors import (
    AccessDenied,
    Conflict,
    InvalidInput,
    NotFound,
    ProtocolViolation,
    ReferencesMissing,
    RegistryError,
    UnexpectedAnswer,
    Unsupported,
)
from ansible_collections.imageops.registry.plugins.module_utils._model._manifest import Manifest
from ansible_collections.imageops.registry.tests.unit.support.documents import encoded, image
from ansible_collections.imageops.registry.tests.unit.support.fake_registry import FakeRegistry

NEW = encoded(image(annotations={"version": "new"}))
NEW_DIGEST = compute_digest(NEW)


@pytest.fixture
def registry() -> FakeRegistry:
    return FakeRegistry()


@pytest.fixture
def old(registry: FakeRegistry) -> str:
    return registry.add("a", image(), "1").digest


def move(registry: FakeRegistry, item: TagItem, *, check: bool = False) -> TagOutcome:
    (outcome,) = move_tags(registry.client, [item], check=check)
    if isinstance(outcome, RegistryError):
        raise outcome
    return outcome


@pytest.mark.parametrize("check", [True, False])
def test_a_tag_is_created(registry: FakeRegistry, check: bool) -> None:
    outcome = move(registry, TagItem("a", "1", NEW_DIGEST, content=NEW), check=check)
    assert outcome == TagOutcome("a", "1", NEW_DIGEST, "", "create")
    assert registry.calls == ["HEAD a 1"] + ([] if check else ["PUT a 1"])


@pytest.mark.parametrize("is_guarded", [True, False])
def test_a_tag_is_looked_for_with_the_care_that_was_asked_for(registry: FakeRegistry, is_guarded: bool) -> None:
    move(registry, TagItem("a", "1", NEW_DIGEST, content=NEW, is_guarded=is_guarded), check=True)
    delete_tags(registry.client, [TagItem("a", "2", "", is_guarded=is_guarded)], delete_manifest=False, check=True)
    assert registry.guarded == ({"a 1", "a 2"} if is_guarded else set())


def test_that_a_tag_is_gone_which_was_there_before_must_be_sure(registry: FakeRegistry, old: str) -> None:
    move(registry, TagItem("a", "1", NEW_DIGEST, old, NEW), check=True)
    move(registry, TagItem("a", "2", NEW_DIGEST, "", NEW), check=True)
    assert registry.guarded == {"a 1"}


@pytest.mark.parametrize("check", [True, False])
def test_a_tag_is_moved(registry: FakeRegistry, old: str, check: bool) -> None:
    outcome = move(registry, TagItem("a", "1", NEW_DIGEST, old, NEW), check=check)
    assert outcome == TagOutcome("a", "1", NEW_DIGEST, old, "replace")
    assert registry.manifests["a", "1"].digest == (old if check else NEW_DIGEST)


@pytest.mark.parametrize("previous", [None, "", NEW_DIGEST])
def test_a_tag_that_serves_the_digest_is_left_alone_whatever_was_expected(
    registry: FakeRegistry, old: str, previous: str | None
) -> None:
    assert move(registry, TagItem("a", "1", old, previous)) == TagOutcome("a", "1", old, old, "exists")
    assert registry.calls == ["HEAD a 1"]


@pytest.mark.parametrize("check", [True, False])
@pytest.mark.parametrize("previous", ["", compute_digest(b"third")])
def test_a_tag_that_somebody_else_moved_is_left_alone(
    registry: FakeRegistry, old: str, previous: str, check: bool
) -> None:
    with pytest.raises(Conflict, match=f"Cannot tag r.example/a:1: it points to {old}, and {previous or 'no tag'} was"):
        move(registry, TagItem("a", "1", NEW_DIGEST, previous, NEW), check=check)
    assert registry.writes == []


def test_a_tag_that_somebody_else_deleted_is_not_made_again(registry: FakeRegistry) -> None:
    with pytest.raises(Conflict, match="it points to nothing"):
        move(registry, TagItem("a", "1", NEW_DIGEST, compute_digest(b"x"), NEW))


def test_without_content_the_manifest_is_read_from_the_repository(registry: FakeRegistry, old: str) -> None:
    assert move(registry, TagItem("a", "2", old)).action == "create"
    assert registry.calls == ["HEAD a 2", f"GET a {old}", "PUT a 2"]
    assert registry.manifests["a", "2"] is registry.manifests["a", "1"]


def test_without_content_check_mode_needs_no_digest_in_the_repository(registry: FakeRegistry) -> None:
    assert move(registry, TagItem("a", "1", NEW_DIGEST), check=True).action == "create"
    with pytest.raises(NotFound):
        move(registry, TagItem("a", "1", NEW_DIGEST))


def test_a_tag_can_only_stand_on_what_the_repository_has(registry: FakeRegistry) -> None:
    with pytest.raises(
        NotFound, match="Cannot read r.example/a@.*it is not there.*A tag can only point to a manifest of a"
    ):
        move(registry, TagItem("a", "1", NEW_DIGEST))
    assert registry.writes == []


@pytest.mark.parametrize("arrived", [True, False])
def test_a_tag_that_serves_the_digest_after_a_failure_was_moved(registry: FakeRegistry, arrived: bool) -> None:
    def fail(repository: str, reference: str, manifest: Manifest, last_look: LastLook = no_look) -> bool:
        if arrived:
            registry.manifests[repository, reference] = manifest
        raise UnexpectedAnswer("broken", status=502, temporary=True)

    registry.put_manifest = fail
    if arrived:
        assert move(registry, TagItem("a", "1", NEW_DIGEST, content=NEW)).action == "create"
    else:
        with pytest.raises(UnexpectedAnswer, match="broken"):
            move(registry, TagItem("a", "1", NEW_DIGEST, content=NEW))


def test_content_of_another_digest_is_not_tagged(registry: FakeRegistry) -> None:
    with pytest.raises(ProtocolViolation, match="Cannot tag r.example/a:1: "):
        move(registry, TagItem("a", "1", compute_digest(b"x"), content=NEW))
    assert registry.writes == []


def test_tags_keep_their_order_and_fail_one_by_one(registry: FakeRegistry) -> None:
    registry.jobs = 4
    registry.failing["PUT a 3"] = AccessDenied("no")
    outcomes = move_tags(
        registry.client, [TagItem("a", str(number), NEW_DIGEST, content=NEW) for number in range(8)], check=False
    )
    assert [outcome.tag if isinstance(outcome, TagOutcome) else type(outcome) for outcome in outcomes] == [
        "0",
        "1",
        "2",
        AccessDenied,
        "4",
        "5",
        "6",
        "7",
    ]


IMMUTABLE = [
    UnexpectedAnswer("TAG_INVALID: it already exists", status=400),
    AccessDenied("DENIED: not enough permissions", status=403),
    Unsupported("UNSUPPORTED: no", status=405),
    UnexpectedAnswer("TAG_IMMUTABLE: no", status=409),
    UnexpectedAnswer("PRECONDITION: immutable", status=412),
]


@pytest.mark.parametrize("refusal", IMMUTABLE)
def test_a_tag_that_the_registry_does_not_move_is_named_with_both_digests(
    registry: FakeRegistry, old: str, refusal: RegistryError
) -> None:
    registry.failing["PUT a 1"] = refusal.within("push r.example/a:1")
    with pytest.raises(Conflict) as caught:
        move(registry, TagItem("a", "1", NEW_DIGEST, content=NEW))
    sentence = (
        f"Cannot push r.example/a:1: the registry refuses to move it from {old} to {NEW_DIGEST}: {refusal.reason}"
    )
    assert str(caught.value).startswith(sentence) and "immutable there: then use another tag" in str(caught.value)
    assert ("may overwrite" in str(caught.value)) is (refusal.status == 403)
    assert caught.value.status == refusal.status


@pytest.mark.parametrize("refusal", IMMUTABLE)
def test_a_refusal_of_a_new_tag_stays_what_it_is(registry: FakeRegistry, refusal: RegistryError) -> None:
    registry.failing["PUT a 1"] = refusal
    with pytest.raises(type(refusal)) as caught:
        move(registry, TagItem("a", "1", NEW_DIGEST, content=NEW))
    assert caught.value is refusal


@pytest.mark.parametrize("refusal", [UnexpectedAnswer("no", status=415), ReferencesMissing("no", status=400)])
def test_another_refusal_of_a_tag_stays_what_it_is(registry: FakeRegistry, old: str, refusal: RegistryError) -> None:
    registry.failing["PUT a 1"] = refusal
    with pytest.raises(type(refusal)) as caught:
        move(registry, TagItem("a", "1", NEW_DIGEST, content=NEW))
    assert caught.value is refusal


@pytest.mark.parametrize("failures", [1, 3, 4])
def test_content_that_is_missing_for_a_moment_is_asked_for_again(registry: FakeRegistry, failures: int) -> None:
    put = registry.put_manifest
    refusals = [ReferencesMissing("no", status=400)] * failures

    def refuse(repository: str, reference: str, manifest: Manifest, last_look: LastLook = no_look) -> bool:
        if refusals:
            raise refusals.pop()
        return put(repository, reference, manifest, last_look)

    registry.put_manifest = refuse
    registry.retries = 1
    registry.back_off = lambda attempt: None
    item = TagItem("a", "1", NEW_DIGEST, content=NEW)
    if failures < 4:
        assert move(registry, item).action == "create"
    else:
        with pytest.raises(ReferencesMissing):
            move(registry, item)


@pytest.mark.parametrize("refusal", IMMUTABLE)
def test_a_tag_that_somebody_else_has_pushed_to_the_same_digest_is_fine(
    registry: FakeRegistry, refusal: RegistryError
) -> None:
    put = registry.put_manifest

    def refuse(repository: str, reference: str, manifest: Manifest, last_look: LastLook = no_look) -> bool:
        put(repository, reference, manifest, last_look)
        raise refusal

    registry.put_manifest = refuse
    assert move(registry, TagItem("a", "1", NEW_DIGEST, content=NEW)).action == "create"


# Deleting ------------------------------------------------------------------------------------------------------------


def delete(registry: FakeRegistry, *, delete_manifest: bool = False, check: bool = False) -> TagOutcome:
    (outcome,) = delete_tags(registry.client, [TagItem("a", "1", "")], delete_manifest=delete_manifest, check=check)
    if isinstance(outcome, RegistryError):
        raise outcome
    return outcome


@pytest.mark.parametrize("delete_manifest", [True, False])
def test_a_tag_is_deleted_alone(registry: FakeRegistry, old: str, delete_manifest: bool) -> None:
    registry.manifests["a", "2"] = registry.manifests["a", "1"]
    assert delete(registry, delete_manifest=delete_manifest) == TagOutcome("a", "1", "", old, "delete")
    assert set(registry.manifests) == {("a", old), ("a", "2")}


def test_a_tag_that_is_not_there_is_absent(registry: FakeRegistry) -> None:
    assert delete(registry, delete_manifest=True) == TagOutcome("a", "1", "", "", "absent")
    assert registry.writes == []


def test_check_mode_deletes_nothing(registry: FakeRegistry, old: str) -> None:
    assert delete(registry, delete_manifest=True, check=True).action == "delete"
    assert registry.writes == []


REFUSALS = [
    Unsupported("UNSUPPORTED: no", status=405),
    Unsupported("UNSUPPORTED: no", status=400),
    UnexpectedAnswer("DIGEST_INVALID: no", status=400),
    Unsupported("no", status=501),
]


@pytest.mark.parametrize("refusal", REFUSALS)
def test_where_a_tag_cannot_be_deleted_alone_nothing_is(
    registry: FakeRegistry, old: str, refusal: RegistryError
) -> None:
    registry.failing["DELETE a 1"] = refusal.within("delete r.example/a:1")
    with pytest.raises(Unsupported, match=r"Cannot delete r.example/a:1: .*cannot delete a tag alone.*delete_manifest"):
        delete(registry)
    assert registry.writes == ["DELETE a 1"]


@pytest.mark.parametrize("refusal", REFUSALS)
def test_where_a_tag_cannot_be_deleted_alone_its_manifest_may_be(
    registry: FakeRegistry, old: str, refusal: RegistryError
) -> None:
    registry.failing["DELETE a 1"] = refusal
    assert delete(registry, delete_manifest=True) == TagOutcome("a", "1", "", old, "delete")
    assert registry.writes == ["DELETE a 1", f"DELETE a {old}"]
    assert registry.manifests == {}


@pytest.mark.parametrize("refusal", [UnexpectedAnswer("broken", status=500), AccessDenied("no", status=403)])
def test_another_refusal_never_deletes_the_manifest(registry: FakeRegistry, old: str, refusal: RegistryError) -> None:
    registry.failing["DELETE a 1"] = refusal
    with pytest.raises(type(refusal)):
        delete(registry, delete_manifest=True)
    assert registry.writes == ["DELETE a 1"]


def test_a_tag_that_is_not_where_it_was_expected_is_not_deleted(registry: FakeRegistry, old: str) -> None:
    item = TagItem("a", "1", "", NEW_DIGEST)
    (outcome,) = delete_tags(registry.client, [item], delete_manifest=True, check=False)
    assert isinstance(outcome, Conflict) and NEW_DIGEST in str(outcome)
    assert registry.writes == []


def test_nothing_is_written_that_must_not_be_returned(registry: FakeRegistry, old: str) -> None:
    def refuse(outcome: TagOutcome) -> None:
        raise InvalidInput(f"{outcome.previous_digest} must not be returned")

    item = TagItem("a", "1", NEW_DIGEST, content=NEW)
    moved = move_tags(registry.client, [item], check=False, before_write=refuse)
    deleted = delete_tags(registry.client, [item], delete_manifest=True, check=False, before_write=refuse)
    assert all(isinstance(outcome, InvalidInput) for outcome in [*moved, *deleted])
    assert registry.writes == []


def test_what_was_moved_and_serves_something_else_is_told_beside_its_outcome(registry: FakeRegistry, old: str) -> None:
    outcomes = [move(registry, TagItem("a", tag, NEW_DIGEST, content=NEW)) for tag in ("1", "2", "3")]
    assert verify_tags(registry.client, outcomes) == []
    registry.manifests["a", "1"] = registry.manifests["a", old]
    del registry.manifests["a", "2"]
    registry.failing["HEAD a 3"] = UnexpectedAnswer("no", status=500)
    problems = verify_tags(registry.client, outcomes)
    assert [outcome.tag for outcome, _problem in problems] == ["1", "2", "3"]
    assert f"moved to {NEW_DIGEST}, and serves {old}" in str(problems[0][1])
    assert "and serves nothing" in str(problems[1][1])


@pytest.mark.parametrize("served", [NEW_DIGEST, "old", ""])
def test_where_head_says_what_a_tag_served_before_get_decides(registry: FakeRegistry, old: str, served: str) -> None:
    outcome = move(registry, TagItem("a", "1", NEW_DIGEST, content=NEW))
    del registry.manifests["a", "1"]
    head = registry.manifests["a", old].descriptor
    if served:
        registry.manifests["a", "1"] = registry.manifests["a", NEW_DIGEST if served == NEW_DIGEST else old]
    registry.head_says["1"] = head
    problems = [str(problem) for _outcome, problem in verify_tags(registry.client, [outcome])]
    assert registry.calls[-2:] == ["HEAD a 1", "GET a 1"]
    assert len(problems) == (served != NEW_DIGEST)
    assert all(f"and serves {old if served else 'nothing'}" in problem for problem in problems)


def outcome(place: str, digest: str, action: str = "create") -> TagOutcome:
    repository, _colon, tag = place.partition(":")
    return TagOutcome(repository, tag, digest, digest if action == "exists" else "", action)


@pytest.mark.parametrize(
    ("other", "advice"),
    [
        (outcome("a:Stable", "old"), "may treat stable and Stable as one tag"),
        (outcome("a:Stable", NEW_DIGEST), "Another client moved it"),
        (outcome("b:Stable", "old"), "Another client moved it"),
        (outcome("a:next", "old"), "Another client moved it"),
    ],
)
def test_two_tags_that_a_registry_may_take_for_one_are_named(
    registry: FakeRegistry, old: str, other: TagOutcome, advice: str
) -> None:
    registry.manifests["a", "stable"] = registry.manifests["a", old]
    problems = verify_tags(registry.client, [outcome("a:stable", NEW_DIGEST), other])
    (problem,) = [str(problem) for found, problem in problems if found.tag == "stable"]
    assert advice in problem


@pytest.mark.parametrize("beside", [True, False])
def test_a_tag_that_another_one_may_have_moved_is_looked_at(registry: FakeRegistry, old: str, beside: bool) -> None:
    moved = move(registry, TagItem("a", "stable", NEW_DIGEST, content=NEW))
    standing = [outcome("a:Stable", old, "exists"), outcome("a:STABLE", NEW_DIGEST, "exists"), outcome("b:Stable", old)]
    registry.manifests["a", "Stable"] = registry.manifests["a", "STABLE"] = registry.manifests["a", NEW_DIGEST]
    registry.manifests["b", "Stable"] = registry.manifests["a", old]
    outcomes, more = ([moved], standing) if beside else ([moved, *standing], [])
    ((found, problem),) = verify_tags(registry.client, outcomes, beside=more)
    assert found == moved and "/a:Stable: it pointed" in str(problem)
    assert f"it pointed to {old}, and serves {NEW_DIGEST}" in str(problem) and "as one tag" in str(problem)


def test_only_tags_that_differ_in_case_alone_and_in_digest_are_alike() -> None:
    same = [outcome("a:v1", "one"), outcome("a:V1", "one"), outcome("b:V1", "two"), outcome("a:v2", "two")]
    different = [outcome("a:x", "one"), outcome("a:X", "two", "exists")]
    assert alike([*same, *different]) == different


def test_a_conflict_names_the_tag_that_the_registry_may_take_for_it() -> None:
    items = [TagItem("a", "stable", "one"), TagItem("a", "Stable", "two")]
    conflict, other = Conflict("no", hint="compare again"), RegistryError("no", hint="wait")
    for error in (conflict, other):
        advise_of_case(error, items[0], items)
    assert "stable and Stable as one tag" in conflict.hint and other.hint == "wait"
    unlike = Conflict("no", hint="compare again")
    advise_of_case(unlike, items[0], [*items[:1], TagItem("a", "next", "two")])
    assert unlike.hint == "compare again"


def test_a_tag_that_was_left_alone_needs_no_second_look(registry: FakeRegistry, old: str) -> None:
    outcome = move(registry, TagItem("a", "1", old))
    registry.calls.clear()
    assert verify_tags(registry.client, [outcome]) == []
    assert registry.calls == []
