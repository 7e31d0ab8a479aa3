# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What the exceptions of the libraries below mean, in our own words: theirs may hold the query of a URL."""

from __future__ import annotations

import socket
import ssl
import typing as t

from ._errors import ConnectionFailed, ProtocolViolation, RegistryError, TLSFailed
from ._pace import TooSlow
from ._proxy import proxy_error
from ._requests import requests, urllib3
from ._url import origin_of, without_query


def _causes(error: BaseException) -> t.Iterator[BaseException]:
    """An exception and all that it wraps, whichever way the libraries wrapped it."""
    seen: set[int] = set()
    waiting: list[t.Any] = [error]
    while waiting:
        current = waiting.pop(0)
        if not isinstance(current, BaseException) or id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        waiting += [getattr(current, "reason", None), current.__cause__, current.__context__, *current.args]


def connection_error(error: BaseException, method: str, url: str) -> RegistryError:
    """The error that an exception of ``requests``, ``urllib3``, ``ssl`` or the operating system is."""
    origin = origin_of(url)
    where = f"{origin.host}:{origin.port}"
    facts: dict[str, t.Any] = {"method": method, "url": without_query(url)}
    causes = list(_causes(error))
    if any(isinstance(cause, requests.exceptions.ProxyError) for cause in causes):
        return proxy_error(causes, url, facts)
    for cause in causes:
        # Before version 2, urllib3 compares the names itself.
        if isinstance(cause, (ssl.SSLCertVerificationError, urllib3.connection.CertificateError)):
            return TLSFailed(
                f"the certificate of {where} isn't trusted: {getattr(cause, 'verify_message', '') or cause}",
                hint="Name the file of the CA that signed it in ca_path",
                **facts,
            )
        if isinstance(cause, ssl.SSLError):
            text = f"{cause.reason or ''} {cause.strerror or ''}".upper()
            if "WRONG_VERSION_NUMBER" in text or "RECORD_LAYER_FAILURE" in text or "HTTP_REQUEST" in text:
                return TLSFailed(
                    f"{where} doesn't speak TLS",
                    hint="If it is a registry without TLS, set plain_http to true",
                    **facts,
                )
            if "EOF" not in text:
                asks = "BAD_CERTIFICATE" in text or "CERTIFICATE_REQUIRED" in text
                return TLSFailed(
                    f"the TLS handshake with {where} failed: {cause.reason or 'no reason given'}",
                    hint="It may ask for a client certificate that it knows: see client_cert" if asks else "",
                    **facts,
                )
    if isinstance(error, ValueError):
        return ProtocolViolation("the request has no valid URL or header", **facts)
    for cause in causes:
        if isinstance(cause, socket.gaierror):
            return ConnectionFailed(
                f"the host name {origin.host} can't be resolved",
                hint="Check its spelling, and the DNS of the host on which the module runs",
                **facts,
            )
        if isinstance(cause, ConnectionRefusedError):
            found = ConnectionFailed(
                f"{where} refuses the connection",
                hint="Check the address, and that the registry runs",
                temporary=True,
                **facts,
            )
            found.refused = True
            return found
    for cause in causes:
        if isinstance(cause, TooSlow):
            return ConnectionFailed(
                f"{where} answers too slowly: {cause}",
                hint="Raise timeout if it can't be faster",
                temporary=True,
                **facts,
            )
    if any(
        isinstance(cause, (requests.exceptions.Timeout, urllib3.exceptions.TimeoutError, TimeoutError))
        # urllib3 has it among the time-outs, whatever kept it from connecting.
        and not isinstance(cause, urllib3.exceptions.NewConnectionError)
        for cause in causes
    ):
        return ConnectionFailed(f"{where} doesn't answer in time", hint="Raise timeout", temporary=True, **facts)
    detail = next((cause.strerror for cause in causes if isinstance(cause, OSError) and cause.strerror), "")
    found = ConnectionFailed(
        f"the connection to {where} broke off{': ' + detail if detail else ''}", temporary=True, **facts
    )
    found.broke_off = not any(isinstance(cause, urllib3.exceptions.NewConnectionError) for cause in causes)
    return found
