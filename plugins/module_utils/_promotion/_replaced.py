# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Tags that keep what a promotion replaces, so that no garbage collection takes what a rollback needs."""

from __future__ import annotations

import re
import typing as t

from .._images._tagging import TagItem
from .._model._errors import InvalidInput
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


def tags_to_keep(plan: Plan, moving: t.Sequence[TagItem]) -> list[TagItem]:
    """The tags to make before these move: one for each digest that loses a tag, and that no tag of the plan keeps."""
    if not any(image.item.keep_replaced for image in plan.images):
        return []
    kept = _kept(plan, {(item.repository, item.tag): item.digest for item in moving})
    lost = dict.fromkeys((item.repository, item.previous_digest or "") for item in moving)
    return [
        # What stands under that name is nobody's to move.
        TagItem(repository, replaced_tag(digest), digest, "", is_guarded=True)
        for repository, digest in lost
        if digest and (repository, digest) not in kept
    ]


def names_kept_for(image: PlannedImage) -> set[str]:
    """The tags without which those of an image don't move."""
    if not image.item.keep_replaced:
        return set()
    digests = [tag.previous_digest for tag in image.moving_tags]
    digests += [artifact.previous_digest for artifact in image.copied_artifacts if artifact.tag]
    return {replaced_tag(digest) for digest in digests if digest}


def _kept(plan: Plan, moving: t.Mapping[Place, str]) -> set[Place]:
    """The digests, by repository, that tags of the plan point to when these have moved."""
    standing = {
        (image.item.destination_repository, tag.tag): tag.previous_digest for image in plan.images for tag in image.tags
    }
    return {(repository, digest) for (repository, _tag), digest in {**standing, **moving}.items()}
