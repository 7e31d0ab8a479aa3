# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Requests to a token server: sent without any login but the one given, and repeated like any other."""

from __future__ import annotations

import typing as t

from .._model._errors import ConnectionFailed, RateLimited
from ._request import Request
from ._response import Response
from ._token_server import Answer
from ._tries import Tries

TOKEN_OPERATION = "get a token"
_MAXIMUM_ANSWER = 512 * 1024


class TokenFetch:
    """Asks token servers. ``send`` sends one request and follows no redirect: that would take the password along."""

    def __init__(self, send: t.Callable[[Request], Response], tries: Tries) -> None:
        self._send = send
        self._tries = tries

    def __call__(self, url: str, headers: t.Mapping[str, str], body: bytes | None) -> Answer:
        """One GET, or a POST of the body. Raises what :meth:`Tries.run` does, with its operation."""
        request = Request("GET" if body is None else "POST", url, headers, body, _MAXIMUM_ANSWER)
        try:
            response = self._tries.run(lambda: self._send(request), heed_last=False)
        except (ConnectionFailed, RateLimited) as error:
            error.within(TOKEN_OPERATION)
            raise
        return Answer(response.status, response.body, response.is_throttled)
