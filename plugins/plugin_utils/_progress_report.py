# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This plugin util is PRIVATE to the collection. It can have breaking changes at any time.

"""How far a module is, shown while it runs: when, and where."""

from __future__ import annotations

import time

from ansible.utils.display import Display

from ._progress_line import ProgressLines

FIRST_LOOK = 2.0
"""Seconds after which it is shown for the first time. A payload that ends sooner costs no round trip."""
PAUSE = 2.5
"""Seconds between two looks."""

display = Display()


def show_line(line: str) -> None:
    """Show a line to the user, unless it is empty."""
    if line:
        # Callbacks for machines write to standard output, and a line in between would break their JSON.
        display.display(line, stderr=True)


class ProgressReport:
    """Shows the states that a child hands over, a line for the latest one every few seconds."""

    def __init__(self, name: str, *, silent: bool) -> None:
        self._lines = ProgressLines(name)
        self._silent = silent
        self._received = b""
        self._latest = b""
        self._next = time.monotonic() + FIRST_LOOK

    def take(self, piece: bytes) -> None:
        """Some bytes of states, each a line."""
        *whole, self._received = (self._received + piece).split(b"\n")
        if whole:
            self._latest = whole[-1]

    def show(self) -> None:
        """Show the latest state, where it is time to."""
        now = time.monotonic()
        if self._silent or now < self._next:
            return
        self._next = now + PAUSE
        show_line(self._lines.line(self._latest.decode("ascii", "replace"), now))
