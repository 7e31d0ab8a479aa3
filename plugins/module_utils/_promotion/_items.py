# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The images of a promotion, and under which conditions each may be promoted."""

from __future__ import annotations

import re
import typing as t

from .._errors import InvalidInput

if t.TYPE_CHECKING:
    # Plugins on the controller need this file, and no client.
    from .._end import End

UNCHANGED = "unchanged"
PROMOTE = "promote"
SKIP = "skip"
MISSING = "missing"
REFUSED = "refused"
FAILED = "failed"
STOPPING = (MISSING, REFUSED, FAILED)
"""What keeps an image from being promoted."""

Plain = dict[str, t.Any]


class ImageItem(t.NamedTuple):
    """One image to be promoted, and under which conditions."""

    repository: str
    tag: str = ""
    digest: str = ""
    destination_repository: str = ""
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
    """The digest on which every tag must still stand; empty where there must be no tag, None where any will do."""

    @property
    def target(self) -> str:
        """The repository at the destination."""
        return self.destination_repository or self.repository

    @property
    def reference(self) -> str:
        """What is asked for at the source: the digest where there is one."""
        return self.digest or self.tag

    def at_source(self, registry: End) -> str:
        """The reference at the source, as people write it."""
        return f"{registry.name}/{self.repository}{'@' if self.digest else ':'}{self.reference}"


def check_images(items: t.Sequence[ImageItem], destination: str) -> None:
    """Raise :class:`InvalidInput` where two items want the same tag at the destination, or a pattern is none.

    ``destination`` is the name of the registry there.
    """
    seen: dict[tuple[str, str], int] = {}
    for position, item in enumerate(items):
        for tag in item.tags:
            first = seen.setdefault((item.target, tag), position)
            if first != position:
                raise InvalidInput(
                    f"images[{first}] and images[{position}] are both to be promoted to "
                    f"{destination}/{item.target}:{tag}",
                    hint="Give one of them other tags, or another destination_repository",
                )
        for pattern in item.immutable_tags:
            try:
                re.compile(pattern)
            except re.error as error:
                raise InvalidInput(f"immutable_tags: {pattern!r} is no regular expression: {error}") from error
