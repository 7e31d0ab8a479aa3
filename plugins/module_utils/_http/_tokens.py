# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The tokens that a task has got, each as long as it lives."""

from __future__ import annotations

import threading
import time
import typing as t

from .._credentials._credential import Credential
from ._scopes import NOTHING, Scopes


class Token(t.NamedTuple):
    """A bearer token, and what it is good for."""

    text: str
    scopes: Scopes
    expires: float
    """Of the monotonic clock: the token server's clock may be wrong."""


class Tokens:
    """Keeps tokens by credential and scopes. Shared by all threads: each token is asked for by one of them."""

    def __init__(self, clock: t.Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._tokens: dict[tuple[Credential, Scopes], Token] = {}
        self._lock = threading.Lock()
        self._locks: dict[tuple[Credential, Scopes], threading.Lock] = {}

    def get(self, credential: Credential, scopes: Scopes, issue: t.Callable[[Credential, Scopes], Token]) -> Token:
        """The token that is kept for these scopes or wider ones, or else the one that ``issue`` brings."""
        with self._lock:
            found = self._usable(credential, scopes)
            if found is not None:
                return found
            # An identity token may serve once, and bring the next one.
            one_by_one = NOTHING if credential.identity_token else scopes
            lock = self._locks.setdefault((credential, one_by_one), threading.Lock())
        with lock:
            with self._lock:
                found = self._usable(credential, scopes)
            if found is None:
                found = issue(credential, scopes)
                with self._lock:
                    self._tokens[credential, scopes] = found
            return found

    def forget(self, text: str) -> None:
        """Drop a token that was refused, and no newer one that another thread has got."""
        with self._lock:
            self._tokens = {key: token for key, token in self._tokens.items() if token.text != text}

    def _usable(self, credential: Credential, scopes: Scopes) -> Token | None:
        now = self._clock()
        exact = self._tokens.get((credential, scopes))
        if exact is not None and exact.expires > now:
            return exact
        for (owner, _scopes), token in self._tokens.items():
            if owner == credential and token.expires > now and token.scopes.covers(scopes):
                return token
        return None
