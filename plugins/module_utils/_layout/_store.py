# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What a layout keeps its blobs and its index in: a directory or an archive, and where both are written first."""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import os
import typing as t

from .._model._digest import DigestVerifier
from .._model._errors import Conflict, LocalFileError, RegistryError
from .._run._folder import Folder, named_errors

LAYOUT_FILE = "oci-layout"
INDEX_FILE = "index.json"
BLOBS = "blobs"
_LOCK = "lock"


class Store(t.Protocol):
    """The bytes of a layout. What isn't there is None; all else that goes wrong is a :class:`LocalFileError`.

    Nothing is written, not even a lock, before the first :meth:`add` or :meth:`commit`.
    """

    path: str

    def read(self, name: str, limit: int) -> bytes | None:
        """One of the two files beside the blobs. Raises :class:`LocalFileError` for more than ``limit`` bytes."""

    def others(self) -> list[str]:
        """What is there and isn't part of a layout."""

    def size(self, digest: str) -> int | None:
        """The size of a blob in bytes."""

    def open(self, digest: str, offset: int) -> t.Iterator[bytes] | None:
        """The bytes of a blob from ``offset`` on, as they are, in pieces."""

    def add(self, digest: str, size: int, pieces: t.Iterable[bytes | memoryview]) -> None:
        """Take a blob of ``size`` bytes, verified. Raises :class:`ContentMismatch`, and :class:`Conflict` for another
        writer."""

    def commit(self, files: t.Mapping[str, bytes]) -> None:
        """Put the two files in place, the last one named last: from then on a reader sees what was added."""

    def close(self) -> None:
        """Let go of all files. What was added and not committed is left for another run."""


def blob_names(digest: str) -> tuple[str, str]:
    """The directory and the file of a blob below ``blobs``. The digest must have been checked."""
    algorithm, _colon, encoded = digest.partition(":")
    return algorithm, encoded


class Workplace:
    """A directory for what is being written, which only one writer has at a time.

    It is beside an archive and in a layout's own directory: files are moved from it into place, in one step each.
    """

    def __init__(self, parent: Folder, name: str) -> None:
        """Make it, or take over what a writer left who was killed. Raises :class:`Conflict` for one who is at work, and
        :class:`LocalFileError` for what others could have put there.
        """
        self._parent = parent
        self._name = name
        self._numbers = itertools.count(1)
        while not self._taken():
            # Its last owner has just removed it.
            continue

    def _taken(self) -> bool:
        # File systems without owners and modes show those of their mount, also for what we have just made.
        is_new = self._parent.make_folder(self._name, 0o700)
        folder = self._parent.folder(self._name)
        if folder is None:
            return False
        lock = None
        try:
            if not is_new and not folder.is_private:
                raise LocalFileError(
                    f"{folder.path} belongs to another user, or others can write to it",
                    hint="It is left from a run that was cut off: remove it, or run this one as the same user",
                )
            lock = _locked(folder)
            if lock is not None and self._is_in_place(lock):
                self.folder, self._lock = folder, lock
                return True
        except RegistryError:
            folder.close()
            raise
        if lock is not None:
            lock.close()
        folder.close()
        return False

    def _is_in_place(self, lock: t.IO[bytes]) -> bool:
        with named_errors(self._parent.below(self._name), "read"):
            try:
                there = os.stat(os.path.join(self._name, _LOCK), dir_fd=self._parent.descriptor)
            except FileNotFoundError:
                return False
        return os.path.samestat(there, os.fstat(lock.fileno()))

    def leftovers(self) -> list[str]:
        """The files in it, except for its lock."""
        return [name for name in self.folder.names() if name != _LOCK]

    def receive(self, digest: str, size: int, pieces: t.Iterable[bytes | memoryview]) -> str:
        """Write a blob, verified, and return the name of its file. Raises :class:`ContentMismatch`."""
        # Two threads may bring the same blob.
        name = f"{'-'.join(blob_names(digest))}.{next(self._numbers)}"
        self.folder.write(name, pieces, DigestVerifier(digest, size))
        return name

    def close(self) -> None:
        """Give it up; where nothing is in it, it is gone."""
        if not self.leftovers():
            self.folder.remove(_LOCK)
            with contextlib.suppress(OSError):
                os.rmdir(self._name, dir_fd=self._parent.descriptor)
        self._lock.close()
        self.folder.close()


def _locked(folder: Folder) -> t.IO[bytes] | None:
    """The file in the folder that only one writer has at a time; None where the folder has been removed."""
    path = folder.below(_LOCK)
    with named_errors(path, "opened"):
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            file = os.fdopen(os.open(_LOCK, flags, 0o600, dir_fd=folder.descriptor), "r+b")
        except FileNotFoundError:
            return None
    try:
        with named_errors(path, "locked"):
            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except LocalFileError as error:
        file.close()
        if isinstance(error.__cause__, BlockingIOError):
            raise Conflict(
                f"another task is writing there and has {path} locked", hint="Run this one when that has ended"
            ) from error
        raise
    return file
