# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What a task cost, counted by all threads of it."""

from __future__ import annotations

import threading

_NAMES = (
    "requests",
    "retries",
    "bytes_uploaded",
    "bytes_downloaded",
    "bytes_mounted",
    "bytes_skipped",
    "sessions_left_open",
)


class Counters:
    """Counts requests (every HTTP exchange, those for tokens included), retries, and the bytes of blobs."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts = dict.fromkeys(_NAMES, 0)

    def add(self, **amounts: int) -> None:
        """Add to the counts named."""
        with self._lock:
            for name, amount in amounts.items():
                self._counts[name] += amount

    def as_dict(self) -> dict[str, int]:
        """The counts, as the ``transfer`` of a module's result."""
        with self._lock:
            return dict(self._counts)
