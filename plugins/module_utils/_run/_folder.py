# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Directories held open: what is in them is reached through them, and no symbolic link is followed.

A layout may come from anywhere, so none of its names may lead out of it. Files are put in place in one step, and are on
disk then: who reads meanwhile sees the old one or the new one.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
import typing as t

from .._model._digest import DigestVerifier
from .._model._errors import LocalFileError, printable


@contextlib.contextmanager
def named_errors(path: str, doing: str) -> t.Iterator[None]:
    """Turn what the operating system says into a :class:`LocalFileError` that names the file."""
    try:
        yield
    except OSError as error:
        raise LocalFileError(f"{path} cannot be {doing}: {error.strerror or error}") from error


class Folder:
    """An open directory. ``path`` is for messages, and was followed when it was opened."""

    def __init__(self, path: str, descriptor: int) -> None:
        self.path = path
        self.descriptor = descriptor

    @classmethod
    def open(cls, path: str) -> Folder | None:
        """The directory that the user named, which may be a symbolic link; None where it isn't there."""
        with named_errors(path, "opened"):
            try:
                return cls(path, os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))
            except FileNotFoundError:
                return None

    def close(self) -> None:
        """Let go of it."""
        os.close(self.descriptor)

    def below(self, name: str) -> str:
        """The path of something in it, for messages."""
        # Others may have put it there.
        return os.path.join(self.path, printable(name))

    def folder(self, name: str, *, make: bool = False) -> Folder | None:
        """A directory in it, made if it isn't there and ``make`` says so; None where it isn't there."""
        path = self.below(name)
        if make:
            self.make_folder(name)
        with named_errors(path, "opened"):
            try:
                flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
                return Folder(path, os.open(name, flags, dir_fd=self.descriptor))
            except FileNotFoundError:
                return None

    def make_folder(self, name: str, mode: int = 0o777) -> bool:
        """Make a directory in it. Returns whether it wasn't there."""
        with named_errors(self.below(name), "made"):
            try:
                os.mkdir(name, mode, dir_fd=self.descriptor)
            except FileExistsError:
                return False
        return True

    @property
    def is_private(self) -> bool:
        """Whether it is our user's, and nobody else can put anything into it."""
        with named_errors(self.path, "read"):
            found = os.fstat(self.descriptor)
        return found.st_uid == os.geteuid() and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)

    def names(self) -> list[str]:
        """What is in it, sorted."""
        with named_errors(self.path, "read"):
            return sorted(os.listdir(self.descriptor))

    def size(self, name: str) -> int | None:
        """The size of a file in bytes; None where it isn't there. Raises :class:`LocalFileError` for all but files."""
        with named_errors(self.below(name), "read"):
            try:
                found = os.stat(name, dir_fd=self.descriptor, follow_symlinks=False)
            except FileNotFoundError:
                return None
        return self._checked(name, found).st_size

    def _checked(self, name: str, found: os.stat_result) -> os.stat_result:
        if not stat.S_ISREG(found.st_mode):
            kind = "is a symbolic link" if stat.S_ISLNK(found.st_mode) else "is not a regular file"
            raise LocalFileError(f"{self.below(name)} {kind}, and is not read")
        return found

    def open_file(self, name: str) -> t.BinaryIO | None:
        """A file to be read; None where it isn't there. Raises :class:`LocalFileError`, also for what is no file."""
        if self.size(name) is None:
            return None
        with named_errors(self.below(name), "read"):
            # Not blocking: what has become a pipe meanwhile must not be waited for.
            flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
            file = os.fdopen(os.open(name, flags, dir_fd=self.descriptor), "rb")
        try:
            self._checked(name, os.fstat(file.fileno()))
        except LocalFileError:
            file.close()
            raise
        return file

    def read(self, name: str, limit: int) -> bytes | None:
        """A small file; None where it isn't there. Raises :class:`LocalFileError` for more than ``limit`` bytes."""
        file = self.open_file(name)
        if file is None:
            return None
        with file, named_errors(self.below(name), "read"):
            content = file.read(limit + 1)
        if len(content) > limit:
            raise LocalFileError(f"{self.below(name)} is larger than {limit} bytes")
        return content

    def write(
        self,
        name: str,
        pieces: t.Iterable[bytes | memoryview],
        verifier: DigestVerifier | None = None,
        mode: int = 0o666,
    ) -> None:
        """Make a file of the pieces, and have it on disk when this returns. What was there under the name is gone.

        Where anything goes wrong, also in the making of the pieces, there is no such file.
        """
        self.remove(name)
        try:
            with named_errors(self.below(name), "written"):
                flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
                with os.fdopen(os.open(name, flags, mode, dir_fd=self.descriptor), "wb") as file:
                    for piece in pieces:
                        if verifier is not None:
                            verifier.update(piece)
                        file.write(piece)
                    if verifier is not None:
                        verifier.finish()
                    file.flush()
                    os.fsync(file.fileno())
        except BaseException:
            self.remove(name)
            raise

    def create(self, name: str, mode: int = 0o666) -> t.BinaryIO | None:
        """A new file, to be read and written; None where there is one of that name."""
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with named_errors(self.below(name), "written"):
            try:
                return os.fdopen(os.open(name, flags, mode, dir_fd=self.descriptor), "r+b")
            except FileExistsError:
                return None

    def remove(self, name: str) -> None:
        """Remove a file if it is there."""
        with named_errors(self.below(name), "removed"), contextlib.suppress(FileNotFoundError):
            os.unlink(name, dir_fd=self.descriptor)

    def may_replace(self, name: str) -> bool:
        """Whether the sticky bit lets our user replace a file, who may write to the directory; False for none."""
        with named_errors(self.below(name), "read"):
            directory = os.fstat(self.descriptor)
            try:
                file = os.stat(name, dir_fd=self.descriptor, follow_symlinks=False)
            except FileNotFoundError:
                return False
        return not directory.st_mode & stat.S_ISVTX or os.geteuid() in (0, directory.st_uid, file.st_uid)

    def move(self, name: str, into: Folder, new_name: str) -> None:
        """Put a file in place in one step, over what may be there."""
        with named_errors(into.below(new_name), "written"):
            os.replace(name, new_name, src_dir_fd=self.descriptor, dst_dir_fd=into.descriptor)

    def put(
        self,
        name: str,
        pieces: t.Iterable[bytes | memoryview],
        *,
        by: Folder | None = None,
        under: str = "",
        mode: int = 0o666,
    ) -> None:
        """Put a file of the pieces in place in one step, over what may be there, and have it on disk, name included.

        It is written in the folder ``by``, under that name first: by default beside, under a name that nobody else
        takes. Where anything goes wrong, all is as it was.
        """
        workplace, temporary = by or self, under or f".{name}.{secrets.token_hex(8)}"
        workplace.write(temporary, pieces, mode=mode)
        try:
            workplace.move(temporary, self, name)
        except BaseException:
            workplace.remove(temporary)
            raise
        self.sync()

    def sync(self) -> None:
        """Have the names in it on disk."""
        with named_errors(self.path, "written"):
            os.fsync(self.descriptor)
