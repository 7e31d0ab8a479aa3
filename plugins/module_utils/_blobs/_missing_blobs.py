# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Which blobs of some groups a registry doesn't have, in groups to be handed on."""

from __future__ import annotations

import typing as t

from .._end._end import End
from .._end._purpose import Purpose
from .._model._errors import RegistryError
from .._run._parallel import run_all
from ._blob_group import MAXIMUM_MOUNTS_TRIED, BlobGroup


def look_for_blobs(registry: End, groups: t.Sequence[BlobGroup]) -> list[int | None | RegistryError]:
    """HEAD every blob of every group, in their order: the size in bytes, None where it isn't there, or an error."""

    def look(pair: tuple[str, str]) -> int | None:
        return registry.head_blob(*pair, Purpose.PUSH)

    pairs = [(group.repository, digest) for group in groups for digest, _size in group.blobs]
    distinct = list(dict.fromkeys(pairs))
    found = dict(zip(distinct, run_all(look, distinct, registry.jobs)))
    return [found[pair] for pair in pairs]


def missing_blobs(groups: t.Sequence[BlobGroup], found: t.Sequence[int | None | RegistryError]) -> list[BlobGroup]:
    """What is not there, in groups to be handed on, with repositories of the registry that do have it."""
    outcomes = iter(found)
    rows = [(group, digest, size, next(outcomes)) for group in groups for digest, size in group.blobs]
    holders: dict[str, list[str]] = {}
    for group, digest, _size, outcome in rows:
        if isinstance(outcome, int):
            holders.setdefault(digest, []).append(group.repository)
    gathered: dict[tuple[str, str, tuple[str, ...]], dict[str, int | None]] = {}
    replaced: dict[tuple[str, str, tuple[str, ...]], set[str]] = {}
    for group, digest, size, outcome in rows:
        if outcome is None or (digest in group.replace and isinstance(outcome, int)):
            candidates = dict.fromkeys([*group.mount_from, *holders.get(digest, ())])
            candidates.pop(group.repository, None)
            key = (group.repository, group.source_repository, tuple(candidates)[:MAXIMUM_MOUNTS_TRIED])
            gathered.setdefault(key, {})[digest] = size
            replaced.setdefault(key, set()).update({digest} & group.replace)
    return [BlobGroup(*key, tuple(blobs.items()), frozenset(replaced[key])) for key, blobs in gathered.items()]
