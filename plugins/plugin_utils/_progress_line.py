# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This plugin util is PRIVATE to the collection. It can have breaking changes at any time.

"""The state that a module writes, in one line for the user."""

from __future__ import annotations

import json
import typing as t

_SHOWN = 3
"""So many of the blobs in flight are named."""
_LONGEST_NAME = 80
_DIGITS_OF_DIGEST = 12
_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")


class ProgressLines:
    """Makes a line of every state that is new. The node isn't trusted: what is no state is passed over."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._last: t.Any = None
        self._last_at = 0.0
        self._last_moved = 0

    def line(self, text: str, now: float) -> str:
        """The line for what is in the state's file, read ``now`` (seconds); empty where it says nothing new."""
        try:
            state = json.loads(text)
            if state == self._last:
                return ""
            shown = self._shown(state, now)
            self._last, self._last_at, self._last_moved = state, now, int(state["bytes_moved"])
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError):
            return ""
        return shown

    def _shown(self, state: dict[str, t.Any], now: float) -> str:
        parts = [
            f"{int(state['blobs_done'])} of {int(state['blobs'])} blobs",
            f"{size(state['bytes_done'])} of {size(state['bytes'])}",
        ]
        if self._last is not None and now > self._last_at:
            parts.append(f"{size((int(state['bytes_moved']) - self._last_moved) / (now - self._last_at))}/s")
        sending = [
            f"{_name(entry['repository'])}@{_short(entry['digest'])} {size(entry['bytes'])} of {size(entry['size'])}"
            for entry in state["in_flight"][:_SHOWN]
        ]
        more = len(state["in_flight"]) - _SHOWN
        if more > 0:
            sending.append(f"{more} more")
        line = f"{self._prefix}: {', '.join(parts)}"
        return f"{line}; sending {', '.join(sending)}" if sending else line


def size(number: float) -> str:
    """So many bytes, in the unit in which they are easy to read."""
    amount = float(max(int(number), 0))
    for unit in _UNITS[:-1]:
        if amount < 999.5:
            return f"{amount:.0f} {unit}" if unit in ("B", "kB") else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} {_UNITS[-1]}"


def _name(text: str) -> str:
    return "".join(letter for letter in text[:_LONGEST_NAME] if letter.isascii() and letter.isprintable())


def _short(digest: str) -> str:
    algorithm, _colon, encoded = digest.partition(":")
    return _name(f"{algorithm}:{encoded[:_DIGITS_OF_DIGEST]}")
