# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Keys and certificates in PEM, which an option gives as text or as the path of a file."""

from __future__ import annotations

import os

from .._model._errors import LocalFileError
from .._model._shown import is_content
from .._run._local_path import absolute, check_is_file, relative_hint

_LARGEST_FILE = 1024 * 1024
"""Bytes."""


def read_pem(text: str, where: str) -> tuple[bytes, str]:
    """The content of a file, or the text itself where it is one; and how messages call it, which never quotes it.

    ``where`` names the option. Raises :class:`LocalFileError`.
    """
    if is_content(text):
        return text.encode("utf-8", "replace"), where
    path = absolute(text)
    try:
        check_is_file(path)
        with open(path, "rb") as file:
            content = file.read(_LARGEST_FILE + 1)
    except LocalFileError as error:
        raise error.at_option(where) from None
    except OSError as error:
        problem = f"{where}: the file {path} cannot be read: {os.strerror(error.errno or 0)}"
        raise LocalFileError(problem, hint=relative_hint(text)) from error
    if len(content) > _LARGEST_FILE:
        raise LocalFileError(f"{where}: the file {path} is larger than {_LARGEST_FILE} bytes")
    return content, f"{where}: the file {path}"
