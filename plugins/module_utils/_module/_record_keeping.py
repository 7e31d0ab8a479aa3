# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What a task itself records: the promotion that it carries out, and tags that others have removed."""

from __future__ import annotations

import contextlib
import typing as t

from .._end._end import End
from .._model._digest import check_digest
from .._model._errors import InvalidInput, at_entry
from .._model._reference import check_repository, check_tag
from .._promotion._recorded import Recorded
from .._promotion._recording import Recording, recording_in
from .._promotion._removals import RemovedTag, end_of_created, record_removed
from ._record_arguments import record_path, record_texts
from ._task import Task

Plain = dict[str, t.Any]

REMOVED: Plain = {
    "record_removed": {
        "type": "dict",
        "options": {
            "tags": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": {
                    "repository": {"type": "str", "required": True},
                    "tag": {"type": "raw", "required": True},
                    "digest": {"type": "str", "required": True},
                },
            },
            "into": {"type": "str"},
            "was_begun": {"type": "bool", "default": False},
        },
    }
}
"""Tags that others have removed."""


@contextlib.contextmanager
def recording(task: Task) -> t.Iterator[Recording | None]:
    """The record of what a task is about to do; None where nobody asks for one. It warns of what it finds.

    Raises :class:`LocalFileError` where the directory isn't there.
    """
    path = record_path(task.params)
    if not path:
        yield None
        return
    with recording_in(path, record_texts(task), check=task.check_mode) as found:
        try:
            yield found
        finally:
            for sentence in found.warnings():
                task.module.warn(sentence)


def check_removed(params: Plain) -> list[RemovedTag]:
    """The tags of ``record_removed``. Raises :class:`InvalidInput`."""
    given = params["record_removed"]
    if given is None:
        return []
    if params["images"] or not record_path(params):
        raise InvalidInput(
            "record_removed: it can only be used without images, and with record.path",
            hint="Give images: [], and the directory in record.path",
        )
    found = []
    for position, entry in enumerate(given["tags"]):
        with at_entry("record_removed.tags", position):
            place = check_repository(entry["repository"]), check_tag(entry["tag"])
            found.append(RemovedTag(*place, check_digest(entry["digest"])))
    return found


def recorded_removals(task: Task, registry: str, removed: t.Sequence[RemovedTag]) -> Recorded:
    """Record tags that others have removed. Raises :class:`InvalidInput` and :class:`LocalFileError`."""
    into = task.params["record_removed"]["into"] or ""
    return record_removed(record_path(task.params), registry, record_texts(task), removed, into, check=task.check_mode)


def reverted_is_ended(task: Task, destination: End) -> bool:
    """Have the record that was reverted know which tags are gone. Returns whether it has changed.

    In check mode nothing is asked or written. Raises :class:`LocalFileError`.
    """
    given = task.params["record_removed"]
    if given is None or not given["was_begun"] or task.check_mode:
        return False
    return end_of_created(destination, record_path(task.params), record_texts(task).reverts)
