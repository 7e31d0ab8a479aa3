# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An HTTP proxy in front of a real registry that plays faults by name and logs every request.

Runs as ``python fault_proxy.py CONFIGURATION.json``: the access log goes to standard output, and the faults are those
that the control file names at the time. In a test, ``with FaultProxy(url) as proxy`` runs it in threads.

Bodies pass through in pieces, both ways. The registry sees the client's Host header and X-Forwarded-Proto, so that it
gives out addresses of the proxy.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import ssl
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from errors import HarnessError
from fault_control import FaultControl
from faults import parse_faults
from faults.base import PIECE, Answer, Cut, Fault, Request, RequestBody, Reset, json_answer
from specification import USER_AGENT

_HOP_BY_HOP = {"connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"}
_SILENCE = 300.0  # seconds
_NO_BODY = (204, 304)


class Registry:
    """The real registry: one connection for each request."""

    def __init__(self, address: str, scheme: str, storage: Path | None = None) -> None:
        self.storage = storage
        self._address = address
        self._scheme = scheme  # of the proxy: the addresses that the registry gives out are the proxy's

    def exchange(self, method: str, target: str, headers: list[tuple[str, str]], body: RequestBody | None) -> Answer:
        connection = http.client.HTTPConnection(self._address, timeout=_SILENCE)
        try:
            connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
            for name, value in headers:
                if name.lower() not in _HOP_BY_HOP | {"content-length"}:
                    connection.putheader(name, value)
            connection.putheader("X-Forwarded-Proto", self._scheme)
            if body is not None and body.size is not None:
                connection.putheader("Content-Length", str(body.size))
            if body is not None and body.chunked:
                connection.putheader("Transfer-Encoding", "chunked")
            connection.endheaders()
            if body is not None:
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it has answered before the end
                    for piece in body.pieces():
                        connection.send(_chunk(piece) if body.chunked else piece)
                    if body.chunked:
                        connection.send(_chunk(b""))
            response = connection.getresponse()
        except BaseException:
            connection.close()
            raise
        length = response.headers.get("Content-Length")
        passed = [
            (name, value)
            for name, value in response.getheaders()
            if name.lower() not in _HOP_BY_HOP | {"content-length"}
        ]
        return Answer(response.status, passed, _pieces(connection, response), int(length) if length else None)


def _chunk(piece: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(piece), piece)


def _pieces(connection: http.client.HTTPConnection, response: http.client.HTTPResponse) -> Iterator[bytes]:
    try:
        while True:
            piece = response.read1(PIECE)
            if not piece:
                return
            yield piece
    finally:
        response.close()
        connection.close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = _SILENCE
    server: _Server

    def setup(self) -> None:
        for fault in self.server.faults(""):
            try:
                fault.connected(self.server.scheme == "https", self.server.stopping)
            except Cut as cut:
                self._log_connection(fault.name)
                if isinstance(cut, Reset):
                    _reset(self.request)
                raise
        super().setup()

    def handle_one_request(self) -> None:
        self._status = self._sent = 0
        super().handle_one_request()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("do_"):  # every method
            return self._serve
        raise AttributeError(name)

    def _serve(self) -> None:
        with self.server.busy():
            self._serve_one()

    def _serve_one(self) -> None:
        request = self._request()
        # The harness itself sees no faults: it seeds through the proxy, too.
        own = self.headers.get("User-Agent", "").startswith(USER_AGENT)
        faults = [] if own else self.server.faults(request.repository)
        try:
            answer = self._answer(request, faults)
            for fault in reversed(faults):
                fault.after(request, answer)
            request.body.drain()
            self._send(answer)
        except Reset:
            self.close_connection = True
            self.rfile.close()
            _reset(self.connection)
        except (Cut, ConnectionError, TimeoutError, ssl.SSLError, http.client.HTTPException):
            self.close_connection = True
        finally:
            self._log(request)

    def _request(self) -> Request:
        length = self.headers.get("Content-Length", "")
        coding = self.headers.get("Transfer-Encoding", "").lower()
        if not length.isdigit() and (length or coding not in ("", "chunked")):
            length = coding = ""
            self.close_connection = True  # what follows can't be told from a request
        body = RequestBody(self.rfile, int(length) if length else None, chunked=bool(coding))
        origin = f"{self.server.scheme}://{self.headers.get('Host', '')}"
        headers = list(self.headers.items())
        return Request(self.command, self.path, headers, body, self.server.upstream, origin, self.server.stopping)

    def _answer(self, request: Request, faults: list[Fault]) -> Answer:
        try:
            for fault in faults:
                answer = fault.before(request)
                if answer is not None:
                    return answer
        except HarnessError as error:
            return json_answer(500, {"errors": [{"code": "HARNESS", "message": str(error)}]})
        return self.server.upstream.exchange(request.method, request.target, request.headers, request.body)

    def _send(self, answer: Answer) -> None:
        self._status = answer.status
        bodiless = self.command == "HEAD" or answer.status in _NO_BODY
        chunked = answer.length is None and not bodiless
        self.send_response_only(answer.status)
        for name, value in answer.headers:
            self.send_header(name, value)
        if chunked:
            self.send_header("Transfer-Encoding", "chunked")
        elif answer.length is not None and answer.status not in _NO_BODY:
            self.send_header("Content-Length", str(answer.length))
        if self.close_connection and not answer.header("Connection"):
            self.send_header("Connection", "close")
        self.end_headers()
        for piece in answer.body:
            if bodiless:
                continue
            self.wfile.write(_chunk(piece) if chunked else piece)
            self._sent += len(piece)
        if chunked:
            self.wfile.write(_chunk(b""))
        elif not bodiless and self._sent != answer.length:
            raise Cut("the registry's answer ended early")
        if answer.closes:
            self.close_connection = True

    def _log_connection(self, fault: str) -> None:
        """A connection that ended before there was a request."""
        client = self.client_address[0]
        nothing = {"method": "-", "target": "-", "version": "HTTP/0.0", "status": 0, "bytes": 0, "user_agent": ""}
        self.server.log({"client": client, "faults": [fault], **nothing})

    def _log(self, request: Request) -> None:
        self.server.log(
            {
                "client": self.client_address[0],
                "method": self.command,
                "target": self.path,
                "version": self.request_version,
                "status": self._status,
                "bytes": self._sent,
                "faults": list(dict.fromkeys(request.acted)),
                "user_agent": self.headers.get("User-Agent", ""),
            }
        )

    def log_message(self, format: str, *args: Any) -> None:
        """Errors of the HTTP layer are no news: the client sees them."""


def _reset(connection: socket.socket) -> None:
    """Close a connection by a TCP reset."""
    with contextlib.suppress(OSError):  # the client was faster
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(
        self,
        port: int,
        upstream: Registry,
        scheme: str,
        faults: Callable[[str], list[Fault]],
        log: Callable[[dict[str, Any]], None],
    ) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.upstream, self.scheme, self.faults, self.log = upstream, scheme, faults, log
        self.stopping = threading.Event()
        self._working = 0
        self._changed = threading.Condition()

    @contextlib.contextmanager
    def busy(self) -> Iterator[None]:
        """While a request is served, and its line isn't logged yet."""
        with self._changed:
            self._working += 1
        try:
            yield
        finally:
            with self._changed:
                self._working -= 1
                self._changed.notify_all()

    def settle(self) -> None:
        """Wait until every request that has come in is logged."""
        with self._changed:
            self._changed.wait_for(lambda: not self._working, timeout=_SILENCE)

    def use_tls(self, certificate: str, key: str) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        # The handshake happens in the request's thread, so that a silent client blocks nobody else.
        self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)

    def handle_error(self, request: Any, client_address: Any) -> None:
        error = sys.exc_info()[1]
        if not isinstance(error, (Cut, ConnectionError, ssl.SSLError, TimeoutError)):
            super().handle_error(request, client_address)


class FaultProxy:
    """The proxy in threads of this process, for tests. ``url`` is a registry's without TLS."""

    def __init__(self, url: str, faults: str | Mapping[str, str] = "", storage: str | Path | None = None) -> None:
        self._requests: list[dict[str, Any]] = []
        self._faults = _by_repository(faults)
        upstream = Registry(urlsplit(url).netloc, "http", Path(storage) if storage else None)
        self._server = _Server(0, upstream, "http", self._faults_of, self._log)
        self.address = f"localhost:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def switch(self, faults: str | Mapping[str, str]) -> None:
        """From now on play these faults, and no others; they begin anew. Of all repositories, or by repository."""
        self._faults = _by_repository(faults)

    def play(self, faults: list[Fault]) -> None:
        """As :meth:`switch`, with faults of a test's own."""
        self._faults = {"": faults}

    @property
    def requests(self) -> list[dict[str, Any]]:
        """What came in, in the order in which it ended, in the shape of ``read_requests``."""
        self._server.settle()
        return self._requests

    def close(self) -> None:
        self._server.stopping.set()
        self._server.shutdown()
        self._server.server_close()

    def _faults_of(self, repository: str) -> list[Fault]:
        found = self._faults
        return found.get(repository, found[""])

    def _log(self, entry: dict[str, Any]) -> None:
        path, _mark, query = entry["target"].partition("?")
        kept = {name: entry[name] for name in ("method", "status", "user_agent", "bytes", "faults")}
        self._requests.append({**kept, "path": path, "query": query})

    def __enter__(self) -> FaultProxy:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def _by_repository(faults: str | Mapping[str, str]) -> dict[str, list[Fault]]:
    named = {"": faults} if isinstance(faults, str) else {"": "", **faults}
    return {repository: parse_faults(text) for repository, text in named.items()}


_log_lock = threading.Lock()


def _print_log(entry: dict[str, Any]) -> None:
    """One line in Apache's combined format, as the registry writes; the faults are where the referrer is."""
    when = time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime())
    agent = entry["user_agent"].replace("\\", "\\\\").replace('"', '\\"')
    asked = f"{entry['method']} {entry['target']} {entry['version']}"
    line = f'{entry["client"]} - - [{when}] "{asked}" {entry["status"]:03} {entry["bytes"]} '
    with _log_lock:
        sys.stdout.write(f'{line}"{"+".join(entry["faults"])}" "{agent}"\n')
        sys.stdout.flush()


def main() -> None:
    configuration = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    storage = configuration.get("storage")
    scheme = "https" if configuration.get("certificate") else "http"
    upstream = Registry(configuration["upstream"], scheme, Path(storage) if storage else None)
    server = _Server(configuration["port"], upstream, scheme, FaultControl(configuration["control"]).faults, _print_log)
    if configuration.get("certificate"):
        server.use_tls(configuration["certificate"], configuration["key"])
    server.serve_forever()


if __name__ == "__main__":
    main()
