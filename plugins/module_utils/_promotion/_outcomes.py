# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What happened when a plan was carried out, or in check mode what would."""

from __future__ import annotations

import dataclasses
import typing as t

from .._blobs._blob_group import BlobOutcome
from .._images._manifest_push import ManifestOutcome
from .._images._tagging import TagOutcome
from .._model._actions import EXISTS
from .._model._errors import RegistryError, RepositoryMissing
from ._items import MOVING
from ._plan import Way
from ._record import NotReverted

Done = t.TypeVar("Done")


class Failure(t.NamedTuple):
    """A single thing that failed."""

    repository: str
    digest: str
    error: RegistryError
    tag: str = ""
    """Empty where it is a blob or manifest."""


@dataclasses.dataclass(frozen=True)
class Part(t.Generic[Done]):
    """What happened to things of one kind, in their order."""

    done: tuple[Done, ...] = ()
    failed: tuple[Failure, ...] = ()


@dataclasses.dataclass
class Outcomes:
    """What has happened so far."""

    blobs: Part[BlobOutcome] = Part()
    manifests: Part[ManifestOutcome] = Part()
    unverified: tuple[Failure, ...] = ()
    """What was pushed, and isn't there as it should."""
    refused: t.Mapping[Way, str] = dataclasses.field(default_factory=dict)
    """Images that may no longer be promoted, and why."""
    replaced_tags: Part[TagOutcome] = Part()
    """Those that keep what was replaced. They are made before others move."""
    artifact_tags: Part[TagOutcome] = Part()
    tags: Part[TagOutcome] = Part()
    not_reverted: tuple[NotReverted, ...] = ()
    """Tags that moved, were to go back since another tag can't be moved, and could not."""

    @property
    def failures(self) -> list[Failure]:
        """All that failed, in the order in which it was done."""
        return [
            *self.blobs.failed,
            *self.manifests.failed,
            *self.unverified,
            *self.failed_tags,
        ]

    @property
    def failed_tags(self) -> list[Failure]:
        """The tags that failed, in the order in which it was done."""
        return [*self.replaced_tags.failed, *self.artifact_tags.failed, *self.tags.failed]

    @property
    def moved(self) -> list[TagOutcome]:
        """What happened to tags, in the order in which it happened."""
        return [*self.artifact_tags.done, *self.tags.done]

    @property
    def changed(self) -> bool:
        """Whether anything was written."""
        return (
            any(blob.action != EXISTS for blob in self.blobs.done)
            or any(manifest.has_written for manifest in self.manifests.done)
            or any(tag.action in MOVING for tag in (*self.replaced_tags.done, *self.moved))
        )

    @property
    def repository_missing(self) -> bool:
        """Whether a repository isn't there that the registry doesn't create on push."""
        return any(isinstance(failure.error, RepositoryMissing) for failure in self.failures)
