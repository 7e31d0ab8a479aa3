# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What of a plan is still whole after something has failed."""

from __future__ import annotations

import typing as t

from .._images._tagging import TagItem
from ._outcomes import Outcomes
from ._plan import Place, Plan, PlannedManifest


class Whole(t.NamedTuple):
    """What can still be done."""

    manifests: frozenset[Place] = frozenset()
    """By repository and digest."""
    artifact_tags: tuple[TagItem, ...] = ()
    tags: tuple[TagItem, ...] = ()


def what_is_whole(plan: Plan, outcomes: Outcomes, *, all_or_nothing: bool) -> Whole:
    """What of a plan is still whole.

    With what has failed, each manifest that refers to it has failed. Images that are refused by now are left out. With
    ``all_or_nothing``, nothing is left where anything has failed. An image whose artifacts failed isn't tagged. A tag
    stays on what could not be kept otherwise.
    """
    failed = {(failure.repository, failure.digest) for failure in outcomes.failures}
    if all_or_nothing and (failed or outcomes.refused):
        return Whole()
    failed |= _only_of_refused(plan, outcomes)
    unkept = {(failure.repository, failure.digest) for failure in outcomes.replaced_tags.failed}
    failed |= {(tag.repository, tag.digest) for tag in plan.artifact_tags if _takes_from(tag, unkept)}
    whole = []
    for planned in plan.manifests:
        if any((planned.repository, digest) in failed for digest in _parts_of(planned)):
            failed.add(planned.place)
        else:
            whole.append(planned.place)
    artifact_tags = _whole_artifact_tags(plan, failed)
    failed |= {
        image.place
        for image in plan.images
        if any((image.item.destination_repository, artifact.digest) in failed for artifact in image.artifacts)
    }
    stopped = {
        (image.item.destination_repository, tag)
        for image in plan.images
        if image.way in outcomes.refused
        for tag in image.item.tags
    }
    tags = tuple(
        tag
        for tag in plan.tags
        if (tag.repository, tag.digest) not in failed
        and (tag.repository, tag.tag) not in stopped
        and not _takes_from(tag, unkept)
    )
    return Whole(frozenset(whole), artifact_tags, tags)


def _takes_from(tag: TagItem, digests: t.Container[tuple[str, str | None]]) -> bool:
    """Whether a tag would be taken from one of these digests."""
    return (tag.repository, tag.previous_digest) in digests


def _only_of_refused(plan: Plan, outcomes: Outcomes) -> set[Place]:
    """What is promoted for refused images alone. Two images may be one digest in one repository."""
    stopped = {image.place for image in plan.images if image.way in outcomes.refused}
    return stopped - {image.place for image in plan.promoted if image.way not in outcomes.refused}


def _parts_of(planned: PlannedManifest) -> list[str]:
    """The digests of a manifest and of what it refers to."""
    manifest = planned.manifest
    subject = [] if manifest.subject is None else [manifest.subject.digest]
    return [manifest.digest, *(descriptor.digest for descriptor in manifest.descriptors()), *subject]


def _whole_artifact_tags(plan: Plan, failed: t.Container[Place]) -> tuple[TagItem, ...]:
    subjects = {
        (image.item.destination_repository, artifact.tag): artifact.subject
        for image in plan.images
        for artifact in image.artifacts
        if artifact.tag
    }
    return tuple(
        tag
        for tag in plan.artifact_tags
        if (tag.repository, tag.digest) not in failed
        and (tag.repository, subjects[tag.repository, tag.tag]) not in failed
    )
