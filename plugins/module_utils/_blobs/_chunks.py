# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Blobs sent in chunks (distribution spec, "Pushing a blob in chunks"), each of which can be read again."""

from __future__ import annotations

from .._end._body import Body
from .._end._end import End
from .._end._upload_session import UploadSession
from .._model._errors import BodyTooLarge, ChunksRefused, ProtocolViolation, RegistryError, UploadGone, UploadStuck
from ._blob_reader import BlobReader

_SHORT_ANSWERS = 3
"""How many times a registry may take a part of a chunk only, until it has a chunk's worth of bytes more."""


class ChunkedUpload:
    """One blob, sent in chunks of ``chunk`` bytes, from where the session is. ``size`` in bytes.

    ``session`` is the newest one: what fails for good is cancelled there.
    """

    def __init__(
        self, destination: End, session: UploadSession, digest: str, size: int, chunk: int, reader: BlobReader
    ) -> None:
        self.session = session
        self._destination = destination
        self._digest = digest
        self._size = size
        self._chunk = chunk
        self._reader = reader
        self._answers: set[int | None] = set()
        """The statuses that answered its chunks, None for no answer; 202 for all that took one."""

    def send(self) -> None:
        """Send the blob, and end its session.

        A chunk that fails for a while is sent again from where the registry says that it is, and one of which it took
        a part is gone on from there; both a few times only before it has another chunk's worth of bytes. Raises
        :class:`BodyTooLarge`, :class:`ChunksRefused`, :class:`UploadStuck`, and what else an upload raises.
        """
        begin = mark = sent = self.session.received
        failures = short = 0
        while begin < self._size:
            length = min(self._chunk, self._size - begin)
            body = Body(self._reader.pieces(begin, length), length)
            try:
                answered = self._destination.patch_upload(self.session._replace(received=begin), body)
            except RegistryError as error:
                if error.status == 416 and begin < sent:
                    # It said that it has a part only, or counted the bytes of one chunk only. It may have more.
                    known, sent = self._asked_for(begin, sent), begin
                    if known > begin:
                        begin = known
                        continue
                self._answers.add(error.status)
                stuck = failures > 0 and self.session.is_silent and error.status is not None
                if self._answers == {500} and (stuck or failures >= self._destination.retries):
                    # Not one was taken: something may be wrong with chunks as such.
                    raise _no_chunks(error) from error
                if not error.temporary or isinstance(error, UploadGone) or failures >= self._destination.retries:
                    raise self._judged(error, begin, length) from error
                if stuck:
                    # A registry that was killed within a chunk may know the session, and never take anything again.
                    raise _stuck(error) from error
                failures += 1
                begin = min(self._state_after(failures, begin), begin + length)
                continue
            self.session = answered
            self._answers.add(202)
            sent = begin + length
            taken = self._end_of(answered, begin, sent)
            short += taken < begin + length
            if taken >= mark + self._chunk:
                mark, failures, short = taken, 0, 0
            if short > _SHORT_ANSWERS:
                raise self._refused(taken, begin + length)
            begin = taken
        self._reader.finish()
        try:
            self._destination.put_upload(self.session, self._digest)
        except RegistryError as error:
            raise self._judged(error, self._size, 0) from error

    def _judged(self, error: RegistryError, begin: int, length: int) -> RegistryError:
        """What an error says about chunks as such; the error itself where that is nothing."""
        if error.status == 416 and not begin:
            # Nothing can be out of step yet: GHCR says so that a chunk is too large.
            facts = {name: getattr(error, name) for name in ("method", "url", "status", "errors")}
            return BodyTooLarge(f"the registry does not take a chunk of {length} bytes", **facts).within(
                error.operation
            )
        if error.status in (401, 403):
            # Firewalls in front of registries forbid PATCH so. An account that may not push is refused the whole, too.
            return error if 202 in self._answers or error.temporary else _no_chunks(error)
        if error.status == 413:
            return error
        # A session that is new can't be gone: then there is no way to send chunks to it.
        gone = any(code.startswith("BLOB_UPLOAD_") for code in error.codes)
        no_way = error.status == 404 and not begin and not gone
        refused = not error.temporary and (error.status is not None or isinstance(error, ProtocolViolation))
        return _no_chunks(error) if no_way or refused else error

    def _state_after(self, failures: int, begin: int) -> int:
        """Wait, and ask the registry how many bytes it has."""
        self._destination.back_off(failures - 1)
        self.session = self._destination.get_upload(self.session._replace(received=begin))
        return self.session.received

    def _end_of(self, answered: UploadSession, begin: int, sent: int) -> int:
        """How many bytes the registry has after a chunk. Raises :class:`ChunksRefused` where that is none of it."""
        if not self._destination.upload_form.trusts_range:
            return sent
        received = answered.received
        if received <= begin:
            # It stands still, or counts the bytes of this chunk only. What the registry has may be more.
            received = max(received, self._asked_for(begin, sent))
        if received <= begin:
            raise self._refused(received, sent)
        return received

    def _asked_for(self, begin: int, sent: int) -> int:
        """How many bytes the registry has, as it says where it is asked for it; ``begin`` where it doesn't say more."""
        try:
            self.session = self._destination.get_upload(self.session._replace(received=begin))
        except RegistryError:
            # Then the answer to the chunk is all there is.
            return begin
        return self.session.received if self.session.received <= sent else begin

    def _refused(self, received: int, sent: int) -> RegistryError:
        return ChunksRefused(
            f"the registry's Range stands at {received} bytes, although {sent} were sent", by_range=True
        ).within(f"upload blob {self._digest} to {self._destination.name}/{self.session.repository}")


def _stuck(error: RegistryError) -> RegistryError:
    facts = {"hint": error.hint, "temporary": error.temporary, **error.answer()}
    return UploadStuck(error.reason, **facts).within(error.operation)


def _no_chunks(error: RegistryError) -> RegistryError:
    return ChunksRefused(
        f"the registry does not take it in chunks: {error.reason}", hint=error.hint, **error.answer()
    ).within(error.operation)
