# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run commands, and tell how long they took, how much memory they had, and which requests the registries saw."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

WATCH = Path(__file__).with_name("watch.py")
TIMEOUT = 1800


class RunError(Exception):
    """A command failed, or did not do what it had to."""


@dataclass
class Requests:
    """What one run asked of the registries."""

    source: int = 0
    destination: int = 0
    tokens: int = 0
    safety: int = 0
    """Of those to the destination: looks at a tag that was looked at before, and manifests pushed by digest first, so
    that no tag moves before all content is there."""
    artifacts: int = 0
    """Of all: those that look for signatures and other artifacts."""
    source_bytes: int = 0

    @property
    def total(self) -> int:
        return self.source + self.destination + self.tokens


@dataclass
class Measurement:
    """What one run took."""

    seconds: float
    processor_seconds: float = 0.0
    registries_seconds: float = 0.0
    """What source and destination took of the processors."""
    peak_kib: int = 0
    module_seconds: float = 0.0
    """The lifetime of the processes of modules, where they were watched."""
    module_peak_kib: int = 0
    requests: Requests = field(default_factory=Requests)


def watched(command: Sequence[object], env: Mapping[str, str], directory: Path, log: Path) -> dict[str, Any]:
    """Run a command to its end, its output into a log. Raises :class:`RunError` where it fails."""
    file = directory / "watched"
    file.unlink(missing_ok=True)
    line = [sys.executable, "-IS", str(WATCH), str(file), *map(str, command)]
    with log.open("wb") as stream:
        process = subprocess.Popen(
            line,
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            env=dict(env),
            cwd=directory,
            start_new_session=True,
        )
        try:
            status = process.wait(TIMEOUT)
        except BaseException as error:
            _end(process)
            if isinstance(error, subprocess.TimeoutExpired):
                raise RunError(f"it did not end within {TIMEOUT} seconds") from error
            raise
    if status:
        output = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        raise RunError(f"exit status {status}: {' '.join(output[-3:])[-600:]}")
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return found


def _end(process: subprocess.Popen[bytes]) -> None:
    """Let a command end what it has started, some of which may be in sessions of its own."""
    for number, patience in ((signal.SIGTERM, 10), (signal.SIGKILL, None)):
        try:
            os.killpg(process.pid, number)
            process.wait(patience)
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            pass


def interpreter(directory: Path, python: Path) -> tuple[Path, Path]:
    """A stand-in for a Python that watches what it runs, and the file in which it says so."""
    program, file = directory / "python", directory / "modules"
    file.unlink(missing_ok=True)
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -IS "{WATCH}" "{file}" "{python}" "$@"\n')
    program.chmod(0o755)
    return program, file


def modules(file: Path) -> tuple[float, int]:
    """How long all modules of a play took together, and the peak memory of the largest, in KiB."""
    lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()] if file.exists() else []
    seen = [line for line in lines if line["module"]]
    return sum(line["seconds"] for line in seen), max((line["peak_kib"] for line in seen), default=0)
