# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ends TLS in front of a registry without it, with certificates of its own, as a company's reverse proxy does."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from pathlib import Path
from types import TracebackType

PAGE = (
    b"<html>\r\n<head><title>400 No required SSL certificate was sent</title></head>\r\n<body>\r\n"
    b"<center><h1>400 Bad Request</h1></center>\r\n<center>No required SSL certificate was sent</center>\r\n"
    b"<hr><center>nginx/1.26.2</center>\r\n</body>\r\n</html>\r\n"
)
"""What nginx answers without a client certificate (ssl_verify_client on)."""
_PIECE = 64 * 1024


class TLSFront:
    """Speaks to ``address`` (plain HTTP) while it is entered.

    With a ``client_ca`` it answers as nginx does to everybody who shows no certificate of that CA.
    """

    def __init__(
        self, address: str, certificate: Path, key: Path, *, client_ca: str = "", listens_at: str = "127.0.0.1"
    ) -> None:
        inner, _colon, port = address.rpartition(":")
        self._inner = (inner, int(port))
        self._asks = bool(client_ca)
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate, key)
        if client_ca:
            self._context.verify_mode = ssl.CERT_OPTIONAL
            self._context.load_verify_locations(client_ca)
        self._listening = socket.create_server((listens_at, 0))
        self.port = int(self._listening.getsockname()[1])

    def __enter__(self) -> TLSFront:
        threading.Thread(target=self._listen, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listening.close()

    def _listen(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=self._serve, args=(self._listening.accept()[0],), daemon=True).start()

    def _serve(self, plain: socket.socket) -> None:
        # Those who don't trust the certificate go away.
        with contextlib.suppress(OSError), self._context.wrap_socket(plain, server_side=True) as client:
            if self._asks and not client.getpeercert():
                self._refuse(client)
                return
            with socket.create_connection(self._inner) as registry:
                back = threading.Thread(target=_pass_on, args=(registry, client), daemon=True)
                back.start()
                _pass_on(client, registry)
                back.join()

    def _refuse(self, client: ssl.SSLSocket) -> None:
        head = client.recv(_PIECE)
        body = b"" if head.startswith(b"HEAD ") else PAGE
        fields = f"HTTP/1.1 400 Bad Request\r\nContent-Type: text/html\r\nContent-Length: {len(PAGE)}\r\n"
        client.sendall(f"{fields}Connection: close\r\n\r\n".encode() + body)


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while piece := source.recv(_PIECE):
            target.sendall(piece)
        target.shutdown(socket.SHUT_WR)
