# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""When digests were first met at a source: a file in a directory of records, which nobody who builds images can change.

When an image says that it was made is up to whoever built it. This is not.
"""

from __future__ import annotations

import contextlib
import datetime
import fcntl
import json
import os
import typing as t

from .._model._errors import LocalFileError
from .._model._times import format_time, parse_time
from .._run._folder import Folder
from .._run._local_path import absolute, check_is_file, relative_hint
from ._record_directory import no_tag_moved, open_record_directory

_FILE, _LOCK = "first-seen.json", ".first-seen.lock"
_LARGEST = 256 * 1024 * 1024
"""Bytes. A million digests take about 150 MB."""

Sight = tuple[str, str, str]
"""Registry, repository and digest."""


class FirstSights:
    """The file of one directory. Raises :class:`LocalFileError` for what can't be read or written, or is broken."""

    def __init__(self, directory: str) -> None:
        self._given = directory
        self._hint = relative_hint(directory)
        self._path = os.path.join(absolute(directory), _FILE)
        self._seen: tuple[int, ...] = ()
        """By what the file that was read is known again: another run replaces it."""
        self._known = self._read()

    def first(self, sight: Sight) -> datetime.datetime | None:
        """When a digest was first met, in UTC; None where it hasn't been yet."""
        return parse_time(self._known.get(_name(sight)))

    def note(self, sights: t.Iterable[Sight], now: datetime.datetime) -> None:
        """Keep that these digests were met now, but for those that were met before.

        Runs that share the directory wait for one another, and the file is replaced as a whole.
        """
        names = dict.fromkeys(map(_name, sights))
        if all(name in self._known for name in names):
            return
        with no_tag_moved(), self._locked() as folder:
            known = dict(self._known) if self._is_as_it_was_read() else self._read()
            known.update((name, format_time(now)) for name in names if name not in known)
            # With an indentation, it would take several times as long.
            folder.put(_FILE, [json.dumps(known, separators=(",\n", ": ")).encode("ascii")])
            self._known = known

    def _read(self) -> dict[str, str]:
        with no_tag_moved(), self._failures("read"):
            check_is_file(self._path)
            try:
                with open(self._path, "rb") as file:
                    self._seen = _identity(os.fstat(file.fileno()))
                    content = file.read(_LARGEST + 1)
            except FileNotFoundError:
                return {}
        try:
            known = json.loads(content.decode("utf-8")) if len(content) <= _LARGEST else None
            # A run notes all that it meets at one time.
            moments = set(known.values()) if isinstance(known, dict) else {None}
        except (ValueError, TypeError, RecursionError):
            moments = {None}
        if any(parse_time(moment) is None for moment in moments):
            raise LocalFileError(
                f"the file {self._path} is not what it was written as",
                hint="Restore it from a backup; without it, every digest counts as met for the first time",
            )
        return t.cast("dict[str, str]", known)

    def _is_as_it_was_read(self) -> bool:
        try:
            return self._seen == _identity(os.stat(self._path))
        except FileNotFoundError:
            return not self._seen

    @contextlib.contextmanager
    def _locked(self) -> t.Iterator[Folder]:
        """The directory, which no other run writes the file of meanwhile."""
        with open_record_directory(self._given) as folder, self._failures("written"):
            number = _open_lock(folder)
            try:
                fcntl.flock(number, fcntl.LOCK_EX)
                yield folder
            finally:
                os.close(number)

    @contextlib.contextmanager
    def _failures(self, done: str) -> t.Iterator[None]:
        try:
            yield
        except OSError as error:
            problem = os.strerror(error.errno or 0)
            raise LocalFileError(f"the file {self._path} cannot be {done}: {problem}", hint=self._hint) from error


def _open_lock(folder: Folder) -> int:
    """The file that is locked; several accounts may share the directory. A symbolic link isn't followed."""
    flags = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        return os.open(_LOCK, flags | os.O_RDWR | os.O_CREAT, 0o666, dir_fd=folder.descriptor)
    except PermissionError:
        # Another account has made it. Who may read it can lock it.
        with contextlib.suppress(FileNotFoundError):
            return os.open(_LOCK, flags | os.O_RDONLY, dir_fd=folder.descriptor)
        raise


def _identity(found: os.stat_result) -> tuple[int, ...]:
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def _name(sight: Sight) -> str:
    registry, repository, digest = sight
    return f"{registry}/{repository}@{digest}"
