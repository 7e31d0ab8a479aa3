# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Values that others have chosen, in the form in which JSON, UTF-8 and a play can carry them."""

from __future__ import annotations

import math
import typing as t

_MAXIMUM_NESTING = 100


def deliverable(value: t.Any, depth: int = 0) -> t.Any:
    """A value in the form in which it reaches a play or a record: registries choose texts and keys of contents.

    ansible-core takes keys that start as its own do for instructions, and refuses what UTF-8 can't carry; the task
    would end with an error that names neither. Such keys get one more underscore, such characters a question mark, and
    numbers that JSON doesn't know become None. ``depth`` is that of the value in what it belongs to. Raises
    :class:`RecursionError` for what is nested deeper than a play can take.
    """
    if depth > _MAXIMUM_NESTING:
        raise RecursionError
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, dict):
        cleaned = {deliverable(name): deliverable(inner, depth + 1) for name, inner in value.items()}
        return {f"_{name}" if str(name).startswith("__ansible") else name: inner for name, inner in cleaned.items()}
    if isinstance(value, (list, tuple)):
        return [deliverable(inner, depth + 1) for inner in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
