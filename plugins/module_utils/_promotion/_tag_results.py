# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What became of each tag of an image."""

from __future__ import annotations

from .._images._tagging import TagOutcome
from .._model._actions import FAILED, PROMOTE, REFUSED, REVERTED
from ._comparison import TagComparison
from ._items import MOVING
from ._outcomes import Outcomes
from ._plan import Place, PlannedImage


class TagResults:
    """What became of the tags of a plan that was carried out."""

    def __init__(self, outcomes: Outcomes) -> None:
        failed = {(failure.repository, failure.tag) for failure in outcomes.failures if failure.tag}
        self._done: dict[Place, TagOutcome] = {
            (one.repository, one.tag): one
            for one in outcomes.moved
            if one.action == REVERTED or (one.repository, one.tag) not in failed
        }

    def of(self, image: PlannedImage) -> list[TagComparison]:
        """Its tags in their order, each with what it served before and what was done.

        One that couldn't be moved, or wasn't since others couldn't, is ``failed``; ``refused`` where its image is. One
        that is ``reverted`` serves again what it served before.
        """
        return [self._result(image, tag) for tag in image.tags]

    def _result(self, image: PlannedImage, tag: TagComparison) -> TagComparison:
        if tag.action not in MOVING:
            return tag
        if image.action != PROMOTE:
            return tag._replace(action=REFUSED if image.action == REFUSED else FAILED)
        outcome = self._done.get((image.item.destination_repository, tag.tag))
        if outcome is None:
            return tag._replace(action=FAILED)
        return TagComparison(tag.tag, outcome.previous_digest, outcome.action)
