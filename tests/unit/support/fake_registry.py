# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A registry in memory, in place of the protocol layer: for what decides, and doesn't speak."""

from __future__ import annotations

import typing as t

from ansible_collections.imageops.registry.plugins.module_utils._end._body import Body
from ansible_collections.imageops.registry.plugins.module_utils._end._last_look import LastLook, no_look
from ansible_collections.imageops.registry.plugins.module_utils._end._purpose import Purpose
from ansible_collections.imageops.registry.plugins.module_utils._end._referrers import Referrers, referrers_tag
from ansible_collections.imageops.registry.plugins.module_utils._end._upload_form import UploadForm
from ansible_collections.imageops.registry.plugins.module_utils._end._upload_session import UploadSession
from ansible_collections.imageops.registry.plugins.module_utils._model._digest import compute_digest, is_digest
from ansible_collections.imageops.registry.plugins.module_utils._model._errors import NotFound, RegistryError
from ansible_collections.imageops.registry.plugins.module_utils._model._manifest import Descriptor, Manifest
from ansible_collections.imageops.registry.plugins.module_utils._registry._registry import Registry
from ansible_collections.imageops.registry.plugins.module_utils._run._counters import Counters
from ansible_collections.imageops.registry.tests.unit.support.documents import encoded


class FakeRegistry:
    """Keeps manifests and blobs by repository, and notes every call as ``METHOD repository reference``.

    ``failing`` holds errors by such a call, each raised as often as the call is made.
    """

    remote = True

    def __init__(self, name: str = "r.example", jobs: int = 1) -> None:
        self.name = name
        self.jobs = jobs
        self.retries = 0
        self.counters = Counters()
        self.calls: list[str] = []
        self.failing: dict[str, RegistryError] = {}
        self.manifests: dict[tuple[str, str], Manifest] = {}
        self.blobs: dict[tuple[str, str], bytes] = {}
        """By repository and digest: a registry knows a blob only where it was pushed or mounted."""
        self.listed: dict[str, tuple[Descriptor, ...]] = {}
        """What the API says of referrers besides, by subject."""
        self.found: dict[str, Descriptor] = {}
        """What HEAD says of tags, in place of the manifest."""
        self.head_says: dict[str, Descriptor] = {}
        """The same, whether or not the tag is there."""
        self.accepted: dict[str, str] = {}
        """The types by which manifests were asked for, by reference."""
        self.unsure: set[tuple[str, str]] = set()
        self.denied: dict[str, RegistryError] = {}
        """The denials of tags that are taken for absent."""
        self.unread: dict[str, RegistryError] = {}
        """What kept a list of referrers from being proven, by subject."""
        self.hidden_from_head: set[str] = set()
        """Tags that HEAD finds only where GET is asked as well: for a guard."""
        self.guarded: set[str] = set()
        """What was looked for with a guard on it, as ``repository reference``."""
        self.referrers_api = True
        self.promises = True
        """Whether it says that it lists what has a subject."""
        self.lost: dict[str, int] = {}
        """How often the referrers API doesn't list a manifest although it was pushed, by its digest."""
        self.naps: list[int] = []
        self.waits = 0
        """How often it was waited for, by whatever thread."""

    @property
    def client(self) -> Registry:
        """Itself, as what it stands in for."""
        return t.cast(Registry, self)

    @property
    def writes(self) -> list[str]:
        """The calls that change something."""
        return [call for call in self.calls if call.startswith(("PUT", "DELETE"))]

    def add(self, repository: str, document: dict[str, t.Any], *tags: str) -> Manifest:
        """Put a manifest there by its digest, and under tags."""
        manifest = Manifest.parse(encoded(document))
        for reference in (manifest.digest, *tags):
            self.manifests[repository, reference] = manifest
        return manifest

    def add_blob(self, content: bytes, *repositories: str) -> str:
        """Put a blob into repositories. Returns its digest."""
        digest = compute_digest(content)
        self.blobs.update(((repository, digest), content) for repository in repositories)
        return digest

    def back_off(self, attempt: int) -> None:
        self.naps.append(attempt)
        self.waits += 1

    def waited(self) -> int:
        return self.waits

    def is_unsure(self, repository: str, tag: str) -> bool:
        return (repository, tag) in self.unsure

    def denial_of(self, repository: str, tag: str) -> RegistryError | None:
        return self.denied.get(tag)

    def lacks_repository(self, repository: str) -> bool:
        self._call("TAGS", repository, "")
        return all(name != repository for name, _reference in self.manifests)

    def head_manifest(self, repository: str, reference: str, purpose: Purpose = Purpose.REPORT) -> Descriptor | None:
        if purpose is Purpose.GUARD:
            self.guarded.add(f"{repository} {reference}")
        found = self._call("HEAD", repository, reference)
        if reference in self.hidden_from_head and purpose is not Purpose.GUARD:
            return None
        if reference in self.head_says:
            return self.head_says[reference]
        return self.found.get(reference) if found is None else found.descriptor

    def get_manifest(self, repository: str, reference: str, media_type: str = "") -> Manifest:
        self.accepted[reference] = media_type
        found = self._call("GET", repository, reference)
        if found is None:
            raise NotFound("it is not there").within(f"read {self.name}/{repository}@{reference}")
        return found

    def put_manifest(self, repository: str, reference: str, manifest: Manifest, last_look: LastLook = no_look) -> bool:
        last_look()
        self._call("PUT", repository, reference)
        self.manifests[repository, reference] = self.manifests[repository, manifest.digest] = manifest
        if manifest.digest in self.lost:
            self.lost[manifest.digest] -= 1
        return manifest.subject is not None and self.promises

    def list_referrers(self, repository: str, digest: str) -> Referrers:
        self._call("REFERRERS", repository, digest)
        if not self.referrers_api:
            listed = self.manifests.get((repository, referrers_tag(digest)))
            return Referrers(() if listed is None else tuple(listed.children()), "tag_schema" if listed else "")
        found = {
            manifest.digest: manifest.descriptor._replace(artifact_type=manifest.artifact_type)
            for (name, _reference), manifest in self.manifests.items()
            if name == repository and manifest.subject is not None and manifest.subject.digest == digest
            if self.lost.get(manifest.digest, -1) < 0
        }
        found.update((entry.digest, entry) for entry in self.listed.get(digest, ()))
        self._proven = self._proven or bool(found)
        tagged = self.manifests.get((repository, referrers_tag(digest)))
        if tagged is not None and not self._proven:
            return Referrers(tuple(tagged.children()), "tag_schema")
        return Referrers(tuple(found.values()), "api", proven=self._proven, unread=self.unread.get(digest))

    _proven = False

    def delete_manifest(self, repository: str, reference: str, last_look: LastLook = no_look) -> bool:
        last_look()
        found = self._call("DELETE", repository, reference)
        if found is None:
            return False
        gone = [reference] if not is_digest(reference) else [r for (_n, r), m in self.manifests.items() if m is found]
        for name in gone:
            self.manifests.pop((repository, name), None)
        return True

    def head_blob(self, repository: str, digest: str, purpose: Purpose = Purpose.REPORT) -> int | None:
        self._call("HEAD", repository, digest)
        found = self.blobs.get((repository, digest))
        return None if found is None else len(found)

    @property
    def upload_form(self) -> UploadForm:
        return UploadForm()

    def start_upload(self, repository: str) -> UploadSession:
        self._call("POST", repository, "")
        return UploadSession(repository, "")

    def mount_blob(self, repository: str, digest: str, from_repository: str) -> UploadSession | None:
        return self.start_upload(repository)

    def put_upload(self, session: UploadSession, digest: str, body: bytes | Body = b"") -> None:
        self._call("PUT", session.repository, digest)
        self.blobs[session.repository, digest] = b"".join(map(bytes, [body] if isinstance(body, bytes) else body))

    def cancel_upload(self, session: UploadSession) -> bool:
        return True

    def get_blob(self, repository: str, digest: str, offset: int = 0) -> tuple[t.Iterator[bytes], int]:
        self._call("GET", repository, digest)
        return iter([self.blobs[repository, digest][offset:]]), offset

    def _call(self, method: str, repository: str, reference: str) -> Manifest | None:
        call = f"{method} {repository} {reference}"
        self.calls.append(call)
        if call in self.failing:
            raise self.failing[call]
        return self.manifests.get((repository, reference))
