# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This plugin util is PRIVATE to the collection. It can have breaking changes at any time.

"""A fork of Ansible's worker process that does one piece of work, and never outlives the wait for it.

It is killed and reaped as soon as nobody waits any more, whatever the reason: the end of a ``with`` block, a time-out,
a signal. Where the worker is killed itself, the kernel ends the child.
"""

from __future__ import annotations

import ctypes
import gc
import os
import selectors
import signal
import traceback
import types
import typing as t

_PAUSE = 0.5
"""Seconds between two looks at what isn't told by the child."""
_PIECE = 64 * 1024
_SET_PARENT_DEATH_SIGNAL = 1
"""PR_SET_PDEATHSIG."""
_FAILED = 1
NOT_BOUND = 255
"""The exit status of a child that the kernel wouldn't end with its parent. It has done nothing."""


class NoChild(Exception):
    """A child can't be forked, in words."""


class Outcome(t.NamedTuple):
    """What is left of a child: its exit status, or minus the signal that killed it, and what it has printed."""

    status: int
    stdout: bytes
    stderr: bytes


class Pipes(t.NamedTuple):
    """The descriptors that a child writes to. None of them is inherited by a program that it starts."""

    stdout: int
    stderr: int
    state: int


Work = t.Callable[[Pipes], int]
"""What the child does, up to its exit status."""


class Child:
    """A child that runs while it is entered."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._pid = 0
        self._readable: list[int] = []

    def __enter__(self) -> Child:
        try:
            self._begin()
        except BaseException:
            # What a signal raises, too, that came while they were blocked.
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: types.TracebackType | None
    ) -> None:
        self._end()

    def _begin(self) -> None:
        try:
            self._fork()
        except OSError as error:
            if error.errno is None:
                # It is what a signal has raised.
                raise
            raise NoChild(os.strerror(error.errno)) from error

    def _fork(self) -> None:
        pairs = [os.pipe() for _name in Pipes._fields]
        self._readable = [readable for readable, _writable in pairs]
        writable = Pipes(*(writable for _readable, writable in pairs))
        worker = os.getpid()
        # A handler of the worker must run neither in the child, nor before the worker knows of it.
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        try:
            self._pid = os.fork()
            if not self._pid:
                _live(worker, blocked, self._work, writable)
        finally:
            for descriptor in writable:
                os.close(descriptor)
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)

    def outcome(self, on_state: t.Callable[[bytes], object], on_look: t.Callable[[], object]) -> Outcome:
        """Wait for the child to end. Calls ``on_state`` with what it says of its state, ``on_look`` again and again."""
        printed = (bytearray(), bytearray())
        takers = (printed[0].extend, printed[1].extend, on_state)
        status: int | None = None
        with selectors.DefaultSelector() as selector:
            for descriptor, take in zip(self._readable, takers):
                selector.register(descriptor, selectors.EVENT_READ, take)
            while selector.get_map():
                is_silent = not _take(selector, _PAUSE)
                on_look()
                if is_silent:
                    # Once it has ended, somebody else may still have one of its descriptors.
                    status = self._reaped(os.WNOHANG)
                    if status is not None:
                        # What it has written since it was silent is its result.
                        while _take(selector, 0):
                            pass
                        break
        if status is None:
            status = t.cast(int, self._reaped(0))
        return Outcome(status, bytes(printed[0]), bytes(printed[1]))

    def _reaped(self, options: int) -> int | None:
        """Its exit status; None where it still runs."""
        pid, status = os.waitpid(self._pid, options)
        if not pid:
            return None
        self._pid = 0
        return os.waitstatus_to_exitcode(status)

    def kill(self) -> None:
        """End it at once."""
        if self._pid:
            os.kill(self._pid, signal.SIGKILL)

    def _end(self) -> None:
        self.kill()
        if self._pid:
            self._reaped(0)
        for descriptor in self._readable:
            os.close(descriptor)
        self._readable = []


def _take(selector: selectors.BaseSelector, seconds: float) -> bool:
    """Hand over what can be read within some seconds. Returns whether there was anything, the end of it included."""
    ready = selector.select(seconds)
    for key, _events in ready:
        piece = os.read(key.fd, _PIECE)
        if piece:
            key.data(piece)
        else:
            selector.unregister(key.fd)
    return bool(ready)


def _live(worker: int, blocked: t.Iterable[int], work: Work, pipes: Pipes) -> t.NoReturn:
    """All that the child does. It doesn't return to what its parent was about to do."""
    status = _FAILED
    try:
        # Looking for garbage in what is the parent's would make copies of it.
        gc.freeze()
        is_bound = _die_with(worker)
        _reset_signals()
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        status = work(pipes) if is_bound else NOT_BOUND
    except BaseException:
        os.write(pipes.stderr, traceback.format_exc().encode("utf-8", "replace"))
    finally:
        # Without what is registered for the end of the parent.
        os._exit(status)


def _die_with(worker: int) -> bool:
    """Have the kernel kill this process when its parent ends. Returns whether it will."""
    if ctypes.CDLL(None).prctl(_SET_PARENT_DEATH_SIGNAL, int(signal.SIGKILL), 0, 0, 0):
        return False
    if os.getppid() != worker:
        # It ended before that.
        os._exit(_FAILED)
    return True


def _reset_signals() -> None:
    """Signals do what they do in a new process. What is ignored stays so, as in every program that is started."""
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
