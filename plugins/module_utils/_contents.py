# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Whether a repository has what its tags and indexes promise: manifests by digest, blobs by size or by content."""

from __future__ import annotations

import typing as t

from ._end import End
from ._errors import (
    ConnectionFailed,
    ContentMismatch,
    NotFound,
    ProtocolViolation,
    RedirectFailed,
    RegistryError,
)
from ._manifest import Descriptor, Manifest, blobs_of
from ._parallel import run_all
from ._transfer import RegistrySource, verified_pieces

TAG, MANIFESTS, BLOBS = "tag", "manifests", "blobs"
NOT_THERE, DAMAGED = "missing", "damaged"
MANIFEST, BLOB = "manifest", "blob"


class Depth(t.NamedTuple):
    """How deep is looked."""

    level: str = TAG
    """``tag``, or ``none`` in the module ``manifest``: no deeper; ``manifests``: these; ``blobs``: those as well."""
    content: bool = False
    """Whether blobs are also read, and hashed."""

    @property
    def is_deep(self) -> bool:
        """Whether it is looked deeper than tags."""
        return self.level in (MANIFESTS, BLOBS)

    @property
    def with_blobs(self) -> bool:
        """Whether blobs are looked at."""
        return self.level == BLOBS


class Missing(t.NamedTuple):
    """Something that a repository of the destination should have, and hasn't, or not undamaged."""

    repository: str
    digest: str
    kind: str
    """``manifest`` or ``blob``."""
    size: int
    """In bytes; 0 for a manifest of which nothing tells it."""
    needed_by: str
    """The digest of the manifest that refers to it; empty for the image itself."""
    problem: str
    """``missing``, or ``damaged``: something is there that isn't what its digest and size promise."""
    reason: str
    """What was seen, in words."""


def is_loss(error: RegistryError) -> bool:
    """Whether an error of a look says that the content isn't there, or is damaged. All others say that nobody knows."""
    return isinstance(error, (NotFound, ContentMismatch))


def problem_of(error: RegistryError) -> str:
    """Which of the two a loss is."""
    return NOT_THERE if isinstance(error, NotFound) else DAMAGED


def look_at_manifest(
    end: End, repository: str, digest: str, *, read: bool, media_type: str = ""
) -> Manifest | Descriptor:
    """A manifest by its digest: by HEAD, or with ``read`` by GET, its bytes verified.

    ``media_type`` is the type in the descriptor that led to it, empty where there is none.
    Raises :class:`NotFound` where it isn't there, and :class:`ContentMismatch` where it is another one.
    """
    what = f"look for {end.name}/{repository}@{digest}"
    if not read:
        found = end.head_manifest(repository, digest)
        if found is None:
            raise NotFound("it isn't there").within(what)
        return found
    try:
        return end.get_manifest(repository, digest, media_type)
    except ProtocolViolation as error:
        if error.url:
            # The answer is none of a registry's, so it says nothing about the manifest.
            raise
        raise ContentMismatch(error.reason).within(what) from error


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
        raise NotFound("it isn't there").within(what)
    if size not in (blob.size, -1):
        raise ContentMismatch(f"it has {size} bytes there, {blob.size} were promised").within(what)
    if not read:
        return
    try:
        for _piece in verified_pieces(RegistrySource(end, repository, blob.digest), blob.digest, blob.size):
            pass
    except NotFound as error:
        raise ContentMismatch("the registry says that it is there, and doesn't serve it").within(what) from error
    except RedirectFailed as error:
        raise _lost_by_storage(error, what) from error
    except ConnectionFailed as error:
        if not error.broke_off:
            raise
        # distribution breaks off where its storage has lost what its memory still knows. One that isn't reached at all
        # raises here.
        end.head_blob(repository, blob.digest)
        raise ContentMismatch(
            f"the registry says that it is there, and doesn't serve all of it: {error.reason}"
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


class Unverified(t.NamedTuple):
    """A manifest or blob that isn't there as it should, and what the look at it has raised."""

    repository: str
    digest: str
    error: RegistryError


def verify_pushed(end: End, places: t.Sequence[tuple[str, str]], depth: Depth) -> list[Unverified]:
    """Look again whether manifests, by repository and digest, are there, and by ``depth`` their blobs, too.

    Returns those that aren't.
    """
    distinct = list(dict.fromkeys(places))
    # Read: a registry that keeps a damaged copy whatever is pushed tells of it by HEAD what was promised.
    found = run_all(lambda place: look_at_manifest(end, *place, read=True), distinct, end.jobs)
    unverified = [
        Unverified(*place, error) for place, error in zip(distinct, found) if isinstance(error, RegistryError)
    ]
    blobs = [
        (repository, blob)
        for (repository, _digest), manifest in zip(distinct, found)
        if isinstance(manifest, Manifest)
        for blob in (blobs_of([manifest]) if depth.with_blobs else ())
    ]
    for (repository, digest, _size), error in look_at_blobs(end, blobs, read=depth.content).items():
        if error is not None:
            unverified.append(Unverified(repository, digest, error))
    for entry in unverified:
        not_replaced(entry.error)
    return unverified


def not_replaced(error: RegistryError) -> RegistryError:
    """An error of a look at what was just pushed, with a hint where the content isn't as it should be. Returns it."""
    if is_loss(error) and not error.hint:
        error.hint = (
            "It was sent; if the registry keeps a damaged copy in its storage, remove that there, and restart it"
        )
    return error
