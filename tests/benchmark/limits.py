# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Limits that no tool can pass: how fast the destination takes bytes, and the source gives them."""

from __future__ import annotations

import base64
import http.client
import json
import ssl
import time
import urllib.request
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Callable
from urllib.parse import quote, urlencode, urlsplit

from images import Blob
from measuring import RunError

_PIECE = 1024 * 1024


class Client:
    """One connection to one repository. Nothing is hashed, and nothing is verified."""

    def __init__(self, entry: dict[str, Any], ca_path: str, repository: str) -> None:
        self._repository = repository
        context = ssl.create_default_context(cafile=ca_path) if entry["tls"] else None
        self._headers: dict[str, str] = {}
        if entry["login"] == "token":
            self._headers["Authorization"] = f"Bearer {_token(entry, context, repository)}"
        if context:
            self._connection: http.client.HTTPConnection = http.client.HTTPSConnection(
                entry["address"], context=context
            )
        else:
            self._connection = http.client.HTTPConnection(entry["address"])

    def upload(self, blob: Blob) -> None:
        """Send the bytes as they are made in memory."""
        opened = self._ask("POST", f"/v2/{self._repository}/blobs/uploads/", 202)
        opened.read()
        location = urlsplit(opened.headers["Location"])
        query = f"{location.query}&digest={quote(blob.digest, safe='')}".lstrip("&")
        target = f"{location.path}?{query}"
        self._ask("PUT", target, 201, blob).read()

    def download(self, digest: str) -> None:
        """Read the bytes and throw them away."""
        answer = self._ask("GET", f"/v2/{self._repository}/blobs/{digest}", 200)
        piece = bytearray(_PIECE)
        while answer.readinto(piece):
            pass

    def _ask(self, method: str, target: str, expected: int, blob: Blob | None = None) -> http.client.HTTPResponse:
        headers = dict(self._headers)
        if blob:
            headers.update({"Content-Length": str(blob.size), "Content-Type": "application/octet-stream"})
        self._connection.request(method, target, blob.stream() if blob else None, headers)
        answer = self._connection.getresponse()
        if answer.status != expected:
            raise RunError(f"{method} {target} answered {answer.status}")
        return answer


def destination_takes(entry: dict[str, Any], ca_path: str, repository: str, layers: Sequence[Blob], jobs: int) -> float:
    """Seconds in which a registry takes layers from memory."""
    return _side_by_side(entry, ca_path, repository, layers, jobs, lambda client, blob: client.upload(blob))


def source_gives(entry: dict[str, Any], ca_path: str, repository: str, layers: Sequence[Blob], jobs: int) -> float:
    """Seconds in which a registry gives layers to nobody."""
    return _side_by_side(entry, ca_path, repository, layers, jobs, lambda client, blob: client.download(blob.digest))


def _side_by_side(
    entry: dict[str, Any],
    ca_path: str,
    repository: str,
    layers: Sequence[Blob],
    jobs: int,
    move: Callable[[Client, Blob], None],
) -> float:
    waiting = list(layers)

    def work() -> None:
        client = Client(entry, ca_path, repository)
        while waiting:
            try:
                blob = waiting.pop()
            except IndexError:  # another thread was faster
                return
            move(client, blob)

    started = time.monotonic()
    with ThreadPoolExecutor(jobs) as pool:
        for done in [pool.submit(work) for _job in range(jobs)]:
            done.result()
    return time.monotonic() - started


def _token(entry: dict[str, Any], context: ssl.SSLContext | None, repository: str) -> str:
    query = urlencode({"service": entry["service"], "scope": f"repository:{repository}:pull,push"})
    login = base64.b64encode(f"{entry['username']}:{entry['password']}".encode()).decode()
    request = urllib.request.Request(f"{entry['realm']}?{query}", headers={"Authorization": f"Basic {login}"})
    with urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
    ).open(request) as answer:
        return str(json.load(answer)["token"])
