# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Which registry, as which account, and the files of TLS to reach it with."""

from __future__ import annotations

import os
import typing as t

from ._credentials import Credentials, no_credentials
from ._errors import LocalFileError
from ._local_path import absolute, relative_hint


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
    jobs: int = 4
    chunk_size: int = 0
    """Bytes of the chunks in which blobs are sent; 0: whole, as long as the registry takes them so."""


def certificate_authorities(endpoint: Endpoint) -> bool | str:
    """What ``requests`` verifies with: an explicit ca_path beats the environment's bundles.

    Raises :class:`LocalFileError`.
    """
    if not endpoint.validate_certs:
        return False
    if endpoint.ca_path:
        return _readable(endpoint.ca_path, "ca_path")
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        if os.environ.get(name):
            return _readable(os.environ[name], variable=name)
    return True


def client_certificate(endpoint: Endpoint) -> str | tuple[str, str] | None:
    """The client certificate and its key, in the form that ``requests`` takes; None where there is none."""
    if not endpoint.client_cert:
        return None
    certificate = _readable(endpoint.client_cert, "client_cert")
    return (certificate, _readable(endpoint.client_key, "client_key")) if endpoint.client_key else certificate


def _readable(path: str, option: str = "", *, variable: str = "") -> str:
    expanded = absolute(path)
    try:
        if os.path.isdir(expanded):
            os.listdir(expanded)
        else:
            with open(expanded, "rb"):
                pass
    except OSError as error:
        named = f" that the environment names in {variable}," if variable else ""
        problem = LocalFileError(
            f"the file {expanded}{named} can't be read: {error.strerror}", hint=relative_hint(path)
        )
        raise (problem.at_option(option) if option else problem) from error
    return expanded
