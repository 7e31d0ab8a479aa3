# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What is kept of promotions, as an option, and what tasks read there. It pairs with the doc fragment ``_record``."""

from __future__ import annotations

import re
import typing as t

from .._model._errors import InvalidInput, printable
from .._model._hiding import SHORTEST
from .._promotion._first_sights import FirstSights
from .._promotion._record import RecordTexts
from .._promotion._record_directory import open_record_directory
from .._promotion._record_files import unfinished_records, unfinished_sentences
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
    path = record_path(params)
    is_noted = params.get("plan") is not None and params.get("trust_plan", False)
    return FirstSights(path) if path and not is_noted else None


def unfinished(task: Task) -> list[str]:
    """The files of records whose promotions were cut off, in the directory of records. It warns of them.

    Raises :class:`LocalFileError`.
    """
    path = record_path(task.params)
    if not path:
        return []
    with open_record_directory(path) as folder:
        found, problems = unfinished_records(folder)
        paths = [folder.below(one.name) for one in found]
    for sentence in (*unfinished_sentences(paths), *problems):
        task.module.warn(sentence)
    return paths


def record_path(params: Plain) -> str:
    """The directory of records; empty where none is given."""
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
