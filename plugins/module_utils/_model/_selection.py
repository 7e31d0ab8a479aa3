# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Which of a registry's names are meant: by patterns, by versions, the newest."""

from __future__ import annotations

import fnmatch
import re
import typing as t

from ._errors import InvalidInput, RegistryError
from ._reference import check_repository, check_tag
from ._semver import Range, Version, parse_version
from ._shown import no_expression

_OF_REPOSITORIES = re.compile(r"(?:[a-z0-9._/*?-]|\[[^\]\s]+\])+", re.ASCII)
"""What can match a repository: its characters, and those of patterns."""
_DIGEST_TAG = re.compile(r"(?:sha256|sha512)-[a-f0-9]{64}(?:\..+)?", re.ASCII)


def matches_any(repository: str, patterns: t.Iterable[str]) -> bool:
    """Whether one of the patterns matches: in shell style, in which ``*`` matches ``/`` too."""
    return any(fnmatch.fnmatchcase(repository, pattern) for pattern in patterns)


def read_repository_patterns(patterns: t.Sequence[str] | None, option: str) -> tuple[str, ...]:
    """The patterns for :func:`matches_any`, all repositories where none are given.

    Raises :class:`InvalidInput` for none at all, and for one that matches no repository: what it is for would never
    apply, and nobody would notice. ``option`` is where they come from.
    """
    if patterns is None:
        return ("*",)
    if not patterns:
        raise InvalidInput(
            f"{option}: the list is empty, so that nothing would match", hint="Leave it out for all repositories"
        )
    for position, pattern in enumerate(patterns):
        if not _OF_REPOSITORIES.fullmatch(pattern):
            raise InvalidInput(
                f"{option}[{position}]: {pattern!r} matches no repository",
                hint="Give the repository without the registry and the tag, in lower case, such as team/*",
            )
    return tuple(patterns)


class Patterns:
    """Regular expressions, one of which has to match a whole name. Empty ones are false."""

    def __init__(self, texts: t.Sequence[str], option: str) -> None:
        """``option`` is where they come from. Raises :class:`InvalidInput`."""
        self._patterns = []
        for text in texts:
            try:
                self._patterns.append(re.compile(text))
            except (re.error, RecursionError, OverflowError) as error:
                raise InvalidInput(f"{option}: {no_expression(text, error)}") from error

    def __bool__(self) -> bool:
        return bool(self._patterns)

    def match(self, name: str) -> bool:
        """Whether one of them matches all of ``name``."""
        return any(pattern.fullmatch(name) for pattern in self._patterns)


class NameSelection(t.NamedTuple):
    """Names that one of ``match`` matches (all, where there is none) and none of ``exclude``."""

    match: Patterns
    exclude: Patterns

    def selects(self, name: str) -> bool:
        """Whether ``name`` is one of them."""
        return (not self.match or self.match.match(name)) and not self.exclude.match(name)


class TagSelection(t.NamedTuple):
    """Which tags of a repository are meant.

    Where ``versions`` or ``newest`` is given, only tags that are versions; ``newest`` is how many, 0 for all.
    """

    names: NameSelection
    versions: Range | None = None
    newest: int = 0
    digest_tags: bool = False

    def select(self, tags: t.Iterable[str]) -> list[str]:
        """The tags that are meant, in the order of :func:`sorted_tags`."""
        found = []
        for tag in tags:
            if not _is_valid(check_tag, tag) or (not self.digest_tags and is_digest_tag(tag)):
                continue
            if self._is_meant(parse_version(tag)) and self.names.selects(tag):
                found.append(tag)
        ordered = sorted_tags(found)
        return ordered[: self.newest] if self.newest else ordered

    def _is_meant(self, version: Version | None) -> bool:
        if version is None:
            return self.versions is None and not self.newest
        return self.versions is None or version in self.versions


def tag_selection(
    match: t.Sequence[str], exclude: t.Sequence[str], versions: str, newest: int | None, digest_tags: bool
) -> TagSelection:
    """The selection that options ask for. Raises :class:`InvalidInput`."""
    if newest is not None and newest < 1:
        raise InvalidInput("newest must be at least 1")
    names = NameSelection(Patterns(match, "match"), Patterns(exclude, "exclude"))
    return TagSelection(names, Range(versions) if versions.strip() else None, newest or 0, digest_tags)


def select_repositories(names: t.Iterable[str], selection: NameSelection) -> list[str]:
    """The repositories that are meant, by name. What is no repository name is left out: it is of no use."""
    return sorted({name for name in names if _is_valid(check_repository, name) and selection.selects(name)})


def count_malformed_repositories(names: t.Iterable[str]) -> int:
    """How many of the names that a registry lists are no repository names, and so are never selected."""
    return sum(not _is_valid(check_repository, name) for name in names)


def count_malformed_tags(tags: t.Iterable[str]) -> int:
    """How many of the tags that a registry lists are no tags, and so are never selected."""
    return sum(not _is_valid(check_tag, tag) for tag in tags)


def sorted_tags(tags: t.Iterable[str]) -> list[str]:
    """Versions from the newest to the oldest, then the other tags by name; each once."""
    versions: list[tuple[Version, str]] = []
    others: list[str] = []
    for tag in set(tags):
        version = parse_version(tag)
        if version is None:
            others.append(tag)
        else:
            versions.append((version, tag))
    return [tag for _version, tag in sorted(versions, reverse=True)] + sorted(others)


def is_digest_tag(tag: str) -> bool:
    """Whether a tag stands for what refers to a digest: the fallback of the referrers API, or one of cosign's."""
    return _DIGEST_TAG.fullmatch(tag) is not None


def _is_valid(check: t.Callable[[object], str], name: str) -> bool:
    try:
        check(name)
    except RegistryError:
        return False
    return True
