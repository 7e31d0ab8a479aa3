# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The challenges of a 401: ``WWW-Authenticate`` headers (RFC 9110, 11)."""

from __future__ import annotations

import re
import typing as t

_MAXIMUM_HEADER = 8 * 1024
_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_SCHEME = re.compile(rf"\s*({_TOKEN})(?:\s+|(?=,)|$)", re.ASCII)
_PARAMETER = re.compile(rf"\s*({_TOKEN})\s*=\s*(?:\"((?:[^\"\\]|\\.)*)\"|({_TOKEN}))\s*", re.ASCII)
_TOKEN68 = re.compile(r"\s*[A-Za-z0-9._~+/-]+=*\s*(?=,|$)", re.ASCII)


class Challenge(t.NamedTuple):
    """One challenge of a WWW-Authenticate header; scheme and parameter names in lower case."""

    scheme: str
    parameters: t.Mapping[str, str]


def parse_challenges(headers: t.Iterable[str]) -> list[Challenge]:
    """Read WWW-Authenticate headers: several challenges, quoted commas, escapes. What is malformed ends the header."""
    found: list[Challenge] = []
    for header in headers:
        text = header[:_MAXIMUM_HEADER]
        position = 0
        while position < len(text):
            match = _SCHEME.match(text, position)
            if match is None:
                break
            scheme, position = match.group(1).lower(), match.end()
            parameters: dict[str, str] = {}
            token68 = _TOKEN68.match(text, position)
            if token68 is not None and _PARAMETER.match(text, position) is None:
                position = token68.end()
            position = _parse_parameters(text, position, parameters)
            found.append(Challenge(scheme, parameters))
    return found


def _parse_parameters(text: str, position: int, parameters: dict[str, str]) -> int:
    while position < len(text):
        match = _PARAMETER.match(text, position)
        if match is not None:
            name, quoted, bare = match.groups()
            value = bare if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
            parameters.setdefault(name.lower(), value)
            position = match.end()
        if position < len(text) and text[position] == ",":
            position += 1
        elif match is None:
            break
    return position
