# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Blobs that belong together: those that one repository wants from the same places. And what happens to each."""

from __future__ import annotations

import typing as t

from .._model._errors import RegistryError

MAXIMUM_MOUNTS_TRIED = 3
"""Repositories that a blob is mounted from, one after the other, before it is sent."""


class BlobGroup(t.NamedTuple):
    """Blobs of one repository: the shape in which they are handed from task to task."""

    repository: str
    source_repository: str
    mount_from: tuple[str, ...]
    blobs: tuple[tuple[str, int | None], ...]
    """Digest, and size in bytes; None where it isn't known."""
    replace: frozenset[str] = frozenset()
    """Digests of those that are sent although they are there: what is there was seen to be damaged."""


class BlobOutcome(t.NamedTuple):
    """What happened to one blob, or in check mode what would."""

    repository: str
    digest: str
    size: int
    action: str
    given_up: tuple[str, ...] = ()
    """Mounts and forms of upload that were tried in vain, in words."""
    deletion_pending: bool = False
    """Whether the registry has accepted the delete, and the blob is still there."""
    unseen: RegistryError | None = None
    """Why it can't be seen whether a delete has happened that the registry has accepted."""


def group_as_plain(group: BlobGroup) -> dict[str, t.Any]:
    """A group in the shape in which it is handed from task to task. Only what is replaced has ``replace``."""
    return {
        "repository": group.repository,
        "source_repository": group.source_repository,
        "mount_from": list(group.mount_from),
        "blobs": [
            {"digest": digest, "size": size, **({"replace": True} if digest in group.replace else {})}
            for digest, size in group.blobs
        ],
    }
