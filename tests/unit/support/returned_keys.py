# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Results of modules against their RETURN: all that they return is in it, and all that is in it is returned."""

from __future__ import annotations

import collections
import typing as t

import yaml

Plain = dict[str, t.Any]

OF_ANSIBLE = frozenset(["changed", "failed", "msg", "diff", "warnings", "deprecations"])
"""Keys that mean the same in every module, and that no module documents. Ansible takes out those with ``_ansible_``."""
OF_FILES = frozenset(["uid", "gid", "owner", "group", "mode", "state", "size", "secontext"])
"""Keys that Ansible adds to every result with a ``path`` that is there."""
AT_TOP = "all keys of the only entry are also returned at the top level"
"""What the description of a list says whose only entry is there twice."""
TYPES: dict[str, tuple[type, ...]] = {
    "str": (str,),
    "int": (int,),
    "float": (int, float),
    "bool": (bool,),
    "list": (list,),
    "dict": (dict,),
    "raw": (object,),
}

SEEN: dict[str, set[str]] = collections.defaultdict(set)
"""The places of all documented keys that modules have returned in this process, by module."""


def documented(text: str) -> Plain:
    """What a module documents in the text of its RETURN, with the keys that come at the top level as well."""
    returned: Plain = yaml.safe_load(text)
    for value in list(returned.values()):
        if AT_TOP in " ".join(value["description"]):
            returned = {**value["contains"], **returned}
    return returned


def note(module: str, result: Plain, text: str) -> None:
    """Remember the keys of a result. Raises AssertionError for one that RETURN doesn't have, or has otherwise."""
    others = OF_ANSIBLE | (OF_FILES if "path" in result else frozenset())
    own = {key: value for key, value in result.items() if key not in others and not key.startswith("_ansible_")}
    for place, problem in _walk(own, documented(text), ""):
        assert not problem, f"{module} returns {place}, {problem}"
        SEEN[module].add(place)


def places(returned: Plain, before: str = "") -> t.Iterator[str]:
    """The places of all keys that are documented."""
    for key, value in returned.items():
        yield f"{before}{key}"
        yield from places(value.get("contains", {}), f"{before}{key}{'[]' if value['type'] == 'list' else ''}.")


def never_returned(module: str, text: str) -> list[str]:
    """The places of documented keys that the module has not returned, those within them left out."""
    missing = [place for place in places(yaml.safe_load(text)) if place not in SEEN[module]]
    return [one for one in missing if not any(one.startswith((f"{other}.", f"{other}[].")) for other in missing)]


def _walk(found: Plain, returned: Plain, before: str) -> t.Iterator[tuple[str, str]]:
    """Every key with its place, and what is wrong with it; empty where nothing is."""
    for key, value in found.items():
        place = f"{before}{key}"
        known = returned.get(key)
        if known is None:
            yield place, "which its RETURN does not have"
            continue
        yield place, _mistyped(value, known)
        inner = known.get("contains")
        if inner and isinstance(value, dict):
            yield from _walk(value, inner, f"{place}.")
        elif inner and isinstance(value, list):
            for entry in value:
                yield from _walk(entry, inner, f"{place}[].")


def _mistyped(value: t.Any, known: Plain) -> str:
    """What is wrong with the type of a value; empty where nothing is. Null stands for what isn't there."""
    for one, kind in [(value, known["type"]), *((entry, known["elements"]) for entry in _entries(value, known))]:
        # True is an integer in Python, and nowhere else.
        fits = isinstance(one, TYPES[kind]) and not (isinstance(one, bool) and kind in ("int", "float"))
        if one is not None and not fits:
            return f"which has {one!r} where its RETURN says {kind}"
    return ""


def _entries(value: t.Any, known: Plain) -> list[t.Any]:
    return value if known["type"] == "list" and isinstance(value, list) else []
