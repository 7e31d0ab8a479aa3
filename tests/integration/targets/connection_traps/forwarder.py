# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Stands in front of a registry, gives every client a cookie, and notes who brings one back."""

from __future__ import annotations

import http.client
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Forwarder:
    """Forwards to ``address`` (plain HTTP) as long as it is open. ``seen`` are the Cookie headers, None for none."""

    def __init__(self, address: str) -> None:
        seen: list[str | None] = []

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                seen.append(self.headers.get("Cookie"))
                connection = http.client.HTTPConnection(address, timeout=30)
                sent = {name: value for name, value in self.headers.items() if name.lower() != "connection"}
                connection.request(self.command, self.path, headers=sent)
                answer = connection.getresponse()
                body = answer.read()
                self.send_response_only(answer.status)
                for name, value in answer.getheaders():
                    self.send_header(name, value)
                self.send_header("Set-Cookie", "session=of-somebody; Path=/")
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)
                connection.close()

            def do_HEAD(self) -> None:
                self.do_GET()

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.seen = seen
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.address = f"localhost:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
