# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a fault is: a named way in which the answers of a real registry are changed, or given in its place."""

from __future__ import annotations

import http.client
import json
import re
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Protocol
from urllib.parse import parse_qsl, unquote

from errors import HarnessError

PIECE = 64 * 1024
MAXIMUM_DOCUMENT = 8 * 1024 * 1024
"""Bytes of a manifest or a list that a fault may look into. Blobs are never held."""

MANIFEST_TYPES = ", ".join(
    (
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.docker.distribution.manifest.v2+json",
    )
)

_ROUTES = (
    ("base", re.compile(r"/v2/")),
    ("catalog", re.compile(r"/v2/_catalog")),
    ("tags", re.compile(r"/v2/(?P<repository>.+)/tags/list")),
    ("manifest", re.compile(r"/v2/(?P<repository>.+)/manifests/(?P<reference>[^/]+)")),
    ("referrers", re.compile(r"/v2/(?P<repository>.+)/referrers/(?P<reference>[^/]+)")),
    ("uploads", re.compile(r"/v2/(?P<repository>.+)/blobs/uploads/")),
    ("session", re.compile(r"/v2/(?P<repository>.+)/blobs/uploads/(?P<reference>[^/]+)")),
    ("blob", re.compile(r"/v2/(?P<repository>.+)/blobs/(?P<reference>[^/]+)")),
)


class Cut(Exception):
    """The connection to the client is to end here, without another word."""


class Source(Protocol):
    def read(self, size: int) -> bytes: ...


class RequestBody:
    """The body of a request, read from the client once, piece by piece."""

    def __init__(self, source: Source, size: int | None) -> None:
        self.size = size
        """Bytes; None where the request has none."""
        self.left = size or 0
        self._source = source

    def pieces(self) -> Iterator[bytes]:
        while self.left:
            piece = self._source.read(min(PIECE, self.left))
            if not piece:
                raise Cut("the client went away")
            self.left -= len(piece)
            yield piece

    def drain(self) -> None:
        for _piece in self.pieces():
            pass


@dataclass
class Answer:
    """What the client gets. Without ``length``, the body is sent in chunks."""

    status: int
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: Iterable[bytes] = ()
    length: int | None = 0

    def header(self, name: str) -> str:
        return next((value for key, value in self.headers if key.lower() == name.lower()), "")

    def drop(self, name: str) -> bool:
        """Remove a header; returns whether it was there."""
        kept = [(key, value) for key, value in self.headers if key.lower() != name.lower()]
        dropped = len(kept) < len(self.headers)
        self.headers = kept
        return dropped

    def put(self, name: str, value: str) -> None:
        """Set a header, in place of those of the same name."""
        self.drop(name)
        self.headers.append((name, value))

    def read(self) -> bytes:
        """The body as a whole, which stays readable; for documents only."""
        content = b""
        for piece in self.body:
            content += piece
            if len(content) > MAXIMUM_DOCUMENT:
                raise HarnessError("A fault looked into a body that is too large.")
        self.body = [content]
        return content

    def replace(self, content: bytes, media_type: str) -> None:
        """Give it another body."""
        for _piece in self.body:
            pass
        self.body, self.length = [content], len(content)
        self.put("Content-Type", media_type)


def json_answer(status: int, value: Any, *headers: tuple[str, str]) -> Answer:
    content = json.dumps(value).encode()
    return Answer(status, [("Content-Type", "application/json"), *headers], [content], len(content))


def error_answer(status: int, code: str, message: str, *headers: tuple[str, str]) -> Answer:
    return json_answer(status, {"errors": [{"code": code, "message": message}]}, *headers)


class Upstream(Protocol):
    """The real registry."""

    storage: Path | None
    """Where a registry of the distribution family keeps what it has; None where that isn't known."""

    def exchange(
        self, method: str, target: str, headers: list[tuple[str, str]], body: RequestBody | None
    ) -> Answer: ...


class Request:
    """One request of the client, before it is passed on: faults may change it."""

    def __init__(
        self,
        method: str,
        target: str,
        headers: list[tuple[str, str]],
        body: RequestBody,
        upstream: Upstream,
        origin: str,
        stopping: threading.Event,
    ) -> None:
        self.method = method
        self.path, _mark, self.query = target.partition("?")
        self.headers = headers
        self.body = body
        self.origin = origin
        """Of the proxy, as the client sees it: scheme, host and port."""
        self.upstream = upstream
        self.kind, self.repository, self.reference = _route(self.path)
        self.notes: dict[str, str] = {}
        """What the first half of a fault leaves to its second."""
        self._stopping = stopping
        self.acted: list[str] = []
        """Names of the faults that did something."""

    @property
    def target(self) -> str:
        return f"{self.path}?{self.query}" if self.query else self.path

    @property
    def parameters(self) -> dict[str, str]:
        return dict(parse_qsl(self.query, keep_blank_values=True))

    @property
    def tag(self) -> str:
        """The tag that a manifest is asked for, or pushed, by; empty for a digest and for everything else."""
        return self.reference if self.kind == "manifest" and ":" not in self.reference else ""

    def header(self, name: str) -> str:
        return next((value for key, value in self.headers if key.lower() == name.lower()), "")

    def wait(self, seconds: float) -> None:
        """Sleep, but no longer than the proxy runs."""
        if self._stopping.wait(seconds):
            raise Cut("the proxy ends")

    def ask(self, method: str, target: str, *headers: tuple[str, str]) -> Answer:
        """A request of a fault's own to the registry, with the client's login. The answer is whole."""
        own = [(key, value) for key, value in self.headers if key.lower() in ("host", "authorization", "accept")]
        given = {key.lower() for key, _value in headers}
        own = [(key, value) for key, value in own if key.lower() not in given]
        answer = self.upstream.exchange(method, target, [*own, *headers], None)
        answer.read()
        return answer


def _route(path: str) -> tuple[str, str, str]:
    for kind, pattern in _ROUTES:
        match = pattern.fullmatch(path)
        if match is not None:
            found = match.groupdict()
            return kind, unquote(found.get("repository", "")), unquote(found.get("reference", ""))
    return "other", "", ""


class Fault:
    """Changes nothing. One instance serves all requests from when it is switched on, in several threads."""

    name: ClassVar[str]
    summary: ClassVar[str]
    argument: ClassVar[str] = ""
    """What may follow ``name=``, in words; empty where nothing may."""
    choices: ClassVar[tuple[str, ...]] = ()
    """All that may follow, the default first; empty where that is a number, or nothing."""

    def __init__(self, argument: str) -> None:
        if argument and self.choices and argument not in self.choices:
            raise HarnessError(f"{self.name} takes {' or '.join(filter(None, self.choices))}.")
        self.choice = argument or (self.choices[0] if self.choices else "")
        """The argument, or the default."""
        self.lock = threading.Lock()

    def connected(self, tls: bool, stopping: threading.Event) -> None:
        """A connection has come in; over TLS, its handshake comes next."""

    def before(self, request: Request) -> Answer | None:
        """Answer in the registry's place, or change the request; None passes it on."""
        return None

    def after(self, request: Request, answer: Answer) -> None:
        """Change the answer, the registry's or another fault's."""


def whole_number(argument: str, default: int) -> int:
    """A fault's argument that is a number. Raises :class:`HarnessError`."""
    if not argument:
        return default
    if not (argument.isascii() and argument.isdigit() and len(argument) < 13):
        raise HarnessError(f"'{argument}' is no number.")
    return int(argument)


def status_of(argument: str, default: int) -> int:
    """A fault's argument that is a status."""
    status = whole_number(argument, default)
    if status not in http.client.responses:
        raise HarnessError(f"'{argument}' is no HTTP status.")
    return status
