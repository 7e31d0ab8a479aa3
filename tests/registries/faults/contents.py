# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Registries that answer with other content than was asked for."""

from __future__ import annotations

import hashlib
import re
import zlib
from collections.abc import Iterable, Iterator

from faults.base import PIECE, Answer, Fault, Request

_LARGEST_MANIFEST = 4 * 1024 * 1024
_CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(.*)")


def _is_read(request: Request, answer: Answer, *kinds: str) -> bool:
    return request.kind in kinds and request.method == "GET" and answer.status in (200, 206)


def _last_apart(body: Iterable[bytes]) -> Iterator[tuple[bytes, bool]]:
    """All pieces, each with whether it is the last."""
    held: bytes | None = None
    for piece in body:
        if held is not None:
            yield held, False
        held = piece
    if held is not None:
        yield held, True


class NoRange(Fault):
    name = "no-range"
    summary = "Range is ignored: every body begins at 0"

    def before(self, request: Request) -> Answer | None:
        kept = [(name, value) for name, value in request.headers if name.lower() != "range"]
        if len(kept) < len(request.headers):
            request.acted.append(self.name)
            request.headers = kept
        return None


class WrongRange(Fault):
    name = "wrong-range"
    summary = "an answer to Range has other bytes than it says"
    argument = "header (default): Content-Range names the next byte; or body: it begins at the next byte"
    choices = ("header", "body")

    def after(self, request: Request, answer: Answer) -> None:
        found = _CONTENT_RANGE.fullmatch(answer.header("Content-Range"))
        if answer.status != 206 or found is None:
            return
        request.acted.append(self.name)
        if self.choice == "header":
            answer.put("Content-Range", f"bytes {int(found.group(1)) + 1}-{found.group(2)}/{found.group(3)}")
        else:
            answer.body = self._shifted(answer.body)

    @staticmethod
    def _shifted(body: Iterable[bytes]) -> Iterator[bytes]:
        first = True
        for piece, last in _last_apart(body):
            yield (piece[1:] if first else piece) + (b"\0" if last else b"")
            first = False


class WrongBytes(Fault):
    name = "wrong-bytes"
    summary = "the last byte of each blob is another"

    def after(self, request: Request, answer: Answer) -> None:
        if _is_read(request, answer, "blob"):
            request.acted.append(self.name)
            answer.body = self._other(answer.body)

    @staticmethod
    def _other(body: Iterable[bytes]) -> Iterator[bytes]:
        for piece, last in _last_apart(body):
            yield piece[:-1] + bytes([piece[-1] ^ 1]) if last else piece


class WrongSize(Fault):
    name = "wrong-size"
    summary = "every blob has another size, said by HEAD and kept by GET"
    argument = "more (default): one byte more; or less: one byte less"
    choices = ("more", "less")

    def after(self, request: Request, answer: Answer) -> None:
        if request.kind != "blob" or request.method not in ("GET", "HEAD") or answer.status not in (200, 206):
            return
        request.acted.append(self.name)
        if answer.length:
            answer.length += 1 if self.choice == "more" else -1
        if request.method == "GET":
            answer.body = self._sized(answer.body)

    def _sized(self, body: Iterable[bytes]) -> Iterator[bytes]:
        for piece, last in _last_apart(body):
            if not last:
                yield piece
            else:
                yield piece + b"\0" if self.choice == "more" else piece[:-1]


class WrongManifest(Fault):
    name = "wrong-manifest"
    summary = "every manifest has one byte more, and the digest in the answer's head stays as it was"

    def after(self, request: Request, answer: Answer) -> None:
        if _is_read(request, answer, "manifest"):
            request.acted.append(self.name)
            answer.replace(answer.read() + b"\n", answer.header("Content-Type"))


class ContentEncoding(Fault):
    name = "content-encoding"
    summary = "manifests, blobs and lists come with Content-Encoding: gzip, which nobody asked for"

    def after(self, request: Request, answer: Answer) -> None:
        if _is_read(request, answer, "manifest", "blob", "tags", "referrers") and answer.status == 200:
            request.acted.append(self.name)
            answer.body, answer.length = self._gzip(answer.body), None
            answer.put("Content-Encoding", "gzip")

    @staticmethod
    def _gzip(body: Iterable[bytes]) -> Iterator[bytes]:
        packer = zlib.compressobj(wbits=31)
        for piece in body:
            packed = packer.compress(piece)
            if packed:
                yield packed
        yield packer.flush()


class LargeManifest(Fault):
    name = "large-manifest"
    summary = "every manifest has so much white space that it is over 4 MiB; its digest is that of the whole"

    def __init__(self, argument: str) -> None:
        super().__init__(argument)
        self._paths: dict[str, str] = {}

    def before(self, request: Request) -> Answer | None:
        request.path = self._paths.get(request.path, request.path)
        return None

    def after(self, request: Request, answer: Answer) -> None:
        if request.kind != "manifest" or request.method not in ("GET", "HEAD") or answer.status != 200:
            return
        request.acted.append(self.name)
        whole = answer if request.method == "GET" else request.ask("GET", request.target)
        content = whole.read().ljust(_LARGEST_MANIFEST + 1)
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        self._paths[f"/v2/{request.repository}/manifests/{digest}"] = request.path
        answer.put("Docker-Content-Digest", digest)
        answer.replace(content, answer.header("Content-Type"))


class EndlessBody(Fault):
    name = "endless-body"
    summary = "what is read never ends"
    argument = "manifest, blob or tags (default all of them)"
    choices = ("", "manifest", "blob", "tags")

    def after(self, request: Request, answer: Answer) -> None:
        kinds = (self.choice,) if self.choice else self.choices[1:]
        if _is_read(request, answer, *kinds):
            request.acted.append(self.name)
            answer.body, answer.length = self._endless(answer.body), None

    @staticmethod
    def _endless(body: Iterable[bytes]) -> Iterator[bytes]:
        yield from body
        while True:
            yield b" " * PIECE
