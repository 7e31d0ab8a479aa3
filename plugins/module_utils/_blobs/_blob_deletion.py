# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Blobs deleted from repositories."""

from __future__ import annotations

import typing as t

from .._end._deleting import Deleting
from .._model._actions import ABSENT, DELETE
from .._model._errors import RegistryError
from .._run._parallel import run_all
from ._blob_group import BlobGroup, BlobOutcome
from ._deletion import TEN_SECONDS, Deletions, Patience, settled


def delete_blobs(
    registry: Deleting, groups: t.Sequence[BlobGroup], *, check: bool, patience: Patience = TEN_SECONDS
) -> list[BlobOutcome | RegistryError]:
    """Delete blobs from the repositories of their groups, and see that they are gone; outcomes in their order."""
    deletions: Deletions[tuple[str, str]] = Deletions(registry.jobs, patience)

    def delete(place: tuple[str, str]) -> BlobOutcome:
        repository, digest = place
        size = registry.head_blob(repository, digest)
        if size is None:
            return BlobOutcome(repository, digest, 0, ABSENT)
        if not check:
            deletions.delete(
                place,
                lambda: registry.delete_blob(repository, digest),
                lambda: registry.head_blob(repository, digest) is not None,
                f"delete blob {digest} from {registry.name}/{repository}",
            )
        return BlobOutcome(repository, digest, max(size, 0), DELETE)

    places = [(group.repository, digest) for group in groups for digest, _size in group.blobs]
    outcomes = run_all(delete, places, registry.jobs)
    pending = deletions.settle()
    return [settled(outcome, place, pending) for place, outcome in zip(places, outcomes)]
