# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The bond between a task and the Ansible that started it: a lease, and how far the task has come.

The action plugin names a directory, in an environment variable, since it can't ask the task where it is: once for each
place in which the host may let it be made. The task makes the first that it can, with two files. The plugin touches
``lease`` again and again while it waits, and shows what is in ``state``; to end the task, it removes the directory, or
where there is none yet, makes it, so that the task finds it taken. A task that nobody waits for any more ends: nothing
is moved behind the back of a user who has stopped the play.

A module that runs in place, in a child of Ansible's worker process, needs no directory: the child dies with the worker.
It is tied to both by functions (:class:`Tie`).
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
import threading
import time
import typing as t

from .._model._errors import Detached, LocalFileError
from ._progress import Progress

VARIABLE = "IMAGEOPS_ATTACHMENT"
"""Names the directories to try. No such variable: nobody waits, and nothing is shown."""
SEPARATOR = ":"
"""Between two of them."""

LEASE_SECONDS = 15.0
_CANCELLED = "Ansible has cancelled the task"
_ENDED = "the Ansible that started the task has ended"
_LAST_WORDS_SECONDS = 5.0
_PAUSE = 1.0
"""Seconds between two looks at the lease."""


class Tie(t.NamedTuple):
    """The bond of a module that runs in place."""

    holds: t.Callable[[], bool]
    """Whether the worker process waits, and the Ansible that started it still runs."""
    tell: t.Callable[[dict[str, t.Any]], object]
    """Hands over how far the task has come. Raises :class:`OSError` where nobody takes it."""


_tie: Tie | None = None


def tie(to: Tie) -> None:
    """Tie every task of this process. Called in the child, before the module begins."""
    global _tie
    _tie = to


def take_directory() -> str:
    """The directories of which the task was told to make one; empty where there is none. Helpers don't see them."""
    return os.environ.pop(VARIABLE, "")


class Attachment:
    """The task's side of the bond. ``show`` says whether the state is written, ``say`` is called with the last words.

    The process ends, without any more ado, as soon as the lease is lost. Everything that the collection writes is safe
    against that. Without ``directories`` and without a tie there is no bond: nothing is looked at, and no thread runs.
    """

    def __init__(self, directories: str, progress: Progress, *, show: bool, say: t.Callable[[str], object]) -> None:
        self._places = directories.split(SEPARATOR) if directories else []
        self._directory = ""
        self._lease = ""
        self._progress = progress
        self._show = show
        self._say = say
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._renewal = 0
        self._renewed_at = 0.0
        self._looked_at = 0.0
        self._written: dict[str, t.Any] = {}
        self._tie = _tie
        self._problem: LocalFileError | None = None

    def open(self) -> None:
        """Make the directory, and watch over the lease.

        Raises :class:`Detached` where the task was cancelled before. Without a place that takes the directory, there is
        no bond: :meth:`require` says why.
        """
        if self._tie and self._show:
            threading.Thread(target=self._report, args=(self._tie,), name="attachment", daemon=True).start()
        if not self._places:
            return
        try:
            self._make_directory()
        except (FileExistsError, FileNotFoundError) as error:
            self._remove()
            raise Detached(_CANCELLED) from error
        if self._problem:
            return
        self._renewed_at = self._looked_at = time.monotonic()
        threading.Thread(target=self._watch, name="attachment", daemon=True).start()

    def require(self) -> None:
        """Raise :class:`LocalFileError` where Ansible wants a bond, and there is none. Called before a write.

        What only reads does without.
        """
        if self._problem:
            raise self._problem

    def _make_directory(self) -> None:
        """Raises what says that the task was cancelled: FileExistsError before, FileNotFoundError in the middle."""
        problems = []
        for place in self._places:
            try:
                os.mkdir(place, 0o700)
            except FileExistsError:
                raise
            except OSError as error:
                problems.append(f"{place}: {error.strerror}")
                continue
            self._directory = place
            try:
                self._make_lease(os.path.join(place, "lease"))
                return
            except FileNotFoundError:
                raise
            except OSError as error:
                self._remove()
                problems.append(f"{place}: {error.strerror}")
        self._places = []
        self._problem = LocalFileError(
            f"the directory by which Ansible watches over this task cannot be made: {'; '.join(problems)}",
            hint="One of ansible_system_tmpdirs must be a directory on the host in which everybody may write",
        )

    def _make_lease(self, path: str) -> None:
        lease = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            self._renewal = os.fstat(lease).st_mtime_ns
        finally:
            os.close(lease)
        self._lease = path

    def _remove(self) -> None:
        if self._directory:
            shutil.rmtree(self._directory, ignore_errors=True)
        for place in self._places:
            # What a cancelling has made. One that has files in it belongs to another process.
            with contextlib.suppress(OSError):
                os.rmdir(place)

    def close(self) -> None:
        """End the bond: the task is about to say what it has done."""
        self._closed.set()
        if not self._places:
            return
        with self._lock:
            self._remove()

    def check(self) -> None:
        """Raise :class:`Detached` where nobody waits for the task any more. Called right before a tag is written."""
        if self._tie and not self._tie.holds():
            raise Detached(_ENDED)
        if not self._places:
            return
        with self._lock:
            lost = self._why_lost()
        if lost:
            raise Detached(lost)

    def _why_lost(self) -> str:
        """Why the lease is lost, in words; empty where it isn't."""
        now = time.monotonic()
        try:
            renewal = os.stat(self._lease).st_mtime_ns
        except OSError:
            return _CANCELLED
        if renewal != self._renewal:
            # It may have been renewed right after the look before this one. Clocks of files aren't compared.
            self._renewal = renewal
            self._renewed_at = self._looked_at
        self._looked_at = now
        if now - self._renewed_at > LEASE_SECONDS:
            return f"Ansible, which started the task, has not been heard of for {LEASE_SECONDS:.0f} seconds"
        return ""

    def _watch(self) -> None:
        while not self._closed.wait(_PAUSE):
            with self._lock:
                if self._closed.is_set():
                    return
                lost = self._why_lost()
                if lost:
                    self._end(lost)
                if self._show and self._progress.begun:
                    self._write_state()

    def _end(self, why: str) -> t.NoReturn:
        # Who should read the last words may not read any more.
        ending = threading.Timer(_LAST_WORDS_SECONDS, os._exit, [1])
        ending.daemon = True
        ending.start()
        try:
            self._remove()
            # It raises SystemExit, which would end this thread only.
            self._say(str(Detached(why)))
        finally:
            # What is still in a buffer would be lost. There may be no standard output.
            with contextlib.suppress(OSError, ValueError, AttributeError):
                sys.stdout.flush()
            os._exit(1)

    def _report(self, to: Tie) -> None:
        """Hand over every new state, while there is somebody who takes it."""
        with contextlib.suppress(OSError):
            while not self._closed.wait(_PAUSE):
                state = self._progress.snapshot()
                if self._progress.begun and state != self._written:
                    to.tell(state)
                    self._written = state

    def _write_state(self) -> None:
        state = self._progress.snapshot()
        if state == self._written:
            return
        path = os.path.join(self._directory, "state")
        try:
            with open(path + ".new", "w", encoding="ascii") as file:
                json.dump(state, file)
            os.replace(path + ".new", path)
        except OSError:
            # A full disk is no reason to stop copying, and if the directory is gone, the next look at the lease tells.
            return
        self._written = state
