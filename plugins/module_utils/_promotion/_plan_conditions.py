# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Whether a plan that was given does nothing that the images of its task don't say.

What a person writes, and reviews, is the list of images. So a plan writes only to repositories that they name, only
manifests and blobs that belong to their digests, and moves only their tags, under the conditions of the task.
"""

from __future__ import annotations

import typing as t

from .._images._artifacts import Artifact
from .._images._referrers import cosign_tags
from .._model._actions import CREATE, EXISTS, PROMOTE, REPLACE
from .._model._errors import InvalidInput
from .._model._manifest import Manifest, blobs_of
from ._comparison import TagComparison, conflict_action
from ._items import STOPPING, ImageItem
from ._make_plan import group_of
from ._plain_shapes import HINT
from ._plan import Place, Plan, PlannedImage


def check_conditions(plan: Plan) -> None:
    """Raise :class:`InvalidInput` where the plan goes beyond what its images allow.

    With ``platforms``, the digest that the plan has chosen is taken as it is: only the source could tell more.
    """
    for number, image in enumerate(plan.images):
        problem = _problem_of_image(image)
        if problem:
            raise InvalidInput(f"plan.images[{number}]: {problem}", hint=HINT)
    for image in plan.promoted:
        _check_artifacts(plan, image)
    reached = _reached(plan)
    _check_manifests(plan, reached)
    _check_blobs(plan, reached)


def _problem_of_image(image: PlannedImage) -> str:
    item = image.item
    if image.action in STOPPING:
        return ""
    if tuple(tag.tag for tag in image.tags) != item.tags:
        return f"it has other tags than {', '.join(item.tags) or 'none'}"
    for option, expected in (("expected_digest", item.expected_digest), ("digest", item.digest)):
        if expected and image.source_digest != expected:
            return f"it promotes {image.source_digest}, and {option} is {expected}"
    if not item.platforms and image.digest != image.source_digest:
        return f"it promotes {image.digest}, a part of {image.source_digest}, and the task has no platforms"
    if image.action != PROMOTE and image.moving_tags:
        return f"it moves tags, and its action is {image.action}"
    return next(filter(None, (_problem_of_tag(tag, image.digest, item) for tag in image.tags)), "")


def _problem_of_tag(tag: TagComparison, digest: str, item: ImageItem) -> str:
    expected = item.expected_destination_digest
    if tag.previous_digest == digest:
        wanted = EXISTS
    elif expected is not None and tag.previous_digest != expected:
        found = f"in it, the tag {tag.tag} points to {tag.previous_digest or 'nothing'}"
        return f"{found}, and {expected or 'no tag'} is expected (expected_destination_digest)"
    else:
        wanted = conflict_action(item, tag.tag) if tag.previous_digest else CREATE
    if tag.action == wanted:
        return ""
    return f"its action for the tag {tag.tag} is {tag.action}; on_conflict and immutable_tags make it {wanted}"


def _check_artifacts(plan: Plan, image: PlannedImage) -> None:
    """Artifacts bring their manifests along.

    Their tags are those that cosign gives them, and move as the conditions of the image let them.
    """
    for artifact in image.copied_artifacts:
        if (image.item.destination_repository, artifact.digest) not in plan.manifests_by_place:
            name = f"{plan.destination_of(image)}@{artifact.digest}"
            raise InvalidInput(f"plan.manifests does not have the artifact {name}", hint=HINT)
        if not artifact.tag:
            continue
        name = f"plan.artifact_tags: {plan.destination_of(image)}:{artifact.tag}"
        if artifact.tag not in cosign_tags(artifact.subject):
            raise InvalidInput(f"{name} is not how cosign names what belongs to {artifact.subject}", hint=HINT)
        moves = artifact.previous_digest not in ("", artifact.digest)
        if moves and conflict_action(image.item, artifact.tag) != REPLACE:
            raise InvalidInput(f"{name} may not move, by on_conflict and immutable_tags", hint=HINT)


def _reached(plan: Plan) -> dict[Place, Manifest]:
    """The manifests that the images and their artifacts lead to."""
    return {
        (image.item.destination_repository, manifest.digest): manifest
        for image in plan.promoted
        for manifest in plan.tree_of(image, _belonging(plan, image))
    }


def _belonging(plan: Plan, image: PlannedImage) -> t.Iterator[Artifact]:
    """The artifacts that are copied, and are about what they say."""
    for artifact in image.copied_artifacts:
        manifest = plan.manifests_by_place.get((image.item.destination_repository, artifact.digest))
        if artifact.tag or _refers_to(manifest, artifact.subject):
            yield artifact


def _refers_to(manifest: Manifest | None, subject: str) -> bool:
    """Whether a referrer is one of the subject: a registry, or we in its place, lists it where it says itself."""
    return manifest is not None and manifest.subject is not None and manifest.subject.digest == subject


def _check_manifests(plan: Plan, reached: t.Container[Place]) -> None:
    """Manifests are those that the images lead to, each once, from the repositories of the images."""
    if len(plan.manifests_by_place) < len(plan.manifests):
        raise InvalidInput("plan.manifests has a manifest twice", hint=HINT)
    ways = {(image.item.destination_repository, image.item.repository) for image in plan.promoted}
    for number, planned in enumerate(plan.manifests):
        way = (planned.repository, planned.source_repository)
        if way not in ways or planned.place not in reached:
            raise InvalidInput(f"plan.manifests[{number}]: no image of the plan has it", hint=HINT)


def _check_blobs(plan: Plan, reached: t.Mapping[Place, Manifest]) -> None:
    """Blobs are those of the manifests, and go the ways of the images."""
    groups = {group_of(image.item, plan.source, plan.destination) for image in plan.promoted}
    needed = {
        (repository, blob.digest, blob.size)
        for (repository, _digest), manifest in reached.items()
        for blob in blobs_of([manifest])
    }
    for number, group in enumerate(plan.blobs):
        if (group.repository, group.source_repository, group.mount_from) not in groups:
            raise InvalidInput(f"plan.blobs[{number}]: no image of the plan is copied from there to there", hint=HINT)
        for digest, size in group.blobs:
            if (group.repository, digest, size) not in needed:
                raise InvalidInput(f"plan.blobs[{number}]: no image of the plan has {digest}", hint=HINT)
