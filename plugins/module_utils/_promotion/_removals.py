# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Tags that a rollback has removed, in its record: in that of the tags that went back, else in one of its own.

Such a tag is one that a promotion had created, and that is back where it was: there is none. Where that promotion was
cut off, and the rollback has ended its record, that record gets to know it as well.
"""

from __future__ import annotations

import contextlib
import os
import typing as t

from .._end._end import End
from .._end._purpose import Purpose
from .._model._actions import CREATE, FAILED, REVERTED, UNCHANGED
from .._model._errors import InvalidInput, LocalFileError, RegistryError
from .._model._times import format_time, utc_now
from .._model._version import VERSION
from .._run._folder import Folder
from ._record import DONE, Record, RecordedImage, RecordedTag, RecordTexts
from ._record_directory import open_record_directory
from ._record_files import (
    RecordFile,
    Unfinished,
    continue_record,
    is_name_given_here,
    prepare_record,
    read_record,
)
from ._recorded import Recorded
from ._recorded_images import without_created


class RemovedTag(t.NamedTuple):
    """A tag that is gone."""

    repository: str
    tag: str
    digest: str
    """What it pointed to."""


def record_removed(
    path: str,
    registry: str,
    texts: RecordTexts,
    removed: t.Sequence[RemovedTag],
    into: str = "",
    *,
    check: bool = False,
) -> Recorded:
    """Record tags that are gone from a registry, in a directory.

    ``into`` is the file of a record in it that gets them; empty for a new one. With ``check``, nothing is written.
    Raises :class:`InvalidInput` where there is no such record, and :class:`LocalFileError`.
    """
    with open_record_directory(path) as folder:
        earlier = _earlier(folder, registry, into) if into else None
        now = format_time(utc_now())
        record = earlier or Record(
            registry, registry, (), now, outcome=DONE, collection_version=VERSION, **texts._asdict()
        )
        images = tuple(_image(registry, one) for one in removed)
        record = record._replace(images=(*record.images, *images), finished_at=now)
        if check:
            return Recorded(outcome=record.outcome)
        with contextlib.closing(_file(folder, now, into, earlier)) as file:
            file.end(record)
            return Recorded(file.path, record.outcome)


def end_of_created(destination: End, path: str, name: str) -> bool:
    """Have the record of a promotion that was cut off know that tags which it created are gone.

    ``name`` is that of its file in the directory, which a rollback has ended already. Only what the registry says is
    gone is noted. Returns whether the record has changed. Raises :class:`LocalFileError`.
    """
    with open_record_directory(path) as folder:
        record = read_record(folder, name) if is_name_given_here(name) else None
        if record is None or record.outcome != FAILED or record.destination != destination.name:
            return False
        created = [(image.repository, tag.tag) for image in record.images for tag in image.tags if tag.action == CREATE]
        gone = {place for place in created if _is_gone(destination, *place)}
        file = continue_record(folder, Unfinished(name, record)) if gone else None
        if file is None:
            return False
        with contextlib.closing(file):
            file.end(without_created(record, gone)._replace(finished_at=format_time(utc_now())))
        return True


def _is_gone(destination: End, repository: str, tag: str) -> bool:
    try:
        found = destination.head_manifest(repository, tag, Purpose.GUARD)
    except RegistryError:
        return False
    return found is None and not destination.is_unsure(repository, tag)


def _earlier(folder: Folder, registry: str, into: str) -> Record:
    name = os.path.basename(into)
    found = read_record(folder, name) if into == folder.below(name) else None
    if found is None or found.destination != registry:
        raise InvalidInput(f"record_removed.into: {into} is not a record of {registry} in {folder.path}")
    return found


def _file(folder: Folder, now: str, into: str, earlier: Record | None) -> RecordFile:
    if earlier is None:
        return prepare_record(folder, now)
    file = continue_record(folder, Unfinished(os.path.basename(into), earlier))
    if file is None:
        raise LocalFileError(f"the record {into} cannot be replaced", hint="Another run may have it")
    return file


def _image(registry: str, removed: RemovedTag) -> RecordedImage:
    tag = RecordedTag(removed.tag, "", removed.digest, REVERTED)
    reference = f"{registry}/{removed.repository}@{removed.digest}"
    return RecordedImage(reference, removed.repository, removed.digest, removed.digest, (tag,), UNCHANGED)
