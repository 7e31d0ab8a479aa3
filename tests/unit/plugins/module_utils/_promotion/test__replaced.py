# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a promotion replaces is kept under a tag of its own, on a registry in memory."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.imageops.registry.plugins.module_utils._blobs._deletion import outcome_as_plain
from ansible_collections.imageops.registry.plugins.module_utils._images._referrers import cosign_tags
from ansible_collections.imageops.registry.plugins.module_utils._model._digest import compute_digest
from ansible_collections.imageops.registry.plugins.module_utils._model._errors import (
    AccessDenied,
    InvalidInput,
    Unsupported,
)
from ansible_collections.imageops.registry.plugins.module_utils._promotion._copy import CopyRules, Promotion
from ansible_collections.imageops.registry.plugins.module_utils._promotion._items import ImageItem
from ansible_collections.imageops.registry.plugins.module_utils._promotion._outcomes import Outcomes
from ansible_collections.imageops.registry.plugins.module_utils._promotion._replaced import (
    check_not_replaced,
    replaced_tag,
)
from ansible_collections.imageops.registry.plugins.module_utils._promotion._result import result_of
from ansible_collections.imageops.registry.plugins.module_utils._run._progress import Progress
from ansible_collections.imageops.registry.tests.unit.support.documents import DIGEST, LAYER, descriptor, encoded, image
from ansible_collections.imageops.registry.tests.unit.support.fake_registry import FakeRegistry
from ansible_collections.imageops.registry.tests.unit.support.promotions import (
    ANOTHER_LAYER,
    IMAGE_DIGEST,
    OTHER,
    image_item,
    plan_for,
)

OLD, THIRD = (image(annotations={"version": version}) for version in ("old", "third"))
OLD_DIGEST, THIRD_DIGEST = (compute_digest(encoded(document)) for document in (OLD, THIRD))
KEPT = f"replaced-{OLD_DIGEST[7:19]}"
REFUSAL = AccessDenied("DENIED: no", status=403)


def item(*tags: str, **more: t.Any) -> ImageItem:
    return image_item("team/app", **{"tag": "1", "tags": tags, "keep_replaced": True, **more})


def promote(
    source: FakeRegistry, destination: FakeRegistry, *items: ImageItem, check: bool = False, **rules: t.Any
) -> tuple[dict[str, t.Any], Outcomes]:
    plan = plan_for(source, destination, *items)
    how = CopyRules(all_or_nothing=rules.get("all_or_nothing", True), check=check)
    outcomes = Promotion(source.client, destination.client, plan, how, Progress()).carry_out()
    kept_as = [outcome_as_plain(tag) for tag in outcomes.replaced_tags.done]
    return {**result_of(plan, outcomes), "replaced_tags": kept_as}, outcomes


@pytest.fixture
def production(destination: FakeRegistry) -> FakeRegistry:
    """Has the images, and what they replace under two tags."""
    destination.add("team/app", image())
    destination.add("team/app", OTHER)
    destination.add("team/app", OLD, "1", "stable")
    return destination


def kept(registry: FakeRegistry) -> dict[str, str]:
    return {tag: found.digest for (_name, tag), found in registry.manifests.items() if tag.startswith("replaced-")}


def test_what_loses_its_tags_gets_one_before(source: FakeRegistry, production: FakeRegistry) -> None:
    result, _outcomes = promote(source, production, item("1", "stable"))
    assert kept(production) == {KEPT: OLD_DIGEST} and replaced_tag(OLD_DIGEST) == KEPT
    assert production.writes == [f"PUT team/app {tag}" for tag in (KEPT, "1", "stable")]
    assert result["replaced_tags"] == [
        {"repository": "team/app", "tag": KEPT, "digest": OLD_DIGEST, "previous_digest": "", "action": "create"}
    ]
    # That there is no such tag decides whether one is written; that there was none before, whether anything is kept.
    assert {f"team/app {tag}" for tag in (KEPT, "1", "stable")} <= production.guarded


def test_what_is_kept_already_stays_as_it_is(source: FakeRegistry, production: FakeRegistry) -> None:
    production.add("team/app", OLD, KEPT)
    result, _outcomes = promote(source, production, item("1"))
    assert [tag["action"] for tag in result["replaced_tags"]] == ["exists"]
    assert production.writes == ["PUT team/app 1"]
    production.calls.clear()
    again, _outcomes = promote(source, production, item("1"))
    assert again["replaced_tags"] == [] and not again["changed"] and production.writes == []


def test_without_being_asked_for_nothing_is_kept(source: FakeRegistry, production: FakeRegistry) -> None:
    result, _outcomes = promote(source, production, item("1", "stable", keep_replaced=False))
    assert kept(production) == {} and result["replaced_tags"] == []


def test_check_mode_says_what_would_be_kept(source: FakeRegistry, production: FakeRegistry) -> None:
    result, _outcomes = promote(source, production, item("1"), check=True)
    assert [(tag["tag"], tag["action"]) for tag in result["replaced_tags"]] == [(KEPT, "create")]
    assert production.writes == []


@pytest.mark.parametrize("how", ["a tag that stays", "a tag that is skipped"])
def test_what_a_tag_of_the_plan_keeps_needs_no_other(source: FakeRegistry, production: FakeRegistry, how: str) -> None:
    source.add("team/app", OLD, "old")
    source.blobs["team/app", DIGEST] = LAYER
    other = {
        "a tag that stays": item("stable", tag="old"),
        "a tag that is skipped": item("stable", tag="2", on_conflict="skip"),
    }[how]
    result, _outcomes = promote(source, production, item("1"), other)
    assert kept(production) == {} and result["replaced_tags"] == []
    assert production.manifests["team/app", "1"].digest == IMAGE_DIGEST


@pytest.mark.parametrize("all_or_nothing", [True, False])
def test_a_tag_that_is_to_point_there_keeps_nothing_before_it_does(
    source: FakeRegistry, production: FakeRegistry, all_or_nothing: bool
) -> None:
    """A rotation: the registry may refuse the tag that is to take over what the other one leaves."""
    source.add("team/app", OLD, "old")
    source.blobs["team/app", DIGEST] = LAYER
    production.add("team/app", THIRD, "previous")
    del production.manifests["team/app", "1"]
    production.failing["PUT team/app previous"] = REFUSAL
    rotation = item("stable"), item("previous", tag="old")
    promote(source, production, *rotation, all_or_nothing=all_or_nothing)
    tags = {tag for (_name, tag), found in production.manifests.items() if found.digest == OLD_DIGEST}
    assert tags - {OLD_DIGEST} == ({"stable"} if all_or_nothing else {KEPT})


@pytest.mark.parametrize("how", ["moved", "removed", "not seen"])
def test_a_tag_that_stays_keeps_only_what_it_still_serves(
    source: FakeRegistry, production: FakeRegistry, how: str
) -> None:
    """Somebody else moves it between the comparison and the first move."""
    source.add("team/app", OLD, "old")
    source.blobs["team/app", DIGEST] = LAYER
    plan = plan_for(source, production, item("1"), item("stable", tag="old"))
    if how == "moved":
        production.add("team/app", THIRD, "stable")
    elif how == "removed":
        del production.manifests["team/app", "stable"]
    else:
        production.failing["HEAD team/app stable"] = REFUSAL
    Promotion(
        source.client, production.client, plan, CopyRules(all_or_nothing=True, check=False), Progress()
    ).carry_out()
    assert kept(production) == {KEPT: OLD_DIGEST}
    assert production.manifests["team/app", "1"].digest == IMAGE_DIGEST


def test_what_is_kept_in_one_repository_is_not_kept_in_another(source: FakeRegistry, production: FakeRegistry) -> None:
    production.add("team/api", image())
    production.add("team/api", OLD, "1")
    elsewhere = item("1", destination_repository="team/api")
    result, _outcomes = promote(source, production, item("1", "stable"), elsewhere)
    assert [(tag["repository"], tag["tag"]) for tag in result["replaced_tags"]] == [
        ("team/app", KEPT),
        ("team/api", KEPT),
    ]


def test_a_signature_that_is_replaced_is_kept_as_well(source: FakeRegistry, production: FakeRegistry) -> None:
    name = cosign_tags(IMAGE_DIGEST)[0]
    source.add("team/app", image(layers=[descriptor(b"another layer")], annotations={"signed": "again"}), name)
    source.blobs["team/app", ANOTHER_LAYER] = b"another layer"
    production.add("team/app", THIRD, name)
    result, _outcomes = promote(source, production, item("1", artifacts=("all",)))
    assert {tag["digest"] for tag in result["replaced_tags"]} == {OLD_DIGEST, THIRD_DIGEST}


@pytest.mark.parametrize("all_or_nothing", [True, False])
@pytest.mark.parametrize("why", ["taken", "refused", "gone"])
def test_a_tag_stays_where_what_it_would_leave_cannot_be_kept(
    source: FakeRegistry, production: FakeRegistry, why: str, all_or_nothing: bool
) -> None:
    if why == "taken":
        production.add("team/app", THIRD, KEPT)
    elif why == "refused":
        refusal = AccessDenied("DENIED: no", status=403).within(f"push prod.example/team/app:{KEPT}")
        production.failing[f"PUT team/app {KEPT}"] = refusal
    else:
        del production.manifests["team/app", OLD_DIGEST]
    result, _outcomes = promote(
        source, production, item("1", "stable"), item("new", tag="2"), all_or_nothing=all_or_nothing
    )
    assert {production.manifests["team/app", tag].digest for tag in ("1", "stable")} == {OLD_DIGEST}
    first, second = result["images"]
    assert first["action"] == "failed" and (OLD_DIGEST if why == "gone" else KEPT) in first["reason"]
    assert second["action"] == ("failed" if all_or_nothing else "promote")
    assert (("team/app", "new") in production.manifests) is not all_or_nothing
    assert [tag["action"] for tag in first["tags"]] == ["failed", "failed"]


def test_where_all_go_back_what_was_kept_for_nothing_is_removed(source: FakeRegistry, production: FakeRegistry) -> None:
    production.failing["PUT team/app new"] = REFUSAL
    before = {place: found.digest for place, found in production.manifests.items()}
    result, outcomes = promote(source, production, item("1", "stable"), item("new", tag="2"))
    assert {place: found.digest for place, found in production.manifests.items()} == before
    assert [tag["action"] for tag in result["replaced_tags"]] == ["reverted"]
    assert outcomes.not_reverted == () and not result["changed"]


def with_deletes_of_manifests(registry: FakeRegistry) -> None:
    """Have a registry delete the manifest where a tag is to be deleted, and so every other tag on it."""
    delete = registry.delete_manifest

    def whole(repository: str, reference: str, *more: t.Any) -> bool:
        found = registry.manifests.get((repository, reference))
        done = delete(repository, reference, *more)
        for place in [place for place, other in registry.manifests.items() if other is found]:
            del registry.manifests[place]
        return done

    registry.delete_manifest = whole


@pytest.mark.parametrize("refused", ["1", "stable", "new"])
def test_what_is_deleted_with_the_tag_that_kept_it_is_put_back(
    source: FakeRegistry, production: FakeRegistry, refused: str
) -> None:
    """Also under tags that haven't moved."""
    with_deletes_of_manifests(production)
    refuse_image(production, refused)
    before = {place: found.digest for place, found in production.manifests.items()}
    result, outcomes = promote(source, production, item("1", "stable"), item("new", tag="2"))
    assert {place: found.digest for place, found in production.manifests.items()} == before
    assert [tag["action"] for tag in result["replaced_tags"]] == ["reverted"] and outcomes.not_reverted == ()


def test_what_is_deleted_and_cannot_be_put_back_is_told(source: FakeRegistry, production: FakeRegistry) -> None:
    with_deletes_of_manifests(production)
    delete = production.delete_manifest

    def then_refuse(*call: t.Any) -> bool:
        production.failing["PUT team/app stable"] = REFUSAL
        return delete(*call)

    production.delete_manifest = then_refuse
    production.failing["PUT team/app new"] = REFUSAL
    _result, outcomes = promote(source, production, item("1", "stable"), item("new", tag="2"))
    (left,) = outcomes.not_reverted
    assert left[:4] == ("team/app", "stable", IMAGE_DIGEST, OLD_DIGEST) and "It is gone with the tag" in left.reason


def refuse_image(registry: FakeRegistry, tag: str) -> None:
    """Refuse to put a promoted image under a tag, and nothing else."""
    put = registry.put_manifest

    def push(repository: str, reference: str, manifest: t.Any, *more: t.Any) -> bool:
        if reference == tag and manifest.digest != OLD_DIGEST:
            raise REFUSAL
        return put(repository, reference, manifest, *more)

    registry.put_manifest = push


def test_what_could_not_be_removed_again_does_no_harm(source: FakeRegistry, production: FakeRegistry) -> None:
    production.failing.update(
        {"PUT team/app new": REFUSAL, f"DELETE team/app {KEPT}": Unsupported("UNSUPPORTED: no", status=405)}
    )
    result, outcomes = promote(source, production, item("1", "stable"), item("new", tag="2"))
    assert kept(production) == {KEPT: OLD_DIGEST} and [tag["action"] for tag in result["replaced_tags"]] == ["create"]
    assert outcomes.not_reverted == ()


def test_what_a_tag_that_cannot_go_back_has_left_stays_kept(source: FakeRegistry, production: FakeRegistry) -> None:
    put = production.put_manifest

    def push(repository: str, reference: str, *more: t.Any) -> bool:
        if reference == "new":
            production.failing["PUT team/app 1"] = REFUSAL
            raise REFUSAL
        return put(repository, reference, *more)

    production.put_manifest = push
    result, outcomes = promote(source, production, item("1"), item("new", tag="2"))
    assert [one.tag for one in outcomes.not_reverted] == ["1"]
    assert kept(production) == {KEPT: OLD_DIGEST} and [tag["action"] for tag in result["replaced_tags"]] == ["create"]


@pytest.mark.parametrize("tag", ["replaced-0123456789ab", KEPT])
def test_nothing_is_promoted_to_a_tag_that_keeps_something(tag: str) -> None:
    with pytest.raises(InvalidInput, match=f"nothing is promoted to team/app:{tag}: tags of that form keep what"):
        check_not_replaced(item("1", tag))


@pytest.mark.parametrize(
    "tag",
    ["replaced-0123456789a", "replaced-0123456789abc", "replaced-0123456789AB", "replaced-", "replaced-0123456789aB"],
)
def test_other_tags_are_free(tag: str) -> None:
    check_not_replaced(item(tag))
