# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Manifests deleted by digest, and taken off the lists of referrers."""

from __future__ import annotations

import typing as t

from .._blobs._deletion import TEN_SECONDS, Deletions, Patience, settled
from .._end._deleting import Deleting
from .._end._end import End
from .._end._referrers import referrers_tag
from .._model._actions import ABSENT, DELETE
from .._model._errors import (
    InvalidInput,
    NotFound,
    ProtocolViolation,
    ReferencesMissing,
    RegistryError,
    Unsupported,
)
from .._model._manifest import OCI_INDEX, OCI_MANIFEST, Descriptor
from .._run._parallel import run_all
from ._manifest_push import ManifestOutcome
from ._referrers_index import unlist_from_subject


def delete_manifests(
    registry: Deleting, items: t.Sequence[tuple[str, str]], *, check: bool, patience: Patience = TEN_SECONDS
) -> list[ManifestOutcome | RegistryError]:
    """Delete manifests, given as repository and digest, and see that they are gone. All tags on them go with them.

    Where the registry has no referrers API, what had a subject is taken out of the list of the subject's referrers.
    Outcomes in the items' order.
    """
    deletions: Deletions[tuple[str, str]] = Deletions(registry.jobs, patience)
    subjects: dict[tuple[str, str], str] = {}

    def delete(item: tuple[str, str]) -> ManifestOutcome:
        repository, digest = item
        there = registry.head_manifest(repository, digest)
        if there is None:
            return ManifestOutcome(repository, digest, "", 0, ABSENT)
        if not check:
            subject = _subject_of(registry, repository, there)
            deletions.delete(
                item,
                lambda: registry.delete_manifest(repository, digest),
                lambda: registry.head_manifest(repository, digest) is not None,
                f"delete {registry.name}/{repository}@{digest}",
            )
            if subject is not None:
                subjects[item] = subject.digest
        return ManifestOutcome(repository, digest, there.media_type, there.size, DELETE)

    outcomes = run_all(delete, items, registry.jobs)
    # A list is written once, when all are gone: registries refuse one that names what is deleted.
    lists: dict[tuple[str, str], set[str]] = {}
    for (repository, digest), subject in subjects.items():
        lists.setdefault((repository, subject), set()).add(digest)
    told = {place: _unlist(registry, *place, digests) for place, digests in lists.items()}
    # Looked for when they have left the lists: a registry may keep what a list still has.
    pending = deletions.settle()
    for position, item in enumerate(items):
        outcome = outcomes[position]
        if not isinstance(outcome, ManifestOutcome):
            continue
        if item in subjects:
            tag, given_up = told[item[0], subjects[item]]
            outcome = outcome._replace(referrers_tag=tag, given_up=given_up)
        outcomes[position] = settled(outcome, item, pending)
    return outcomes


def _subject_of(registry: End, repository: str, manifest: Descriptor) -> Descriptor | None:
    if manifest.media_type not in (OCI_MANIFEST, OCI_INDEX):
        return None
    try:
        return registry.get_manifest(repository, manifest.digest, manifest.media_type).subject
    except (InvalidInput, ProtocolViolation, Unsupported):
        # What is damaged can be deleted all the same.
        return None


def _unlist(registry: End, repository: str, subject: str, digests: set[str]) -> tuple[str, tuple[str, ...]]:
    """Take what was deleted off its subject's list: the tag of the list, if it was on it, and what was given up."""
    try:
        written = unlist_from_subject(registry, repository, subject, digests)
    except RegistryError as error:
        # The manifests are gone all the same.
        if isinstance(error, (NotFound, ReferencesMissing)):
            error.hint = f"The list under {referrers_tag(subject)} still names what was deleted"
        return "", (str(error),)
    return referrers_tag(subject) if written else "", ()
