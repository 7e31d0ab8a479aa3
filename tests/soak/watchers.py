# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Faults that look on: what reaches the registry, what of it the client hears, and when to kill the client."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from faults.base import Answer, Cut, Fault, Request, error_answer


class CancelRefused(Fault):
    """An account that may push and not delete can't cancel its uploads either."""

    name = "cancel-refused"
    summary = "uploads cannot be cancelled"

    def before(self, request: Request) -> Answer | None:
        if (request.method, request.kind) != ("DELETE", "session"):
            return None
        request.acted.append(self.name)
        return error_answer(403, "DENIED", "requested access to the resource is denied")


class Killer(Fault):
    """Calls ``kill`` with the ``at``-th request that reaches the registry, before or after it was carried out."""

    name = "killer"
    summary = "the client is killed"

    def __init__(self, at: int, kill: Callable[[], None], *, before: bool) -> None:
        super().__init__("")
        self._at = at
        self._kill = kill
        self._before = before
        self._seen = 0
        self._last: Request | None = None

    def before(self, request: Request) -> Answer | None:
        with self.lock:
            self._seen += 1
            if self._seen != self._at:
                return None
            self._last = request
        if self._before:
            self._kill()
            raise Cut("the client is dead")
        return None

    def after(self, request: Request, answer: Answer) -> None:
        if request is self._last and not self._before:
            self._kill()


class Sessions:
    """Which upload sessions a registry has begun, and which of them the client can't know, or can't have ended.

    Two faults share it: ``inner`` stands right in front of the registry, ``outer`` right behind the client.
    """

    def __init__(self, patience: float) -> None:
        self.inner = _Inner(self)
        self.outer = _Outer(self, patience)
        self._lock = threading.RLock()
        self._told: dict[str, bool] = {}
        self._ended: dict[str, bool] = {}
        self._said_gone: set[str] = set()
        self._cancelled: set[str] = set()

    def began(self, session: str) -> None:
        with self._lock:
            self._told[session] = False

    def told(self, session: str) -> None:
        with self._lock:
            self._told[session] = True

    def ended(self, session: str, *, heard: bool) -> None:
        with self._lock:
            self._ended[session] = self._ended.get(session, False) or heard

    def said_gone(self, session: str) -> None:
        with self._lock:
            self._said_gone.add(session)

    def cancelled(self, session: str) -> None:
        with self._lock:
            self._cancelled.add(session)

    def not_cancelled(self, left: set[str]) -> set[str]:
        """Of the sessions that are left, those that the client knew of, and has not even tried to cancel."""
        with self._lock:
            return left - self._cancelled - self.beyond_the_client(left)

    def beyond_the_client(self, left: set[str]) -> set[str]:
        """Of the sessions that are left, those that the client was never told of, or was told that they are gone."""
        with self._lock:
            return {session for session in left if not self._told.get(session, False) or session in self._said_gone}

    def ended_unheard(self) -> set[str]:
        """Those that have ended without that the client heard of it."""
        with self._lock:
            return {session for session, heard in self._ended.items() if not heard}


class _Inner(Fault):
    name = "inner"
    summary = "looks on, in front of the registry"

    def __init__(self, sessions: Sessions) -> None:
        super().__init__("")
        self._sessions = sessions

    def after(self, request: Request, answer: Answer) -> None:
        if (request.method, request.kind, answer.status) == ("POST", "uploads", 202):
            request.notes["began"] = _session_in(answer)
            self._sessions.began(request.notes["began"])
        elif request.kind == "session" and _ends(request, answer):
            request.notes["ended"] = request.reference
            self._sessions.ended(request.reference, heard=False)


class _Outer(Fault):
    name = "outer"
    summary = "looks on, behind the client"

    def __init__(self, sessions: Sessions, patience: float) -> None:
        super().__init__("")
        self._sessions = sessions
        self._patience = patience
        """Seconds after which the client may have given up."""

    def before(self, request: Request) -> Answer | None:
        request.notes["since"] = str(time.monotonic())
        if (request.method, request.kind) == ("DELETE", "session"):
            self._sessions.cancelled(request.reference)
        return None

    def after(self, request: Request, answer: Answer) -> None:
        if time.monotonic() - float(request.notes["since"]) > self._patience:
            return
        if "began" in request.notes and answer.status == 202:
            self._sessions.told(request.notes["began"])
        if "ended" in request.notes and _ends(request, answer):
            self._sessions.ended(request.reference, heard=True)
        elif request.kind == "session" and answer.status in (404, 416):
            self._sessions.said_gone(request.reference)


def _session_in(answer: Answer) -> str:
    return answer.header("Location").partition("?")[0].rpartition("/")[2]


def _ends(request: Request, answer: Answer) -> bool:
    return (request.method, answer.status) in {("PUT", 201), ("DELETE", 204)}
