# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This plugin util is PRIVATE to the collection. It can have breaking changes at any time.

"""What is wrong with the variables of the collection's roles, said in their names.

A task of a role looks at what the two ends are before its module starts, and the module at what it is given: a
specification of the role with these types would answer a slip with all of itself, and pass over a variable whose name
is misspelt. In what the module says, its options get the names of the role's variables.
"""

from __future__ import annotations

import difflib
import re
import typing as t
from collections.abc import Mapping

from ..module_utils._module._connection import ONE_END
from ..module_utils._module._shapes import kind_of, misshapen
from ._missing_variables import NEAR
from ._missing_variables import sentence as what_is_missing

Plain = dict[str, t.Any]

CONNECTION_OPTIONS = tuple(ONE_END)
"""What a source and a destination may hold."""
_OTHER_NAMES = tuple(alias for option in ONE_END.values() for alias in option.get("aliases", ()))
"""What modules, and so ``module_defaults`` of a play, call some of them besides."""
_PLACE = re.compile(
    r"(?P<option>[a-z_]+)(?:\.(?P<suboption>[a-z_]+))?(?:[\[.][\]\[a-z_0-9.]+)?"
    r"(?=: | (?:must|has|is|are|does|cannot|takes|goes|mends)\b)"
)
"""An option, and where in it, that a sentence of a module begins with."""
_ON_ERROR: Plain = {"type": "str", "choices": ["fail", "continue"]}
_IN_A_FILE = "On the command line, give it in a file, with -e @variables.yml."
_NEVER_EMPTY = ("username", "token", "auth_file", "ca_path", "client_cert", "client_key")
"""Looked at here as well, since the role transfer comes to its destination late. Templates are left to modules."""


class RoleVariables(t.NamedTuple):
    """The variables of a role: all of its task, as they were given, and what the role has for those that weren't.

    ``prefix`` begins the names of the role's own, such as ``promote_``. Two variables of the role itself say what it
    needs: ``__promote_needed``, names, and ``__promote_mistake``, what else is wrong, in one sentence or empty.
    """

    prefix: str
    given: Mapping[str, t.Any]
    defaults: Mapping[str, t.Any]

    def misspelt(self) -> list[tuple[str, str]]:
        """Names that the role doesn't know, each with the one that it knows, is near to it and isn't set.

        Only names are compared. Users may have variables of their own with the same prefix.
        """
        known = [name for name in self.defaults if name.startswith(self.prefix)]
        found = []
        for name in self._names():
            if name not in self.defaults:
                near = difflib.get_close_matches(name, known, n=1, cutoff=NEAR)
                if near and self._is_default(near[0]):
                    found.append((name, near[0]))
        return found

    def mistake(self, template: t.Callable[[t.Any], t.Any], arguments: Plain) -> str:
        """What the module of the task doesn't see, in one sentence; empty if nothing is wrong.

        That is what is missing, what is wrong with the source or the destination as a whole, and with what the role
        itself decides by. ``arguments`` are those of the role's task; what is evaluated in them isn't evaluated again.
        """
        return (
            what_is_missing(self.given.get(f"__{self.prefix}needed", ()), self._names())
            or self._mistake_by_role(template)
            or self._mistake_in_ends(template, arguments)
            or self._mistake_in_on_error(template)
        )

    def connected(self, arguments: Plain) -> Plain:
        """The arguments of the role's task for its module: ``registry``, there a mapping, is divided into its options.

        Other options of a connection come from ``module_defaults`` of the play, which may hold the login for another
        registry, and are dropped.
        """
        end = arguments.get("registry")
        if not isinstance(end, Mapping):
            return arguments
        others = {name: value for name, value in arguments.items() if name not in (*CONNECTION_OPTIONS, *_OTHER_NAMES)}
        return {**others, **end}

    def named(self, result: Plain, arguments: Plain) -> Plain:
        """The result of a module whose message names the role's variables in place of the module's options.

        An option stands in front of the message, or of the reason in it. ``arguments`` are those of the role's task.
        """
        message = str(result.get("msg", ""))
        error = result.get("error")
        reason = str(error["reason"]) if isinstance(error, Mapping) and error.get("reason") else ""
        for sentence in (message, reason):
            named = self._named(sentence, arguments)
            if named != sentence:
                return {**result, "msg": message.replace(sentence, named, 1)}
        return result

    def _named(self, sentence: str, arguments: Plain) -> str:
        place = _PLACE.match(sentence)
        name = self._variable(place["option"], place["suboption"] or "", arguments) if place else ""
        return f"{name}{sentence[place.end('option') :]}" if place and name else sentence

    def _variable(self, option: str, suboption: str, arguments: Plain) -> str:
        """The role's name for an option of its task; empty where the user gives it by none, or it is another word.

        A sentence may begin with the name of a host, such as registry.example or source.example.
        """
        if option in CONNECTION_OPTIONS:
            return "" if suboption else f"{self._end_of_registry(arguments)}.{option}"
        if option == "source" and suboption and suboption not in CONNECTION_OPTIONS:
            return ""
        return f"{self.prefix}{option}" if f"{self.prefix}{option}" in self.given else ""

    def _end_of_registry(self, arguments: Plain) -> str:
        """The variable with the connection that the task gives as ``registry``."""
        return f"{self.prefix}{'source' if arguments.get('state') == 'exported' else 'destination'}"

    def _names(self) -> list[str]:
        return [name for name in self.given if name.startswith(self.prefix)]

    def _is_default(self, name: str) -> bool:
        return self.given.get(name) is self.defaults[name]

    def _mistake_by_role(self, template: t.Callable[[t.Any], t.Any]) -> str:
        own = self.given.get(f"__{self.prefix}mistake")
        return str(template(own)) if own else ""

    def _mistake_in_ends(self, template: t.Callable[[t.Any], t.Any], arguments: Plain) -> str:
        source, destination = f"{self.prefix}source", f"{self.prefix}destination"
        # A role that works within one registry has no source.
        ends = [source, destination] if source in self.given.get(f"__{self.prefix}needed", (source,)) else [destination]
        evaluated = {source: arguments.get("source"), self._end_of_registry(arguments): arguments.get("registry")}
        for name in ends:
            value = _resolved(self.given.get(name), template, evaluated.get(name))
            if value is None:
                continue
            if not isinstance(value, Mapping):
                kind = "mappings" if len(ends) > 1 else "a mapping"
                return (
                    f"{' and '.join(ends)} must be {kind} such as {{registry: prod.example}}, and {name} is "
                    f"{kind_of(value)}. {_IN_A_FILE}"
                )
            for key in value:
                if key not in CONNECTION_OPTIONS:
                    near = difflib.get_close_matches(str(key), CONNECTION_OPTIONS, n=1)
                    hint = f"Perhaps {near[0]} is meant" if near else f"Its keys can be {', '.join(CONNECTION_OPTIONS)}"
                    return f"{name} has the key {key}, which is not a connection option. {hint}."
            if value.get("registry") in (None, ""):
                return f"{name} has no registry. Give it as host or host:port, such as {{registry: prod.example}}."
            empty = next((option for option in _NEVER_EMPTY if value.get(option) == ""), "")
            if empty:
                return f"{name}.{empty} is empty. Give a value, or leave {empty} out of {name}."
        return ""

    def _mistake_in_on_error(self, template: t.Callable[[t.Any], t.Any]) -> str:
        name = f"{self.prefix}on_error"
        return misshapen({name: _ON_ERROR}, {name: _resolved(self.given.get(name), template)})


def _resolved(value: t.Any, template: t.Callable[[t.Any], t.Any], evaluated: t.Any = None) -> t.Any:
    """The value itself where its kind is seen without evaluating what is in it: that may be a lookup of a secret.

    Else what it was ``evaluated`` to, if that is a mapping.
    """
    if value is None or isinstance(value, (Mapping, list)):
        return value
    return evaluated if isinstance(evaluated, Mapping) else template(value)
