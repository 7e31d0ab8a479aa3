# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Gates: expressions in JMESPath over the image document, which decide whether an image may be promoted.

An expression is compiled once, and looked at for the parts of the document that it names: only those are read.
"""

from __future__ import annotations

import json
import typing as t

from .._model._deliverable import deliverable
from .._model._errors import InvalidInput, printable
from .._model._selection import matches_any, read_repository_patterns

Plain = dict[str, t.Any]

try:
    import jmespath
    from jmespath import functions as _functions

    PROBLEM = ""
except ImportError as _error:
    PROBLEM = f"the Python library jmespath cannot be imported ({_error})"
"""Why gates can't be evaluated here; empty where they can."""

ERROR, WARNING = "error", "warning"
SEVERITIES = (ERROR, WARNING)
_LONGEST_VALUE = 1000
"""Characters of a value in JSON that a result has."""
_DEPTH = 10
"""How deep a value is in a result or record, at most."""
_NULL, _TRUTH_VALUES = "null", ("true", "false")
"""What JSON has as literals, and JMESPath reads as the names of keys where there are no backticks."""
_OWN_CONTEXT = ("subexpression", "pipe", "index_expression", "projection", "value_projection", "filter_projection")
"""What evaluates its first child where it stands itself, and the others on what that gave."""
_UNEVALUABLE = (ValueError, TypeError, KeyError, IndexError, AttributeError, ArithmeticError, RecursionError)
"""What an expression raises that meets values of other types than it was written for."""


class Gate(t.NamedTuple):
    """One condition, which images of some repositories have to meet."""

    name: str
    expression: t.Any
    """Compiled."""
    message: str
    severity: str
    repositories: tuple[str, ...]
    """Patterns of repositories at the source, in shell style, in which ``*`` matches ``/`` too."""
    keys: frozenset[str] | None
    """The parts of the document that the expression names; None where it may see all."""

    def applies_to(self, repository: str) -> bool:
        """Whether one of the patterns matches."""
        return matches_any(repository, self.repositories)

    def judge(self, document: Plain) -> GateResult:
        """What the gate says of an image. Anything but true and false fails, and so does what can't be evaluated."""
        try:
            value = self.expression.search(document)
        except _UNEVALUABLE as error:
            value = f"{type(error).__name__}: {error}"
            return GateResult(self.name, False, self.severity, _bounded(value), self.message)
        return GateResult(self.name, value is True, self.severity, _bounded(value), self.message)

    def names(self, keys: t.AbstractSet[str]) -> bool:
        """Whether the expression may see one of these parts of the document."""
        return self.keys is None or not self.keys.isdisjoint(keys)

    def not_evaluated(self, reason: str) -> GateResult:
        """A failure: what the expression names couldn't be read, so that it would judge what isn't there."""
        return GateResult(self.name, False, self.severity, _bounded(reason), self.message)


class GateResult(t.NamedTuple):
    """What a gate said of an image."""

    name: str
    passed: bool
    severity: str
    value: t.Any
    """What the expression gave, or in words why it gave nothing."""
    message: str

    @property
    def refuses(self) -> bool:
        """Whether the image may not be promoted."""
        return not self.passed and self.severity == ERROR

    @property
    def sentence(self) -> str:
        """Why it failed, without the image."""
        value = printable(json.dumps(self.value, default=str, ensure_ascii=False))
        return f"gate {self.name!r}: {self.message} (it gave {value[:200]})"


def read_gates(entries: t.Sequence[Plain]) -> tuple[Gate, ...]:
    """The gates in a list of plain values. Raises :class:`InvalidInput`, with the place in the list."""
    if entries and PROBLEM:
        raise InvalidInput(
            f"gates cannot be evaluated, since {PROBLEM}",
            hint="Install jmespath for the Python that runs the module",
        )
    gates = tuple(_gate(entry, f"gates[{place}]") for place, entry in enumerate(entries))
    names = [gate.name for gate in gates]
    for place, name in enumerate(names):
        if name in names[:place]:
            raise InvalidInput(f"gates[{place}]: another gate is called {name!r}", hint="Give each gate its own name")
    return gates


def keys_named(gates: t.Iterable[Gate]) -> frozenset[str] | None:
    """The parts of the document that these gates need; None where one of them may see all."""
    found: frozenset[str] = frozenset()
    for gate in gates:
        if gate.keys is None:
            return None
        found |= gate.keys
    return found


def of_unknown_keys(gates: t.Iterable[Gate], known: t.Collection[str]) -> list[str]:
    """A sentence for each gate that names what no document has, such as a text in the wrong quotes: that is null.

    Whoever writes ``null`` without backticks means just that.
    """
    sentences = []
    for gate in gates:
        names = sorted((gate.keys or frozenset()).difference(known, [_NULL]))
        if names:
            named = ", ".join(f'"{name}"' for name in names)
            how = f"Text is written in single quotes: '{names[0]}'"
            if set(names) & set(_TRUTH_VALUES):
                how = "Truth values are written in backticks: `true`"
            sentences.append(
                f"gate {gate.name!r} names {named}, and the image document has no such key: that gives null. {how}."
            )
    return sentences


def _gate(entry: Plain, where: str) -> Gate:
    name, that = entry["name"], entry["that"]
    if not name.strip():
        raise InvalidInput(f"{where}: it has no name")
    try:
        expression = jmespath.compile(that)
    except (ValueError, RecursionError) as error:
        first = str(error).strip().splitlines()[0].partition(", for expression")[0].rstrip(".")
        raise InvalidInput(
            f"{where}.that: {that!r} is not a JMESPath expression: {first}",
            hint="Write numbers, true, false and null in backticks, and text in single quotes",
        ) from None
    _check_functions(expression.parsed, where)
    return Gate(
        name,
        expression,
        entry["msg"] or f"{that} is not true",
        entry["severity"],
        read_repository_patterns(entry["repositories"], f"{where}.repositories"),
        _root_keys(expression.parsed),
    )


def _check_functions(node: t.Any, where: str) -> None:
    """Raise :class:`InvalidInput` for a function that isn't there, or gets another number of arguments."""
    if node["type"] == "function_expression":
        known = _functions.Functions.FUNCTION_TABLE.get(node["value"])
        if known is None:
            raise InvalidInput(f"{where}.that: there is no function {node['value']}()")
        wanted, given = len(known["signature"]), len(node["children"])
        is_variadic = bool(known["signature"]) and bool(known["signature"][-1].get("variadic"))
        if given < wanted or (given > wanted and not is_variadic):
            least = "at least " if is_variadic else ""
            raise InvalidInput(f"{where}.that: {node['value']}() takes {least}{wanted} arguments, and gets {given}")
    if node["type"] == "slice":
        # Its children are numbers.
        return
    for child in node["children"]:
        _check_functions(child, where)


def _root_keys(node: t.Any) -> frozenset[str] | None:
    """The fields that a node takes of the whole document; None where it takes the document itself."""
    kind, children = node["type"], node["children"]
    if kind == "field":
        return frozenset([node["value"]])
    if kind in ("current", "identity"):
        return None
    if kind == "expref":
        # It is evaluated on the entries of a list.
        return frozenset()
    if kind in _OWN_CONTEXT:
        children = children[:1]
    found: frozenset[str] = frozenset()
    for child in children:
        keys = _root_keys(child)
        if keys is None:
            return None
        found |= keys
    return found


def _bounded(value: t.Any) -> t.Any:
    """A value that results and records can carry: plain data, or the beginning of its JSON where it is long."""
    try:
        text = json.dumps(value, default=str)
        if len(text) <= _LONGEST_VALUE:
            return deliverable(json.loads(text), _DEPTH)
    except RecursionError:
        return "it is nested too deep"
    return f"{text[:_LONGEST_VALUE]}..."
