# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json

import pytest
from ansible_collections.imageops.registry.plugins.plugin_utils import _progress_report
from ansible_collections.imageops.registry.plugins.plugin_utils._progress_report import ProgressReport

STATE = {"blobs": 2, "blobs_done": 1, "bytes": 30, "bytes_done": 10, "bytes_moved": 10, "in_flight": []}


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    lines: list[str] = []

    def show(line: str, *, stderr: bool) -> None:
        assert stderr, "callbacks for machines have standard output for themselves"
        lines.append(line)

    monkeypatch.setattr(_progress_report.display, "display", show)
    return lines


def test_the_latest_state_is_shown_when_it_is_time(shown: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(_progress_report.time, "monotonic", lambda: now[0])
    report = ProgressReport("web1: blob", silent=False)
    text = json.dumps(STATE).encode()
    report.take(b'{"old": 1}\n' + text[:5])
    report.take(text[5:] + b"\n{")
    report.show()
    assert shown == []
    now[0] += _progress_report.FIRST_LOOK
    report.show()
    report.show()
    assert shown == ["web1: blob: 1 of 2 blobs, 10 B of 30 B"]
    now[0] += _progress_report.PAUSE
    report.show()
    assert len(shown) == 1, "nothing new"


def test_a_silent_task_shows_nothing(shown: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_progress_report, "FIRST_LOOK", 0.0)
    report = ProgressReport("web1: blob", silent=True)
    report.take(json.dumps(STATE).encode() + b"\n")
    report.show()
    assert shown == []
