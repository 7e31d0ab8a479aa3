# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Blobs in groups: from the parameters of a task to values, and back to what it returns."""

from __future__ import annotations

import typing as t

from .._blobs._blob_group import BlobGroup, BlobOutcome
from .._blobs._deletion import outcome_as_plain
from .._model._digest import check_digest
from .._model._errors import InvalidInput, at_entry
from .._model._manifest import MAXIMUM_BLOB_SIZE
from .._model._reference import check_repository
from ._places import own_place, source_place

Plain = dict[str, t.Any]


def blob_groups(params: Plain) -> list[BlobGroup]:
    """The blobs of a task, given in groups or as one ``digest`` of one ``repository``; all names are checked.

    A blob that is given twice for the same repository, from the same place, is there once.
    """
    if params["blobs"] is None:
        entry = {name: params.get(name) for name in ("repository", "source_repository", "mount_from")}
        return [_blob_group({**entry, "blobs": [{"digest": params["digest"], "size": params.get("size")}]}, params)]
    groups = []
    for position, entry in enumerate(params["blobs"]):
        with at_entry("blobs", position):
            groups.append(_blob_group(entry, params))
    merged: dict[tuple[t.Any, ...], BlobGroup] = {}
    for group in groups:
        # Blobs that are to be replaced are sent otherwise, and so are no others.
        key = (*group[:3], group.replace)
        earlier = merged.get(key)
        merged[key] = group if earlier is None else group._replace(blobs=_each_once([*earlier.blobs, *group.blobs]))
    return list(merged.values())


def _blob_group(entry: Plain, params: Plain) -> BlobGroup:
    source, mount_from = entry["source_repository"], own_place(params, "mount_from")
    return BlobGroup(
        check_repository(entry["repository"], own_place(params)),
        check_repository(source, source_place(params)) if source else "",
        tuple(dict.fromkeys(check_repository(name, mount_from) for name in entry["mount_from"] or ())),
        _each_once([(check_digest(blob["digest"]), blob["size"]) for blob in entry["blobs"]]),
        frozenset(blob["digest"] for blob in entry["blobs"] if blob.get("replace")),
    )


def _each_once(blobs: t.Sequence[tuple[str, int | None]]) -> tuple[tuple[str, int | None], ...]:
    """The blobs, each once. Raises :class:`InvalidInput` for a size that can't be, or two of one blob."""
    sizes: dict[str, int | None] = {}
    for digest, size in blobs:
        if size is not None and not 0 <= size <= MAXIMUM_BLOB_SIZE:
            raise InvalidInput(f"the size of {digest}, {size}, is negative or too large")
        known = sizes.setdefault(digest, size)
        if None not in (known, size) and known != size:
            raise InvalidInput(f"{digest} is given twice, with the sizes {known} and {size}")
        sizes[digest] = size if known is None else known
    return tuple(sizes.items())


def blob_as_plain(outcome: BlobOutcome) -> Plain:
    """What happened to one blob, as a result of its group."""
    plain = {**outcome_as_plain(outcome), "given_up": list(outcome.given_up)}
    del plain["repository"]
    return plain
