# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The bytes that an option gives, in base64 or by the path of a file."""

from __future__ import annotations

from .._model._base64 import decode_base64
from .._model._errors import InvalidInput, LocalFileError
from .._model._manifest import MAXIMUM_SIZE
from .._run._local_path import absolute, check_is_file, relative_hint


def decoded(text: str, option: str) -> bytes:
    """The bytes of a base64 option. Raises :class:`InvalidInput`."""
    try:
        return decode_base64(text)
    except ValueError as error:
        raise InvalidInput(f"{option} is not valid base64") from error


def read_file(path: str) -> bytes:
    """The bytes of a manifest's file. Raises :class:`LocalFileError`."""
    check_is_file(path)
    try:
        with open(path, "rb") as file:
            return file.read(MAXIMUM_SIZE + 1)
    except OSError as error:
        raise LocalFileError(
            f"the file {absolute(path)} cannot be read: {error.strerror}", hint=relative_hint(path)
        ) from error
