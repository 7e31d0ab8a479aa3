# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""How often threads have waited for a registry: what they looked at before may have changed meanwhile."""

from __future__ import annotations

import threading
import typing as t


class Waits:
    """Waits by ``sleep``, and counts for each thread how many times it did."""

    def __init__(self, sleep: t.Callable[[float], object]) -> None:
        self._sleep = sleep
        self._local = threading.local()

    @property
    def of_this_thread(self) -> int:
        """How many times this thread has waited."""
        number: int = getattr(self._local, "number", 0)
        return number

    def wait(self, seconds: float) -> None:
        """Wait so long."""
        self._local.number = self.of_this_thread + 1
        self._sleep(seconds)
