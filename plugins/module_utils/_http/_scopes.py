# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What a token is asked for (distribution's token scope documentation)."""

from __future__ import annotations

import typing as t


class Scopes:
    """What a token is asked for: actions by resource. Immutable, and equal whatever the order."""

    def __init__(self, actions: t.Mapping[str, t.Iterable[str]]) -> None:
        self._actions = {resource: frozenset(wanted) for resource, wanted in actions.items()}

    @classmethod
    def repository(cls, name: str, *actions: str) -> Scopes:
        """The scope of one repository."""
        return cls({f"repository:{name}": actions})

    @classmethod
    def parse(cls, text: str) -> Scopes:
        """Read the ``scope`` of a challenge. What isn't of the form type:name:actions is passed over."""
        found: dict[str, set[str]] = {}
        for scope in text.split():
            resource, colon, actions = scope.rpartition(":")
            if colon and ":" in resource:
                found.setdefault(resource, set()).update(action for action in actions.split(",") if action)
        return cls(found)

    @property
    def main_repository(self) -> str:
        """The repository whose account these are for: the one that is pushed to; empty where there is none."""
        for scope in self:
            kind, _colon, rest = scope.partition(":")
            if kind == "repository":
                return rest.rpartition(":")[0]
        return ""

    def union(self, other: Scopes) -> Scopes:
        """These and the other ones."""
        merged = {resource: set(actions) for resource, actions in self._actions.items()}
        for resource, actions in other._actions.items():
            merged.setdefault(resource, set()).update(actions)
        return Scopes(merged)

    def covers(self, other: Scopes) -> bool:
        """Whether a token for these scopes also serves the other ones."""
        return all(actions <= self._actions.get(resource, frozenset()) for resource, actions in other._actions.items())

    def __iter__(self) -> t.Iterator[str]:
        # Some token servers read the first scope only: what may be pushed to comes first.
        def order(resource: str) -> tuple[bool, str]:
            return ("push" not in self._actions[resource], resource)

        for resource in sorted(self._actions, key=order):
            known = [action for action in ("pull", "push", "delete") if action in self._actions[resource]]
            others = sorted(self._actions[resource] - {"pull", "push", "delete"})
            yield f"{resource}:{','.join(known + others)}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Scopes) and self._actions == other._actions

    def __hash__(self) -> int:
        return hash(frozenset(self._actions.items()))

    def __str__(self) -> str:
        return " ".join(self)


CATALOG = Scopes({"registry:catalog": ("*",)})
NOTHING = Scopes({})
