# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Many pieces of work in a bounded number of threads, each with its own outcome, and each after those that it needs."""

from __future__ import annotations

import heapq
import threading
import typing as t

from .._model._errors import RegistryError

Item = t.TypeVar("Item")
Result = t.TypeVar("Result")

AT_ONCE = 1 << 62
"""The weight of what is short, and what others wait for."""


class Step(t.Generic[Result]):
    """One piece of work in a :class:`StepGraph`."""

    def __init__(self, work: t.Callable[[], Result], rank: tuple[int, int]) -> None:
        self.work = work
        self.rank = rank
        self.followers: list[Step[t.Any]] = []
        self.waits_for = 0
        self._outcome: Result | RegistryError | None = None

    @property
    def outcome(self) -> Result | RegistryError:
        """What came of it, once it has ended."""
        return t.cast("Result | RegistryError", self._outcome)

    def run(self) -> None:
        """Do the work. Only :class:`RegistryError` is an outcome; anything else is a defect, and raised."""
        try:
            self._outcome = self.work()
        except RegistryError as error:
            self._outcome = error


class StepGraph:
    """Steps, each of which begins when those that it needs have ended, whatever came of them.

    Of those that may begin, the one with the greatest weight is first, and of equals the one that was added first.
    """

    def __init__(self) -> None:
        self._steps: list[Step[t.Any]] = []
        self._ready: list[tuple[tuple[int, int], Step[t.Any]]] = []
        self._unfinished = 0
        self._changed = threading.Condition()
        self._defect: BaseException | None = None

    def add(
        self, work: t.Callable[[], Result], *, after: t.Iterable[Step[t.Any]] = (), weight: int = 0
    ) -> Step[Result]:
        """Add a step, to begin after others that were added before."""
        step: Step[Result] = Step(work, (-weight, len(self._steps)))
        for needed in after:
            needed.followers.append(step)
            step.waits_for += 1
        self._steps.append(step)
        return step

    def run(self, jobs: int) -> None:
        """Do all of it, at most ``jobs`` steps at a time. Raises what was a defect, as soon as what runs has ended."""
        self._unfinished = len(self._steps)
        for step in self._steps:
            if not step.waits_for:
                self._make_ready(step)
        number = min(jobs, len(self._steps))
        if number <= 1:
            self._work()
        else:
            threads = [threading.Thread(target=self._work, daemon=True) for _number in range(number)]
            try:
                for thread in threads:
                    thread.start()
                for thread in threads:
                    thread.join()
            except BaseException as error:
                self._stop(error)
                for thread in threads:
                    if thread.ident is not None:
                        thread.join()
        if self._defect is not None:
            raise self._defect

    def _make_ready(self, step: Step[t.Any]) -> None:
        heapq.heappush(self._ready, (step.rank, step))

    def _work(self) -> None:
        try:
            step = self._next()
            while step is not None:
                step.run()
                self._end(step)
                step = self._next()
        except BaseException as error:
            self._stop(error)

    def _next(self) -> Step[t.Any] | None:
        with self._changed:
            while not self._ready and self._unfinished and self._defect is None:
                self._changed.wait()
            if self._defect is not None or not self._ready:
                return None
            return heapq.heappop(self._ready)[1]

    def _end(self, step: Step[t.Any]) -> None:
        with self._changed:
            self._unfinished -= 1
            freed = 0
            for follower in step.followers:
                follower.waits_for -= 1
                if not follower.waits_for:
                    self._make_ready(follower)
                    freed += 1
            if not self._unfinished:
                self._changed.notify_all()
            else:
                # This thread takes one of them itself.
                self._changed.notify(max(0, freed - 1))

    def _stop(self, error: BaseException) -> None:
        with self._changed:
            self._defect = self._defect or error
            self._changed.notify_all()


def run_all(work: t.Callable[[Item], Result], items: t.Sequence[Item], jobs: int) -> list[Result | RegistryError]:
    """Do ``work`` for all items, at most ``jobs`` at a time. Returns results, or errors, in the items' order."""

    def bound(item: Item) -> t.Callable[[], Result]:
        return lambda: work(item)

    graph = StepGraph()
    steps = [graph.add(bound(item)) for item in items]
    graph.run(jobs)
    return [step.outcome for step in steps]
