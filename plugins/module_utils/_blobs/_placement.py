# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Blobs brought into the repositories that want them: looked for, mounted, or sent, each only where it has to be."""

from __future__ import annotations

import threading
import typing as t

from .._end._end import End
from .._end._upload_session import UploadSession
from .._model._actions import EXISTS, MOUNT, MOUNT_OR_UPLOAD, UPLOAD
from .._model._errors import RegistryError
from .._model._manifest import Descriptor
from .._run._parallel import Step, StepGraph
from .._run._progress import Progress
from ._blob_group import MAXIMUM_MOUNTS_TRIED, BlobGroup, BlobOutcome
from ._look import look_at_blob, not_replaced
from ._missing_repositories import MissingRepositories
from ._transfer import BlobSource, WatchedSource, abandon_upload, size_of, size_to_skip, upload_blob

_MANY_LOOKS = 3
"""So many, and it pays to ask whether the repository is there at all."""


_SMALL = 1024 * 1024
"""Bytes. To send so much takes no longer than to look first whether it is there."""


SourceOf = t.Callable[[BlobGroup, str], BlobSource]
"""Gives the source of a blob of a group. Raises :class:`InvalidInput` where there is none."""


class _Wanted:
    """A blob that a repository wants."""

    def __init__(self, group: BlobGroup, size: int | None) -> None:
        self.group = group
        self.repository = group.repository
        self.size = size
        self.look: Step[BlobOutcome | None] | None = None
        self.presumed = False
        """Whether it is taken for missing without a look."""

    @property
    def is_small(self) -> bool:
        """Whether it may be taken for missing although the registry wasn't asked about its repository."""
        return self.size is not None and self.size <= _SMALL

    def is_replaced(self, digest: str) -> bool:
        """Whether it is sent whatever the destination has: no look, and no mount of what may be the same copy."""
        return digest in self.group.replace


class _Copies:
    """One digest, and where the destination has it: known before, or since this run has brought it there."""

    def __init__(self) -> None:
        self.wanted: list[_Wanted] = []
        self.holders: list[str] = []
        self.sending = threading.Lock()


def _weight_of(copies: _Copies) -> int:
    return max(wanted.size or 0 for wanted in copies.wanted)


class BlobPlacement:
    """Brings blobs into repositories, as steps of a graph.

    A blob that several repositories want is sent once, and mounted into the others: they wait for the first of them.
    What one of them has already is mounted into the others, so all are looked at before any is sent. Of a repository
    that lacks the largest of several blobs it is asked whether it is there at all: if it isn't, no other is looked for.
    What is in ``presumed_missing``, by repository and digest, isn't looked for either, nor what is small in
    repositories that ``missing`` presumes to be missing. ``check`` only looks, at everything.
    """

    def __init__(
        self,
        destination: End,
        source_of: SourceOf,
        *,
        check: bool,
        progress: Progress,
        presumed_missing: t.Container[tuple[str, str]] = (),
        missing: MissingRepositories | None = None,
    ) -> None:
        self._destination = destination
        self._source_of = source_of
        self._check = check
        self._progress = progress
        self._presumed_missing = presumed_missing
        self._missing = missing or MissingRepositories(destination)
        self._offers_own = True

    def add_to(self, graph: StepGraph, groups: t.Sequence[BlobGroup]) -> list[Step[BlobOutcome]]:
        """Add what is to be done for every blob of every group. Returns the steps in which they arrive, in order.

        The largest go first, so that none of them is left for the end.
        """
        places: dict[tuple[str, str], _Wanted] = {}
        copies: dict[str, _Copies] = {}
        for group in groups:
            for digest, size in group.blobs:
                if (group.repository, digest) not in places:
                    wanted = places[group.repository, digest] = _Wanted(group, size)
                    copies.setdefault(digest, _Copies()).wanted.append(wanted)
        self._progress.expect(len(places), sum(wanted.size or 0 for wanted in places.values()))
        self._add_looks(graph, places, copies)
        steps: dict[tuple[str, str], Step[BlobOutcome]] = {}
        for digest, entry in copies.items():
            steps.update(self._add_one(graph, digest, entry))
        return [steps[group.repository, digest] for group in groups for digest, _size in group.blobs]

    def _add_one(
        self, graph: StepGraph, digest: str, copies: _Copies
    ) -> t.Iterator[tuple[tuple[str, str], Step[BlobOutcome]]]:
        weight = _weight_of(copies)
        before: list[Step[t.Any]] = [wanted.look for wanted in copies.wanted if wanted.look is not None]
        for wanted in copies.wanted:
            step = graph.add(self._placing(digest, copies, wanted), after=before, weight=weight)
            yield (wanted.repository, digest), step
            if wanted is copies.wanted[0]:
                before = [step]

    def _add_looks(
        self, graph: StepGraph, places: t.Mapping[tuple[str, str], _Wanted], copies: t.Mapping[str, _Copies]
    ) -> None:
        by_repository: dict[str, list[tuple[str, _Wanted]]] = {}
        for (repository, digest), wanted in places.items():
            if wanted.is_replaced(digest):
                continue
            if self._check or (repository, digest) not in self._presumed_missing:
                by_repository.setdefault(repository, []).append((digest, wanted))
        for entries in by_repository.values():
            entries.sort(key=lambda entry: entry[1].size or 0, reverse=True)
            first: Step[BlobOutcome | None] | None = None
            for digest, wanted in entries:
                # Check mode looks at each: it is to say exactly what is there.
                is_first = first is None and len(entries) >= _MANY_LOOKS and not self._check
                look = graph.add(
                    self._looking(digest, copies[digest], wanted, first, is_first),
                    after=() if first is None else (first,),
                    weight=_weight_of(copies[digest]),
                )
                wanted.look = look
                if is_first:
                    first = look

    def _looking(
        self,
        digest: str,
        copies: _Copies,
        wanted: _Wanted,
        first: Step[BlobOutcome | None] | None,
        is_first: bool,
    ) -> t.Callable[[], BlobOutcome | None]:
        def look() -> BlobOutcome | None:
            if first is not None and first.outcome is None and self._is_missing(wanted):
                wanted.presumed = True
                return None
            found = self._missing_or_found(digest, copies, wanted)
            if found is None and is_first:
                # Asked now, before anything is sent there; the others get the same answer.
                self._is_missing(wanted)
            return found

        return look

    def _is_missing(self, wanted: _Wanted) -> bool:
        if wanted.is_small and self._missing.presumes(wanted.repository):
            return True
        # To send what is large without need takes longer than to ask.
        is_missing = self._destination.lacks_repository(wanted.repository)
        if not is_missing:
            self._missing.found(wanted.repository)
        return is_missing

    def _missing_or_found(self, digest: str, copies: _Copies, wanted: _Wanted) -> BlobOutcome | None:
        if self._check or not wanted.is_small:
            return self._look(digest, copies, wanted)
        found = self._missing.look(wanted.repository, lambda: self._look(digest, copies, wanted))
        wanted.presumed = found is None and self._missing.presumes(wanted.repository)
        return found

    def _look(self, digest: str, copies: _Copies, wanted: _Wanted) -> BlobOutcome | None:
        """The outcome for a blob that is there already; None for one that has to be sent."""
        found = size_to_skip(self._destination, wanted.repository, digest)
        # Another size than promised is a damaged copy or a stale cache: sent again, most registries mend it.
        if found is None or not (found == -1 or wanted.size is None or found == wanted.size):
            return None
        copies.holders.append(wanted.repository)
        return self._there(digest, wanted, wanted.size if wanted.size is not None else max(found, 0))

    def _there(self, digest: str, wanted: _Wanted, size: int) -> BlobOutcome:
        self._destination.counters.add(bytes_skipped=size)
        self._progress.skip(wanted.size or 0)
        return BlobOutcome(wanted.repository, digest, size, EXISTS)

    def _placing(self, digest: str, copies: _Copies, wanted: _Wanted) -> t.Callable[[], BlobOutcome]:
        return lambda: self._place(digest, copies, wanted)

    def _place(self, digest: str, copies: _Copies, wanted: _Wanted) -> BlobOutcome:
        if wanted.look is not None:
            found = wanted.look.outcome
            if isinstance(found, RegistryError):
                raise found
            if found is not None:
                return found
        if copies.holders:
            return self._bring(digest, copies, wanted)
        # What has failed for one repository isn't sent to all the others at once.
        with copies.sending:
            return self._bring(digest, copies, wanted)

    def _bring(self, digest: str, copies: _Copies, wanted: _Wanted) -> BlobOutcome:
        candidates = dict.fromkeys([*copies.holders, *wanted.group.mount_from])
        candidates.pop(wanted.repository, None)
        if wanted.is_replaced(digest):
            candidates.clear()
        source = self._source_of(wanted.group, digest)
        size = size_of(wanted.size, source, digest)
        if self._check:
            action = MOUNT_OR_UPLOAD if candidates else UPLOAD
            outcome = BlobOutcome(wanted.repository, digest, size, action)
        else:
            outcome = self._mount_or_upload(digest, wanted, source, size, list(candidates)[:MAXIMUM_MOUNTS_TRIED])
        copies.holders.append(wanted.repository)
        return outcome

    def _mount_or_upload(
        self, digest: str, wanted: _Wanted, source: BlobSource, size: int, candidates: t.Sequence[str]
    ) -> BlobOutcome:
        destination, repository = self._destination, wanted.repository
        given_up: list[str] = []
        session: UploadSession | None = None
        for candidate in candidates:
            try:
                offered = destination.mount_blob(repository, digest, candidate)
            except RegistryError as error:
                given_up.append(str(error))
                continue
            if offered is None:
                if session is not None:
                    abandon_upload(destination, session)
                destination.counters.add(bytes_mounted=size)
                self._progress.skip(wanted.size or 0)
                return BlobOutcome(repository, digest, size, MOUNT, tuple(given_up))
            given_up.append(f"The registry did not mount the blob from {candidate}.")
            if session is not None:
                abandon_upload(destination, session)
            session = offered
        if wanted.presumed or (wanted.look is None and not wanted.is_replaced(digest)):
            # It may be there: a run that was cut off leaves blobs in a repository that still counts as none.
            there, session = self._look_after_all(digest, wanted, size, session, given_up)
            if there is not None:
                return there
        given_up += self._upload(digest, wanted, source, size, session)
        if wanted.is_replaced(digest):
            # A registry may keep its damaged copy, and tell the size of what was sent from its memory.
            self._read_again(digest, wanted, size)
        return BlobOutcome(repository, digest, size, UPLOAD, tuple(given_up))

    def _read_again(self, digest: str, wanted: _Wanted, size: int) -> None:
        try:
            look_at_blob(self._destination, wanted.repository, Descriptor("", digest, size), read=True)
        except RegistryError as error:
            raise not_replaced(error) from None

    def _look_after_all(
        self, digest: str, wanted: _Wanted, size: int, session: UploadSession | None, given_up: list[str]
    ) -> tuple[BlobOutcome | None, UploadSession | None]:
        """The outcome if it is there, or the session to upload it in, if there is one already.

        To mount a blob from its own repository is an upload begun where it isn't there: one request for two.
        """
        if self._offers_own and session is None:
            try:
                session = self._destination.mount_blob(wanted.repository, digest, wanted.repository)
            except RegistryError as error:
                given_up.append(str(error))
                self._offers_own = error.temporary
            else:
                if session is not None:
                    return None, session
                self._missing.found(wanted.repository)
                return self._there(digest, wanted, size), None
        if size_to_skip(self._destination, wanted.repository, digest) not in (size, -1):
            return None, session
        if session is not None:
            abandon_upload(self._destination, session)
        return self._there(digest, wanted, size), None

    def _upload(
        self, digest: str, wanted: _Wanted, source: BlobSource, size: int, session: UploadSession | None
    ) -> list[str]:
        if wanted.size is None:
            self._progress.expect(0, size)
        moving = self._progress.begin(wanted.repository, digest, size)
        arrived = False
        try:
            watched = WatchedSource(source, moving)
            given_up = upload_blob(self._destination, wanted.repository, digest, size, watched, session)
            arrived = True
        finally:
            moving.end(arrived=arrived)
        return given_up


def outcomes_by_group(
    groups: t.Sequence[BlobGroup], outcomes: t.Sequence[BlobOutcome | RegistryError]
) -> t.Iterator[tuple[BlobGroup, list[tuple[str, BlobOutcome | RegistryError]]]]:
    """Outcomes that come in the order of the groups' blobs, each with its digest, group by group."""
    position = 0
    for group in groups:
        found = outcomes[position : position + len(group.blobs)]
        position += len(group.blobs)
        yield group, [(digest, outcome) for (digest, _size), outcome in zip(group.blobs, found)]


def place_blobs(
    destination: End, groups: t.Sequence[BlobGroup], source_of: SourceOf, *, check: bool, progress: Progress
) -> list[BlobOutcome | RegistryError]:
    """Bring every blob into the repository of its group, see :class:`BlobPlacement`; outcomes in their order."""
    graph = StepGraph()
    steps = BlobPlacement(destination, source_of, check=check, progress=progress).add_to(graph, groups)
    graph.run(destination.jobs)
    return [step.outcome for step in steps]
