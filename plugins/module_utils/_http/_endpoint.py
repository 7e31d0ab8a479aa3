# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Which registry, and how it is reached."""

from __future__ import annotations

import typing as t

from .._credentials._credentials import Credentials, no_credentials
from ._limits import LONGEST_WAIT


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
