# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.imageops.registry.plugins.module_utils._model._errors import AccessDenied, ProtocolViolation
from ansible_collections.imageops.registry.plugins.module_utils._model._manifest import (
    OCI_INDEX,
    OCI_MANIFEST,
    Descriptor,
    Manifest,
)
from ansible_collections.imageops.registry.plugins.module_utils._promotion._comparison import (
    Comparison,
    TagComparison,
    compare_images,
)
from ansible_collections.imageops.registry.plugins.module_utils._promotion._items import ImageItem
from ansible_collections.imageops.registry.tests.unit.support.documents import DIGEST, descriptor, index
from ansible_collections.imageops.registry.tests.unit.support.fake_registry import FakeRegistry
from ansible_collections.imageops.registry.tests.unit.support.promotions import (
    BY_DIGEST,
    BY_TAG,
    IMAGE,
    IMAGE_BYTES,
    IMAGE_DIGEST,
    INDEX,
    INDEX_DIGEST,
    OTHER,
    OTHER_BYTES,
    OTHER_DIGEST,
    image_item,
    plan_for,
)

Plain = dict[str, t.Any]


def compare(source: FakeRegistry, destination: FakeRegistry, item: ImageItem) -> Comparison:
    (comparison,) = compare_images(source.client, destination.client, [item])
    return comparison


def test_equal_tags_cost_one_head_at_the_source_and_one_each_at_the_destination(
    source: FakeRegistry, destination: FakeRegistry
) -> None:
    destination.add("team/app", IMAGE, "1", "stable")
    comparison = compare(source, destination, BY_TAG)
    assert (comparison.action, comparison.reason, comparison.tree) == ("unchanged", "", ())
    assert comparison.tags == (
        TagComparison("1", IMAGE_DIGEST, "exists"),
        TagComparison("stable", IMAGE_DIGEST, "exists"),
    )
    assert source.calls == ["HEAD team/app 1"]
    assert destination.calls == ["HEAD team/app 1", "HEAD team/app stable"]


def test_an_equal_digest_costs_nothing_at_the_source(source: FakeRegistry, destination: FakeRegistry) -> None:
    destination.add("team/app", IMAGE, "1", "stable")
    assert compare(source, destination, BY_DIGEST).action == "unchanged"
    assert source.calls == []


def test_a_digest_without_tags_is_looked_for_by_itself(source: FakeRegistry, destination: FakeRegistry) -> None:
    item = image_item("team/app", digest=IMAGE_DIGEST)
    assert compare(source, destination, item).action == "promote"
    destination.add("team/app", IMAGE)
    assert compare(source, destination, item).action == "unchanged"


def test_a_new_image_is_read_whole_children_first(source: FakeRegistry, destination: FakeRegistry) -> None:
    comparison = compare(source, destination, image_item("team/app", tag="multi", tags=("multi",)))
    assert comparison.action == "promote"
    assert comparison.tags == (TagComparison("multi", "", "create"),)
    assert [manifest.digest for manifest in comparison.tree] == [IMAGE_DIGEST, OTHER_DIGEST, INDEX_DIGEST]
    assert comparison.source is not None and comparison.source.media_type == OCI_INDEX
    # By digest, once the tag is resolved.
    assert "GET team/app multi" not in source.calls
    assert destination.writes == source.writes == []


@pytest.mark.parametrize("item", [BY_TAG, BY_DIGEST])
def test_content_that_is_there_under_another_tag_is_not_read(
    source: FakeRegistry, destination: FakeRegistry, item: ImageItem
) -> None:
    destination.add("team/app", IMAGE, "1")
    comparison = compare(source, destination, item)
    assert (comparison.action, comparison.tree) == ("promote", ())
    assert [tag.action for tag in comparison.tags] == ["exists", "create"]
    assert not [call for call in source.calls if call.startswith("GET")]
    assert f"HEAD team/app {IMAGE_DIGEST}" not in destination.calls


@pytest.mark.parametrize("item", [BY_TAG, BY_DIGEST])
def test_content_that_is_there_under_no_tag_is_read_there_for_its_tags(
    source: FakeRegistry, destination: FakeRegistry, item: ImageItem
) -> None:
    destination.add("team/app", IMAGE)
    plan = plan_for(source, destination, item)
    assert [tag.content for tag in plan.tags] == [Manifest.parse(IMAGE_BYTES)] * 2
    assert plan.manifests == plan.blobs == ()
    assert not [call for call in source.calls if call.startswith("GET")]
    assert destination.calls[2:] == [f"GET team/app {IMAGE_DIGEST}"]


def test_no_tag_is_put_on_content_that_is_damaged_there(source: FakeRegistry, destination: FakeRegistry) -> None:
    destination.add("team/app", IMAGE)
    destination.failing[f"GET team/app {IMAGE_DIGEST}"] = ProtocolViolation("the digest is another")
    comparison = compare(source, destination, BY_TAG)
    assert (comparison.action, comparison.reason) == ("failed", "the digest is another.")


@pytest.mark.parametrize("item", [image_item("team/app", tag="9", tags=("9",)), image_item("x", digest=IMAGE_DIGEST)])
def test_what_is_not_at_the_source_is_missing(source: FakeRegistry, destination: FakeRegistry, item: ImageItem) -> None:
    comparison = compare(source, destination, item)
    assert (comparison.action, comparison.source) == ("missing", None)
    what = "digest" if item.digest else "tag"
    said = f"{item.at_source(source.name)} is not at the source. Check repository and {what}."
    assert comparison.reason == said


@pytest.mark.parametrize("first", ["docker.io", "r.example", "localhost"])
def test_a_registry_in_a_name_that_is_missing_is_pointed_out(
    source: FakeRegistry, destination: FakeRegistry, first: str
) -> None:
    reason = compare(source, destination, image_item(f"{first}/library/nginx", tag="x", tags=("x",))).reason
    assert reason.endswith(
        f"Check repository and tag. {first} looks like a registry: if it is one, name it as the source, with "
        "library/nginx as the repository."
    )


@pytest.mark.parametrize(("tag", "said"), [("1.1", True), ("10.25", True), ("1.0", False), ("v1.1", False)])
def test_a_tag_that_yaml_may_have_shortened_is_pointed_out(
    source: FakeRegistry, destination: FakeRegistry, tag: str, said: bool
) -> None:
    reason = compare(source, destination, image_item("team/app", tag=tag, tags=(tag,))).reason
    assert ("without quotes, YAML reads 1.10 as the number 1.1" in reason) is said


def test_an_index_whose_child_is_gone_is_not_copied(source: FakeRegistry, destination: FakeRegistry) -> None:
    del source.manifests["team/app", OTHER_DIGEST]
    comparison = compare(source, destination, image_item("team/app", tag="multi", tags=("multi",)))
    assert comparison.action == "failed"
    assert OTHER_DIGEST in comparison.reason


@pytest.mark.parametrize("which", ["source", "destination"])
def test_a_registry_that_refuses_is_a_result(source: FakeRegistry, destination: FakeRegistry, which: str) -> None:
    registry = source if which == "source" else destination
    registry.failing["HEAD team/app 1"] = AccessDenied("the account may not do this")
    comparisons = compare_images(
        source.client, destination.client, [BY_TAG, image_item("team/app", tag="2", tags=("2",))]
    )
    assert [comparison.action for comparison in comparisons] == ["failed", "promote"]
    assert comparisons[0].reason == "the account may not do this."


@pytest.mark.parametrize(
    ("conditions", "action"),
    [
        ({}, "promote"),
        ({"immutable_tags": ("v.*",)}, "promote"),
        ({"on_conflict": "fail"}, "failed"),
        ({"on_conflict": "skip"}, "failed"),
        ({"immutable_tags": (".*",)}, "failed"),
        ({"expected_destination_digest": ""}, "failed"),
    ],
)
def test_a_tag_of_which_nothing_is_told_is_new_unless_its_conditions_have_to_know(
    source: FakeRegistry, destination: FakeRegistry, conditions: Plain, action: str
) -> None:
    destination.unsure.add(("team/app", "1"))
    comparison = compare(source, destination, image_item("team/app", tag="1", tags=("1",), **conditions))
    assert comparison.action == action
    assert ("does not report to this account whether it is there" in comparison.reason) is (action == "failed")


@pytest.mark.parametrize(
    ("conditions", "at_source", "at_destination"),
    [
        ({}, set(), set()),
        ({"on_conflict": "replace", "immutable_tags": ("v.*",)}, set(), set()),
        ({"on_conflict": "fail"}, set(), {"team/app 1", "team/app stable"}),
        ({"on_conflict": "skip"}, set(), {"team/app 1", "team/app stable"}),
        ({"immutable_tags": (r"\d+",)}, set(), {"team/app 1"}),
        ({"expected_destination_digest": ""}, set(), {"team/app 1", "team/app stable"}),
        ({"expected_destination_digest": OTHER_DIGEST}, set(), {"team/app 1", "team/app stable"}),
        ({"expected_digest": INDEX_DIGEST}, {"team/app 1"}, set()),
    ],
)
def test_tags_on_which_a_guard_rests_are_looked_for_with_more_care(
    source: FakeRegistry, destination: FakeRegistry, conditions: Plain, at_source: set[str], at_destination: set[str]
) -> None:
    compare(source, destination, BY_TAG._replace(**conditions))
    assert (source.guarded, destination.guarded) == (at_source, at_destination)


@pytest.mark.parametrize(
    ("conditions", "action", "tag", "reason"),
    [
        ({}, "promote", "replace", ""),
        ({"on_conflict": "replace"}, "promote", "replace", ""),
        ({"on_conflict": "skip"}, "skip", "skip", ""),
        ({"on_conflict": "fail"}, "refused", "refused", f"points to {OTHER_DIGEST} (on_conflict: fail)"),
        ({"immutable_tags": ("1.*",)}, "refused", "refused", "and is immutable (immutable_tags)"),
        ({"immutable_tags": (r"\d+",), "on_conflict": "skip"}, "refused", "refused", "is immutable"),
        ({"immutable_tags": ("", "v1", "[0-9][0-9]")}, "promote", "replace", ""),
        ({"expected_destination_digest": OTHER_DIGEST}, "promote", "replace", ""),
        (
            {"expected_destination_digest": OTHER_DIGEST, "on_conflict": "fail"},
            "refused",
            "refused",
            "on_conflict: fail",
        ),
        (
            {"expected_destination_digest": ""},
            "refused",
            "refused",
            f"points to {OTHER_DIGEST}, and no tag was expected",
        ),
        ({"expected_destination_digest": DIGEST}, "refused", "refused", f"and {DIGEST} was expected"),
        ({"expected_destination_digest": "", "on_conflict": "skip"}, "refused", "refused", "no tag was expected"),
        ({"expected_digest": IMAGE_DIGEST}, "promote", "replace", ""),
    ],
)
def test_a_tag_on_another_digest_follows_its_conditions(
    source: FakeRegistry, destination: FakeRegistry, conditions: Plain, action: str, tag: str, reason: str
) -> None:
    destination.add("team/app", OTHER, "1")
    comparison = compare(source, destination, image_item("team/app", tag="1", tags=("1",), **conditions))
    assert comparison.action == action
    assert comparison.tags == (TagComparison("1", OTHER_DIGEST, tag),)
    assert reason in comparison.reason if reason else comparison.reason == ""
    if action != "promote":
        assert not [call for call in source.calls if call.startswith("GET")]


@pytest.mark.parametrize(
    "conditions",
    [{"on_conflict": "fail"}, {"immutable_tags": (".*",)}, {"expected_destination_digest": OTHER_DIGEST}],
)
def test_an_equal_digest_is_always_fine(source: FakeRegistry, destination: FakeRegistry, conditions: Plain) -> None:
    destination.add("team/app", IMAGE, "1")
    item = image_item("team/app", tag="1", tags=("1",), **conditions)
    assert compare(source, destination, item).action == "unchanged"


@pytest.mark.parametrize(
    ("conditions", "action"),
    [
        ({"on_conflict": "fail"}, "promote"),
        ({"immutable_tags": (".*",)}, "promote"),
        ({"expected_destination_digest": ""}, "promote"),
        ({"expected_destination_digest": OTHER_DIGEST}, "refused"),
    ],
)
def test_a_tag_that_is_not_there_conflicts_with_nothing_but_an_expectation(
    source: FakeRegistry, destination: FakeRegistry, conditions: Plain, action: str
) -> None:
    comparison = compare(source, destination, image_item("team/app", tag="1", tags=("1",), **conditions))
    assert comparison.action == action
    assert action == "promote" or f"points to nothing, and {OTHER_DIGEST} was expected" in comparison.reason


def test_one_refused_tag_refuses_the_image(source: FakeRegistry, destination: FakeRegistry) -> None:
    destination.add("team/app", OTHER, "1")
    item = BY_TAG._replace(immutable_tags=("1",))
    comparison = compare(source, destination, item)
    assert comparison.action == "refused"
    assert [tag.action for tag in comparison.tags] == ["refused", "create"]


def test_a_skipped_tag_does_not_keep_the_others(source: FakeRegistry, destination: FakeRegistry) -> None:
    destination.add("team/app", OTHER, "1")
    comparison = compare(source, destination, BY_TAG._replace(on_conflict="skip"))
    assert comparison.action == "promote"
    assert [tag.action for tag in comparison.tags] == ["skip", "create"]


@pytest.mark.parametrize("item", [BY_TAG, BY_DIGEST])
def test_a_source_that_is_not_as_expected_is_refused_and_nothing_is_read(
    source: FakeRegistry, destination: FakeRegistry, item: ImageItem
) -> None:
    comparison = compare(source, destination, item._replace(expected_digest=OTHER_DIGEST))
    assert comparison.action == "refused"
    assert f" is {IMAGE_DIGEST}, and {OTHER_DIGEST} was expected (expected_digest). If" in comparison.reason
    assert not [call for call in (*source.calls, *destination.calls) if not call.startswith("HEAD")]


def test_platforms_are_chosen_of_an_index_that_head_calls_something_else(
    source: FakeRegistry, destination: FakeRegistry
) -> None:
    entries = [
        descriptor(IMAGE_BYTES, OCI_MANIFEST, platform={"os": "linux", "architecture": "amd64"}),
        descriptor(OTHER_BYTES, OCI_MANIFEST, platform={"os": "linux", "architecture": "arm64"}),
    ]
    whole = source.add("team/app", index(*entries))
    source.found["hidden"] = Descriptor(OCI_MANIFEST, whole.digest, whole.size)
    item = image_item("team/app", tag="hidden", tags=("1",), platforms=("linux/amd64",))
    comparison = compare(source, destination, item)
    assert comparison.action == "promote" and comparison.source == whole.descriptor
    assert [manifest.digest for manifest in comparison.tree if not manifest.is_index] == [IMAGE_DIGEST]
    assert [tag.tag for tag in comparison.tags] == ["1"]


# What isn't asked -----------------------------------------------------------------------------------------------------


APP, API, WEB = (image_item(f"team/{name}", tag="1", tags=("1",)) for name in ("app", "api", "web"))


@pytest.fixture
def three(source: FakeRegistry) -> FakeRegistry:
    """A source with three images in as many repositories, one of which is an index."""
    source.add("team/api", OTHER, "1")
    for document in (IMAGE, OTHER):
        source.add("team/web", document)
    source.add("team/web", INDEX, "1")
    return source


def asked(registry: FakeRegistry, *methods: str) -> list[str]:
    return [call for call in registry.calls if call.startswith(methods or ("GET", "HEAD", "TAGS"))]


def test_of_repositories_that_are_not_there_only_the_first_is_looked_into(
    three: FakeRegistry, destination: FakeRegistry
) -> None:
    plan = plan_for(three, destination, APP, API, WEB)
    assert [entry.repository for entry in plan.manifests] == ["team/app", "team/api", *["team/web"] * 3]
    tags = [f"HEAD {item.repository} 1" for item in (APP, API, WEB)]
    assert sorted(destination.calls) == sorted([*tags, f"GET team/app {IMAGE_DIGEST}", "TAGS team/app "])


@pytest.mark.parametrize("guard", [{"on_conflict": "fail"}, {"on_conflict": "skip"}, {"immutable_tags": (".*",)}])
def test_each_tag_is_looked_for_and_with_a_guard_confirmed(
    three: FakeRegistry, destination: FakeRegistry, guard: dict[str, t.Any]
) -> None:
    plan_for(three, destination, APP, API._replace(**guard), WEB._replace(**guard))
    assert asked(destination, "HEAD") == [f"HEAD {item.repository} 1" for item in (APP, API, WEB)]
    assert destination.guarded == {"team/api 1", "team/web 1"}


def test_a_repository_that_has_one_of_the_tags_is_looked_into(three: FakeRegistry, destination: FakeRegistry) -> None:
    destination.add("team/web", OTHER, "2")
    destination.add("team/web", INDEX)
    two = image_item("team/web", digest=OTHER_DIGEST, tags=("2",))
    plan = plan_for(three, destination, APP, API, WEB, two)
    assert f"GET team/web {INDEX_DIGEST}" in destination.calls
    assert [entry.repository for entry in plan.manifests] == ["team/app", "team/api"]


def test_where_the_first_repository_is_there_all_are_looked_into(
    three: FakeRegistry, destination: FakeRegistry
) -> None:
    destination.add("team/app", IMAGE)
    destination.add("team/api", OTHER)
    plan = plan_for(three, destination, APP, API)
    assert plan.manifests == () and len(plan.tags) == 2
    assert asked(destination, "GET") == [f"GET team/app {IMAGE_DIGEST}", f"GET team/api {OTHER_DIGEST}"]


def test_a_single_new_image_costs_no_question_about_its_repository(
    source: FakeRegistry, destination: FakeRegistry
) -> None:
    compare(source, destination, APP)
    assert destination.calls == ["HEAD team/app 1", f"GET team/app {IMAGE_DIGEST}"]


def test_what_refers_to_an_image_is_asked_once_and_only_where_its_tag_moves(
    three: FakeRegistry, destination: FakeRegistry
) -> None:
    destination.add("team/api", OTHER, "1")
    items = [item._replace(artifacts=("all",)) for item in (APP, API, WEB)]
    refused = WEB._replace(destination_repository="web", on_conflict="fail", artifacts=("all",))
    destination.add("web", IMAGE, "1")
    compare_images(three.client, destination.client, [*items, refused])
    questions = asked(three, "REFERRERS")
    wanted = {("team/app", IMAGE_DIGEST), *(("team/web", digest) for digest in (IMAGE_DIGEST, OTHER_DIGEST))}
    wanted.add(("team/web", INDEX_DIGEST))
    assert sorted(questions) == sorted(f"REFERRERS {repository} {digest}" for repository, digest in wanted)


def test_an_image_whose_referrers_cannot_be_listed_fails_alone(three: FakeRegistry, destination: FakeRegistry) -> None:
    three.failing[f"REFERRERS team/app {IMAGE_DIGEST}"] = AccessDenied("no")
    items = [item._replace(artifacts=("all",)) for item in (APP, API)]
    actions = [entry.action for entry in compare_images(three.client, destination.client, items)]
    assert actions == ["failed", "promote"]
