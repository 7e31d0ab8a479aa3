# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""An image layout in a tar archive, as ``skopeo`` names it ``oci-archive``."""

from __future__ import annotations

import os
import re
import stat
import threading
import typing as t

from .._model._digest import has_digest, is_digest
from .._model._errors import Conflict, LocalFileError, RegistryError
from .._run._folder import Folder, named_errors
from ._file_pieces import file_pieces
from ._store import BLOBS, INDEX_FILE, LAYOUT_FILE, Workplace, blob_names
from ._tar import Member, archive_pieces, member_pieces, read_members

_ARCHIVE = "archive"
_STAGED = re.compile(r"(?:sha256|sha512)-[a-f0-9]+", re.ASCII)


class ArchiveStore:
    """A store that is read where the archive has its bytes. ``path`` need not be there yet.

    What is added waits beside the archive, verified, also for another run if this one is cut off. At the end all of it
    is put together in a new archive, which takes the place of the old one in one step.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        directory, self._name = os.path.split(os.path.realpath(path))
        parent = Folder.open(directory)
        if parent is None:
            raise LocalFileError(f"the directory {directory} is not there")
        self._parent = parent
        self._workplace: Workplace | None = None
        self._staged: Folder | None = None
        self._left_by_another: Folder | None = None
        self._judged: dict[str, bool] = {}
        """Whether what waits under a name is the blob of that name."""
        self._used: set[str] = set()
        self._file: t.BinaryIO | None = None
        self._members: dict[str, Member] = {}
        self._lock = threading.RLock()
        try:
            self._file = parent.open_file(self._name)
            self._members = {} if self._file is None else read_members(self._file, path)
            self._left_by_another = parent.folder(self._workplace_name)
            if self._left_by_another is not None and self._left_by_another.is_private:
                self._staged = self._left_by_another
        except RegistryError:
            self.close()
            raise

    @property
    def _workplace_name(self) -> str:
        return f".{self._name}.partial"

    def read(self, name: str, limit: int) -> bytes | None:
        """One of the two files beside the blobs."""
        member = self._member(name)
        if member is None or self._file is None:
            return None
        if member.size > limit:
            raise LocalFileError(f"{name} in {self.path} is larger than {limit} bytes")
        return b"".join(member_pieces(self._file, self.path, member))

    def others(self) -> list[str]:
        """What is there and isn't part of a layout."""
        return sorted(name for name in self._members if name not in (LAYOUT_FILE, INDEX_FILE) and not _is_blob(name))

    def size(self, digest: str) -> int | None:
        """The size of a blob in bytes."""
        staged = self._waiting(digest)
        if staged is not None:
            self._used.add(_staged_name(digest))
            return staged.size(_staged_name(digest))
        member = self._member(_member_name(digest))
        return None if member is None else member.size

    def open(self, digest: str, offset: int) -> t.Iterator[bytes] | None:
        """The bytes of a blob from ``offset`` on."""
        staged = self._waiting(digest)
        if staged is not None:
            return file_pieces(staged, _staged_name(digest), offset)
        member = self._member(_member_name(digest))
        if member is None or self._file is None:
            return None
        return member_pieces(self._file, self.path, member, offset)

    def add(self, digest: str, size: int, pieces: t.Iterable[bytes | memoryview]) -> None:
        """Take a blob: written beside the archive, and verified."""
        workplace = self._begun()
        name = workplace.receive(digest, size, pieces)
        workplace.folder.move(name, workplace.folder, _staged_name(digest))
        self._judged[_staged_name(digest)] = True
        self._used.add(_staged_name(digest))

    def commit(self, files: t.Mapping[str, bytes]) -> None:
        """Put the new archive together, and in the place of the old one."""
        workplace = self._begun()
        mode = 0o666 if self._file is None else stat.S_IMODE(os.fstat(self._file.fileno()).st_mode)
        pieces = archive_pieces(self._contents(files, workplace.folder), self.path)
        self._parent.put(self._name, pieces, by=workplace.folder, under=_ARCHIVE, mode=mode)
        for name in workplace.leftovers():
            workplace.folder.remove(name)

    def close(self) -> None:
        """Let go of all files."""
        with self._lock:
            if self._workplace is not None:
                self._workplace.close()
            if self._left_by_another is not None:
                self._left_by_another.close()
            if self._file is not None:
                self._file.close()
            self._parent.close()

    def _contents(self, files: t.Mapping[str, bytes], staged: Folder) -> t.Iterator[tuple[str, int, t.Iterable[bytes]]]:
        """All files of the new archive: the two first, so that who reads from the front knows what is to come."""
        for name, content in files.items():
            yield name, len(content), [content]
        # What another run has left and this one didn't want isn't taken along.
        waiting = {_unstaged_name(name): name for name in self._used}
        kept = [name for name in self._members if _is_blob(name)]
        for name in sorted({*waiting, *kept}):
            if name in waiting:
                yield name, staged.size(waiting[name]) or 0, file_pieces(staged, waiting[name], 0)
            else:
                member = t.cast(Member, self._member(name))
                yield name, member.size, member_pieces(t.cast(t.BinaryIO, self._file), self.path, member)

    def _waiting(self, digest: str) -> Folder | None:
        """Where a blob waits; None where it doesn't. What another run has left is read once, to see that it is it."""
        name, staged = _staged_name(digest), self._staged
        if staged is None or staged.size(name) is None:
            return None
        with self._lock:
            if name not in self._judged:
                # Another thread may have added it meanwhile, and then it is right.
                self._judged.setdefault(name, has_digest(file_pieces(staged, name, 0), digest))
            return staged if self._judged[name] else None

    def _begun(self) -> Workplace:
        """The place to write in, with the blobs that another run left there whole."""
        with self._lock:
            if self._workplace is None:
                if self.others():
                    raise LocalFileError(
                        f"{self.path} has files that belong to no image layout and would be lost: "
                        f"{', '.join(self.others()[:5])}",
                        hint="Name another path",
                    )
                workplace = Workplace(self._parent, self._workplace_name)
                try:
                    for name in workplace.leftovers():
                        if not _STAGED.fullmatch(name):
                            workplace.folder.remove(name)
                    self._check_unchanged()
                except RegistryError:
                    workplace.close()
                    raise
                self._workplace, self._staged = workplace, workplace.folder
            return self._workplace

    def _check_unchanged(self) -> None:
        """Raise :class:`Conflict` where another writer has put another archive in place since this one was read."""
        with named_errors(self.path, "read"):
            try:
                there = os.stat(self._name, dir_fd=self._parent.descriptor)
                own = None if self._file is None else os.fstat(self._file.fileno())
                same = own is not None and os.path.samestat(there, own) and there.st_mtime_ns == own.st_mtime_ns
            except FileNotFoundError:
                same = self._file is None
        if not same:
            raise Conflict(f"another task has changed {self.path} meanwhile", hint="Run this one again")

    def _member(self, name: str) -> Member | None:
        member = self._members.get(name)
        if member is not None and not member.regular:
            raise LocalFileError(f"{name} in {self.path} is not a regular file, and is not read")
        return member


def _member_name(digest: str) -> str:
    return "/".join((BLOBS, *blob_names(digest)))


def _is_blob(name: str) -> bool:
    parts = name.split("/")
    return len(parts) == 3 and parts[0] == BLOBS and is_digest(f"{parts[1]}:{parts[2]}")


def _staged_name(digest: str) -> str:
    return "-".join(blob_names(digest))


def _unstaged_name(name: str) -> str:
    return "/".join((BLOBS, *name.split("-")))
