# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the libraries raise where there is no connection; test__transport.py has it on real sockets."""

from __future__ import annotations

import errno
import os

import pytest
import urllib3
from ansible_collections.imageops.registry.plugins.module_utils._connection_error import connection_error

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
    assert "doesn't answer in time" in connection_error(silent, "GET", URL).reason
