# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""An image layout in a directory (OCI image spec, "Image Layout")."""

from __future__ import annotations

import os
import threading
import typing as t

from .._model._errors import Conflict, LocalFileError, RegistryError
from .._run._folder import Folder, named_errors
from ._file_pieces import file_pieces
from ._store import BLOBS, INDEX_FILE, LAYOUT_FILE, Workplace, blob_names

_WORKPLACE = ".partial"


class DirectoryStore:
    """A store whose files are put in place one by one, the index last. ``path`` need not be there yet."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._root = Folder.open(path)
        self._folders: dict[str, Folder] = {}
        self._workplace: Workplace | None = None
        self._seen: dict[str, tuple[int, bytes | None]] = {}
        self._lock = threading.RLock()

    def read(self, name: str, limit: int) -> bytes | None:
        """One of the two files beside the blobs."""
        content = None if self._root is None else self._root.read(name, limit)
        self._seen[name] = limit, content
        return content

    def others(self) -> list[str]:
        """What is there and isn't part of a layout, nor left from one that was being written."""
        own = (LAYOUT_FILE, INDEX_FILE, BLOBS, _WORKPLACE)
        return [] if self._root is None else [name for name in self._root.names() if name not in own]

    def size(self, digest: str) -> int | None:
        """The size of a blob in bytes."""
        algorithm, encoded = blob_names(digest)
        folder = self._blobs(algorithm)
        return None if folder is None else folder.size(encoded)

    def open(self, digest: str, offset: int) -> t.Iterator[bytes] | None:
        """The bytes of a blob from ``offset`` on."""
        algorithm, encoded = blob_names(digest)
        folder = self._blobs(algorithm)
        return None if folder is None or folder.size(encoded) is None else file_pieces(folder, encoded, offset)

    def add(self, digest: str, size: int, pieces: t.Iterable[bytes | memoryview]) -> None:
        """Take a blob: written beside, verified, and moved into place."""
        workplace = self._begun()
        algorithm, encoded = blob_names(digest)
        name = workplace.receive(digest, size, pieces)
        folder = t.cast(Folder, self._blobs(algorithm, make=True))
        workplace.folder.move(name, folder, encoded)

    def commit(self, files: t.Mapping[str, bytes]) -> None:
        """Put the two files in place, each in one step, when the blobs are on disk."""
        workplace = self._begun()
        root = t.cast(Folder, self._root)
        for folder in self._folders.values():
            folder.sync()
        for name, content in files.items():
            root.put(name, [content], by=workplace.folder, under=name)

    def close(self) -> None:
        """Let go of all files."""
        with self._lock:
            if self._workplace is not None:
                self._workplace.close()
            for folder in self._folders.values():
                folder.close()
            if self._root is not None:
                self._root.close()

    def _begun(self) -> Workplace:
        """The place to write in. What it had is gone: blobs that were whole are in their place already."""
        with self._lock:
            if self._workplace is None:
                if self._root is None:
                    self._root = self._made()
                workplace = Workplace(self._root, _WORKPLACE)
                try:
                    for name in workplace.leftovers():
                        workplace.folder.remove(name)
                    self._check_unchanged(self._root)
                except RegistryError:
                    workplace.close()
                    raise
                self._workplace = workplace
            return self._workplace

    def _check_unchanged(self, root: Folder) -> None:
        """Raise :class:`Conflict` where another writer has been at work since the index was read."""
        for name, (limit, content) in self._seen.items():
            if root.read(name, limit) != content:
                raise Conflict(f"another task has changed {root.below(name)} meanwhile", hint="Run this one again")

    def _made(self) -> Folder:
        with named_errors(self.path, "made"):
            os.makedirs(self.path, exist_ok=True)
        root = Folder.open(self.path)
        if root is None:
            raise LocalFileError(f"{self.path} was removed by another task")
        return root

    def _blobs(self, algorithm: str, *, make: bool = False) -> Folder | None:
        with self._lock:
            if algorithm not in self._folders:
                above = None if self._root is None else self._root.folder(BLOBS, make=make)
                if above is None:
                    return None
                try:
                    found = above.folder(algorithm, make=make)
                finally:
                    above.close()
                if found is None:
                    return None
                self._folders[algorithm] = found
            return self._folders[algorithm]
