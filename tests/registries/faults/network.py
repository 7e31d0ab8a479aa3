# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Networks between a client and its registry."""

from __future__ import annotations

import threading

from faults.base import Answer, Fault, Request, whole_number


class Delay(Fault):
    name = "delay"
    summary = "every message takes its time, each way; a new connection costs its round trips, too"
    argument = "milliseconds each way (default 25)"

    def __init__(self, argument: str) -> None:
        super().__init__(argument)
        self._seconds = whole_number(argument, 25) / 1000

    def connected(self, tls: bool, stopping: threading.Event) -> None:
        # Two messages make a connection, and two more a TLS 1.3 handshake, before the first request can leave.
        stopping.wait(self._seconds * (4 if tls else 2))

    def before(self, request: Request) -> Answer | None:
        request.wait(self._seconds)
        return None

    def after(self, request: Request, answer: Answer) -> None:
        request.wait(self._seconds)
