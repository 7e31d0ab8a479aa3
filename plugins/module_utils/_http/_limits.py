# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""How fast a registry may be asked, whichever end of a task it is."""

from __future__ import annotations

import contextlib
import random
import threading
import time
import typing as t

from .._run._counters import Counters

LONGEST_WAIT = 120.0
"""Seconds that a registry is waited for, where nothing else is asked for."""
_LONGEST_BACKOFF = 30.0


class Limits:
    """Shared by all that asks one registry. ``requests_per_second`` is how many requests may begin; 0: all.

    ``longest_wait`` is how many seconds a pause may take, whoever asks for it.
    """

    def __init__(self, requests_per_second: float = 0.0, longest_wait: float = LONGEST_WAIT) -> None:
        self.longest_wait = longest_wait
        self._requests_per_second = requests_per_second
        self._lock = threading.Lock()
        self._next_at = 0.0
        self._not_before = 0.0
        self._pausing_long = False
        self._had_its_pause = False

    def backoff(self, attempt: int) -> float:
        """Seconds to wait after the failure of a try, the first of which is 0: twice as many each time, by chance less.

        So those that failed together don't come back together.
        """
        return min(self.longest_wait, random.uniform(0.1, min(_LONGEST_BACKOFF, 2.0 ** min(attempt, 10))))

    def grants(self, seconds: float) -> bool:
        """Whether a registry that asks to be left alone for so long gets a pause.

        One that asks for more than the longest gets that once: quotas last hours, and an absurd number may be gone.
        """
        if seconds <= self.longest_wait:
            return True
        self._pausing_long = True
        return not self._had_its_pause

    def pause(self, seconds: float) -> None:
        """The registry is to be left alone for so long, by all."""
        with self._lock:
            self._not_before = max(self._not_before, time.monotonic() + min(seconds, self.longest_wait))

    def wait(self, sleep: t.Callable[[float], object]) -> None:
        """Wait until the next request may begin."""
        self.wait_for_pause(sleep)
        wait = self.take_turn()
        if wait:
            sleep(wait)

    def wait_for_pause(self, sleep: t.Callable[[float], object]) -> None:
        """Wait as long as the registry is to be left alone."""
        waited_until = 0.0
        while True:
            with self._lock:
                until = self._not_before
            wait = until - time.monotonic()
            if wait <= 0 or until <= waited_until:
                break
            # All have waited for the same moment, and one after the other is soon enough.
            sleep(min(wait, self.longest_wait) + random.uniform(0.0, min(1.0, wait / 4)))
            waited_until = until
            self._had_its_pause = self._had_its_pause or self._pausing_long

    def take_turn(self) -> float:
        """Let one more request begin. Returns how many seconds from now; who doesn't wait delays the others."""
        if not self._requests_per_second:
            return 0.0
        with self._lock:
            begin = max(self._next_at, time.monotonic())
            self._next_at = begin + 1 / self._requests_per_second
        return max(0.0, begin - time.monotonic())


class Turns:
    """Lets the requests of one task begin: at the pace of ``limits``, counted, and ``jobs`` of them at a time."""

    def __init__(self, limits: Limits, counters: Counters, jobs: int, sleep: t.Callable[[float], object]) -> None:
        self._limits = limits
        self._counters = counters
        self._slots = threading.Semaphore(jobs)
        self._sleep = sleep

    def wait_for_pause(self) -> None:
        """Wait as long as the registry is to be left alone."""
        self._limits.wait_for_pause(self._sleep)

    @contextlib.contextmanager
    def taken(self, *, at_once: bool = False) -> t.Iterator[None]:
        """Wait until a request may begin, and keep its place until it has ended.

        With ``at_once`` it begins now, after :meth:`wait_for_pause`: the others begin later for it.
        """
        if at_once:
            self._limits.take_turn()
        else:
            self._limits.wait(self._sleep)
        self._counters.add(requests=1)
        with self._slots:
            yield
