# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import errno
import gc
import os
import pathlib
import signal
import subprocess
import sys
import threading
import time
import typing as t

import pytest
from ansible_collections.imageops.registry.plugins.plugin_utils import _child
from ansible_collections.imageops.registry.plugins.plugin_utils._child import NOT_BOUND, Child, NoChild, Outcome, Pipes

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="Elsewhere modules do not run in place."),
    # Other tests may have left threads. Workers of Ansible that have some aren't forked.
    pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning"),
]

# A worker that is killed while its child runs. The child prints its own process first.
WORKER = """
import os, signal, sys, time
from ansible_collections.imageops.registry.plugins.plugin_utils._child import Child

def work(pipes):
    os.write(pipes.state, b"begun")
    time.sleep(60)

def say(_piece):
    print(child._pid, flush=True)

with Child(work) as child:
    child.outcome(say, lambda: None)
"""


def ignore(*_anything: object) -> None:
    """Nothing is to be done."""


def outcome_of(work: t.Callable[[Pipes], int]) -> Outcome:
    with Child(work) as child:
        return child.outcome(ignore, ignore)


def runs(process: int) -> bool:
    try:
        state = pathlib.Path(f"/proc/{process}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


@pytest.fixture(autouse=True)
def _without_delay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_child, "_PAUSE", 0.01)


def test_what_it_prints_arrives_with_its_exit_status() -> None:
    states = []

    def work(pipes: Pipes) -> int:
        for number in range(3):
            os.write(pipes.stdout, b"o" * 100_000)
            os.write(pipes.stderr, b"e" * 100_000)
            os.write(pipes.state, b"%d" % number)
        return 3

    with Child(work) as child:
        outcome = child.outcome(states.append, ignore)
    assert outcome == Outcome(3, b"o" * 300_000, b"e" * 300_000)
    assert b"".join(states) == b"012"


def test_nothing_is_lost_of_what_it_writes_while_others_are_looked_at() -> None:
    """It is silent, and while the worker looks at something else, it writes its result and ends."""

    def work(pipes: Pipes) -> int:
        time.sleep(0.1)
        os.write(pipes.stdout, b"result" * 20_000)
        return 0

    def look() -> None:
        time.sleep(0.4)

    with Child(work) as child:
        assert child.outcome(ignore, look) == Outcome(0, b"result" * 20_000, b"")


def test_where_no_child_can_be_forked_nothing_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    def fork() -> int:
        raise OSError(errno.ENOMEM, "no memory")

    monkeypatch.setattr(os, "fork", fork)
    files = len(os.listdir("/proc/self/fd"))
    with pytest.raises(NoChild, match="Cannot allocate memory"), Child(lambda _pipes: 0):
        pass
    assert len(os.listdir("/proc/self/fd")) == files
    assert not signal.pthread_sigmask(signal.SIG_BLOCK, [])


def test_what_it_raises_is_printed_and_goes_no_further() -> None:
    def work(_pipes: Pipes) -> int:
        raise KeyboardInterrupt("stopped")

    outcome = outcome_of(work)
    assert outcome.status == 1
    assert outcome.stderr.startswith(b"Traceback")
    assert b"KeyboardInterrupt: stopped" in outcome.stderr


def test_a_signal_that_kills_it_is_its_status() -> None:
    assert outcome_of(lambda _pipes: os.kill(os.getpid(), signal.SIGKILL) or 0).status == -signal.SIGKILL


def test_garbage_of_the_parent_is_left_alone() -> None:
    assert outcome_of(lambda _pipes: int(gc.get_freeze_count() > 10_000)).status == 1
    assert gc.get_freeze_count() < 10_000


def test_handlers_and_timers_of_the_worker_are_reset_and_what_is_ignored_stays_so() -> None:
    def work(_pipes: Pipes) -> int:
        kept = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        reset = {signal.getsignal(number) for number in (signal.SIGALRM, signal.SIGTERM, signal.SIGINT)}
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, [])
        return int(kept and reset == {signal.SIG_DFL} and not blocked and signal.alarm(0) == 0)

    caught = (signal.SIGALRM, signal.SIGTERM, signal.SIGINT)
    before = {number: signal.getsignal(number) for number in (*caught, signal.SIGHUP)}
    for number in caught:
        # SIGINT, too: a shell starts what runs in the background with that ignored.
        signal.signal(number, ignore)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.alarm(60)
    try:
        assert outcome_of(work).status == 1
        assert signal.getsignal(signal.SIGTERM) is ignore
        assert not signal.pthread_sigmask(signal.SIG_BLOCK, [])
    finally:
        signal.alarm(0)
        for number, handler in before.items():
            signal.signal(number, handler)


def test_it_is_killed_and_reaped_when_nobody_waits_any_more() -> None:
    def work(pipes: Pipes) -> int:
        os.write(pipes.state, b"%d" % os.getpid())
        time.sleep(60)
        return 0

    seen: list[int] = []

    def stop(piece: bytes) -> None:
        seen.append(int(piece))
        raise ValueError("stop")

    files = len(os.listdir("/proc/self/fd"))
    with pytest.raises(ValueError, match="stop"), Child(work) as child:
        child.outcome(stop, ignore)
    assert not pathlib.Path(f"/proc/{seen[0]}").exists()
    assert len(os.listdir("/proc/self/fd")) == files


def test_a_timeout_ends_it() -> None:
    def stop(_number: int, _frame: object) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, 0.2)
    try:
        with pytest.raises(TimeoutError), Child(lambda _pipes: time.sleep(60) or 0) as child:
            child.outcome(ignore, ignore)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


def test_a_signal_that_came_while_it_was_started_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    fork = os.fork

    def interrupted() -> int:
        # To this thread: one that an earlier test has left would take it in spite of what is blocked here.
        signal.pthread_kill(threading.get_ident(), signal.SIGALRM)
        return fork()

    def stop(_number: int, _frame: object) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, stop)
    monkeypatch.setattr(os, "fork", interrupted)
    try:
        with pytest.raises(TimeoutError), Child(lambda _pipes: time.sleep(60) or 0):
            pytest.fail("it goes on")
    finally:
        signal.signal(signal.SIGALRM, before)
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


def test_it_dies_with_its_worker() -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen([sys.executable, "-c", WORKER], stdout=subprocess.PIPE, env=environment) as worker:
        child = int(worker.stdout.readline() if worker.stdout else b"")
        assert runs(child)
        worker.kill()
    end = time.monotonic() + 10
    while runs(child):
        assert time.monotonic() < end
        time.sleep(0.01)


def test_one_whose_worker_has_ended_before_does_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getppid", lambda: 1)
    assert outcome_of(lambda _pipes: 7).status == 1


def test_where_the_kernel_does_not_help_it_does_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_child, "_SET_PARENT_DEATH_SIGNAL", -1)
    assert outcome_of(lambda pipes: os.write(pipes.stdout, b"done")) == Outcome(NOT_BOUND, b"", b"")


def test_a_program_that_stays_delays_nothing(tmp_path: pathlib.Path) -> None:
    def work(pipes: Pipes) -> int:
        os.write(pipes.stdout, b"done")
        agent = subprocess.Popen(["sleep", "60"], close_fds=False, start_new_session=True)
        (tmp_path / "agent").write_text(str(agent.pid), encoding="ascii")
        return 0

    started = time.monotonic()
    try:
        assert outcome_of(work) == Outcome(0, b"done", b"")
        assert time.monotonic() - started < 30
    finally:
        os.kill(int((tmp_path / "agent").read_text(encoding="ascii")), signal.SIGKILL)


def test_one_that_has_ended_is_not_waited_for_where_another_process_has_its_pipes() -> None:
    def work(_pipes: Pipes) -> int:
        if not os.fork():
            time.sleep(5)
        return 0

    started = time.monotonic()
    assert outcome_of(work).status == 0
    assert time.monotonic() - started < 4


def test_the_waiting_looks_around_while_nothing_comes() -> None:
    looks: list[None] = []
    with Child(lambda _pipes: time.sleep(0.3) or 0) as child:
        child.outcome(ignore, lambda: looks.append(None))
    assert len(looks) > 3
