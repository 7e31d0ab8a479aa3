# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the user asks for: ``NAME[,tls][,login=...]`` as a value."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, fields
from typing import Any

from errors import HarnessError
from faults import parse_faults

USER_AGENT = "registries-harness"
"""How the harness itself begins its User-Agent."""
LOGINS = ("none", "htpasswd", "token")
DEFAULT_TOKEN_SECONDS = 300
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")


@dataclass(frozen=True)
class Specification:
    """One registry as requested on the command line."""

    name: str
    tls: bool = False
    login: str = "none"
    token_seconds: int = DEFAULT_TOKEN_SECONDS
    delete: bool = True
    relative_urls: bool = False
    client_certificate: bool = False
    """Whether it speaks to clients with a certificate of the throw-away CA only."""
    token_post_only: bool = False
    """Whether its token server knows the way of OAuth 2 only."""
    binary: str | None = None
    password: str | None = None
    """Of the main account; by default it is long and random."""
    faults: str | None = None
    """Those that a proxy in front of it plays at first, maybe none; None: there is no proxy."""

    @classmethod
    def parse(cls, text: str) -> Specification:
        name, *options = text.split(",")
        if not _NAME.fullmatch(name):
            raise HarnessError(f"'{name}' is no registry name: use lower-case letters, digits and inner hyphens.")
        values: dict[str, Any] = {}
        for option in options:
            key, value = _parse_option(option)
            if key in values:
                raise HarnessError(f"Option '{option}' of registry '{name}' is given twice.")
            values[key] = value
        if "token_seconds" in values and values.get("login") != "token":
            raise HarnessError(f"Registry '{name}' has token-seconds without login=token.")
        if "token_post_only" in values and values.get("login") != "token":
            raise HarnessError(f"Registry '{name}' has token-post-only without login=token.")
        if "client_certificate" in values and "tls" not in values:
            raise HarnessError(f"Registry '{name}' has client-certificate without tls.")
        if "password" in values and values.get("login", "none") == "none":
            raise HarnessError(f"Registry '{name}' has a password without a login.")
        return cls(name=name, **values)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Specification:
        return cls(**{field.name: value[field.name] for field in fields(cls) if field.name in value})

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def _parse_option(option: str) -> tuple[str, Any]:
    key, equals, value = option.partition("=")
    if key == "faults" and bool(equals) == bool(value):
        parse_faults(value)
        return "faults", value
    if option in ("tls", "relative-urls", "client-certificate", "token-post-only"):
        return option.replace("-", "_"), True
    if key == "login" and value in LOGINS:
        return "login", value
    if key == "delete" and value in ("on", "off"):
        return "delete", value == "on"
    if key == "token-seconds" and value.isascii() and value.isdigit() and 0 < int(value) <= 86400:
        return "token_seconds", int(value)
    if key == "binary" and value:
        return "binary", value
    if key == "password" and value:
        return "password", value
    raise HarnessError(
        f"Unknown registry option '{option}'; known are tls, login=none|htpasswd|token, token-seconds=1..86400, "
        "delete=on|off, relative-urls, client-certificate, token-post-only, binary=PATH|distribution3|olareg, "
        "password=TEXT and faults[=NAME+...]."
    )
