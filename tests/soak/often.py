# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A promotion that is killed again and again, until a run comes to its end before it is killed.

Each run is killed 200 ms after its first writing request has reached the destination: to start, and to compare images,
takes longer than that already, and leaves nothing behind. On a machine that has much else to do, the destination may
take little in that time, or nothing: after such a run, and after every fifth one, the next is given 200 ms more.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import NamedTuple

from fault_proxy import FaultProxy
from faults import parse_faults
from faults.base import Answer, Fault, Request
from problems import Problem

INTERVAL = 0.2
"""Seconds."""
_FIFTH = 5
_WRITING = ("POST", "PUT", "PATCH")


class Killings(NamedTuple):
    """What it took: how many runs were killed, and after how many seconds the last of them was, or would have been."""

    killed: int
    interval: float


class _Timer(Fault):
    """Calls ``kill`` so many seconds after the first writing request."""

    name = "timer"
    summary = "the client is killed"

    def __init__(self, seconds: float, kill: Callable[[], None]) -> None:
        super().__init__("")
        self._timer = threading.Timer(seconds, kill)
        self._timer.daemon = True
        self._started = False
        self.taken = False
        """Whether the registry has taken something."""

    def before(self, request: Request) -> Answer | None:
        with self.lock:
            if request.method in _WRITING and not self._started:
                self._started = True
                self._timer.start()
        return None

    def after(self, request: Request, answer: Answer) -> None:
        self.taken = self.taken or (request.method, answer.status) == ("PUT", 201)

    def end(self) -> None:
        self._timer.cancel()


def kill_until_done(
    proxy: FaultProxy, faults: str, run: Callable[[], bool], kill: Callable[[], None], most: int
) -> Killings:
    """Run, kill and run again. ``run`` returns whether the run has come to its end.

    Raises :class:`Problem` where that needs more than ``most`` runs.
    """
    interval = INTERVAL
    for killed in range(most):
        timer = _Timer(interval, kill)
        proxy.play([timer, *parse_faults(faults)])
        ended = run()
        timer.end()
        proxy.play([])
        proxy.settle()
        if ended:
            return Killings(killed, interval)
        if not timer.taken or killed % _FIFTH == _FIFTH - 1:
            interval += INTERVAL
    raise Problem(f"the promotion was not done after {most} runs, the last of which had {interval:.1f} s")
