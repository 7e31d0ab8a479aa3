# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What the exceptions of the libraries below mean, in our own words: theirs may hold the query of a URL."""

from __future__ import annotations

import socket
import ssl
import typing as t

from .._model._errors import ConnectionFailed, ProtocolViolation, RegistryError, TLSFailed
from ._pace import TooSlow
from ._proxy import proxy_error
from ._requests import requests, urllib3
from ._url import origin_of, without_query

NAME_CERTIFICATE = "Name the file of the certificate in client_cert, and that of its key in client_key"
CHECK_CERTIFICATE = "Check the certificate in client_cert: its dates, and that the registry knows the CA that signed it"

_ABOUT_CLIENT = (
    *("CERTIFICATE_REQUIRED", "BAD_CERTIFICATE", "UNSUPPORTED_CERTIFICATE", "CERTIFICATE_REVOKED"),
    *("CERTIFICATE_EXPIRED", "CERTIFICATE_UNKNOWN", "UNKNOWN_CA", "ACCESS_DENIED", "HANDSHAKE_FAILURE"),
)
"""Alerts of a server that speak of a client certificate (RFC 8446, 6.2); the last one may mean something else."""
_NO_CA = (2, 7, 18, 19, 20, 21, 27)
"""X509_V_ERR_* of OpenSSL: no chain to a CA that is trusted."""
_DATES = (9, 10)
_OTHER_NAME = 62
_NAMES = (_OTHER_NAME, 64)
_WEAK = (66, 67, 68)


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


class Handshake(t.NamedTuple):
    """What was known before a connection, for what is said of a TLS handshake that failed."""

    named_by: str = ""
    """What CAs are named in; empty where only those are trusted that are trusted anyway."""
    certificate: str = ""
    """The file of the client certificate that was offered; empty for none."""
    is_registry: bool = False
    """Whether it is the registry itself: nobody else is offered a client certificate."""


_UNKNOWN = Handshake()


def connection_error(error: BaseException, method: str, url: str, handshake: Handshake = _UNKNOWN) -> RegistryError:
    """The error that an exception of ``requests``, ``urllib3``, ``ssl`` or the operating system is."""
    origin = origin_of(url)
    where = f"{origin.host}:{origin.port}"
    facts: dict[str, t.Any] = {"method": method, "url": without_query(url)}
    causes = list(_causes(error))
    if any(isinstance(cause, requests.exceptions.ProxyError) for cause in causes):
        return proxy_error(causes, url, facts)
    failed = _handshake_error(causes, where, handshake, facts)
    if failed:
        return failed
    if isinstance(error, ValueError):
        return ProtocolViolation("the request has no valid URL or header", **facts)
    for cause in causes:
        if isinstance(cause, socket.gaierror):
            return ConnectionFailed(
                f"the host name {origin.host} cannot be resolved",
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
                hint="Raise timeout if it cannot be faster",
                temporary=True,
                **facts,
            )
    if any(
        isinstance(cause, (requests.exceptions.Timeout, urllib3.exceptions.TimeoutError, TimeoutError))
        # urllib3 has it among the time-outs, whatever kept it from connecting.
        and not isinstance(cause, urllib3.exceptions.NewConnectionError)
        for cause in causes
    ):
        return ConnectionFailed(f"{where} does not answer in time", hint="Raise timeout", temporary=True, **facts)
    detail = next((cause.strerror for cause in causes if isinstance(cause, OSError) and cause.strerror), "")
    found = ConnectionFailed(
        f"the connection to {where} broke off{': ' + detail if detail else ''}", temporary=True, **facts
    )
    found.broke_off = not any(isinstance(cause, urllib3.exceptions.NewConnectionError) for cause in causes)
    return found


def _handshake_error(
    causes: t.Sequence[BaseException], where: str, handshake: Handshake, facts: t.Mapping[str, t.Any]
) -> TLSFailed | None:
    for cause in causes:
        # Before version 2, urllib3 compares the names itself.
        if isinstance(cause, (ssl.SSLCertVerificationError, urllib3.connection.CertificateError)):
            why = str(getattr(cause, "verify_message", "") or cause).rstrip(".")
            return TLSFailed(
                f"the certificate of {where} is not trusted: {why}",
                hint=_how_to_trust(getattr(cause, "verify_code", _OTHER_NAME), handshake.named_by),
                **facts,
            )
        if isinstance(cause, ssl.SSLError):
            reason = cause.reason or "no reason given"
            text = f"{cause.reason or ''} {cause.strerror or ''}".upper().replace(" ", "_")
            if any(words in text for words in ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "HTTP_REQUEST")):
                return TLSFailed(
                    f"{where} does not speak TLS",
                    hint="If it is a registry without TLS, set plain_http to true",
                    **facts,
                )
            if "ALERT" in text and any(words in text for words in _ABOUT_CLIENT):
                return _client_certificate_error(text, reason, where, handshake, facts)
            if "EOF" not in text:
                return TLSFailed(f"the TLS handshake with {where} failed: {reason}", **facts)
    return None


def _how_to_trust(code: int, named_by: str) -> str:
    """What to do about a certificate that was refused, by the code that OpenSSL has for the reason."""
    if code in _DATES:
        return "The registry needs a new certificate, unless the clock of the host on which the module runs is wrong"
    if code in _NAMES:
        return "Give the registry by a name that is in its certificate, or add the name to the certificate"
    if code in _WEAK:
        return "The registry, or its CA, needs a certificate with a longer key or a newer signature"
    if not named_by:
        return "Name the file of the CA that signed it in ca_path"
    if code in _NO_CA:
        return f"No CA that signed it is in {named_by}. Name the file of that CA in ca_path"
    return f"The CAs are those of {named_by}"


def _client_certificate_error(
    alert: str, reason: str, where: str, handshake: Handshake, facts: t.Mapping[str, t.Any]
) -> TLSFailed:
    failed = f"the TLS handshake with {where} failed: {reason}"
    certain = "HANDSHAKE_FAILURE" not in alert
    if not handshake.is_registry:
        return TLSFailed(failed, hint="It may require a client certificate: only the registry is shown one", **facts)
    if handshake.certificate:
        return TLSFailed(
            f"{where} does not accept the client certificate {handshake.certificate}: {reason}" if certain else failed,
            hint=CHECK_CERTIFICATE,
            **facts,
        )
    if certain:
        return TLSFailed(f"{where} requires a client certificate: {reason}", hint=NAME_CERTIFICATE, **facts)
    return TLSFailed(failed, hint=f"It may require a client certificate. {NAME_CERTIFICATE}", **facts)
