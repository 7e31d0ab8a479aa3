# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""make test: unit tests and integration targets.

Usage: test.py [unit [PYTEST-ARGUMENT...] | integration [TARGET...]]
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from xml.etree import ElementTree

import common
import integration
import making
import pythons
import running
from common import COPY, Count, Failed, say
from pythons import Environment

# The exit status of pytest.
NOTHING_CHOSEN = 5


def unit(label: str, environment: Environment, venv: Path, arguments: list[str], count: Count) -> None:
    """The unit tests in one environment; tests/unit/conftest.py leaves out what can't run in it."""
    name = f"unit-{environment.name}"
    report = common.LOGS / f"{name}.xml"
    report.parent.mkdir(parents=True, exist_ok=True)
    report.unlink(missing_ok=True)
    started = time.monotonic()
    status, output = running.run(
        [venv / "bin" / "python", "-m", "pytest", "-q", "--color=no", "-p", "no:cacheprovider"]
        + [f"--junit-xml={report}", *arguments],
        name,
        cwd=COPY,
        env=running.environment_for(venv, PYTHONPATH=str(common.COLLECTIONS)),
    )
    passed = failed = skipped = 0
    if report.is_file():
        suite = ElementTree.parse(report).getroot().find("testsuite")
        total, errors, failures, skipped = (
            int(suite.get(key, "0")) if suite is not None else 0 for key in ("tests", "errors", "failures", "skipped")
        )
        failed = errors + failures
        passed = max(total - failed - skipped, 0)
    # Of the tests that the arguments choose, an environment may have none. Without any of them there is no excuse.
    if status and not failed and not (status == NOTHING_CHOSEN and arguments):
        failed = 1
    count.add(passed, failed)
    if failed:
        say(running.shorten(output))
    say(f"unit tests, {label}: {passed} passed, {failed} failed, {skipped} skipped ({running.since(started)})")


def main() -> int:
    what, arguments = (sys.argv[1], sys.argv[2:]) if len(sys.argv) > 1 else ("all", [])
    if what not in {"all", "unit", "integration"}:
        raise Failed(str(__doc__).strip())
    with common.lock():
        count = Count("test")
        making.sync()
        making.prepare_home()
        cores = pythons.cores()
        units = [pythons.TARGET, *cores] if what in {"all", "unit"} else []
        making.venvs(*cores, *units, *([] if what == "unit" else [pythons.REGISTRIES]))
        running.side_by_side(unit, [(label(one), one, making.venv(one), arguments, count) for one in units])
        if what == "unit" and not count.passed and not count.failed:
            say(f"No unit test has run: {' '.join(arguments)} chooses none.")
        if what in {"all", "integration"}:
            if not os.environ.get("REGISTRY_BINARY"):
                making.system_packages(integration.PROGRAMS)
            integration.build_optional()
            chosen = integration.targets_by_core(cores, arguments)
            running.side_by_side(
                integration.run_targets,
                [(label(core), core, making.venv(core), targets, count) for core, targets in chosen.items()],
            )
        status = count.close()
        durations = common.shown(running.write_durations("test"))
        tested = "; ".join(label(one) for one in (pythons.TARGET, *cores))
        say(f"Tested with {tested}. How long each part took: {durations}")
        say(f"{count.passed} passed, {count.failed} failed")
    return status


def label(environment: Environment) -> str:
    python = pythons.python_for(environment)
    version = pythons.version_of(python) if python else "?"
    if environment is pythons.TARGET:
        return f"Python {version} without ansible-core"
    return f"ansible-core {environment.name} on Python {version}"


if __name__ == "__main__":
    running.command(main)
