# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The soak: schedules drawn at random, a promotion killed every 200 ms, one that is killed while its tags move, and one
of thousands of images with faults.

Runs with the Python of the registries' harness. Prints a line now and then of how far it is, and one at the end.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

HERE = Path(__file__).resolve().parent
HARNESS = HERE.parent / "registries"
sys.path[:0] = [str(HERE), str(HARNESS)]

from engine import Engine  # noqa: E402
from many import kill_often, promote_many  # noqa: E402
from play import Rig  # noqa: E402
from recorded import EVERY_TAG, kill_recorded, refuse_each  # noqa: E402
from state import State  # noqa: E402
from worker import Tally, Worker  # noqa: E402

SEED = 20261105
_EVERY = 30.0
"""Seconds between two lines of how far it is."""


class Asked(NamedTuple):
    """What is to be done, in this process or in another one."""

    part: int
    seed: int
    schedules: int
    often: bool
    moments: int
    images: int
    again: str


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--core", required=True, help="a Python that has ansible-core")
    parser.add_argument("--collections", required=True, help="where ansible_collections is")
    parser.add_argument("--work", required=True, type=Path, help="a directory for registries and results")
    parser.add_argument("--seed", type=int, default=SEED, help="another one for other schedules (default: %(default)s)")
    parser.add_argument("--schedules", type=int, default=500, help="how many (default: %(default)s)")
    parser.add_argument("--images", type=int, default=2000, help="how many are promoted at once (default: %(default)s)")
    parser.add_argument(
        "--moments", type=int, default=200, help="how often one with a record is killed (default: %(default)s)"
    )
    parser.add_argument("--workers", type=int, default=2, help="how many processes (default: %(default)s)")
    parser.add_argument("--again", default="", help="a schedule that failed: play it only")
    parser.add_argument("--part", default="", help=argparse.SUPPRESS)
    return parser.parse_args()


class Part:
    """What one process does, on registries of its own."""

    def __init__(self, chosen: argparse.Namespace, asked: Asked) -> None:
        self._chosen = chosen
        self._asked = asked
        self._work = chosen.work / f"part-{asked.part}"
        self._said: dict[str, Any] = {"played": 0, "killed": 0, "succeeded": 0, "pulls": 0, "doing": "", "done": []}

    def run(self) -> None:
        """Do it. Raises :class:`Problem`."""
        asked, state = self._asked, self._work / "registries"
        harness = [sys.executable, str(HARNESS / "registries.py")]
        self._work.mkdir(parents=True, exist_ok=True)
        with contextlib.ExitStack() as stack:
            stack.callback(_quietly, [*harness, "stop", "--state", str(state), "--delete"])
            _quietly([*harness, "start", "--state", str(state), "source", "destination"])
            found = State(state)
            ends = (found.registry("source"), found.registry("destination"), str(found.ca_path))
            engine = stack.enter_context(Engine(self._chosen.core, self._chosen.collections, self._work))
            rig = stack.enter_context(Rig(*ends, engine, f"soak-{asked.part}"))
            worker = Worker(rig, self._work / "failed-schedule.json", self._tell)
            if asked.again:
                worker.again(Path(asked.again))
            if asked.schedules:
                worker.draw(asked.seed, asked.schedules)
            if asked.often:
                self._doing("killing a promotion every 200 ms")
                self._did(kill_often(rig))
            if asked.moments:
                self._doing("killing a promotion with a record")
                self._did(kill_recorded(rig, self._work / "records", asked.moments, asked.seed))
                self._doing("refusing each tag of a promotion with a record")
                self._did(refuse_each(rig, self._work / "refused", EVERY_TAG))
            if asked.images:
                self._did(promote_many(rig, asked.images, asked.seed, self._doing))

    def _tell(self, tally: Tally) -> None:
        self._said.update(vars(tally))
        self._say()

    def _doing(self, what: str) -> None:
        self._said["doing"] = what
        self._say()

    def _did(self, what: str) -> None:
        self._said["done"].append(what)
        self._doing("")

    def _say(self) -> None:
        print(json.dumps(self._said), flush=True)


def _quietly(command: list[str]) -> None:
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)


class Soak:
    """All parts, each in a process of its own."""

    def __init__(self, chosen: argparse.Namespace) -> None:
        self._chosen = chosen
        self._said: dict[int, dict[str, Any]] = {}
        self._running: list[subprocess.Popen[str]] = []
        self._started = self._told_at = time.monotonic()

    def run(self) -> int:
        """Returns the exit status."""
        chosen = self._chosen
        shutil.rmtree(chosen.work, ignore_errors=True)
        again = f", the schedule in {chosen.again}" if chosen.again else ""
        print(f"soak: seed {chosen.seed}, {chosen.schedules} schedules, {chosen.images} images{again}", flush=True)
        parts = self._parts()
        with ThreadPoolExecutor(max_workers=len(parts)) as pool:
            try:
                failures = [text for text in pool.map(self._part, parts) if text]
            except BaseException:
                self._end()
                raise
        for text in failures:
            print(text)
        for said in self._said.values():
            for line in said["done"]:
                print(f"soak: {line}")
        verdict = f"failed in {len(failures)} parts" if failures else "passed"
        print(f"soak: {verdict}; seed {chosen.seed}, {self._tally()}, {time.monotonic() - self._started:.0f} s")
        return 1 if failures else 0

    def _parts(self) -> list[Asked]:
        chosen = self._chosen
        if chosen.again:
            return [Asked(0, chosen.seed, 0, False, 0, 0, chosen.again)]
        count = max(1, min(chosen.workers, chosen.schedules))
        often, last = chosen.images > 0, count - 1
        # Two thousand images take as long as a few hundred schedules, and so do two hundred moments.
        lighter = chosen.schedules // count // 2 if chosen.images and last and not chosen.moments else 0
        shares = [chosen.schedules // count + (part < chosen.schedules % count) for part in range(count)]
        shares[0], shares[last] = shares[0] + lighter, shares[last] - lighter
        return [
            Asked(
                *(part, chosen.seed + part, share, often and part == 0, chosen.moments if part == 0 else 0),
                *(chosen.images if part == last else 0, ""),
            )
            for part, share in enumerate(shares)
        ]

    def _part(self, asked: Asked) -> str:
        """Do one part in a process. Returns what failed, in words."""
        chosen = self._chosen
        command = [sys.executable, str(Path(__file__).resolve()), "--part", json.dumps(asked)]
        command += ["--core", chosen.core, "--collections", chosen.collections, "--work", str(chosen.work)]
        log = chosen.work / f"part-{asked.part}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("w", encoding="utf-8") as errors:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, text=True
            )
            self._running.append(process)
            assert process.stdout is not None
            for line in process.stdout:
                if line.startswith("{"):
                    self._said[asked.part] = json.loads(line)
                    self._show()
        if not process.wait():
            return ""
        schedule = chosen.work / f"part-{asked.part}" / "failed-schedule.json"
        where = f"\nPlay it again with: --again {schedule}" if schedule.is_file() else ""
        return f"{log.read_text(encoding='utf-8')}\nThis was part {asked.part}, of seed {asked.seed}.{where}"

    def _end(self) -> None:
        """End all parts; each stops its registries."""
        for process in self._running:
            process.terminate()

    def _tally(self) -> str:
        names = ("played", "killed", "succeeded", "pulls")
        played, killed, succeeded, pulls = (sum(said[name] for said in self._said.values()) for name in names)
        failed = played - killed - succeeded
        return (
            f"{played} schedules (first runs: {succeeded} succeeded, {failed} failed, {killed} were killed; "
            f"{pulls} tags read meanwhile)"
        )

    def _show(self) -> None:
        if time.monotonic() < self._told_at + _EVERY:
            return
        self._told_at = time.monotonic()
        doing = [said["doing"] for said in self._said.values() if said["doing"]]
        print(f"{time.monotonic() - self._started:5.0f} s: {'; '.join([self._tally(), *doing])}", flush=True)


def main() -> int:
    chosen = options()
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    if not chosen.part:
        return Soak(chosen).run()
    Part(chosen, Asked(*json.loads(chosen.part))).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
