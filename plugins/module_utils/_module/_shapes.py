# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Whether options have the shapes, kinds and values that their argument spec wants, and go together."""

from __future__ import annotations

import difflib
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
_TRUTH_VALUES = frozenset(["y", "yes", "on", "1", "true", "t", "1.0", "n", "no", "off", "0", "false", "f", "0.0"])
_KINDS = {"bool": "true or false", "int": "a whole number", "float": "a number"}
_LISTS = {
    **dict.fromkeys(_PATTERNS, '["v1.*"]'),
    "tags": '["1.4.2", "stable"]',
    "platforms": '["linux/amd64"]',
    "artifacts": "[application/spdx+json]",
}
_MEANT = {"name": "repository", "image": "repository"}
"""Names of options in other tools that aren't near to ours."""


def with_declared_names(given: Plain) -> Plain:
    """The options, with ``msg`` for the ``message`` of a gate.

    Results call it ``message``, and ansible-core lets no option or alias have that name.
    """
    gates = given.get("gates")
    if not isinstance(gates, list):
        return given
    return {**given, "gates": [_with_msg(gate) for gate in gates]}


def _with_msg(gate: t.Any) -> t.Any:
    if not isinstance(gate, Mapping) or "message" not in gate or "msg" in gate:
        return gate
    return {("msg" if name == "message" else name): value for name, value in gate.items()}


def misshapen(spec: Plain, given: t.Any, place: str = "") -> str:
    """What is wrong with the options, in a sentence that begins with the first of them; empty where nothing is.

    What ansible-core converts as everybody expects it, such as one text to a list with it, is left to it.
    """
    for name, option in spec.items():
        spellings = (name, *option.get("aliases", ()))
        values = {spelling: given[spelling] for spelling in spellings if given.get(spelling) is not None}
        if option.get("required") and not values:
            return f"{place}{name} must be given."
        if place and not values and option.get("default") is not None and any(one in given for one in spellings):
            # Of the options themselves, null is as if they weren't given; ansible-core fails for suboptions.
            sentence = _misshapen(name, place + name, option, None)
            if sentence:
                return f"{sentence} Leave it out to get the default."
        found = (_misshapen(name, place + spelling, option, value) for spelling, value in values.items())
        sentence = next(filter(None, found), "")
        if sentence:
            return sentence
    return ""


def without_unreadable(spec: Plain, given: t.Any) -> Plain:
    """The options without those that ansible-core fails to read: what is no mapping where suboptions are wanted.

    It would raise an exception that names no option, before what is wrong is said. Secrets among the others are still
    found, and hidden.
    """
    kept = dict(given)
    for name, option in spec.items():
        if not option.get("options"):
            continue
        for spelling in (name, *option.get("aliases", ())):
            if kept.get(spelling) is not None:
                kept[spelling] = _readable(option, kept[spelling])
    return kept


def _readable(option: Plain, value: t.Any) -> t.Any:
    """A value of an option with suboptions; None where it is of another kind."""
    if option.get("type") == "list":
        entries = value if isinstance(value, list) else [value]
        return [entry for entry in (_readable_mapping(option, one) for one in entries) if entry is not None]
    return _readable_mapping(option, value)


def _readable_mapping(option: Plain, value: t.Any) -> t.Any:
    return without_unreadable(option["options"], value) if isinstance(value, Mapping) else None


def broken_rule(rules: Plain, given: t.Any, place: str = "") -> str:
    """Which option doesn't go with another one, in a sentence that begins with it; empty where all do.

    ``rules`` are those of an argument spec, beside their ``options`` (for a module, ``argument_spec``), which may be
    given by another name. What they say of options of which one must be given is left to ansible-core.
    """
    there = {name: name for name, value in given.items() if value is not None}
    for name, option in (rules.get("options") or rules.get("argument_spec") or {}).items():
        for alias in option.get("aliases", ()):
            if alias in there:
                there.setdefault(name, alias)
    for together in rules.get("required_together") or ():
        missing = [name for name in together if name not in there]
        if missing and len(missing) < len(together):
            beside = next(there[name] for name in together if name in there)
            return f"{place}{missing[0]} is needed beside {beside}."
    for exclusive in rules.get("mutually_exclusive") or ():
        both = [there[name] for name in exclusive if name in there]
        if len(both) > 1:
            return f"{place}{both[1]} cannot be given beside {both[0]}."
    for name, needed in (rules.get("required_by") or {}).items():
        missing = [other for other in needed if other not in there]
        if name in there and missing:
            return f"{place}{missing[0]} is needed beside {there[name]}."
    for name, value, needed, *_any in rules.get("required_if") or ():
        missing = [other for other in needed if other not in there]
        if given.get(name) == value and missing:
            return f"{place}{missing[0]} must be given where {name} is {value}."
    return ""


def _misshapen(name: str, place: str, option: Plain, value: t.Any) -> str:
    kind = option.get("type", "str")
    if kind == "list":
        return _of_list(name, place, option, value)
    if kind == "dict":
        return _of_mapping(name, place, option, value)
    if kind in ("str", "path") and isinstance(value, (Mapping, list)):
        return f"{place} must be text, and {kind_of(value)} was given."
    if kind in _KINDS and not _is_of(kind, value):
        return f"{place} must be {_KINDS[kind]}, and {_other(kind, value)} was given."
    choices = option.get("choices")
    if kind == "str" and choices and str(value) not in choices:
        return f"{place} must be {', '.join(choices[:-1])} or {choices[-1]}, and {_other(kind, value)} was given."
    return ""


def _is_of(kind: str, value: t.Any) -> bool:
    """Whether ansible-core takes the value for a truth value or a number."""
    if value is None or isinstance(value, (Mapping, list)):
        return False
    if kind == "bool":
        return str(value).strip().lower() in _TRUTH_VALUES
    try:
        number = float(value)
        return kind == "float" or number == int(number)
    except (ValueError, OverflowError):
        return False


def _other(kind: str, value: t.Any) -> str:
    """What was given in place of a value of that kind. The value itself isn't shown: it may be a secret."""
    if kind == "str" and isinstance(value, str):
        return "other text" if value else "empty text"
    return "another number" if kind == "int" and isinstance(value, float) else kind_of(value)


def _of_list(name: str, place: str, option: Plain, value: t.Any) -> str:
    if value is None:
        return f"{place} must be {_wanted(name, option)}, and null was given."
    if isinstance(value, list):
        element = {**option, "type": option.get("elements", "raw")}
        found = (_of_element(name, f"{place}[{position}]", element, entry) for position, entry in enumerate(value))
        return next(filter(None, found), "")
    if isinstance(value, str) and name in _PATTERNS and "," in value:
        return (
            f"{place} must be a list of regular expressions, and text with a comma was given, which would be split "
            "there. Put the expression into a list, between '[' and ']', in quotes."
        )
    if isinstance(value, str) and option.get("elements") != "dict":
        return _of_tags(place, value) if name == "tags" else ""
    if isinstance(value, int) and not isinstance(value, bool) and option.get("elements") != "dict":
        return ""
    sentence = f"{place} must be {_wanted(name, option)}, and {kind_of(value)} was given."
    if isinstance(value, float):
        return f"{sentence} Put each entry in quotes: without them, 1.10 is 1.1."
    if isinstance(value, Mapping) and option.get("elements") != "dict":
        return f"{sentence} Give a list such as {_LISTS[name]}." if name in _LISTS else sentence
    return f"{sentence} {_advice(name, value)}".rstrip()


def _of_tags(place: str, text: str) -> str:
    """What is wrong with one text as the tags: split at a comma, it would move a tag that nobody named by itself."""
    if "," not in text:
        return ""
    return f"{place} must be a list, and text with a comma was given. Give a list such as {_LISTS['tags']}."


def _of_element(name: str, place: str, element: Plain, value: t.Any) -> str:
    if element["type"] == "dict":
        return _of_mapping(name, place, element, value)
    if value is None or isinstance(value, (Mapping, list)):
        return f"{place} must be text, and {kind_of(value)} was given."
    return ""


def _of_mapping(name: str, place: str, option: Plain, value: t.Any) -> str:
    options = option.get("options") or {}
    if isinstance(value, Mapping):
        if name == "images" and "registry" in value:
            return (
                f"{place} has the key registry, which is an option of the task. Make entries of references with the "
                "filter imageops.registry.image_entries."
            )
        return (
            _unknown(options, value, place)
            or misshapen(options, value, f"{place}.")
            or broken_rule(option, value, f"{place}.")
        )
    if isinstance(value, str) and _is_convertible(value):
        return ""
    example = f" such as {_EXAMPLES[name]}" if name in _EXAMPLES else ""
    return f"{place} must be a mapping{example}, and {kind_of(value)} was given. {_advice(name, value)}".rstrip()


def misspelt(options: Plain, given: Mapping[t.Any, t.Any]) -> str:
    """Which option of a task the module doesn't have, and which is meant; empty where that can't be guessed."""
    known = _spellings(options)
    for key in given:
        meant = "" if key in known or str(key).startswith("_ansible_") else _meant(options, key)
        if meant:
            return f"{key} is not an option of this module. Perhaps {meant} is meant."
    return ""


def _unknown(options: Plain, value: Mapping[t.Any, t.Any], place: str) -> str:
    """Which key is no option, and which option is perhaps meant. Mappings without options may hold anything."""
    known = _spellings(options)
    for key in value if options else ():
        if key not in known:
            meant = _meant(options, key)
            hint = f"Perhaps {meant} is meant" if meant else f"Its keys can be {', '.join(options)}"
            return f"{place} has the unknown key {key}. {hint}."
    return ""


def _spellings(options: Plain) -> list[str]:
    return [spelling for name, option in options.items() for spelling in (name, *option.get("aliases", ()))]


def _meant(options: Plain, key: t.Any) -> str:
    """The option that an unknown key is close to; empty where there is none."""
    if _MEANT.get(key) in options:
        return _MEANT[key]
    return next(iter(difflib.get_close_matches(str(key), _spellings(options), n=1)), "")


def _is_convertible(text: str) -> bool:
    """Whether ansible-core takes the text for a mapping, in JSON or as key=value."""
    return text.startswith("{") or "=" in text


def _wanted(name: str, option: Plain) -> str:
    kind = option.get("type", "str")
    if kind == "list" and option.get("elements") == "dict":
        return "a list of mappings" + (f" such as {_EXAMPLES[name]}" if name in _EXAMPLES else "")
    return {"list": "a list", "dict": "a mapping"}[kind]


def kind_of(value: t.Any) -> str:
    """What a value is, in words."""
    if value is None:
        return "null"
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    return "text" if isinstance(value, str) else "a truth value" if isinstance(value, bool) else "a number"


def _advice(name: str, value: t.Any) -> str:
    if isinstance(value, Mapping):
        if "images" in value:
            return "Take its images, or make entries of it with the filter imageops.registry.image_entries."
        return "Put it into a list, with '- ' in front."
    if isinstance(value, str) and value.lstrip().startswith(("[", "{")):
        return (
            "Convert it with the filter from_json, or, on the command line, give it in a file, with -e @variables.yml."
        )
    if isinstance(value, str) and name == "images":
        return "Make entries of references with the filter imageops.registry.image_entries."
    return ""
