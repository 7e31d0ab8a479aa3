# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Blobs on the move: where their bytes come from, verified on their way. Of any size, a few pieces are in memory."""

from __future__ import annotations

import functools
import hashlib
import typing as t

from .._end._body import PIECE, Body
from .._end._end import End
from .._end._purpose import Purpose
from .._end._upload_session import UploadSession
from .._model._digest import DigestVerifier, algorithm_of, compute_digest
from .._model._errors import (
    AuthenticationFailed,
    BodyTooLarge,
    ChunksRefused,
    ConnectionFailed,
    ContentMismatch,
    InvalidInput,
    LocalFileError,
    NotFound,
    ProtocolViolation,
    RedirectFailed,
    RegistryError,
    UnexpectedAnswer,
    UploadGone,
    UploadStuck,
)
from .._model._manifest import MAXIMUM_BLOB_SIZE
from .._run._local_path import absolute, check_is_file, relative_hint
from .._run._progress import MovingBlob
from ._blob_reader import BlobReader
from ._chunks import ChunkedUpload

_REFUSED_PART = (BodyTooLarge, ChunksRefused, UnexpectedAnswer)
"""How a registry refuses what continues an upload."""
_LEAST_CONTINUED = PIECE
"""Bytes. Less is sent again sooner than continued."""
_LEAST_PROGRESS = 32 * 1024
"""Bytes, or a sixteenth of the blob, after which the next failure is the first again: all may come after few."""


class BlobSource(t.Protocol):
    """Where the bytes of a blob come from; they can be read again from any offset."""

    end: End | None
    """The end that is read from, where that may break off half-way and is then worth going on with."""
    what: str
    """The operation that fails where its bytes are wrong; empty where that is the one for which they are read."""

    def open(self, offset: int) -> tuple[t.Iterator[bytes], int]:
        """The bytes in pieces, and the offset at which they start: the one asked for, or 0."""

    def was_continued(self) -> bool:
        """Whether it was opened in its middle since this was asked: then what was read may not belong together."""


class ContentSource:
    """A blob that is in memory."""

    end: End | None = None
    what = ""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def open(self, offset: int) -> tuple[t.Iterator[bytes], int]:
        """The rest of the content, in one piece."""
        return iter([self._content[offset:]]), offset

    def was_continued(self) -> bool:
        """No: it is what it is."""
        return False

    def measure(self, algorithm: str) -> tuple[str, int]:
        """Digest, and size in bytes."""
        return compute_digest(self._content, algorithm), len(self._content)


class FileSource:
    """A blob in a file."""

    end: End | None = None
    what = ""

    def __init__(self, path: str) -> None:
        self._path = path

    def open(self, offset: int) -> tuple[t.Iterator[bytes], int]:
        """The rest of the file, piece by piece. Raises :class:`LocalFileError` while they are read."""
        return self._pieces(offset), offset

    def was_continued(self) -> bool:
        """No: it is what it is."""
        return False

    def measure(self, algorithm: str) -> tuple[str, int]:
        """Digest, and size in bytes. Raises :class:`LocalFileError`."""
        size = 0
        hashed = hashlib.new(algorithm)
        for piece in self._pieces(0):
            size += len(piece)
            hashed.update(piece)
        return f"{algorithm}:{hashed.hexdigest()}", size

    def _pieces(self, offset: int) -> t.Iterator[bytes]:
        check_is_file(self._path)
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
                f"the file {absolute(self._path)} cannot be read: {error.strerror}", hint=relative_hint(self._path)
            ) from error


class RegistrySource:
    """A blob in a repository of a registry, or of a layout."""

    def __init__(self, registry: End, repository: str, digest: str) -> None:
        self.registry = registry
        self.end = registry if registry.remote else None
        self.repository = repository
        self.what = f"read blob {digest} from {registry.name}/{repository}"
        self._digest = digest
        self._continued = False

    def open(self, offset: int) -> tuple[t.Iterator[bytes], int]:
        """GET the blob from ``offset`` on."""
        pieces, start = self.registry.get_blob(self.repository, self._digest, offset)
        self._continued = self._continued or start > 0
        return self._counted(pieces), start

    def was_continued(self) -> bool:
        """Whether a registry was asked for a range, and has answered with one."""
        found, self._continued = self._continued, False
        return found

    def _counted(self, pieces: t.Iterator[bytes]) -> t.Iterator[bytes]:
        for piece in pieces:
            self.registry.counters.add(bytes_downloaded=len(piece))
            yield piece


class WatchedSource:
    """A blob whose way is shown: how many of its bytes have been read."""

    def __init__(self, source: BlobSource, moving: MovingBlob) -> None:
        self.end = source.end
        self.what = source.what
        self._source = source
        self._moving = moving

    def open(self, offset: int) -> tuple[t.Iterator[bytes], int]:
        """As the source opens it."""
        pieces, start = self._source.open(offset)
        self._moving.go_to(start)
        return self._counted(pieces), start

    def was_continued(self) -> bool:
        """As of the source."""
        return self._source.was_continued()

    def _counted(self, pieces: t.Iterator[bytes]) -> t.Iterator[bytes]:
        for piece in pieces:
            self._moving.add(len(piece))
            yield piece


def size_at(registry: End, repository: str, digest: str) -> int:
    """The size in bytes of a blob. Raises :class:`NotFound`, and :class:`InvalidInput` if it isn't told."""
    what = f"read blob {digest} from {registry.name}/{repository}"
    found = registry.head_blob(repository, digest)
    if found is None:
        raise NotFound(
            "it is not there", hint="Check repository and digest: a blob belongs to the repositories it was pushed to"
        ).within(what)
    if found < 0:
        raise InvalidInput(f"{registry.name} does not report the size of {digest}", hint="Give size")
    if found > MAXIMUM_BLOB_SIZE:
        raise ProtocolViolation(f"the registry says that it has {found} bytes").within(what)
    return found


def size_to_skip(destination: End, repository: str, digest: str) -> int | None:
    """What :meth:`.End.head_blob` says before a blob is sent; None as well where only the registry has it.

    Where its storage has lost the blob, it is sent again.
    """
    try:
        return destination.head_blob(repository, digest, Purpose.PUSH)
    except RedirectFailed as error:
        if error.temporary:
            raise
        return None


def size_of(size: int | None, source: BlobSource, digest: str) -> int:
    """The size in bytes that is told, or else that of the source. Raises what :func:`size_at` raises."""
    if size is not None:
        return size
    if isinstance(source, RegistrySource):
        return size_at(source.registry, source.repository, digest)
    if isinstance(source, (ContentSource, FileSource)):
        return source.measure(algorithm_of(digest))[1]
    raise InvalidInput(f"the size of {digest} is not known", hint="Give size")


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
    returned is what was tried in vain, in words. What fails for a while is looked for, since it may have arrived all
    the same, and continued from the byte that the registry has. Where it can't be, it is begun again in a new session;
    the old one may still be at work, so it is cancelled at the end only. Any that the registry doesn't let us cancel is
    counted.
    """
    left: list[UploadSession] = []
    reader = BlobReader(functools.partial(steady_pieces, source, digest, size), digest, size, source.what)
    try:
        try:
            return _upload(destination, repository, digest, size, reader, session, left)
        except ContentMismatch as error:
            if not source.was_continued():
                raise
            # A registry may give another range than it says. In one go it may give the right bytes.
            return [str(error), *_upload(destination, repository, digest, size, reader, None, left)]
    finally:
        reader.close()
        for abandoned in left:
            abandon_upload(destination, abandoned)


def _upload(
    destination: End,
    repository: str,
    digest: str,
    size: int,
    reader: BlobReader,
    session: UploadSession | None,
    left: list[UploadSession],
) -> list[str]:
    """The same; ``left`` gets the sessions that may still be at work."""
    attempt = 0
    given_up: list[str] = []
    while True:
        current = session or destination.start_upload(repository)
        session = None
        continued = current.received > 0
        chunk = destination.upload_form.chunk_for(size, current.minimum_chunk)
        try:
            if chunk or continued:
                upload = ChunkedUpload(destination, current, digest, size, chunk or size, reader)
                try:
                    upload.send()
                finally:
                    current = upload.session
            else:
                destination.put_upload(current, digest, Body(reader.whole(), size))
        except RegistryError as error:
            refused = isinstance(error, _REFUSED_PART) and error.operation != reader.what
            if continued and refused and attempt < destination.retries:
                # What is there may not be what was sent: its first half may have been at work still.
                abandon_upload(destination, current)
                given_up.append(str(error))
                attempt += 1
                continue
            if not error.temporary:
                abandon_upload(destination, current)
                if destination.upload_form.adapt(error, size, chunk, current.minimum_chunk):
                    given_up.append(str(error))
                    continue
                raise
            gone = isinstance(error, UploadGone)
            if not gone:
                left.append(current)
            if attempt >= destination.retries:
                raise
            destination.back_off(attempt)
            attempt += 1
            if isinstance(error, AuthenticationFailed):
                continue
            arrived = destination.head_blob(repository, digest) == size
            if not arrived and not gone and not isinstance(error, UploadStuck):
                session = _continued(destination, current, size)
            if not gone and (arrived or session is not None):
                # It goes on, or has ended with the blob, unless somebody else has brought that.
                left.pop()
            if arrived:
                if not gone:
                    destination.cancel_upload(current)
                break
        else:
            break
    destination.counters.add(bytes_uploaded=size)
    return given_up


def _continued(destination: End, session: UploadSession, size: int) -> UploadSession | None:
    """An upload that broke off, as far as the registry has it. None where that is nothing, or too little to ask for."""
    if size < _LEAST_CONTINUED:
        return None
    try:
        found = destination.get_upload(session)
    except RegistryError:
        # distribution 2.x knows a session only by the location that its last whole answer gave.
        return None
    return found if _LEAST_CONTINUED <= found.received <= size and not found.is_silent else None


def abandon_upload(destination: End, session: UploadSession) -> None:
    """Cancel an upload where the registry lets us; else it is counted as left open."""
    if not destination.cancel_upload(session):
        destination.counters.add(sessions_left_open=1)


def verified_pieces(source: BlobSource, digest: str, size: int | None) -> t.Iterator[bytes]:
    """The bytes of a blob, read on where they broke off, see :func:`steady_pieces`.

    The last piece is held back until digest and size are known to be right: who gets all of them has the right blob.
    Raises :class:`ContentMismatch`.
    """
    verifier = DigestVerifier(digest, size, source.what)
    held = b""
    for piece in steady_pieces(source, digest, size, 0):
        verifier.update(piece)
        if held:
            yield held
        held = piece
    verifier.finish()
    if held:
        yield held


def steady_pieces(source: BlobSource, digest: str, size: int | None, offset: int) -> t.Iterator[bytes]:
    """The bytes of a blob from ``offset`` on, unverified.

    They are read on where they broke off: in a row without progress as often as their end has retries.
    """
    received = mark = offset
    progress = _LEAST_PROGRESS if size is None else min(_LEAST_PROGRESS, size // 16)
    failures = 0
    while True:
        try:
            for piece in pieces_from(source, received):
                received += len(piece)
                if received - mark >= progress:
                    mark, failures = received, 0
                yield piece
            if size is not None and received < size and source.end is not None:
                short = ConnectionFailed(f"only {received} of {size} bytes of {digest} arrived", temporary=True)
                short.broke_off = True
                raise short.within(source.what)
        except ConnectionFailed as error:
            if received == size:
                # The end was lost, and nothing of the blob. A range that starts there is an error to some registries.
                return
            failures += 1
            if source.end is None or failures > source.end.retries:
                # To the other end of the transfer this is final: sending again would only read again.
                error.temporary = False
                raise
            source.end.back_off(failures - 1)
            continue
        except RegistryError as error:
            # An answer that had its tries: final as well.
            error.temporary = False
            raise
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
