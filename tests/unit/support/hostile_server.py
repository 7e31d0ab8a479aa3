# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A small registry on a real socket that turns hostile where a test says so, and keeps all that was sent to it.

Without rules it is a registry with its own token server: an honest one, and a gullible one, which takes for a blob
whatever it is given, as long as all of it came. A rule answers the requests that it fits in its place:
``server.on("GET", "/v2/.*/blobs/.*", redirect_to(elsewhere))``. Every request is kept with the origin that the client
meant (``Host``), all of its headers, its body, and whether a client certificate came with it.
"""

from __future__ import annotations

import base64
import http.server
import itertools
import json
import re
import socket
import socketserver
import ssl
import threading
import typing as t
import urllib.parse

from ansible_collections.imageops.registry.plugins.module_utils._model._digest import compute_digest
from ansible_collections.imageops.registry.plugins.module_utils._model._manifest import OCI_INDEX, OCI_MANIFEST

USER = "ci-of-the-tests"
PASSWORD = "pass/word+of&the tests"
PAIR = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
TOKEN = "bearer-token-of-the-tests"
IDENTITY_TOKEN = "identity-token-of-the-tests"
COOKIE = "cookie-of-the-tests"

SECRETS = (
    *(PASSWORD, urllib.parse.quote(PASSWORD, safe=""), urllib.parse.quote_plus(PASSWORD)),
    *(PAIR, TOKEN, IDENTITY_TOKEN, COOKIE),
)
"""In every form in which a client could send them."""


def secrets_in(text: str) -> list[str]:
    """The secrets of the tests that occur in a text."""
    return [secret for secret in SECRETS if secret in text]


class Seen(t.NamedTuple):
    """One request as it came. ``host`` is what the client took the server for; header names are in lower case."""

    method: str
    target: str
    host: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    certificate: bool

    @property
    def secrets(self) -> list[str]:
        """What it gave away."""
        lines = [f"{name}: {value}" for name, value in self.headers]
        found = secrets_in("\n".join([self.target, *lines, self.body.decode("latin-1")]))
        found += [line for line in lines if line.startswith(("authorization:", "cookie:", "proxy-authorization:"))]
        return found + (["the client certificate"] if self.certificate else [])


class Answer(t.NamedTuple):
    """What is answered. ``length`` replaces the right Content-Length, None leaves it out; ``body`` may be endless."""

    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    body: t.Iterable[bytes] = ()
    length: str | None = ""


Rule = t.Callable[[Seen], t.Optional[Answer]]
"""Answers a request; None leaves it to the honest registry."""


def redirect_to(url: str, status: int = 307) -> Rule:
    """Send every request elsewhere, path and query kept."""
    return lambda seen: Answer(status, (("Location", url + seen.target),))


def answer(status: int = 200, body: bytes | dict[str, t.Any] = b"", **headers: str) -> Rule:
    """Always the same; underscores in the names of headers are hyphens."""
    content = json.dumps(body).encode() if isinstance(body, dict) else body
    pairs = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return lambda seen: Answer(status, pairs, (content,))


def no_mount(seen: Seen) -> Answer | None:
    """Refuse to mount, and nothing else."""
    return Answer(401) if "mount=" in seen.target else None


class HostileServer:
    """A registry at one origin. ``login`` is ``basic``, ``bearer`` or empty; ``realm`` is its own token server's."""

    def __init__(
        self,
        *,
        name: str = "127.0.0.1",
        tls: ssl.SSLContext | None = None,
        login: str = "",
        realm: str = "",
    ) -> None:
        self.seen: list[Seen] = []
        self.connections = 0
        self.tls = tls
        self.login = login
        self.blobs: dict[str, bytes] = {}
        self.manifests: dict[str, bytes] = {}
        """By digest and by tag; of whatever repository."""
        self.always: tuple[tuple[str, str], ...] = ()
        """Headers of every answer."""
        self.stopping = threading.Event()
        self._rules: list[tuple[str, re.Pattern[str], Rule]] = []
        self._uploads = itertools.count()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.owner = self
        self.port = int(self._server.server_address[1])
        self.host = f"{name}:{self.port}"
        self.url = self.url_as(name)
        self.realm = realm or f"{self.url}/token"
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def url_as(self, name: str) -> str:
        """Its URL by another name of this machine: another origin on the same socket."""
        return f"{'https' if self.tls else 'http'}://{name}:{self.port}"

    def on(self, method: str, path: str, rule: Rule) -> None:
        """Answer the requests whose method and path (without query) fit these expressions, once they are logged in."""
        self._rules.append((method, re.compile(path), rule))

    def add(self, document: dict[str, t.Any], *tags: str) -> str:
        """Have a manifest, under its digest and tags. Returns the digest."""
        content = json.dumps(document).encode()
        digest = compute_digest(content)
        self.manifests.update((name, content) for name in (digest, *tags))
        return digest

    @property
    def leaks(self) -> list[str]:
        """The requests that gave something secret away."""
        return [f"{seen.method} {seen.target} gave away {seen.secrets}" for seen in self.seen if seen.secrets]

    @property
    def requests(self) -> list[str]:
        """The requests, without their query."""
        return [f"{seen.method} {seen.target.partition('?')[0]}" for seen in self.seen]

    def close(self) -> None:
        """Stop it."""
        self.stopping.set()
        self._server.shutdown()
        self._server.server_close()

    def answer_to(self, seen: Seen) -> Answer:
        """What this server says to a request."""
        self.seen.append(seen)
        path = urllib.parse.urlsplit(seen.target).path
        refused = self._refused(seen, path)
        for method, pattern, rule in () if refused else self._rules:
            found = rule(seen) if re.fullmatch(method, seen.method) and pattern.fullmatch(path) else None
            if found is not None:
                return found
        return refused or self._honest(seen, path)

    def _refused(self, seen: Seen, path: str) -> Answer | None:
        given = dict(seen.headers).get("authorization", "")
        if not self.login or not path.startswith("/v2/"):
            return None
        if self.login == "basic" and given != f"Basic {PAIR}":
            return Answer(401, (("WWW-Authenticate", 'Basic realm="tests"'),))
        if self.login == "bearer" and given != f"Bearer {TOKEN}":
            return Answer(401, (("WWW-Authenticate", f'Bearer realm="{self.realm}",service="tests"'),))
        return None

    def _honest(self, seen: Seen, path: str) -> Answer:
        last = path.rpartition("/")[2]
        if path == "/token":
            return _document({"token": TOKEN, "access_token": TOKEN, "expires_in": 300})
        if seen.method == "POST" and path.endswith("/blobs/uploads/"):
            return Answer(202, (("Location", f"/uploads/{next(self._uploads)}?_state=x"), ("Range", "0-0")))
        if path.startswith("/uploads/"):
            return self._upload(seen)
        if "/blobs/" in path:
            content = self.blobs.get(last)
            return _missing() if content is None else Answer(200, (), (content,))
        if "/manifests/" in path:
            return self._manifest(seen, last)
        if path.endswith("/tags/list"):
            return _document({"name": "a/b", "tags": sorted(name for name in self.manifests if ":" not in name)})
        if "/referrers/" in path:
            return _document({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": []}, OCI_INDEX)
        if path == "/v2/_catalog":
            return _document({"repositories": ["a/b"]})
        return _document({}) if path == "/v2/" else _missing()

    def _manifest(self, seen: Seen, reference: str) -> Answer:
        if seen.method == "PUT":
            digest = compute_digest(seen.body)
            self.manifests[reference] = self.manifests[digest] = seen.body
            return Answer(201, (("Docker-Content-Digest", digest),))
        content = self.manifests.get(reference)
        if content is None:
            return _missing()
        if seen.method == "DELETE":
            return Answer(202)
        media_type = json.loads(content).get("mediaType", OCI_MANIFEST)
        return Answer(
            200, (("Content-Type", media_type), ("Docker-Content-Digest", compute_digest(content))), (content,)
        )

    def _upload(self, seen: Seen) -> Answer:
        digest = urllib.parse.parse_qs(urllib.parse.urlsplit(seen.target).query).get("digest", [""])[0]
        if seen.method == "PUT":
            self.blobs[digest] = seen.body
            return Answer(201, (("Docker-Content-Digest", digest),))
        if seen.method == "PATCH":
            return Answer(202, (("Location", seen.target), ("Range", f"0-{len(seen.body) - 1}")))
        return Answer(204, (("Location", seen.target), ("Range", "0-0")))


def _document(content: dict[str, t.Any], media_type: str = "application/json") -> Answer:
    return Answer(200, (("Content-Type", media_type),), (json.dumps(content).encode(),))


def _missing() -> Answer:
    return Answer(404, (), (b'{"errors":[{"code":"UNKNOWN"}]}',))


class _Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    block_on_close = False
    owner: HostileServer

    def server_bind(self) -> None:
        socketserver.TCPServer.server_bind(self)

    def finish_request(self, request: t.Any, client_address: t.Any) -> None:
        self.owner.connections += 1
        if self.owner.tls is not None:
            try:
                request = self.owner.tls.wrap_socket(request, server_side=True)
            except OSError:
                return
        try:
            super().finish_request(request, client_address)
        finally:
            request.close()

    def handle_error(self, request: t.Any, client_address: t.Any) -> None:
        """Clients may go away."""


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def setup(self) -> None:
        super().setup()
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, True)

    def log_message(self, format: str, *args: t.Any) -> None:
        """Say nothing."""

    def __getattr__(self, name: str) -> t.Any:
        if name.startswith("do_"):
            return self._answer
        raise AttributeError(name)

    def _answer(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        if len(body) < length:
            self.close_connection = True
            return
        headers = tuple((name.lower(), value) for name, value in self.headers.items())
        certificate = isinstance(self.connection, ssl.SSLSocket) and bool(self.connection.getpeercert())
        # Python's server collapses leading slashes into one; the request line has the target as it was sent.
        target = self.raw_requestline.decode("latin-1").split(" ")[1]
        seen = Seen(self.command, target, self.headers.get("Host", ""), headers, body, certificate)
        self._send(self.server.owner.answer_to(seen))

    def _send(self, found: Answer) -> None:
        pieces = iter(found.body)
        lines = [f"HTTP/1.1 {found.status} Hostile"]
        lines += [f"{name}: {value}" for name, value in (*found.headers, *self.server.owner.always)]
        if found.length == "":
            content = b"".join(pieces)
            pieces = iter((content,))
            lines.append(f"Content-Length: {len(content)}")
        else:
            # Where it is a lie, or isn't told, the end of the connection is the end of the body.
            lines += [f"Content-Length: {found.length}"] if found.length is not None else []
            lines.append("Connection: close")
            self.close_connection = True
        self.wfile.write("\r\n".join([*lines, "", ""]).encode("latin-1"))
        for piece in () if self.command == "HEAD" else pieces:
            if self.server.owner.stopping.is_set():
                return
            self.wfile.write(piece)
        self.wfile.flush()
