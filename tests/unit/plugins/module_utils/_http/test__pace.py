# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The rule by itself, with a clock that a test moves; test__connections.py has it on real sockets."""

from __future__ import annotations

import contextlib
import http.client
import io
import socket
import threading
import time
import typing as t

import pytest
from ansible_collections.imageops.registry.plugins.module_utils._http import _pace
from ansible_collections.imageops.registry.plugins.module_utils._http._pace import (
    Deadline,
    TooSlow,
    _PacedReader,
    _PacedResponse,
)


class Clock:
    """Seconds that pass where somebody waits."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


class Raw(io.RawIOBase):
    """Gives ``script``: numbers of bytes, each after so many seconds."""

    def __init__(self, clock: Clock, script: t.Iterable[tuple[float, int]]) -> None:
        self._clock = clock
        self._script = iter(script)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: t.Any) -> int:
        seconds, number = next(self._script, (0.0, 0))
        number = min(number, len(buffer))
        self._clock.now += seconds
        buffer[:number] = b"x" * number
        return number


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(_pace, "time", clock)
    return clock


def paced(raw: Raw, timeout: float | None) -> _PacedReader:
    return _PacedReader(raw, raw.readinto, timeout)


def all_of(reader: _PacedReader) -> int:
    """How many bytes it gives."""
    return len(io.BufferedReader(reader).read())


@pytest.mark.parametrize(
    "script",
    [
        [(1.0, 1)] * 10,
        [(1.0, 103)] * 1000,
        [(9.0, 1), (9.0, 1024), (9.0, 1), (9.0, 1024)],
        [(10.0, 500), (10.0, 600)],
    ],
)
def test_what_comes_fast_enough_is_given(clock: Clock, script: list[tuple[float, int]]) -> None:
    assert all_of(paced(Raw(clock, script), 10.0)) == sum(number for _seconds, number in script)


@pytest.mark.parametrize("script", [[(1.0, 1)] * 20, [(1.0, 80)] * 1000, [(0.0, 5000), *[(6.0, 100)] * 3]])
def test_what_drips_ends(clock: Clock, script: list[tuple[float, int]]) -> None:
    with pytest.raises(TooSlow, match="less than 1024 bytes came in 10 seconds"):
        all_of(paced(Raw(clock, script), 10.0))


def test_without_a_time_out_nothing_is_too_slow(clock: Clock) -> None:
    assert all_of(paced(Raw(clock, [(1000.0, 1)] * 10), None)) == 10


def test_seconds_in_which_nobody_reads_are_none_of_the_servers(clock: Clock) -> None:
    reader = paced(Raw(clock, [(1.0, 1)] * 8), 10.0)
    for _number in range(8):
        assert reader.readinto(bytearray(10)) == 1
        clock.now += 100


def test_a_deadline_ends_what_is_fast_and_has_no_end(clock: Clock) -> None:
    reader = paced(Raw(clock, [(1.0, 2000)] * 100), 10.0)
    reader.deadline = Deadline("it", 10.0)
    with pytest.raises(TooSlow, match="it is not whole after 50 seconds"):
        all_of(reader)
    assert clock.now == 1051.0


def test_a_reader_closes_what_it_reads(clock: Clock) -> None:
    raw = Raw(clock, [])
    paced(raw, 1.0).close()
    assert raw.closed


@pytest.mark.parametrize(
    ("size", "script", "read"),
    [
        (100_000, [(0.0, 16_384)] * 10, 100_000),
        (100_000, [(0.0, 16_384)] * 2, 32_768),
        (100_000, [(0.0, 16_384), (0.0, 1_023), (0.0, 16_384)], 17_407),
        (8_192, [(0.0, 4_096)] * 2, 4_096),
    ],
)
def test_a_large_read_takes_what_comes_fast_and_a_small_one_waits_for_nothing_more(
    clock: Clock, size: int, script: list[tuple[float, int]], read: int
) -> None:
    assert paced(Raw(clock, script), 10.0).readinto(bytearray(size)) == read


@pytest.mark.parametrize("rest", [b"and then silence", bytes(90000)])
@pytest.mark.parametrize("with_head", [b"", b"first "])
def test_what_came_before_a_failure_is_given_before_that_is_raised(with_head: bytes, rest: bytes) -> None:
    ours, theirs = socket.socketpair()
    ours.settimeout(0.1)
    with ours, theirs, _PacedResponse(ours, method="GET") as response:
        theirs.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n" + with_head)
        response.begin()
        theirs.sendall(rest)
        assert response.read(150000) == with_head + rest
        for _time in range(2):
            with pytest.raises(OSError, match="timed out"):
                response.read(150000)


def test_where_nothing_came_the_failure_is_raised_at_once() -> None:
    ours, theirs = socket.socketpair()
    ours.settimeout(0.1)
    with ours, theirs, _PacedResponse(ours, method="GET") as response, pytest.raises(OSError, match="timed out"):
        response.begin()


@pytest.mark.parametrize("head", [b"5\r\nhello\r\n0\r\nX: ", b"5;x="])
def test_what_comes_beside_the_content_has_an_end(head: bytes) -> None:
    here, there = socket.socketpair()
    with here, there:
        here.settimeout(0.05)

        def flood() -> None:
            with contextlib.suppress(OSError):
                there.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + head)
                while True:
                    there.sendall(b"y" * 900 + b"\r\nX: " if head.startswith(b"5\r") else b"y" * 900)
                    time.sleep(0.001)

        thread = threading.Thread(target=flood, daemon=True)
        thread.start()
        response = _pace._PacedResponse(here, method="GET")
        response.begin()
        with pytest.raises((TooSlow, http.client.HTTPException)):
            while response.read(1000):
                pass
        here.close()
    thread.join()


@pytest.mark.parametrize("size", [b"-1", b"-2", b"-ffffffff"])
def test_a_chunk_with_a_negative_size_breaks_off(size: bytes) -> None:
    """Python would read all that comes, whatever was asked for."""
    ours, theirs = socket.socketpair()
    ours.settimeout(0.5)
    with ours, theirs, _PacedResponse(ours, method="GET") as response:
        theirs.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + size + b"\r\n" + bytes(1000))
        response.begin()
        with pytest.raises(http.client.IncompleteRead):
            response.read(10)
