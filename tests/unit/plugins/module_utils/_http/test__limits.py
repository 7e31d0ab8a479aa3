# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""By a clock that a test moves."""

from __future__ import annotations

import threading

import pytest
from ansible_collections.imageops.registry.plugins.module_utils._http import _limits
from ansible_collections.imageops.registry.plugins.module_utils._http._limits import Limits, Turns
from ansible_collections.imageops.registry.plugins.module_utils._run._counters import Counters


class Clock:
    """Seconds pass where somebody sleeps."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(_limits, "time", clock)
    return clock


def test_a_pause_comes_before_the_rate(clock: Clock) -> None:
    limits = Limits(1.0)
    limits.wait(clock.sleep)
    limits.pause(10.0)
    begins = []
    for _number in range(3):
        limits.wait(clock.sleep)
        begins.append(clock.now)
    assert 1010 <= begins[0] <= 1011
    assert [later - earlier for earlier, later in zip(begins, begins[1:])] == [1.0, 1.0]


def test_a_pause_that_becomes_longer_meanwhile_is_kept(clock: Clock) -> None:
    limits = Limits()
    limits.pause(5.0)

    def sleep(seconds: float) -> None:
        if clock.now == 1000.0:
            limits.pause(20.0)
        clock.sleep(seconds)

    limits.wait(sleep)
    assert 1020 <= clock.now <= 1022


def test_a_registry_gets_one_pause_that_is_longer_than_it_may_be(clock: Clock) -> None:
    limits = Limits(longest_wait=3.0)
    # Those that were under way already ask for it as well.
    for _number in range(4):
        assert limits.grants(1000.0)
        limits.pause(1000.0)
    limits.wait(clock.sleep)
    assert 1003 <= clock.now <= 1004
    assert limits.grants(3.0) and not limits.grants(4.0)


@pytest.mark.parametrize(("attempt", "most"), [(0, 1.0), (3, 8.0), (100, 30.0)])
def test_a_backoff_is_bounded_and_left_to_chance(attempt: int, most: float) -> None:
    drawn = [Limits().backoff(attempt) for _number in range(100)]
    assert 0.1 <= min(drawn) < max(drawn) <= most
    assert max(Limits(longest_wait=0.2).backoff(attempt) for _number in range(100)) == 0.2


def test_a_turn_waits_for_the_limits_is_counted_and_ends_with_its_block() -> None:
    limits, counters = _limits.Limits(), Counters()
    waited: list[float] = []
    turns = Turns(limits, counters, 1, waited.append)
    with turns.taken():
        assert waited == []
    limits.pause(9.0)
    with turns.taken():
        assert len(waited) == 1
    assert counters.as_dict()["requests"] == 2


def test_no_more_turns_are_taken_than_there_are_jobs() -> None:
    turns = Turns(_limits.Limits(), Counters(), 1, lambda seconds: None)
    entered = threading.Event()

    def work() -> None:
        with turns.taken():
            entered.set()

    other = threading.Thread(target=work)
    with turns.taken():
        other.start()
        assert not entered.wait(0.1)
    assert entered.wait(20)
    other.join(20)
