# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The bytes of a file in a layout, in pieces."""

from __future__ import annotations

import typing as t

from .._end._body import PIECE
from .._model._errors import LocalFileError
from .._run._folder import Folder, named_errors


def file_pieces(folder: Folder, name: str, offset: int) -> t.Iterator[bytes]:
    """The bytes of a file from ``offset`` on, in pieces. Raises :class:`LocalFileError`."""
    file = folder.open_file(name)
    if file is None:
        raise LocalFileError(f"{folder.below(name)} is not there any more")
    with file, named_errors(folder.below(name), "read"):
        file.seek(offset)
        while True:
            piece = file.read(PIECE)
            if not piece:
                return
            yield piece
