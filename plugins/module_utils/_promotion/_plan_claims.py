# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What a plan that was given claims of both registries, looked up.

A plan is input: it may be old, and it may say anything. So its digests are looked up at the source, and at the
destination what it says is there: tags, and content that it leaves out.
"""

from __future__ import annotations

from .._end._end import End
from .._end._purpose import Purpose
from .._images._artifacts import Artifact, has_all_of
from .._images._platform_choice import PlatformMissing
from .._model._actions import EXISTS, FAILED, PROMOTE, REFUSED, SKIP, UNCHANGED
from .._model._errors import NotFound, RegistryError
from .._model._manifest import MANIFEST_TYPES, Descriptor, Manifest, blobs_of
from .._run._parallel import run_all
from ._comparison import Comparison, TagComparison, choose, is_guarded
from ._items import STOPPING
from ._plan import Place, Plan, PlannedImage

_ADVICE = "Make a new plan."


def check_claims(plan: Plan, source: End, destination: End) -> Plan:
    """The plan, with those of its images refused that are no longer as it says, each with what has changed.

    Tags that point to the planned digest by now have moved already. What can't be looked up is a failure of its image.
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
        planned = image
        if image.action in STOPPING:
            return image
        image, changed = self._at_tags(image)
        reason = self._changed_at_source(image) or changed or self._left_out(image)
        if reason:
            return image._replace(action=REFUSED, reason=f"{self._plan.reference_of(image)}: {reason}. {_ADVICE}")
        return _if_done(planned, image)

    def _changed_at_source(self, image: PlannedImage) -> str:
        item = image.item
        if item.digest and image.action != PROMOTE:
            return ""
        purpose = Purpose.GUARD if item.expected_digest else Purpose.REPORT
        found = self._source.head_manifest(item.repository, item.reference, purpose)
        if found is None:
            return f"the source doesn't have it any more, and the plan promotes {image.source_digest}"
        if found.digest != image.source_digest:
            return f"the source serves {found.digest} now, and the plan promotes {image.source_digest}"
        return self._changed_choice(image, found) if item.platforms else ""

    def _changed_choice(self, image: PlannedImage, found: Descriptor) -> str:
        # HEAD may call an index something else, and a layout nothing.
        try:
            read = self._source.get_manifest(image.item.repository, found.digest, found.media_type).descriptor
            chosen = choose(self._source, Comparison(image.item, UNCHANGED, read, read)).chosen
        except NotFound:
            return f"the source doesn't have all of {found.digest} any more"
        except PlatformMissing as error:
            return error.reason
        digest = "" if chosen is None else chosen.digest
        if digest == image.digest:
            return ""
        return f"of {found.digest}, platforms choose {digest}, and the plan promotes {image.digest}"

    def _at_tags(self, image: PlannedImage) -> tuple[PlannedImage, str]:
        """The image with its tags as they are now, and which of them is another than the plan says."""
        repository = image.item.destination_repository
        tags = []
        for tag in image.tags:
            guarded = is_guarded(image.item, tag.tag) or tag.previous_digest
            found = self._destination.head_manifest(repository, tag.tag, Purpose.GUARD if guarded else Purpose.PUSH)
            now = "" if found is None else found.digest
            if now not in (image.digest, tag.previous_digest):
                name = f"{self._plan.destination_of(image)}:{tag.tag}"
                found_by_plan = tag.previous_digest or "nothing"
                return image, f"{name} points to {now or 'nothing'} now, and to {found_by_plan} in the plan"
            tags.append(TagComparison(tag.tag, now, EXISTS) if now == image.digest else tag)
        return image._replace(tags=tuple(tags)), ""

    def _left_out(self, image: PlannedImage) -> str:
        """What isn't in the plan, and not at the destination either; empty where everything is."""
        repository = image.item.destination_repository
        for digest in self._unplanned_manifests(image):
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
        return f"the plan leaves out {what}, and {self._plan.destination_of(image)} doesn't have it"

    def _unplanned_manifests(self, image: PlannedImage) -> list[str]:
        """The manifests that the image needs, isn't known to have, and that aren't to be pushed."""
        repository, tree = image.item.destination_repository, self._tree(image)
        needed = [
            child.digest for manifest in tree for child in manifest.children() if child.media_type in MANIFEST_TYPES
        ]
        if not any(tag.action == EXISTS for tag in image.tags) and image.action in (PROMOTE, UNCHANGED):
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


def _if_done(planned: PlannedImage, image: PlannedImage) -> PlannedImage:
    """The image; one of which nothing is left to be done where all tags that it moves have moved since."""
    if not planned.moving_tags or image.moving_tags or image.copied_artifacts:
        return image
    return image._replace(action=SKIP if any(tag.action == SKIP for tag in image.tags) else UNCHANGED)
