# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What a diff shows of tags that move: what they serve before and after."""

from __future__ import annotations

import typing as t

from ._end import End
from ._inspection import describe
from ._tagging import CREATE, REPLACE, TagOutcome
from ._transfer import DELETE

Plain = dict[str, t.Any]
Place = tuple[str, str]
"""Repository and tag."""


def describe_tags(registry: End, places: t.Iterable[Place]) -> dict[Place, Plain]:
    """What tags serve now."""
    return {place: describe(registry, *place) for place in places}


def tag_diff(
    registry: End,
    outcomes: t.Iterable[TagOutcome],
    before: t.Mapping[Place, Plain],
    summaries: t.Mapping[Place, Plain | None],
) -> list[Plain]:
    """The rows of a diff, one for each tag that has moved, or would. ``summaries`` say what they serve after it."""
    rows = []
    for outcome in outcomes:
        if outcome.action not in (CREATE, REPLACE, DELETE):
            continue
        place = (outcome.repository, outcome.tag)
        after: Plain = {}
        if outcome.digest:
            # In check mode the digest may not be there yet; then it is all that can be said.
            after = summaries.get(place) or describe(registry, outcome.repository, outcome.digest)
            after = after or {"digest": outcome.digest}
        name = f"{registry.name}/{outcome.repository}:{outcome.tag}"
        rows.append({"before_header": name, "before": before[place], "after_header": name, "after": after})
    return rows
