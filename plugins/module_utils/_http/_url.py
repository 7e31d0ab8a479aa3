# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""URLs that a registry hands out: joined, judged, and shown without their query."""

from __future__ import annotations

import ipaddress
import re
import socket
import typing as t
import urllib.parse

from .._model._errors import ProtocolViolation

_DEFAULT_PORTS = {"http": 80, "https": 443}
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_METADATA = ("fd00:ec2::254", "fd20:ce::254", "100.100.100.200", "168.63.129.16")
"""Where clouds (AWS, Google, Alibaba, Azure) tell machines their secrets at addresses that aren't link-local."""
_UNSAFE = re.compile(r"[\x00-\x20\x7f\\]")


class Origin(t.NamedTuple):
    """Scheme, host in lower case, and the port that is really used (RFC 6454)."""

    scheme: str
    host: str
    port: int

    @property
    def shown(self) -> str:
        """As a URL without a path, its port always in it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"


def origin_of(url: str) -> Origin:
    """The origin of an absolute http or https URL. Raises :class:`ProtocolViolation` for anything else."""
    if _UNSAFE.search(url):
        raise ProtocolViolation("the registry handed out a URL with control characters, spaces or backslashes in it")
    try:
        parts = urllib.parse.urlsplit(url)
        port = parts.port
        host = parts.hostname
    except ValueError as error:
        raise ProtocolViolation("the registry handed out a URL that is malformed") from error
    if parts.scheme not in _DEFAULT_PORTS or not host or "@" in parts.netloc:
        raise ProtocolViolation(
            f"the registry handed out a URL that is not safe to follow: {without_query(url)[:300]!r}"
        )
    return Origin(parts.scheme, host.lower().rstrip("."), port or _DEFAULT_PORTS[parts.scheme])


def lost_port(own: Origin, there: Origin) -> bool:
    """Whether a URL that a registry handed out is its own without the port, as proxies in front of it write it."""
    return own.host == there.host and own.port != there.port == _DEFAULT_PORTS[there.scheme]


def misled(own: Origin, there: Origin, what: str) -> str:
    """The advice where a registry sends ``what`` to another address than its own, and that fails."""
    lost = f": a proxy in front of the registry seems to have lost the port {own.port}" if lost_port(own, there) else ""
    return (
        f"The registry is at {own.shown}, and its answer sends the {what} to {there.shown}{lost}. Have the proxy pass "
        "on the registry's own address, in Host or in X-Forwarded-Proto, X-Forwarded-Host and X-Forwarded-Port, or set "
        "it in the registry's configuration"
    )


def resolve(base: str, location: str) -> str:
    """Join a ``Location`` or ``Link`` with the URL whose answer it came in (RFC 3986), its query kept to the byte.

    Raises :class:`ProtocolViolation` for what isn't safe to follow.
    """
    if _UNSAFE.search(location):
        raise ProtocolViolation("the registry handed out a URL with control characters, spaces or backslashes in it")
    base_parts = urllib.parse.urlsplit(base)
    if not location.startswith("/") and location.partition("/")[0].lower() == base_parts.netloc.lower():
        # Some registries leave the scheme out: host/path.
        location = f"{base_parts.scheme}://{location}"
    try:
        url = urllib.parse.urljoin(base, location).partition("#")[0]
    except ValueError as error:
        raise ProtocolViolation("the registry handed out a URL that is malformed") from error
    origin_of(url)
    return url


def with_digest(location: str, digest: str) -> str:
    """Add ``digest=`` to the URL of an upload session, every other byte of it left alone."""
    location = location.partition("#")[0]
    if "?" not in location:
        separator = "?"
    else:
        separator = "" if location.endswith(("?", "&")) else "&"
    return f"{location}{separator}digest={urllib.parse.quote(digest, safe='')}"


def without_query(url: str) -> str:
    """A URL that may be shown: queries hold signatures and session states."""
    parts = urllib.parse.urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return urllib.parse.urlunsplit((parts.scheme, host, parts.path, "", ""))


def is_local_host(host: str) -> bool:
    """Whether a name leads to an address of :func:`is_local_address`, as far as the resolver says now."""
    return any(map(is_local_address, _addresses_of(host)))


def is_local_only(host: str) -> bool:
    """Whether a name leads to nothing else. Whoever owns a name may give it a local address beside others."""
    addresses = _addresses_of(host)
    return bool(addresses) and all(map(is_local_address, addresses))


def _addresses_of(host: str) -> list[str]:
    try:
        return [str(entry[4][0]) for entry in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)]
    except (OSError, ValueError):
        return []


def is_local_address(host: str) -> bool:
    """Whether ``host`` is a loopback or link-local address, where local services and cloud metadata listen."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        address: t.Any = ipaddress.ip_address(host)
    except ValueError:
        try:
            # The forms that a resolver takes as well: 127.1, 2130706433, 0x7f000001.
            address = ipaddress.ip_address(socket.inet_aton(host))
        except (OSError, ValueError):
            return False
    if address.version == 6:
        # IPv4 addresses may be written inside of IPv6 ones.
        inner = ipaddress.ip_address(int(address) & 0xFFFFFFFF) if address in _NAT64 else None
        address = address.ipv4_mapped or address.sixtofour or inner or address
    return bool(address.is_loopback or address.is_link_local or address.is_unspecified or str(address) in _METADATA)
