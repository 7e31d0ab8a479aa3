# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Tags that keep what a promotion replaces, so that no garbage collection takes what a rollback needs."""

from __future__ import annotations

import re
import typing as t

from .._end._end import End
from .._end._purpose import Purpose
from .._images._tagging import TagItem
from .._model._errors import InvalidInput
from .._run._parallel import run_all
from ._items import ImageItem
from ._plan import Place, Plan, PlannedImage

_NAME = re.compile(r"replaced-[0-9a-f]{12}")


def replaced_tag(digest: str) -> str:
    """The tag that keeps a digest which is replaced."""
    return f"replaced-{digest.partition(':')[2][:12]}"


def check_not_replaced(item: ImageItem) -> None:
    """Raise :class:`InvalidInput` where an image is to get such a tag: it says what was replaced, and nothing else."""
    for tag in item.tags:
        if _NAME.fullmatch(tag):
            raise InvalidInput(
                f"nothing is promoted to {item.destination_repository}:{tag}: tags of that form keep what a promotion "
                "has replaced",
                hint="Leave the image out, or give it another tag with the key tags",
            )


def tags_to_keep(destination: End, plan: Plan, moving: t.Sequence[TagItem]) -> list[TagItem]:
    """The tags to make before these move: one for each digest that loses a tag, and that no tag of the plan keeps.

    Only a tag that stays keeps a digest, and only where it is seen to serve it now: one that is to point to it may be
    refused, and one that was compared may have moved meanwhile.
    """
    if not any(image.item.keep_replaced for image in plan.images):
        return []
    lost = dict.fromkeys((item.repository, item.previous_digest) for item in moving if item.previous_digest)
    kept = _kept(destination, plan, lost)
    return [
        # What stands under that name is nobody's to move.
        TagItem(repository, replaced_tag(digest), digest, "", is_guarded=True)
        for repository, digest in lost
        if (repository, digest) not in kept
    ]


def names_kept_for(image: PlannedImage) -> set[str]:
    """The tags without which those of an image don't move."""
    if not image.item.keep_replaced:
        return set()
    digests = [tag.previous_digest for tag in image.moving_tags]
    digests += [artifact.previous_digest for artifact in image.copied_artifacts if artifact.tag]
    return {replaced_tag(digest) for digest in digests if digest}


def _kept(destination: End, plan: Plan, lost: t.Container[Place]) -> set[Place]:
    """Those of the lost digests, by repository, that tags serve which the plan names and leaves where they are."""
    moving = {(item.repository, item.tag) for item in (*plan.artifact_tags, *plan.tags)}
    asked = {
        (image.item.destination_repository, tag.tag): tag.previous_digest
        for image in plan.images
        for tag in image.tags
        if (image.item.destination_repository, tag.tag) not in moving
        and (image.item.destination_repository, tag.previous_digest) in lost
    }

    def serves(place: Place) -> bool:
        found = destination.head_manifest(*place, Purpose.GUARD)
        return found is not None and found.digest == asked[place]

    looks = run_all(serves, list(asked), destination.jobs)
    # What can't be looked at keeps nothing.
    return {(repository, digest) for ((repository, _tag), digest), look in zip(asked.items(), looks) if look is True}
