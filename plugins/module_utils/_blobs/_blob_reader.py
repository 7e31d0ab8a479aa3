# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""A blob read once and hashed on its way, of which a part can be read again without hashing all that is before it."""

from __future__ import annotations

import collections.abc
import typing as t

from .._model._digest import DigestVerifier

OpenAt = t.Callable[[int], t.Iterator[bytes]]
"""Gives the bytes of a blob from an offset on."""
_STATES = 64
"""How often the state of the hash is kept, to go back there."""
_SMALLEST_STEP = 1024 * 1024
"""Bytes that are between two of them."""


class BlobReader:
    """Reads a blob in one go or part by part, and goes back where a part has to be sent again.

    ``size`` in bytes. No more of the blob is in memory than one piece. ``what`` is how reading it is called where its
    bytes are wrong; empty where that is the caller's to say.
    """

    def __init__(self, open_at: OpenAt, digest: str, size: int, what: str = "") -> None:
        self.what = what
        self._open_at = open_at
        self._size = size
        self._step = max(_SMALLEST_STEP, size // _STATES)
        self._stream: t.Iterator[bytes] = iter(())
        self._rest = b""
        self._verifier = DigestVerifier(digest, size, what)
        self._saved = [self._verifier.copy()]
        self._begun = self._saved[0]
        """At the beginning of the last part."""
        self._broken = False

    def whole(self) -> t.Iterator[bytes]:
        """All of it. The last piece is held back until digest and size are right. Raises :class:`ContentMismatch`."""
        held = b""
        for piece in self.pieces(0, self._size):
            if held:
                yield held
            held = piece
        # There may be more than was promised.
        self._verifier.update(self._rest or next(self._stream, b""))
        self.finish()
        if held:
            yield held

    def pieces(self, begin: int, length: int) -> t.Iterator[bytes]:
        """The bytes of one part: that after the one before, or any that has been read before."""
        if begin != self._verifier.received or not begin or self._broken:
            self._go_back(begin)
        self._begun = self._verifier.copy()
        yield from self._read(length)

    def close(self) -> None:
        """Give its source up, where that wasn't read to its end."""
        if isinstance(self._stream, collections.abc.Generator):
            self._stream.close()

    def finish(self) -> None:
        """Judge what was read. Raises :class:`ContentMismatch`."""
        self._verifier.finish()

    def _go_back(self, begin: int) -> None:
        while self._saved[-1].received > begin:
            self._saved.pop()
        kept = self._saved[-1]
        if kept.received < self._begun.received <= begin:
            kept = self._begun
        self._verifier = kept.copy()
        self._broken = False
        self._rest = b""
        self._stream = self._open_at(self._verifier.received)
        for _piece in self._read(begin - self._verifier.received):
            # Only to be hashed: the registry has it.
            pass

    def _read(self, length: int) -> t.Iterator[bytes]:
        while length:
            piece = self._rest or self._next()
            if not piece:
                return
            now, self._rest = piece[:length], piece[length:]
            self._verifier.update(now)
            if self._verifier.received >= self._saved[-1].received + self._step:
                self._saved.append(self._verifier.copy())
            length -= len(now)
            yield now

    def _next(self) -> bytes:
        try:
            return next(self._stream, b"")
        except BaseException:
            # It gives nothing more: what is read next is opened anew.
            self._broken = True
            raise
