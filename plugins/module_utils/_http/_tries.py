# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The one loop that repeats a request: after which failures, how often, and how long it waits in between."""

from __future__ import annotations

import typing as t

from .._model._errors import ConnectionFailed, NoToken, RateLimited, RegistryError
from .._run._counters import Counters
from ._limits import Limits
from ._response import Response, retry_after
from ._url import without_query


def _nothing() -> None:
    """Check nothing."""


def _forgotten(error: RegistryError) -> None:
    """Note nothing."""


class Tries:
    """Repeats what fails temporarily, ``retries`` times after the first try. Shared by all threads of a task."""

    def __init__(self, retries: int, limits: Limits, counters: Counters, sleep: t.Callable[[float], object]) -> None:
        self._retries = retries
        self._limits = limits
        self._counters = counters
        self._sleep = sleep

    def run(
        self,
        send: t.Callable[[], Response],
        *,
        repeatable: bool = True,
        check: t.Callable[[], None] = _nothing,
        lost: t.Callable[[RegistryError], None] = _forgotten,
        heed_last: bool = True,
    ) -> Response:
        """Send until there is an answer that isn't temporary, or the tries are used up. Returns the last answer.

        ``check`` is called before each try, and ends them by what it raises. ``lost`` is called with the failure that
        used the tries up, an answer or what ``send`` raised. The pause that the registry asks for in its last answer
        holds for all threads, unless ``heed_last`` is false.

        Raises the last :class:`ConnectionFailed`, what else ``send`` raises at once, and :class:`RateLimited` where the
        registry asks for a longer pause than it gets.
        """
        attempt = 0
        while True:
            last = not repeatable or attempt >= self._retries
            check()
            try:
                response = send()
            except ConnectionFailed as error:
                # One that has its operation has had its tries: it is the token server's.
                if last or not error.temporary or error.operation:
                    lost(error)
                    raise
                wait = self._wait_after(error, attempt)
            except (NoToken, RateLimited) as error:
                lost(error)
                raise
            else:
                if not response.is_temporary() or (last and not heed_last):
                    return response
                wait = self._pause(response, attempt)
                if last:
                    lost(response.error())
                    return response
            attempt += 1
            self._wait(wait)

    def back_off(self, attempt: int) -> None:
        """Wait before something that has failed is tried again, after the try of that number; the first is 0."""
        self._wait(self._limits.backoff(attempt))

    def _wait(self, seconds: float) -> None:
        self._counters.add(retries=1)
        if seconds:
            self._sleep(seconds)

    def _wait_after(self, error: ConnectionFailed, attempt: int) -> float:
        """Seconds that this thread has to wait before the next try; 0 where all wait."""
        wait = self._limits.backoff(attempt)
        if not error.refused:
            return wait
        # It restarts, and comes back for all or for none.
        self._limits.pause(wait)
        return 0.0

    def _pause(self, response: Response, attempt: int) -> float:
        """Seconds that this thread has to wait before the next try; 0 where all wait.

        Raises :class:`RateLimited` where the registry asks for a longer pause than it gets.
        """
        asked = retry_after(response.headers.get("Retry-After", ""))
        if asked is None:
            asked = self._limits.backoff(attempt)
            if response.status != 503 and not response.is_throttled:
                return asked
        if not self._limits.grants(asked):
            raise RateLimited(
                f"the registry asks to wait {asked:.0f} seconds, and retry_max_wait is {self._limits.longest_wait:g}",
                hint="Run again later, or log in with an account that has a larger quota",
                method=response.method,
                url=without_query(response.url),
                status=response.status,
                errors=response.error_details(),
            )
        # All threads slow down, not just the one that was told to.
        self._limits.pause(asked)
        return 0.0
