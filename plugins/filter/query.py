# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""JMESPath over any data of a play."""

from __future__ import annotations

import collections.abc
import datetime
import numbers
import sys
import typing as t

from ansible.errors import AnsibleFilterError

_LONGEST_SHOWN = 120


def query(data: t.Any, expression: t.Any) -> t.Any:
    """What the JMESPath expression selects in ``data``."""
    try:
        import jmespath
        import jmespath.exceptions
    except ImportError as error:
        raise AnsibleFilterError(
            "The filter imageops.registry.query needs the Python library jmespath where Ansible itself runs. "
            f"Install it for {sys.executable}: python3 -m pip install jmespath."
        ) from error
    if not isinstance(expression, str):
        raise AnsibleFilterError(
            f"The filter imageops.registry.query takes a JMESPath expression as text, not a {_type_name(expression)}."
        )
    text = _plain_text(expression)
    try:
        plain = to_plain(data)
    except RecursionError as error:
        raise AnsibleFilterError(
            "The filter imageops.registry.query cannot take data that is nested so deep, or that contains itself."
        ) from error
    try:
        return jmespath.search(text, plain)
    except jmespath.exceptions.JMESPathTypeError as error:
        expected = " or ".join(dict.fromkeys(_flat(error.expected_types)))
        reason = (
            f"the function {error.function_name}() takes {expected}, and was given the {error.actual_type} "
            f"{_shortened(repr(error.current_value))}"
        )
    except (jmespath.exceptions.JMESPathError, ValueError, TypeError, ArithmeticError) as error:
        # The library's messages go on with the expression and a line that points into it.
        reason = (str(error).splitlines() or [type(error).__name__])[0].rstrip(" :,.")
        reason = reason.replace(", for expression", "")
    except RecursionError:
        reason = "it is nested too deep"
    raise AnsibleFilterError(f"The JMESPath expression {_shortened(repr(text))} cannot be evaluated: {reason}.")


def to_plain(value: t.Any) -> t.Any:
    """``value`` in the types of JSON, exactly those.

    Since ansible-core 2.19 the values of a play are of subclasses that carry tags, and containers that are templated
    while they are read; JMESPath looks at exact types.
    """
    if value is None or value is True or value is False:
        return value
    if isinstance(value, str):
        return _plain_text(value)
    if isinstance(value, numbers.Integral):
        return int(value)
    if isinstance(value, numbers.Real):
        return float(value)
    if isinstance(value, (bytes, bytearray)):
        return bytes(value).decode("utf-8", "replace")
    if isinstance(value, collections.abc.Mapping):
        return {_key(name): to_plain(value[name]) for name in value}
    if isinstance(value, (collections.abc.Set, collections.abc.ValuesView)):
        return sorted((to_plain(entry) for entry in value), key=lambda entry: (type(entry).__name__, str(entry)))
    if isinstance(value, (datetime.date, datetime.time)):
        return _plain_text(value.isoformat())
    if isinstance(value, collections.abc.Iterable):
        return [to_plain(entry) for entry in value]
    return _plain_text(str(value))


def _plain_text(value: str) -> str:
    # str() of a subclass may be that subclass again; what is decoded never is.
    return str.encode(value, "utf-8", "surrogatepass").decode("utf-8", "surrogatepass")


def _key(name: t.Any) -> str:
    """Names are texts in JSON, and JMESPath can't ask for others."""
    if name is None or isinstance(name, bool):
        return {None: "null", True: "true", False: "false"}[name]
    return _plain_text(name if isinstance(name, str) else str(to_plain(name)))


def _flat(types: t.Iterable[t.Any]) -> t.Iterator[str]:
    for name in types:
        if isinstance(name, str):
            yield f"an {name}" if name[0] in "aeiou" else f"a {name}"
        else:
            yield from _flat(name)


def _type_name(value: t.Any) -> str:
    plain = to_plain(value)
    names = {dict: "mapping", list: "list", bool: "truth value", int: "number", float: "number"}
    return names.get(type(plain), "null value")


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST_SHOWN else text[:_LONGEST_SHOWN] + "..."


class FilterModule:
    """The filter of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"query": query}
