# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The unit tests: which of them run in which environment, and how much of the code they run in one of those."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

import common
import coverage_gates
import making
import pythons
import running
from common import COPY, Count, say
from pythons import Environment

# The exit status of pytest.
_NOTHING_CHOSEN = 5
_MEASURED = ("tests/unit/plugins",)
_OTHERS = ("tests/unit", f"--ignore={COPY}/tests/unit/plugins")
# What is tested without ansible-core, on the oldest Python, and on the newest, is no other in between. Our tools
# run with the newest.
_ON_OLDER_CORES = ("tests/unit", "--needing-ansible", f"--ignore={COPY}/tests/unit/tools")


class Part(NamedTuple):
    """Tests that one process runs in an environment."""

    name: str
    label: str
    environment: Environment
    arguments: Sequence[str]
    measured: bool = False
    chosen: bool = False
    """Whether somebody has chosen these tests, of which an environment may have none."""


def parts(environment: Environment, label: str, arguments: Sequence[str], *, measuring: bool) -> Iterator[Part]:
    """The unit tests in one environment; tests/unit/conftest.py leaves out what can't run in it.

    Where it is measured what they run, only those that mirror ``plugins`` are: others run much of it by chance.
    """
    name = f"unit-{environment.name}"
    if arguments:
        yield Part(name, label, environment, arguments, chosen=True)
    elif measuring:
        yield Part(f"{name}-measured", f"{label}, those of plugins", environment, _MEASURED, measured=True)
        yield Part(f"{name}-others", f"{label}, the others", environment, _OTHERS)
    elif environment.name == pythons.TARGET.name:
        yield Part(name, label, environment, ("tests/unit",))
    else:
        yield Part(name, f"{label}, those that need it", environment, _ON_OLDER_CORES)


def run(part: Part, count: Count) -> None:
    """Run a part, say and count what came of it, and hold the gates where it is measured."""
    report = common.LOGS / f"{part.name}.xml"
    report.parent.mkdir(parents=True, exist_ok=True)
    report.unlink(missing_ok=True)
    venv = making.venv(part.environment)
    data = _empty_directory() if part.measured else None
    started = time.monotonic()
    status, output = running.run(
        [venv / "bin" / "python", *(["-m", "coverage", "run"] if part.measured else []), "-m", "pytest", "-q"]
        + ["--color=no", "-p", "no:cacheprovider", f"--junit-xml={report}", *part.arguments],
        part.name,
        cwd=COPY,
        env=_environment(venv, data),
    )
    passed, failed, skipped = _counts(report)
    if status and not failed and not (status == _NOTHING_CHOSEN and part.chosen):
        failed = 1
    count.add(passed, failed)
    if failed:
        say(running.shorten(output))
    say(f"unit tests, {part.label}: {passed} passed, {failed} failed, {skipped} skipped ({running.since(started)})")
    if data is not None and not failed:
        _hold_gates(venv, data, count)


def _counts(report: Path) -> tuple[int, int, int]:
    """What passed, failed and was skipped, by pytest's own report; nothing where there is none."""
    suite = ElementTree.parse(report).getroot().find("testsuite") if report.is_file() else None
    if suite is None:
        return 0, 0, 0
    total, errors, failures, skipped = (int(suite.get(key, "0")) for key in ("tests", "errors", "failures", "skipped"))
    failed = errors + failures
    return max(total - failed - skipped, 0), failed, skipped


def _empty_directory() -> Path:
    path = common.BUILD / "coverage"
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir()
    return path


def _environment(venv: Path, data: Path | None) -> dict[str, str]:
    more = {} if data is None else {"COVERAGE_FILE": str(data / "data")}
    return running.environment_for(venv, PYTHONPATH=str(common.COLLECTIONS), **more)


def _hold_gates(venv: Path, data: Path, count: Count) -> None:
    report = data / "coverage.json"
    for command in (["combine", "-q"], ["json", "-q", "-o", report]):
        status, output = running.run(
            [venv / "bin" / "python", "-m", "coverage", *command],
            f"coverage-{command[0]}",
            cwd=COPY,
            env=_environment(venv, data),
        )
        if status:
            count.add(0, 1)
            say(f"coverage {command[0]} failed: {running.shorten(output)}")
            return
    line, problems = coverage_gates.judge(report)
    count.add(0 if problems else 1, len(problems))
    say("\n".join([line, *problems]))
