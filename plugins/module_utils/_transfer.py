# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Blobs on the move: looked for, mounted, streamed and downloaded. Whatever their size, a few pieces are in memory."""

from __future__ import annotations

import functools
import hashlib
import random
import typing as t

from ._chunks import ChunkedUpload
from ._deletion import delete_for_sure
from ._digest import DigestVerifier, algorithm_of, compute_digest
from ._end import End
from ._errors import (
    AuthenticationFailed,
    ConnectionFailed,
    InvalidInput,
    LocalFileError,
    NotFound,
    RegistryError,
    UploadGone,
)
from ._local_path import absolute, relative_hint
from ._parallel import run_all
from ._registry import Registry, UploadSession
from ._response import PIECE
from ._transport import Body

EXISTS = "exists"
MOUNT = "mount"
UPLOAD = "upload"
MOUNT_OR_UPLOAD = "mount_or_upload"
DELETE = "delete"
ABSENT = "absent"

_MAXIMUM_MOUNTS_TRIED = 3
_LONGEST_BACKOFF = 30.0


class BlobSource(t.Protocol):
    """Where the bytes of a blob come from; they can be read again from any offset."""

    remote: bool
    """Whether reading may break off half-way, and is then worth going on with."""

    def open(self, offset: int) -> tuple[t.Iterator[bytes], int]:
        """The bytes in pieces, and the offset at which they start: the one asked for, or 0."""


class ContentSource:
    """A blob that is in memory."""

    remote = False

    def __init__(self, content: bytes) -> None:
        self._content = content

    def open(self, offset: int) -> tuple[t.Iterator[bytes], int]:
        """The rest of the content, in one piece."""
        return iter([self._content[offset:]]), offset

    def measure(self, algorithm: str) -> tuple[str, int]:
        """Digest, and size in bytes."""
        return compute_digest(self._content, algorithm), len(self._content)


class FileSource:
    """A blob in a file."""

    remote = False

    def __init__(self, path: str) -> None:
        self._path = path

    def open(self, offset: int) -> tuple[t.Iterator[bytes], int]:
        """The rest of the file, piece by piece. Raises :class:`LocalFileError` while they are read."""
        return self._pieces(offset), offset

    def measure(self, algorithm: str) -> tuple[str, int]:
        """Digest, and size in bytes. Raises :class:`LocalFileError`."""
        size = 0
        hashed = hashlib.new(algorithm)
        for piece in self._pieces(0):
            size += len(piece)
            hashed.update(piece)
        return f"{algorithm}:{hashed.hexdigest()}", size

    def _pieces(self, offset: int) -> t.Iterator[bytes]:
        try:
            with open(self._path, "rb") as file:
                file.seek(offset)
                while True:
                    piece = file.read(PIECE)
                    if not piece:
                        return
                    yield piece
        except OSError as error:
            raise LocalFileError(
                f"the file {absolute(self._path)} can't be read: {error.strerror}", hint=relative_hint(self._path)
            ) from error


class RegistrySource:
    """A blob in a repository of a registry, or of a layout."""

    def __init__(self, registry: End, repository: str, digest: str) -> None:
        self.registry = registry
        self.remote = registry.remote
        self.repository = repository
        self._digest = digest

    def open(self, offset: int) -> tuple[t.Iterator[bytes], int]:
        """GET the blob from ``offset`` on."""
        pieces, start = self.registry.get_blob(self.repository, self._digest, offset)
        return self._counted(pieces), start

    def _counted(self, pieces: t.Iterator[bytes]) -> t.Iterator[bytes]:
        for piece in pieces:
            self.registry.counters.add(bytes_downloaded=len(piece))
            yield piece


class BlobGroup(t.NamedTuple):
    """Blobs of one repository: the shape in which they are handed from task to task."""

    repository: str
    source_repository: str
    mount_from: tuple[str, ...]
    blobs: tuple[tuple[str, int | None], ...]
    """Digest, and size in bytes; None where it isn't known."""


class BlobOutcome(t.NamedTuple):
    """What happened to one blob, or in check mode what would."""

    repository: str
    digest: str
    size: int
    action: str
    given_up: tuple[str, ...] = ()
    """Mounts and forms of upload that were tried in vain, in words."""


def look_for_blobs(registry: End, groups: t.Sequence[BlobGroup]) -> list[int | None | RegistryError]:
    """HEAD every blob of every group, in their order: the size in bytes, None where it isn't there, or an error."""
    pairs = [(group.repository, digest) for group in groups for digest, _size in group.blobs]
    distinct = list(dict.fromkeys(pairs))
    found = dict(zip(distinct, run_all(lambda pair: registry.head_blob(*pair), distinct, registry.jobs)))
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
    for group, digest, size, outcome in rows:
        if outcome is None:
            candidates = dict.fromkeys([*group.mount_from, *holders.get(digest, ())])
            candidates.pop(group.repository, None)
            key = (group.repository, group.source_repository, tuple(candidates)[:_MAXIMUM_MOUNTS_TRIED])
            gathered.setdefault(key, {})[digest] = size
    return [BlobGroup(*key, tuple(blobs.items())) for key, blobs in gathered.items()]


SourceOf = t.Callable[[BlobGroup, str], BlobSource]
"""Gives the source of a blob of a group. Raises :class:`InvalidInput` where there is none."""


class _Wanted(t.NamedTuple):
    group: BlobGroup
    size: int | None
    position: int


def place_blobs(
    destination: End, groups: t.Sequence[BlobGroup], source_of: SourceOf, *, check: bool
) -> list[BlobOutcome | RegistryError]:
    """Bring every blob into the repository of its group; outcomes in their order.

    A blob that several repositories want is sent once and mounted into the others. The largest go first, so that none
    of them is left for the end. ``check`` only looks.
    """
    wanted: dict[str, list[_Wanted]] = {}
    position = 0
    for group in groups:
        for digest, size in group.blobs:
            wanted.setdefault(digest, []).append(_Wanted(group, size, position))
            position += 1
    order = sorted(wanted, key=lambda digest: max(entry.size or 0 for entry in wanted[digest]), reverse=True)
    outcomes: dict[int, BlobOutcome | RegistryError] = {}

    def place_everywhere(digest: str) -> None:
        holders: list[str] = []
        missing: list[_Wanted] = []
        # All are looked at before any is sent: what one of the repositories has can be mounted into the others.
        for entry in wanted[digest]:
            try:
                there = _look_for(destination, entry, digest)
            except RegistryError as error:
                outcomes[entry.position] = error
                continue
            if there is None:
                missing.append(entry)
            else:
                outcomes[entry.position] = there
                holders.append(entry.group.repository)
        for entry in missing:
            try:
                outcome = _place_blob(destination, entry, digest, source_of, holders, check)
            except RegistryError as error:
                outcomes[entry.position] = error
            else:
                outcomes[entry.position] = outcome
                holders.append(entry.group.repository)

    for result in run_all(place_everywhere, order, destination.jobs):
        if result is not None:
            raise result
    return [outcomes[place] for place in range(position)]


def _look_for(destination: End, entry: _Wanted, digest: str) -> BlobOutcome | None:
    """The outcome for a blob that is there already; None for one that has to be sent."""
    found = destination.head_blob(entry.group.repository, digest)
    # Another size than promised is a damaged copy or a stale cache: sent again, the registry mends it.
    if found is None or not (found == -1 or entry.size is None or found == entry.size):
        return None
    size = entry.size if entry.size is not None else max(found, 0)
    destination.counters.add(bytes_skipped=size)
    return BlobOutcome(entry.group.repository, digest, size, EXISTS)


def _place_blob(
    destination: End, entry: _Wanted, digest: str, source_of: SourceOf, holders: t.Sequence[str], check: bool
) -> BlobOutcome:
    repository = entry.group.repository
    candidates = [name for name in dict.fromkeys([*holders, *entry.group.mount_from]) if name != repository]
    candidates = candidates[:_MAXIMUM_MOUNTS_TRIED]
    source = source_of(entry.group, digest)
    size = _size_of(entry.size, source, digest)
    if check:
        return BlobOutcome(repository, digest, size, MOUNT_OR_UPLOAD if candidates else UPLOAD)
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
                _abandon(destination, session)
            destination.counters.add(bytes_mounted=size)
            return BlobOutcome(repository, digest, size, MOUNT, tuple(given_up))
        given_up.append(f"The registry didn't mount the blob from {candidate}.")
        if session is not None:
            _abandon(destination, session)
        session = offered
    given_up += upload_blob(destination, repository, digest, size, source, session)
    return BlobOutcome(repository, digest, size, UPLOAD, tuple(given_up))


def size_at(registry: End, repository: str, digest: str) -> int:
    """The size in bytes of a blob. Raises :class:`NotFound`, and :class:`InvalidInput` if it isn't told."""
    found = registry.head_blob(repository, digest)
    if found is None:
        raise NotFound(
            "it isn't there", hint="Check repository and digest: a blob belongs to the repositories it was pushed to"
        ).within(f"read blob {digest} from {registry.name}/{repository}")
    if found < 0:
        raise InvalidInput(f"{registry.name} doesn't tell the size of {digest}", hint="Give size")
    return found


def _size_of(size: int | None, source: BlobSource, digest: str) -> int:
    if size is not None:
        return size
    if isinstance(source, RegistrySource):
        return size_at(source.registry, source.repository, digest)
    if isinstance(source, (ContentSource, FileSource)):
        return source.measure(algorithm_of(digest))[1]
    raise InvalidInput(f"the size of {digest} isn't known", hint="Give size")


def upload_blob(
    destination: End,
    repository: str,
    digest: str,
    size: int,
    source: BlobSource,
    session: UploadSession | None = None,
) -> list[str]:
    """Send a blob: POST, then PUT of the whole to the session's location, the bytes verified on their way.

    ``size`` in bytes. A registry that doesn't take it whole gets it in chunks, and one that doesn't take chunks whole;
    returned is what was tried in vain, in words. What fails for a while is begun again in a new session, after a look
    whether it has arrived all the same; the old session may still be at work, so it is left to the registry, and
    counted. A session that fails for good is cancelled where the registry lets us.
    """
    attempt = 0
    given_up: list[str] = []
    while True:
        current = session or destination.start_upload(repository)
        session = None
        chunk = destination.upload_form.chunk_for(size, current.minimum_chunk)
        try:
            if chunk:
                pieces = functools.partial(steady_pieces, source, digest, size, destination)
                upload = ChunkedUpload(destination, current, digest, size, chunk, pieces)
                try:
                    upload.send()
                finally:
                    current = upload.session
            else:
                body = Body(verified_pieces(source, digest, size, destination), size)
                destination.put_upload(current, digest, body)
        except RegistryError as error:
            if not error.temporary:
                _abandon(destination, current)
                if destination.upload_form.adapt(error, size, chunk, current.minimum_chunk):
                    given_up.append(str(error))
                    continue
                raise
            left_open = 0 if isinstance(error, UploadGone) else 1
            if attempt >= destination.retries:
                destination.counters.add(sessions_left_open=left_open)
                raise
            destination.counters.add(retries=1)
            destination.sleep(random.uniform(0.1, min(_LONGEST_BACKOFF, 2.0**attempt)))
            attempt += 1
            if not isinstance(error, AuthenticationFailed) and destination.head_blob(repository, digest) == size:
                break
            destination.counters.add(sessions_left_open=left_open)
        else:
            break
    destination.counters.add(bytes_uploaded=size)
    return given_up


def delete_blobs(
    registry: Registry, groups: t.Sequence[BlobGroup], *, check: bool
) -> list[BlobOutcome | RegistryError]:
    """Delete blobs from the repositories of their groups; outcomes in their order."""

    def delete(place: tuple[str, str]) -> BlobOutcome:
        repository, digest = place
        size = registry.head_blob(repository, digest)
        if size is None:
            return BlobOutcome(repository, digest, 0, ABSENT)
        if not check:
            delete_for_sure(
                lambda: registry.delete_blob(repository, digest),
                lambda: registry.head_blob(repository, digest) is not None,
                f"delete blob {digest} from {registry.name}/{repository}",
            )
        return BlobOutcome(repository, digest, max(size, 0), DELETE)

    places = [(group.repository, digest) for group in groups for digest, _size in group.blobs]
    return run_all(delete, places, registry.jobs)


def _abandon(destination: End, session: UploadSession) -> None:
    if not destination.cancel_upload(session):
        destination.counters.add(sessions_left_open=1)


def verified_pieces(source: BlobSource, digest: str, size: int | None, registry: End) -> t.Iterator[bytes]:
    """The bytes of a blob, read on where they broke off, see :func:`steady_pieces`.

    The last piece is held back until digest and size are known to be right: who gets all of them has the right blob.
    Raises :class:`ContentMismatch`.
    """
    verifier = DigestVerifier(digest, size)
    held = b""
    for piece in steady_pieces(source, digest, size, registry, 0):
        verifier.update(piece)
        if held:
            yield held
        held = piece
    verifier.finish()
    if held:
        yield held


def steady_pieces(source: BlobSource, digest: str, size: int | None, registry: End, offset: int) -> t.Iterator[bytes]:
    """The bytes of a blob from ``offset`` on, unverified.

    They are read on where they broke off: in a row without progress as often as ``registry`` retries.
    """
    received = offset
    failures = 0
    while True:
        try:
            for piece in pieces_from(source, received):
                received += len(piece)
                failures = 0
                yield piece
            if size is not None and received < size and source.remote:
                raise ConnectionFailed(f"only {received} of {size} bytes of {digest} arrived", temporary=True)
        except ConnectionFailed as error:
            failures += 1
            if failures > registry.retries:
                # To the other end of the transfer this is final: sending again would only read again.
                error.temporary = False
                raise
            registry.counters.add(retries=1)
            registry.sleep(random.uniform(0.1, min(_LONGEST_BACKOFF, 2.0**failures)))
            continue
        return


def pieces_from(source: BlobSource, offset: int) -> t.Iterator[bytes]:
    """The bytes of a blob from ``offset`` on, also where the source can only begin at 0."""
    pieces, start = source.open(offset)
    surplus = offset - start
    for piece in pieces:
        if surplus >= len(piece):
            surplus -= len(piece)
            continue
        yield piece[surplus:] if surplus else piece
        surplus = 0
