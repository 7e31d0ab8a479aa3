# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Which token server may be asked, and which gets a secret: a registry may name any."""

from __future__ import annotations

import re
import typing as t
import urllib.parse

from .._credentials._credential import Credential
from .._model._errors import ProtocolViolation
from ._url import is_local_address

_TRUSTED_REALMS = {
    "registry-1.docker.io": ("auth.docker.io",),
    "registry.gitlab.com": ("gitlab.com",),
    "registry.access.redhat.com": ("sso.redhat.com",),
    "registry.redhat.io": ("sso.redhat.com",),
}
"""Token servers of public registries that are known to be on another host than their registry."""


class Realms:
    """Judges the token servers that one registry names.

    ``host`` is the registry's host, in lower case; ``secure`` whether it is spoken to over TLS. ``trusted_hosts`` may
    get the password although the registry itself is on another host. ``leads_astray`` says of a URL whether it leads
    to where local services listen. ``base`` is the registry's own URL, without a path.
    """

    def __init__(
        self,
        host: str,
        secure: bool,
        *,
        trusted_hosts: t.Iterable[str] = (),
        leads_astray: t.Callable[[str], bool] | None = None,
        base: str = "",
    ) -> None:
        self._host = host
        self._secure = secure
        self._trusted = {name.lower() for name in (*trusted_hosts, *_TRUSTED_REALMS.get(host, ()))}
        self._leads_astray = leads_astray or _names_local_address
        self._base = base or f"{'https' if secure else 'http'}://{host}"

    def checked(self, realm: str) -> str:
        """The URL of the token server, if it may be asked. A relative one is below the registry's own URL.

        Raises :class:`ProtocolViolation`.
        """
        parts = _split(realm)
        if parts is not None and _is_relative(parts):
            realm = urllib.parse.urljoin(f"{self._base}/", realm)
            parts = _split(realm)
        host = (parts.hostname or "").lower() if parts else ""
        if parts is None or not host or parts.scheme not in ("http", "https") or "@" in parts.netloc:
            raise ProtocolViolation(
                f"the registry names a token server that is not a valid URL: {realm.rpartition('@')[2][:200]!r}"
            )
        if self._secure and parts.scheme != "https":
            raise ProtocolViolation(f"the registry names a token server without TLS, on {host}")
        if host != self._host and host not in self._trusted and self._leads_astray(realm):
            raise ProtocolViolation(f"the registry on {self._host} names a token server at a local address, {host}")
        return realm

    def check_trust(self, host: str, credential: Credential) -> None:
        """Only a token server that the registry's owner may be trusted to have chosen gets a secret.

        Raises :class:`ProtocolViolation`.
        """
        if host != self._host and host not in self._trusted and not credential.is_anonymous:
            raise ProtocolViolation(
                f"the registry on {self._host} names a token server on another host, {host}; no password was sent",
                hint=f"If that is right, add {host} to trusted_realm_hosts",
            )


def host_of(realm: str) -> str:
    """The host of a token server's URL, in lower case."""
    return (urllib.parse.urlsplit(realm).hostname or "").lower()


def _names_local_address(url: str) -> bool:
    return is_local_address(host_of(url))


def _split(url: str) -> urllib.parse.SplitResult | None:
    if re.search(r"[\x00-\x20\x7f\\]", url):
        return None
    try:
        parts = urllib.parse.urlsplit(url)
        # A port that is none shows only where it is read.
        return None if parts.fragment or parts.port == 0 else parts
    except ValueError:
        return None


def _is_relative(parts: urllib.parse.SplitResult) -> bool:
    """Whether a realm leaves out the scheme: a path, or ``//host/path``. ``host/path`` is no path."""
    named = parts.netloc or parts.path.startswith("/") or "." not in parts.path.partition("/")[0].lstrip(".")
    return not parts.scheme and bool(parts.netloc or parts.path) and bool(named)
