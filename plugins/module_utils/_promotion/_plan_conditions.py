# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Whether a plan that was given is one for the images of a task, and does nothing that these don't say.

What a person writes, and reviews, is the list of images. So a plan writes only to repositories that they name, only
manifests and blobs that belong to their digests, and moves only their tags, under the conditions of the task.
"""

from __future__ import annotations

import typing as t

from .._end._end import End
from .._images._referrers import cosign_tags
from .._model._actions import COPY, CREATE, EXISTS, REPLACE
from .._model._errors import InvalidInput
from .._model._manifest import Manifest, blobs_of
from ._comparison import conflict_action
from ._given_plan import HINT, GivenPlan
from ._items import PROMOTE, STOPPING, ImageItem, Plain
from ._plan import group_of
from ._whole import tree_of

_MOVING = (CREATE, REPLACE)
_COPYING = (COPY, REPLACE)


def check_conditions(plan: GivenPlan, items: t.Sequence[ImageItem], source: End, destination: End) -> None:
    """Raise :class:`InvalidInput` where the plan isn't about ``items`` at these ends, or goes beyond what they say.

    With ``platforms``, the digest that the plan has chosen is taken as it is: only the source could tell more.
    """
    images = plan.planned["images"]
    if len(images) != len(items):
        raise InvalidInput(f"plan is about {len(images)} images, and images has {len(items)}", hint=HINT)
    for number, (image, item) in enumerate(zip(images, items)):
        problem = _problem_of_image(image, item, source, destination)
        if problem:
            raise InvalidInput(f"plan.images[{number}]: {problem}", hint=HINT)
    promoted = [(image, item) for image, item in zip(images, items) if image["action"] == PROMOTE]
    _check_tags(plan.planned, promoted)
    _check_artifact_tags(plan.planned, promoted)
    _check_content(plan, promoted, source, destination)


def _problem_of_image(image: Plain, item: ImageItem, source: End, destination: End) -> str:
    wanted = (item.at_source(source), f"{destination.name}/{item.target}")
    found = (image["reference"], image["destination"])
    if found != wanted or image["destination_repository"] != item.target:
        return f"it is about {' to '.join(found)}, and the task about {' to '.join(wanted)}"
    if image["action"] in STOPPING:
        return ""
    if tuple(tag["tag"] for tag in image["tags"]) != item.tags:
        return f"it has other tags than {', '.join(item.tags) or 'none'}"
    for option, expected in (("expected_digest", item.expected_digest), ("digest", item.digest)):
        if expected and image["source_digest"] != expected:
            return f"it promotes {image['source_digest']}, and {option} is {expected}"
    if not item.platforms and image["digest"] != image["source_digest"]:
        return f"it promotes {image['digest']}, and the source has {image['source_digest']}"
    if image["action"] != PROMOTE and any(tag["action"] in _MOVING for tag in image["tags"]):
        return f"it moves tags, and says {image['action']}"
    return next(filter(None, (_problem_of_tag(tag, image["digest"], item) for tag in image["tags"])), "")


def _problem_of_tag(tag: Plain, digest: str, item: ImageItem) -> str:
    name, previous, action = tag["tag"], tag["previous_digest"], tag["action"]
    expected = item.expected_destination_digest
    if previous == digest:
        wanted = EXISTS
    elif expected is not None and previous != expected:
        return (
            f"it found the tag {name} on {previous or 'nothing'}, and {expected or 'nothing'} is expected "
            "(expected_destination_digest)"
        )
    else:
        wanted = conflict_action(item, name) if previous else CREATE
    if action == wanted:
        return ""
    return f"it says {action} of the tag {name}, and by on_conflict and immutable_tags that is {wanted}"


def _check_tags(planned: Plain, promoted: t.Sequence[tuple[Plain, ImageItem]]) -> None:
    """Exactly those tags move that the images say."""
    wanted = [
        (image["destination_repository"], tag["tag"], image["digest"], tag["previous_digest"])
        for image, _item in promoted
        for tag in image["tags"]
        if tag["action"] in _MOVING
    ]
    found = [(tag["repository"], tag["tag"], tag["digest"], tag["previous_digest"]) for tag in planned["tags"]]
    if sorted(found) != sorted(wanted):
        raise InvalidInput("plan.tags are others than those that plan.images says", hint=HINT)


def _check_artifact_tags(planned: Plain, promoted: t.Sequence[tuple[Plain, ImageItem]]) -> None:
    """Tags of artifacts are those that cosign gives them, and move as the conditions of the image let them."""
    allowed: dict[tuple[str, str, str], list[ImageItem]] = {}
    for image, item in promoted:
        for artifact in image["artifacts"]:
            if artifact["action"] in _COPYING and artifact["tag"] in cosign_tags(artifact["subject"]):
                allowed.setdefault((item.target, artifact["tag"], artifact["digest"]), []).append(item)
    seen: set[tuple[str, str]] = set()
    for number, tag in enumerate(planned["artifact_tags"]):
        items = allowed.get((tag["repository"], tag["tag"], tag["digest"]), [])
        may_move = tag["previous_digest"] in ("", tag["digest"]) or all(
            conflict_action(item, tag["tag"]) == REPLACE for item in items
        )
        if not items or not may_move or (tag["repository"], tag["tag"]) in seen:
            why = "no image lets that tag move, or not twice" if items else "no image of the plan has that artifact"
            raise InvalidInput(f"plan.artifact_tags[{number}]: {why}", hint=HINT)
        seen.add((tag["repository"], tag["tag"]))


def _check_content(
    plan: GivenPlan, promoted: t.Sequence[tuple[Plain, ImageItem]], source: End, destination: End
) -> None:
    """Manifests are those that the images and their artifacts lead to, and blobs those of these manifests."""
    manifests = {
        (entry["repository"], entry["digest"]): plan.manifests[entry["digest"]] for entry in plan.planned["manifests"]
    }
    if len(manifests) < len(plan.planned["manifests"]):
        raise InvalidInput("plan.manifests has a manifest twice", hint=HINT)
    reached: dict[tuple[str, str], Manifest] = {}
    for image, item in promoted:
        artifacts = [
            artifact["digest"]
            for artifact in image["artifacts"]
            if artifact["action"] in _COPYING
            and (artifact["tag"] or _refers_to(manifests.get((item.target, artifact["digest"])), artifact["subject"]))
        ]
        for manifest in tree_of([image["digest"], *artifacts], item.target, manifests):
            reached[item.target, manifest.digest] = manifest
    ways = {(item.target, item.repository) for _image, item in promoted}
    for number, entry in enumerate(plan.planned["manifests"]):
        way = (entry["repository"], entry["source_repository"])
        if way not in ways or (entry["repository"], entry["digest"]) not in reached:
            raise InvalidInput(f"plan.manifests[{number}]: no image of the plan has it", hint=HINT)
    groups = {group_of(item, source, destination) for _image, item in promoted}
    needed = {
        (repository, blob.digest, blob.size)
        for (repository, _digest), manifest in reached.items()
        for blob in blobs_of([manifest])
    }
    for number, group in enumerate(plan.planned["blobs"]):
        key = (group["repository"], group["source_repository"], tuple(group["mount_from"]))
        if key not in groups:
            raise InvalidInput(f"plan.blobs[{number}]: no image of the plan goes that way", hint=HINT)
        for blob in group["blobs"]:
            if (group["repository"], blob["digest"], blob["size"]) not in needed:
                raise InvalidInput(f"plan.blobs[{number}]: no image of the plan has {blob['digest']}", hint=HINT)


def _refers_to(manifest: Manifest | None, subject: str) -> bool:
    """Whether a referrer is one of the subject: a registry, or we in its place, lists it where it says itself."""
    return manifest is not None and manifest.subject is not None and manifest.subject.digest == subject
