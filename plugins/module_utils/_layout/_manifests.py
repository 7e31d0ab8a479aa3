# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What is in a layout: the manifests that its index leads to, what refers to what, and what is whole."""

from __future__ import annotations

import threading
import typing as t

from .._end._referrers import referrers_tag
from .._model._digest import has_digest
from .._model._errors import InvalidInput, LocalFileError, NotFound, RegistryError, doing
from .._model._manifest import (
    INDEX_TYPES,
    MANIFEST_TYPES,
    MAXIMUM_SIZE,
    NONDISTRIBUTABLE_TYPES,
    WITHDRAWN_TYPES,
    Descriptor,
    Manifest,
    subject_digest,
)
from ._index import LayoutIndex
from ._names import read_names
from ._store import INDEX_FILE, Store

_MAXIMUM_DEPTH = 8
_MAXIMUM_MANIFESTS = 100000


class LayoutManifests:
    """The manifests that the index of a layout leads to. Shared by threads.

    A reader raises what is wrong with one. To a writer, what is damaged isn't there, and is brought again. With
    ``verify``, no blob is taken for what its name says without having been read.
    """

    def __init__(self, store: Store, index: LayoutIndex, *, writing: bool, verify: bool) -> None:
        self._store = store
        self._index = index
        self._writing = writing
        self._verify = verify
        self._lock = threading.RLock()
        self._right: set[str] = set()
        self._whole: set[str] = set()
        self._known: dict[str, Descriptor] | None = None
        self._subjects: dict[str, dict[str, Descriptor]] | None = None

    def find(self, digest: str) -> Descriptor | None:
        """The descriptor of a manifest that the index leads to."""
        return self._all().get(digest)

    def images(self) -> list[Descriptor]:
        """The entries that are images of their own: nothing that belongs to another one.

        Referrers belong to another one, what cosign and the tag schema tag, and, in layouts of oras, the images of an
        index.
        """
        known = self._all()
        tags = {referrers_tag(digest) for digest in known}
        inner = {child.digest for found in known.values() for child in self.children(found)}
        images = []
        for entry in self._index.entries:
            names = read_names(entry.annotations)
            belongs = any(name.tag.partition(".")[0] in tags for name in names) or (not names and entry.digest in inner)
            if entry.media_type in MANIFEST_TYPES and not belongs:
                subject = self.manifest(entry.digest).subject
                if subject is None or subject.digest not in known:
                    images.append(entry)
        return images

    def manifest(self, digest: str, what: str = "", media_type: str = "") -> Manifest:
        """A manifest, verified, whether or not all is there that it leads to.

        ``what`` is the operation, as errors name it. Raises :class:`NotFound`, and what :meth:`.Manifest.parse` raises.
        """
        with self._lock:
            found = (self._known or {}).get(digest, Descriptor("", digest, 0))
        return self.read(found, what or f"read {digest} from {self._store.path}", media_type)

    def read(self, found: Descriptor, what: str, media_type: str = "") -> Manifest:
        """The same, by its descriptor."""
        with doing(what):
            pieces = self._store.open(found.digest, 0)
            if pieces is None:
                raise NotFound(f"the layout is incomplete, {found.digest} is not in it")
            return Manifest.parse(_joined(pieces), found.media_type, found.digest, media_type)

    def readable(self, digest: str) -> Manifest | None:
        """A manifest, or None where it isn't there; to a writer what is damaged isn't there, either."""
        try:
            return self.manifest(digest)
        except NotFound:
            return None
        except RegistryError:
            if not self._writing:
                raise
            return None

    def children(self, entry: Descriptor) -> list[Descriptor]:
        """What an index lists; nothing where it is none, or can't be read."""
        manifest = self.readable(entry.digest) if entry.media_type in INDEX_TYPES else None
        return [] if manifest is None else manifest.children()

    def take_in(self, manifest: Manifest) -> None:
        """Count a manifest that was written among them, and among the referrers of its subject."""
        with self._lock:
            self._all()[manifest.digest] = manifest.descriptor
            if self._subjects is not None:
                _note_referrer(self._subjects, manifest)

    def referrers_of(self, digest: str) -> dict[str, Descriptor]:
        """What has the digest as its subject, by digest.

        Raises :class:`LocalFileError` where an entry of the index is missing to a reader.
        """
        with self._lock:
            if self._subjects is None:
                self._subjects = self._read_subjects()
            return dict(self._subjects.get(digest, {}))

    def missing_of(self, manifest: Manifest) -> list[str]:
        """The digests of what must be there with a manifest, and isn't."""
        return [part.digest for part in _needed(manifest) if not self._has(part)]

    def note_verified(self, digest: str) -> None:
        """Note that the bytes of a blob have its digest."""
        self._right.add(digest)

    def is_right(self, digest: str) -> bool:
        """Whether a blob has its digest; taken for granted without ``verify``."""
        if not self._verify or digest in self._right:
            return True
        pieces = self._store.open(digest, 0)
        if pieces is None or not has_digest(pieces, digest):
            return False
        self._right.add(digest)
        return True

    def is_whole(self, digest: str, depth: int = 1) -> bool:
        """Whether a manifest can be read, and all is there that it leads to."""
        if digest in self._whole:
            return True
        if depth > _MAXIMUM_DEPTH:
            return False
        manifest = self.readable(digest)
        if manifest is None:
            return False
        children = [part.digest for part in _needed(manifest) if part.media_type in MANIFEST_TYPES]
        blobs = [part for part in _needed(manifest) if part.media_type not in MANIFEST_TYPES]
        if not all(map(self._has, blobs)) or not all(self.is_whole(child, depth + 1) for child in children):
            return False
        self._whole.add(digest)
        return True

    def _all(self) -> dict[str, Descriptor]:
        """All manifests that the index leads to, by digest. A writer continues where one can't be read."""
        with self._lock:
            if self._known is None:
                self._known = {}
                try:
                    for entry in self._index.entries:
                        self._reach(entry, self._known, 1)
                except RegistryError:
                    # A part of them must not be taken for all of them by who asks next.
                    self._known = None
                    raise
            return self._known

    def _reach(self, entry: Descriptor, known: dict[str, Descriptor], depth: int) -> None:
        if entry.digest in known or entry.media_type not in MANIFEST_TYPES:
            return
        if depth > _MAXIMUM_DEPTH or len(known) >= _MAXIMUM_MANIFESTS:
            raise InvalidInput(
                f"it has more than {_MAXIMUM_DEPTH} levels of indexes, or {_MAXIMUM_MANIFESTS} manifests"
            ).within(f"read {self._store.path}")
        known[entry.digest] = Descriptor(entry.media_type, entry.digest, entry.size)
        for child in self.children(entry):
            self._reach(child, known, depth + 1)

    def _read_subjects(self) -> dict[str, dict[str, Descriptor]]:
        """What refers to each digest. A reader needs all entries of the index, not all that they lead to."""
        subjects: dict[str, dict[str, Descriptor]] = {}
        entries = {entry.digest for entry in self._index.entries}
        for found in list(self._all().values()):
            manifest = self.readable(found.digest)
            if manifest is not None:
                _note_referrer(subjects, manifest)
            elif not self._writing and found.digest in entries:
                raise LocalFileError(
                    f"{self._store.path} is incomplete: {found.digest}, which its {INDEX_FILE} names, is not in it"
                )
        for entry in () if self._writing else self._index.entries:
            # Nothing copies these; but who asks what refers to an image is told of them.
            if entry.media_type in WITHDRAWN_TYPES:
                subject = subject_digest(_joined(self._store.open(entry.digest, 0) or ()))
                subjects.setdefault(subject, {})[entry.digest] = entry
        return subjects

    def _has(self, part: Descriptor) -> bool:
        """Whether a blob or manifest is there with its size, and with ``verify`` with its digest."""
        return self._store.size(part.digest) == part.size and self.is_right(part.digest)


def _note_referrer(subjects: dict[str, dict[str, Descriptor]], manifest: Manifest) -> None:
    if manifest.subject is not None:
        subjects.setdefault(manifest.subject.digest, {})[manifest.digest] = manifest.descriptor._replace(
            artifact_type=manifest.artifact_type, annotations=manifest.annotations
        )


def _needed(manifest: Manifest) -> list[Descriptor]:
    """What must be there with a manifest: all but layers that may not be distributed."""
    return [part for part in manifest.descriptors() if part.media_type not in NONDISTRIBUTABLE_TYPES]


def _joined(pieces: t.Iterable[bytes | memoryview]) -> bytes:
    content = bytearray()
    for piece in pieces:
        content += piece
        if len(content) > MAXIMUM_SIZE:
            break
    return bytes(content)
