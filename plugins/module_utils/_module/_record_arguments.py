# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What is kept of promotions, as an option. It pairs with the doc fragment ``_record``."""

from __future__ import annotations

import contextlib
import re
import typing as t

from .._model._digest import check_digest
from .._model._errors import InvalidInput, at_entry, printable
from .._model._hiding import SHORTEST
from .._model._reference import check_repository, check_tag
from .._promotion._first_sights import FirstSights
from .._promotion._record_directory import open_record_directory
from .._promotion._record_files import unfinished_records
from .._promotion._recorded import Recorded
from .._promotion._recording import Recording, RecordTexts, recording_in, unfinished_sentences
from .._promotion._removals import RemovedTag, record_removed
from ._task import Task

Plain = dict[str, t.Any]

_TEXTS: Plain = {name: {"type": "str"} for name in RecordTexts._fields}
RECORD: Plain = {
    "record": {
        "type": "dict",
        "options": {
            "path": {"type": "path"},
            "attach": {"type": "bool", "default": False},
            **_TEXTS,
            # A path, or the key itself, which is hidden then (_masking).
            "sign_with": {"type": "str"},
            "sign_passphrase": {"type": "str", "no_log": True},
        },
    }
}
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
        },
    }
}
"""Tags that others have removed."""
_LOGIN_IN_URL = re.compile(
    # A password may have any character that should be escaped: up to the last '@' of the path, else of the whole URL.
    r"(?<=//)(?!\[)[^/?#@:\s]*:(?!\d*(?:[/?#\s]|\Z))(?:[^?#\s]*@|\S*@)"
    r"|(?<=://)[^/?#\s]*@"
)
"""A login in front of a host. What has a port there has none."""


def first_sights(params: Plain) -> FirstSights | None:
    """What is kept in the directory of records; None where there is none. Raises :class:`LocalFileError`.

    Whoever has made a plan that is trusted has noted what it met.
    """
    path = _path(params)
    is_noted = params.get("plan") is not None and params.get("trust_plan", False)
    return FirstSights(path) if path and not is_noted else None


@contextlib.contextmanager
def recording(task: Task) -> t.Iterator[Recording | None]:
    """The record of what a task is about to do; None where nobody asks for one. It warns of what it finds.

    Raises :class:`LocalFileError` where the directory isn't there.
    """
    path = _path(task.params)
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
    if params["images"] or not _path(params):
        raise InvalidInput(
            "record_removed: it is for a task without images, with record.path",
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
    return record_removed(_path(task.params), registry, record_texts(task), removed, into, check=task.check_mode)


def unfinished(task: Task) -> list[str]:
    """The files of records whose promotions were cut off, in the directory of records. It warns of them.

    Raises :class:`LocalFileError`.
    """
    path = _path(task.params)
    if not path:
        return []
    with open_record_directory(path) as folder:
        found, problems = unfinished_records(folder)
        paths = [folder.below(one.name) for one in found]
    for sentence in (*unfinished_sentences(paths), *problems):
        task.module.warn(sentence)
    return paths


def _path(params: Plain) -> str:
    return (params.get("record") or {}).get("path") or ""


def record_texts(task: Task) -> RecordTexts:
    """What the caller says of a promotion. Raises :class:`InvalidInput` where a secret is in it."""
    given = {name: _on_one_line(task.params["record"][name] or "") for name in RecordTexts._fields}
    for name, text in given.items():
        if any(secret in text for secret in task.secrets() if len(secret) >= SHORTEST):
            raise InvalidInput(
                f"record.{name} has a password or token of this task in it, and a record is for all to read",
                hint="Leave it out",
            )
    return RecordTexts(**{name: _LOGIN_IN_URL.sub("", text) for name, text in given.items()})


def recorded_text(text: str) -> str:
    """A text of the caller as a record has it: on one line, without blanks around it, and without a login in a URL."""
    return _LOGIN_IN_URL.sub("", _on_one_line(text))


def _on_one_line(text: str) -> str:
    return printable(text).strip()
