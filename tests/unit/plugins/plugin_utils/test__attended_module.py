# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import pathlib
import shlex
import subprocess
import sys
import threading
import types
import typing as t

import pytest
from ansible.errors import AnsibleConnectionFailure
from ansible_collections.imageops.registry.plugins.module_utils._model._errors import Detached
from ansible_collections.imageops.registry.plugins.module_utils._run._attachment import Attachment
from ansible_collections.imageops.registry.plugins.module_utils._run._progress import Progress
from ansible_collections.imageops.registry.plugins.plugin_utils import _attended_module, _progress_report
from ansible_collections.imageops.registry.plugins.plugin_utils._attended_module import AttendedModule, _Watcher
from ansible_collections.imageops.registry.plugins.plugin_utils._bond_commands import cancel_command, look_command

# Ansible's main process is killed while its worker runs the first item of a loop.
LOOP = """
import multiprocessing, os, signal, time
from ansible_collections.imageops.registry.plugins.plugin_utils._attended_module import AttendedModule
from ansible_collections.imageops.registry.plugins.plugin_utils._module_action import ModuleAction

def run(self, tmp, task_vars):
    print("an item", flush=True)
    parent = os.getppid()
    os.kill(parent, signal.SIGKILL)
    while os.getppid() == parent:
        time.sleep(0.01)
    return {}

ModuleAction.run = run

def work():
    for _item in range(3):
        AttendedModule.__new__(AttendedModule).run()
    print("went on", flush=True)

worker = multiprocessing.get_context("fork").Process(target=work)
worker.start()
worker.join()
"""

Answer = t.Callable[[str], dict[str, t.Any]]


class Node:
    """The action plugin as the watcher sees it: its commands are answered by a function, and kept."""

    def __init__(self, answer: Answer) -> None:
        self.commands: list[str] = []
        self._answer = answer
        self._connection = types.SimpleNamespace(_shell=types.SimpleNamespace(quote=shlex.quote))
        self._task = types.SimpleNamespace(no_log=False)

    def _low_level_execute_command(self, command: str) -> dict[str, t.Any]:
        self.commands.append(command)
        return self._answer(command)


def in_shell(command: str) -> dict[str, t.Any]:
    """As Ansible runs it, on this machine."""
    done = subprocess.run(["/bin/sh", "-c", f"{command} && sleep 0"], capture_output=True, text=True, check=False)
    return {"rc": done.returncode, "stdout": done.stdout, "stderr": done.stderr}


def nothing(_command: str) -> dict[str, t.Any]:
    return {"rc": 0, "stdout": "", "stderr": ""}


def watcher_of(node: Node, *places: object) -> _Watcher:
    return _Watcher(t.cast(AttendedModule, node), [str(place) for place in places], "web1: blob")


@pytest.fixture(autouse=True)
def _without_delay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_attended_module, "_PARENT_PAUSE", 0.01)
    monkeypatch.setattr(_attended_module, "FIRST_LOOK", 0.0)
    monkeypatch.setattr(_attended_module, "PAUSE", 0.0)
    monkeypatch.setattr(_attended_module, "_PATIENCE", 60.0)


def test_a_worker_that_is_left_over_takes_no_other_item_of_a_loop() -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    # The output ends when the worker does, too.
    done = subprocess.run(
        [sys.executable, "-c", LOOP], capture_output=True, text=True, env=environment, timeout=60, check=False
    )
    assert done.stdout == "an item\n"


def test_a_worker_that_is_left_over_cancels_the_module_and_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    ended = threading.Event()
    monkeypatch.setattr(_attended_module, "_PATIENCE", 0.0)
    monkeypatch.setattr(_attended_module, "is_orphaned", lambda: True)
    monkeypatch.setattr(_attended_module, "end_process", ended.set)
    node = Node(nothing)
    watcher_of(node, "/nowhere/bond").start()
    assert ended.wait(60)
    assert node.commands == [cancel_command(["/nowhere/bond"])]


def test_a_task_that_ends_after_the_cancelling_is_left_to_clean_up(monkeypatch: pytest.MonkeyPatch) -> None:
    ended, cancelled = threading.Event(), threading.Event()
    monkeypatch.setattr(_attended_module, "is_orphaned", lambda: True)
    monkeypatch.setattr(_attended_module, "end_process", ended.set)

    def answer(command: str) -> dict[str, t.Any]:
        cancelled.set()
        return nothing(command)

    watcher = watcher_of(Node(answer), "/nowhere/bond")
    watcher.start()
    assert cancelled.wait(60)
    watcher.end(cancel=False)
    assert not watcher._thread.is_alive() and not ended.is_set()


def test_a_module_that_has_ended_is_not_cancelled() -> None:
    node = Node(nothing)
    watcher = watcher_of(node, "/nowhere/bond")
    watcher.start()
    watcher.end(cancel=False)
    assert not watcher._thread.is_alive()
    assert cancel_command(["/nowhere/bond"]) not in node.commands


def test_a_cancelling_that_comes_first_keeps_the_module_from_beginning(tmp_path: pathlib.Path) -> None:
    places = [tmp_path / "missing" / "bond", tmp_path / "a b" / "bond"]
    places[1].parent.mkdir()
    watcher = watcher_of(Node(in_shell), *places)
    watcher.start()
    watcher.end(cancel=True)
    # As it may come: once by a signal, once more on the way out.
    watcher.end(cancel=True)
    with pytest.raises(Detached):
        Attachment(":".join(str(place) for place in places), Progress(), show=False, say=print).open()
    assert not places[1].exists()


def failing_looks(monkeypatch: pytest.MonkeyPatch, answers: list[Answer]) -> tuple[list[str], list[str]]:
    """The warnings and the lines on standard error where the looks are answered so, one after the other."""
    warnings: list[str] = []
    shown: list[str] = []
    monkeypatch.setattr(_attended_module.display, "warning", warnings.append)

    def show(line: str, *, stderr: bool) -> None:
        assert stderr, "callbacks for machines have standard output for themselves"
        shown.append(line)

    monkeypatch.setattr(_progress_report.display, "display", show)
    all_answered = threading.Event()

    def answer(command: str) -> dict[str, t.Any]:
        if not answers:
            all_answered.set()
            return nothing(command)
        return answers.pop(0)(command)

    watcher = watcher_of(Node(answer), "/nowhere/bond")
    watcher.start()
    assert all_answered.wait(60)
    watcher.end(cancel=False)
    return warnings, shown


def raising(error: Exception) -> Answer:
    def answer(_command: str) -> dict[str, t.Any]:
        raise error

    return answer


def answering(code: int, output: str = "", errors: str = "") -> Answer:
    return lambda _command: {"rc": code, "stdout": output, "stderr": errors}


STATE = (
    '{"blobs": 3, "blobs_done": 1, "bytes": 3000000, "bytes_done": 1000000, "bytes_moved": 1000000, "in_flight": []}'
)


@pytest.mark.parametrize(
    ("failure", "why"),
    [
        (raising(AnsibleConnectionFailure("no route")), "no route"),
        (raising(EOFError()), "EOFError"),
        (raising(RuntimeError("channel closed")), "channel closed"),
        (answering(1, errors="sudo: a password is required\n"), "exit status 1 sudo: a password is required"),
        (answering(137), "exit status 137"),
    ],
)
def test_looks_that_fail_are_told_once_and_the_next_is_tried(
    monkeypatch: pytest.MonkeyPatch, failure: Answer, why: str
) -> None:
    warnings, shown = failing_looks(monkeypatch, [failure, failure, answering(0, STATE), failure])
    (warning,) = warnings
    assert warning.startswith("web1: blob: cannot check on the module while it runs") and warning.endswith(
        f"seconds: {why}"
    )
    assert shown == ["web1: blob: 1 of 3 blobs, 1.0 MB of 3.0 MB"]


def test_a_module_that_has_not_begun_yet_is_not_warned_of(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    looks = [lambda _command: in_shell(look_command([str(tmp_path / "bond")]))]
    assert failing_looks(monkeypatch, [*looks, answering(0, STATE)])[0] == []


def test_a_cancelling_that_fails_ends_a_worker_that_is_left_over_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ended = threading.Event()
    monkeypatch.setattr(_attended_module, "_PATIENCE", 0.0)
    monkeypatch.setattr(_attended_module, "is_orphaned", lambda: True)
    monkeypatch.setattr(_attended_module, "end_process", ended.set)
    watcher_of(Node(raising(RuntimeError("gone"))), "/nowhere/bond").start()
    assert ended.wait(60)
