# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Records of promotions in a directory: one file each, which is replaced when its promotion has ended.

Room for both is taken before anything is written to a registry, and kept: a disk that is full by then can't leave tags
behind that nothing tells of. As long as its promotion runs, a file is locked, so that others tell it from one whose
promotion was cut off.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import secrets
import time
import typing as t

from .._model._errors import InvalidInput, LocalFileError
from .._model._shown import first_of
from .._run._folder import Folder, named_errors
from ._record import BEGUN, Record, encode_record
from ._record_reading import LARGEST, parse_record

SUFFIX = ".promotion.json"
_MOST_NAMED = 20
"""Records that one sentence names."""
_NAME = re.compile(rf"[0-9]{{8}}T[0-9]{{6}}Z-[0-9a-f]{{8}}{re.escape(SUFFIX)}")
"""When it began, and what tells it from others of that moment."""
_BEGUN, _ENDED = "begun", "ended"
_ROOM_BESIDE = 64 * 1024
"""Bytes that a record may grow by, with reasons for what failed."""
_ABANDONED = 3600
"""Seconds after which a file that was prepared belongs to nobody, if nobody has it locked."""
_TRIES, _PAUSE = 20, 0.02
"""How often, and every how many seconds, a record that others look at is tried to lock."""
_PREPARED = re.compile(rf"\..*{re.escape(SUFFIX)}\.({_BEGUN}|{_ENDED})")
_TAIL = 16 * 1024
_OUTCOME = re.compile(rb'"outcome"\s*:\s*"([a-z]+)"')
"""How a record says how it ended. In a text, there would be a backslash in front of its second quote."""


class Unfinished(t.NamedTuple):
    """A record whose promotion has begun, and hasn't ended."""

    name: str
    """Of its file, without the directory."""
    record: Record


class RecordFile:
    """The file of one promotion. Raises :class:`LocalFileError` for what can't be written."""

    def __init__(
        self, folder: Folder, name: str, prepared: dict[str, t.BinaryIO], standing: t.Iterable[t.BinaryIO] = ()
    ) -> None:
        """Made by :func:`prepare_record` and :func:`continue_record`. ``standing`` is kept open."""
        self.name = name
        self._folder = folder
        self._prepared = prepared
        self._open = list(standing)

    @property
    def path(self) -> str:
        """Where it is, from the root on."""
        return self._folder.below(self.name)

    @property
    def is_begun(self) -> bool:
        """Whether the record is there, which says that its promotion has begun."""
        return _BEGUN not in self._prepared

    def take_room(self, size: int) -> None:
        """Take room for so many bytes when the record begins, and when it ends; check that all can be written."""
        room = b" " * (size + _ROOM_BESIDE)
        for part in (_BEGUN, _ENDED):
            self._fill(self._prepared[part], part, room)

    def begin(self, record: Record) -> None:
        """Have the record on disk, before anything happens that it tells of."""
        self._put(_BEGUN, record)

    def end(self, record: Record) -> None:
        """Put what has happened in the place of what was to happen."""
        self._put(_ENDED, record)

    def remove(self) -> None:
        """Remove a record of a promotion that did nothing."""
        self._folder.remove(self.name)
        self._folder.sync()

    def close(self) -> None:
        """Let go of it, and of the room that wasn't needed."""
        for part, file in self._prepared.items():
            with contextlib.suppress(LocalFileError):
                self._folder.remove(_prepared_name(self.name, part))
            self._open.append(file)
        self._prepared.clear()
        for file in self._open:
            with contextlib.suppress(OSError):
                file.close()

    def _put(self, part: str, record: Record) -> None:
        file = self._prepared[part]
        self._fill(file, part, encode_record(record, indent=1))
        self._folder.move(_prepared_name(self.name, part), self._folder, self.name)
        # From here on it is the record, and stays locked until it is closed.
        self._open.append(self._prepared.pop(part))
        self._folder.sync()

    def _fill(self, file: t.BinaryIO, part: str, content: bytes) -> None:
        with named_errors(self._folder.below(_prepared_name(self.name, part)), "written"):
            file.seek(0)
            file.write(content)
            file.flush()
            os.ftruncate(file.fileno(), len(content))
            os.fsync(file.fileno())


def prepare_record(folder: Folder, begun_at: str) -> RecordFile:
    """The file of a promotion that begins at that time (RFC 3339), under a name that no other has."""
    _remove_abandoned(folder)
    moment = re.sub(r"[^0-9TZ]", "", begun_at)
    while True:
        name = f"{moment}-{secrets.token_hex(4)}{SUFFIX}"
        first = folder.create(_prepared_name(name, _BEGUN))
        if first is None:
            continue
        if folder.size(name) is None:
            # Nobody else can have it now: who wanted to would have to create the same file first.
            return _opened(folder, name, first)
        first.close()
        folder.remove(_prepared_name(name, _BEGUN))


def continue_record(folder: Folder, one: Unfinished) -> RecordFile | None:
    """The file of a promotion that was cut off.

    None where another run continues it already or has ended it since it was read, where it is gone, and where our user
    may not replace it: in a directory with the sticky bit, that is for its owner.
    """
    with contextlib.ExitStack() as stack:
        standing = folder.open_file(one.name)
        if standing is None:
            return None
        stack.enter_context(standing)
        if not _can_continue(folder, one, standing):
            return None
        first = _created_again(folder, one.name)
        if first is None:
            return None
        # It stays locked, also until its new content is in its place.
        file = _opened(folder, one.name, first, standing)
        stack.pop_all()
        return file


def is_standing(folder: Folder, one: Unfinished) -> bool:
    """Whether the file still holds the record that was read from it."""
    try:
        return read_record(folder, one.name) == one.record
    except (InvalidInput, LocalFileError):
        return False


def unfinished_records(folder: Folder) -> tuple[list[Unfinished], list[str]]:
    """The records whose promotions were cut off, oldest first, and in sentences what is no record and should be one."""
    found, problems = [], []
    for name in record_names(folder):
        try:
            content = _unless_ended(folder, name)
            record = None if content is None else parse_record(content)
        except (InvalidInput, LocalFileError) as error:
            problems.append(f"{folder.below(name)} is not the record that it should be: {error.reason}.")
            continue
        if record is not None and record.outcome == BEGUN:
            found.append(Unfinished(name, record))
    return found, problems


def unfinished_sentences(paths: t.Sequence[str]) -> list[str]:
    """A sentence about promotions that were cut off, by the files of their records; none where there are none."""
    if not paths:
        return []
    return [
        f"A promotion was cut off before it ended, as its record says: {first_of(paths, _MOST_NAMED)}. "
        "Promote the same images again to finish it, or go back with the role rollback."
    ]


def record_names(folder: Folder) -> list[str]:
    """The files that are records by their names, those that began first in front."""
    return [name for name in folder.names() if name.endswith(SUFFIX) and not name.startswith(".")]


def is_running(folder: Folder, name: str) -> bool:
    """Whether the promotion of a record has begun, hasn't ended, and runs. Raises :class:`LocalFileError`."""
    file = folder.open_file(name)
    if file is None:
        return False
    with file, named_errors(folder.below(name), "read"):
        return not _has_ended(file) and not _lock(file, fcntl.LOCK_SH)


def is_name_given_here(name: str) -> bool:
    """Whether a file has a name as :func:`prepare_record` gives it."""
    return _NAME.fullmatch(name) is not None


def read_record(folder: Folder, name: str) -> Record | None:
    """The record in a file; None where it is gone meanwhile.

    Raises :class:`InvalidInput` for what is no record, and :class:`LocalFileError` for what can't be read.
    """
    content = folder.read(name, LARGEST)
    return None if content is None else parse_record(content)


def _can_continue(folder: Folder, one: Unfinished, standing: t.BinaryIO) -> bool:
    """Whether the open file is locked for us now, and is what was read."""
    if not folder.may_replace(one.name) or not _lock_after_readers(standing):
        return False
    # Only now nobody else can end it any more.
    if not _is_still_there(folder, one.name, standing):
        return False
    with named_errors(folder.below(one.name), "read"):
        content = standing.read(LARGEST + 1)
    try:
        return parse_record(content) == one.record
    except InvalidInput:
        return False


def _created_again(folder: Folder, name: str) -> t.BinaryIO | None:
    """What is prepared first, in the place of what the run has left that was cut off; None where that can't be."""
    try:
        for part in (_BEGUN, _ENDED):
            folder.remove(_prepared_name(name, part))
    except LocalFileError:
        return None
    return folder.create(_prepared_name(name, _BEGUN))


def _opened(folder: Folder, name: str, first: t.BinaryIO, *standing: t.BinaryIO) -> RecordFile:
    prepared = {_BEGUN: first}
    try:
        second = folder.create(_prepared_name(name, _ENDED))
        if second is None:
            raise LocalFileError(f"{folder.below(_prepared_name(name, _ENDED))} is there already")
        prepared[_ENDED] = second
    except BaseException:
        first.close()
        folder.remove(_prepared_name(name, _BEGUN))
        raise
    for file in prepared.values():
        _lock(file)
    return RecordFile(folder, name, prepared, standing)


def _prepared_name(name: str, part: str) -> str:
    return f".{name}.{part}"


def _lock_after_readers(file: t.BinaryIO) -> bool:
    """The same as :func:`_lock`, though others may look at the file at this moment."""
    for _try in range(_TRIES):
        if _lock(file):
            return True
        time.sleep(_PAUSE)
    return False


def _lock(file: t.BinaryIO, how: int = fcntl.LOCK_EX) -> bool:
    """Lock a file as that of a promotion that runs. False where another run has it; where nobody can lock, true."""
    try:
        fcntl.flock(file.fileno(), how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        # Some file systems of networks know no locks: then all are taken for those of promotions that were cut off.
        return True
    return True


def _is_still_there(folder: Folder, name: str, file: t.BinaryIO) -> bool:
    with named_errors(folder.below(name), "read"):
        try:
            found = os.stat(name, dir_fd=folder.descriptor, follow_symlinks=False)
        except FileNotFoundError:
            return False
        return os.path.samestat(found, os.fstat(file.fileno()))


def _unless_ended(folder: Folder, name: str) -> bytes | None:
    """The content of a record that may not have ended; None for one that has, or whose promotion runs."""
    file = folder.open_file(name)
    if file is None:
        return None
    with file, named_errors(folder.below(name), "read"):
        if _has_ended(file) or not _lock(file, fcntl.LOCK_SH):
            return None
        file.seek(0)
        return file.read(LARGEST + 1)


def _has_ended(file: t.BinaryIO) -> bool:
    """Whether a record says so. How it ended stands at its end: of the many that have ended, only that is read."""
    file.seek(max(0, os.fstat(file.fileno()).st_size - _TAIL))
    outcomes = _OUTCOME.findall(file.read(_TAIL))
    return bool(outcomes) and outcomes[-1] != BEGUN.encode("ascii")


def _remove_abandoned(folder: Folder) -> None:
    """Remove what runs have left that were cut off before they began."""
    for name in folder.names():
        if _PREPARED.fullmatch(name):
            with contextlib.suppress(LocalFileError, OSError):
                file = folder.open_file(name)
                if file is not None:
                    with file:
                        if time.time() - os.fstat(file.fileno()).st_mtime > _ABANDONED and _lock(file):
                            folder.remove(name)
