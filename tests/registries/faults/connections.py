# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Connections that aren't made, break off or fall silent."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator

from faults.base import Answer, Cut, Fault, FirstTries, FirstUploads, Request, Reset, whole_number


class Refused(Fault):
    name = "refused"
    summary = "connections are reset before a byte is answered (whoever connects has no port to be refused by)"
    argument = "how many of the first ones (default all)"

    def __init__(self, argument: str) -> None:
        super().__init__(argument)
        self._left = whole_number(argument, -1)

    def connected(self, tls: bool, stopping: threading.Event) -> None:
        with self.lock:
            if not self._left:
                return
            self._left -= 1
        raise Reset("refused")


class ResetRequests(Fault):
    name = "reset"
    summary = "the first requests get a TCP reset in place of an answer, and do not reach the registry"
    argument = "how many (default 1); or each: the first try of each distinct request"

    def __init__(self, argument: str) -> None:
        super().__init__(argument)
        self._each = FirstTries() if argument == "each" else None
        self._left = 0 if self._each else whole_number(argument, 1)

    def before(self, request: Request) -> Answer | None:
        if not self._acts(request):
            return None
        request.acted.append(self.name)
        raise Reset("reset")

    def _acts(self, request: Request) -> bool:
        if self._each:
            return self._each.is_first(request)
        with self.lock:
            self._left -= 1
            return self._left >= 0


class LostAnswers(Fault):
    name = "lost-answers"
    summary = "the first try of each request that writes is carried out, and its answer lost by a TCP reset"

    def __init__(self, argument: str) -> None:
        super().__init__(argument)
        self._tries = FirstTries()

    def before(self, request: Request) -> Answer | None:
        # Before the body has passed: it tells one upload from another.
        if request.method not in ("GET", "HEAD") and self._tries.is_first(request):
            request.notes[self.name] = "lost"
        return None

    def after(self, request: Request, answer: Answer) -> None:
        if request.notes.get(self.name):
            request.acted.append(self.name)
            raise Reset("the answer is lost")


class LostTagAnswer(Fault):
    name = "lost-tag-answer"
    summary = "the first push of each tag is carried out, and its answer lost by a TCP reset"

    def __init__(self, argument: str) -> None:
        super().__init__(argument)
        self._tries = FirstTries()

    def after(self, request: Request, answer: Answer) -> None:
        if request.method == "PUT" and request.tag and answer.status == 201 and self._tries.is_first(request):
            request.acted.append(self.name)
            raise Reset("the answer is lost")


class SilentClose(Fault):
    name = "silent-close"
    summary = "every connection ends after one answer, which does not say so"

    def after(self, request: Request, answer: Answer) -> None:
        request.acted.append(self.name)
        answer.closes = True


class Stall(Fault):
    name = "stall"
    summary = "the first answer to each distinct request stops in mid-body, or before its head where it has no body"
    argument = "seconds (default 5)"

    def __init__(self, argument: str) -> None:
        super().__init__(argument)
        self._seconds = whole_number(argument, 5)
        self._tries = FirstTries()

    def before(self, request: Request) -> Answer | None:
        if self._tries.is_first(request):
            request.notes[self.name] = "stalls"
        return None

    def after(self, request: Request, answer: Answer) -> None:
        if not request.notes.get(self.name):
            return
        request.acted.append(self.name)
        if request.method == "HEAD" or answer.length == 0:
            request.wait(self._seconds)
        else:
            answer.body = self._halves(request, answer.body, (answer.length or 2) // 2)

    def _halves(self, request: Request, body: Iterable[bytes], half: int) -> Iterator[bytes]:
        passed = 0
        for piece in body:
            if passed <= half < passed + len(piece):
                if half > passed:
                    yield piece[: half - passed]
                request.wait(self._seconds)
                yield piece[half - passed :]
            else:
                yield piece
            passed += len(piece)


class CutDownload(Fault):
    name = "cut-download"
    summary = "every body of a blob ends after so many bytes by a TCP reset; Range leads on"
    argument = "bytes (default 65536), or BYTES:TIMES for so many times a blob"

    def __init__(self, argument: str) -> None:
        super().__init__(argument)
        most, _colon, times = argument.partition(":")
        self._most = whole_number(most, 65536)
        self._times = whole_number(times, -1)
        self._cuts: dict[str, int] = {}

    def after(self, request: Request, answer: Answer) -> None:
        if request.kind != "blob" or request.method != "GET" or answer.status not in (200, 206):
            return
        if answer.length is not None and answer.length <= self._most:
            return
        with self.lock:
            cuts = self._cuts.get(request.path, 0)
            if cuts == self._times:
                return
            self._cuts[request.path] = cuts + 1
        request.acted.append(self.name)
        answer.body = self._begin(answer.body)

    def _begin(self, body: Iterable[bytes]) -> Iterator[bytes]:
        left = self._most
        for piece in body:
            yield piece[:left]
            left -= len(piece)
            if left <= 0:
                raise self._end()

    def _end(self) -> Cut:
        return Reset("the body is cut")


class CutDownloadClean(CutDownload):
    name = "cut-download-clean"
    summary = "every body of a blob ends after so many bytes, and the connection with it; Range leads on"

    def _end(self) -> Cut:
        return Cut("the body is cut")


class CutUpload(Fault):
    name = "cut-upload"
    summary = "once for each blob, the connection is reset after so many bytes of an upload were passed on"
    argument = "bytes (default 65536)"

    def __init__(self, argument: str) -> None:
        super().__init__(argument)
        self._most = whole_number(argument, 65536)
        self._uploads = FirstUploads()

    def before(self, request: Request) -> Answer | None:
        if not self._uploads.is_first(request):
            return None

        def cut() -> Cut:
            request.acted.append(self.name)
            return Reset("the upload is cut")

        request.body.cut_after(self._most, cut)
        return None
