# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""In which form a registry takes blobs, whole or in chunks: what was asked for, and what it has shown in this task."""

from __future__ import annotations

import threading

from .._model._errors import BodyTooLarge, ChunksRefused, RegistryError

SMALLEST_CHUNK = 64 * 1024
_FIRST_CHUNK = 8 * 1024 * 1024
_LARGEST_MINIMUM = 1024 * 1024 * 1024
"""Bytes. A registry that asks for larger chunks than that gets what it may refuse: one may have to be sent again."""


class UploadForm:
    """Shared by all threads of a task, so that one of them finds out for all. Sizes are in bytes.

    ``chunk_size`` is that of the first chunks; 0: blobs are sent whole, as long as the registry takes them so.
    """

    def __init__(self, chunk_size: int = 0) -> None:
        self.trusts_range = True
        """Whether the ``Range`` of an answer says how far an upload is."""
        self._chunk_size = chunk_size
        self._takes_chunks = True
        self._too_large: int | None = None
        self._lock = threading.Lock()

    def chunk_for(self, size: int, minimum: int) -> int:
        """The size of the chunks of a blob; 0: it is sent whole. ``minimum`` is what the registry asks for."""
        if not self._chunk_size or not self._takes_chunks:
            return 0
        chunk = max(self._chunk_size, min(minimum, _LARGEST_MINIMUM))
        return chunk if chunk < size else 0

    def adapt(self, error: RegistryError, size: int, chunk: int, minimum: int) -> bool:
        """Take in that a blob was refused in that form. Returns whether another one is left to be tried.

        That ends: every refusal either halves the chunks, or rules one form out.
        """
        with self._lock:
            if isinstance(error, BodyTooLarge):
                return self._adapt_size(size, chunk, minimum)
            if not isinstance(error, ChunksRefused):
                return False
            if self._too_large is None or size < self._too_large:
                self._takes_chunks = False
                return True
            # Nothing but chunks is left: then the digest alone tells whether all of them have arrived.
            trusted, self.trusts_range = self.trusts_range, False
            return trusted and error.by_range

    def _adapt_size(self, size: int, chunk: int, minimum: int) -> bool:
        if not chunk:
            self._too_large = size if self._too_large is None else min(size, self._too_large)
        if not self._takes_chunks:
            return False
        smaller = chunk // 2 if chunk else min(_FIRST_CHUNK, (size + 1) // 2)
        if smaller < max(SMALLEST_CHUNK, minimum if chunk else 0):
            return False
        if not self._chunk_size or smaller < self._chunk_size:
            # Else another thread has found out meanwhile.
            self._chunk_size = smaller
        # A registry may ask for chunks as large as the blob, and refuse it whole.
        return self.chunk_for(size, minimum) > 0
