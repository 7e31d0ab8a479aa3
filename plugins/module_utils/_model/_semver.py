# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Versions by Semantic Versioning 2.0.0, and ranges of them with the grammar and the meaning of node-semver.

All patterns are matched against short texts and from one position only, so that no input makes them slow.
"""

from __future__ import annotations

import re
import typing as t

from ._errors import InvalidInput
from ._shown import quoted, without_login

_LONGEST_VERSION = 128
_LONGEST_RANGE = 512

_NUMBER = r"(?:0|[1-9][0-9]*)"
_IDENTIFIER = rf"(?:{_NUMBER}(?![0-9A-Za-z-])|[0-9]*[A-Za-z-][0-9A-Za-z-]*)"
_PRERELEASE = rf"(?:-(?P<prerelease>{_IDENTIFIER}(?:\.{_IDENTIFIER})*))?"
# A tag can't have a '+'; Helm writes '_' in its place.
_BUILD = r"(?:[+_][0-9A-Za-z.-]+)?"
_VERSION = re.compile(
    rf"v?(?P<major>{_NUMBER})\.(?P<minor>{_NUMBER})\.(?P<patch>{_NUMBER}){_PRERELEASE}{_BUILD}", re.ASCII
)
_OPEN = r"[xX*]"
_PARTIAL = (
    rf"v?(?:(?P<major>{_NUMBER})(?:\.(?P<minor>{_NUMBER})"
    rf"(?:\.(?P<patch>{_NUMBER}){_PRERELEASE}(?:\+[0-9A-Za-z.-]+)?|\.{_OPEN})?|(?:\.{_OPEN}){{1,2}})?"
    rf"|{_OPEN}(?:\.{_OPEN}){{0,2}})"
)
_COMPARATOR = re.compile(rf"(?P<operator>>=|<=|~>|[<>=~^])?\s*{_PARTIAL}(?=\s|$)", re.ASCII)
_HYPHEN = re.compile(r"\s+-\s+")

Prerelease = tuple[tuple[int, int, str], ...]
"""Identifiers in a form in which tuples compare them as they should: numbers by value, and before texts."""

_LOWEST: Prerelease = ((0, 0, ""),)
"""``-0``, which no pre-release of the same version precedes."""


class Version(t.NamedTuple):
    """A version. ``release`` is true where it is no pre-release; tuples of this shape compare by precedence."""

    major: int
    minor: int
    patch: int
    release: bool
    prerelease: Prerelease

    @property
    def core(self) -> tuple[int, int, int]:
        """Without the pre-release."""
        return (self.major, self.minor, self.patch)


def parse_version(text: str) -> Version | None:
    """The version that ``text`` is, with or without a leading ``v``; None where it is none.

    What stands after ``+`` (or ``_``, as Helm writes it in tags) has no part in the precedence.
    """
    match = _VERSION.fullmatch(text) if len(text) <= _LONGEST_VERSION else None
    if match is None:
        return None
    return _version(int(match["major"]), int(match["minor"]), int(match["patch"]), match["prerelease"])


def _version(major: int, minor: int, patch: int, prerelease: str | None = None) -> Version:
    identifiers = tuple(
        (0, int(part), "") if part.isdigit() else (1, 0, part) for part in (prerelease.split(".") if prerelease else ())
    )
    return Version(major, minor, patch, not identifiers, identifiers)


class _Bound(t.NamedTuple):
    operator: str
    version: Version

    def admits(self, version: Version) -> bool:
        if self.operator == ">=":
            return version >= self.version
        if self.operator == ">":
            return version > self.version
        if self.operator == "<":
            return version < self.version
        if self.operator == "<=":
            return version <= self.version
        return version == self.version


_NOTHING = _Bound("<", Version(0, 0, 0, False, _LOWEST))


class Range:
    """A range of versions, such as ``>=1.2 <2``, ``^1.4``, ``~1.4.2``, ``1.x``, ``1.2 - 1.4`` or ``1.x || 3.x``."""

    def __init__(self, text: str) -> None:
        """Raises :class:`InvalidInput`."""
        if len(text) > _LONGEST_RANGE:
            raise InvalidInput(f"the range of versions is longer than {_LONGEST_RANGE} characters")
        self._sets = [_comparators(part.strip(), text) for part in text.split("||")]

    def __contains__(self, version: Version) -> bool:
        return any(_admit(bounds, version) for bounds in self._sets)


def _admit(bounds: list[_Bound], version: Version) -> bool:
    if not all(bound.admits(version) for bound in bounds):
        return False
    # A pre-release is only meant where the range names one of the very same version.
    return version.release or any(not bound.version.release and bound.version.core == version.core for bound in bounds)


def _comparators(part: str, whole: str) -> list[_Bound]:
    ends = _HYPHEN.split(part)
    if len(ends) == 2:
        lower, upper = (_COMPARATOR.fullmatch(end) for end in ends)
        if lower is None or upper is None or lower["operator"] or upper["operator"]:
            raise _malformed(whole, part)
        return [*_bounds(">=", _Partial.of(lower)), *_bounds("<=", _Partial.of(upper))]
    bounds: list[_Bound] = []
    position = 0
    while position < len(part):
        match = _COMPARATOR.match(part, position)
        if match is None:
            raise _malformed(whole, part[position:])
        bounds += _bounds(match["operator"] or "=", _Partial.of(match))
        position = match.end()
        while position < len(part) and part[position].isspace():
            position += 1
    return bounds


def _malformed(whole: str, where: str) -> InvalidInput:
    # Half of a login is one.
    part = repr(where[:80]) if without_login(whole) == whole else "there"
    return InvalidInput(
        f"malformed range of versions {quoted(whole)}: {part} is not a comparator such as '>=1.2', '^1.4' or '1.x'"
    )


class _Partial(t.NamedTuple):
    """A version of which parts may be left open."""

    major: int | None
    minor: int | None
    patch: int | None
    prerelease: str | None

    @classmethod
    def of(cls, match: re.Match[str]) -> _Partial:
        parts = [None if match[name] is None else int(match[name]) for name in ("major", "minor", "patch")]
        return cls(parts[0], parts[1], parts[2], match["prerelease"])

    def lowest(self) -> Version:
        """The first version that is meant."""
        return _version(self.major or 0, self.minor or 0, self.patch or 0, self.prerelease)

    def after(self) -> Version:
        """The first version, pre-releases included, after all that are meant. Not for one without a major part."""
        major, minor, patch = self.major or 0, self.minor, self.patch
        if minor is None:
            core = (major + 1, 0, 0)
        elif patch is None:
            core = (major, minor + 1, 0)
        else:
            core = (major, minor, patch + 1)
        return Version(*core, False, _LOWEST)


def _bounds(operator: str, partial: _Partial) -> list[_Bound]:
    lowest = partial.lowest()
    if partial.major is None:
        return [_NOTHING] if operator in ("<", ">") else []
    if operator == "^":
        return [_Bound(">=", lowest), _Bound("<", _caret_end(partial))]
    if operator in ("~", "~>"):
        return [_Bound(">=", lowest), _Bound("<", partial._replace(patch=None).after())]
    if partial.patch is not None:
        return [_Bound(operator, lowest)]
    if operator == "=":
        return [_Bound(">=", lowest), _Bound("<", partial.after())]
    if operator == ">=":
        return [_Bound(">=", lowest)]
    if operator == "<":
        return [_Bound("<", Version(*lowest.core, False, _LOWEST))]
    if operator == "<=":
        return [_Bound("<", partial.after())]
    return [_Bound(">=", _version(*partial.after().core))]


def _caret_end(partial: _Partial) -> Version:
    """What follows on the last version that differs only right of the first part that isn't 0."""
    if partial.major or partial.minor is None:
        return partial._replace(minor=None, patch=None).after()
    if partial.minor or partial.patch is None:
        return partial._replace(patch=None).after()
    return partial.after()
