# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import threading
import time

import pytest
from ansible_collections.imageops.registry.plugins.module_utils._errors import NotFound
from ansible_collections.imageops.registry.plugins.module_utils._parallel import run_all


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
