# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.imageops.registry.plugins.module_utils._images._referrers import cosign_tags
from ansible_collections.imageops.registry.plugins.module_utils._model._digest import compute_digest
from ansible_collections.imageops.registry.plugins.module_utils._promotion._outcomes import Outcomes, Part
from ansible_collections.imageops.registry.plugins.module_utils._promotion._plan import Place, Plan
from ansible_collections.imageops.registry.plugins.module_utils._promotion._whole import Whole, what_is_whole
from ansible_collections.imageops.registry.tests.unit.support.documents import DIGEST, encoded, image
from ansible_collections.imageops.registry.tests.unit.support.fake_registry import FakeRegistry
from ansible_collections.imageops.registry.tests.unit.support.promotions import (
    ANOTHER_LAYER,
    BY_TAG,
    IMAGE,
    IMAGE_DIGEST,
    INDEX_DIGEST,
    OTHER_DIGEST,
    failing,
    image_item,
    plan_for,
)


def left(plan: Plan, outcomes: Outcomes) -> tuple[list[Place], list[Place]]:
    """What is still whole: manifests, in the plan's order, and tags."""
    whole = what_is_whole(plan, outcomes, all_or_nothing=False)
    manifests = [planned.place for planned in plan.manifests if planned.place in whole.manifests]
    assert len(manifests) == len(whole.manifests)
    return manifests, [(tag.repository, tag.tag) for tag in whole.tags]


WHOLE_API = [("team/api", OTHER_DIGEST)]
WHOLE_APP = [("team/app", digest) for digest in (IMAGE_DIGEST, OTHER_DIGEST, INDEX_DIGEST)]


def test_without_failures_all_is_whole(both: Plan) -> None:
    assert left(both, Outcomes()) == (WHOLE_APP + WHOLE_API, [("team/app", "multi"), ("team/api", "1")])


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
@pytest.mark.parametrize("part", ["blobs", "manifests", "unverified"])
def test_what_refers_to_something_that_failed_is_not_whole(
    both: Plan, digest: str, manifests: list[tuple[str, str]], part: str
) -> None:
    tags = [("team/app", "multi")] if manifests == WHOLE_APP else []
    failed = failing("team/app", digest)
    outcomes = Outcomes(**{part: failed if part == "unverified" else Part((), failed)})
    assert left(both, outcomes) == (manifests + WHOLE_API, [*tags, ("team/api", "1")])


def test_what_the_second_comparison_refuses_is_left_out(both: Plan) -> None:
    manifests, tags = left(both, Outcomes(refused={both.images[0].way: "it points to something else"}))
    assert ("team/app", INDEX_DIGEST) not in manifests
    assert tags == [("team/api", "1")]


def test_one_image_for_two_repositories_may_be_refused_in_one_of_them(
    source: FakeRegistry, destination: FakeRegistry
) -> None:
    plan = plan_for(source, destination, BY_TAG, BY_TAG._replace(destination_repository="elsewhere"))
    assert left(plan, Outcomes(refused={plan.images[1].way: "no"})) == (
        [("team/app", IMAGE_DIGEST)],
        [("team/app", "1"), ("team/app", "stable")],
    )


def test_one_digest_under_two_names_may_be_refused_under_one_of_them(
    source: FakeRegistry, destination: FakeRegistry
) -> None:
    source.add("team/app", IMAGE, "1", "latest")
    items = [image_item("team/app", tag="1", tags=("1",)), image_item("team/app", tag="latest", tags=("latest",))]
    plan = plan_for(source, destination, *items)
    assert left(plan, Outcomes(refused={plan.images[0].way: "no"})) == (
        [("team/app", IMAGE_DIGEST)],
        [("team/app", "latest")],
    )


def test_all_or_nothing_leaves_nothing_after_one_failure(source: FakeRegistry, destination: FakeRegistry) -> None:
    plan = plan_for(source, destination, BY_TAG)
    for outcomes in (
        Outcomes(Part((), failing("elsewhere", DIGEST))),
        Outcomes(refused={("elsewhere", "1", "elsewhere"): "no"}),
    ):
        assert what_is_whole(plan, outcomes, all_or_nothing=False).tags
        assert what_is_whole(plan, outcomes, all_or_nothing=True) == Whole()


def test_an_image_whose_artifact_failed_is_not_tagged(source: FakeRegistry, destination: FakeRegistry) -> None:
    signature = image(annotations={"a": "signature"})
    source.add("team/app", signature, cosign_tags(IMAGE_DIGEST)[0])
    plan = plan_for(source, destination, BY_TAG._replace(artifacts=("all",)))
    assert [tag.tag for tag in what_is_whole(plan, Outcomes(), all_or_nothing=False).artifact_tags] == [
        cosign_tags(IMAGE_DIGEST)[0]
    ]
    for digest, manifests in (
        (compute_digest(encoded(signature)), [("team/app", IMAGE_DIGEST)]),
        (IMAGE_DIGEST, [("team/app", compute_digest(encoded(signature)))]),
    ):
        outcomes = Outcomes(manifests=Part((), failing("team/app", digest)))
        assert left(plan, outcomes) == (manifests, [])
        assert what_is_whole(plan, outcomes, all_or_nothing=False).artifact_tags == ()
