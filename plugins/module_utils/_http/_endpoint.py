# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Which registry, and how it is reached."""

from __future__ import annotations

import typing as t

from .._credentials._credentials import Credentials, no_credentials
from .._model._reference import is_docker_hub
from ._limits import LONGEST_WAIT
from ._url import Origin, origin_of


class Endpoint(t.NamedTuple):
    """Which registry, and how it is spoken to. ``timeout`` in seconds of silence, ``retries`` after the first try."""

    registry: str
    credentials: Credentials = no_credentials()
    plain_http: bool = False
    validate_certs: bool = True
    ca_path: str = ""
    client_cert: str = ""
    client_key: str = ""
    trusted_realm_hosts: tuple[str, ...] = ()
    timeout: float = 60.0
    retries: int = 3
    retry_max_wait: float = LONGEST_WAIT
    """Seconds that a pause before another try may take."""
    jobs: int = 4
    """Requests under way at a time."""
    requests_per_second: float = 0.0
    """How many requests may begin in a second; 0: as many as come."""
    chunk_size: int = 0
    """Bytes of the chunks in which blobs are sent; 0: whole, as long as the registry takes them so."""


class Address(t.NamedTuple):
    """Where a registry is: its URL without a path, and the origin of that."""

    base: str
    origin: Origin

    def is_own(self, url: str) -> bool:
        """Whether a URL is at the registry itself. Raises :class:`ProtocolViolation` for one that isn't safe."""
        return url.startswith(f"{self.base}/") or origin_of(url) == self.origin


def address_of(endpoint: Endpoint) -> Address:
    """Where the registry of an endpoint is."""
    scheme = "http" if endpoint.plain_http else "https"
    host = "registry-1.docker.io" if is_docker_hub(endpoint.registry) else endpoint.registry
    base = f"{scheme}://{host}"
    return Address(base, origin_of(base))
