# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plays that are left alone while they run, and all the processes that they start, wherever those belong to later."""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path
from typing import NamedTuple

from killing import kill_tree
from runs import OUTPUT, Plain, check

SECONDS_LATER = 20
"""The most that may pass from when a play is stopped until nothing of it runs. With a lease, that runs out first."""


class Running(NamedTuple):
    """A play under way."""

    name: str
    process: subprocess.Popen[bytes]
    output: Path
    errors: Path
    log: Path

    def processes(self) -> list[int]:
        """All that it has started and that still runs."""
        mark = f"STOPPING={_mark(self.name)}".encode()
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    if mark in (entry / "environ").read_bytes().split(b"\0"):
                        found.append(int(entry.name))
                except OSError:
                    continue
        return found

    def wait_until_nothing_runs(self, since: float, *kept: int) -> float:
        """Wait until nothing of it runs, apart from the processes ``kept``; that may take :data:`SECONDS_LATER`.

        ``since`` is the moment of the monotonic clock from which they count. Returns the seconds.
        """
        while True:
            self.process.poll()
            left = [pid for pid in self.processes() if pid not in kept]
            took = time.monotonic() - since
            if not left:
                return took
            check(took < SECONDS_LATER, f"{self.name}: {left} still run")
            time.sleep(0.1)

    def printed(self) -> str:
        """All that it has printed until now."""
        return self.output.read_text() + self.errors.read_text()

    def end(self) -> None:
        """End it, and all below it."""
        kill_tree(self.process.pid)
        self.process.wait()


def parent_of(pid: int) -> int:
    """The process that has started another one, or that it was left to."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def _mark(name: str) -> str:
    return f"{OUTPUT}-{name}"


def begin(name: str, plays: list[Plain], hosts: Path, **environment: str) -> Running:
    """Begin plays in a session of their own, with what they print in files."""
    playbook, output, errors, log = (OUTPUT / f"{name}.{kind}" for kind in ("yml", "output", "errors", "log"))
    playbook.write_text(json.dumps(plays))
    own = {"ANSIBLE_LOG_PATH": str(log), "STOPPING": _mark(name), "PYTHONUNBUFFERED": "1"}
    with output.open("wb") as stream, errors.open("wb") as error_stream:
        process = subprocess.Popen(
            ["ansible-playbook", "-i", str(hosts), str(playbook)],
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=error_stream,
            env={**os.environ, **own, **environment},
            start_new_session=True,
        )
    return Running(name, process, output, errors, log)
