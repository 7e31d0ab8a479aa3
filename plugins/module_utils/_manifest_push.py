# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Manifests pushed by digest, children before parents, and deleted by digest."""

from __future__ import annotations

import typing as t

from ._errors import Conflict, NotFound, ReferencesMissing, RegistryError
from ._manifest import Manifest
from ._parallel import run_all
from ._registry import Registry
from ._transfer import ABSENT, DELETE, EXISTS, RegistrySource, upload_blob

PUSH = "push"


class ManifestItem(t.NamedTuple):
    """One manifest to be pushed. Without ``content`` it is read from ``source_repository`` of the source."""

    repository: str
    digest: str
    source_repository: str = ""
    media_type: str = ""
    content: bytes | None = None


class ManifestOutcome(t.NamedTuple):
    """What happened to one manifest, or in check mode what would."""

    repository: str
    digest: str
    media_type: str
    size: int
    action: str
    uploaded_again: tuple[str, ...] = ()
    """Blobs that the registry said it has, and then didn't have when the manifest came."""


def push_manifests(
    destination: Registry, items: t.Sequence[ManifestItem], source: Registry | None, *, check: bool
) -> list[ManifestOutcome | RegistryError]:
    """Push manifests by digest, those of one repository in their order; outcomes in the items' order.

    What is there already is left alone. In check mode nothing that they refer to needs to be there.
    """
    by_repository: dict[str, list[int]] = {}
    for position, item in enumerate(items):
        by_repository.setdefault(item.repository, []).append(position)
    outcomes: dict[int, ManifestOutcome | RegistryError] = {}

    def push_in_order(repository: str) -> None:
        failed: set[str] = set()
        for position in by_repository[repository]:
            try:
                outcomes[position] = _push(destination, items[position], source, failed, check)
            except RegistryError as error:
                outcomes[position] = error
                failed.add(items[position].digest)

    for result in run_all(push_in_order, list(by_repository), destination.jobs):
        if result is not None:
            raise result
    return [outcomes[position] for position in range(len(items))]


def _push(
    destination: Registry, item: ManifestItem, source: Registry | None, failed: set[str], check: bool
) -> ManifestOutcome:
    what = f"push {destination.name}/{item.repository}@{item.digest}"
    there = destination.head_manifest(item.repository, item.digest)
    if there is not None:
        return ManifestOutcome(item.repository, item.digest, there.media_type, there.size, EXISTS)
    manifest = _manifest_of(item, source, what)
    broken = [child.digest for child in manifest.children() if child.digest in failed]
    if broken:
        raise Conflict(f"its manifest {broken[0]} couldn't be pushed").within(what)
    again: tuple[str, ...] = ()
    if not check:
        try:
            destination.put_manifest(item.repository, item.digest, manifest)
        except ReferencesMissing as error:
            again = _upload_again(destination, item, source, manifest, error)
            destination.put_manifest(item.repository, item.digest, manifest)
    return ManifestOutcome(item.repository, item.digest, manifest.media_type, manifest.size, PUSH, again)


def _manifest_of(item: ManifestItem, source: Registry | None, what: str) -> Manifest:
    if item.content is not None:
        try:
            return Manifest.parse(item.content, item.media_type, item.digest)
        except RegistryError as error:
            error.within(what)
            raise
    if source is None:
        raise NotFound("neither its content nor a source to read it from is given").within(what)
    return source.get_manifest(item.source_repository or item.repository, item.digest)


def _upload_again(
    destination: Registry, item: ManifestItem, source: Registry | None, manifest: Manifest, error: ReferencesMissing
) -> tuple[str, ...]:
    """Send the blobs that the registry misses, whatever it said of them before (a stale cache, or a collected blob).

    Raises ``error`` itself where that can't help.
    """
    missing = [blob for blob in manifest.blobs() if blob.digest in error.digests]
    if source is None or not missing:
        raise error
    for blob in missing:
        origin = RegistrySource(source, item.source_repository or item.repository, blob.digest)
        upload_blob(destination, item.repository, blob.digest, blob.size, origin)
    return tuple(blob.digest for blob in missing)


def delete_manifests(
    registry: Registry, items: t.Sequence[tuple[str, str]], *, check: bool
) -> list[ManifestOutcome | RegistryError]:
    """Delete manifests, given as repository and digest. All tags on them go with them. Outcomes in the items' order."""

    def delete(item: tuple[str, str]) -> ManifestOutcome:
        repository, digest = item
        there = registry.head_manifest(repository, digest)
        if there is None:
            return ManifestOutcome(repository, digest, "", 0, ABSENT)
        if not check:
            registry.delete_manifest(repository, digest)
        return ManifestOutcome(repository, digest, there.media_type, there.size, DELETE)

    return run_all(delete, items, registry.jobs)
