# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A reader that pulls tags again and again, from the registry itself, and looks whether their content is whole."""

from __future__ import annotations

import hashlib
import http.client
import json
import threading
import time
from collections.abc import Iterable
from typing import NamedTuple

from faults.base import MANIFEST_TYPES
from problems import Problem

_SECONDS = 60.0
_PAUSE = 0.01
_TRIES = 100


class Watched(NamedTuple):
    """A tag, and the digests on which it may stand; "" is no such tag. None: on any, as long as it is whole."""

    repository: str
    tag: str
    allowed: frozenset[str] | None


class Client:
    """Asks a registry without TLS and login, over one connection."""

    def __init__(self, address: str) -> None:
        self._connection = http.client.HTTPConnection(address, timeout=_SECONDS)

    def ask(self, method: str, path: str) -> tuple[int, bytes, int]:
        """Status, body, and the length that is told.

        What this registry writes to its disk again, it writes in place: whoever reads at that moment is answered with
        an error of the server, and asks again.
        """
        status, body, length = self._ask_once(method, path)
        for _try in range(_TRIES):
            if status < 500:
                break
            time.sleep(_PAUSE)
            status, body, length = self._ask_once(method, path)
        return status, body, length

    def _ask_once(self, method: str, path: str) -> tuple[int, bytes, int]:
        self._connection.request(method, path, headers={"Accept": MANIFEST_TYPES})
        answer = self._connection.getresponse()
        return answer.status, answer.read(), int(answer.headers.get("Content-Length", "-1"))

    def manifest(self, repository: str, reference: str) -> bytes | None:
        """The bytes of a manifest; None where it isn't there. Raises :class:`Problem`."""
        status, content, _length = self.ask("GET", f"/v2/{repository}/manifests/{reference}")
        if status == 404:
            return None
        if status != 200:
            raise Problem(f"{repository}:{reference} is answered with {status}")
        return content

    def digest(self, repository: str, reference: str) -> str:
        """What a tag points to; empty where it isn't there."""
        content = self.manifest(repository, reference)
        return "" if content is None else digest_of(content)

    def check(self, repository: str, content: bytes, path: str) -> None:
        """That all is there to which a manifest leads. Raises :class:`Problem`, with the path to what is missing."""
        document = json.loads(content)
        for child in document.get("manifests") or ():
            below = self.manifest(repository, child["digest"])
            place = f"{path} -> {child['digest']}"
            if below is None or digest_of(below) != child["digest"]:
                raise Problem(f"{place}: this manifest is not there")
            self.check(repository, below, place)
        for blob in [*([document["config"]] if "config" in document else []), *document.get("layers", ())]:
            status, _body, length = self.ask("HEAD", f"/v2/{repository}/blobs/{blob['digest']}")
            if (status, length) != (200, blob["size"]):
                raise Problem(f"{path} -> {blob['digest']}: this blob is not there ({status}, {length} bytes)")

    def check_tag(self, watched: Watched) -> str:
        """That a tag points to one of its digests with all content. Returns that digest. Raises :class:`Problem`."""
        content = self.manifest(watched.repository, watched.tag)
        digest = "" if content is None else digest_of(content)
        name = f"{watched.repository}:{watched.tag}"
        if watched.allowed is not None and digest not in watched.allowed:
            raise Problem(f"{name} points to {digest or 'nothing'}, and may on {sorted(watched.allowed)} only")
        if content is not None:
            self.check(watched.repository, content, name)
        return digest

    def close(self) -> None:
        self._connection.close()


class Reader:
    """Checks tags in a thread, one after the other, from when it is entered until it is left.

    Leaving it raises :class:`Problem` where a tag was seen that was not whole.
    """

    def __init__(self, address: str, tags: Iterable[Watched]) -> None:
        self._address = address
        self._tags = list(tags)
        self._end = threading.Event()
        self._problem: BaseException | None = None
        self._thread = threading.Thread(target=self._read, name="reader", daemon=True)
        self.pulls = 0
        """How many tags were read."""

    def _read(self) -> None:
        client = Client(self._address)
        try:
            while not self._end.is_set():
                for watched in self._tags:
                    client.check_tag(watched)
                    self.pulls += 1
                    time.sleep(_PAUSE)  # others are at work, too
        except Exception as error:  # told where the reader is left
            self._problem = error
        finally:
            client.close()

    def __enter__(self) -> Reader:
        self._thread.start()
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self._end.set()
        self._thread.join()
        if self._problem is not None and error is None:
            raise Problem(f"the reader: {self._problem}") from self._problem


def digest_of(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()
