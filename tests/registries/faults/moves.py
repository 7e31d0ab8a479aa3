# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Registries that move, take and delete content in ways that clients must cope with."""

from __future__ import annotations

import re
import time
from urllib.parse import urlsplit

from faults.base import Answer, Fault, FirstUploads, Request, Reset, error_answer
from faults.statuses import TokenStatus

_OPEN_RANGE = re.compile(r"bytes=\d+-")


class DeletePending(Fault):
    name = "delete-pending"
    summary = "a delete is answered with 202, and carried out later or never; one of a tag alone never"
    argument = "2 (default): so many seconds later; kept: never; or unseen: never, and a look at it is refused with 400"
    choices = ("2", "kept", "unseen")

    def __init__(self, argument: str) -> None:
        super().__init__(argument)
        self._due: dict[str, float] = {}
        self._unseen: set[str] = set()

    def before(self, request: Request) -> Answer | None:
        self._carry_out(request)
        if request.target in self._unseen and request.method in ("HEAD", "GET"):
            request.acted.append(self.name)
            return error_answer(400, "UNKNOWN", "not now")
        if request.method != "DELETE" or request.kind not in ("manifest", "blob"):
            return None
        if self.choice == "unseen":
            with self.lock:
                self._unseen.add(request.target)
        if self.choice == "2":
            if request.tag:
                return None
            with self.lock:
                self._due.setdefault(request.target, time.monotonic() + int(self.choice))
        request.acted.append(self.name)
        return Answer(202)

    def _carry_out(self, request: Request) -> None:
        now = time.monotonic()
        with self.lock:
            targets = [target for target, due in self._due.items() if due <= now]
            for target in targets:
                del self._due[target]
                request.ask("DELETE", target)


class RangeRefused(Fault):
    name = "range-refused"
    summary = "Range is refused by GET of a blob"
    argument = "416 (default): where it has no end; 400 with XML; or 403"
    choices = ("416", "400", "403")

    def before(self, request: Request) -> Answer | None:
        asked = request.header("Range")
        if request.kind != "blob" or request.method != "GET" or not asked:
            return None
        if self.choice == "416" and not _OPEN_RANGE.fullmatch(asked):
            return None
        request.acted.append(self.name)
        if self.choice == "416":
            return error_answer(416, "BLOB_UNKNOWN", "We do not understand your Range")
        body = b'<?xml version="1.0"?><Error><Code>InvalidRange</Code></Error>'
        return Answer(int(self.choice), [("Content-Type", "application/xml")], [body], len(body))


class RangePerChunk(Fault):
    name = "range-per-chunk"
    summary = "the Range that answers a PATCH counts the bytes of that chunk only"

    def after(self, request: Request, answer: Answer) -> None:
        if request.method == "PATCH" and answer.status == 202 and request.body.size:
            request.acted.append(self.name)
            answer.put("Range", f"0-{request.body.size - 1}")


class SessionStuck(Fault):
    name = "session-stuck"
    summary = (
        "once for each blob, a PATCH is reset; then its session is there, says no Range, and answers PATCH with 500"
    )

    def __init__(self, argument: str) -> None:
        super().__init__(argument)
        self._uploads = FirstUploads()
        self._stuck: set[str] = set()

    def before(self, request: Request) -> Answer | None:
        if request.kind != "session" or request.method not in ("GET", "PATCH"):
            return None
        if request.method == "PATCH" and self._uploads.is_first(request):
            request.acted.append(self.name)
            request.body.drain()
            with self.lock:
                self._stuck.add(request.reference)
            raise Reset
        if request.reference not in self._stuck:
            return None
        request.acted.append(self.name)
        if request.method == "GET":
            return Answer(204, [("Location", f"{request.origin}{request.target}")])
        return error_answer(500, "UNKNOWN", "unknown error")


class PortLost(Fault):
    name = "port-lost"
    summary = "the Location of an upload names the host without its port, as behind a proxy that passes on no port"

    def after(self, request: Request, answer: Answer) -> None:
        location = urlsplit(answer.header("Location"))
        if request.kind in ("uploads", "session") and location.port:
            request.acted.append(self.name)
            answer.put("Location", location._replace(netloc=location.hostname or "").geturl())


class RelativeRealm(TokenStatus):
    name = "relative-realm"
    summary = "the realm of the token server is a path of the registry"
    argument = ""

    def before(self, request: Request) -> Answer | None:
        if not request.path.endswith("/blobs/token") or not self._realm:
            return None
        request.acted.append(self.name)
        return self._token(request)

    def after(self, request: Request, answer: Answer) -> None:
        super().after(request, answer)
        if self._realm and answer.header("WWW-Authenticate"):
            # In the form of a blob's path: so it belongs to the repository for which the fault is switched on.
            challenge = re.sub(
                'realm="[^"]*"', f'realm="/v2/{request.repository}/blobs/token"', answer.header("WWW-Authenticate")
            )
            answer.put("WWW-Authenticate", challenge)
            request.acted.append(self.name)
