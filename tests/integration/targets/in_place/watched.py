# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is made in directories, however soon it is removed again."""

from __future__ import annotations

import ctypes
import os
import struct
from pathlib import Path
from types import TracebackType

_MADE = 0x2 | 0x80 | 0x100
"""IN_MODIFY, IN_MOVED_TO, IN_CREATE."""
_HEAD = struct.Struct("iIII")


class Watched:
    """The directories while it is entered. The kernel keeps what happens until the end."""

    def __init__(self, *places: Path) -> None:
        self.made: set[str] = set()
        self._places = places
        self._descriptor = -1

    def __enter__(self) -> Watched:
        libc = ctypes.CDLL(None, use_errno=True)
        self._descriptor = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        for place in self._places:
            if libc.inotify_add_watch(self._descriptor, os.fsencode(place), _MADE) < 0:
                raise OSError(ctypes.get_errno(), f"{place} can't be watched")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            while True:
                self._read(os.read(self._descriptor, 1 << 20))
        except BlockingIOError:
            os.close(self._descriptor)

    def _read(self, events: bytes) -> None:
        while events:
            _watch, _mask, _cookie, length = _HEAD.unpack_from(events)
            name = events[_HEAD.size : _HEAD.size + length].rstrip(b"\0")
            self.made.add(os.fsdecode(name))
            events = events[_HEAD.size + length :]
