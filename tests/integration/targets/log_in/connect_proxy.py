# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A proxy with a login, for HTTPS (CONNECT) and HTTP, that notes what it is asked for."""

from __future__ import annotations

import base64
import contextlib
import http.client
import select
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit


class ConnectProxy:
    """Runs as long as it is entered. ``seen`` has a line for each request: the method, the target and the answer."""

    def __init__(self, username: str, password: str) -> None:
        seen: list[str] = []
        expected = "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_CONNECT(self) -> None:
                host, _colon, port = self.path.rpartition(":")
                if not self._admitted(self.path):
                    return
                with socket.create_connection((host, int(port)), timeout=30) as upstream:
                    self.send_response_only(200)
                    self.end_headers()
                    self._pass_on(upstream)
                self.close_connection = True

            def do_GET(self) -> None:
                target = urlsplit(self.path)
                if not self._admitted(self.path):
                    return
                connection = http.client.HTTPConnection(target.netloc, timeout=30)
                private = ("connection", "proxy-authorization")
                sent = {name: value for name, value in self.headers.items() if name.lower() not in private}
                connection.request(self.command, target.path, headers=sent)
                answer = connection.getresponse()
                body = answer.read()
                self.send_response_only(answer.status)
                for name, value in answer.getheaders():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)
                connection.close()

            def do_HEAD(self) -> None:
                self.do_GET()

            def _admitted(self, target: str) -> bool:
                admitted = self.headers.get("Proxy-Authorization") == expected
                seen.append(f"{self.command} {target} {200 if admitted else 407}")
                if not admitted:
                    self.send_response_only(407)
                    self.send_header("Proxy-Authenticate", 'Basic realm="proxy"')
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                return admitted

            def _pass_on(self, upstream: socket.socket) -> None:
                ends = {self.connection: upstream, upstream: self.connection}
                with contextlib.suppress(OSError):
                    while True:
                        ready, _writable, _broken = select.select(list(ends), [], [], 30)
                        for end in ready:
                            piece = end.recv(65536)
                            if not piece:
                                return
                            ends[end].sendall(piece)
                        if not ready:
                            return

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.seen = seen
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.address = f"127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> ConnectProxy:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
