# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The list of referrers that clients keep where a registry has no referrers API.

Distribution spec, "Pushing Manifests with Subject" and "Referrers Tag Schema": an index under a tag that is made from
the subject's digest. Registries offer nothing that would make reading and writing it one step, so it is read again
after it was written, and written again where somebody else's writing has come between.
"""

from __future__ import annotations

import json
import typing as t

from ._end import End
from ._errors import Conflict, NotFound, ReferencesMissing, RegistryError
from ._manifest import OCI_INDEX, Manifest
from ._registry import referrers_tag

_ATTEMPTS = 4


def list_under_subject(
    registry: End, repository: str, subject: str, manifests: t.Sequence[Manifest], *, check: bool
) -> set[str]:
    """See that the manifests are listed among the referrers of ``subject``, and nothing else of the list is lost.

    Returns the digests that had to be added to the index under the tag: none where the registry has the referrers API.
    Raises :class:`Conflict` where the tag is taken by something else, or others write it all the time.
    """
    added: set[str] = set()
    for attempt in range(_ATTEMPTS):
        found = registry.list_referrers(repository, subject)
        listed = {descriptor.digest for descriptor in found.descriptors}
        missing = [manifest for manifest in manifests if manifest.digest not in listed]
        if found.found_by == "api" or not missing:
            return added
        added.update(manifest.digest for manifest in missing)
        if check:
            return added
        if attempt:
            registry.back_off(attempt - 1)
        document = _standing(registry, repository, subject)
        _put_list(registry, repository, subject, [*(document.get("manifests") or []), *_entries(missing)], document)
    raise _busy(registry, repository, subject)


def unlist_from_subject(registry: End, repository: str, subject: str, digests: t.Collection[str]) -> bool:
    """Take manifests that were deleted out of the index of their subject. Returns whether any was in it.

    Raises :class:`Conflict` where others write it all the time.
    """
    written = False
    for attempt in range(_ATTEMPTS):
        if registry.list_referrers(repository, subject).found_by != "tag_schema":
            return written
        document = _standing(registry, repository, subject)
        entries = document.get("manifests") or []
        kept = [entry for entry in entries if entry.get("digest") not in digests]
        if len(kept) == len(entries):
            return written
        if attempt:
            registry.back_off(attempt - 1)
        _put_list(registry, repository, subject, kept, document)
        written = True
    raise _busy(registry, repository, subject)


def _put_list(
    registry: End, repository: str, subject: str, entries: list[t.Any], document: t.Mapping[str, t.Any]
) -> None:
    """Write the list. What was deleted by somebody who doesn't know it leaves it, where the registry insists."""
    tag = referrers_tag(subject)
    try:
        registry.put_manifest(repository, tag, _written({**document, "manifests": entries}))
    except ReferencesMissing as error:
        gone = {digest for digest in error.digests if registry.head_manifest(repository, digest) is None}
        kept = [entry for entry in entries if entry.get("digest") not in gone]
        if len(kept) == len(entries):
            raise
        registry.put_manifest(repository, tag, _written({**document, "manifests": kept}))


def _busy(registry: End, repository: str, subject: str) -> RegistryError:
    return Conflict("others write it at the same time, again and again", hint="Run it again when they are done").within(
        f"list the referrers of {registry.name}/{repository}@{subject} under {referrers_tag(subject)}"
    )


def _standing(registry: End, repository: str, subject: str) -> dict[str, t.Any]:
    empty = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": []}
    try:
        index = registry.get_manifest(repository, referrers_tag(subject))
    except NotFound:
        return empty
    if index.digest == subject:
        # Some registries take a tag of this form for the digest itself, as long as there is no such tag.
        return empty
    if index.media_type != OCI_INDEX:
        raise Conflict(
            f"the tag is taken by something that is no list of referrers ({index.media_type})",
            hint="Remove that tag, or give it another name",
        ).within(f"list the referrers of {registry.name}/{repository}@{subject} under {referrers_tag(subject)}")
    return index.document


def _entries(manifests: t.Sequence[Manifest]) -> list[dict[str, t.Any]]:
    """What a list of referrers says of them."""
    entries = []
    for manifest in manifests:
        entry: dict[str, t.Any] = {
            "mediaType": manifest.media_type,
            "digest": manifest.digest,
            "size": manifest.size,
        }
        if manifest.artifact_type:
            entry["artifactType"] = manifest.artifact_type
        if manifest.annotations:
            entry["annotations"] = manifest.annotations
        entries.append(entry)
    return entries


def _written(document: dict[str, t.Any]) -> Manifest:
    return Manifest.parse(json.dumps(document, separators=(",", ":")).encode("ascii"), OCI_INDEX)
