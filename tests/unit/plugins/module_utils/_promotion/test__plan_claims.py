# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import typing as t

import pytest
from ansible_collections.imageops.registry.plugins.module_utils._images._referrers import cosign_tags
from ansible_collections.imageops.registry.plugins.module_utils._model._digest import compute_digest
from ansible_collections.imageops.registry.plugins.module_utils._model._errors import ConnectionFailed
from ansible_collections.imageops.registry.plugins.module_utils._model._manifest import OCI_MANIFEST
from ansible_collections.imageops.registry.plugins.module_utils._promotion._items import ImageItem
from ansible_collections.imageops.registry.plugins.module_utils._promotion._plan import Plan
from ansible_collections.imageops.registry.plugins.module_utils._promotion._plan_as_plain import as_plain, from_plain
from ansible_collections.imageops.registry.plugins.module_utils._promotion._plan_claims import check_claims
from ansible_collections.imageops.registry.plugins.module_utils._promotion._plan_conditions import check_conditions
from ansible_collections.imageops.registry.tests.unit.support.documents import CONFIG, descriptor, encoded, image, index
from ansible_collections.imageops.registry.tests.unit.support.fake_registry import FakeRegistry
from ansible_collections.imageops.registry.tests.unit.support.promotions import image_item, plan_for

Plain = dict[str, t.Any]
IMAGE, OLD = image(annotations={"version": "2"}), image(annotations={"version": "1"})
DIGEST, OLD_DIGEST = (compute_digest(encoded(document)) for document in (IMAGE, OLD))
PLATFORMS = [{"os": "linux", "architecture": name} for name in ("amd64", "arm64")]
INDEX = index(
    *(descriptor(encoded(one), OCI_MANIFEST, platform=platform) for one, platform in zip((IMAGE, OLD), PLATFORMS))
)
INDEX_DIGEST = compute_digest(encoded(INDEX))
SIGNATURE = image(layers=[descriptor(b"signature")])
BY_TAG = image_item("team/app", tag="1", tags=("1", "stable"), artifacts=("all",))
BY_DIGEST = image_item("team/app", digest=DIGEST, tags=("1",))
MULTI = image_item("team/app", tag="multi", tags=("multi",))
Ends = tuple[FakeRegistry, FakeRegistry]


@pytest.fixture
def ends() -> Ends:
    source = FakeRegistry("dev.example")
    source.add("team/app", IMAGE, "1")
    source.add("team/app", OLD, "0")
    source.add("team/app", INDEX, "multi")
    source.add_blob(CONFIG, "team/app")
    return source, FakeRegistry("prod.example")


def made_for(ends: Ends, *items: ImageItem) -> Plain:
    return t.cast(Plain, json.loads(json.dumps(as_plain(plan_for(*ends, *items)))))


def checked(ends: Ends, made: Plain, *items: ImageItem) -> Plan:
    """The plan as it is checked; all requests of before are forgotten."""
    plan = from_plain(made, items, *(end.name for end in ends))
    check_conditions(plan)
    for end in ends:
        end.calls.clear()
    return check_claims(plan, *(end.client for end in ends))


def refused(ends: Ends, made: Plain, item: ImageItem, *, read: t.Container[str] = ()) -> str:
    """Why it is refused. Nothing but ``read``, and what platforms need, is asked for by GET."""
    plan = checked(ends, made, item)
    (found,) = plan.images
    assert found.action == "refused" and not plan.manifests and not plan.blobs and not plan.tags
    assert all(call.startswith("HEAD") or item.platforms or call in read for end in ends for call in end.calls)
    reference = found.item.at_source("dev.example")
    assert found.reason.startswith(f"{reference}: ") and found.reason.endswith(". Make a new plan.")
    return found.reason


def test_what_is_still_so_costs_a_request_at_the_source_and_one_for_each_tag(ends: Ends) -> None:
    source, destination = ends
    plan = checked(
        ends, made_for(ends, BY_TAG, BY_DIGEST._replace(tags=("3",))), BY_TAG, BY_DIGEST._replace(tags=("3",))
    )
    assert [found.action for found in plan.images] == ["promote", "promote"]
    assert sorted(source.calls) == [f"HEAD team/app {reference}" for reference in ("1", DIGEST)]
    assert sorted(destination.calls) == [f"HEAD team/app {tag}" for tag in ("1", "3", "stable")]
    assert len(plan.manifests) == 1 and len(plan.tags) == 3


def test_a_plan_of_another_digest_is_refused(ends: Ends) -> None:
    """It names one that the source has, and has never had under this tag, or no longer."""
    made = made_for(ends, BY_TAG)
    ends[0].add("team/app", OLD, "1")
    reason = refused(ends, made, BY_TAG)
    assert f"the source serves {OLD_DIGEST} now, and the plan promotes {DIGEST}" in reason


@pytest.mark.parametrize(("item", "reference"), [(BY_TAG, "1"), (BY_DIGEST, DIGEST)])
def test_a_digest_that_is_gone_is_refused(ends: Ends, item: ImageItem, reference: str) -> None:
    made = made_for(ends, item)
    del ends[0].manifests["team/app", reference]
    assert f"the source does not have it any more, and the plan promotes {DIGEST}" in refused(ends, made, item)


@pytest.mark.parametrize("now", [OLD, None])
def test_a_tag_that_has_moved_since_is_refused(ends: Ends, now: Plain | None) -> None:
    destination = ends[1]
    destination.add("team/app", INDEX, "1")
    made = made_for(ends, BY_TAG)
    del destination.manifests["team/app", "1"]
    if now:
        destination.add("team/app", now, "1")
    stands = OLD_DIGEST if now else "nothing"
    points = f"prod.example/team/app:1 points to {stands}, and {INDEX_DIGEST} was expected"
    assert points in refused(ends, made, BY_TAG)
    # An absence on which that rests is made sure of.
    assert "team/app 1" in destination.guarded


def test_others_are_promoted_beside_what_is_refused(ends: Ends) -> None:
    other = image_item("team/app", tag="0", tags=("0",))
    made = made_for(ends, BY_TAG, other)
    ends[0].add("team/app", OLD, "1")
    plan = checked(ends, made, BY_TAG, other)
    assert [found.action for found in plan.images] == ["refused", "promote"]
    assert [tag.tag for tag in plan.tags] == ["0"] and [one.manifest.digest for one in plan.manifests] == [OLD_DIGEST]


def test_tags_that_are_as_planned_by_now_are_fine(ends: Ends) -> None:
    made = made_for(ends, BY_TAG)
    for tag in ("1", "stable"):
        ends[1].add("team/app", IMAGE, tag)
        plan = checked(ends, made, BY_TAG)
        assert plan.images[0].action == "promote" and len(plan.tags) == 2


def test_a_claim_that_everything_is_equal_is_looked_up(ends: Ends) -> None:
    item = BY_DIGEST._replace(expected_digest=DIGEST)
    ends[1].add("team/app", IMAGE, "1")
    made = made_for(ends, item)
    assert checked(ends, made, item).images[0].action == "unchanged"
    assert ends[0].calls == [] and ends[1].calls == ["HEAD team/app 1"]
    ends[1].add("team/app", OLD, "1")
    assert f"points to {OLD_DIGEST}, and {DIGEST} was expected" in refused(ends, made, item)


def test_a_claim_that_a_digest_without_tags_is_there_is_looked_up(ends: Ends) -> None:
    item = BY_DIGEST._replace(tags=())
    ends[1].add("team/app", IMAGE)
    made = made_for(ends, item)
    assert checked(ends, made, item).images[0].action == "unchanged"
    ends[1].manifests.clear()
    assert f"counts on manifest {DIGEST}, which prod.example/team/app does not have" in refused(ends, made, item)


def without_blobs(made: Plain) -> str:
    made["blobs"] = []
    return "the plan counts on blob sha256:"


def without_children(made: Plain) -> str:
    made["manifests"] = [entry for entry in made["manifests"] if entry["digest"] == INDEX_DIGEST]
    made["blobs"] = []
    return f"the plan counts on manifest {DIGEST}"


def without_manifests(made: Plain) -> str:
    """The bytes that are pushed under the tag are still in the plan."""
    content = next(entry["content_base64"] for entry in made["manifests"] if entry["digest"] == INDEX_DIGEST)
    made["manifests"], made["blobs"] = [], []
    made["tags"][0]["content_base64"] = content
    return f"the plan counts on manifest {INDEX_DIGEST}"


@pytest.mark.parametrize("leave_out", [without_blobs, without_children, without_manifests])
def test_no_tag_moves_to_an_image_of_which_something_is_left_out(
    ends: Ends, leave_out: t.Callable[[Plain], str]
) -> None:
    made = made_for(ends, MULTI)
    sentence = leave_out(made)
    assert sentence in refused(ends, made, MULTI)
    for document in (IMAGE, OLD, INDEX):
        ends[1].add("team/app", document)
    for content in (CONFIG, b"layer"):
        ends[1].add_blob(content, "team/app")
    for blob in json.loads(encoded(IMAGE))["layers"]:
        ends[1].blobs["team/app", blob["digest"]] = b"layer"
    assert checked(ends, made, MULTI).images[0].action == "promote"


def test_an_artifact_that_is_said_to_be_there_is_looked_for(ends: Ends) -> None:
    source, destination = ends
    tag = cosign_tags(DIGEST)[0]
    for end in ends:
        end.add("team/app", SIGNATURE, tag)
    made = made_for(ends, BY_TAG)
    assert [artifact["action"] for artifact in made["images"][0]["artifacts"]] == ["exists"]
    assert checked(ends, made, BY_TAG).images[0].action == "promote"
    destination.add("team/app", OLD, tag)
    signature = compute_digest(encoded(SIGNATURE))
    compared = (f"GET team/app {tag}", f"GET team/app {signature}")
    assert f"counts on artifact {signature}" in refused(ends, made, BY_TAG, read=compared)


def test_a_signature_is_there_too_where_the_destination_has_more(ends: Ends) -> None:
    source, destination = ends
    tag = cosign_tags(DIGEST)[0]
    source.add("team/app", SIGNATURE, tag)
    destination.add("team/app", image(layers=[descriptor(b"theirs"), descriptor(b"signature")]), tag)
    made = made_for(ends, BY_TAG)
    assert [artifact["action"] for artifact in made["images"][0]["artifacts"]] == ["exists"]
    assert checked(ends, made, BY_TAG).images[0].action == "promote"


def test_what_platforms_choose_is_chosen_again(ends: Ends) -> None:
    item = MULTI._replace(platforms=("linux/amd64",))
    made = made_for(ends, item)
    chosen = made["images"][0]["digest"]
    assert chosen != INDEX_DIGEST and checked(ends, made, item).images[0].action == "promote"
    other = made_for(ends, item._replace(platforms=("linux/arm64",)))
    expected = f"gives {chosen}, and the plan promotes {other['images'][0]['digest']}"
    assert expected in refused(ends, other, item)
    assert "it has no image for linux/s390x" in refused(ends, made, item._replace(platforms=("linux/s390x",)))


def test_what_flatten_chooses_is_chosen_again(ends: Ends) -> None:
    item = MULTI._replace(platforms=("linux/amd64",), flatten=True)
    made = made_for(ends, item)
    assert checked(ends, made, item).images[0].action == "promote"
    assert f"gives {DIGEST}, and" in refused(ends, made_for(ends, item._replace(flatten=False)), item)


def test_what_cannot_be_looked_up_is_a_failure_of_its_image(ends: Ends) -> None:
    made = made_for(ends, BY_TAG, MULTI)
    ends[1].failing["HEAD team/app stable"] = ConnectionFailed("it broke off")
    plan = checked(ends, made, BY_TAG, MULTI)
    assert [found.action for found in plan.images] == ["failed", "promote"] and "it broke off" in plan.images[0].reason


def test_what_stops_an_image_stays(ends: Ends) -> None:
    nothing = image_item("team/nothing", tag="1", tags=("1",))
    made = made_for(ends, nothing)
    assert checked(ends, made, nothing).images[0].action == "missing"
    assert not ends[0].calls and not ends[1].calls
