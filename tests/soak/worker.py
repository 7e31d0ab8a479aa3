# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plays schedules that hypothesis draws, and makes the first that fails as small as it can."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, seed, settings

from play import Play, Rig
from problems import Problem
from schedule import Schedule, schedules

_SHRINKING = 120.0
"""Seconds."""


class Tally:
    """How many schedules were played, and what became of their first runs."""

    def __init__(self) -> None:
        self.played = self.killed = self.succeeded = self.pulls = 0

    def add(self, play: Play) -> None:
        self.played += 1
        self.killed += play.killed
        self.succeeded += play.succeeded
        self.pulls += play.pulls


class Worker:
    """Plays schedules on one rig. What fails is written to ``failure``, to be played again from there."""

    def __init__(self, rig: Rig, failure: Path, progress: Callable[[Tally], None]) -> None:
        self._rig = rig
        self._failure = failure
        self._progress = progress
        self._failed: Schedule | None = None
        self._failed_at = 0.0
        self.tally = Tally()

    def draw(self, number: int, count: int) -> None:
        """Play ``count`` schedules, always the same for one seed. Raises :class:`Problem`."""

        @seed(number)
        @settings(
            max_examples=count,
            database=None,
            deadline=None,
            phases=(Phase.generate, Phase.shrink),
            suppress_health_check=list(HealthCheck),
            report_multiple_bugs=False,
        )
        @given(schedules())
        def play(schedule: Schedule) -> None:
            over = self._failed is not None and time.monotonic() > self._failed_at + _SHRINKING
            if not over or schedule == self._failed:
                self.play(schedule)

        play()

    def again(self, path: Path) -> None:
        """Play the schedule that was written to a file. Raises :class:`Problem`."""
        self.play(Schedule.from_json(json.loads(path.read_text(encoding="utf-8"))))

    def play(self, schedule: Schedule) -> None:
        play = Play(self._rig, schedule)
        try:
            play.run()
        except Problem:
            self._failed_at = self._failed_at or time.monotonic()
            self._failed = schedule
            self._failure.write_text(json.dumps(schedule.as_json(), indent=1), encoding="utf-8")
            raise
        self.tally.add(play)
        self._progress(self.tally)
