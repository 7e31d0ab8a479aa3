# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Whether a blob is where it should be, by size or by content."""

from __future__ import annotations

import typing as t

from .._end._end import End
from .._model._errors import ConnectionFailed, ContentMismatch, NotFound, RedirectFailed, RegistryError
from .._model._manifest import Descriptor
from .._run._parallel import run_all
from ._transfer import RegistrySource, verified_pieces


def is_loss(error: RegistryError) -> bool:
    """Whether an error of a look says that the content isn't there, or is damaged. All others say that nobody knows."""
    return isinstance(error, (NotFound, ContentMismatch))


def look_at_blob(end: End, repository: str, blob: Descriptor, *, read: bool) -> None:
    """A blob by HEAD, its size compared with that of its descriptor, and with ``read`` by GET and hashing as well.

    A size that the registry doesn't tell is no difference. Raises :class:`NotFound` where it isn't there, and
    :class:`ContentMismatch` where it isn't what the descriptor promises.
    """
    what = f"look for blob {blob.digest} in {end.name}/{repository}"
    try:
        size = end.head_blob(repository, blob.digest)
    except RedirectFailed as error:
        raise _lost_by_storage(error, what) from error
    if size is None:
        raise NotFound("it is not there").within(what)
    if size not in (blob.size, -1):
        raise ContentMismatch(f"it has {size} bytes there, {blob.size} were promised").within(what)
    if not read:
        return
    try:
        for _piece in verified_pieces(RegistrySource(end, repository, blob.digest), blob.digest, blob.size):
            pass
    except NotFound as error:
        raise ContentMismatch("the registry says that it is there, and does not serve it").within(what) from error
    except RedirectFailed as error:
        raise _lost_by_storage(error, what) from error
    except ConnectionFailed as error:
        if not error.broke_off:
            raise
        # distribution breaks off where its storage has lost what its memory still knows. One that isn't reached at all
        # raises here.
        end.head_blob(repository, blob.digest)
        raise ContentMismatch(
            f"the registry says that it is there, and does not serve all of it: {error.reason}"
        ).within(what) from error


def _lost_by_storage(error: RedirectFailed, what: str) -> RegistryError:
    """What a storage's error says of a blob that the registry has: with 404 or 410, that its bytes are lost."""
    return ContentMismatch(error.reason).within(what) if error.status in (404, 410) else error


BlobPlace = tuple[str, Descriptor]
"""A repository, and a blob that it should have."""


def look_at_blobs(end: End, places: t.Sequence[BlobPlace], *, read: bool) -> dict[BlobKey, RegistryError | None]:
    """See :func:`look_at_blob`, each of them once; outcomes by :func:`blob_key`, None for what is whole."""
    distinct = {blob_key(place): place for place in places}
    # The largest first, so that none of them is left for the end.
    ordered = sorted(distinct, key=lambda key: key[2], reverse=read)
    outcomes = run_all(lambda key: look_at_blob(end, *distinct[key], read=read), ordered, end.jobs)
    return dict(zip(ordered, outcomes))


BlobKey = tuple[str, str, int]
"""Repository, digest, and size in bytes."""


def blob_key(place: BlobPlace) -> BlobKey:
    """What tells such places apart: a descriptor may also have annotations."""
    repository, blob = place
    return repository, blob.digest, blob.size


def not_replaced(error: RegistryError) -> RegistryError:
    """An error of a look at what was just pushed, with a hint where the content isn't as it should be. Returns it."""
    if is_loss(error) and not error.hint:
        error.hint = (
            "It was sent; if the registry keeps a damaged copy in its storage, remove that there, and restart it"
        )
    return error
