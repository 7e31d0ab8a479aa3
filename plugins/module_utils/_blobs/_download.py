# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Blobs into files: continued where they broke off, verified, put in place in one step."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
import time
import typing as t

from .._end._end import End
from .._model._actions import DOWNLOAD, EXISTS
from .._model._digest import algorithm_of
from .._model._errors import ContentMismatch, LocalFileError, RegistryError
from .._run._local_path import absolute, check_is_path, relative_hint
from .._run._parallel import run_all
from ._transfer import FileSource, RegistrySource, pieces_from, size_at, verified_pieces

_PATIENCE = 60.0
"""Seconds for which another user's lock is waited for."""
_PAUSE = 0.2
"""Seconds between two looks at it."""


class DownloadItem(t.NamedTuple):
    """A blob, and the file that it is to become. ``size`` in bytes, None where it isn't known."""

    repository: str
    digest: str
    size: int | None
    path: str


class DownloadOutcome(t.NamedTuple):
    """What happened to one blob, or in check mode what would."""

    repository: str
    digest: str
    size: int
    dest: str
    action: str


Move = t.Callable[[str, str], object]
"""Moves a file over another one in one step."""


def check_dest(path: str) -> None:
    """Raise :class:`LocalFileError` for content in the place of a path: results and errors show that."""
    try:
        check_is_path(path)
    except LocalFileError as error:
        error.at_option("dest")
        raise


def make_directories(paths: t.Iterable[str]) -> None:
    """Make directories, and those above them, where they aren't there. Raises :class:`LocalFileError`."""
    for path in set(paths):
        try:
            os.makedirs(path, exist_ok=True)
        except OSError as error:
            raise LocalFileError(
                f"the directory {absolute(path)} cannot be made: {error.strerror}", hint=relative_hint(path)
            ) from error


def download_blobs(
    registry: End, items: t.Sequence[DownloadItem], move: Move, *, check: bool
) -> list[DownloadOutcome | RegistryError]:
    """Bring every blob into its file; outcomes in the items' order."""
    return run_all(lambda item: _download(registry, item, move, check), items, registry.jobs)


def _download(registry: End, item: DownloadItem, move: Move, check: bool) -> DownloadOutcome:
    what = f"download blob {item.digest} to {item.path}"
    if os.path.isdir(item.path):
        raise LocalFileError("it is a directory", hint="Name the file").within(what)
    if os.path.exists(item.path) and not os.path.isfile(item.path):
        # Such as /dev/null, in whose place a file would come.
        raise LocalFileError("it is not a regular file", hint="Name a file").within(what)
    there = _there(registry, item)
    if there is not None:
        return there
    folder, name = os.path.split(item.path)
    if not check and not os.path.isdir(folder or "."):
        raise LocalFileError(
            f"the directory {absolute(folder)} does not exist", hint=relative_hint(folder) or "Make it first"
        ).within(what)
    size = size_at(registry, item.repository, item.digest) if item.size is None else item.size
    if not check:
        # Named by the blob, so that another run goes on with it, and none with another blob's.
        partial = os.path.join(folder, f".{name[:100]}.{item.digest.partition(':')[2][:16]}.part")
        try:
            with _alone(partial) as (file, waited):
                there = _there(registry, item) if waited else None
                if there is not None:
                    os.unlink(partial)
                    return there
                with _without_empty(partial):
                    _fill(RegistrySource(registry, item.repository, item.digest), item.digest, size, partial, file)
                move(partial, item.path)
        except LocalFileError as error:
            error.within(what)
            raise
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                with contextlib.suppress(OSError):
                    os.unlink(partial)
            raise LocalFileError(f"the file cannot be written: {error.strerror}").within(what) from error
    return DownloadOutcome(item.repository, item.digest, size, item.path, DOWNLOAD)


@contextlib.contextmanager
def _without_empty(partial: str) -> t.Iterator[None]:
    """Remove a partial file into which nothing came before it failed: there is nothing to continue from."""
    try:
        yield
    except RegistryError:
        with contextlib.suppress(FileNotFoundError):
            if os.path.getsize(partial) == 0:
                os.unlink(partial)
        raise


def _there(registry: End, item: DownloadItem) -> DownloadOutcome | None:
    """The outcome where the file is the blob already."""
    if not os.path.exists(item.path):
        return None
    digest, size = FileSource(item.path).measure(algorithm_of(item.digest))
    if digest != item.digest:
        return None
    registry.counters.add(bytes_skipped=size)
    return DownloadOutcome(item.repository, item.digest, size, item.path, EXISTS)


@contextlib.contextmanager
def _alone(path: str) -> t.Iterator[tuple[t.BinaryIO, bool]]:
    """The partial file at ``path``, locked: no other run writes it meanwhile. Also whether another run was waited for.

    A lock ends with its process, whichever way that ends. Raises :class:`OSError`.
    """
    waited = False
    anew = 0
    while True:
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | anew, 0o600)
        except FileExistsError:
            # Another run was quicker to make it anew.
            anew = 0
            continue
        with open(descriptor, "r+b") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                waited = True
                if _is_own(file):
                    fcntl.flock(file, fcntl.LOCK_EX)
                else:
                    _lock_in_time(file, path)
            if not _is_at(file, path):
                # The other run has put it in place: this one begins a file of its own.
                waited, anew = True, 0
            elif anew or _is_own(file):
                yield file, waited
                return
            else:
                # Some file systems give every file another owner: what was made anew is ours all the same.
                os.unlink(path)
                anew = os.O_EXCL


def _lock_in_time(file: t.BinaryIO, path: str) -> None:
    """Lock what seems to be another user's: it may be that of a run like this, or there to keep this one waiting."""
    last = time.monotonic() + _PATIENCE
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() > last:
                raise LocalFileError(
                    f"the file {path} belongs to another user, who keeps it locked",
                    hint="Remove it, or download to a directory in which nobody else can write",
                ) from None
        time.sleep(_PAUSE)


def _is_own(file: t.BinaryIO) -> bool:
    """Whether nobody else can write it: who has made it beforehand, to change it later, can."""
    status = os.fstat(file.fileno())
    others = stat.S_IWGRP | stat.S_IWOTH
    return status.st_uid == os.geteuid() and status.st_nlink == 1 and not status.st_mode & others


def _is_at(file: t.BinaryIO, path: str) -> bool:
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return False
    return os.path.samestat(found, os.fstat(file.fileno()))


def _fill(source: RegistrySource, digest: str, size: int, path: str, file: t.BinaryIO) -> None:
    """Continue the file at ``path`` until it is the whole blob; where what it had proves wrong, begin it anew."""
    had = os.path.getsize(path)
    had = had if had <= size else 0
    try:
        _continue(source, digest, size, path, file, had)
    except ContentMismatch:
        # What was there, or a range that the registry gave, may not belong to the rest.
        if not (had or source.was_continued()):
            os.unlink(path)
            raise
        file.truncate(0)
        _continue_or_remove(source, digest, size, path, file)


def _continue_or_remove(source: RegistrySource, digest: str, size: int, path: str, file: t.BinaryIO) -> None:
    try:
        _continue(source, digest, size, path, file, 0)
    except ContentMismatch:
        os.unlink(path)
        raise


def _continue(source: RegistrySource, digest: str, size: int, path: str, file: t.BinaryIO, had: int) -> None:
    continued = _ContinuedFile(source, path, had, size)
    passed = 0
    file.truncate(had)
    file.seek(had)
    try:
        for piece in verified_pieces(continued, digest, size):
            file.write(piece[max(0, had - passed) :])
            passed += len(piece)
    finally:
        file.flush()


class _ContinuedFile:
    """A source that gives the bytes which a file already has from there, and the rest from a registry."""

    def __init__(self, source: RegistrySource, path: str, had: int, size: int) -> None:
        self.end = source.end
        self.what = source.what
        self._source = source
        self._path = path
        self._had = had
        self._size = size

    def open(self, offset: int) -> tuple[t.Iterator[bytes], int]:
        """The file's own bytes, then the registry's."""
        return self._pieces(offset), offset

    def was_continued(self) -> bool:
        """That is the source's to say."""
        return False

    def _pieces(self, offset: int) -> t.Iterator[bytes]:
        if offset < self._had:
            own, _start = FileSource(self._path).open(offset)
            for piece in own:
                piece = piece[: self._had - offset]
                offset += len(piece)
                yield piece
                if offset >= self._had:
                    break
        if offset < self._size:
            # A range that starts at the very end is an error to some registries.
            yield from pieces_from(self._source, offset)
