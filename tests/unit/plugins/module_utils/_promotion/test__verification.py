# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.imageops.registry.plugins.module_utils._images._artifacts import Artifact
from ansible_collections.imageops.registry.plugins.module_utils._images._contents import Depth, Missing
from ansible_collections.imageops.registry.plugins.module_utils._model._digest import compute_digest
from ansible_collections.imageops.registry.plugins.module_utils._model._errors import AccessDenied, InvalidInput
from ansible_collections.imageops.registry.plugins.module_utils._model._manifest import OCI_INDEX, OCI_MANIFEST
from ansible_collections.imageops.registry.plugins.module_utils._module._verification_arguments import verification
from ansible_collections.imageops.registry.plugins.module_utils._promotion._comparison import Comparison, compare_images
from ansible_collections.imageops.registry.plugins.module_utils._promotion._items import ImageItem
from ansible_collections.imageops.registry.plugins.module_utils._promotion._outcomes import Part
from ansible_collections.imageops.registry.plugins.module_utils._promotion._report import report
from ansible_collections.imageops.registry.plugins.module_utils._promotion._verification import verify_contents
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
from ansible_collections.imageops.registry.tests.unit.support.promotions import (
    done,
    failing,
    image_item,
    plan_for,
    told,
)

FOREIGN = "application/vnd.oci.image.layer.nondistributable.v1.tar"
FIRST = image()
SECOND = image(layers=[descriptor(), descriptor(b"second"), descriptor(b"foreign", FOREIGN)])
FIRST_DIGEST, SECOND_DIGEST = (compute_digest(encoded(document)) for document in (FIRST, SECOND))
INNER = index(descriptor(encoded(FIRST), OCI_MANIFEST))
INNER_DIGEST = compute_digest(encoded(INNER))
OUTER = index(descriptor(encoded(INNER), OCI_INDEX), descriptor(encoded(SECOND), OCI_MANIFEST))
OUTER_DIGEST = compute_digest(encoded(OUTER))
REFERRER = image(subject=descriptor(encoded(OUTER), OCI_INDEX), layers=[descriptor(b"signature")])
REFERRER_DIGEST = compute_digest(encoded(REFERRER))
CONFIG_DIGEST, SECOND_LAYER = compute_digest(CONFIG), compute_digest(b"second")
ITEM = image_item("app", tag="1", tags=("1",))
TREE = (FIRST_DIGEST, INNER_DIGEST, SECOND_DIGEST, OUTER_DIGEST)


def filled(name: str) -> FakeRegistry:
    registry = FakeRegistry(name)
    for document in (FIRST, SECOND, INNER):
        registry.add("app", document)
    registry.add("app", OUTER, "1")
    for content in (CONFIG, LAYER, b"second", b"signature"):
        registry.add_blob(content, "app")
    return registry


@pytest.fixture
def source() -> FakeRegistry:
    return filled("dev.example")


@pytest.fixture
def destination() -> FakeRegistry:
    return filled("prod.example")


def verified(
    source: FakeRegistry, destination: FakeRegistry, level: str, *items: ImageItem, **options: t.Any
) -> list[Comparison]:
    repair, everything = options.pop("repair", False), options.pop("artifacts_of_equal", False)
    compared = compare_images(source.client, destination.client, items or (ITEM,), artifacts_of_equal=everything)
    source.calls.clear()
    destination.calls.clear()
    return verify_contents(source.client, destination.client, compared, Depth(level, **options), repair=repair)


def gone(comparison: Comparison) -> list[tuple[str, str, str]]:
    return [(entry.kind, entry.digest, entry.needed_by) for entry in comparison.missing]


def test_tags_alone_are_asked_nothing_more(source: FakeRegistry, destination: FakeRegistry) -> None:
    del destination.manifests["app", FIRST_DIGEST]
    (comparison,) = verified(source, destination, "tag")
    assert (comparison.action, comparison.missing) == ("unchanged", ())
    assert source.calls == destination.calls == []


def test_a_whole_image_costs_a_get_for_each_index_and_a_head_for_each_image(
    source: FakeRegistry, destination: FakeRegistry
) -> None:
    (comparison,) = verified(source, destination, "manifests")
    assert (comparison.action, comparison.missing, comparison.tree) == ("unchanged", (), ())
    assert destination.calls == [
        f"GET app {OUTER_DIGEST}",
        f"GET app {INNER_DIGEST}",
        f"HEAD app {SECOND_DIGEST}",
        f"HEAD app {FIRST_DIGEST}",
    ]
    assert source.calls == []


def test_each_blob_is_asked_for_once_but_those_that_may_not_be_distributed(
    source: FakeRegistry, destination: FakeRegistry
) -> None:
    other = image_item("app", digest=INNER_DIGEST)
    comparisons = verified(source, destination, "blobs", ITEM, other)
    assert [comparison.action for comparison in comparisons] == ["unchanged", "unchanged"]
    assert sorted(destination.calls) == sorted(
        [f"GET app {digest}" for digest in TREE]
        + [f"HEAD app {digest}" for digest in (CONFIG_DIGEST, DIGEST, SECOND_LAYER)]
    )
    assert source.calls == []


@pytest.mark.parametrize("repair", [False, True])
def test_a_missing_child_is_named_or_planned_with_all_that_leads_to_it(
    source: FakeRegistry, destination: FakeRegistry, repair: bool
) -> None:
    del destination.manifests["app", FIRST_DIGEST]
    (comparison,) = verified(source, destination, "manifests", repair=repair)
    assert gone(comparison) == [("manifest", FIRST_DIGEST, INNER_DIGEST)]
    assert source.calls == [f"GET app {FIRST_DIGEST}"]
    if repair:
        assert (comparison.action, comparison.reason) == ("promote", "")
        assert [manifest.digest for manifest in comparison.tree] == [FIRST_DIGEST, INNER_DIGEST, OUTER_DIGEST]
        assert comparison.standing == {INNER_DIGEST, OUTER_DIGEST}
    else:
        assert (comparison.action, comparison.tree) == ("failed", ())
        assert comparison.reason == (
            f"prod.example/app is missing manifest {FIRST_DIGEST}, which dev.example/app:1 needs (verify: manifests). "
            "With repair: true it is pushed again."
        )


def test_what_is_below_a_missing_index_is_looked_for_as_well(source: FakeRegistry, destination: FakeRegistry) -> None:
    del destination.manifests["app", INNER_DIGEST], destination.manifests["app", FIRST_DIGEST]
    (comparison,) = verified(source, destination, "manifests")
    assert gone(comparison) == [("manifest", INNER_DIGEST, OUTER_DIGEST), ("manifest", FIRST_DIGEST, INNER_DIGEST)]
    assert f"is missing manifest {INNER_DIGEST} and 1 more thing, which" in comparison.reason
    (comparison,) = verified(source, destination, "manifests", repair=True)
    assert comparison.standing == {OUTER_DIGEST}


def test_a_missing_blob_is_planned_with_the_manifests_that_need_it(
    source: FakeRegistry, destination: FakeRegistry
) -> None:
    del destination.blobs["app", SECOND_LAYER]
    (comparison,) = verified(source, destination, "blobs", repair=True)
    assert gone(comparison) == [("blob", SECOND_LAYER, SECOND_DIGEST)]
    assert [manifest.digest for manifest in comparison.tree] == [SECOND_DIGEST, OUTER_DIGEST]
    assert comparison.standing >= {SECOND_DIGEST, OUTER_DIGEST}
    assert source.calls == []


@pytest.mark.parametrize(
    ("found", "content", "said"),
    [(b"sec", False, "it has 3 bytes there, 6 were promised"), (b"sEcond", True, "the bytes that arrived have")],
)
def test_a_damaged_blob_is_sent_again_whatever_is_there(
    source: FakeRegistry, destination: FakeRegistry, found: bytes, content: bool, said: str
) -> None:
    destination.blobs["app", SECOND_LAYER] = found
    (comparison,) = verified(source, destination, "blobs", content=content)
    assert f"has a damaged blob {SECOND_LAYER}, which" in comparison.reason
    (comparison,) = verified(source, destination, "blobs", content=content, repair=True)
    (entry,) = comparison.missing
    assert (entry.problem, entry.size) == ("damaged", 6) and said in entry.reason
    plan = plan_for(source, destination, ITEM, depth=Depth("blobs", content), repair=True)
    (group,) = plan.blobs
    assert {digest for digest, _size in group.blobs} == {CONFIG_DIGEST, SECOND_LAYER, DIGEST}
    assert group.replace == {SECOND_LAYER}


def test_one_bit_is_seen_only_where_content_is_read(source: FakeRegistry, destination: FakeRegistry) -> None:
    destination.blobs["app", SECOND_LAYER] = b"sEcond"
    assert verified(source, destination, "blobs")[0].missing == ()


def test_what_the_source_lacks_too_can_not_be_mended(source: FakeRegistry, destination: FakeRegistry) -> None:
    for registry in (source, destination):
        del registry.manifests["app", FIRST_DIGEST]
    (comparison,) = verified(source, destination, "manifests", repair=True)
    assert (comparison.action, comparison.tree) == ("failed", ())
    assert f"The source does not have it either: Cannot read dev.example/app@{FIRST_DIGEST}" in comparison.reason
    assert comparison.reason.endswith("it is not there.")


@pytest.mark.parametrize(("name", "method"), [("destination", "HEAD"), ("source", "GET")])
def test_what_can_not_be_looked_at_has_failed(
    source: FakeRegistry, destination: FakeRegistry, name: str, method: str
) -> None:
    registry = source if name == "source" else destination
    registry.failing[f"{method} app {FIRST_DIGEST}"] = AccessDenied("the account may not do this")
    if name == "source":
        del destination.manifests["app", FIRST_DIGEST]
    (comparison,) = verified(source, destination, "manifests", repair=True)
    assert (comparison.action, comparison.reason) == ("failed", "the account may not do this.")


def test_what_is_pushed_anyway_is_not_looked_at(source: FakeRegistry, destination: FakeRegistry) -> None:
    for reference in (OUTER_DIGEST, "1", SECOND_DIGEST, FIRST_DIGEST):
        del destination.manifests["app", reference]
    (comparison,) = verified(source, destination, "manifests")
    # Its index is there, and it isn't itself.
    assert gone(comparison) == [("manifest", FIRST_DIGEST, INNER_DIGEST)]
    assert destination.calls == [f"GET app {INNER_DIGEST}", f"HEAD app {FIRST_DIGEST}"]
    (comparison,) = verified(source, destination, "manifests", repair=True)
    assert [manifest.digest for manifest in comparison.tree] == list(TREE)
    assert comparison.standing == {INNER_DIGEST}
    del destination.blobs["app", SECOND_LAYER]
    (comparison,) = verified(source, destination, "blobs")
    assert gone(comparison) == [("manifest", FIRST_DIGEST, INNER_DIGEST)]


def test_a_tag_that_stands_beside_one_that_is_skipped_is_looked_behind(
    source: FakeRegistry, destination: FakeRegistry
) -> None:
    destination.add("app", FIRST, "stable")
    del destination.manifests["app", SECOND_DIGEST]
    item = ITEM._replace(tags=("1", "stable"), on_conflict="skip")
    (comparison,) = verified(source, destination, "manifests", item, repair=True)
    assert comparison.action == "promote"
    assert plan_for(source, destination, item, depth=Depth("manifests"), repair=True).tags == ()
    (comparison,) = verified(source, destination, "manifests", item._replace(tags=("stable",)))
    assert (comparison.action, comparison.missing) == ("skip", ())


def test_what_has_failed_already_is_not_looked_at(source: FakeRegistry, destination: FakeRegistry) -> None:
    destination.add("app", FIRST, "stable")
    del destination.manifests["app", SECOND_DIGEST]
    for refused in (
        ITEM._replace(expected_digest=FIRST_DIGEST),
        ITEM._replace(tags=("1", "stable"), on_conflict="fail"),
    ):
        (comparison,) = verified(source, destination, "manifests", refused)
        assert comparison.action == "refused" and destination.calls == []


def test_an_index_that_is_nested_too_deep_has_failed(source: FakeRegistry, destination: FakeRegistry) -> None:
    document = FIRST
    for _level in range(9):
        kind = OCI_MANIFEST if document is FIRST else OCI_INDEX
        document = index(descriptor(encoded(document), kind))
        for registry in (source, destination):
            registry.add("app", document, "deep")
    (comparison,) = verified(source, destination, "manifests", image_item("app", tag="deep", tags=("deep",)))
    assert comparison.action == "failed" and "more than 8 levels" in comparison.reason


def test_artifacts_are_looked_at_where_they_are_compared(source: FakeRegistry, destination: FakeRegistry) -> None:
    for registry in (source, destination):
        registry.add("app", REFERRER)
    item = ITEM._replace(artifacts=("all",))
    signature = compute_digest(b"signature")
    del destination.blobs["app", signature]
    assert verified(source, destination, "blobs", item)[0].missing == ()
    (comparison,) = verified(source, destination, "blobs", item, artifacts_of_equal=True)
    assert gone(comparison) == [("blob", signature, REFERRER_DIGEST)]
    (comparison,) = verified(source, destination, "blobs", item, artifacts_of_equal=True, repair=True)
    (artifact,) = comparison.artifacts
    assert (comparison.action, comparison.tree, artifact.action) == ("promote", (), "copy")
    looked = {"depth": Depth("blobs"), "artifacts_of_equal": True, "repair": True}
    plan = plan_for(source, destination, item, **looked)
    assert [planned.manifest.digest for planned in plan.manifests] == [REFERRER_DIGEST]


def test_a_tag_of_cosign_with_more_signatures_is_left_alone(source: FakeRegistry, destination: FakeRegistry) -> None:
    (compared,) = compare_images(source.client, destination.client, [ITEM])
    standing = Artifact(OUTER_DIGEST, DIGEST, "", "sha256-0.sig", "exists", previous_digest=SECOND_DIGEST)
    compared = compared._replace(artifacts=(standing,))
    (comparison,) = verify_contents(source.client, destination.client, [compared], Depth("blobs"), repair=False)
    assert comparison == compared


def test_a_summary_names_what_was_missing_and_a_report_counts_it(
    source: FakeRegistry, destination: FakeRegistry
) -> None:
    del destination.manifests["app", FIRST_DIGEST], destination.blobs["app", SECOND_LAYER]
    plan = plan_for(source, destination, ITEM, depth=Depth("blobs"), repair=True)
    assert tuple(planned.manifest.digest for planned in plan.manifests) == TREE
    summary = told(plan, done(plan, blobs=Part()))
    (entry,) = summary["images"]
    assert (summary["changed"], entry["action"], len(entry["missing"])) == (True, "promote", 2)
    line = (
        "dev.example/app:1 to prod.example/app:1 (unchanged); 1 manifest and 1 blob missing or damaged there, "
        "1 non-distributable layer left out"
    )
    assert report(summary)[0] == f"promoted: {line}"
    lost = failing("app", SECOND_LAYER)
    failed = told(plan, done(plan, unverified=lost))
    assert [(image["action"], image["reason"]) for image in failed["images"]] == [("failed", str(lost[0].error))]


def test_a_missing_thing_as_plain_values() -> None:
    assert Missing("app", DIGEST, "blob", 1, "", "missing", "why")._asdict() == {
        "repository": "app",
        "digest": DIGEST,
        "kind": "blob",
        "size": 1,
        "needed_by": "",
        "problem": "missing",
        "reason": "why",
    }


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"repair": True}, "repair mends what verify finds"),
        ({"verify": "manifests", "verify_content": True}, "verify_content goes with verify: blobs"),
        ({"verify_content": True}, "not with verify: tag"),
    ],
)
def test_options_that_can_not_go_together_are_refused(options: dict[str, t.Any], said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        verification({"verify": "tag", "verify_content": False, "repair": False, **options})


def test_options_that_go_together() -> None:
    wanted = verification({"verify": "blobs", "verify_content": True, "repair": True})
    assert wanted == (Depth("blobs", True), True)
