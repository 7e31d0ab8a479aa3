# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What a plan that was given claims of both registries, looked up.

A plan is input: it may be old, and it may say anything. So its digests are looked up at the source, and at the
destination what it says is there: tags, and content that it leaves out.
"""

from __future__ import annotations

import typing as t

from .._end._end import End
from .._end._purpose import Purpose
from .._images._artifacts import Artifact, has_all_of
from .._images._platform_choice import PlatformMissing
from .._model._actions import EXISTS, FAILED, PROMOTE, REFUSED, UNCHANGED
from .._model._errors import NotFound, RegistryError
from .._model._manifest import MANIFEST_TYPES, Descriptor, Manifest, blobs_of
from .._run._parallel import run_all
from ._comparison import Comparison, TagComparison, choose, is_guarded
from ._items import STOPPING
from ._plan import Place, Plan, PlannedImage

_ADVICE = "Make a new plan."


def check_claims(plan: Plan, source: End, destination: End) -> Plan:
    """The plan, with those of its images refused that are no longer as it says, each with what has changed.

    Tags that point to the planned digest by now are as they should be. What can't be looked up fails its image.
    For each image, that is one request at the source (none for an equal image that is given by digest), one for each of
    its tags, and one for each thing that the plan leaves out since it is at the destination.
    """
    check = _Check(plan, source, destination)
    outcomes = run_all(check.image, plan.images, max(source.jobs, destination.jobs))
    images = [
        image._replace(action=FAILED, reason=str(outcome)) if isinstance(outcome, RegistryError) else outcome
        for image, outcome in zip(plan.images, outcomes)
    ]
    return plan if images == list(plan.images) else plan.with_images(images)


class _Check:
    """Looks up what a plan says of its images."""

    def __init__(self, plan: Plan, source: End, destination: End) -> None:
        self._plan = plan
        self._source = source
        self._destination = destination
        self._blobs: set[Place] = {(group.repository, blob[0]) for group in plan.blobs for blob in group.blobs}

    def image(self, image: PlannedImage) -> PlannedImage:
        """One image, as it is now. Raises what keeps that from being known."""
        if image.action in STOPPING:
            return image
        now = self._at_tags(image)
        reason = self._changed_at_source(image) or _moved_otherwise(self._plan, image, now)
        reason = reason or self._left_out(image, is_tagged=image.digest in now)
        if reason:
            return image._replace(action=REFUSED, reason=f"{self._plan.reference_of(image)}: {reason}. {_ADVICE}")
        return image

    def _changed_at_source(self, image: PlannedImage) -> str:
        item = image.item
        if item.digest and image.action != PROMOTE:
            return ""
        purpose = Purpose.GUARD if item.expected_digest else Purpose.REPORT
        found = self._source.head_manifest(item.repository, item.reference, purpose)
        if found is None:
            return f"the source does not have it any more, and the plan promotes {image.source_digest}"
        if found.digest != image.source_digest:
            return f"the source serves {found.digest} now, and the plan promotes {image.source_digest}"
        return self._changed_choice(image, found) if item.platforms else ""

    def _changed_choice(self, image: PlannedImage, found: Descriptor) -> str:
        # HEAD may call an index something else, and a layout nothing.
        try:
            read = self._source.get_manifest(image.item.repository, found.digest, found.media_type).descriptor
            chosen = choose(self._source, Comparison(image.item, UNCHANGED, read, read)).chosen
        except NotFound:
            return f"the source does not have all of {found.digest} any more"
        except PlatformMissing as error:
            return error.reason
        digest = "" if chosen is None else chosen.digest
        if digest == image.digest:
            return ""
        given = f"with platforms and flatten of the task, {found.digest} gives {digest}"
        return f"{given}, and the plan promotes {image.digest}"

    def _at_tags(self, image: PlannedImage) -> list[str]:
        """What each of its tags points to now; empty where there is no such tag."""

        def look(tag: TagComparison) -> str:
            # An absence that refuses an image, or lets a tag be made that may not move, is made sure of.
            guarded = is_guarded(image.item, tag.tag) or tag.previous_digest
            purpose = Purpose.GUARD if guarded else Purpose.PUSH
            found = self._destination.head_manifest(image.item.destination_repository, tag.tag, purpose)
            return "" if found is None else found.digest

        return [look(tag) for tag in image.tags]

    def _left_out(self, image: PlannedImage, *, is_tagged: bool) -> str:
        """What isn't in the plan, and not at the destination either; empty where everything is."""
        repository = image.item.destination_repository
        for digest in self._unplanned_manifests(image, is_tagged):
            if self._destination.head_manifest(repository, digest, Purpose.REPORT) is None:
                return self._sentence(f"manifest {digest}", image)
        for digest in self._unplanned_blobs(image):
            if self._destination.head_blob(repository, digest, Purpose.REPORT) is None:
                return self._sentence(f"blob {digest}", image)
        for artifact in image.artifacts:
            if artifact.action == EXISTS and not self._has_artifact(image, artifact):
                return self._sentence(f"artifact {artifact.digest}", image)
        return ""

    def _sentence(self, what: str, image: PlannedImage) -> str:
        return f"the plan counts on {what}, which {self._plan.destination_of(image)} does not have"

    def _unplanned_manifests(self, image: PlannedImage, is_tagged: bool) -> list[str]:
        """The manifests that the image needs, and that aren't to be pushed; its own, unless a tag shows that."""
        repository, tree = image.item.destination_repository, self._tree(image)
        needed = [
            child.digest for manifest in tree for child in manifest.children() if child.media_type in MANIFEST_TYPES
        ]
        if not is_tagged and image.action in (PROMOTE, UNCHANGED):
            needed.append(image.digest)
        known = self._plan.manifests_by_place
        return [digest for digest in dict.fromkeys(needed) if (repository, digest) not in known]

    def _unplanned_blobs(self, image: PlannedImage) -> list[str]:
        repository = image.item.destination_repository
        blobs = (blob.digest for blob in blobs_of(self._tree(image)))
        return [digest for digest in blobs if (repository, digest) not in self._blobs]

    def _tree(self, image: PlannedImage) -> list[Manifest]:
        return self._plan.tree_of(image, image.copied_artifacts) if image.action == PROMOTE else []

    def _has_artifact(self, image: PlannedImage, artifact: Artifact) -> bool:
        repository = image.item.destination_repository
        found = self._destination.head_manifest(repository, artifact.tag or artifact.digest, Purpose.REPORT)
        if found is None or found.digest == artifact.digest or not artifact.tag:
            return found is not None and found.digest == artifact.digest
        # The destination may have further signatures under the tag.
        standing = self._destination.get_manifest(repository, artifact.tag)
        return has_all_of(standing, self._source.get_manifest(image.item.repository, artifact.digest))


def _moved_otherwise(plan: Plan, image: PlannedImage, now: t.Sequence[str]) -> str:
    """Which tag points neither to what the plan has found nor to what it is to be put on; empty where none does."""
    for tag, digest in zip(image.tags, now):
        if digest not in (image.digest, tag.previous_digest):
            name = f"{plan.destination_of(image)}:{tag.tag}"
            return f"{name} points to {digest or 'nothing'}, and {tag.previous_digest or 'no tag'} was expected"
    return ""
