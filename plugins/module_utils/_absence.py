# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""When an answer to HEAD is believed that says that something isn't there."""

from __future__ import annotations

import threading
import typing as t

Found = t.TypeVar("Found")


class Absence:
    """What is known of the answers "it isn't there" that HEAD gets: from one registry, for one kind of object.

    Caches, storages and policies answer a HEAD as well, and know less than the registry. So GET is asked, too:

    - always, where something else than cost depends on it;
    - otherwise for the first such answer. The threads that have got the same answer wait for what GET says. If HEAD was
      right, it is believed from then on; if it was wrong, none is believed any more.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._is_believed: bool | None = None
        """None until GET was asked."""

    def confirm(self, ask: t.Callable[[], Found | None], *, always: bool = False) -> Found | None:
        """What GET finds in place of what HEAD hasn't found; None where it isn't there. Raises what ``ask`` raises."""
        if not always and self._is_believed is None:
            with self._lock:
                if self._is_believed is None:
                    return self._asked(ask)
        if not always and self._is_believed:
            return None
        return self._asked(ask)

    def _asked(self, ask: t.Callable[[], Found | None]) -> Found | None:
        found = ask()
        if found is not None:
            self._is_believed = False
        elif self._is_believed is None:
            self._is_believed = True
        return found
