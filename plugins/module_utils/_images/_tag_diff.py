# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What a diff shows of tags that move: what they serve before and after."""

from __future__ import annotations

import typing as t

from .._end._end import End
from .._model._actions import CREATE, DELETE, REPLACE
from .._model._errors import RegistryError
from .._run._parallel import run_all
from ._inspection import describe
from ._tagging import TagOutcome

Plain = dict[str, t.Any]
Place = tuple[str, str]
"""Repository and tag."""


def describe_tags(registry: End, places: t.Iterable[Place]) -> dict[Place, Plain]:
    """What tags serve now. Raises the first error in their order."""
    asked = list(dict.fromkeys(places))
    described = _describe_all(registry, asked)
    for found in described:
        if isinstance(found, RegistryError):
            raise found
    return dict(zip(asked, t.cast("list[Plain]", described)))


def tag_diff(
    registry: End,
    outcomes: t.Iterable[TagOutcome],
    before: t.Mapping[Place, Plain],
    summaries: t.Mapping[Place, Plain | None],
) -> list[Plain]:
    """The rows of a diff, one for each tag that has moved, or would. ``summaries`` say what they serve after it.

    What they have no word for is described by the registry. Tags have moved by then, so nothing is raised: of what
    can't be read, the digest is all that is said.
    """
    moved = [
        outcome for outcome in outcomes if outcome.action in (CREATE, REPLACE, DELETE) and not outcome.deletion_pending
    ]
    served = [(one.repository, one.digest) for one in moved if not summaries.get((one.repository, one.tag))]
    asked = [place for place in dict.fromkeys(served) if place[1]]
    described = dict(zip(asked, _describe_all(registry, asked)))
    rows = []
    for outcome in moved:
        place = (outcome.repository, outcome.tag)
        after: Plain = {}
        if outcome.digest:
            # In check mode the digest may not be there yet.
            found = summaries.get(place) or described[(outcome.repository, outcome.digest)]
            after = {"digest": outcome.digest} if isinstance(found, RegistryError) or not found else found
        name = f"{registry.name}/{outcome.repository}:{outcome.tag}"
        rows.append({"before_header": name, "before": before[place], "after_header": name, "after": after})
    return rows


def _describe_all(registry: End, places: t.Sequence[Place]) -> list[Plain | RegistryError]:
    """What is served under tags or digests in repositories, in their order."""
    return run_all(lambda place: describe(registry, *place), places, registry.jobs)
