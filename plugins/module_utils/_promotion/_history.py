# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What was promoted when: records from files, and from what is attached to images, in one shape."""

from __future__ import annotations

import contextlib
import datetime
import typing as t

from .._end._end import End
from .._images._listing import ImageName
from .._model._errors import InvalidInput, LocalFileError, NotFound, RegistryError
from .._model._times import parse_time
from .._run._folder import Folder
from .._run._parallel import run_all
from ._attached_records import AttachedRecord, BrokenRecord, records_of
from ._record import Record, predicate_of
from ._record_directory import find_record_directory
from ._record_files import read_record, record_names

Plain = dict[str, t.Any]


class Found(t.NamedTuple):
    """A record, or what should be one, and where that is."""

    source: str
    """The path of its file, or the manifest that holds it, as people write that."""
    record: Record | None
    reason: str = ""
    """Why it can't be read."""

    def as_plain(self) -> Plain:
        """A record that was read, as a result."""
        record = t.cast(Record, self.record)
        digests = dict.fromkeys(image.digest for image in record.images if image.is_subject)
        return {**predicate_of(record), "subjects": list(digests), "source_of_record": self.source}


class Look(t.NamedTuple):
    """What was found in one place."""

    exists: bool
    found: tuple[Found, ...] = ()


class History(t.NamedTuple):
    """Records of one or more places."""

    promotions: tuple[Found, ...]
    """Those that were read, newest first."""
    unreadable: tuple[Found, ...]


def in_directory(path: str) -> Look:
    """The records in a directory; one that isn't there has none. Raises :class:`LocalFileError`."""
    folder = find_record_directory(path)
    if folder is None:
        return Look(False)
    with contextlib.closing(folder):
        return Look(True, tuple(filter(None, [_in_file(folder, name) for name in record_names(folder)])))


def attached_to(registry: End, names: t.Sequence[ImageName]) -> list[Look | RegistryError]:
    """The records that are attached to images, in their order. That an image isn't there is no error."""

    def look(name: ImageName) -> Look:
        try:
            manifest = registry.get_manifest(name.repository, name.reference)
        except NotFound:
            return Look(False)
        records = records_of(registry, name.repository, manifest)
        return Look(True, tuple(_attached(f"{registry.name}/{name.repository}", one) for one in records))

    return run_all(look, names, registry.jobs)


def history_of(looks: t.Iterable[Look], environment: str | None = None, newest: int | None = None) -> History:
    """What was found, each once; of one environment, and only so many, where that is asked for."""
    found = list({one.source: one for look in looks for one in look.found}.values())
    read = [one for one in found if one.record is not None and environment in (None, one.record.environment)]
    read.sort(key=_moment, reverse=True)
    return History(tuple(read[:newest]), tuple(one for one in found if one.record is None))


def _moment(found: Found) -> tuple[datetime.datetime, str]:
    record = t.cast(Record, found.record)
    return parse_time(record.finished_at or record.begun_at) or datetime.datetime.min, found.source


def _in_file(folder: Folder, name: str) -> Found | None:
    source = folder.below(name)
    try:
        record = read_record(folder, name)
    except (InvalidInput, LocalFileError) as error:
        return Found(source, None, error.reason)
    return None if record is None else Found(source, record)


def _attached(repository: str, one: AttachedRecord | BrokenRecord) -> Found:
    source = f"{repository}@{one.digest}"
    return Found(source, one.record) if isinstance(one, AttachedRecord) else Found(source, None, one.reason)
