# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Whether options have the shapes that their argument spec wants: lists, mappings, text."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping

Plain = dict[str, t.Any]

_PATTERNS = ("immutable_tags", "match", "exclude")
"""Lists of regular expressions, in which a comma may be part of one."""
_EXAMPLES = {
    "images": '{repository: team/app, tag: "1.4.2"}',
    "manifests": "{repository: team/app, digest: sha256:...}",
    "tags": '{repository: team/app, tag: "1.4.2", digest: sha256:...}',
    "source": "{registry: dev.example}",
}


def misshapen(spec: Plain, given: t.Any, place: str = "") -> str:
    """What is wrong with the shapes of the options, in a sentence that names the first of them; empty where it is none.

    What ansible-core converts as everybody expects it, such as one text to a list with it, is left to it.
    """
    for name, option in spec.items():
        for spelling in (name, *option.get("aliases", ())):
            value = given.get(spelling)
            if value is None and not (spelling in given and option.get("required")):
                continue
            found = _misshapen(name, place + spelling, option, value)
            if found:
                return found
    return ""


def _misshapen(name: str, place: str, option: Plain, value: t.Any) -> str:
    kind = option.get("type", "str")
    if value is None:
        return f"{place} is null, and must be {_wanted(name, option)}."
    if kind == "list":
        return _of_list(name, place, option, value)
    if kind == "dict":
        return _of_mapping(name, place, option, value)
    if kind in ("str", "path") and isinstance(value, (Mapping, list)):
        return f"{place} must be text, and {_kind_of(value)} was given."
    return ""


def _of_list(name: str, place: str, option: Plain, value: t.Any) -> str:
    if isinstance(value, list):
        element = {"type": option.get("elements", "raw"), "options": option.get("options")}
        found = (_of_element(name, f"{place}[{position}]", element, entry) for position, entry in enumerate(value))
        return next(filter(None, found), "")
    if isinstance(value, str) and name in _PATTERNS and "," in value:
        return (
            f"{place} must be a list of regular expressions, and text with a comma was given, which would be split "
            "there. Put the expression into a list, between '[' and ']', in quotes."
        )
    if isinstance(value, str) and option.get("elements") != "dict":
        return ""
    if isinstance(value, int) and not isinstance(value, bool) and option.get("elements") != "dict":
        return ""
    sentence = f"{place} must be {_wanted(name, option)}, and {_kind_of(value)} was given."
    if isinstance(value, float):
        return f"{sentence} Put each entry in quotes: without them, 1.10 is 1.1."
    return f"{sentence} {_advice(name, value)}".rstrip()


def _of_element(name: str, place: str, element: Plain, value: t.Any) -> str:
    if element["type"] == "dict":
        return _of_mapping(name, place, element, value)
    if value is None or isinstance(value, (Mapping, list)):
        return f"{place} must be text, and {_kind_of(value)} was given."
    return ""


def _of_mapping(name: str, place: str, option: Plain, value: t.Any) -> str:
    options = option.get("options") or {}
    if isinstance(value, Mapping):
        if name == "images" and "registry" in value:
            return (
                f"{place} has the key registry, which is an option of the task. Make entries of references with the "
                "filter imageops.registry.image_entries."
            )
        return misshapen(options, value, f"{place}.")
    if isinstance(value, str) and _is_convertible(value):
        return ""
    example = f" such as {_EXAMPLES[name]}" if name in _EXAMPLES else ""
    return f"{place} must be a mapping{example}, and {_kind_of(value)} was given. {_advice(name, value)}".rstrip()


def _is_convertible(text: str) -> bool:
    """Whether ansible-core takes the text for a mapping, in JSON or as key=value."""
    return text.startswith("{") or "=" in text


def _wanted(name: str, option: Plain) -> str:
    kind = option.get("type", "str")
    if kind == "list" and option.get("elements") == "dict":
        return "a list of mappings" + (f" such as {_EXAMPLES[name]}" if name in _EXAMPLES else "")
    return {"list": "a list", "dict": "a mapping", "str": "text", "path": "a path"}.get(kind, f"of the type {kind}")


def _kind_of(value: t.Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, (list, tuple)):
        return "a list"
    return "text" if isinstance(value, str) else "a truth value" if isinstance(value, bool) else "a number"


def _advice(name: str, value: t.Any) -> str:
    if isinstance(value, Mapping):
        return "Put it into a list, with '- ' in front."
    if isinstance(value, str) and value.lstrip().startswith(("[", "{")):
        return (
            "Convert it with the filter from_json, or, on the command line, give it in a file, with -e @variables.yml."
        )
    if isinstance(value, str) and name == "images":
        return "Make entries of references with the filter imageops.registry.image_entries."
    return ""
