# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Plain data in the hands of users meanwhile: whether it has the shape in which it was returned."""

from __future__ import annotations

import difflib
import typing as t
from collections.abc import Mapping

from .._model._errors import InvalidInput, RegistryError
from .._model._shown import quoted
from ._items import Plain

HINT = "Give the result of image_diff_info as it was registered, with the same source, registry and images"
Shape = t.Mapping[str, type]
"""The keys of a mapping, and what each holds."""
Entry = t.TypeVar("Entry")


def each(entries: t.Any, name: str, read: t.Callable[[t.Any], Entry]) -> list[Entry]:
    """All entries of a list, read. Raises :class:`InvalidInput` for what is wrong with one of them, with its place."""
    if not isinstance(entries, list):
        raise InvalidInput(f"{name} is not a list", hint=HINT)
    found = []
    for number, entry in enumerate(entries):
        try:
            found.append(read(entry))
        except RegistryError as error:
            raise InvalidInput(f"{name}[{number}]: {error.reason}", hint=error.hint or HINT) from error
    return found


def fields(entry: t.Any, shape: Shape, optional: Shape | None = None) -> Plain:
    """An entry that has all of a shape, and at most what is optional besides.

    Raises :class:`InvalidInput` for any other.
    """
    known = shape if optional is None else {**shape, **optional}
    given = entry if isinstance(entry, Mapping) else {}
    for name, kind in known.items():
        value = given.get(name)
        if value is None and name not in shape:
            continue
        # To Python, true is a number as well.
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise InvalidInput(f"it has no {name}, or another one than image_diff_info returns")
    unknown = [str(name) for name in given if name not in known]
    if unknown:
        raise InvalidInput(f"it has the unknown key {quoted(unknown[0])}", hint=meant(unknown, list(known)))
    return dict(given)


def meant(unknown: t.Iterable[str], known: t.Sequence[str]) -> str:
    """Advice about keys that nothing knows: which known one is perhaps meant; empty where none is near."""
    for name in unknown:
        near = difflib.get_close_matches(name, known, n=1)
        if near:
            return f"{quoted(name)} perhaps stands for {near[0]}"
    return ""
