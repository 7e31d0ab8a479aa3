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
from .._model._digest import is_digest
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
    MAXIMUM_SIZE,
    Descriptor,
    Manifest,
)
from .._model._reference import check_repository
from .._run._counters import Counters
from ._index import LAYOUT, LayoutIndex, check_layout
from ._manifests import LayoutManifests
from ._names import REF_NAME, name_of, read_names
from ._store import INDEX_FILE, LAYOUT_FILE, Store

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
        self.name = store.path
        self.jobs = jobs
        self.retries = 0
        self.counters = counters
        self.upload_form = UploadForm()
        self._lock = threading.RLock()
        self._broken: set[str] = set()
        self._index = self._read_index()
        self._manifests = LayoutManifests(store, self._index, writing=writing, verify=verify)

    def _read_index(self) -> LayoutIndex:
        layout = self._store.read(LAYOUT_FILE, MAXIMUM_SIZE)
        content = self._store.read(INDEX_FILE, MAXIMUM_SIZE)
        if layout is not None:
            check_layout(layout, self.name)
        elif self._writing and (content is not None or self._store.others()):
            raise LocalFileError(
                f"{self.name} is not an image layout (it has no {LAYOUT_FILE}), and is not empty",
                hint="Name a path where nothing else is",
            )
        if not self._writing and (layout is None or content is None):
            lacking = LAYOUT_FILE if layout is None else INDEX_FILE
            raise LocalFileError(f"{self.name} is not an image layout: it has no {lacking}")
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
        return self._index.changed or any(self._manifests.is_whole(digest) for digest in self._broken)

    def keep(self, repository: str, digest: str) -> None:
        """Give an image a name by its digest: one without tags would be lost among the blobs."""
        with self._lock:
            found = self._manifests.find(digest)
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
        """The entries that are images of their own: nothing that belongs to another one."""
        return self._manifests.images()

    # Manifests --------------------------------------------------------------------------------------------------------

    def lacks_repository(self, repository: str) -> bool:
        """Never: all names of a layout share their content, and to look for it costs nothing."""
        return False

    def head_manifest(self, repository: str, reference: str, purpose: Purpose = Purpose.REPORT) -> Descriptor | None:
        """For a writer, what isn't whole isn't there."""
        with self._lock:
            found = self._manifests.find(reference) if is_digest(reference) else self._named(repository, reference)
        if found is None:
            return None
        if self._writing and not self._manifests.is_whole(found.digest):
            self._broken.add(found.digest)
            return None
        return Descriptor(found.media_type, found.digest, found.size)

    def get_manifest(self, repository: str, reference: str, media_type: str = "") -> Manifest:
        """Verified under a tag, too. For a writer, what isn't whole isn't there."""
        what = f"read {self._shown(repository, reference)}"
        if self._writing and self.head_manifest(repository, reference) is None:
            raise NotFound("it is not there").within(what)
        if is_digest(reference):
            return self._manifests.manifest(reference, what, media_type)
        with self._lock:
            found = self._named(repository, reference)
        if found is None:
            raise NotFound("it is not there").within(what)
        return self._manifests.read(found, what, media_type)

    def put_manifest(self, repository: str, reference: str, manifest: Manifest, last_look: LastLook = no_look) -> bool:
        """The manifest is a referrer of its subject from then on."""
        what = f"write {self._shown(repository, reference)}"
        missing = self._manifests.missing_of(manifest)
        if missing:
            raise ReferencesMissing(
                f"the layout is missing what the manifest refers to: {', '.join(missing[:5])}", digests=missing
            ).within(what)
        with doing(what):
            if self._manifests.readable(manifest.digest) is None:
                self._store.add(manifest.digest, manifest.size, [manifest.content])
                self._manifests.note_verified(manifest.digest)
        last_look()
        with self._lock:
            self._manifests.take_in(manifest)
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
            listed = self._manifests.referrers_of(digest)
            for descriptor in self._tagged_referrers(repository, digest):
                listed.setdefault(descriptor.digest, descriptor)
        if self._writing:
            broken = {found for found in listed if not self._manifests.is_whole(found)}
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
            raise NotFound("it is not there").within(f"list the tags of {self.name}/{repository}")
        return tags

    # Blobs ------------------------------------------------------------------------------------------------------------

    def head_blob(self, repository: str, digest: str, purpose: Purpose = Purpose.REPORT) -> int | None:
        """With ``verify``, what is damaged isn't there."""
        size = self._store.size(digest)
        return None if size is None or not self._manifests.is_right(digest) else size

    def get_blob(self, repository: str, digest: str, offset: int = 0) -> tuple[t.Iterator[bytes], int]:
        """From ``offset`` on, always."""
        pieces = self._store.open(digest, offset)
        if pieces is None:
            raise NotFound("the layout is incomplete, it is not there").within(f"read blob {digest} from {self.name}")
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
        self._manifests.note_verified(digest)

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

    def _tagged_referrers(self, repository: str, digest: str) -> list[Descriptor]:
        found = self._named(repository, referrers_tag(digest)) if repository else None
        if found is None or found.media_type not in INDEX_TYPES or found.digest == digest:
            return []
        return self._manifests.children(found)


def _artifact_type(manifest: Manifest) -> str:
    """The artifact type as a descriptor in an index has it: only where the manifest has one, or refers to something."""
    own = manifest.document.get("artifactType")
    return manifest.artifact_type if own or manifest.subject is not None else ""
