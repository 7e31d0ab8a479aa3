# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What a record says of the images of a plan, and how a promotion ended."""

from __future__ import annotations

import typing as t

from .._images._tagging import TagItem, TagOutcome, when_moved
from .._model._actions import CREATE, EXISTS, FAILED, PROMOTE, REPLACE, REVERTED, UNCHANGED
from ._items import MOVING, STOPPING
from ._outcomes import Outcomes, Part
from ._plan import Place, Plan
from ._record import DONE, Record, RecordedBytes, RecordedImage, RecordedTag
from ._summary import ImageOutcome, image_outcomes
from ._tag_results import TagResults

_OF_IMAGE, _OF_TAG, _OF_GATE = 1200, 600, 200
"""Bytes of an image, of a tag or signature, and of a gate beside what it says."""


def recorded_images(plan: Plan, outcomes: Outcomes) -> tuple[RecordedImage, ...]:
    """The images of a plan as what happened to them, in their order."""
    results = TagResults(outcomes)
    return tuple(_image(plan, outcome, results) for outcome in image_outcomes(plan, outcomes))


def expected_size(plan: Plan) -> int:
    """About how many bytes the record of a plan takes, and rather more. To encode one for that would take its time."""
    tags = sum(len(image.tags) for image in plan.images)
    gates = [gate for image in plan.images for gate in image.gates or image.told.gates]
    said = sum(len(str(gate.value)) + len(gate.message) for gate in gates)
    signatures = sum(
        len(image.told.signatures if image.judgement is None else image.judgement.signatures) for image in plan.images
    )
    return len(plan.images) * _OF_IMAGE + (tags + signatures) * _OF_TAG + len(gates) * _OF_GATE + said


def as_if_moved(tags: t.Iterable[TagItem]) -> Part[TagOutcome]:
    """What will have happened when these tags have moved."""
    return Part(tuple(map(when_moved, tags)))


def outcome_of(record: Record, *, all_or_nothing: bool) -> str:
    """How a promotion ended. That every tag is back can only be where tags go back."""
    actions = {tag.action for image in record.images for tag in image.tags}
    stopped = any(image.action in STOPPING for image in record.images)
    if FAILED not in actions and REVERTED not in actions and not stopped:
        return DONE
    is_back = all_or_nothing and not actions & set(MOVING) and not record.not_reverted
    return REVERTED if is_back else FAILED


def moving_tags(record: Record) -> dict[Place, RecordedTag]:
    """The tags that a record says move or have moved."""
    return {(image.repository, tag.tag): tag for image in record.images for tag in image.tags if tag.action in MOVING}


def returning_tags(record: Record) -> dict[Place, RecordedTag]:
    """The tags that a rollback brings back: those that have moved, and those that may have, as far as is known.

    In a promotion that has failed, a tag that failed may have moved and not been verified; one that hasn't is where it
    is to go. Before the end it hasn't moved yet, and where all went back it is back. What could not go back may be the
    tag of an artifact.
    """
    may_have_moved = (*MOVING, FAILED) if record.outcome == FAILED else MOVING
    tags = {
        (image.repository, tag.tag): tag
        for image in record.images
        for tag in image.tags
        if tag.action in may_have_moved and tag.digest and tag.digest != tag.previous_digest
    }
    for one in record.not_reverted:
        action = REPLACE if one.previous_digest else CREATE
        tags.setdefault((one.repository, one.tag), RecordedTag(one.tag, one.previous_digest, one.digest, action))
    return tags


def covers(plan: Plan, record: Record, reverts: str = "") -> bool:
    """Whether a plan has all tags that a record says move on the digests that it says, or puts them there.

    A rollback, which says what it ``reverts``, continues one of the same record only.
    """
    served = {
        (image.item.destination_repository, tag.tag): image.digest
        for image in plan.images
        if image.action in (PROMOTE, UNCHANGED)
        for tag in image.tags
        if tag.action in (*MOVING, EXISTS)
    }
    moving = moving_tags(record)
    return (
        record.destination == plan.destination
        and record.reverts == reverts
        and bool(moving)
        and all(served.get(place) == tag.digest for place, tag in moving.items())
    )


def is_undone(plan: Plan, record: Record) -> bool:
    """Whether a plan has every tag that a record says moved on what it pointed to before, as far as it was there."""
    back = {
        (image.item.destination_repository, tag.tag): image.digest
        for image in plan.images
        if image.action in (PROMOTE, UNCHANGED)
        for tag in image.tags
    }
    return record.destination == plan.destination and all(
        back.get(place) == tag.previous_digest for place, tag in moving_tags(record).items() if tag.previous_digest
    )


def gone_back(record: Record) -> Record:
    """A record whose tags point again to what they pointed to before; ``reverted`` where these are all that moved.

    Tags that were created stay, or are removed after that: :func:`without_created`.
    """

    def one(image: RecordedImage) -> RecordedImage:
        tags = tuple(tag._replace(action=REVERTED) if tag.action == REPLACE else tag for tag in image.tags)
        return image if tags == image.tags else image._replace(tags=tags, action=FAILED)

    record = record._replace(images=tuple(map(one, record.images)))
    return record._replace(outcome=FAILED if moving_tags(record) else REVERTED)


def without_created(record: Record, gone: t.Container[Place]) -> Record:
    """A record of which tags that were created are gone; ``reverted`` where all that moved is back then."""

    def one(image: RecordedImage) -> RecordedImage:
        tags = tuple(
            tag._replace(action=REVERTED) if tag.action == CREATE and (image.repository, tag.tag) in gone else tag
            for tag in image.tags
        )
        return image if tags == image.tags else image._replace(tags=tags, action=FAILED)

    record = record._replace(images=tuple(map(one, record.images)))
    return record._replace(outcome=FAILED if moving_tags(record) else REVERTED)


def continued(images: t.Iterable[RecordedImage], earlier: Record) -> tuple[RecordedImage, ...]:
    """Images with what an earlier record knows of them: what tags pointed to that its promotion had moved already."""
    moving = moving_tags(earlier)
    known = {(image.repository, image.digest): image for image in earlier.images}

    def one(image: RecordedImage) -> RecordedImage:
        tags = tuple(_continued_tag(tag, moving.get((image.repository, tag.tag))) for tag in image.tags)
        before = known.get((image.repository, image.digest))
        if tags == image.tags or image.action != UNCHANGED or before is None:
            return image._replace(tags=tags)
        return image._replace(
            tags=tags, action=PROMOTE, bytes=before.bytes, gates=before.gates, signatures=before.signatures
        )

    return tuple(map(one, images))


def _continued_tag(tag: RecordedTag, earlier: RecordedTag | None) -> RecordedTag:
    if earlier is None or tag.action != EXISTS or tag.digest != earlier.digest:
        return tag
    return earlier


def _image(plan: Plan, outcome: ImageOutcome, results: TagResults) -> RecordedImage:
    image = outcome.image
    sums = outcome.sums
    return RecordedImage(
        reference=plan.reference_of(image),
        repository=image.item.destination_repository,
        digest=image.digest,
        source_digest=image.source_digest,
        tags=tuple(RecordedTag(tag.tag, tag.previous_digest, image.digest, tag.action) for tag in results.of(image)),
        action=outcome.action,
        bytes=RecordedBytes(sums.bytes_uploaded, sums.bytes_mounted, sums.bytes_skipped),
        gates=image.gates or image.told.gates,
        signatures=image.told.signatures if image.judgement is None else image.judgement.signatures,
    )
