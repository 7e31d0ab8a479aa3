# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Manifests and indexes that keep their exact bytes (OCI image spec, "Image Manifest" and "Image Index")."""

from __future__ import annotations

import json
import re
import typing as t

from ._digest import check_digest, compute_digest, is_digest
from ._errors import ForeignType, InvalidInput, ProtocolViolation, RegistryError

OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
EMPTY_TYPE = "application/vnd.oci.empty.v1+json"
"""Of a config that says nothing, ``{}`` (image spec, "Guidance for an Empty Descriptor")."""
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
_DOCKER_SCHEMA1 = (
    "application/vnd.docker.distribution.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v1+prettyjws",
)

INDEX_TYPES = (OCI_INDEX, DOCKER_LIST)
MANIFEST_TYPES = (OCI_INDEX, OCI_MANIFEST, DOCKER_LIST, DOCKER_MANIFEST)

WITHDRAWN_TYPES = (
    "application/vnd.oci.artifact.manifest.v1+json",
    "application/vnd.cncf.oras.artifact.manifest.v1+json",
)
"""Types of artifacts that drafts of the OCI specifications had. Nothing copies them, but they are there to be named."""
FOREIGN_TYPES = (*WITHDRAWN_TYPES, *_DOCKER_SCHEMA1)
"""Manifests that are known, and can't be pushed."""

ACCEPT = ", ".join((*MANIFEST_TYPES, *WITHDRAWN_TYPES))
"""What to accept when a manifest is asked for. ``*/*`` is not enough: distribution answers 404 for OCI types.

Docker's schema 1 isn't named: registries would convert to it.
"""

NONDISTRIBUTABLE_TYPES = (
    "application/vnd.oci.image.layer.nondistributable.v1.tar",
    "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
    "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd",
    "application/vnd.docker.image.rootfs.foreign.diff.tar",
    "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
)
"""Layers that are not to be uploaded (OCI image spec, "Non-Distributable Layers")."""

MAXIMUM_SIZE = 4 * 1024 * 1024
"""Bytes. Registries are only bound to take manifests up to 4 MiB (distribution spec, "Pushing Manifests")."""

MAXIMUM_BLOB_SIZE = 2**53
"""Bytes. What is larger isn't a number that JSON carries unharmed."""

_MAXIMUM_DESCRIPTORS = 10000
_KEYS = ("schemaVersion", "mediaType", "artifactType", "config", "layers", "manifests", "subject", "annotations")
_DESCRIPTOR_KEYS = ("mediaType", "digest", "size", "urls", "annotations", "data", "artifactType", "platform")
_GENERIC_TYPES = ("", "application/json", "text/plain", "application/octet-stream")
_MEDIA_TYPE = re.compile(r"[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}", re.ASCII)


class Descriptor(t.NamedTuple):
    """A descriptor (OCI image spec, "Content Descriptors"). ``size`` in bytes."""

    media_type: str
    digest: str
    size: int
    platform: str = ""
    artifact_type: str = ""
    annotations: t.Mapping[str, str] = {}


def accept(media_type: str) -> str:
    """What to accept of a manifest that a descriptor calls by this type; empty where there is no descriptor."""
    named = media_type in (*MANIFEST_TYPES, *WITHDRAWN_TYPES) or not _MEDIA_TYPE.fullmatch(media_type)
    return ACCEPT if named else f"{ACCEPT}, {media_type}"


def is_foreign(media_type: str) -> bool:
    """Whether a descriptor says that its manifest is of a type that can't be pushed."""
    return media_type not in (*MANIFEST_TYPES, *_GENERIC_TYPES)


def subject_digest(content: bytes) -> str:
    """The digest of the subject of a manifest of whatever type; empty where it has none, or isn't one."""
    try:
        subject = _parse_object(content).get("subject")
        return check_digest(subject.get("digest")) if isinstance(subject, dict) else ""
    except RegistryError:
        return ""


def bare_media_type(content_type: str) -> str:
    """A Content-Type header without its parameters, in lower case."""
    return content_type.partition(";")[0].strip().lower()


def format_platform(platform: t.Any) -> str:
    """``os/architecture[/variant]`` of a platform object; empty where there is none."""
    if not isinstance(platform, dict):
        return ""
    parts = [platform.get("os"), platform.get("architecture"), platform.get("variant")]
    return "/".join(str(part) for part in parts if part)


def _unique_keys(pairs: list[tuple[str, t.Any]]) -> dict[str, t.Any]:
    document = dict(pairs)
    if len(document) != len(pairs):
        raise ValueError("a key occurs twice")
    return document


def _no_constant(name: str) -> t.NoReturn:
    raise ValueError(f"{name} is not a JSON number")


def _check_spelling(document: dict[str, t.Any], known: t.Sequence[str], where: str) -> None:
    """Refuse a key of the specification in another case: registries written in Go would read it, and others not."""
    folded = {key.casefold(): key for key in known}
    for key in document:
        if folded.get(key.casefold(), key) != key:
            raise InvalidInput(f"{where} has the key {key!r} in place of {folded[key.casefold()]!r}")


def _parse_object(content: bytes) -> dict[str, t.Any]:
    try:
        document = json.loads(content.decode("utf-8"), object_pairs_hook=_unique_keys, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"the manifest is not valid JSON: {error}") from error
    if not isinstance(document, dict):
        raise InvalidInput("the manifest is not a JSON object")
    return document


class Manifest:
    """A manifest or index. ``content`` holds the exact bytes, whose digest is ``digest``."""

    def __init__(self, content: bytes, media_type: str, document: dict[str, t.Any], digest: str) -> None:
        self.content = content
        self.media_type = media_type
        self.document = document
        self.digest = digest
        self.size = len(content)
        self._lists: dict[str, list[Descriptor]] = {}  # what was read of the document already

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Manifest) and (self.content, self.media_type) == (other.content, other.media_type)

    def __hash__(self) -> int:
        return hash((self.digest, self.media_type))

    @classmethod
    def parse(cls, content: bytes, content_type: str = "", digest: str = "", expected: str = "") -> Manifest:
        """Read the bytes of a manifest.

        ``content_type`` is what the registry or the parent said that it is, empty where nobody did; ``digest`` is what
        it must have, in the digest's own algorithm. ``expected`` is the type in the descriptor that led to it: where
        that and the manifest agree, and the digest proves the bytes, a wrong ``content_type`` is passed over.

        Raises :class:`InvalidInput` for what is no manifest, or where its parts contradict each other
        (CVE-2021-41190), :class:`ProtocolViolation` where the digest differs and :class:`ForeignType` for types that
        can't be pushed, such as Docker's schema 1.
        """
        if len(content) > MAXIMUM_SIZE:
            raise InvalidInput(f"the manifest is larger than {MAXIMUM_SIZE} bytes")
        algorithm = check_digest(digest).partition(":")[0] if digest else "sha256"
        computed = compute_digest(content, algorithm)
        if digest and computed != digest:
            raise ProtocolViolation(f"the manifest's bytes have the digest {computed}, not {digest}")
        document = _parse_object(content)
        said = bare_media_type(content_type)
        if digest and expected and expected == _own_type(document):
            said = expected
        if document.get("schemaVersion") == 1 or said in _DOCKER_SCHEMA1:
            raise ForeignType(
                "the image is in Docker's manifest format schema 1, whose digest cannot be kept",
                hint="Push it again with a current builder",
            )
        return cls(content, _media_type_of(document, said), document, computed).checked()

    def checked(self) -> Manifest:
        """Look at every descriptor, the subject too. Returns itself, or raises :class:`InvalidInput`."""
        if self.document.get("schemaVersion") != 2 or isinstance(self.document.get("schemaVersion"), bool):
            raise InvalidInput("the manifest's schemaVersion is not 2")
        lower = {key.casefold() for key in self.document}
        foreign = {"config", "layers", "fslayers"} if self.is_index else {"manifests", "fslayers"}
        if lower & foreign:
            raise InvalidInput(
                f"the manifest contradicts its media type {self.media_type}: it has {', '.join(lower & foreign)}"
            )
        _check_spelling(self.document, _KEYS, "the manifest")
        sizes: dict[str, int] = {}
        subject = [] if self.subject is None else [self.subject]
        for descriptor in [*self.descriptors(), *subject]:
            if sizes.setdefault(descriptor.digest, descriptor.size) != descriptor.size:
                raise InvalidInput(f"the manifest gives two sizes for {descriptor.digest}")
        return self

    @property
    def is_index(self) -> bool:
        """Whether this is an index (or Docker's manifest list)."""
        return self.media_type in INDEX_TYPES

    @property
    def descriptor(self) -> Descriptor:
        """The descriptor of this manifest itself."""
        return Descriptor(self.media_type, self.digest, self.size)

    def children(self) -> list[Descriptor]:
        """The manifests of an index, in its order; empty for an image manifest."""
        return self._list("manifests") if self.is_index else []

    def blobs(self) -> list[Descriptor]:
        """Config and layers of an image manifest, each digest once; empty for an index.

        Layers that may not be distributed are left out: a repository needs not have them.
        """
        if self.is_index:
            return []
        found = [_descriptor(self.document.get("config"), "config"), *self.layers()]
        return list({blob.digest: blob for blob in found if blob.media_type not in NONDISTRIBUTABLE_TYPES}.values())

    def nondistributable_layers(self) -> list[Descriptor]:
        """The layers that may not be distributed."""
        return [layer for layer in self.layers() if layer.media_type in NONDISTRIBUTABLE_TYPES]

    def layers(self) -> list[Descriptor]:
        """The layers of an image manifest, in its order; empty for an index."""
        return [] if self.is_index else self._list("layers")

    def descriptors(self) -> list[Descriptor]:
        """All that the manifest refers to, its subject left out: registries take manifests without their subject."""
        if self.is_index:
            return self._list("manifests")
        return [_descriptor(self.document.get("config"), "config"), *self._list("layers")]

    @property
    def config(self) -> Descriptor | None:
        """The config's descriptor; None for an index."""
        return None if self.is_index else _descriptor(self.document.get("config"), "config")

    @property
    def subject(self) -> Descriptor | None:
        """The descriptor of the manifest that this one refers to as its subject."""
        subject = self.document.get("subject")
        return None if subject is None else _descriptor(subject, "subject")

    @property
    def artifact_type(self) -> str:
        """The artifact type; where there is none, the config's media type (distribution spec, "Listing Referrers")."""
        own = self.document.get("artifactType")
        if isinstance(own, str) and own:
            return own
        return "" if self.config is None else self.config.media_type

    @property
    def annotations(self) -> dict[str, str]:
        """The manifest's annotations."""
        return _annotations(self.document)

    def _list(self, key: str) -> list[Descriptor]:
        if key not in self._lists:
            self._lists[key] = self._read_list(key)
        return self._lists[key][:]

    def _read_list(self, key: str) -> list[Descriptor]:
        entries = self.document.get(key)
        if entries is None:
            # What programs in Go write for an empty list.
            return []
        if not isinstance(entries, list):
            raise InvalidInput(f"the manifest's {key} is not a list")
        if len(entries) > _MAXIMUM_DESCRIPTORS:
            raise InvalidInput(f"the manifest has more than {_MAXIMUM_DESCRIPTORS} {key}")
        return [_descriptor(entry, key) for entry in entries]


def _own_type(document: dict[str, t.Any]) -> t.Any:
    """What a manifest says that it is. Only OCI types may leave that out."""
    return document.get("mediaType") or (OCI_INDEX if "manifests" in document else OCI_MANIFEST)


def _media_type_of(document: dict[str, t.Any], said: str) -> str:
    own = document.get("mediaType")
    if own is not None and not isinstance(own, str):
        raise InvalidInput("the manifest's mediaType is not a string")
    if own:
        if said not in _GENERIC_TYPES and said != own:
            raise InvalidInput(f"the manifest says that it is {own}, but it was given as {said}")
        said = own
    elif said in _GENERIC_TYPES:
        said = _own_type(document)
    if said not in MANIFEST_TYPES:
        raise foreign_type(said)
    return said


def foreign_type(media_type: str) -> ForeignType:
    """Why a manifest of such a type isn't copied, and what to do."""
    if media_type in WITHDRAWN_TYPES:
        return ForeignType(
            f"it is of the type {media_type}, which the OCI specifications have withdrawn, so that it cannot be pushed",
            hint="Attach it again with a current version of the tool that made it",
        )
    return ForeignType(f"it is of the type {media_type[:200]!r}, which is not a manifest type that can be pushed")


def _annotations(document: dict[str, t.Any]) -> dict[str, str]:
    found = document.get("annotations")
    if not isinstance(found, dict):
        return {}
    return {str(key): str(value) for key, value in found.items()}


def _descriptor(entry: t.Any, where: str) -> Descriptor:
    if not isinstance(entry, dict):
        raise InvalidInput(f"the manifest has no valid descriptor in {where}")
    _check_spelling(entry, _DESCRIPTOR_KEYS, f"a descriptor in {where}")
    size = entry.get("size")
    media_type = entry.get("mediaType")
    if isinstance(size, bool) or not isinstance(size, int) or not 0 <= size <= MAXIMUM_BLOB_SIZE:
        raise InvalidInput(f"a descriptor in {where} has no valid size")
    if not isinstance(media_type, str) or not _MEDIA_TYPE.fullmatch(media_type):
        raise InvalidInput(f"a descriptor in {where} has no valid mediaType")
    try:
        digest = check_digest(entry.get("digest"))
    except RegistryError as error:
        raise InvalidInput(f"a descriptor in {where} has a {error.reason}") from error
    artifact_type = entry.get("artifactType")
    return Descriptor(
        media_type,
        digest,
        size,
        format_platform(entry.get("platform")),
        artifact_type if isinstance(artifact_type, str) else "",
        _annotations(entry),
    )


class ReferrersList(t.NamedTuple):
    """What a list of referrers names; and how many of its entries can't be told, having no valid digest."""

    entries: tuple[Descriptor, ...]
    unnamed: int


def parse_referrers(content: bytes) -> ReferrersList:
    """Read a list of referrers, which is a hint: an entry needs no more than a digest, which proves what it leads to.

    The media type is empty, and the size 0, where the entry has none that is valid. Raises :class:`InvalidInput` where
    it is no list.
    """
    document = _parse_object(content)
    _check_spelling(document, _KEYS, "the list")
    entries = document.get("manifests")
    if entries is None and document.get("schemaVersion") == 2:
        # What programs in Go write for an empty list.
        entries = []
    if not isinstance(entries, list):
        raise InvalidInput("it has no list of manifests")
    found = [_hint(entry) for entry in entries]
    named = tuple(entry for entry in found if entry is not None)
    return ReferrersList(named, len(found) - len(named))


def told_type(content: bytes, content_type: str) -> str:
    """What a manifest is, by its ``Content-Type`` and what it says itself. It isn't looked into any further.

    Raises :class:`InvalidInput` where the two contradict each other, and :class:`ForeignType`.
    """
    return _media_type_of(_parse_object(content), bare_media_type(content_type))


def _hint(entry: t.Any) -> Descriptor | None:
    """What an entry of a list says, as far as it is valid; None where it has no valid digest."""
    if not isinstance(entry, dict) or not is_digest(entry.get("digest")):
        return None
    size, media_type, artifact_type = (entry.get(key) for key in ("size", "mediaType", "artifactType"))
    is_size = isinstance(size, int) and not isinstance(size, bool) and 0 <= size <= MAXIMUM_BLOB_SIZE
    return Descriptor(
        media_type if isinstance(media_type, str) and _MEDIA_TYPE.fullmatch(media_type) else "",
        entry["digest"],
        t.cast(int, size) if is_size else 0,
        format_platform(entry.get("platform")),
        artifact_type if isinstance(artifact_type, str) else "",
        _annotations(entry),
    )


def blobs_of(manifests: t.Iterable[Manifest]) -> list[Descriptor]:
    """All blobs that the manifests refer to, each once."""
    blobs: dict[str, Descriptor] = {}
    for manifest in manifests:
        others = [child for child in manifest.children() if child.media_type not in MANIFEST_TYPES]
        for blob in [*manifest.blobs(), *others]:
            blobs.setdefault(blob.digest, blob)
    return list(blobs.values())
