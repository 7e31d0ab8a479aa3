# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The images of a promotion, and under which conditions each may be promoted."""

from __future__ import annotations

import collections
import re
import typing as t

from .._model._actions import (
    COPY,
    CREATE,
    FAILED,
    MISSING,
    PROMOTE,
    REFUSED,
    REPLACE,
    SKIP,
    UNCHANGED,
)
from .._model._errors import InvalidInput
from .._model._shown import no_expression

STOPPING = (MISSING, REFUSED, FAILED)
"""What keeps an image from being promoted."""
ACTIONS = (UNCHANGED, PROMOTE, SKIP, *STOPPING)
COPYING = (COPY, REPLACE)
"""What is done with artifacts that are copied."""
MOVING = (CREATE, REPLACE)
"""What is done with tags that move."""
NOT_TAGGED, NOT_MOVED, NOT_PUSHED = "was not tagged", "was not moved", "was not pushed"
MOVED_BACK = "was moved back"
"""How the reason ends where an image was blocked by others."""

Plain = dict[str, t.Any]


def counts(actions: t.Iterable[str]) -> dict[str, int]:
    """How many images have each action, also where none has."""
    number = collections.Counter(actions)
    return {action: number[action] for action in ACTIONS}


class ImageItem(t.NamedTuple):
    """One image to be promoted, and under which conditions."""

    repository: str
    """The repository at the source."""
    destination_repository: str
    tag: str = ""
    digest: str = ""
    tags: tuple[str, ...] = ()
    mount_from: tuple[str, ...] = ()
    on_conflict: str = "replace"
    immutable_tags: tuple[str, ...] = ()
    platforms: tuple[str, ...] = ()
    """What is to be taken of an index; all of it where this is empty."""
    flatten: bool = False
    """Whether the image for the one platform is promoted itself, in place of an index with it."""
    artifacts: tuple[str, ...] = ()
    """Which artifacts go along: types, or ``all``; none where this is empty."""
    expected_digest: str = ""
    expected_destination_digest: str | None = None
    """The digest that every tag must still point to; empty where there must be no tag, None where any will do."""
    keep_replaced: bool = False
    """Whether a digest that loses a tag gets another one before."""

    @property
    def reference(self) -> str:
        """What is asked for at the source: the digest where there is one."""
        return self.digest or self.tag

    def at_source(self, registry: str) -> str:
        """The reference at the source, a registry of that name, as people write it."""
        return f"{registry}/{self.repository}{'@' if self.digest else ':'}{self.reference}"


_SOURCE = ("repository", "tag", "digest")


def distinct_images(items: t.Sequence[ImageItem], destination: str) -> list[ImageItem]:
    """The items without what occurs in an earlier one: the same image, under the same conditions, for the same tag.

    ``destination`` is the name of the registry there. Raises :class:`InvalidInput` where two items want the same tag
    otherwise, or a pattern is none.
    """
    owners: dict[tuple[str, str], int] = {}
    taken: set[tuple[ImageItem, str]] = set()
    distinct = []
    for position, item in enumerate(items):
        _check_patterns(item)
        untagged = item._replace(tags=())
        fresh = [tag for tag in item.tags or ("",) if (untagged, tag) not in taken]
        for tag in filter(None, fresh):
            first = owners.setdefault((item.destination_repository, tag), position)
            if first != position:
                raise _one_target(items, first, position, f"{destination}/{item.destination_repository}:{tag}")
        taken.update((untagged, tag) for tag in fresh)
        if fresh:
            distinct.append(item._replace(tags=tuple(filter(None, fresh))))
    return distinct


def _one_target(items: t.Sequence[ImageItem], first: int, second: int, target: str) -> InvalidInput:
    """Two items for one tag: of different sources, or of one source under different conditions."""
    names = f"images[{first}] and images[{second}]"
    one, other = items[first]._asdict(), items[second]._asdict()
    different = [name for name in one if name != "tags" and one[name] != other[name]]
    if set(different).isdisjoint(_SOURCE):
        return InvalidInput(
            f"{names} promote the same image to {target}, and differ in {', '.join(different)}", hint="Keep one of them"
        )
    return InvalidInput(
        f"{names} are both to be promoted to {target}",
        hint="Give one of them other tags, or another destination_repository",
    )


def _check_patterns(item: ImageItem) -> None:
    for pattern in item.immutable_tags:
        try:
            re.compile(pattern)
        except (re.error, RecursionError, OverflowError) as error:
            raise InvalidInput(f"immutable_tags: {no_expression(pattern, error)}") from error
