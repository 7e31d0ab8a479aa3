# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""How fast a registry may be asked, whichever end of a task it is."""

from __future__ import annotations

import threading
import time
import typing as t

LONGEST_WAIT = 120.0
"""Seconds. A registry that asks for a longer pause than that (quotas last hours) is an error, not a pause."""


class Limits:
    """Shared by all that asks one registry. ``requests_per_second`` is how many requests may begin; 0: all."""

    def __init__(self, requests_per_second: float) -> None:
        self._requests_per_second = requests_per_second
        self._lock = threading.Lock()
        self._next_at = 0.0
        self._not_before = 0.0

    def pause(self, seconds: float) -> None:
        """The registry asks to be left alone for so long."""
        with self._lock:
            self._not_before = max(self._not_before, time.monotonic() + seconds)

    def wait(self, sleep: t.Callable[[float], object]) -> None:
        """Wait until the next request may begin."""
        if self._requests_per_second:
            with self._lock:
                begin = max(self._next_at, time.monotonic())
                self._next_at = begin + 1 / self._requests_per_second
            sleep(max(0.0, begin - time.monotonic()))
        wait = self._not_before - time.monotonic()
        if wait > 0:
            sleep(min(wait, LONGEST_WAIT))
