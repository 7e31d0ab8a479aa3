# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""When an answer to HEAD is believed that says that something isn't there."""

from __future__ import annotations

import threading
import typing as t

from .._end._purpose import Purpose

Found = t.TypeVar("Found")


class Absence:
    """What is known of the answers "it isn't there" that HEAD gets: from one registry, for one kind of object.

    Caches, storages and policies answer a HEAD as well, and know less than the registry. So GET is asked, too:

    - always, where something else than cost depends on it;
    - otherwise for the first such answer. The threads that have got the same answer wait for what GET says. If HEAD was
      wrong, it is never believed any more. If it was right, it is believed by who pushes what isn't there, which does
      no harm. Whoever reports that something isn't there, or leaves it out, believes it only if HEAD has found anything
      here: some proxies answer 404 to every HEAD, and then the first answer was right by chance.

    ``has_found`` looks, once, whether HEAD finds what GET has found; None where GET hasn't found anything yet.
    """

    def __init__(self, has_found: t.Callable[[], bool | None] = lambda: None) -> None:
        self._has_found = has_found
        self._lock = threading.Lock()
        self._is_believed: bool | None = None
        """None until GET was asked."""
        self._finds: bool | None = None
        """Whether HEAD finds what is there; None while nobody knows."""

    def found(self) -> None:
        """Note that HEAD has found something."""
        self._finds = True

    def confirm(self, ask: t.Callable[[], Found | None], purpose: Purpose = Purpose.REPORT) -> Found | None:
        """What GET finds in place of what HEAD hasn't found; None where it isn't there. Raises what ``ask`` raises."""
        if purpose is Purpose.GUARD:
            return self._asked(ask)
        if self._is_believed is None:
            with self._lock:
                if self._is_believed is None:
                    return self._asked(ask)
        if self._is_believed and (purpose is Purpose.PUSH or self._finds_what_is_there()):
            return None
        return self._asked(ask)

    def _finds_what_is_there(self) -> bool:
        with self._lock:
            if self._finds is None:
                self._finds = self._has_found()
                if self._finds is False:
                    self._is_believed = False
        return bool(self._finds)

    def _asked(self, ask: t.Callable[[], Found | None]) -> Found | None:
        found = ask()
        if found is not None:
            self._is_believed = False
        elif self._is_believed is None:
            self._is_believed = True
        return found
