# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Images made up from a seed: the same options always give the same digests."""

from __future__ import annotations

import hashlib
import json
import struct
import tarfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Callable

OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar"
OCI_EMPTY = "application/vnd.oci.empty.v1+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar"

GZIP_LIMIT = 16 * 1024 * 1024  # larger layers stay uncompressed: they are streamed, never held
_PIECE = 1024 * 1024
_CREATED = "2026-01-01T00:00:00Z"
_VERSION = "1.0.0"

JSON = dict[str, Any]


@dataclass(frozen=True)
class Blob:
    """A blob as a recipe: ``stream`` makes its bytes again at every call."""

    media_type: str
    digest: str
    size: int
    stream: Callable[[], Iterator[bytes]] = field(repr=False, compare=False)
    diff_id: str = ""

    def descriptor(self) -> JSON:
        return {"mediaType": self.media_type, "digest": self.digest, "size": self.size}


@dataclass(frozen=True)
class Manifest:
    """A manifest or index: its exact bytes, and what must be pushed before it."""

    media_type: str
    body: bytes
    blobs: tuple[Blob, ...] = ()
    manifests: tuple[Manifest, ...] = ()

    @property
    def digest(self) -> str:
        return sha256(self.body)

    def descriptor(self) -> JSON:
        return {"mediaType": self.media_type, "digest": self.digest, "size": len(self.body)}


@dataclass(frozen=True)
class Platform:
    os: str
    architecture: str
    variant: str | None = None

    def to_json(self) -> JSON:
        value = {"architecture": self.architecture, "os": self.os}
        return {**value, "variant": self.variant} if self.variant else value


AMD64 = Platform("linux", "amd64")
ARM64 = Platform("linux", "arm64", "v8")


def sha256(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


def content_blob(media_type: str, content: bytes) -> Blob:
    return Blob(media_type, sha256(content), len(content), lambda: iter((content,)))


def layer(seed: str, size: int, docker: bool = False) -> Blob:
    """A tar archive with one file of ``size`` pseudo-random bytes."""
    base = DOCKER_LAYER if docker else OCI_LAYER
    if size <= GZIP_LIMIT:
        archive = b"".join(_tar(seed, size))
        packed = _gzip(archive)
        media_type = base + (".gzip" if docker else "+gzip")
        return Blob(media_type, sha256(packed), len(packed), lambda: iter((packed,)), sha256(archive))
    digest, length = hashlib.sha256(), 0
    for piece in _tar(seed, size):
        digest.update(piece)
        length += len(piece)
    name = "sha256:" + digest.hexdigest()
    return Blob(base, name, length, lambda: _tar(seed, size), name)


def image(layers: list[Blob], title: str, platform: Platform = AMD64, docker: bool = False) -> Manifest:
    labels = {
        "org.opencontainers.image.created": _CREATED,
        "org.opencontainers.image.title": title,
        "org.opencontainers.image.version": _VERSION,
    }
    config = {
        **platform.to_json(),
        "created": _CREATED,
        "config": {"Env": ["PATH=/usr/bin:/bin"], "Cmd": ["/bin/true"], "Labels": labels},
        "rootfs": {"type": "layers", "diff_ids": [item.diff_id for item in layers]},
        "history": [{"created": _CREATED, "created_by": f"layer {n}"} for n in range(1, len(layers) + 1)],
    }
    blob = content_blob(DOCKER_CONFIG if docker else OCI_CONFIG, _encode(config))
    media_type = DOCKER_MANIFEST if docker else OCI_MANIFEST
    body = {
        "schemaVersion": 2,
        "mediaType": media_type,
        "config": blob.descriptor(),
        "layers": [item.descriptor() for item in layers],
    }
    return Manifest(media_type, _encode(body), (blob, *layers))


def index(children: list[tuple[Manifest, Platform | None]], docker: bool = False) -> Manifest:
    media_type = DOCKER_LIST if docker else OCI_INDEX
    entries = [
        {**child.descriptor(), **({"platform": platform.to_json()} if platform else {})} for child, platform in children
    ]
    body = {"schemaVersion": 2, "mediaType": media_type, "manifests": entries}
    return Manifest(media_type, _encode(body), (), tuple(child for child, _platform in children))


def artifact(content: bytes, subject: Manifest | None = None) -> Manifest:
    """A manifest with the empty config, an artifact type and one layer that is no archive."""
    empty = content_blob(OCI_EMPTY, b"{}")
    document = content_blob("application/vnd.imageops.example.document.v1+json", content)
    body: JSON = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "artifactType": "application/vnd.imageops.example.v1+json",
        "config": {**empty.descriptor(), "data": "e30="},
        "layers": [
            {**document.descriptor(), "annotations": {"org.opencontainers.image.title": "document.json"}},
        ],
        "annotations": {"org.opencontainers.image.created": _CREATED},
    }
    if subject:
        body["subject"] = subject.descriptor()
    return Manifest(OCI_MANIFEST, _encode(body), (empty, document), (subject,) if subject else ())


def _gzip(content: bytes) -> bytes:
    """RFC 1952, in stored blocks of RFC 1951: what a library compresses, and its header, differ between versions."""
    limit = 65535
    pieces = [b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"]  # neither a name nor a time, and an unknown system
    for start in range(0, len(content) or 1, limit):
        piece = content[start : start + limit]
        last = start + limit >= len(content)
        pieces += [struct.pack("<BHH", last, len(piece), len(piece) ^ 0xFFFF), piece]
    pieces.append(struct.pack("<II", zlib.crc32(content), len(content) & 0xFFFFFFFF))
    return b"".join(pieces)


def _tar(seed: str, size: int) -> Iterator[bytes]:
    member = tarfile.TarInfo(f"content/{hashlib.sha256(seed.encode()).hexdigest()[:12]}.bin")
    member.size, member.mode, member.mtime = size, 0o644, 0
    yield member.tobuf(tarfile.GNU_FORMAT)
    yield from _random(seed, size)
    yield bytes(-size % tarfile.BLOCKSIZE + 2 * tarfile.BLOCKSIZE)


def _random(seed: str, size: int) -> Iterator[bytes]:
    """As fast as memory: one random piece of the seed, with a counter."""
    piece = hashlib.shake_256(seed.encode()).digest(min(size, _PIECE))
    number = 0
    while size > 0:
        chunk = (number.to_bytes(8, "big") + piece[8:])[:size] if number else piece[:size]
        yield chunk
        size -= len(chunk)
        number += 1


def _encode(value: JSON) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
