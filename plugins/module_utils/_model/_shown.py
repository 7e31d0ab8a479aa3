# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What is shown of a text that may hold a secret: one that is known, a login in front of a host, or the content of a
file in place of its path."""

from __future__ import annotations

import re
import typing as t

HIDDEN = "********"
"""What stands in place of a secret, as in Ansible's own output."""
_LONGEST = 160
_DIGEST = re.compile(r"@(?:sha[0-9]+:[^@]*|[a-z0-9+._-]+:[0-9a-fA-F]{32,})\Z", re.ASCII)
_CONTENT = re.compile(r".*?(?:[\r\n\0]|-----BEGIN )|\s*(?:[{\[]|LS0tLS1|eyJ|M[A-P][A-Za-z0-9+/]{60,}={0,2}\Z)")
"""What is no path: lines, PEM, JSON, either in base64, and keys in base64 (DER)."""
_NO_PORT = re.compile(r":(?!//|[0-9]*(?:/|$))[^/\[\]]+(?=/|$)", re.ASCII)
_LONGEST_PATH = 4096
_MOST_LOGGED = 20
"""Entries of a list in the system's log."""


def without_secrets(text: str, secrets: t.Iterable[str]) -> str:
    """A text without these secrets. The longest goes first: a shorter one may be a part of it."""
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    return text


def without_login(text: str) -> str:
    """A name or reference, to be shown, without what may be a login in front, ``user:secret@host/repository``.

    ``team/app@latest`` stays as it is: what stands in front of its '@' is no login.
    """
    digest = _DIGEST.search(text)
    rest = text[: digest.start()] if digest else text
    login, _at_sign, name = rest.rpartition("@")
    if login and name and (":" in login or "/" in name or "/" not in login):
        scheme, mark, _secret = login.partition("://")
        rest = f"{scheme if mark else ''}{mark}{HIDDEN}@{name}"
    return rest + (digest[0] if digest else "")


def without_odd_port(text: str) -> str:
    """A registry, to be shown, without what stands where a port should: it may be the second part of a login."""
    return _NO_PORT.sub(f":{HIDDEN}", text)


def without_secret(text: str) -> str:
    """The same without a query, which may hold a token."""
    shown, question, _query = without_login(text).partition("?")
    return shown + question


def quoted(value: object) -> str:
    """A name or reference of a user in quotes, cut, and without what may be a login or a token in a query."""
    return repr(without_secret(str(value))[:_LONGEST])


def no_expression(text: str, error: Exception) -> str:
    """What to say of a text that isn't a regular expression. The reason may quote parts of it, and isn't told where
    it may have a login in it."""
    shown = without_login(text)
    why = f": {error}" if shown == text else ""
    return f"{shown[:_LONGEST]!r} is not a regular expression{why}"


def first_of(names: t.Sequence[str], most: int) -> str:
    """The first of some names, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return f"{', '.join(names[:most])}{more}"


def is_content(path: str) -> bool:
    """Whether a text looks like the content of a file, where the path of one is wanted."""
    return len(path) > _LONGEST_PATH or _CONTENT.match(path) is not None


def shown_options(value: t.Any, paths: t.Collection[str], name: str = "") -> t.Any:
    """Options of a task as plain values, fit to be shown: without logins, and without contents at ``paths``."""
    if isinstance(value, dict):
        return {key: shown_options(inner, paths, str(key)) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [shown_options(inner, paths, name) for inner in value]
    if not isinstance(value, str):
        return value
    if name in paths and is_content(value):
        return HIDDEN
    return without_login(without_odd_port(value) if name == "registry" else value)


def abridged(value: t.Any) -> t.Any:
    """Plain values with the first entries of each list, and how many more there are: what is read in a log."""
    if isinstance(value, dict):
        return {key: abridged(inner) for key, inner in value.items()}
    if not isinstance(value, (list, tuple)):
        return value
    found = [abridged(inner) for inner in value[:_MOST_LOGGED]]
    return [*found, f"and {len(value) - _MOST_LOGGED} more"] if len(value) > _MOST_LOGGED else found


def loggable(value: t.Any) -> t.Any:
    """Plain values as the system's log takes them, which has neither null characters nor halves of characters."""
    if isinstance(value, dict):
        return {loggable(key): loggable(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [loggable(inner) for inner in value]
    return value.replace("\0", " ").encode("utf-8", "replace").decode("utf-8") if isinstance(value, str) else value
