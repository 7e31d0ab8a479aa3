# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who answers that something isn't there, without knowing: proxies to HEAD, storages, hosts that are no registry."""

from __future__ import annotations

import http.client
import secrets
from typing import ClassVar

from faults.base import Answer, Fault, Request, status_of

_KINDS = ("manifest", "blob")


class HeadAbsent(Fault):
    name = "head-absent"
    summary = "HEAD of what is there is answered with 404, GET as ever, as by proxies of repositories"
    argument = "all (default), manifest or blob"
    choices = ("all", "manifest", "blob")

    def before(self, request: Request) -> Answer | None:
        wanted = _KINDS if self.choice == "all" else (self.choice,)
        if request.method != "HEAD" or request.kind not in wanted:
            return None
        request.acted.append(self.name)
        return Answer(404)


class HeadRefused(Fault):
    name = "head-refused"
    summary = "HEAD of a manifest or blob is answered with an error, GET as ever"
    argument = "the status (default 405)"

    def __init__(self, argument: str) -> None:
        super().__init__("")
        self._status = status_of(argument, 405)

    def before(self, request: Request) -> Answer | None:
        if request.method != "HEAD" or request.kind not in _KINDS:
            return None
        request.acted.append(self.name)
        return Answer(self._status)


class SignedForGet(Fault):
    """The other host is the proxy by its address, in place of its name."""

    name = "signed-for-get"
    summary = "blobs are redirected to another host, with a signature for GET; that answers HEAD with an error in XML"
    argument = "the status (default 403); or lost: it answers 404 to GET, too"
    parameter: ClassVar[str] = "signature"

    def __init__(self, argument: str) -> None:
        super().__init__("")
        self._is_lost = argument == "lost"
        self._status = 404 if self._is_lost else status_of(argument, 403)
        self._signature = secrets.token_hex(8)

    def before(self, request: Request) -> Answer | None:
        if request.method not in ("HEAD", "GET") or request.kind != "blob":
            return None
        request.acted.append(self.name)
        if request.parameters.get(self.parameter) != self._signature:
            scheme, _colon, address = request.origin.partition("://")
            target = (
                f"{scheme}://127.0.0.1:{address.rpartition(':')[2]}{request.path}?{self.parameter}={self._signature}"
            )
            return Answer(307, [("Location", target)])
        if request.method == "HEAD" or self._is_lost:
            code = "NoSuchKey" if self._is_lost else http.client.responses[self._status].replace(" ", "")
            body = f"<Error><Code>{code}</Code></Error>".encode()
            return Answer(self._status, [("Content-Type", "application/xml")], [body], len(body))
        return None

    def after(self, request: Request, answer: Answer) -> None:
        if request.parameters.get(self.parameter) == self._signature:
            for name in ("Docker-Distribution-Api-Version", "Docker-Content-Digest"):
                answer.drop(name)


class NoRegistry(Fault):
    name = "no-registry"
    summary = "the host is no registry: everything gets the same answer, GET /v2/ as well"
    argument = "plain (default): 404 in plain text; or html: 200 and a page"
    choices = ("plain", "html")

    def before(self, request: Request) -> Answer | None:
        request.acted.append(self.name)
        if self.choice == "html":
            return _text(200, "text/html; charset=utf-8", b"<!DOCTYPE html><title>Welcome</title>")
        return _text(404, "text/plain; charset=utf-8", b"404 page not found\n")


def _text(status: int, media_type: str, body: bytes) -> Answer:
    return Answer(status, [("Content-Type", media_type)], [body], len(body))
