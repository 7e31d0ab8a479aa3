# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Whether a repository has what its tags and indexes promise: manifests by digest, blobs by size or by content."""

from __future__ import annotations

import typing as t

from .._blobs._look import look_at_blobs, not_replaced
from .._end._end import End
from .._model._actions import DAMAGED, MISSING
from .._model._errors import ContentMismatch, NotFound, ProtocolViolation, RegistryError
from .._model._manifest import Descriptor, Manifest, blobs_of
from .._run._parallel import run_all

TAG, MANIFESTS, BLOBS = "tag", "manifests", "blobs"


class Depth(t.NamedTuple):
    """How thoroughly is checked."""

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


def problem_of(error: RegistryError) -> str:
    """Which of the two a loss is."""
    return MISSING if isinstance(error, NotFound) else DAMAGED


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
            raise NotFound("it is not there").within(what)
        return found
    try:
        return end.get_manifest(repository, digest, media_type)
    except ProtocolViolation as error:
        if error.url:
            # The answer is none of a registry's, so it says nothing about the manifest.
            raise
        raise ContentMismatch(error.reason).within(what) from error


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
