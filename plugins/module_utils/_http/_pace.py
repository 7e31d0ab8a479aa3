# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""How slowly an answer may come. A time-out of a socket is one of silence, and a byte now and then is none.

Every answer is read through :class:`_PacedReader`: it ends one that brings less than 1 KiB in as many seconds as its
socket's time-out has, and one whose head isn't whole after five times as many. Seconds in which nobody reads, since
the other end of a transfer is slow, don't count.
"""

from __future__ import annotations

import contextlib
import http.client
import io
import time
import typing as t

from ._requests import requests

LEAST_IN_A_WINDOW = 1024
"""Bytes that must come in as many seconds as the time-out has."""
WINDOWS_OF_A_WHOLE = 5
"""Time-outs in which the head of an answer, and a body that is no blob, must be whole."""
_LARGE_READ = 64 * 1024
"""Bytes. Only what is known to come is read in such pieces; less may be all that comes."""
_BUFFER = 8 * 1024
"""Bytes in which the rest is read. Python's own default has become larger than a large read."""


class TooSlow(TimeoutError):
    """Bytes come, and too few of them; in words."""


class Deadline:
    """When something that is read must be whole. ``seconds`` is the time-out of silence."""

    def __init__(self, what: str, seconds: float) -> None:
        self._text = f"{what} is not whole after {WINDOWS_OF_A_WHOLE * seconds:g} seconds"
        self._until = time.monotonic() + WINDOWS_OF_A_WHOLE * seconds

    def check(self) -> None:
        """Raise :class:`TooSlow` where it is over."""
        if time.monotonic() > self._until:
            raise TooSlow(self._text)


class _PacedReader(io.RawIOBase):
    """What a socket gives, as long as it comes fast enough."""

    def __init__(self, raw: io.RawIOBase, receive: t.Callable[[memoryview], int], timeout: float | None) -> None:
        self._raw = raw
        self._receive = receive
        self._timeout = timeout
        self._waited = 0.0
        self._received = 0
        self._given = 0
        self._failure: OSError | None = None
        self.deadline: Deadline | None = None
        self.keeps_what_came = False
        """Whether a failure waits until those bytes are taken that came before it."""

    def readable(self) -> bool:
        return True

    def new_piece(self, buffered: int) -> None:
        """What is read from here on is one piece, of which so many bytes are in a buffer above."""
        self._given = buffered

    def readinto(self, buffer: t.Any) -> int:
        if self._failure is not None:
            if self._given:
                return 0
            raise self._failure
        view = memoryview(buffer)
        filled = 0
        try:
            filled = number = self._read_some(view)
            # TLS gives 16 KiB at a time. Who reads so much goes on until it is whole, which is faster done here.
            while len(view) >= _LARGE_READ and filled < len(view) and number >= LEAST_IN_A_WINDOW:
                number = self._receive(view[filled:])
                filled += number
        except OSError as error:
            # A buffer above would throw away all that it has of the piece.
            if not self.keeps_what_came or not self._given + filled:
                raise
            self._failure = error
        self._given += filled
        return filled

    def _read_some(self, view: memoryview) -> int:
        started = time.monotonic()
        number = self._receive(view)
        # A window begins with its first bytes. To wait for those is silence, which is the socket's to judge.
        self._waited += time.monotonic() - started if self._received else 0.0
        self._received += number
        if self._received >= LEAST_IN_A_WINDOW:
            self._waited, self._received = 0.0, 0
        elif number and self._timeout is not None and self._waited > self._timeout:
            raise TooSlow(f"less than {LEAST_IN_A_WINDOW} bytes came in {self._timeout:g} seconds")
        if number and self.deadline is not None:
            self.deadline.check()
        return number

    def close(self) -> None:
        self._raw.close()
        super().close()


class _PacedResponse(http.client.HTTPResponse):
    """An answer that is read through a :class:`_PacedReader`."""

    def __init__(self, sock: t.Any, *arguments: t.Any, **options: t.Any) -> None:
        super().__init__(sock, *arguments, **options)
        self._timeout: float | None = sock.gettimeout()
        self._reader = _PacedReader(self.fp.detach(), sock.recv_into, self._timeout)
        self.fp = io.BufferedReader(self._reader, _BUFFER)

    def begin(self) -> None:
        """Read the head, all of it in time."""
        with self._in_time("the head of the answer"):
            super().begin()
        # What isn't whole is an error of its own in chunks.
        self._reader.keeps_what_came = not self.chunked

    @contextlib.contextmanager
    def _in_time(self, what: str) -> t.Iterator[None]:
        self._reader.deadline = None if self._timeout is None else Deadline(what, self._timeout)
        try:
            yield
        finally:
            self._reader.deadline = None

    def _read_next_chunk_size(self) -> int:
        # What comes beside the content is read in one go, as long as it is.
        with self._in_time("the head of a chunk"):
            size: int = super()._read_next_chunk_size()  # type: ignore[misc]  # the stubs have no private methods
        if size < 0:
            # Python reads all that comes for it, whatever limits there are, and takes this error for a broken answer.
            raise ValueError("a chunk has a negative size")
        return size

    def _read_and_discard_trailer(self) -> None:
        with self._in_time("the end of the answer"):
            super()._read_and_discard_trailer()  # type: ignore[misc]  # the stubs have no private methods

    def read(self, amt: int | None = None) -> bytes:
        """A piece of the body: shorter where the rest has ended, or where it fails. That is raised by the next one."""
        if self.fp is not None and self.length != 0:
            self._reader.new_piece(0)
            self._reader.new_piece(len(self.fp.peek(1)))
        return super().read(amt)


def paced_adapter(**options: t.Any) -> t.Any:
    """An adapter of ``requests``, built with ``options``, whose answers are read at a pace; those of proxies, too."""
    adapter = requests.adapters.HTTPAdapter(**options)
    make_proxy_manager = adapter.proxy_manager_for

    def proxy_manager_for(*arguments: t.Any, **settings: t.Any) -> t.Any:
        return _paced(make_proxy_manager(*arguments, **settings))

    adapter.proxy_manager_for = proxy_manager_for
    _paced(adapter.poolmanager)
    return adapter


def _paced(manager: t.Any) -> t.Any:
    """Let a pool manager of ``urllib3`` make connections whose answers are paced. Returns it."""
    classes = manager.pool_classes_by_scheme
    if not any(issubclass(pool.ConnectionCls.response_class, _PacedResponse) for pool in classes.values()):
        manager.pool_classes_by_scheme = {
            scheme: type(pool.__name__, (pool,), {"ConnectionCls": _paced_connection(pool.ConnectionCls)})
            for scheme, pool in classes.items()
        }
    return manager


def _paced_connection(connection: t.Any) -> t.Any:
    return type(connection.__name__, (connection,), {"response_class": _PacedResponse})
