# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the libraries raise where there is no connection; test__connections.py has it on real sockets."""

from __future__ import annotations

import errno
import os
import ssl

import pytest
import urllib3
from ansible_collections.imageops.registry.plugins.module_utils._http._connection_error import (
    Handshake,
    connection_error,
)

URL = "http://registry.example:5000/v2/"


def new_connection_error(number: int) -> Exception:
    """As urllib3 raises it while it connects."""
    pool = urllib3.HTTPConnectionPool("registry.example", 5000)
    error = urllib3.exceptions.NewConnectionError(pool, "Failed to establish a new connection")
    error.__cause__ = OSError(number, os.strerror(number))
    return error


@pytest.mark.parametrize("number", [errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ECONNRESET])
def test_a_host_that_cant_be_reached_is_not_one_that_is_slow(number: int) -> None:
    error = connection_error(new_connection_error(number), "GET", URL)
    assert error.reason == f"the connection to registry.example:5000 broke off: {os.strerror(number)}"
    assert error.temporary


def test_a_host_that_is_silent_while_it_is_connected_to_is_slow() -> None:
    silent = urllib3.exceptions.ConnectTimeoutError("Connection to registry.example timed out")
    assert "does not answer in time" in connection_error(silent, "GET", URL).reason


def alert(reason: str) -> ssl.SSLError:
    """As Python raises it where a server ends the handshake with an alert."""
    error = ssl.SSLError(1, f"[SSL: {reason}] {reason.lower().replace('_', ' ')} (_ssl.c:2649)")
    error.reason = reason
    return error


def said(reason: str, handshake: Handshake) -> str:
    return str(connection_error(alert(reason), "GET", "https://r.example:5000/v2/", handshake))


@pytest.mark.parametrize("reason", ["TLSV13_ALERT_CERTIFICATE_REQUIRED", "SSLV3_ALERT_BAD_CERTIFICATE"])
def test_a_client_certificate_that_is_missing_is_asked_for_with_its_options(reason: str) -> None:
    found = said(reason, Handshake(is_registry=True))
    assert found.startswith(f"r.example:5000 requires a client certificate: {reason} ")
    assert found.endswith("Name the file of the certificate in client_cert, and that of its key in client_key.")


@pytest.mark.parametrize(
    "reason",
    [
        *("SSLV3_ALERT_BAD_CERTIFICATE", "SSLV3_ALERT_CERTIFICATE_EXPIRED", "SSLV3_ALERT_CERTIFICATE_UNKNOWN"),
        *("SSLV3_ALERT_UNSUPPORTED_CERTIFICATE", "SSLV3_ALERT_CERTIFICATE_REVOKED", "TLSV1_ALERT_UNKNOWN_CA"),
        "TLSV1_ALERT_ACCESS_DENIED",
    ],
)
def test_a_client_certificate_that_is_refused_is_named(reason: str) -> None:
    found = said(reason, Handshake(certificate="/etc/client.crt", is_registry=True))
    assert f"does not accept the client certificate /etc/client.crt: {reason}" in found
    assert "Check the certificate in client_cert" in found


def test_a_handshake_that_fails_may_be_for_a_client_certificate() -> None:
    found = said("SSLV3_ALERT_HANDSHAKE_FAILURE", Handshake(is_registry=True))
    assert "It may require a client certificate. Name the file of the certificate in client_cert" in found
    found = said("SSLV3_ALERT_HANDSHAKE_FAILURE", Handshake(certificate="/etc/client.crt", is_registry=True))
    assert "does not accept" not in found
    assert "Check the certificate in client_cert" in found
    assert "client_cert" not in said("SSLV3_ALERT_HANDSHAKE_FAILURE", Handshake())
    assert "client_cert" not in said("TLSV1_ALERT_PROTOCOL_VERSION", Handshake(is_registry=True))
