# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What to say of a path on the host on which a module runs: where it was looked for, and whether it is one."""

from __future__ import annotations

import os

from .._model._errors import LocalFileError
from .._model._shown import is_content


def check_is_path(path: str) -> None:
    """Raise :class:`LocalFileError` for the content of a file where its path is wanted. Nothing of it is quoted."""
    if is_content(path) and ("\0" in path or not os.path.lexists(os.path.expanduser(path))):
        raise LocalFileError(
            "the path of a file is wanted, and what is given looks like the content of one",
            hint="Put the content into a file that only its user can read, and give the path of that",
        )


def check_is_file(path: str) -> None:
    """Raise :class:`LocalFileError` for what is no file: a pipe may never be written to, and a device never end.

    What isn't there is for whoever opens it, but for content in the place of a path.
    """
    check_is_path(path)
    if os.path.exists(path) and not os.path.isfile(path):
        raise LocalFileError(f"{absolute(path)} is not a file")


def absolute(path: str) -> str:
    """The path that is really opened, from the root on."""
    return os.path.abspath(os.path.expanduser(path))


def relative_hint(path: str) -> str:
    """What a relative path was relative to, as the hint of an error; empty where the path is absolute."""
    if os.path.isabs(os.path.expanduser(path)):
        return ""
    return (
        "A relative path starts at the working directory of the module on the host on which it runs, "
        f"{os.getcwd()}; give an absolute one"
    )
