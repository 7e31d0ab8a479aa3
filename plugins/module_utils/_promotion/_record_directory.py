# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The directory in which records of promotions are kept. Any number of runs may use it at the same time."""

from __future__ import annotations

import contextlib
import typing as t

from .._model._errors import LocalFileError
from .._run._folder import Folder
from .._run._local_path import absolute, check_is_path, relative_hint


def find_record_directory(path: str) -> Folder | None:
    """The directory, as the user gave it; None where it isn't there. Raises :class:`LocalFileError`."""
    check_is_path(path)
    return Folder.open(absolute(path))


@contextlib.contextmanager
def no_tag_moved() -> t.Iterator[None]:
    """Say of a :class:`LocalFileError` what it means before tags move, and where to look, if it says nothing itself."""
    try:
        yield
    except LocalFileError as error:
        error.hint = error.hint or (
            "No tag has moved. See that the directory of record.path has room, and its files can be read and written"
        )
        raise


@contextlib.contextmanager
def open_record_directory(path: str) -> t.Iterator[Folder]:
    """The directory, as the user gave it. Raises :class:`LocalFileError` where it isn't there or can't be opened."""
    folder = find_record_directory(path)
    if folder is None:
        raise LocalFileError(
            f"the directory of records {absolute(path)} cannot be opened: No such file or directory",
            hint=relative_hint(path) or "Make it, on the host on which the module runs",
        )
    with contextlib.closing(folder):
        yield folder
