# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Seeing to it that what refers to a subject is listed where readers look, by the registry or in its place.

Distribution spec, "Pushing Manifests with Subject" and "Referrers Tag Schema". A registry with the referrers API keeps
the list itself; some lose an entry, and some list nothing. Where there is no API, clients keep an index under a tag
that is made from the subject's digest. Registries offer nothing that would make reading and writing it one step, so it
is read again after it was written, and written again where another client's writing has come between.
"""

from __future__ import annotations

import itertools
import json
import typing as t

from .._blobs._deletion import Pauses
from .._end._end import End
from .._end._last_look import LastLook
from .._end._purpose import Purpose
from .._end._referrers import Referrers, referrers_tag
from .._model._actions import API, TAG_SCHEMA
from .._model._errors import Conflict, ForeignType, InvalidInput, NotFound, ReferencesMissing, RegistryError
from .._model._manifest import OCI_INDEX, Manifest
from ._refused_tags import may_be_immutable, what_to_check

_ATTEMPTS = 4
_EXEMPT = (
    "Without the referrers API, this list is a tag that moves with every signature. {} whether tags are immutable "
    "there: then exempt those that begin with sha256- and sha512-"
)


class _ListMoved(Exception):
    """Another client has written the list since it was read."""


class Listing(t.NamedTuple):
    """What was done until manifests were listed under their subject, by their digests; in check mode what would be."""

    tagged: frozenset[str] = frozenset()
    """Added to the index under the tag."""
    pushed_again: frozenset[str] = frozenset()
    """Pushed once more, because the registry's own list was without them."""
    silent: bool = False
    """Whether the registry has the API, and lists nothing by it: clients that ask nothing else find nothing."""


def list_under_subject(
    registry: End,
    repository: str,
    subject: str,
    manifests: t.Sequence[Manifest],
    *,
    check: bool,
    pauses: Pauses,
    there: t.Collection[str] = (),
) -> Listing:
    """See that the manifests are listed among the referrers of ``subject``, and nothing else of the list is lost.

    What the registry's own list is without is pushed again, once, and then looked for as long as ``pauses`` allow where
    the registry has listed something, or promised it: some list a while later. What it still doesn't list goes to the
    index under the tag, where it has no API, or one that lists nothing.

    Raises :class:`Conflict` where the API lists others only, where the registry doesn't have what it took, where the
    tag is taken by something else or can't be moved, or where others write it all the time.

    With ``check``, nothing is written. An API that has listed nothing, although manifests are ``there`` (by their
    digests) that it should list, is then taken for one that never will.
    """
    again: set[str] = set()
    promised = False
    for number in itertools.count(-1):
        found = registry.list_referrers(repository, subject)
        missing = _missing(found, manifests)
        if not missing or found.found_by != API:
            break
        if check:
            digests = frozenset(manifest.digest for manifest in missing)
            is_silent = not found.proven and not digests.isdisjoint(there)
            return Listing(tagged=digests if is_silent else frozenset(), pushed_again=digests)
        if number < 0:
            answers = [_push_again(registry, repository, manifest) for manifest in missing]
            promised = all(answers)
            again.update(manifest.digest for manifest in missing)
        elif not (promised or found.proven) or not pauses.pause(number):
            break
    listing = Listing(pushed_again=frozenset(again))
    if not missing:
        return listing
    if found.found_by == API and found.proven:
        raise _unlisted(registry, repository, subject, missing)
    tagged = _list_under_tag(registry, repository, subject, missing, check=check)
    if not check:
        _check_stored(registry, repository, subject, tagged)
    return listing._replace(tagged=frozenset(tagged), silent=found.found_by == API)


def _missing(found: Referrers, manifests: t.Sequence[Manifest]) -> list[Manifest]:
    listed = {descriptor.digest for descriptor in found.descriptors}
    return [manifest for manifest in manifests if manifest.digest not in listed]


def _push_again(registry: End, repository: str, manifest: Manifest) -> bool:
    """Push what is there already. Returns whether the registry says that it lists it now."""
    try:
        return registry.put_manifest(repository, manifest.digest, manifest)
    except RegistryError:
        # It is there. What counts is whether it is listed, and that is looked at next.
        return False


def _list_under_tag(
    registry: End, repository: str, subject: str, manifests: t.Sequence[Manifest], *, check: bool
) -> set[str]:
    """Add manifests to the index under the tag. Returns the digests of those that had to be added."""
    added: set[str] = set()
    missing = list(manifests)
    before: dict[str, t.Any] | None = None
    for attempt in range(_ATTEMPTS):
        added.update(manifest.digest for manifest in missing)
        if check:
            return added
        if attempt:
            registry.back_off(attempt - 1)
        before = document = _standing(registry, repository, subject, before)
        standing = document.get("manifests") or []
        known = {entry.get("digest") for entry in standing}
        added_entries = _entries([manifest for manifest in missing if manifest.digest not in known])
        try:
            _put_list(registry, repository, subject, [*standing, *added_entries], document)
        except _ListMoved:
            before = None
            continue
        missing = _missing(registry.list_referrers(repository, subject), manifests)
        if not missing:
            return added
    raise _busy(registry, repository, subject)


def _check_stored(registry: End, repository: str, subject: str, digests: t.Collection[str]) -> None:
    """Raise :class:`Conflict` where the registry doesn't have what it took: a list of ours doesn't prove that."""
    for digest in sorted(digests):
        if registry.head_manifest(repository, digest, Purpose.GUARD) is None:
            raise Conflict(
                f"the registry has accepted {digest}, and does not serve it",
                hint="Run it again, or ask whoever runs the registry what keeps it from storing it",
            ).within(_writing(registry, repository, subject))


def unlist_from_subject(registry: End, repository: str, subject: str, digests: t.Collection[str]) -> bool:
    """Take manifests that were deleted out of the index of their subject. Returns whether any was in it.

    Raises :class:`Conflict` where others write it all the time, or where its tag can't be moved.
    """
    written = False
    before: dict[str, t.Any] | None = None
    for attempt in range(_ATTEMPTS):
        if registry.list_referrers(repository, subject).found_by != TAG_SCHEMA:
            return written
        before = document = _standing(registry, repository, subject, before)
        entries = document.get("manifests") or []
        kept = [entry for entry in entries if entry.get("digest") not in digests]
        if len(kept) == len(entries):
            return written
        if attempt:
            registry.back_off(attempt - 1)
        try:
            _put_list(registry, repository, subject, kept, document)
        except _ListMoved:
            before = None
            continue
        written = True
    raise _busy(registry, repository, subject)


def _put_list(
    registry: End, repository: str, subject: str, entries: list[t.Any], document: t.Mapping[str, t.Any]
) -> None:
    """Write the list. What was deleted by somebody who doesn't know it leaves it, where the registry insists."""
    tag = referrers_tag(subject)
    last_look = _last_look(registry, repository, subject, document)
    try:
        registry.put_manifest(repository, tag, _written({**document, "manifests": entries}), last_look)
    except ReferencesMissing as error:
        gone = {digest for digest in error.digests if registry.head_manifest(repository, digest) is None}
        kept = [entry for entry in entries if entry.get("digest") not in gone]
        if len(kept) == len(entries):
            raise
        registry.put_manifest(repository, tag, _written({**document, "manifests": kept}), last_look)
    except RegistryError as error:
        if not may_be_immutable(error):
            raise
        raise _refused(registry, repository, subject, error) from error


def _last_look(registry: End, repository: str, subject: str, document: t.Mapping[str, t.Any]) -> LastLook:
    """What comes right before each try to write the list: what others have added to it while it waited isn't lost."""
    waited = registry.waited()

    def look() -> None:
        nonlocal waited
        if registry.waited() != waited:
            waited = registry.waited()
            if _read(registry, repository, subject) != document:
                raise _ListMoved

    return look


def _writing(registry: End, repository: str, subject: str) -> str:
    return f"list the referrers of {registry.name}/{repository}@{subject} under the tag {referrers_tag(subject)}"


def _busy(registry: End, repository: str, subject: str) -> RegistryError:
    return Conflict(
        "other clients write this list at the same time, again and again", hint="Run it again when they are done"
    ).within(_writing(registry, repository, subject))


def _unmoved(registry: End, repository: str, subject: str) -> RegistryError:
    return Conflict(
        "the registry accepted this list, but the tag still points to what it did before",
        hint=_EXEMPT.format("Check"),
    ).within(_writing(registry, repository, subject))


def _refused(registry: End, repository: str, subject: str, error: RegistryError) -> RegistryError:
    """The refusal of the list, in words that say what its tag is."""
    return Conflict(
        f"the registry refuses to store this list: {error.reason}",
        hint=_EXEMPT.format(what_to_check(error)),
        **error.answer(),
    ).within(_writing(registry, repository, subject))


def _unlisted(registry: End, repository: str, subject: str, missing: t.Sequence[Manifest]) -> RegistryError:
    digests = ", ".join(manifest.digest for manifest in missing[:5])
    return Conflict(
        f"the registry has stored {digests}, and still does not list all of it as referrers, although it was "
        "pushed again",
        hint="Clients would not find it there. Run it again, or ask whoever runs the registry to look at its list",
    ).within(f"list the referrers of {registry.name}/{repository}@{subject}")


def _standing(registry: End, repository: str, subject: str, before: dict[str, t.Any] | None) -> dict[str, t.Any]:
    """The list as it is. Raises :class:`Conflict` where that is what it was ``before`` it was written."""
    document = _read(registry, repository, subject)
    if document == before:
        raise _unmoved(registry, repository, subject)
    return document


def _read(registry: End, repository: str, subject: str) -> dict[str, t.Any]:
    empty = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": []}
    try:
        index = registry.get_manifest(repository, referrers_tag(subject))
    except NotFound:
        return empty
    except ForeignType:
        raise
    except InvalidInput:
        # What can be read of it is written anew; the registry would not take the rest either.
        return {**empty, "manifests": _readable(registry, repository, subject)}
    if index.digest == subject:
        # Some registries take a tag of this form for the digest itself, as long as there is no such tag.
        return empty
    if index.media_type != OCI_INDEX:
        raise Conflict(
            f"the tag is taken by something that is not a list of referrers ({index.media_type})",
            hint="Remove that tag, or give it another name",
        ).within(_writing(registry, repository, subject))
    return index.document


def _readable(registry: End, repository: str, subject: str) -> list[dict[str, t.Any]]:
    """What a list that isn't valid as a whole names, as the manifests themselves say it."""
    manifests = []
    for listed in registry.list_referrers(repository, subject).descriptors:
        try:
            manifests.append(registry.get_manifest(repository, listed.digest, listed.media_type))
        except (InvalidInput, NotFound):
            # Nobody finds anything by such an entry.
            continue
    return _entries(manifests)


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
