# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a fault is: a named way in which the answers of a real registry are changed, or given in its place."""

from __future__ import annotations

import hashlib
import http.client
import json
import re
import threading
from collections.abc import Callable, Iterable, Iterator
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


class Reset(Cut):
    """As :class:`Cut`, by a TCP reset: the client is told that the connection is broken."""


class Source(Protocol):
    def read(self, size: int, /) -> bytes: ...


class Client(Source, Protocol):
    def readline(self, size: int, /) -> bytes: ...


class RequestBody:
    """The body of a request, read from the client once, piece by piece."""

    def __init__(self, source: Client, size: int | None, *, chunked: bool = False) -> None:
        self.size = size
        """Bytes; None where the request has none, and where it comes in chunks."""
        self.chunked = chunked
        self._source: Source = _Chunks(source) if chunked else source
        self._left = size or 0
        self._ended = not chunked and not size
        self._seen = b""
        self._most: int | None = None
        self._cut: Callable[[], Cut] = Cut

    def pieces(self) -> Iterator[bytes]:
        passed = 0
        while True:
            piece, self._seen = self._seen or self._read(), b""
            if not piece:
                return
            if self._most is not None and passed + len(piece) > self._most:
                yield piece[: self._most - passed]
                raise self._cut()
            passed += len(piece)
            yield piece

    def first_piece(self) -> bytes:
        """How the body begins; it stays there to be passed on."""
        self._seen = self._seen or self._read()
        return self._seen

    def cut_after(self, size: int, cut: Callable[[], Cut]) -> None:
        """Let no more than so many bytes pass: then raise what ``cut`` makes."""
        self._most, self._cut = size, cut

    def give_up(self) -> None:
        """Read no more of it."""
        self._ended, self._seen = True, b""

    def drain(self) -> None:
        for _piece in self.pieces():
            pass

    def _read(self) -> bytes:
        if self._ended:
            return b""
        piece = self._source.read(PIECE if self.chunked else min(PIECE, self._left))
        if not piece and not self.chunked:
            raise Cut("the client went away")
        self._left -= len(piece)
        self._ended = not piece if self.chunked else not self._left
        return piece


class _Chunks:
    """A body with ``Transfer-Encoding: chunked`` (RFC 9112, 7.1), without its frames."""

    def __init__(self, source: Client) -> None:
        self._source = source
        self._left = 0
        self._ended = False

    def read(self, size: int) -> bytes:
        """So many bytes; fewer at the end only."""
        content = b""
        while len(content) < size and not self._ended:
            if not self._left:
                self._begin()
                continue
            piece = self._source.read(min(size - len(content), self._left))
            if not piece:
                raise Cut("the client went away")
            content += piece
            self._left -= len(piece)
            if not self._left:
                self._line()
        return content

    def _begin(self) -> None:
        try:
            self._left = int(self._line().partition(b";")[0], 16)
        except ValueError:
            raise Cut("the client sends no chunk") from None
        if not self._left:
            self._ended = True
            while self._line():
                pass

    def _line(self) -> bytes:
        line = self._source.readline(PIECE)
        if not line:
            raise Cut("the client went away")
        return line.strip()


@dataclass
class Answer:
    """What the client gets. Without ``length``, the body is sent in chunks."""

    status: int
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: Iterable[bytes] = ()
    length: int | None = 0
    closes: bool = False
    """Whether the connection ends after it, without a word about that."""

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


def is_upload(request: Request) -> bool:
    """Whether it sends a blob, or a chunk of one, or ends a session."""
    return request.kind == "session" and request.method in ("PATCH", "PUT")


def beginning(request: Request) -> str:
    """What tells a blob that is sent from others, whatever the session: how it begins, or its digest."""
    content = request.body.first_piece()
    return hashlib.sha256(content).hexdigest() if content else request.parameters.get("digest", "")


def challenge_of(request: Request, error: str) -> str:
    """The challenge of the registry for a request, as it looks where the token isn't good enough."""
    asked = request.ask(request.method, request.target, ("Authorization", "Basic Og=="))
    challenge = asked.header("WWW-Authenticate") or 'Basic realm="registry"'
    return f'{challenge},error="{error}"' if challenge.startswith("Bearer ") else challenge


class FirstTries:
    """Tells the first of several tries of the same request. A blob stays the same in another upload session."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen: set[tuple[str, ...]] = set()

    def is_first(self, request: Request) -> bool:
        key = (request.method, request.path, request.query)
        if is_upload(request):
            key = (request.method, request.repository, request.parameters.get("digest", "") or beginning(request))
        with self._lock:
            first = key not in self._seen
            self._seen.add(key)
        return first


class FirstUploads:
    """Tells the first request that sends something of a blob. Its session, and all others for it, are left alone."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen: set[tuple[str, str]] = set()

    def is_first(self, request: Request) -> bool:
        if not is_upload(request):
            return False
        session, blob = ("session", request.reference), (request.repository, beginning(request))
        with self._lock:
            first = not {session, blob} & self._seen
            self._seen |= {session, blob}
        return first


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
        """A connection has come in; over TLS, its handshake comes next. Raises :class:`Cut` where it is to end."""

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
