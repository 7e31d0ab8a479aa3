# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is made in directories, however soon it is removed again."""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import struct
import threading
from pathlib import Path
from types import TracebackType

_MADE = 0x2 | 0x80 | 0x100
"""IN_MODIFY, IN_MOVED_TO, IN_CREATE."""
_DIRECTORY = 0x40000000
"""IN_ISDIR: what happened concerns a directory."""
_HEAD = struct.Struct("iIII")


class Watched:
    """Directories while it is entered, and those that are made in them meanwhile."""

    def __init__(self, *places: Path) -> None:
        self.made: set[str] = set()
        """The names of what was made or written."""
        self._places = places
        self._watched: dict[int, Path] = {}
        self._descriptor = -1
        self._reader = threading.Thread(target=self._read_all, daemon=True)
        self._ends, self._end = os.pipe()

    def __enter__(self) -> Watched:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._descriptor = self._libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        for place in self._places:
            if not self._watch(place):
                raise OSError(ctypes.get_errno(), f"{place} cannot be watched")
        self._reader.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._end)
        self._reader.join()
        for descriptor in (self._descriptor, self._ends):
            os.close(descriptor)

    def _watch(self, place: Path) -> bool:
        number = self._libc.inotify_add_watch(self._descriptor, os.fsencode(place), _MADE)
        if number >= 0:
            self._watched[number] = place
        return bool(number >= 0)

    def _read_all(self) -> None:
        """Take in what happens at once: what is made in a new directory is only seen once that is watched."""
        ended = False
        while not ended:
            ready, _writable, _exceptional = select.select([self._descriptor, self._ends], [], [])
            ended = self._ends in ready
            with contextlib.suppress(BlockingIOError):
                while True:
                    self._read(os.read(self._descriptor, 1 << 20))

    def _read(self, events: bytes) -> None:
        while events:
            watch, mask, _cookie, length = _HEAD.unpack_from(events)
            name = os.fsdecode(events[_HEAD.size : _HEAD.size + length].rstrip(b"\0"))
            events = events[_HEAD.size + length :]
            if not name:
                continue  # Of the directory itself, such as that it is gone.
            self.made.add(name)
            if mask & _DIRECTORY:
                place = self._watched[watch] / name
                if self._watch(place):
                    # What was made in it before it was watched.
                    with contextlib.suppress(OSError):
                        self.made.update(path.name for path in place.rglob("*"))
