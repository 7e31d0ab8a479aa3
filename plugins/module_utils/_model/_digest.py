# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Digests (OCI image spec, "Digests"): grammar, computing, and verification while bytes pass by.

Only ``sha256`` and ``sha512`` are accepted, in lower case and of the exact length: a digest goes into paths and URLs
(CVE-2024-3727).
"""

from __future__ import annotations

import hashlib
import re
import typing as t

from ._errors import ContentMismatch, InvalidInput, RegistryError
from ._shown import quoted

_ENCODED_LENGTH = {"sha256": 64, "sha512": 128}
_DIGEST = re.compile(r"(sha256:[a-f0-9]{64}|sha512:[a-f0-9]{128})", re.ASCII)
_BEGINNING = re.compile(r"(sha256:)?[a-f0-9]{7,63}", re.ASCII)
_WHOLE = "Reports show the beginning of digests; results and records have all of them"


def is_digest(text: object) -> bool:
    """Whether ``text`` is a digest that this collection accepts."""
    return isinstance(text, str) and _DIGEST.fullmatch(text) is not None


def check_digest(text: object, option: str = "") -> str:
    """Return ``text`` if it is a digest, else raise :class:`InvalidInput` saying what is wrong with it.

    ``option`` is named, where it isn't the one that every item has.
    """
    if is_digest(text):
        return t.cast(str, text)
    algorithm, colon, encoded = str(text).partition(":")
    if "@" in algorithm:
        why = "it has more than a digest in it, in front of the '@'"
    elif not colon:
        why = "it has no ':' between algorithm and encoded part"
    elif algorithm not in _ENCODED_LENGTH:
        why = f"the algorithm must be one of {', '.join(_ENCODED_LENGTH)}"
    elif len(encoded) != _ENCODED_LENGTH[algorithm]:
        why = f"{algorithm} takes {_ENCODED_LENGTH[algorithm]} hexadecimal digits, this has {len(encoded)} characters"
    else:
        why = "only the digits 0-9 and a-f in lower case may follow the ':'"
    raise InvalidInput(
        f"{f'{option}: ' if option else ''}malformed digest {quoted(text)}: {why}",
        hint=_WHOLE if _BEGINNING.fullmatch(str(text)) else "",
    )


def algorithm_of(digest: str) -> str:
    """The algorithm of a checked digest."""
    return digest.partition(":")[0]


def compute_digest(data: bytes, algorithm: str = "sha256") -> str:
    """The digest of ``data``."""
    return f"{algorithm}:{hashlib.new(algorithm, data).hexdigest()}"


def has_digest(pieces: t.Iterable[bytes], digest: str) -> bool:
    """Whether these bytes are those of the digest."""
    verifier = DigestVerifier(digest, None)
    for piece in pieces:
        verifier.update(piece)
    try:
        verifier.finish()
    except ContentMismatch:
        return False
    return True


class DigestVerifier:
    """Takes the bytes of one blob or manifest as they pass by, and judges them at the end.

    ``size`` in bytes; None where it isn't known beforehand. ``what`` names the operation that fails where they are
    wrong; empty where that is the caller's to say.
    """

    def __init__(self, digest: str, size: int | None, what: str = "") -> None:
        self._what = what
        self.digest = check_digest(digest)
        self.size = size
        self.received = 0
        self._hash = hashlib.new(algorithm_of(digest))

    def update(self, data: bytes | memoryview) -> None:
        """Take the next bytes. Raises :class:`ContentMismatch` as soon as there are more of them than promised."""
        self.received += len(data)
        if self.size is not None and self.received > self.size:
            raise self._mismatch(f"more than the promised {self.size} bytes of {self.digest} arrived")
        self._hash.update(data)

    def copy(self) -> DigestVerifier:
        """One that goes on from here by itself."""
        other = DigestVerifier(self.digest, self.size, self._what)
        other.received = self.received
        other._hash = self._hash.copy()
        return other

    def finish(self) -> None:
        """Judge: raises :class:`ContentMismatch` where size or digest isn't what was promised."""
        if self.size is not None and self.received != self.size:
            raise self._mismatch(f"{self.received} bytes of {self.digest} arrived, {self.size} were promised")
        computed = f"{algorithm_of(self.digest)}:{self._hash.hexdigest()}"
        if computed != self.digest:
            raise self._mismatch(f"the bytes that arrived have the digest {computed}, not {self.digest}")

    def _mismatch(self, reason: str) -> RegistryError:
        return ContentMismatch(reason).within(self._what)
