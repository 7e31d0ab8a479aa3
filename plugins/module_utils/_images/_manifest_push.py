# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Manifests pushed by digest, children before parents."""

from __future__ import annotations

import typing as t

from .._blobs._deletion import TEN_SECONDS, Patience, Pauses
from .._blobs._missing_repositories import MissingRepositories
from .._blobs._transfer import RegistrySource, size_to_skip, upload_blob
from .._end._end import End
from .._end._purpose import Purpose
from .._end._referrers import referrers_tag
from .._model._actions import EXISTS, PUSH
from .._model._errors import Conflict, NotFound, ReferencesMissing, RegistryError, doing
from .._model._manifest import OCI_INDEX, OCI_MANIFEST, Descriptor, Manifest
from .._run._parallel import AT_ONCE, Step, StepGraph, run_all
from ._referrers_index import Listing, list_under_subject


class ManifestItem(t.NamedTuple):
    """One manifest to be pushed. Without ``content`` it is read from ``source_repository`` of the source.

    Bytes are parsed when it is pushed.
    """

    repository: str
    digest: str
    source_repository: str = ""
    media_type: str = ""
    content: bytes | Manifest | None = None
    known_missing: bool = False
    """Whether it is pushed without a look: it was just seen not to be there, or to be damaged."""


class ManifestOutcome(t.NamedTuple):
    """What happened to one manifest, or in check mode what would."""

    repository: str
    digest: str
    media_type: str
    size: int
    action: str
    uploaded_again: tuple[str, ...] = ()
    """Blobs that the registry said it has, and then didn't have when the manifest came."""
    referrers_tag: str = ""
    """The tag of its subject's list of referrers, where it had to be added to that or taken off it."""
    given_up: tuple[str, ...] = ()
    """What was tried in vain, in words."""
    deletion_pending: bool = False
    """Whether the registry has accepted the delete, and the manifest is still there."""
    unseen: RegistryError | None = None
    """Why it can't be seen whether a delete has happened that the registry has accepted."""

    @property
    def has_written(self) -> bool:
        """Whether it was pushed, or the list of referrers of its subject was changed."""
        return self.action == PUSH or bool(self.referrers_tag)


class ManifestPush:
    """Pushes manifests by digest, as steps of a graph: each after those of its parts that are pushed as well.

    What is there already is left alone. In check mode nothing that they refer to needs to be there. What has a subject
    is looked for in the list of the subject's referrers, see :mod:`._referrers_index`. Manifests of one subject are
    pushed one after another: some registries lose an entry of that list where two come at once.
    """

    def __init__(
        self,
        destination: End,
        source: End | None,
        *,
        check: bool,
        patience: Patience = TEN_SECONDS,
        missing: MissingRepositories | None = None,
    ) -> None:
        self._destination = destination
        self._source = source
        self._check = check
        self._missing = missing or MissingRepositories(destination)
        self._items: list[ManifestItem] = []
        self._steps: list[Step[ManifestOutcome]] = []
        self._referrers: dict[int, Manifest] = {}
        self._pauses = Pauses(patience)

    def add_to(
        self,
        graph: StepGraph,
        items: t.Sequence[ManifestItem],
        blobs: t.Mapping[tuple[str, str], Step[t.Any]] | None = None,
    ) -> None:
        """Add a step for each manifest. ``blobs`` are steps in which blobs arrive, by repository and digest.

        A manifest whose content isn't known yet is pushed after all that are before it in its repository.
        """
        earlier: dict[str, dict[str, Step[t.Any]]] = {}
        queues = _Queues()
        for position, item in enumerate(items):
            siblings = earlier.setdefault(item.repository, {})
            known = self._known(item)
            if known is None:
                needed = dict(siblings)
            else:
                parts = [descriptor.digest for descriptor in known.descriptors()]
                parts += [known.subject.digest] if known.subject else []
                found = {part: siblings.get(part) or (blobs or {}).get((item.repository, part)) for part in parts}
                needed = {digest: step for digest, step in found.items() if step is not None}
            after = {*needed.values(), *queues.before(item, known)}
            step = graph.add(self._pushing(position, item, known, needed), after=after, weight=AT_ONCE)
            queues.add(item, known, step)
            siblings[item.digest] = step
            self._items.append(item)
            self._steps.append(step)

    @property
    def outcomes(self) -> list[ManifestOutcome | RegistryError]:
        """When the graph has run: what happened, in the items' order, but for the lists of referrers."""
        return [step.outcome for step in self._steps]

    def finish(
        self, may_be_listed: t.Callable[[ManifestItem], bool] = lambda item: True
    ) -> list[ManifestOutcome | RegistryError]:
        """When the graph has run: see that all that has a subject is listed. Outcomes in the items' order."""
        outcomes = dict(enumerate(self.outcomes))
        lists: dict[tuple[str, str], list[tuple[int, Manifest]]] = {}
        for position, manifest in sorted(self._referrers.items()):
            if not may_be_listed(self._items[position]):
                continue
            subject = t.cast(Descriptor, manifest.subject).digest
            lists.setdefault((self._items[position].repository, subject), []).append((position, manifest))

        def write(place: tuple[str, str]) -> Listing:
            entries = lists[place]
            there = [outcome.digest for _position, outcome in _found(entries, outcomes) if outcome.action == EXISTS]
            manifests = [manifest for _position, manifest in entries]
            return list_under_subject(
                self._destination, *place, manifests, check=self._check, there=there, pauses=self._pauses
            )

        written = dict(zip(lists, run_all(write, list(lists), self._destination.jobs)))
        for place, listing in written.items():
            _note(lists[place], outcomes, listing, referrers_tag(place[1]), self._check)
        if not self._check:
            # Once more: somebody who had read a list before we wrote it may have written it over since.
            for place, listing in written.items():
                if isinstance(listing, Listing) and listing.tagged:
                    _list_again(write, place, lists[place], outcomes)
        return [outcomes[position] for position in range(len(self._items))]

    def _known(self, item: ManifestItem) -> Manifest | None:
        """The manifest of an item that has its content; None where it has none, or none that is right."""
        if item.content is None or isinstance(item.content, Manifest):
            return item.content
        try:
            manifest = Manifest.parse(item.content, item.media_type, item.digest)
            return manifest if manifest.subject is None or manifest.subject.digest else None
        except RegistryError:
            # The step says so.
            return None

    def _pushing(
        self, position: int, item: ManifestItem, known: Manifest | None, needed: t.Mapping[str, Step[t.Any]]
    ) -> t.Callable[[], ManifestOutcome]:
        def push() -> ManifestOutcome:
            outcome, manifest = self._push(item, known, needed)
            if manifest is not None and manifest.subject is not None:
                self._referrers[position] = manifest
            return outcome

        return push

    def _push(
        self, item: ManifestItem, known: Manifest | None, needed: t.Mapping[str, Step[t.Any]]
    ) -> tuple[ManifestOutcome, Manifest | None]:
        """What happened to the manifest; and the manifest, unless it is known to have no subject."""
        destination = self._destination
        what = f"push {destination.name}/{item.repository}@{item.digest}"
        there = None
        if not (item.known_missing or (self._missing.presumes(item.repository) and not self._check)):
            there = destination.head_manifest(item.repository, item.digest, Purpose.PUSH)
        if there is not None:
            # A cache may call it something else.
            media_type = there.media_type if known is None else known.media_type
            outcome = ManifestOutcome(item.repository, item.digest, media_type, there.size, EXISTS)
            if media_type not in (OCI_MANIFEST, OCI_INDEX):
                return outcome, None
            # A run that was cut off may have pushed it, and the registry, or that run, not listed it.
            if item.content is None:
                return outcome, destination.get_manifest(item.repository, item.digest, there.media_type)
            return outcome, known or _manifest_of(item, None, what)
        manifest = known or _manifest_of(item, self._source, what)
        subject = manifest.subject.digest if manifest.subject else ""
        parts = {subject, *(descriptor.digest for descriptor in manifest.descriptors())}
        broken = [
            digest for digest, step in needed.items() if digest in parts and isinstance(step.outcome, RegistryError)
        ]
        if broken:
            kind = "manifest" if manifest.is_index or broken[0] == subject else "blob"
            raise Conflict(f"its {kind} {broken[0]} could not be pushed").within(what)
        again: tuple[str, ...] = ()
        if not self._check:
            try:
                _put(destination, item.repository, item.digest, manifest)
            except ReferencesMissing as error:
                again = _upload_again(destination, item, self._source, manifest, error)
                _put(destination, item.repository, item.digest, manifest)
        outcome = ManifestOutcome(item.repository, item.digest, manifest.media_type, manifest.size, PUSH, again)
        return outcome, manifest


class _Queues:
    """Which manifests wait for one another, because they may have the same subject."""

    def __init__(self) -> None:
        self._last: dict[tuple[str, str], Step[t.Any]] = {}

    def before(self, item: ManifestItem, known: Manifest | None) -> list[Step[t.Any]]:
        """The steps that have to end before that of this item. What isn't known may have any subject."""
        subject = "" if known is None or known.subject is None else known.subject.digest
        places = [(item.repository, subject), (item.repository, "")] if subject else []
        return [self._last[place] for place in places if place in self._last]

    def add(self, item: ManifestItem, known: Manifest | None, step: Step[t.Any]) -> None:
        """Take in the step of an item. What isn't known waits for all that were before it anyway."""
        if known is None:
            self._last[item.repository, ""] = step
        elif known.subject is not None:
            self._last[item.repository, known.subject.digest] = step


def push_manifests(
    destination: End,
    items: t.Sequence[ManifestItem],
    source: End | None,
    *,
    check: bool,
    patience: Patience = TEN_SECONDS,
) -> list[ManifestOutcome | RegistryError]:
    """Push manifests by digest, see :class:`ManifestPush`; outcomes in the items' order."""
    graph = StepGraph()
    push = ManifestPush(destination, source, check=check, patience=patience)
    push.add_to(graph, items)
    graph.run(destination.jobs)
    return push.finish()


def _found(
    entries: t.Sequence[tuple[int, Manifest]], outcomes: t.Mapping[int, ManifestOutcome | RegistryError]
) -> t.Iterator[tuple[int, ManifestOutcome]]:
    """The outcomes of referrers that haven't failed, by their positions."""
    for position, _manifest in entries:
        outcome = outcomes[position]
        if isinstance(outcome, ManifestOutcome):
            yield position, outcome


def _note(
    entries: t.Sequence[tuple[int, Manifest]],
    outcomes: dict[int, ManifestOutcome | RegistryError],
    listing: Listing | RegistryError,
    tag: str,
    check: bool,
) -> None:
    """Note in the outcomes of referrers what it took to list them, or why they aren't."""
    for position, outcome in _found(entries, outcomes):
        if isinstance(listing, RegistryError):
            outcomes[position] = listing
        else:
            outcomes[position] = _with_listing(outcome, tag, listing, check)


def _list_again(
    write: t.Callable[[tuple[str, str]], Listing],
    place: tuple[str, str],
    entries: t.Sequence[tuple[int, Manifest]],
    outcomes: dict[int, ManifestOutcome | RegistryError],
) -> None:
    """See once more that referrers are listed, which they were. What goes wrong now is told beside that."""
    try:
        write(place)
    except RegistryError as error:
        for position, outcome in _found(entries, outcomes):
            outcomes[position] = outcome._replace(given_up=(*outcome.given_up, str(error)))


def _with_listing(outcome: ManifestOutcome, tag: str, listing: Listing, check: bool) -> ManifestOutcome:
    digest = outcome.digest
    told: tuple[str, ...] = ()
    if digest in listing.pushed_again:
        if not check:
            told = ("The registry's list of referrers was without it, so it was pushed again.",)
        outcome = outcome._replace(action=PUSH)
    if digest in listing.tagged:
        if listing.silent:
            told = (
                f"The registry's referrers API lists nothing, so it was listed under the tag {tag}. "
                "Clients that ask nothing but the API do not find it.",
            )
        outcome = outcome._replace(referrers_tag=tag)
    return outcome._replace(given_up=(*outcome.given_up, *told))


def _put(registry: End, repository: str, digest: str, manifest: Manifest) -> None:
    """PUT a manifest by its digest. A registry may fail after it has stored it: then look."""
    try:
        registry.put_manifest(repository, digest, manifest)
    except RegistryError as error:
        if not error.temporary or registry.head_manifest(repository, digest) is None:
            raise


def _manifest_of(item: ManifestItem, source: End | None, what: str) -> Manifest:
    if isinstance(item.content, Manifest):
        return item.content
    if item.content is not None:
        with doing(what):
            return Manifest.parse(item.content, item.media_type, item.digest)
    if source is None:
        raise NotFound("neither its content nor a source to read it from is given").within(what)
    return source.get_manifest(item.source_repository or item.repository, item.digest, item.media_type)


def _upload_again(
    destination: End, item: ManifestItem, source: End | None, manifest: Manifest, error: ReferencesMissing
) -> tuple[str, ...]:
    """Send the blobs that the registry misses, whatever it said of them before (a stale cache, or a collected blob).

    A registry that doesn't name them is asked for them, and gets all of them where it then has them. Raises ``error``
    itself where that can't help.
    """
    blobs = manifest.blobs()
    missing = [blob for blob in blobs if blob.digest in error.digests]
    if not error.digests and source is not None:
        sizes = {blob.digest: size_to_skip(destination, item.repository, blob.digest) for blob in blobs}
        missing = [blob for blob in blobs if sizes[blob.digest] not in (blob.size, -1)]
        if not missing and manifest.subject is None:
            missing = blobs
    left_out = [layer.digest for layer in manifest.nondistributable_layers() if layer.digest in error.digests]
    if left_out:
        error.hint = (
            f"{left_out[0]} is of a type that may not be distributed, so it was left out; the registry insists on it, "
            "unless its configuration allows such layers to be elsewhere"
        )
        raise error
    children = [child.digest for child in manifest.children() if child.digest in error.digests]
    if children and all(destination.head_manifest(item.repository, child) is not None for child in children):
        # Another run pushes the same one, to a registry that writes in place: for a moment it was empty.
        return ()
    if source is None or not missing:
        raise error
    for blob in missing:
        origin = RegistrySource(source, item.source_repository or item.repository, blob.digest)
        upload_blob(destination, item.repository, blob.digest, blob.size, origin)
    return tuple(blob.digest for blob in missing)
