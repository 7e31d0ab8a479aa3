# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""How far a task has come with its blobs, to be shown while it runs."""

from __future__ import annotations

import threading
import typing as t


class MovingBlob:
    """A blob whose bytes are under way. To be had from :meth:`Progress.begin`, and to be used by one thread."""

    def __init__(self, progress: Progress, repository: str, digest: str, size: int) -> None:
        self.repository = repository
        self.digest = digest
        self.size = size
        self.position = 0
        self._progress = progress

    def go_to(self, offset: int) -> None:
        """The bytes come from ``offset`` on: they go on where they broke off, or begin anew."""
        self.position = offset

    def add(self, number: int) -> None:
        """So many bytes more have gone."""
        self.position += number
        self._progress.count_moved(number)

    def end(self, *, arrived: bool) -> None:
        """It has arrived, or isn't sent any more."""
        self._progress.end(self, arrived)


class Progress:
    """Blobs and bytes of a task: what is expected, what is done, and what is in flight. Used by many threads at once.

    It knows names of repositories, digests and numbers, and nothing that is secret.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._blobs = 0
        self._blobs_done = 0
        self._bytes = 0
        self._bytes_done = 0
        self._bytes_moved = 0
        self._in_flight: list[MovingBlob] = []
        self._begun = False

    @property
    def begun(self) -> bool:
        """Whether any bytes have been sent: before that there is nothing to show."""
        return self._begun

    def expect(self, blobs: int, size: int) -> None:
        """So many blobs, and bytes as far as they are known, have to be there in the end: in addition to others."""
        with self._lock:
            self._blobs += blobs
            self._bytes += size

    def skip(self, size: int) -> None:
        """One of the blobs is there, or was mounted; nothing is in flight for it."""
        with self._lock:
            self._blobs_done += 1
            self._bytes_done += size

    def begin(self, repository: str, digest: str, size: int) -> MovingBlob:
        """One of the blobs is sent now."""
        moving = MovingBlob(self, repository, digest, size)
        with self._lock:
            self._begun = True
            self._in_flight.append(moving)
        return moving

    def count_moved(self, number: int) -> None:
        """So many bytes have gone, whether they have to be sent again or not."""
        with self._lock:
            self._bytes_moved += number

    def end(self, moving: MovingBlob, arrived: bool) -> None:
        """See :meth:`MovingBlob.end`."""
        with self._lock:
            self._in_flight.remove(moving)
            if arrived:
                self._blobs_done += 1
                self._bytes_done += moving.size

    def snapshot(self) -> dict[str, t.Any]:
        """Where things stand. ``bytes_done`` has what is in flight, too; ``bytes_moved`` is what was really sent."""
        with self._lock:
            in_flight: list[dict[str, t.Any]] = [
                {
                    "repository": moving.repository,
                    "digest": moving.digest,
                    "size": moving.size,
                    "bytes": moving.position,
                }
                for moving in self._in_flight
            ]
            return {
                "blobs": self._blobs,
                "blobs_done": self._blobs_done,
                "bytes": self._bytes,
                "bytes_done": self._bytes_done + sum(entry["bytes"] for entry in in_flight),
                "bytes_moved": self._bytes_moved,
                "in_flight": in_flight,
            }
