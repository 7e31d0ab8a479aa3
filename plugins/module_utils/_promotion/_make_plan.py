# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The plan that makes a destination serve what the source has, by a comparison of both."""

from __future__ import annotations

import typing as t

from .._blobs._blob_group import BlobGroup
from .._blobs._missing_repositories import MissingRepositories
from .._end._end import End
from .._end._remembering import remembering
from .._images._contents import Depth
from .._images._inspection import describe, describe_tree
from .._model._actions import DAMAGED, PROMOTE
from .._model._errors import RegistryError
from .._model._manifest import Descriptor, Manifest, blobs_of
from .._run._parallel import run_all
from ._comparison import Comparison, compare_images
from ._items import ImageItem, Plain
from ._judging import Conditions, judge_plan
from ._plan import Place, Plan, PlannedImage, PlannedManifest
from ._verification import verify_contents


class PlanRules(t.NamedTuple):
    """What is looked at for a plan."""

    artifacts_of_equal: bool = False
    """Whether artifacts of images that are equal are compared as well."""
    depth: Depth = Depth()
    """How thoroughly is checked whether the destination has what it should."""
    repair: bool = False
    """Whether what is missing there is pushed again, although tags point to what needs it."""
    conditions: Conditions = Conditions()
    """What an image has to meet to be promoted."""
    check: bool = False
    """Whether nothing is kept, not even that a digest was met."""
    summaries: bool = False
    """Whether the plan also says what the images are in the words of people, for a diff. This reads configs."""


def make_plan(
    source: End,
    destination: End,
    items: t.Sequence[ImageItem],
    rules: PlanRules,
    missing: MissingRepositories | None = None,
) -> Plan:
    """Compare images, and say what makes the destination serve them; in the items' order.

    An image that isn't there, may not be promoted or can't be read is part of the plan, with the reason, and no error.
    Of images that are equal there is nothing but what was found. ``missing`` learns which repositories aren't at the
    destination. Raises what keeps summaries from being read.
    """
    if rules.conditions.gates or rules.conditions.signatures:
        # What the comparison asks, the judging asks as well.
        source = remembering(source)
    compared = compare_images(source, destination, items, artifacts_of_equal=rules.artifacts_of_equal, missing=missing)
    compared = verify_contents(source, destination, compared, rules.depth, repair=rules.repair)
    summaries = _summaries(compared, source) if rules.summaries else {}
    promoted = [comparison for comparison in compared if comparison.action == PROMOTE]
    plan = Plan(
        source.name,
        destination.name,
        tuple(_image(comparison, summaries) for comparison in compared),
        _blobs(promoted, source.name, destination.name),
        _manifests(promoted),
    )
    return judge_plan(plan, source, destination, rules.conditions, check=rules.check)


def group_of(item: ImageItem, source: str, destination: str) -> tuple[str, str, tuple[str, ...]]:
    """Under what the blobs of an image are grouped: repository, that at the source, and those to mount from.

    ``source`` and ``destination`` are the names of the registries.
    """
    # On one and the same registry, the repository of the source is the first to mount from.
    own = (item.repository,) if source == destination and item.repository != item.destination_repository else ()
    return item.destination_repository, item.repository, tuple(dict.fromkeys([*own, *item.mount_from]))


def _image(comparison: Comparison, summaries: t.Mapping[Place, Plain]) -> PlannedImage:
    item, found, chosen = comparison.item, comparison.source, comparison.chosen
    digest = "" if chosen is None else chosen.digest
    present = comparison.present
    left_out = (layer for manifest in comparison.tree for layer in manifest.nondistributable_layers())
    return PlannedImage(
        item=item,
        action=comparison.action,
        reason=comparison.reason,
        digest=digest,
        source_digest="" if found is None else found.digest,
        media_type="" if chosen is None else chosen.media_type,
        tags=comparison.tags,
        layers_left_out=tuple({layer.digest: layer for layer in left_out}.values()),
        artifacts=tuple(artifact._replace(tree=()) for artifact in comparison.artifacts),
        artifacts_compared=comparison.artifacts_compared,
        missing=comparison.missing,
        present=present if present is not None and present.digest == digest else None,
        summary=summaries.get((item.repository, digest), {}),
    )


def _blobs(promoted: t.Sequence[Comparison], source: str, destination: str) -> tuple[BlobGroup, ...]:
    groups: dict[tuple[str, str, tuple[str, ...]], dict[str, int | None]] = {}
    for comparison in promoted:
        blobs = blobs_of(_contents(comparison))
        if blobs:
            key = group_of(comparison.item, source, destination)
            groups.setdefault(key, {}).update({blob.digest: blob.size for blob in blobs})
    damaged = _damaged(promoted)
    return tuple(
        BlobGroup(*key, tuple(blobs.items()), frozenset(digest for digest in blobs if (key[0], digest) in damaged))
        for key, blobs in groups.items()
    )


def _manifests(promoted: t.Sequence[Comparison]) -> tuple[PlannedManifest, ...]:
    damaged = _damaged(promoted)
    missed = {
        (comparison.item.destination_repository, manifest.digest)
        for comparison in promoted
        for manifest in comparison.tree
        if manifest.digest not in comparison.standing
    }
    manifests: dict[Place, PlannedManifest] = {}
    for comparison in promoted:
        for manifest in _contents(comparison):
            place = (comparison.item.destination_repository, manifest.digest)
            manifests[place] = PlannedManifest(
                comparison.item.destination_repository,
                comparison.item.repository,
                manifest,
                place in damaged,
                place in missed,
            )
    return tuple(manifests.values())


def _damaged(promoted: t.Sequence[Comparison]) -> set[Place]:
    """What is sent although it is there."""
    return {
        (entry.repository, entry.digest)
        for comparison in promoted
        for entry in comparison.missing
        if entry.problem == DAMAGED
    }


def _contents(comparison: Comparison) -> list[Manifest]:
    """The manifests that have to be pushed, children first, and artifacts behind their subject."""
    return [*comparison.tree, *(part for artifact in comparison.artifacts for part in artifact.tree)]


def _summaries(comparisons: t.Sequence[Comparison], source: End) -> dict[Place, Plain]:
    """What each image that is to be promoted is, in the words of people, by repository at the source and digest.

    Nothing is said about what was chosen of an index and is at the destination already: it isn't at the source.
    """

    def show(comparison: Comparison) -> Plain:
        chosen = t.cast(Descriptor, comparison.chosen)
        if comparison.tree:
            return describe_tree(source, comparison.item.repository, comparison.tree)
        return describe(source, comparison.item.repository, chosen.digest)

    shown = [
        comparison
        for comparison in comparisons
        if comparison.action == PROMOTE and (comparison.tree or not comparison.rewritten)
    ]
    summaries: dict[Place, Plain] = {}
    for comparison, outcome in zip(shown, run_all(show, shown, source.jobs)):
        if isinstance(outcome, RegistryError):
            raise outcome
        summaries[comparison.item.repository, t.cast(Descriptor, comparison.chosen).digest] = outcome
    return summaries
