# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Repositories that a set of images is to be pushed to and that aren't there: asked about once, not for each image."""

from __future__ import annotations

import threading
import typing as t

from .._end._end import End

Found = t.TypeVar("Found")


class MissingRepositories:
    """Which repositories of a destination are presumed to be missing, so that their content isn't looked for.

    A set that comes to a new place, such as an empty registry, finds none of its repositories there. So the first of
    those without any of their tags is looked into. If it has nothing, and the registry says that there is no such
    repository, all others are presumed to be missing as well, until something is found in one of them.

    That is a presumption. It decides how content is sent, never whether a tag may move: tags are looked for one by one.
    Content that is there after all is found when it is mounted, or sent once more, which changes nothing.
    """

    def __init__(self, destination: End) -> None:
        self._destination = destination
        self._candidates: frozenset[str] = frozenset()
        self._first = threading.Lock()
        self._are_alike: bool | None = None
        """Whether the others are as the first one, which isn't there; None until that was looked into."""

    def consider(self, repositories: t.Iterable[str]) -> None:
        """Name the repositories in which none of the tags of a set was found. For a single one, nothing is saved."""
        candidates = frozenset(repositories)
        self._candidates = candidates if len(candidates) > 1 else frozenset()

    def presumes(self, repository: str) -> bool:
        """Whether that repository is presumed to be missing."""
        return bool(self._are_alike) and repository in self._candidates

    def look(self, repository: str, look: t.Callable[[], Found | None]) -> Found | None:
        """What ``look`` finds in a repository; None where it isn't there, or is presumed not to be.

        The threads that want the same of others wait for the first. Raises what ``look`` raises.
        """
        if repository not in self._candidates:
            return look()
        if self._are_alike is None:
            with self._first:
                if self._are_alike is None:
                    found = look()
                    self._are_alike = found is None and self._destination.lacks_repository(repository)
                    return found
        if self._are_alike:
            return None
        return look()

    def found(self, repository: str) -> None:
        """Note that something is in a repository: if it was presumed to be missing, others may be there as well."""
        if repository in self._candidates:
            self._are_alike = False
