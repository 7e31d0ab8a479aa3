# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import signal
import threading
import time
import typing as t

import pytest
from ansible_collections.imageops.registry.plugins.module_utils._model._errors import NotFound
from ansible_collections.imageops.registry.plugins.module_utils._run._parallel import AT_ONCE, StepGraph, run_all


@pytest.mark.parametrize("jobs", [1, 2, 8])
def test_results_and_errors_come_in_the_order_of_the_items(jobs: int) -> None:
    def work(item: int) -> int:
        if item % 3 == 0:
            raise NotFound(str(item))
        return item * 10

    outcomes = run_all(work, list(range(10)), jobs)
    assert [str(outcome) if isinstance(outcome, NotFound) else outcome for outcome in outcomes] == [
        "0.",
        10,
        20,
        "3.",
        40,
        50,
        "6.",
        70,
        80,
        "9.",
    ]


@pytest.mark.parametrize("jobs", [0, 1, 4])
def test_nothing_to_do_is_nothing_done(jobs: int) -> None:
    assert run_all(lambda item: item, [], jobs) == []


def test_no_more_than_jobs_are_under_way_at_a_time() -> None:
    lock = threading.Lock()
    gate = threading.Barrier(3)
    running: list[int] = []
    most: list[int] = []

    def work(item: int) -> int:
        with lock:
            running.append(item)
            most.append(len(running))
        gate.wait(10)
        with lock:
            running.remove(item)
        return threading.get_ident()

    assert len(set(run_all(work, list(range(9)), 3))) == 3
    assert max(most) == 3


@pytest.mark.parametrize(("items", "jobs"), [(1, 8), (5, 1)])
def test_what_needs_no_thread_gets_none(items: int, jobs: int) -> None:
    assert run_all(lambda item: threading.get_ident(), list(range(items)), jobs) == [threading.get_ident()] * items


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_defect_is_raised_and_what_has_not_begun_is_not_done(jobs: int) -> None:
    done: list[int] = []

    def work(item: int) -> None:
        if item == 0:
            raise ZeroDivisionError
        time.sleep(0.01)
        done.append(item)

    with pytest.raises(ZeroDivisionError):
        run_all(work, list(range(100)), jobs)
    assert len(done) < 99


@pytest.mark.parametrize("jobs", [1, 3])
def test_a_step_begins_when_those_that_it_needs_have_ended_whatever_came_of_them(jobs: int) -> None:
    ended: list[str] = []

    def fail() -> None:
        ended.append("failing")
        raise NotFound("no")

    graph = StepGraph()
    first = graph.add(lambda: ended.append("first"))
    failing = graph.add(fail)
    last = graph.add(lambda: list(ended), after=[first, failing])
    graph.add(lambda: ended.append("after all"), after=[last])
    graph.run(jobs)
    assert isinstance(failing.outcome, NotFound)
    assert sorted(last.outcome) == ["failing", "first"]
    assert ended[-1] == "after all"


def test_the_greatest_weight_is_first_and_of_equals_the_one_that_was_added_first() -> None:
    order: list[str] = []

    def note(name: str) -> t.Callable[[], None]:
        return lambda: order.append(name)

    graph = StepGraph()
    graph.add(note("small"), weight=1)
    large = graph.add(note("large"), weight=9)
    graph.add(note("as small"), weight=1)
    graph.add(note("at once"), after=[large], weight=AT_ONCE)
    graph.run(1)
    assert order == ["large", "at once", "small", "as small"]


def test_threads_that_wait_for_a_step_go_on_with_what_it_frees() -> None:
    meeting = threading.Barrier(3)
    graph = StepGraph()
    first = graph.add(lambda: None)
    steps = [graph.add(lambda: meeting.wait(10), after=[first]) for _number in range(3)]
    graph.run(3)
    assert sorted(step.outcome for step in steps if isinstance(step.outcome, int)) == [0, 1, 2]


def test_a_defect_in_one_step_leaves_what_depends_on_it_undone() -> None:
    done: list[str] = []
    graph = StepGraph()
    broken = graph.add(lambda: 1 // 0)
    graph.add(lambda: done.append("never"), after=[broken])
    with pytest.raises(ZeroDivisionError):
        graph.run(4)
    assert done == []


def test_an_interruption_ends_what_runs_and_begins_nothing_more() -> None:
    begun: list[int] = []
    before = set(threading.enumerate())
    main = t.cast(int, threading.main_thread().ident)

    def work(number: int) -> None:
        begun.append(number)
        if number == 0:
            signal.pthread_kill(main, signal.SIGINT)
        time.sleep(0.2)

    # A shell has what it starts in the background ignore the signal.
    earlier = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            run_all(work, range(20), 2)
    finally:
        signal.signal(signal.SIGINT, earlier)
    assert len(begun) < 20
    assert set(threading.enumerate()) <= before
