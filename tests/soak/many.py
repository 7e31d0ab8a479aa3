# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Promotions of many images: of thousands, with faults that come and go; and of fifty, killed again and again."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from typing import Any

from crowd import as_options, check_all, crowd, old_or_new, seed
from engine import Ended
from faults import parse_faults
from faults.base import Fault
from often import kill_until_done
from play import Rig
from problems import Problem
from reader import Reader
from watchers import Killer

Plain = dict[str, Any]

_LAYER = 1000
"""Bytes."""
_OWN = 3
"""Every such image has a layer of its own."""
_SECONDS = 2.0
"""How long a fault is played."""
_WITH_FAULTS = 8
"""Runs before there are no more faults."""
_KILLED = 2
"""Of those, how many are killed."""
_AT_SOURCE = (
    "",
    "reset=each",
    "status=503",
    "status=429",
    "cut-download-clean=1500",
    "cut-download=1500",
    "retry-after",
)
_AT_DESTINATION = (
    "",
    "reset=each",
    "status=502",
    "status=429",
    "retry-after",
    "lost-answers",
    "cut-upload=300",
    "lost-tag-answer",
    "session-gone",
    "blob-forgotten",
    "mount-refused=202",
    "delay=2",
)
_FEW, _FEW_LAYER, _FEW_RUNS = 50, 20_000, 200


class _Weather(threading.Thread):
    """Plays other faults every now and then; ``always`` are played beside them, the nearest to the registry."""

    def __init__(self, rig: Rig, chance: random.Random, always: list[Fault]) -> None:
        super().__init__(name="weather", daemon=True)
        self._rig = rig
        self._chance = chance
        self._always = always
        self._end = threading.Event()

    def run(self) -> None:
        while True:
            self._rig.destination_proxy.play([*self._one(_AT_DESTINATION), *self._always])
            self._rig.source_proxy.play(self._one(_AT_SOURCE))
            if self._end.wait(_SECONDS):
                return

    def _one(self, names: tuple[str, ...]) -> list[Fault]:
        return parse_faults(self._chance.choice(names))

    def __enter__(self) -> _Weather:
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._end.set()
        self.join()
        for proxy in (self._rig.destination_proxy, self._rig.source_proxy):
            proxy.play([])
            proxy.settle()


def promote_many(rig: Rig, count: int, number: int, say: Callable[[str], None]) -> str:
    """Promote ``count`` images while faults come and go, and the process is killed now and then.

    Returns what happened, in words. Raises :class:`Problem`.
    """
    chance = random.Random(number)
    members = crowd(rig.prefix(), count, _LAYER, own=_OWN)
    say(f"seeding {count} images")
    seed(rig.source_pusher, members)
    params = {**rig.connections(), "images": as_options(members), "on_error": "continue", "timeout": 10, "jobs": 8}
    killed = failed = 0
    with Reader(rig.destination_address, old_or_new(members)) as reader:
        for run in range(_WITH_FAULTS):
            at = chance.randint(count, 4 * count) if run < _KILLED else 0
            always: list[Fault] = [Killer(at, rig.engine.kill, before=run % 2 == 0)] if at else []
            with _Weather(rig, chance, always):
                ended = rig.engine.run(params)
            killed += ended.killed
            say(f"{count} images, run {run + 1}: {_in_words(ended)}")
            if ended.succeeded:
                break
            failed += not ended.killed
        else:
            ended = rig.engine.run(params)
            if not ended.succeeded:
                raise Problem(f"{count} images: a run without faults failed:\n{ended.output[:2000]}")
    say(f"looking at {count} images")
    check_all(rig.destination_address, members)
    again = rig.engine.run(params)
    if not again.succeeded or again.result["changed"]:
        raise Problem(f"{count} images: the last run, with nothing left to do, failed or changed something")
    return f"{count} images with faults: {killed} runs were killed, {failed} failed, {reader.pulls} tags read meanwhile"


def _in_words(ended: Ended) -> str:
    if ended.killed:
        return "killed"
    return "succeeded" if ended.succeeded else f"{len(ended.result.get('failures', []))} images failed"


def kill_often(rig: Rig) -> str:
    """Kill a promotion of fifty images every 200 ms until it is done.

    Returns what happened, in words. Raises :class:`Problem`.
    """
    members = crowd(rig.prefix(), _FEW, _FEW_LAYER)
    seed(rig.source_pusher, members)
    params = {**rig.connections(), "images": as_options(members)}

    def run() -> bool:
        ended = rig.engine.run(params)
        if not ended.killed and not ended.succeeded:
            raise Problem(f"a run that was not killed failed:\n{ended.output[:2000]}")
        return not ended.killed

    with Reader(rig.destination_address, old_or_new(members)) as reader:
        killings = kill_until_done(rig.destination_proxy, "delay=2", run, rig.engine.kill, _FEW_RUNS)
    check_all(rig.destination_address, members)
    if killings.killed < 2:
        raise Problem(f"{_FEW} images: {killings.killed} runs were killed before one was done, which shows nothing")
    return (
        f"{_FEW} images, killed every {1000 * killings.interval:.0f} ms: {killings.killed} runs were killed; "
        f"{reader.pulls} tags read meanwhile"
    )
