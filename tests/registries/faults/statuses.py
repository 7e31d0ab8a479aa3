# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Registries, and what stands in front of them, that answer with an error for a while."""

from __future__ import annotations

import email.utils
import http.client
import re
import ssl
import time
from urllib.parse import urlsplit

from faults.base import Answer, Fault, FirstTries, Request, challenge_of, error_answer, status_of, whole_number

_CODES = {401: "UNAUTHORIZED", 403: "DENIED", 429: "TOOMANYREQUESTS", 500: "UNKNOWN", 503: "UNAVAILABLE"}
_TOKEN_PATH = "/played-token"
_REALM = re.compile(r'realm="([^"]*)"')


def _answer(status: int, *headers: tuple[str, str]) -> Answer:
    """As registries say it, or, where only what is in front of them says such a thing, in plain text."""
    reason = http.client.responses[status]
    if status in _CODES:
        return error_answer(status, _CODES[status], reason.lower(), *headers)
    content = f"{status} {reason}\n".encode()
    return Answer(status, [("Content-Type", "text/plain"), *headers], [content], len(content))


class Status(Fault):
    name = "status"
    summary = "the first try of each distinct request, body included, gets this status, and does not reach the registry"
    argument = "the status (default 503)"

    def __init__(self, argument: str) -> None:
        super().__init__(argument)
        self._status = status_of(argument, 503)
        self._tries = FirstTries()

    def before(self, request: Request) -> Answer | None:
        if not self._tries.is_first(request):
            return None
        request.acted.append(self.name)
        return _answer(self._status)


class StatusEarly(Status):
    name = "status-early"
    summary = "as status, and a request with a body is answered before that was read; the connection ends then"

    def before(self, request: Request) -> Answer | None:
        answer = super().before(request)
        if answer is not None and request.body.first_piece():
            request.body.give_up()
            answer.put("Connection", "close")
        return answer


class StatusAlways(Fault):
    name = "status-always"
    summary = "every request gets this status"
    argument = "the status (default 503)"

    def __init__(self, argument: str) -> None:
        super().__init__(argument)
        self._status = status_of(argument, 503)

    def before(self, request: Request) -> Answer | None:
        request.acted.append(self.name)
        return _answer(self._status)


class RetryAfter(Fault):
    name = "retry-after"
    summary = "the first try of each distinct request gets 429 with this Retry-After"
    argument = "seconds (default 1); or date (2 seconds from now), past, absurd, absurd-date, words, none"

    def __init__(self, argument: str) -> None:
        super().__init__(argument)
        known = ("date", "past", "absurd", "absurd-date", "words", "none")
        self._seconds = 0 if argument in known else whole_number(argument, 1)
        self._tries = FirstTries()

    def before(self, request: Request) -> Answer | None:
        if not self._tries.is_first(request):
            return None
        request.acted.append(self.name)
        value = self._value()
        return _answer(429, *([("Retry-After", value)] if value else []))

    def _value(self) -> str:
        forms = {
            "date": email.utils.formatdate(time.time() + 2, usegmt=True),
            "past": "Mon, 01 Jan 2024 00:00:00 GMT",
            "absurd": "1000000000",
            "absurd-date": "Fri, 31 Dec 9999 23:59:59 GMT",
            "words": "soon",
            "none": "",
        }
        return forms.get(self.choice, str(self._seconds))


class Quota(Fault):
    name = "quota"
    summary = "every request gets 429 and a Retry-After of an hour"

    def before(self, request: Request) -> Answer | None:
        request.acted.append(self.name)
        return _answer(429, ("Retry-After", "3600"))


class ExpiredToken(Fault):
    name = "expired-token"
    summary = "a Bearer token expires after some requests: from then on it gets 401 and invalid_token"
    argument = "how many requests each token is good for (default 10)"

    def __init__(self, argument: str) -> None:
        super().__init__(argument)
        self._most = whole_number(argument, 10)
        self._uses: dict[str, int] = {}

    def before(self, request: Request) -> Answer | None:
        token = request.header("Authorization")
        if not token.startswith("Bearer "):
            return None
        with self.lock:
            self._uses[token] = self._uses.get(token, 0) + 1
            if self._uses[token] <= self._most:
                return None
        request.acted.append(self.name)
        challenge = challenge_of(request, "invalid_token")
        return error_answer(401, "UNAUTHORIZED", "authentication required", ("WWW-Authenticate", challenge))


class TokenStatus(Fault):
    name = "token-status"
    summary = "the realm leads through the proxy, where the first try of each token request gets this status"
    argument = "the status (default 503)"

    def __init__(self, argument: str) -> None:
        super().__init__(argument)
        self._status = status_of(argument, 503)
        self._tries = FirstTries()
        self._realm = ""

    def before(self, request: Request) -> Answer | None:
        if request.path != _TOKEN_PATH or not self._realm:
            return None
        request.acted.append(self.name)
        if self._tries.is_first(request):
            return _answer(self._status)
        return self._token(request)

    def after(self, request: Request, answer: Answer) -> None:
        challenge = answer.header("WWW-Authenticate")
        found = _REALM.search(challenge)
        if not challenge.startswith("Bearer ") or found is None:
            return
        self._realm = found.group(1)
        answer.put("WWW-Authenticate", challenge.replace(self._realm, request.origin + _TOKEN_PATH))

    def _token(self, request: Request) -> Answer:
        realm = urlsplit(self._realm)
        # The harness asks its own token server, on loopback.
        connection = (
            http.client.HTTPSConnection(realm.netloc, context=ssl._create_unverified_context(), timeout=30)
            if realm.scheme == "https"
            else http.client.HTTPConnection(realm.netloc, timeout=30)
        )
        try:
            headers = {
                name: value for name, value in request.headers if name.lower() in ("authorization", "content-type")
            }
            body = b"".join(request.body.pieces())
            connection.request(request.method, f"{realm.path}?{request.query}", body or None, headers)
            response = connection.getresponse()
            content = response.read()
        finally:
            connection.close()
        kept = [("Content-Type", response.headers.get("Content-Type", "application/json"))]
        return Answer(response.status, kept, [content], len(content))
