# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What an upload sends, piece by piece."""

from __future__ import annotations

import typing as t

from .._model._errors import ContentMismatch

PIECE = 1024 * 1024
"""Bytes in which blobs are read and passed on."""
_SENT_AT_ONCE = 256 * 1024
"""Bytes. They must be taken within the time-out of a connection."""


class Body:
    """A request body of a known size, in bytes, that is read once, piece by piece, while it is sent.

    It has a length and no ``read``: so ``requests`` sends a Content-Length and passes the pieces on as they are. Other
    than its size, they end with a :class:`ContentMismatch`: the registry would wait for what never comes.
    """

    def __init__(self, pieces: t.Iterable[bytes], size: int) -> None:
        self._pieces = pieces
        self._size = size

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> t.Iterator[bytes | memoryview]:
        sent = 0
        for piece in self._pieces:
            sent += len(piece)
            if sent > self._size:
                raise ContentMismatch(f"more than the {self._size} bytes that were announced are there to be sent")
            if len(piece) <= _SENT_AT_ONCE:
                yield piece
                continue
            # A time-out of a socket is that of a whole piece where it is sent.
            view = memoryview(piece)
            for begin in range(0, len(piece), _SENT_AT_ONCE):
                yield view[begin : begin + _SENT_AT_ONCE]
        if sent < self._size:
            raise ContentMismatch(f"{self._size} bytes were announced, and {sent} are there to be sent")
