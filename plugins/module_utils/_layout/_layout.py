# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""A layout with the methods of a registry.

Blobs belong to the layout as a whole: in whichever repository one is looked for, it is there. Repositories and tags are
in the names of its images. Referrers are entries without a name.
"""

from __future__ import annotations

import re
import threading
import typing as t

from .._end._body import Body
from .._end._last_look import LastLook, no_look
from .._end._purpose import Purpose
from .._end._referrers import Referrers, referrers_tag
from .._end._upload_form import UploadForm
from .._end._upload_session import UploadSession
from .._model._actions import API
from .._model._digest import has_digest, is_digest
from .._model._errors import (
    InvalidInput,
    LocalFileError,
    NotFound,
    ReferencesMissing,
    RegistryError,
    Unsupported,
    doing,
)
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
from .._model._reference import check_repository
from .._run._counters import Counters
from ._index import LAYOUT, LayoutIndex, check_layout
from ._names import REF_NAME, name_of, read_names
from ._store import INDEX_FILE, LAYOUT_FILE, Store

_MAXIMUM_DEPTH = 8
_MAXIMUM_MANIFESTS = 100000

_OF_A_DIGEST = re.compile(r"sha(?:256|512)-[0-9a-f]{64}", re.ASCII)
"""Tags that say to what they belong: those of cosign, and of the tag schema."""

Names = t.Mapping[tuple[str, str], str]
"""Names of images that aren't made of their repository and tag, by these two. An empty one is the only image's."""


class Layout:
    """One image layout: :class:`.End`, which says what the methods promise. Here is said what a layout does otherwise.

    ``writing`` says what it is opened for: to be read, or to be written.

    A writer sees only what is whole: what is damaged or incomplete isn't there, and is brought anew. With ``verify``,
    it takes no blob for what its name says without having read it. A reader verifies as it reads.

    What was written is seen by others from :meth:`commit` on.
    """

    remote = False

    def __init__(
        self,
        store: Store,
        counters: Counters,
        *,
        writing: bool,
        jobs: int,
        names: Names | None = None,
        verify: bool = False,
    ) -> None:
        """Read the index. Raises :class:`LocalFileError` where there is none, or for a writer something else."""
        self._store = store
        self._writing = writing
        self._names = names or {}
        self._others: dict[str, dict[str, None]] | None = None
        self._verify = verify
        self.name = store.path
        self.jobs = jobs
        self.retries = 0
        self.counters = counters
        self.upload_form = UploadForm()
        self._lock = threading.RLock()
        self._broken: set[str] = set()
        self._right: set[str] = set()
        self._whole: set[str] = set()
        self._known: dict[str, Descriptor] | None = None
        self._subjects: dict[str, dict[str, Descriptor]] | None = None
        self._index = self._read_index()

    def _read_index(self) -> LayoutIndex:
        layout = self._store.read(LAYOUT_FILE, MAXIMUM_SIZE)
        content = self._store.read(INDEX_FILE, MAXIMUM_SIZE)
        if layout is not None:
            check_layout(layout, self.name)
        elif self._writing and (content is not None or self._store.others()):
            raise LocalFileError(
                f"{self.name} is no image layout (it has no {LAYOUT_FILE}), and isn't empty",
                hint="Name a path where nothing else is",
            )
        if not self._writing and (layout is None or content is None):
            lacking = LAYOUT_FILE if layout is None else INDEX_FILE
            raise LocalFileError(f"{self.name} is no image layout: it has no {lacking}")
        return LayoutIndex(content or b"", self.name)

    def back_off(self, attempt: int) -> None:
        """Nothing to wait for: what fails here fails for good."""

    def waited(self) -> int:
        """Never."""
        return 0

    def close(self) -> None:
        """Let go of all files. What wasn't committed is seen by nobody."""
        self._store.close()

    # Beside what a registry does --------------------------------------------------------------------------------------

    @property
    def changed(self) -> bool:
        """Whether there is something to commit: other entries, or the rest of what wasn't whole."""
        return self._index.changed or any(self._is_whole(digest, 1) for digest in self._broken)

    def keep(self, repository: str, digest: str) -> None:
        """Give an image a name by its digest: one without tags would be lost among the blobs."""
        with self._lock:
            found = self._reachable(digest)
            if found is not None:
                self._index.tag(self._names.get((repository, digest)) or name_of(repository, digest), found)

    def commit(self) -> None:
        """Let others see what was written. Raises :class:`LocalFileError`, and :class:`Conflict` for another writer."""
        with self._lock:
            if self.changed:
                self._store.commit({LAYOUT_FILE: LAYOUT, INDEX_FILE: self._index.encoded()})
                self._index.changed = False
                self._broken.clear()

    def images(self) -> list[Descriptor]:
        """The entries that are images of their own: nothing that belongs to another one.

        That are referrers, what cosign and the tag schema tag, and, in layouts of oras, the images of an index.
        """
        known = self._all()
        tags = {referrers_tag(digest) for digest in known}
        inner = {child.digest for found in known.values() for child in self._children(found)}
        images = []
        for entry in self._index.entries:
            names = read_names(entry.annotations)
            belongs = any(name.tag.partition(".")[0] in tags for name in names) or (not names and entry.digest in inner)
            if entry.media_type in MANIFEST_TYPES and not belongs:
                subject = self._manifest("", entry.digest).subject
                if subject is None or subject.digest not in known:
                    images.append(entry)
        return images

    # Manifests --------------------------------------------------------------------------------------------------------

    def lacks_repository(self, repository: str) -> bool:
        """Never: all names of a layout share their content, and to look for it costs nothing."""
        return False

    def head_manifest(self, repository: str, reference: str, purpose: Purpose = Purpose.REPORT) -> Descriptor | None:
        """For a writer, what isn't whole isn't there."""
        with self._lock:
            found = self._reachable(reference) if is_digest(reference) else self._named(repository, reference)
        if found is None:
            return None
        if self._writing and not self._is_whole(found.digest, 1):
            self._broken.add(found.digest)
            return None
        return Descriptor(found.media_type, found.digest, found.size)

    def get_manifest(self, repository: str, reference: str, media_type: str = "") -> Manifest:
        """Verified under a tag, too. For a writer, what isn't whole isn't there."""
        if self._writing and self.head_manifest(repository, reference) is None:
            raise NotFound("it isn't there").within(f"read {self._shown(repository, reference)}")
        return self._manifest(repository, reference, media_type)

    def _manifest(self, repository: str, reference: str, media_type: str = "") -> Manifest:
        """The same, whether or not all is there that it leads to."""
        what = f"read {self._shown(repository, reference)}"
        with self._lock:
            found = self._described(reference) if is_digest(reference) else self._named(repository, reference)
        if found is None:
            raise NotFound("it isn't there").within(what)
        with doing(what):
            pieces = self._store.open(found.digest, 0)
            if pieces is None:
                raise NotFound(f"the layout is incomplete, {found.digest} isn't in it")
            return Manifest.parse(_joined(pieces), found.media_type, found.digest, media_type)

    def put_manifest(self, repository: str, reference: str, manifest: Manifest, last_look: LastLook = no_look) -> bool:
        """The manifest is a referrer of its subject from then on."""
        what = f"write {self._shown(repository, reference)}"
        missing = [part.digest for part in _needed(manifest) if not self._has(part)]
        if missing:
            raise ReferencesMissing(
                f"the layout is missing what the manifest refers to: {', '.join(missing[:5])}", digests=missing
            ).within(what)
        with doing(what):
            if self._readable(manifest.descriptor) is None:
                self._store.add(manifest.digest, manifest.size, [manifest.content])
                self._right.add(manifest.digest)
        last_look()
        with self._lock:
            self._all()[manifest.digest] = manifest.descriptor
            if self._subjects is not None:
                _note_referrer(self._subjects, manifest)
            artifact_type = _artifact_type(manifest)
            if not is_digest(reference):
                self._index.tag(self._name(repository, reference), manifest.descriptor, artifact_type)
            elif manifest.subject is not None:
                self._index.add(manifest.descriptor, artifact_type, manifest.annotations)
        return manifest.subject is not None

    def list_referrers(self, repository: str, digest: str) -> Referrers:
        """What has the digest as its subject, and what a list under a tag says (the tag schema).

        For a writer, what isn't whole isn't there. Raises :class:`LocalFileError` where a reader lacks an entry of the
        index: what that refers to can't be known.
        """
        with self._lock:
            if self._subjects is None:
                self._subjects = self._read_subjects()
            listed = dict(self._subjects.get(digest, {}))
            for descriptor in self._tagged_referrers(repository, digest):
                listed.setdefault(descriptor.digest, descriptor)
        if self._writing:
            broken = {found for found in listed if not self._is_whole(found, 1)}
            self._broken |= broken
            listed = {found: entry for found, entry in listed.items() if found not in broken}
        return Referrers(tuple(sorted(listed.values(), key=lambda entry: entry.digest)), API)

    def denial_of(self, repository: str, tag: str) -> RegistryError | None:
        """None: nothing in a layout is denied."""
        return None

    def is_unsure(self, repository: str, tag: str) -> bool:
        """Never: whoever can read the layout can read all of it."""
        return False

    def list_tags(self, repository: str) -> list[str]:
        """The tags in the names of images."""
        check_repository(repository)
        tags = self._index.tags(repository)
        if tags is None:
            raise NotFound("it isn't there").within(f"list the tags of {self.name}/{repository}")
        return tags

    # Blobs ------------------------------------------------------------------------------------------------------------

    def head_blob(self, repository: str, digest: str, purpose: Purpose = Purpose.REPORT) -> int | None:
        """With ``verify``, what is damaged isn't there."""
        size = self._store.size(digest)
        return None if size is None or not self._is_right(digest) else size

    def get_blob(self, repository: str, digest: str, offset: int = 0) -> tuple[t.Iterator[bytes], int]:
        """From ``offset`` on, always."""
        pieces = self._store.open(digest, offset)
        if pieces is None:
            raise NotFound("the layout is incomplete, it isn't there").within(f"read blob {digest} from {self.name}")
        return pieces, offset

    def start_upload(self, repository: str) -> UploadSession:
        """Nothing but the repository: a layout takes a blob in one go."""
        return UploadSession(repository, "")

    def mount_blob(self, repository: str, digest: str, from_repository: str) -> UploadSession | None:
        """A blob that is there is there for all repositories."""
        return self.start_upload(repository) if self.head_blob(repository, digest) is None else None

    def put_upload(self, session: UploadSession, digest: str, body: bytes | Body = b"") -> None:
        """Verified before others see the blob."""
        pieces = [body] if isinstance(body, bytes) else body
        with doing(f"write blob {digest} to {self.name}"):
            self._store.add(digest, len(body), pieces)
        self._right.add(digest)

    def patch_upload(self, session: UploadSession, body: bytes | Body) -> UploadSession:
        """Raises :class:`Unsupported`: its upload form is whole."""
        raise Unsupported("an image layout takes blobs whole").within(f"write a chunk to {self.name}")

    def get_upload(self, session: UploadSession) -> UploadSession:
        """Raises :class:`Unsupported`, as :meth:`patch_upload`."""
        raise Unsupported("an image layout takes blobs whole").within(f"ask for the state of an upload to {self.name}")

    def cancel_upload(self, session: UploadSession) -> bool:
        """Nothing is left of a blob that couldn't be taken."""
        return True

    # What they share --------------------------------------------------------------------------------------------------

    def _shown(self, repository: str, reference: str) -> str:
        return f"{self.name}/{name_of(repository, reference)}" if repository else f"{reference} from {self.name}"

    def _name(self, repository: str, tag: str) -> str:
        return self._names.get((repository, tag)) or name_of(repository, tag)

    def _named(self, repository: str, tag: str) -> Descriptor | None:
        given = self._names.get((repository, tag))
        try:
            if given == "":
                return self._index.unnamed()
            if given is not None or self._writing:
                return self._index.named(self._name(repository, tag))
            # What belongs to an image that was given by its name has the repository of that name.
            others = self._repositories_named(repository) if _OF_A_DIGEST.match(tag) else []
            found = (self._index.find(place, tag) for place in (repository, *others))
            return next((entry for entry in found if entry is not None), None)
        except InvalidInput as error:
            error.within(f"look for {self._shown(repository, tag)}")
            raise

    def _repositories_named(self, repository: str) -> list[str]:
        """The repositories in the names that were given for images of a repository."""
        if self._others is None:
            self._others = {}
            for (place, _reference), name in self._names.items():
                for found in read_names({REF_NAME: name}) if name else ():
                    if found.repository not in ("", place):
                        self._others.setdefault(place, {})[found.repository] = None
        return list(self._others.get(repository, ()))

    def _described(self, digest: str) -> Descriptor:
        return (self._known or {}).get(digest, Descriptor("", digest, 0))

    def _reachable(self, digest: str) -> Descriptor | None:
        return self._all().get(digest)

    def _all(self) -> dict[str, Descriptor]:
        """All manifests that the index leads to, by digest. A writer goes on where one can't be read."""
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
            ).within(f"read {self.name}")
        known[entry.digest] = Descriptor(entry.media_type, entry.digest, entry.size)
        for child in self._children(entry):
            self._reach(child, known, depth + 1)

    def _children(self, entry: Descriptor) -> list[Descriptor]:
        manifest = self._readable(entry) if entry.media_type in INDEX_TYPES else None
        return [] if manifest is None else manifest.children()

    def _readable(self, entry: Descriptor) -> Manifest | None:
        """A manifest, or None where it isn't there; to a writer what is damaged isn't there, either."""
        try:
            return self._manifest("", entry.digest)
        except NotFound:
            return None
        except RegistryError:
            if not self._writing:
                raise
            return None

    def _read_subjects(self) -> dict[str, dict[str, Descriptor]]:
        """What refers to each digest. A reader needs all entries of the index, not all that they lead to."""
        subjects: dict[str, dict[str, Descriptor]] = {}
        entries = {entry.digest for entry in self._index.entries}
        for found in list(self._all().values()):
            manifest = self._readable(found)
            if manifest is not None:
                _note_referrer(subjects, manifest)
            elif not self._writing and found.digest in entries:
                raise LocalFileError(
                    f"{self.name} is incomplete: {found.digest}, which its {INDEX_FILE} names, isn't in it"
                )
        for entry in () if self._writing else self._index.entries:
            # Nothing copies these; but who asks what refers to an image is told of them.
            if entry.media_type in WITHDRAWN_TYPES:
                subject = subject_digest(_joined(self._store.open(entry.digest, 0) or ()))
                subjects.setdefault(subject, {})[entry.digest] = entry
        return subjects

    def _tagged_referrers(self, repository: str, digest: str) -> list[Descriptor]:
        found = self._named(repository, referrers_tag(digest)) if repository else None
        if found is None or found.media_type not in INDEX_TYPES or found.digest == digest:
            return []
        return self._children(found)

    def _has(self, part: Descriptor) -> bool:
        """Whether a blob or manifest is there with its size, and with ``verify`` with its digest."""
        return self._store.size(part.digest) == part.size and self._is_right(part.digest)

    def _is_right(self, digest: str) -> bool:
        if not self._verify or digest in self._right:
            return True
        pieces = self._store.open(digest, 0)
        if pieces is None or not has_digest(pieces, digest):
            return False
        self._right.add(digest)
        return True

    def _is_whole(self, digest: str, depth: int) -> bool:
        """Whether a manifest can be read, and all is there that it leads to."""
        if digest in self._whole:
            return True
        if depth > _MAXIMUM_DEPTH:
            return False
        manifest = self._readable(Descriptor("", digest, 0))
        if manifest is None:
            return False
        children = [part.digest for part in _needed(manifest) if part.media_type in MANIFEST_TYPES]
        blobs = [part for part in _needed(manifest) if part.media_type not in MANIFEST_TYPES]
        if not all(map(self._has, blobs)) or not all(self._is_whole(child, depth + 1) for child in children):
            return False
        self._whole.add(digest)
        return True


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


def _artifact_type(manifest: Manifest) -> str:
    """The artifact type as a descriptor in an index has it: only where the manifest has one, or refers to something."""
    own = manifest.document.get("artifactType")
    return manifest.artifact_type if own or manifest.subject is not None else ""
