# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Registries that take blobs in a way of their own."""

from __future__ import annotations

from faults.base import Answer, Fault, Request, error_answer, status_of, whole_number


class MountRefused(Fault):
    name = "mount-refused"
    summary = "mounts are refused"
    argument = "the status (default 401); 202 is the start of an upload in its place"

    def __init__(self, argument: str) -> None:
        super().__init__(argument)
        self._status = status_of(argument, 401)

    def before(self, request: Request) -> Answer | None:
        if request.kind != "uploads" or "mount" not in request.parameters:
            return None
        request.acted.append(self.name)
        if self._status == 202:
            request.query = ""
            return None
        codes = {401: "UNAUTHORIZED", 403: "DENIED", 404: "NAME_UNKNOWN", 405: "UNSUPPORTED", 500: "UNKNOWN"}
        headers = [("WWW-Authenticate", 'Basic realm="registry"')] if self._status == 401 else []
        return error_answer(self._status, codes.get(self._status, "NAME_INVALID"), "mounting is refused", *headers)


class _Sessions(Fault):
    """Keeps something for every upload session, by its last path segment."""

    def __init__(self, argument: str) -> None:
        super().__init__(argument)
        self._kept: dict[str, int] = {}


class RangeStandsStill(_Sessions):
    name = "range-stands-still"
    summary = "every PATCH is answered with 201 and the Range of the first chunk, whether it was taken or not"
    argument = (
        "taken (default); silent: taken, and GET of the session says the same; or dropped: the others are thrown away"
    )
    choices = ("taken", "silent", "dropped")

    def before(self, request: Request) -> Answer | None:
        if request.method != "PATCH" or request.reference not in self._kept or self.choice != "dropped":
            return None
        request.body.drain()
        request.acted.append(self.name)
        location = f"{request.origin}{request.target}"
        return Answer(201, [("Location", location), ("Range", f"0-{self._kept[request.reference]}")])

    def after(self, request: Request, answer: Answer) -> None:
        asked = self.choice == "silent" and request.method == "GET" and request.reference in self._kept
        if asked and answer.status == 204:
            answer.put("Range", f"0-{self._kept[request.reference]}")
            request.acted.append(self.name)
        if request.method != "PATCH" or answer.status not in (201, 202):
            return
        with self.lock:
            first = self._kept.setdefault(request.reference, int(answer.header("Range").rpartition("-")[2]))
        answer.status = 201
        answer.put("Range", f"0-{first}")
        request.acted.append(self.name)


class ChunkMinimum(_Sessions):
    name = "chunk-minimum"
    summary = "every chunk but the last must have so many bytes, which OCI-Chunk-Min-Length says"
    argument = "bytes (default 65536)"

    def __init__(self, argument: str) -> None:
        super().__init__(argument)
        self._minimum = whole_number(argument, 65536)

    def before(self, request: Request) -> Answer | None:
        size = request.body.size or 0
        if request.kind != "session" or request.method not in ("PATCH", "PUT") or not size:
            return None
        with self.lock:
            shorter = self._kept.get(request.reference, self._minimum) < self._minimum
            self._kept[request.reference] = size
        if not shorter:
            return None
        request.acted.append(self.name)
        return error_answer(400, "SIZE_INVALID", f"a chunk before this one had less than {self._minimum} bytes")

    def after(self, request: Request, answer: Answer) -> None:
        if request.kind == "uploads" and answer.status == 202:
            answer.put("OCI-Chunk-Min-Length", str(self._minimum))
            request.acted.append(self.name)


class BodyLimit(Fault):
    name = "body-limit"
    summary = "a longer body of a request is refused with 413 and a page in HTML, as by a proxy in front"
    argument = "bytes (default 65536)"

    def __init__(self, argument: str) -> None:
        super().__init__(argument)
        self._most = whole_number(argument, 65536)

    def before(self, request: Request) -> Answer | None:
        if (request.body.size or 0) <= self._most:
            return None
        request.acted.append(self.name)
        page = b"<html><head><title>413 Request Entity Too Large</title></head><body></body></html>"
        return Answer(413, [("Content-Type", "text/html")], [page], len(page))


class ChunkMaximum(Fault):
    name = "chunk-maximum"
    summary = "a longer chunk is refused with 416, a PUT of the whole is not"
    argument = "bytes (default 65536)"

    def __init__(self, argument: str) -> None:
        super().__init__(argument)
        self._most = whole_number(argument, 65536)

    def before(self, request: Request) -> Answer | None:
        if request.method != "PATCH" or (request.body.size or 0) <= self._most:
            return None
        request.acted.append(self.name)
        return error_answer(416, "RANGE_INVALID", "the chunk is too large")


class NoChunks(Fault):
    name = "no-chunks"
    summary = "PATCH is refused: blobs are taken in one piece only"
    argument = "the status (default 405)"

    def __init__(self, argument: str) -> None:
        super().__init__(argument)
        self._status = status_of(argument, 405)

    def before(self, request: Request) -> Answer | None:
        if request.method != "PATCH":
            return None
        request.acted.append(self.name)
        return error_answer(self._status, "UNSUPPORTED", "chunked uploads are not supported")
