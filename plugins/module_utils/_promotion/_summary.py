# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What became of the images of a plan."""

from __future__ import annotations

import typing as t

from .._model._actions import EXISTS, FAILED, MOUNT, MOUNT_OR_UPLOAD, PROMOTE, REVERTED, UPLOAD
from .._model._manifest import Manifest, blobs_of
from ._image_result import BlobSums
from ._items import MOVED_BACK, NOT_MOVED, NOT_PUSHED, NOT_TAGGED
from ._outcomes import Failure, Outcomes
from ._plan import Place, Plan, PlannedImage
from ._replaced import names_kept_for

_WAYS = {UPLOAD: "uploaded", MOUNT_OR_UPLOAD: "uploaded", MOUNT: "mounted"}


class ImageOutcome(t.NamedTuple):
    """What became of one image."""

    image: PlannedImage
    action: str
    reason: str
    sums: BlobSums
    is_done_before: bool = False
    """Whether all that was planned for it was there already: a plan may be carried out twice."""


def image_outcomes(plan: Plan, outcomes: Outcomes) -> list[ImageOutcome]:
    """What became of each image of a plan, in their order.

    A blob that several images need counts for the first of them; blobs of its artifacts count for the image.
    """
    done = _Done(plan, outcomes)
    return [done.image(image) for image in plan.images]


class _Done:
    """What was done, by the things that it was done to."""

    def __init__(self, plan: Plan, outcomes: Outcomes) -> None:
        self._plan = plan
        self._refused = outcomes.refused
        self._blobs = {(blob.repository, blob.digest): blob.action for blob in outcomes.blobs.done}
        self._pushed = {(one.repository, one.digest): one.has_written for one in outcomes.manifests.done}
        self._moved = {(tag.repository, tag.tag): tag.action for tag in outcomes.moved}
        self._failures: dict[str, list[Failure]] = {}
        for failure in outcomes.failures:
            self._failures.setdefault(failure.repository, []).append(failure)
        self._counted: set[Place] = set()

    def image(self, image: PlannedImage) -> ImageOutcome:
        """What became of one image of the plan."""
        tree = self._plan.tree_of(image, image.copied_artifacts)
        is_promoted = image.action == PROMOTE
        reason = image.reason or (self._why_not_promoted(image, tree) if is_promoted else "")
        action = FAILED if is_promoted and reason else image.action
        sums = self._sums(image.item.destination_repository, tree)
        is_done_before = action == PROMOTE and not self._has_written(image, tree)
        return ImageOutcome(image, action, reason, sums, is_done_before)

    def _has_written(self, image: PlannedImage, tree: t.Sequence[Manifest]) -> bool:
        """Whether anything of an image was written: content of its own or of its artifacts, or a tag."""
        repository = image.item.destination_repository
        tags = [tag.tag for tag in image.moving_tags] + [one.tag for one in image.copied_artifacts if one.tag]
        return (
            any(self._moved.get((repository, tag)) != EXISTS for tag in tags)
            or any(self._pushed.get((repository, manifest.digest)) for manifest in tree)
            or any(self._blobs.get((repository, blob.digest), EXISTS) != EXISTS for blob in blobs_of(tree))
        )

    def _sums(self, repository: str, tree: t.Sequence[Manifest]) -> BlobSums:
        sums = BlobSums()
        for blob in blobs_of(tree):
            place = (repository, blob.digest)
            if place not in self._blobs:
                # It was never dealt with: something failed before.
                continue
            way = "skipped" if place in self._counted else _WAYS.get(self._blobs[place], "skipped")
            self._counted.add(place)
            sums = sums.with_blob(way, blob.size)
        return sums

    def _why_not_promoted(self, image: PlannedImage, tree: t.Sequence[Manifest]) -> str:
        if image.way in self._refused:
            return self._refused[image.way]
        tags = {tag.tag for tag in image.moving_tags}
        artifact_tags = {artifact.tag for artifact in image.copied_artifacts if artifact.tag}
        failed = self._failure_of(image, tree, tags | artifact_tags | names_kept_for(image))
        return failed or self._not_done(image, tree, tags, artifact_tags)

    def _failure_of(self, image: PlannedImage, tree: t.Sequence[Manifest], tags: set[str]) -> str:
        """The first failure of something that belongs to the image."""
        parts = {image.digest, *(part.digest for part in tree), *(blob.digest for blob in blobs_of(tree))}
        for failure in self._failures.get(image.item.destination_repository, ()):
            if failure.tag in tags if failure.tag else failure.digest in parts:
                return str(failure.error)
        return ""

    def _not_done(
        self, image: PlannedImage, tree: t.Sequence[Manifest], tags: set[str], artifact_tags: set[str]
    ) -> str:
        """What of the image wasn't done, since others held it up."""
        destination = self._plan.destination_of(image)
        for names, why in ((artifact_tags - tags, NOT_TAGGED), (tags, NOT_MOVED)):
            for name in sorted(names):
                action = self._moved.get((image.item.destination_repository, name), "")
                if action in ("", REVERTED):
                    return f"{destination}:{name} {MOVED_BACK if action else why}"
        for manifest in tree:
            if (image.item.destination_repository, manifest.digest) not in self._pushed:
                return f"{destination}@{manifest.digest} {NOT_PUSHED}"
        return ""
