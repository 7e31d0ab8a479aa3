# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An HTTP server on a real socket that plays a script: the requests it expects, and its answer to each.

A test names every request that may be made. An extra, missing or different request is a problem, and
:meth:`ScriptedServer.check` raises for it. Every request is kept, to be looked at afterwards.

Two things that clients ask of any registry are no part of a script, unless ``is_plain`` is set: as registries do, all
answers but that of ``/v2/`` name the version of the API; and where HEAD is answered with 404, so is a GET that follows,
and isn't kept: one for manifests, and one for blobs. Any more are a problem, unless they are part of the script.
"""

from __future__ import annotations

import http.server
import json
import socket
import socketserver
import ssl
import threading
import time
import typing as t

Headers = t.Union[t.Mapping[str, str], t.Sequence[tuple[str, str]]]


class Recorded(t.NamedTuple):
    """One request as it came over the wire. Header names in lower case; ``headers`` keeps repeated ones."""

    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str | None:
        """The header's only value, None where it wasn't sent. Fails where it was sent twice."""
        values = [value for key, value in self.headers if key == name.lower()]
        assert len(values) <= 1, f"{name} was sent {len(values)} times"
        return values[0] if values else None


class Step(t.NamedTuple):
    """One expected request, and what is answered to it."""

    method: str
    target: str
    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    length: str | None
    cut: bool
    hang: bool
    gate: threading.Barrier | None
    drip: int
    drip_head: bool


class ScriptedServer:
    """Plays its script in order, or in any order where ``ordered`` is false (for concurrent clients)."""

    def __init__(self, *, tls: ssl.SSLContext | None = None, ordered: bool = True, name: str = "127.0.0.1") -> None:
        self.requests: list[Recorded] = []
        self.problems: list[str] = []
        self.connections = 0
        self.tls = tls
        self.is_plain = False
        self.stopping = threading.Event()
        self._steps: list[Step] = []
        self._absent: set[str] = set()
        self._confirmed: set[str] = set()
        self._ordered = ordered
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.script = self
        self.port = int(self._server.server_address[1])
        self.host = f"{name}:{self.port}"
        self.url = f"{'https' if tls else 'http'}://{self.host}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    def expect(
        self,
        method: str,
        target: str,
        status: int = 200,
        body: bytes | str | dict[str, t.Any] = b"",
        headers: Headers = (),
        *,
        length: str | None = "",
        cut: bool = False,
        hang: bool = False,
        gate: threading.Barrier | None = None,
        drip: int = 0,
        drip_head: bool = False,
        times: int = 1,
    ) -> ScriptedServer:
        """Add to the script. ``length`` replaces the right Content-Length, None leaves the header out.

        ``cut`` closes the connection after the body, or without any answer where ``status`` is 0; ``hang`` gives no
        answer until the server is closed; ``gate`` is waited for before the answer. With ``drip``, the body comes so
        many bytes at a time, with ``drip_head`` the head as well.
        """
        content = json.dumps(body).encode() if isinstance(body, dict) else body
        content = content.encode() if isinstance(content, str) else content
        pairs = tuple(headers.items()) if isinstance(headers, t.Mapping) else tuple(headers)
        self._steps += [Step(method, target, status, pairs, content, length, cut, hang, gate, drip, drip_head)] * times
        return self

    def take(self, request: Recorded) -> Step | None:
        """The step that answers a request; None where none does."""
        with self._lock:
            candidates = self._steps[:1] if self._ordered else self._steps
            for step in candidates:
                if (step.method, step.target) == (request.method, request.target):
                    self._steps.remove(step)
                    self.requests.append(request)
                    if (step.method, step.status) == ("HEAD", 404):
                        self._absent.add(step.target)
                    return step
            if self._confirms(request):
                return Step("GET", request.target, 404, (), b"", "", False, False, None, 0, False)
            self.requests.append(request)
            wanted = f"{candidates[0].method} {candidates[0].target}" if candidates else "nothing"
            self.problems.append(f"{request.method} {request.target} came, {wanted} was expected")
            return None

    def _confirms(self, request: Recorded) -> bool:
        """Whether a request is the one that asks, for its kind of object, whether a 404 to HEAD was right."""
        kind = "blob" if "/blobs/" in request.target else "manifest"
        if self.is_plain or request.method != "GET" or request.target not in self._absent or kind in self._confirmed:
            return False
        self._confirmed.add(kind)
        return True

    def seen(self) -> list[str]:
        """The requests so far, as ``METHOD target``."""
        return [f"{request.method} {request.target}" for request in self.requests]

    def wait_for(self, number: int) -> list[Recorded]:
        """The requests, once there are so many: the server may see the end of one later than its client."""
        until = time.monotonic() + 5
        while len(self.requests) < number and time.monotonic() < until:
            time.sleep(0.002)
        return self.requests

    def check(self) -> None:
        """Raise where the requests weren't those of the script."""
        missing = [f"{step.method} {step.target} never came" for step in self._steps]
        assert not self.problems + missing, "; ".join(self.problems + missing)

    def close(self) -> None:
        """Stop the server."""
        self.stopping.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)


class _Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64
    script: ScriptedServer

    def server_bind(self) -> None:
        socketserver.TCPServer.server_bind(self)

    def finish_request(self, request: t.Any, client_address: t.Any) -> None:
        # The handshake belongs to the connection's own thread: one that fails must not stop the others.
        if self.script.tls is not None:
            try:
                request = self.script.tls.wrap_socket(request, server_side=True)
            except OSError:
                return
        try:
            super().finish_request(request, client_address)
        finally:
            if self.script.tls is not None:
                request.close()

    def handle_error(self, request: t.Any, client_address: t.Any) -> None:
        """Clients may go away; what they did wrong is found by :meth:`ScriptedServer.check`."""


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def setup(self) -> None:
        super().setup()
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, True)
        self.server.script.connections += 1

    def log_message(self, format: str, *args: t.Any) -> None:
        """Say nothing."""

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """What is no HTTP, such as a TLS handshake, gets a short answer and is no request."""
        self.close_connection = True
        self.wfile.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

    def handle_one_request(self) -> None:
        self.raw_requestline = self.rfile.readline(65537)
        if not self.raw_requestline:
            self.close_connection = True
            return
        if not self.parse_request():
            return
        self._answer()
        self.wfile.flush()

    def _answer(self) -> None:
        headers = [(name.lower(), value) for name, value in self.headers.items()]
        # A chunked body isn't read: no test wants one, so that its request gets no body and its test fails.
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        script = self.server.script
        # Python's server collapses leading slashes into one; the request line has the target as it was sent.
        target = self.raw_requestline.decode("latin-1").split(" ")[1]
        step = script.take(Recorded(self.command, target, headers, body))
        if step is None:
            step = Step(self.command, target, 418, (), b"not in the script", "", True, False, None, 0, False)
        if step.gate is not None:
            step.gate.wait(10)
        if step.hang:
            script.stopping.wait(10)
        if step.hang or step.status == 0:
            self.close_connection = True
            return
        lines = [f"HTTP/1.1 {step.status} Scripted"]
        lines += [f"{name}: {value}" for name, value in step.headers]
        named = {name.lower() for name, _value in step.headers}
        if not script.is_plain and target.startswith("/v2/") and target != "/v2/":
            lines.append("Docker-Distribution-Api-Version: registry/2.0")
        if step.length is not None and "content-length" not in named and step.status != 204:
            lines.append(f"Content-Length: {step.length or len(step.body)}")
        if step.cut or "connection" in named:
            self.close_connection = True
        head = "\r\n".join([*lines, "", ""]).encode("latin-1")
        body = b"" if self.command == "HEAD" else step.body
        if not step.drip:
            self.wfile.write(head + body)
            return
        if not step.drip_head:
            self.wfile.write(head)
        dripping = head + body if step.drip_head else body
        for place in range(0, len(dripping), step.drip):
            self.wfile.write(dripping[place : place + step.drip])
            if script.stopping.wait(0.01):
                return
