# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Opening a layout at a path."""

from __future__ import annotations

import os

from .._model._actions import ARCHIVE, DIRECTORY
from .._model._errors import LocalFileError
from .._run._counters import Counters
from .._run._local_path import absolute, check_is_path, relative_hint
from ._archive import ArchiveStore
from ._directory import DirectoryStore
from ._layout import Layout, Names
from ._store import Store


def format_of(path: str) -> str:
    """What a layout at a path is, or is to become: where nothing is there, an archive if its name ends in ``.tar``."""
    if os.path.lexists(path):
        return DIRECTORY if os.path.isdir(path) else ARCHIVE
    return ARCHIVE if path.endswith(".tar") else DIRECTORY


def open_layout(
    path: str, form: str, counters: Counters, *, writing: bool, jobs: int, names: Names, verify: bool = False
) -> Layout:
    """The layout at a path, of the format ``form``. Raises :class:`LocalFileError` for what is none.

    For a writer it needn't be there.
    """
    check_is_path(path)
    hint = relative_hint(path)
    path = absolute(path)
    what = f"{'write to' if writing else 'read'} the image layout {path}"
    if not writing and not os.path.lexists(path):
        raise LocalFileError("it is not there", hint=hint).within(what)
    store: Store | None = None
    try:
        store = ArchiveStore(path) if form == ARCHIVE else DirectoryStore(path)
        return Layout(store, counters, writing=writing, jobs=jobs, names=names, verify=verify)
    except LocalFileError as error:
        if store is not None:
            store.close()
        error.within(what)
        raise
