# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This plugin util is PRIVATE to the collection. It can have breaking changes at any time.

"""What is wrong with the variables of the collection's roles, said in their names.

A task of a role looks at the two ends before its module starts, and the module at what else it is given: a
specification of the role with these types would answer a slip with all of itself, and pass over a variable whose name
is misspelt.
"""

from __future__ import annotations

import difflib
import re
import typing as t
from collections.abc import Mapping

Plain = dict[str, t.Any]

CONNECTION_OPTIONS = (
    "registry",
    "username",
    "password",
    "token",
    "auth_file",
    "search_auth_files",
    "plain_http",
    "validate_certs",
    "ca_path",
    "client_cert",
    "client_key",
    "trusted_realm_hosts",
)
"""What a source and a destination may hold."""
_LOGIN = ("username", "token", "auth_file")
"""What must not be empty. A password may be: there are registries that take it."""
_NEAR = 0.85
_IN_A_FILE = "On the command line, give it in a file, with -e @variables.yml"


class RoleVariables(t.NamedTuple):
    """The variables of a role: all of its task, as they were given, and what the role has for those that weren't.

    ``prefix`` begins the names of the role's own, such as ``promote_``.
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
        for name in self.given:
            if name.startswith(self.prefix) and name not in self.defaults:
                near = difflib.get_close_matches(name, known, n=1, cutoff=_NEAR)
                if near and self._is_default(near[0]):
                    found.append((name, near[0]))
        return found

    def mistake(self, arguments: Plain, template: t.Callable[[t.Any], t.Any]) -> str:
        """What is wrong with the source or the destination, in one sentence; empty if nothing is.

        ``arguments`` are those of the role's task, in which values are evaluated already.
        """
        return self._mistake_in_ends(template) or self._mistake_in_logins(arguments)

    def named(self, message: str) -> str:
        """The message of a module; an option that it begins with gets the name of the role's variable for it."""
        option = re.match(r"[a-z_]*", message)
        return f"{self.prefix}{message}" if option and f"{self.prefix}{option[0]}" in self.given else message

    def _is_default(self, name: str) -> bool:
        return self.given.get(name) is self.defaults[name]

    def _mistake_in_ends(self, template: t.Callable[[t.Any], t.Any]) -> str:
        ends = [f"{self.prefix}source", f"{self.prefix}destination"]
        for name in ends:
            value = _resolved(self.given.get(name), template)
            if value is None:
                continue
            if not isinstance(value, Mapping):
                return (
                    f"{' and '.join(ends)} must be mappings such as {{registry: prod.example}}, and {name} is "
                    f"{_kind(value)}. {_IN_A_FILE}"
                )
            for key in value:
                if key not in CONNECTION_OPTIONS:
                    near = difflib.get_close_matches(str(key), CONNECTION_OPTIONS, n=1)
                    hint = f"Perhaps {near[0]} is meant" if near else f"It may hold {', '.join(CONNECTION_OPTIONS)}"
                    return f"{name} holds {key}, which is no option of a connection. {hint}"
            if value.get("registry") in (None, ""):
                return f"{name} has no registry. Give it as host or host:port, such as {{registry: prod.example}}"
        return ""

    def _mistake_in_logins(self, arguments: Plain) -> str:
        for end, options in _ends(arguments):
            for option in _LOGIN:
                if options.get(option) == "":
                    name = f"{self.prefix}{end}"
                    return (
                        f"{name}.{option} is empty. Give a value, or leave {option} out of {name}. An environment "
                        "variable that isn't set gives an empty text"
                    )
        return ""


def _resolved(value: t.Any, template: t.Callable[[t.Any], t.Any]) -> t.Any:
    """The value itself where its kind is seen without evaluating what is in it: that may be a lookup of a secret."""
    return value if value is None or isinstance(value, (Mapping, list)) else template(value)


def _ends(arguments: Plain) -> t.Iterator[tuple[str, Mapping[str, t.Any]]]:
    """The ends of a role's task by their names in the role, with their options."""
    source = arguments.get("source")
    if isinstance(source, Mapping):
        yield "source", source
    yield ("source" if arguments.get("state") == "exported" else "destination"), arguments


def _kind(value: t.Any) -> str:
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    return "text" if isinstance(value, str) else "true or false" if isinstance(value, bool) else "a number"
