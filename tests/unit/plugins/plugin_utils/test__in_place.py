# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import types
import typing as t

import pytest
from ansible_collections.imageops.registry.plugins.plugin_utils import _in_place
from ansible_collections.imageops.registry.plugins.plugin_utils._child import NoChild, Outcome
from ansible_collections.imageops.registry.plugins.plugin_utils._in_place import InPlace, ProgressReport

STATE = {"blobs": 2, "blobs_done": 1, "bytes": 30, "bytes_done": 10, "bytes_moved": 10, "in_flight": []}


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    lines: list[str] = []

    def show(line: str, *, stderr: bool) -> None:
        assert stderr, "callbacks for machines have standard output for themselves"
        lines.append(line)

    monkeypatch.setattr(_in_place.display, "display", show)
    return lines


def test_the_latest_state_is_shown_when_it_is_time(shown: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(_in_place.time, "monotonic", lambda: now[0])
    report = ProgressReport("web1: blob", silent=False)
    text = json.dumps(STATE).encode()
    report.take(b'{"old": 1}\n' + text[:5])
    report.take(text[5:] + b"\n{")
    report.show()
    assert shown == []
    now[0] += _in_place.FIRST_LOOK
    report.show()
    report.show()
    assert shown == ["web1: blob: 1 of 2 blobs, 10 B of 30 B"]
    now[0] += _in_place.PAUSE
    report.show()
    assert len(shown) == 1, "nothing new"


def test_a_silent_task_shows_nothing(shown: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_in_place, "FIRST_LOOK", 0.0)
    report = ProgressReport("web1: blob", silent=True)
    report.take(json.dumps(STATE).encode() + b"\n")
    report.show()
    assert shown == []


@pytest.mark.parametrize(
    "status, how",
    [
        (-9, "SIGKILL before it had a result, perhaps because the machine ran out of memory."),
        (-11, "SIGSEGV before it had a result."),
        (-63, "signal 63 before it had a result."),
    ],
)
def test_a_child_that_was_killed_is_a_failure_in_one_sentence(status: int, how: str) -> None:
    run = InPlace.__new__(InPlace)
    run._task = types.SimpleNamespace(action="imageops.registry.blob")
    run._outcome = lambda: Outcome(status, b'{"half', b"noise")  # type: ignore[method-assign]  # of this one only
    answer: dict[str, t.Any] = run._low_level_execute_command("")
    result = json.loads(answer["stdout"])
    assert result == {"failed": True, "msg": f"The module imageops.registry.blob was killed by {how}"}
    assert answer["stderr"] == ""


@pytest.mark.parametrize(
    ("ends", "why"),
    [
        (Outcome(255, b"", b""), "the kernel doesn't end a process with its parent"),
        (NoChild("Cannot allocate memory"), "no process can be forked (Cannot allocate memory)"),
    ],
)
def test_a_child_that_can_not_be_started_is_a_failure_in_one_sentence(ends: Outcome | NoChild, why: str) -> None:
    def outcome() -> Outcome:
        if isinstance(ends, NoChild):
            raise ends
        return ends

    run = InPlace.__new__(InPlace)
    run._task = types.SimpleNamespace(action="imageops.registry.blob")
    run._outcome = outcome  # type: ignore[method-assign]  # of this one only
    answer: dict[str, t.Any] = run._low_level_execute_command("")
    assert (answer["rc"], answer["stderr"]) == (255, "")
    said = f"The module imageops.registry.blob could not be started in place: {why}."
    assert json.loads(answer["stdout"]) == {
        "failed": True,
        "msg": f"{said} With imageops_registry_in_place: false, modules run as payloads.",
    }
