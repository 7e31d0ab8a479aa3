# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Deletes that are known to have happened."""

from __future__ import annotations

import typing as t

from ._errors import Unsupported


def delete_for_sure(delete: t.Callable[[], bool], is_there: t.Callable[[], bool], what: str) -> None:
    """Delete what is there. ``delete`` returns whether the registry says that it was.

    Some registries without deletes answer 404. Raises :class:`Unsupported` where it is still there then.
    """
    if not delete() and is_there():
        raise Unsupported(
            "the registry answers that it isn't there, although it is", hint="It may not offer deletes"
        ).within(what)
