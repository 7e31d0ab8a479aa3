# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The proxies that the environment names (HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, and NO_PROXY for where there is none)."""

from __future__ import annotations

import importlib.util
import re
import typing as t
import urllib.parse

from .._model._errors import ConnectionFailed
from ._endpoint import Address
from ._requests import requests
from ._url import Origin, origin_of

_CHECK = "Check HTTPS_PROXY, HTTP_PROXY and NO_PROXY in the environment of the module"
_SOCKS = ("socks4", "socks4a", "socks5", "socks5h")
_REFUSAL = re.compile(r"Tunnel connection failed: (\d{3})")


class Proxy(t.NamedTuple):
    """One proxy. Its URL may hold a password: only its name is shown."""

    url: str
    name: str
    """Host and port."""
    secrets: tuple[str, ...]
    """Its password, as it is written and as it is meant."""

    def __repr__(self) -> str:
        return f"Proxy({self.name})"


def proxy_for(url: str) -> Proxy | None:
    """The proxy by which ``url`` is to be reached; None where it is reached directly.

    Raises :class:`ConnectionFailed` where the environment names something that can't be one.
    """
    found = requests.utils.select_proxy(url, requests.utils.get_environ_proxies(url))
    if not found:
        return None
    written = found if "://" in found else f"http://{found}"
    try:
        parts = urllib.parse.urlsplit(written)
        name = f"{parts.hostname}:{parts.port}" if parts.port else parts.hostname or ""
    except ValueError:
        name = ""
    # A password that has a '/', '?' or '#' in it as it is ends the host, and a part of it would be shown as that.
    if not name or "@" in parts.path + parts.query + parts.fragment or parts.scheme not in ("http", "https", *_SOCKS):
        raise ConnectionFailed(
            f"the environment names a proxy for {urllib.parse.urlsplit(url).scheme} that is not a valid URL",
            hint=_CHECK,
        )
    if parts.scheme in _SOCKS and importlib.util.find_spec("socks") is None:
        raise ConnectionFailed(
            f"the proxy {name} speaks SOCKS, for which requests needs PySocks",
            hint="Install PySocks for the Python that runs the module",
        )
    password = parts.password or ""
    secrets = tuple(dict.fromkeys(text for text in (password, urllib.parse.unquote(password)) if text))
    return Proxy(written, name, secrets)


class Proxies:
    """The proxy by which each origin is reached, looked up once. ``on_secret`` gets the passwords of proxies."""

    def __init__(self, address: Address, on_secret: t.Callable[[str], None]) -> None:
        self._address = address
        self._on_secret = on_secret
        self._found: dict[Origin, Proxy | None] = {}

    def find(self, url: str) -> Proxy | None:
        """The proxy for a URL; None where it is reached directly. Raises what :func:`proxy_for` does."""
        origin = self._address.origin if self._address.is_own(url) else origin_of(url)
        if origin not in self._found:
            proxy = proxy_for(url)
            for secret in proxy.secrets if proxy else ():
                self._on_secret(secret)
            self._found[origin] = proxy
        return self._found[origin]


def proxy_error(causes: t.Iterable[BaseException], url: str, facts: t.Mapping[str, t.Any]) -> ConnectionFailed:
    """What went wrong at the proxy for ``url``, in our own words: those of the libraries may quote its URL."""
    proxy = proxy_for(url)
    name = f"the proxy {proxy.name}" if proxy else "the proxy"
    origin = origin_of(url)
    for cause in causes:
        refusal = _REFUSAL.search(str(cause)) if isinstance(cause, OSError) else None
        if refusal and refusal[1] == "407":
            return ConnectionFailed(
                f"{name} asks for a login, or does not accept the one that it got",
                hint="Put it into the URL of the proxy: http://user:password@host:port",
                **facts,
            )
        if refusal:
            return ConnectionFailed(
                f"{name} does not let through to {origin.host}:{origin.port}: it answers {refusal[1]}",
                hint=_CHECK,
                temporary=refusal[1].startswith("5"),
                **facts,
            )
    return ConnectionFailed(f"{name} cannot be reached", hint=_CHECK, temporary=True, **facts)
