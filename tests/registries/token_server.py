# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A token server: signs JWTs that a registry with ``auth.token`` verifies.

Runs as ``python token_server.py CONFIGURATION.json``; the access log goes to standard output.
"""

from __future__ import annotations

import base64
import datetime
import hmac
import json
import secrets
import ssl
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import serialization

# The registry (2.x and 3.x) accepts a token until 60 s after its ``exp``. The claim is set earlier by as much,
# so that a token really ends when ``expires_in`` says.
REGISTRY_LEEWAY = 60
PUBLIC_PREFIX = "public/"
_MAX_FORM = 64 * 1024


class RefusalError(Exception):
    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


class Issuer:
    """Decides who may do what, and signs it."""

    def __init__(self, configuration: dict[str, Any]) -> None:
        self.service: str = configuration["service"]
        self._issuer: str = configuration["issuer"]
        self._seconds: int = configuration["token_seconds"]
        self._accounts: dict[str, dict[str, str]] = configuration["accounts"]
        self._identity_tokens: dict[str, str] = configuration["identity_tokens"]
        self.post_only: bool = configuration["post_only"]
        self._key = Path(configuration["signing_key"]).read_text(encoding="ascii")
        certificate = x509.load_pem_x509_certificate(Path(configuration["signing_certificate"]).read_bytes())
        self._x5c = base64.b64encode(certificate.public_bytes(serialization.Encoding.DER)).decode()

    def role(self, username: str, password: str) -> str:
        account = self._accounts.get(username)
        expected = account["password"] if account else secrets.token_urlsafe()
        if not hmac.compare_digest(expected.encode(), password.encode()) or account is None:
            raise RefusalError(401, "UNAUTHORIZED", "authentication required")
        return account["role"]

    def owner_of(self, identity_token: str) -> str:
        """The account of an identity token."""
        for token, username in self._identity_tokens.items():
            if hmac.compare_digest(token.encode(), identity_token.encode()):
                return username
        raise RefusalError(401, "UNAUTHORIZED", "authentication required")

    def role_of(self, username: str) -> str:
        return self._accounts[username]["role"]

    def grant(self, role: str, username: str, scopes: list[str]) -> list[dict[str, Any]]:
        """The part of the wanted scopes that the account may have."""
        wanted: dict[tuple[str, str], set[str]] = {}
        for scope in scopes:
            kind, _colon, rest = scope.partition(":")
            name, colon, actions = rest.rpartition(":")
            if not kind or not name or not colon:
                raise RefusalError(400, "UNSUPPORTED", "malformed scope")
            wanted.setdefault((kind.partition("(")[0], name), set()).update(actions.split(","))
        access = []
        for (kind, name), asked in sorted(wanted.items()):
            granted = sorted(asked & self._allowed(role, username, kind, name))
            if granted:
                access.append({"type": kind, "name": name, "actions": granted})
        return access

    @staticmethod
    def _allowed(role: str, username: str, kind: str, name: str) -> set[str]:
        if (kind, name) == ("registry", "catalog"):
            return {"*"} if role in ("main", "pull") else set()
        if kind != "repository":
            return set()
        if role == "main" or (role == "owner" and name.startswith(f"{username}/")):
            return {"pull", "push", "delete", "*"}
        return {"pull"} if role == "pull" or name.startswith(PUBLIC_PREFIX) else set()

    def token(self, subject: str, access: list[dict[str, Any]]) -> dict[str, Any]:
        now = int(time.time())
        expiry = now + 1 + self._seconds - REGISTRY_LEEWAY  # rounded up: it lasts at least as long as promised
        claims = {
            "iss": self._issuer,
            "sub": subject,
            "aud": self.service,
            "exp": expiry,
            "nbf": min(now, expiry) - 5,
            "iat": min(now, expiry) - 5,
            "jti": secrets.token_hex(8),
            "access": access,
        }
        signed = jwt.encode(claims, self._key, algorithm="ES256", headers={"x5c": [self._x5c]})
        issued = datetime.datetime.fromtimestamp(now, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        return {"token": signed, "access_token": signed, "expires_in": self._seconds, "issued_at": issued}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "registries-harness-token-server"
    sys_version = ""
    timeout = 30
    disable_nagle_algorithm = True  # head and body are two pieces, and no client must wait for the second
    issuer: Issuer

    def do_GET(self) -> None:
        self._answer(self._by_get)

    def do_POST(self) -> None:
        self._answer(self._by_post)

    def _by_get(self) -> dict[str, Any]:
        if self.issuer.post_only:
            raise RefusalError(405, "UNSUPPORTED", "only POST is known")
        query = parse_qs(urlsplit(self.path).query)
        username, role = self._basic()
        return self._token(username, role, query.get("service", [""])[0], query.get("scope", []))

    def _by_post(self) -> dict[str, Any]:
        length = self.headers.get("Content-Length", "")
        if not length.isdigit() or int(length) > _MAX_FORM:
            self.close_connection = True
            raise RefusalError(400, "UNSUPPORTED", "a form body of at most 64 KiB is needed")
        form = {name: values[0] for name, values in parse_qs(self.rfile.read(int(length)).decode()).items()}
        if not form.get("client_id"):
            raise RefusalError(400, "UNSUPPORTED", "client_id is missing")
        more = {}
        if form.get("grant_type") == "password":
            username = form.get("username", "")
            role = self.issuer.role(username, form.get("password", ""))
        elif form.get("grant_type") == "refresh_token":
            more["refresh_token"] = form.get("refresh_token", "")
            username = self.issuer.owner_of(more["refresh_token"])
            role = self.issuer.role_of(username)
        else:
            raise RefusalError(400, "UNSUPPORTED", "grant_type must be password or refresh_token")
        return {**self._token(username, role, form.get("service", ""), [form.get("scope", "")]), **more}

    def _token(self, username: str, role: str, service: str, scopes: list[str]) -> dict[str, Any]:
        if service != self.issuer.service:
            raise RefusalError(400, "UNSUPPORTED", "unknown service")
        single = [scope for text in scopes for scope in text.split()]
        return self.issuer.token(username, self.issuer.grant(role, username, single))

    def _basic(self) -> tuple[str, str]:
        header = self.headers.get("Authorization")
        if header is None:
            return "", "anonymous"
        scheme, _space, value = header.partition(" ")
        try:
            if scheme.lower() != "basic":
                raise ValueError
            username, _colon, password = base64.b64decode(value, validate=True).decode().partition(":")
        except ValueError as error:
            raise RefusalError(401, "UNAUTHORIZED", "authentication required") from error
        return username, self.issuer.role(username, password)

    def _answer(self, produce: Any) -> None:
        try:
            if urlsplit(self.path).path != "/token":
                raise RefusalError(404, "UNSUPPORTED", "no such page")
            status, value = 200, produce()
        except RefusalError as refusal:
            status, value = refusal.status, {"errors": [{"code": refusal.code, "message": refusal.message}]}
        body = json.dumps(value).encode()
        self.send_response_only(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        if status == 401:
            self.send_header("WWW-Authenticate", f'Basic realm="{self.issuer.service}"')
        self.end_headers()
        self.wfile.write(body)
        self._log(status, len(body))

    def _log(self, status: int, size: int) -> None:
        """One line in Apache's combined format, as the registry writes."""
        when = time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime())
        agent = self.headers.get("User-Agent", "").replace("\\", "\\\\").replace('"', '\\"')
        host, request = self.client_address[0], f"{self.command} {self.path} {self.request_version}"
        sys.stdout.write(f'{host} - - [{when}] "{request}" {status} {size} "" "{agent}"\n')
        sys.stdout.flush()

    def log_message(self, format: str, *args: Any) -> None:
        """Errors of the HTTP layer are no news: the client sees them."""


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, configuration: dict[str, Any]) -> None:
        handler = type("ConfiguredHandler", (Handler,), {"issuer": Issuer(configuration)})
        super().__init__(("127.0.0.1", configuration["port"]), handler)
        if configuration.get("certificate"):
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(configuration["certificate"], configuration["key"])
            # The handshake happens in the request's thread, so that a silent client blocks nobody else.
            self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)

    def handle_error(self, request: Any, client_address: Any) -> None:
        error = sys.exc_info()[1]
        if not isinstance(error, (ConnectionError, ssl.SSLError, TimeoutError)):
            super().handle_error(request, client_address)


def main() -> None:
    configuration = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    Server(configuration).serve_forever()


if __name__ == "__main__":
    main()
