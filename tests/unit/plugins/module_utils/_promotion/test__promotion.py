# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import base64
import copy
import typing as t

import pytest
from ansible_collections.imageops.registry.plugins.module_utils._model._digest import compute_digest
from ansible_collections.imageops.registry.plugins.module_utils._model._errors import (
    AccessDenied,
    ConnectionFailed,
    InvalidInput,
    ProtocolViolation,
)
from ansible_collections.imageops.registry.plugins.module_utils._model._manifest import (
    OCI_INDEX,
    OCI_MANIFEST,
    Descriptor,
)
from ansible_collections.imageops.registry.plugins.module_utils._promotion._comparison import (
    Comparison,
    TagComparison,
    compare_images,
)
from ansible_collections.imageops.registry.plugins.module_utils._promotion._items import (
    ImageItem,
    counts,
    distinct_images,
)
from ansible_collections.imageops.registry.plugins.module_utils._promotion._plan import plan, summarise_sources
from ansible_collections.imageops.registry.plugins.module_utils._promotion._report import problem, report
from ansible_collections.imageops.registry.plugins.module_utils._promotion._summary import summarise
from ansible_collections.imageops.registry.plugins.module_utils._promotion._whole import without_failed
from ansible_collections.imageops.registry.tests.unit.support.documents import (
    CONFIG,
    DIGEST,
    LAYER,
    descriptor,
    encoded,
    image,
    index,
)
from ansible_collections.imageops.registry.tests.unit.support.fake_registry import FakeRegistry

Plain = dict[str, t.Any]
IMAGE = image()
IMAGE_BYTES = encoded(IMAGE)
IMAGE_DIGEST = compute_digest(IMAGE_BYTES)
OTHER = image(layers=[descriptor(), descriptor(b"another layer")])
OTHER_BYTES = encoded(OTHER)
OTHER_DIGEST = compute_digest(OTHER_BYTES)
INDEX = index(descriptor(IMAGE_BYTES, OCI_MANIFEST), descriptor(OTHER_BYTES, OCI_MANIFEST))
INDEX_DIGEST = compute_digest(encoded(INDEX))
CONFIG_DIGEST = compute_digest(CONFIG)
ANOTHER_LAYER = compute_digest(b"another layer")
BY_TAG = ImageItem("team/app", tag="1", tags=("1", "stable"))
BY_DIGEST = ImageItem("team/app", digest=IMAGE_DIGEST, tags=("1", "stable"))


@pytest.fixture
def source() -> FakeRegistry:
    registry = FakeRegistry("dev.example")
    registry.add("team/app", IMAGE, "1")
    registry.add("team/app", OTHER, "2")
    registry.add("team/app", INDEX, "multi")
    registry.blobs[CONFIG_DIGEST] = CONFIG
    return registry


@pytest.fixture
def destination() -> FakeRegistry:
    return FakeRegistry("prod.example")


def compare(source: FakeRegistry, destination: FakeRegistry, item: ImageItem) -> Comparison:
    (comparison,) = compare_images(source.client, destination.client, [item])
    return comparison


def planned(source: FakeRegistry, destination: FakeRegistry, *items: ImageItem, **summaries: t.Any) -> Plain:
    comparisons = compare_images(source.client, destination.client, items)
    return plan(comparisons, source.client, destination.client, {})


# Comparing -----------------------------------------------------------------------------------------------------------


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
    item = ImageItem("team/app", digest=IMAGE_DIGEST)
    assert compare(source, destination, item).action == "promote"
    destination.add("team/app", IMAGE)
    assert compare(source, destination, item).action == "unchanged"


def test_a_new_image_is_read_whole_children_first(source: FakeRegistry, destination: FakeRegistry) -> None:
    comparison = compare(source, destination, ImageItem("team/app", tag="multi", tags=("multi",)))
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
    result = planned(source, destination, item)
    assert [tag["content_base64"] for tag in result["tags"]] == [base64.b64encode(IMAGE_BYTES).decode()] * 2
    assert result["manifests"] == result["blobs"] == []
    assert not [call for call in source.calls if call.startswith("GET")]
    assert destination.calls[2:] == [f"GET team/app {IMAGE_DIGEST}"]


def test_no_tag_is_put_on_content_that_is_damaged_there(source: FakeRegistry, destination: FakeRegistry) -> None:
    destination.add("team/app", IMAGE)
    destination.failing[f"GET team/app {IMAGE_DIGEST}"] = ProtocolViolation("the digest is another")
    comparison = compare(source, destination, BY_TAG)
    assert (comparison.action, comparison.reason) == ("failed", "the digest is another.")


@pytest.mark.parametrize("item", [ImageItem("team/app", tag="9", tags=("9",)), ImageItem("x", digest=IMAGE_DIGEST)])
def test_what_is_not_at_the_source_is_missing(source: FakeRegistry, destination: FakeRegistry, item: ImageItem) -> None:
    comparison = compare(source, destination, item)
    assert (comparison.action, comparison.source) == ("missing", None)
    what = "digest" if item.digest else "tag"
    said = f"{item.at_source(source.client)} isn't there (the source). Check repository and {what}."
    assert comparison.reason == said


@pytest.mark.parametrize("first", ["docker.io", "r.example", "localhost"])
def test_a_registry_in_a_name_that_is_missing_is_pointed_out(
    source: FakeRegistry, destination: FakeRegistry, first: str
) -> None:
    reason = compare(source, destination, ImageItem(f"{first}/library/nginx", tag="x", tags=("x",))).reason
    assert reason.endswith(
        f"Check repository and tag. {first} looks like a registry: if it is one, name it as the source, with "
        "library/nginx as the repository."
    )


@pytest.mark.parametrize(("tag", "said"), [("1.1", True), ("10.25", True), ("1.0", False), ("v1.1", False)])
def test_a_tag_that_yaml_may_have_shortened_is_pointed_out(
    source: FakeRegistry, destination: FakeRegistry, tag: str, said: bool
) -> None:
    reason = compare(source, destination, ImageItem("team/app", tag=tag, tags=(tag,))).reason
    assert ("without quotes, YAML reads 1.10 as the number 1.1" in reason) is said


def test_an_index_whose_child_is_gone_is_not_copied(source: FakeRegistry, destination: FakeRegistry) -> None:
    del source.manifests["team/app", OTHER_DIGEST]
    comparison = compare(source, destination, ImageItem("team/app", tag="multi", tags=("multi",)))
    assert comparison.action == "failed"
    assert OTHER_DIGEST in comparison.reason


@pytest.mark.parametrize("which", ["source", "destination"])
def test_a_registry_that_refuses_is_a_result(source: FakeRegistry, destination: FakeRegistry, which: str) -> None:
    registry = source if which == "source" else destination
    registry.failing["HEAD team/app 1"] = AccessDenied("the account may not do this")
    comparisons = compare_images(
        source.client, destination.client, [BY_TAG, ImageItem("team/app", tag="2", tags=("2",))]
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
    comparison = compare(source, destination, ImageItem("team/app", tag="1", tags=("1",), **conditions))
    assert comparison.action == action
    assert ("doesn't tell this account whether it is there" in comparison.reason) is (action == "failed")


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
            f"points to {OTHER_DIGEST}, and nothing was expected",
        ),
        ({"expected_destination_digest": DIGEST}, "refused", "refused", f"and {DIGEST} was expected"),
        ({"expected_destination_digest": "", "on_conflict": "skip"}, "refused", "refused", "nothing was expected"),
        ({"expected_digest": IMAGE_DIGEST}, "promote", "replace", ""),
    ],
)
def test_a_tag_on_another_digest_follows_its_conditions(
    source: FakeRegistry, destination: FakeRegistry, conditions: Plain, action: str, tag: str, reason: str
) -> None:
    destination.add("team/app", OTHER, "1")
    comparison = compare(source, destination, ImageItem("team/app", tag="1", tags=("1",), **conditions))
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
    item = ImageItem("team/app", tag="1", tags=("1",), **conditions)
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
    comparison = compare(source, destination, ImageItem("team/app", tag="1", tags=("1",), **conditions))
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


def test_two_images_for_one_tag_are_refused() -> None:
    items = [BY_TAG, ImageItem("other", tag="1", destination_repository="team/app", tags=("x", "stable"))]
    with pytest.raises(
        InvalidInput, match=r"images\[0\] and images\[1\] are both .* to prod.example/team/app:stable\."
    ):
        distinct_images(items, "prod.example")
    others = [BY_TAG._replace(destination_repository="elsewhere"), BY_TAG._replace(tags=("other",))]
    assert distinct_images([BY_TAG, *others], "prod.example") == [BY_TAG, *others]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"digest": OTHER_DIGEST}, "images[0] and images[2] are both to be promoted to prod.example/team/app:"),
        ({"on_conflict": "fail"}, "images[0] and images[2] promote the same image to prod.example/team/app:"),
        ({"platforms": ("linux/amd64",), "flatten": True}, "and differ in platforms, flatten. Keep one of them."),
    ],
)
def test_an_image_that_is_wanted_in_two_ways_is_refused(change: dict[str, t.Any], sentence: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        distinct_images([BY_TAG, BY_TAG, BY_TAG._replace(**change)], "prod.example")
    assert sentence in str(caught.value)


def test_an_image_that_is_given_twice_is_taken_once() -> None:
    assert BY_TAG.tags == ("1", "stable")
    more = BY_TAG._replace(tags=("stable", "new"))
    assert distinct_images([BY_TAG, BY_TAG, more, BY_TAG._replace(tags=("1",))], "prod.example") == [
        BY_TAG,
        BY_TAG._replace(tags=("new",)),
    ]
    content = ImageItem("team/app", digest=IMAGE_DIGEST)
    assert distinct_images([content, content, content._replace(tags=("1",))], "prod.example") == [
        content,
        content._replace(tags=("1",)),
    ]


def test_an_immutable_tag_that_is_no_pattern_is_named() -> None:
    with pytest.raises(InvalidInput, match=r"immutable_tags: '\(' is no regular expression"):
        distinct_images([BY_TAG._replace(immutable_tags=("a", "("))], "prod.example")


# Planning ------------------------------------------------------------------------------------------------------------


def test_a_plan_holds_what_the_next_tasks_need(source: FakeRegistry, destination: FakeRegistry) -> None:
    destination.add("prod/app", OTHER, "stable")
    item = BY_TAG._replace(destination_repository="prod/app", mount_from=("base",))
    result = planned(source, destination, item)
    content = base64.b64encode(IMAGE_BYTES).decode()
    assert result["images"] == [
        {
            "reference": "dev.example/team/app:1",
            "destination": "prod.example/prod/app",
            "repository": "team/app",
            "destination_repository": "prod/app",
            "exists": True,
            "digest": IMAGE_DIGEST,
            "source_digest": IMAGE_DIGEST,
            "media_type": OCI_MANIFEST,
            "action": "promote",
            "reason": "",
            "tags": [
                {"tag": "1", "previous_digest": "", "action": "create"},
                {"tag": "stable", "previous_digest": OTHER_DIGEST, "action": "replace"},
            ],
            "layers_left_out": [],
            "artifacts": [],
            "artifacts_compared": False,
            "missing": [],
        }
    ]
    assert result["blobs"] == [
        {
            "repository": "prod/app",
            "source_repository": "team/app",
            "mount_from": ["base"],
            "blobs": [{"digest": CONFIG_DIGEST, "size": len(CONFIG)}, {"digest": DIGEST, "size": len(LAYER)}],
        }
    ]
    assert result["manifests"] == [
        {
            "repository": "prod/app",
            "source_repository": "team/app",
            "digest": IMAGE_DIGEST,
            "media_type": OCI_MANIFEST,
            "content_base64": content,
        }
    ]
    assert result["tags"] == [
        {
            "repository": "prod/app",
            "tag": tag,
            "digest": IMAGE_DIGEST,
            "previous_digest": previous,
            "content_base64": content,
        }
        for tag, previous in (("1", ""), ("stable", OTHER_DIGEST))
    ]


def test_nothing_but_a_line_is_said_of_what_is_not_promoted(source: FakeRegistry, destination: FakeRegistry) -> None:
    destination.add("team/app", IMAGE, "1", "stable")
    destination.add("team/app", OTHER, "x")
    result = planned(
        source,
        destination,
        BY_TAG,
        ImageItem("team/app", tag="9", tags=("9",)),
        ImageItem("team/app", tag="1", tags=("x",), on_conflict="skip"),
        ImageItem("team/app", tag="multi", tags=("x",), destination_repository="y", expected_destination_digest=DIGEST),
    )
    assert [one["action"] for one in result["images"]] == ["unchanged", "missing", "skip", "refused"]
    assert [one["exists"] for one in result["images"]] == [True, False, True, True]
    assert result["blobs"] == result["manifests"] == result["tags"] == []


def test_an_image_that_could_not_be_looked_for_is_not_said_to_be_missing(
    source: FakeRegistry, destination: FakeRegistry
) -> None:
    source.failing["HEAD team/app 1"] = AccessDenied("the account may not do this")
    (image,) = planned(source, destination, BY_TAG)["images"]
    assert image["action"] == "failed"
    assert "exists" not in image


def test_a_tag_whose_content_is_there_has_none_to_carry(source: FakeRegistry, destination: FakeRegistry) -> None:
    destination.add("team/app", IMAGE, "1")
    result = planned(source, destination, BY_TAG)
    assert result["manifests"] == result["blobs"] == []
    assert result["tags"] == [
        {"repository": "team/app", "tag": "stable", "digest": IMAGE_DIGEST, "previous_digest": ""}
    ]


def test_children_come_before_their_index_and_shared_parts_once(
    source: FakeRegistry, destination: FakeRegistry
) -> None:
    result = planned(source, destination, ImageItem("team/app", tag="multi", tags=("multi",)), BY_TAG)
    assert [entry["digest"] for entry in result["manifests"]] == [IMAGE_DIGEST, OTHER_DIGEST, INDEX_DIGEST]
    (group,) = result["blobs"]
    assert [entry["digest"] for entry in group["blobs"]] == [CONFIG_DIGEST, DIGEST, ANOTHER_LAYER]
    assert [entry["tag"] for entry in result["tags"]] == ["multi", "1", "stable"]


def test_on_one_registry_blobs_are_mounted_from_the_source_first(source: FakeRegistry) -> None:
    item = BY_TAG._replace(destination_repository="prod/app", mount_from=("base", "team/app"))
    (group,) = planned(source, source, item)["blobs"]
    assert group["mount_from"] == ["team/app", "base"]


def test_a_diff_says_what_the_images_are(source: FakeRegistry, destination: FakeRegistry) -> None:
    destination.add("team/app", OTHER, "2")
    items = [BY_TAG, ImageItem("team/app", tag="2", tags=("2",))]
    comparisons = compare_images(source.client, destination.client, items)
    summaries = summarise_sources(comparisons, source.client)
    assert list(summaries) == [("team/app", IMAGE_DIGEST)]
    assert summaries["team/app", IMAGE_DIGEST]["platforms"] == ["linux/amd64"]
    result = plan(comparisons, source.client, destination.client, summaries)
    assert [tag["summary"]["digest"] for tag in result["tags"]] == [IMAGE_DIGEST] * 2
    source.failing[f"GET team/app {CONFIG_DIGEST}"] = AccessDenied("no")
    with pytest.raises(AccessDenied):
        summarise_sources(comparisons, source.client)


# What isn't asked -----------------------------------------------------------------------------------------------------


APP, API, WEB = (ImageItem(f"team/{name}", tag="1", tags=("1",)) for name in ("app", "api", "web"))


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
    result = planned(three, destination, APP, API, WEB)
    assert [entry["repository"] for entry in result["manifests"]] == ["team/app", "team/api", *["team/web"] * 3]
    tags = [f"HEAD {item.repository} 1" for item in (APP, API, WEB)]
    assert sorted(destination.calls) == sorted([*tags, f"GET team/app {IMAGE_DIGEST}", "TAGS team/app "])


@pytest.mark.parametrize("guard", [{"on_conflict": "fail"}, {"on_conflict": "skip"}, {"immutable_tags": (".*",)}])
def test_each_tag_is_looked_for_and_with_a_guard_confirmed(
    three: FakeRegistry, destination: FakeRegistry, guard: dict[str, t.Any]
) -> None:
    planned(three, destination, APP, API._replace(**guard), WEB._replace(**guard))
    assert asked(destination, "HEAD") == [f"HEAD {item.repository} 1" for item in (APP, API, WEB)]
    assert destination.guarded == {"team/api 1", "team/web 1"}


def test_a_repository_that_has_one_of_the_tags_is_looked_into(three: FakeRegistry, destination: FakeRegistry) -> None:
    destination.add("team/web", OTHER, "2")
    destination.add("team/web", INDEX)
    two = ImageItem("team/web", digest=OTHER_DIGEST, tags=("2",))
    result = planned(three, destination, APP, API, WEB, two)
    assert f"GET team/web {INDEX_DIGEST}" in destination.calls
    assert [entry["repository"] for entry in result["manifests"]] == ["team/app", "team/api"]


def test_where_the_first_repository_is_there_all_are_looked_into(
    three: FakeRegistry, destination: FakeRegistry
) -> None:
    destination.add("team/app", IMAGE)
    destination.add("team/api", OTHER)
    result = planned(three, destination, APP, API)
    assert result["manifests"] == [] and len(result["tags"]) == 2
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


# What is still whole -------------------------------------------------------------------------------------------------


@pytest.fixture
def both(source: FakeRegistry, destination: FakeRegistry) -> Plain:
    """A plan of an index, and of an image of another repository."""
    source.add("team/api", OTHER, "1")
    items = [ImageItem("team/app", tag="multi", tags=("multi",)), ImageItem("team/api", tag="1", tags=("1",))]
    return planned(source, destination, *items)


def left(result: Plain) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    return (
        [(entry["repository"], entry["digest"]) for entry in result["manifests"]],
        [(entry["repository"], entry["tag"]) for entry in result["tags"]],
    )


WHOLE_API = [("team/api", OTHER_DIGEST)]
WHOLE_APP = [("team/app", digest) for digest in (IMAGE_DIGEST, OTHER_DIGEST, INDEX_DIGEST)]


def failing(repository: str, digest: str, **more: t.Any) -> Plain:
    return {"failures": [{"repository": repository, "digest": digest, "msg": f"{digest} failed", **more}]}


def test_without_failures_all_is_whole(both: Plain) -> None:
    assert left(without_failed(both, [{}, {"failures": []}], {})) == (
        WHOLE_APP + WHOLE_API,
        [("team/app", "multi"), ("team/api", "1")],
    )


@pytest.mark.parametrize(
    ("digest", "manifests"),
    [
        (DIGEST, []),
        (ANOTHER_LAYER, [("team/app", IMAGE_DIGEST)]),
        (IMAGE_DIGEST, [("team/app", OTHER_DIGEST)]),
        (INDEX_DIGEST, WHOLE_APP[:2]),
        (compute_digest(b"nobody's"), WHOLE_APP),
    ],
)
def test_what_refers_to_something_that_failed_is_not_whole(
    both: Plain, digest: str, manifests: list[tuple[str, str]]
) -> None:
    tags = [("team/app", "multi")] if manifests == WHOLE_APP else []
    expected = (manifests + WHOLE_API, [*tags, ("team/api", "1")])
    assert left(without_failed(both, [{}, failing("team/app", digest)], {})) == expected


def test_what_the_second_comparison_refuses_is_left_out(both: Plain) -> None:
    again = copy.deepcopy(both)
    again["images"][0].update(action="refused", reason="it points to something else")
    manifests, tags = left(without_failed(both, [], again))
    assert ("team/app", INDEX_DIGEST) not in manifests
    assert tags == [("team/api", "1")]


def test_one_image_for_two_repositories_may_be_refused_in_one_of_them(
    source: FakeRegistry, destination: FakeRegistry
) -> None:
    result = planned(source, destination, BY_TAG, BY_TAG._replace(destination_repository="elsewhere"))
    again = copy.deepcopy(result)
    again["images"][1].update(action="refused", reason="no")
    assert left(without_failed(result, [], again)) == (
        [("team/app", IMAGE_DIGEST)],
        [("team/app", "1"), ("team/app", "stable")],
    )


def test_one_digest_under_two_names_may_be_refused_under_one_of_them(
    source: FakeRegistry, destination: FakeRegistry
) -> None:
    source.add("team/app", IMAGE, "1", "latest")
    items = [ImageItem("team/app", tag="1", tags=("1",)), ImageItem("team/app", tag="latest", tags=("latest",))]
    result = planned(source, destination, *items)
    again = copy.deepcopy(result)
    again["images"][0].update(action="refused", reason="no")
    assert left(without_failed(result, [], again)) == ([("team/app", IMAGE_DIGEST)], [("team/app", "latest")])


# What was done -------------------------------------------------------------------------------------------------------


def done(plan: Plain, **results: t.Any) -> dict[str, Plain]:
    """The results of the tasks where all went well, with changes."""
    blobs = [
        {
            "repository": group["repository"],
            "blobs": [{**blob, "action": "upload"} for blob in group["blobs"]],
        }
        for group in plan["blobs"]
    ]
    pushed = [{"repository": entry["repository"], "digest": entry["digest"]} for entry in plan["manifests"]]
    return {
        "blobs": {"changed": True, "blobs": blobs, "transfer": {"requests": 10, "bytes_uploaded": 7}},
        "manifests": {"changed": True, "manifests": pushed, "transfer": {"requests": 3}},
        "compared_again": {"changed": False, "images": plan["images"]},
        "tags": {"changed": True, "tags": plan["tags"]},
        **results,
    }


def reasons(summary: Plain) -> list[tuple[str, str]]:
    return [(one["action"], one["reason"]) for one in summary["images"]]


def test_a_promotion_that_went_well(both: Plain) -> None:
    both["transfer"] = {"requests": 5, "retries": 1}
    summary = summarise(both, done(both))
    assert summary["changed"] is True
    assert reasons(summary) == [("promote", ""), ("promote", "")]
    assert summary["transfer"] == {"requests": 18, "retries": 1, "bytes_uploaded": 7}
    app, api = summary["images"]
    assert (app["reference"], app["destination"], app["digest"]) == (
        "dev.example/team/app:multi",
        "prod.example/team/app",
        INDEX_DIGEST,
    )
    assert (app["blobs_uploaded"], api["blobs_uploaded"]) == (3, 3)
    assert app["bytes_uploaded"] == len(CONFIG) + len(LAYER) + len(b"another layer")
    assert api["tags"] == [{"tag": "1", "previous_digest": "", "action": "create"}]


def test_what_one_task_copied_is_told_as_that_task_tells_it(both: Plain) -> None:
    both["transfer"] = {"requests": 3, "retries": 1}
    image_told = {"action": "promote", "reason": ""}
    copied = {"changed": True, "images": [image_told], "transfer": {"requests": 4}, "failures": []}
    told = summarise(both, {"copied": copied})
    assert told == {"changed": True, "images": [image_told], "transfer": {"requests": 7, "retries": 1}}


@pytest.mark.parametrize("copied", [{}, {"skipped": True}, {"msg": "it broke", "failed": True}])
def test_what_no_task_copied_is_told_by_the_plan(both: Plain, copied: Plain) -> None:
    told = summarise(both, {"copied": copied})
    assert [entry["action"] for entry in told["images"]] == ["failed", "failed"]
    reasons = {entry["reason"] for entry in told["images"]}
    assert reasons == {"it broke"} if "msg" in copied else all(text.endswith("was not moved") for text in reasons)


@pytest.mark.parametrize("compared", [{}, {"failed": True, "msg": "timed out"}, {"failed": False, "msg": "no login"}])
def test_without_a_comparison_nothing_was_done_whatever_an_earlier_promotion_copied(compared: Plain) -> None:
    earlier = {"changed": True, "images": [{"action": "promote"}], "transfer": {"requests": 4}}
    assert summarise(compared, {"copied": earlier}) == {"changed": False, "images": [], "transfer": {}}


def test_what_is_no_comparison_has_no_summary() -> None:
    with pytest.raises(KeyError):
        summarise({"blobs": []}, {})


def test_images_are_counted_by_their_action(both: Plain) -> None:
    images = [*both["images"], {"action": "missing"}]
    assert counts(images) == {"unchanged": 0, "promote": 2, "skip": 0, "missing": 1, "refused": 0, "failed": 0}


def test_nothing_to_do_is_no_change(source: FakeRegistry, destination: FakeRegistry) -> None:
    destination.add("team/app", IMAGE, "1", "stable")
    result = planned(source, destination, BY_TAG)
    summary = summarise(result, {})
    assert summary["changed"] is False
    assert reasons(summary) == [("unchanged", "")]
    assert {
        summary["images"][0][f"{unit}_{way}"] for unit in ("blobs", "bytes") for way in ("uploaded", "skipped")
    } == {0}


def test_a_shared_blob_counts_for_the_first_image_that_needs_it(
    source: FakeRegistry, destination: FakeRegistry
) -> None:
    items = [BY_TAG, ImageItem("team/app", tag="2", tags=("2",))]
    result = planned(source, destination, *items)
    first, second = summarise(result, done(result))["images"]
    assert (first["blobs_uploaded"], first["blobs_skipped"]) == (2, 0)
    assert (second["blobs_uploaded"], second["blobs_skipped"]) == (1, 2)
    assert second["bytes_skipped"] == len(CONFIG) + len(LAYER)


@pytest.mark.parametrize(
    ("action", "way"),
    [
        ("upload", "uploaded"),
        ("mount_or_upload", "uploaded"),
        ("mount", "mounted"),
        ("exists", "skipped"),
        ("x", "skipped"),
    ],
)
def test_blobs_are_summed_by_what_was_done(
    source: FakeRegistry, destination: FakeRegistry, action: str, way: str
) -> None:
    result = planned(source, destination, BY_TAG)
    results = done(result)
    for blob in results["blobs"]["blobs"][0]["blobs"]:
        blob["action"] = action
    (one,) = summarise(result, results)["images"]
    assert {name for name, amount in one.items() if name.startswith(("blobs_", "bytes_")) and amount} == {
        f"blobs_{way}",
        f"bytes_{way}",
    }


def test_blobs_that_were_never_looked_at_are_not_counted(source: FakeRegistry, destination: FakeRegistry) -> None:
    (one,) = summarise(planned(source, destination, BY_TAG), {})["images"]
    assert (one["action"], one["blobs_skipped"], one["bytes_skipped"]) == ("failed", 0, 0)


def test_a_task_that_failed_as_a_whole_leaves_nothing_of_a_plan(
    source: FakeRegistry, destination: FakeRegistry
) -> None:
    result = planned(source, destination, BY_TAG)
    broken = {"msg": "requests is missing", "changed": False}
    assert without_failed(result, [broken], {}) == {"manifests": [], "artifact_tags": [], "tags": []}
    assert without_failed(result, [{"msg": "not needed", "skipped": True}], {})["tags"]
    (one,) = summarise(result, {**done(result), "blobs": broken, "tags": {}})["images"]
    assert (one["action"], one["reason"]) == ("failed", "requests is missing")


def test_all_or_nothing_leaves_nothing_after_one_failure(source: FakeRegistry, destination: FakeRegistry) -> None:
    result = planned(source, destination, BY_TAG)
    failing = [{"failures": [{"repository": "elsewhere", "digest": DIGEST, "msg": "no"}]}]
    assert without_failed(result, failing, {})["tags"]
    assert without_failed(result, failing, {}, all_or_nothing=True) == {
        "manifests": [],
        "artifact_tags": [],
        "tags": [],
    }


@pytest.mark.parametrize("digest", [DIGEST, IMAGE_DIGEST, INDEX_DIGEST])
@pytest.mark.parametrize("task", ["blobs", "manifests"])
def test_an_image_of_which_a_part_failed_has_failed(both: Plain, digest: str, task: str) -> None:
    results = done(both)
    results[task].update(failing("team/app", digest))
    summary = summarise(both, results)
    assert reasons(summary) == [("failed", f"{digest} failed"), ("promote", "")]
    assert summary["changed"] is True


def test_a_tag_that_failed_is_named_and_another_tag_on_the_digest_is_not(
    source: FakeRegistry, destination: FakeRegistry
) -> None:
    source.add("team/app", IMAGE, "1", "latest")
    items = [ImageItem("team/app", tag="1", tags=("1",)), ImageItem("team/app", tag="latest", tags=("latest",))]
    result = planned(source, destination, *items)
    tags = {"tags": result["tags"][:1], **failing("team/app", IMAGE_DIGEST, tag="latest")}
    assert reasons(summarise(result, done(result, tags=tags))) == [
        ("promote", ""),
        ("failed", f"{IMAGE_DIGEST} failed"),
    ]


def test_what_was_refused_again_has_failed_with_that_reason(both: Plain) -> None:
    again = copy.deepcopy(both)
    again["images"][1].update(action="refused", reason="it points to something else")
    assert reasons(summarise(both, done(both, compared_again=again))) == [
        ("promote", ""),
        ("failed", "it points to something else"),
    ]


def test_what_was_refused_again_in_one_of_two_repositories_has_failed_there(
    source: FakeRegistry, destination: FakeRegistry
) -> None:
    result = planned(source, destination, BY_TAG._replace(destination_repository="elsewhere"), BY_TAG)
    again = copy.deepcopy(result)
    again["images"][1].update(action="refused", reason="no")
    assert reasons(summarise(result, done(result, compared_again=again))) == [("promote", ""), ("failed", "no")]


def test_a_tag_that_was_not_moved_has_failed(both: Plain) -> None:
    assert reasons(summarise(both, done(both, tags={"tags": both["tags"][1:]}))) == [
        ("failed", "prod.example/team/app:multi was not moved"),
        ("promote", ""),
    ]


def test_what_was_not_to_be_promoted_keeps_its_action_and_reason(
    source: FakeRegistry, destination: FakeRegistry
) -> None:
    destination.failing["HEAD team/app 3"] = ConnectionFailed("no answer")
    result = planned(
        source,
        destination,
        ImageItem("team/app", tag="9", tags=("9",)),
        ImageItem("team/app", tag="1", tags=("3",)),
        BY_TAG._replace(expected_digest=DIGEST),
    )
    assert [action for action, _reason in reasons(summarise(result, {}))] == ["missing", "failed", "refused"]


def test_a_number_that_ansible_has_damaged_counts_as_nothing(both: Plain) -> None:
    results = done(both, manifests={"transfer": {"requests": "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER", "retries": 2}})
    assert summarise(both, results)["transfer"] == {"requests": 10, "retries": 2, "bytes_uploaded": 7}


def test_a_damaged_changed_is_no_change(both: Plain) -> None:
    assert summarise(both, {"tags": {"changed": "********"}})["changed"] is False


def short(digest: str) -> str:
    return f"{digest[:19]}..."


def test_a_report_says_what_changed_and_counts_the_rest(source: FakeRegistry, destination: FakeRegistry) -> None:
    source.add("team/api", OTHER, "1")
    destination.add("team/api", IMAGE, "stable")
    destination.add("team/same", IMAGE, "1")
    source.add("team/same", IMAGE, "1")
    items = [
        ImageItem("team/api", tag="1", tags=("1", "stable")),
        ImageItem("team/same", tag="1", tags=("1",)),
        ImageItem("team/app", digest=IMAGE_DIGEST),
        ImageItem("team/app", tag="nothing", tags=("nothing",)),
    ]
    result = planned(source, destination, *items)
    result["transfer"] = {"requests": 1}
    summary = summarise(result, done(result))
    sizes = f"{len(CONFIG) + len(LAYER)} bytes"
    more = f"{len(CONFIG) + len(LAYER) + len(b'another layer')} bytes"
    lines = [
        f"promoted: dev.example/team/api:1 to prod.example/team/api:1 (new), stable (was {short(IMAGE_DIGEST)}); "
        f"3 blobs uploaded ({more})",
        f"promoted: dev.example/team/app@{IMAGE_DIGEST} to prod.example/team/app@{short(IMAGE_DIGEST)}; "
        f"2 blobs uploaded ({sizes})",
        f"missing: {summary['images'][3]['reason']}",
    ]
    total = 2 * (len(CONFIG) + len(LAYER)) + len(b"another layer")
    requests = summary["transfer"]["requests"]
    assert report(summary) == [
        *lines,
        f"2 promoted, 1 unchanged, 1 missing; {requests} requests, {total} bytes uploaded, 0 bytes mounted",
    ]
    planned_lines = report(summary, check_mode=True)
    assert planned_lines[0] == lines[0].replace("promoted", "would be promoted").replace(" uploaded", " to upload")
    assert planned_lines[-1] == (
        f"2 would be promoted, 1 unchanged, 1 missing; {requests} requests, {total} bytes to upload, 0 bytes to mount"
    )


def test_a_report_says_which_tags_stay(source: FakeRegistry, destination: FakeRegistry) -> None:
    destination.add("team/app", OTHER, "stable")
    some = ImageItem("team/app", tag="1", tags=("1", "stable"), on_conflict="skip")
    none = ImageItem("team/app", tag="1", tags=("stable",), on_conflict="skip")
    for item, line in (
        (
            some,
            f"promoted: dev.example/team/app:1 to prod.example/team/app:1 (new), stable (stays on {OTHER_DIGEST[:19]}",
        ),
        (none, f"skipped: dev.example/team/app:1 to prod.example/team/app:stable (stays on {short(OTHER_DIGEST)})"),
    ):
        result = planned(source, destination, item)
        assert report(summarise(result, done(result)))[0].startswith(line)


def test_a_report_counts_images_that_others_held_up(both: Plain) -> None:
    both["images"][0].update(action="missing", reason="dev.example/team/app:multi isn't there")
    assert report(summarise(both, {})) == [
        "missing: dev.example/team/app:multi isn't there",
        "0 promoted, 0 unchanged, 1 missing, 1 held up by others; 0 requests, 0 bytes uploaded, 0 bytes mounted",
    ]


def test_a_digest_without_tags_may_be_held_up_as_well(source: FakeRegistry, destination: FakeRegistry) -> None:
    items = [ImageItem("team/app", digest=IMAGE_DIGEST), ImageItem("team/app", tag="nothing", tags=("nothing",))]
    summary = summarise(planned(source, destination, *items), {})
    assert reasons(summary)[0] == ("failed", f"prod.example/team/app@{IMAGE_DIGEST} was not pushed")
    assert report(summary)[-1].startswith("0 promoted, 0 unchanged, 1 missing, 1 held up by others; ")


def test_a_report_counts_the_artifacts_that_go_along(source: FakeRegistry, destination: FakeRegistry) -> None:
    result = planned(source, destination, BY_TAG)
    summary = summarise(result, done(result))
    artifacts = [{"action": "copy"}, {"action": "exists"}, {"action": "replace"}]
    summary["images"][0]["artifacts"] = artifacts[:2]
    assert ":1 (new), stable (new), with 1 artifact; " in report(summary)[0]
    summary["images"][0]["artifacts"] = artifacts
    assert ":1 (new), stable (new), with 2 artifacts; " in report(summary)[0]


def test_a_report_names_the_image_that_failed(both: Plain) -> None:
    lines = report(summarise(both, done(both, blobs=failing("team/api", ANOTHER_LAYER))))
    assert f"failed: dev.example/team/api:1: {ANOTHER_LAYER} failed" in lines


@pytest.mark.parametrize(("number", "told"), [(2, "r0, r1"), (3, "r0, r1, r2"), (5, "r0, r1, r2 and 2 more")])
def test_a_report_has_one_line_for_all_that_failed_alike(both: Plain, number: int, told: str) -> None:
    summary = summarise(both, {})
    image = {**summary["images"][0], "action": "failed", "reason": "Cannot log in to prod.example: no."}
    other = {**image, "reference": "other", "reason": "Something else."}
    summary["images"] = [*({**image, "reference": f"r{place}"} for place in range(number)), other]
    assert report(summary)[:-1] == [f"failed: {told}: {image['reason']}", "failed: other: Something else."]
    assert f", {number + 1} failed;" in report(summary)[-1]


def test_a_report_sizes_what_was_sent(both: Plain) -> None:
    summary = summarise(both, done(both))
    for size, told in (
        (1, "1 byte"),
        (999, "999 bytes"),
        (1000, "1.0 kB"),
        (999_949, "999.9 kB"),
        (2_640_000, "2.6 MB"),
    ):
        summary["images"][0].update(blobs_uploaded=0, bytes_uploaded=0, blobs_mounted=1, bytes_mounted=size)
        lines = report(summary)
        assert lines[0].endswith(f"; 1 blob mounted ({told})")
        assert lines[-1].endswith(f", {told} mounted")
    summary["images"][0].update(blobs_mounted=0)
    assert report(summary)[0].endswith("; no blobs")


def failed(reason: str, action: str = "failed") -> Plain:
    return {"action": action, "reason": reason}


def test_what_could_be_promoted_is_no_problem() -> None:
    assert problem([failed("", "promote"), failed("", "unchanged")]) == ""


def test_reasons_are_told_once_and_those_held_up_are_counted() -> None:
    images = [
        failed("r/a:1 was not moved"),
        failed("no", "missing"),
        failed("no", "refused"),
        failed("r/b:1 was not moved"),
    ]
    assert problem(images) == "no | 2 others were held up by that"


def test_of_many_reasons_the_first_are_told() -> None:
    images = [failed(f"reason {number}") for number in range(8)]
    assert problem(images) == " | ".join([*(f"reason {number}" for number in range(5)), "and 3 more"])


def test_platforms_are_chosen_of_an_index_that_head_calls_something_else(
    source: FakeRegistry, destination: FakeRegistry
) -> None:
    entries = [
        descriptor(IMAGE_BYTES, OCI_MANIFEST, platform={"os": "linux", "architecture": "amd64"}),
        descriptor(OTHER_BYTES, OCI_MANIFEST, platform={"os": "linux", "architecture": "arm64"}),
    ]
    whole = source.add("team/app", index(*entries))
    source.found["hidden"] = Descriptor(OCI_MANIFEST, whole.digest, whole.size)
    item = ImageItem("team/app", tag="hidden", tags=("1",), platforms=("linux/amd64",))
    comparison = compare(source, destination, item)
    assert comparison.action == "promote" and comparison.source == whole.descriptor
    assert [manifest.digest for manifest in comparison.tree if not manifest.is_index] == [IMAGE_DIGEST]
    assert [tag.tag for tag in comparison.tags] == ["1"]
