# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""make test: unit tests and integration targets.

Usage: test.py [unit [PYTEST-ARGUMENT...] | integration [TARGET...]]

With TEST_ON=RELEASE/PYTHON in the environment, they run on that release of ansible-core and that Python only. RELEASE
may be "devel", or "target" for unit tests in plain Python; the Python may be left out.
"""

from __future__ import annotations

import itertools
import os
import sys

import common
import integration
import making
import pythons
import running
import units
from common import Count, Failed, say
from pythons import Environment


def main() -> int:
    what, arguments = (sys.argv[1], sys.argv[2:]) if len(sys.argv) > 1 else ("all", [])
    if what not in {"all", "unit", "integration"}:
        raise Failed(str(__doc__).strip())
    with common.lock():
        count = Count("test")
        making.sync()
        making.prepare_home()
        only = pythons.chosen()
        environments = [only] if only else [pythons.TARGET, *pythons.cores()]
        tested = [] if what == "integration" else environments
        used = list(tested)
        cores = [] if what == "unit" else pythons.cores()
        making.venvs(*cores, *tested, *([] if what == "unit" else [pythons.REGISTRIES, pythons.LINT]))
        # What takes longest first: the measured core.
        parts = [
            units.parts(one, label(one), arguments, measuring=not only and one is tested[-1])
            for one in reversed(tested)
        ]
        running.side_by_side(units.run, [(part, count) for part in itertools.chain(*parts)])
        if what == "unit" and not count.passed and not count.failed:
            say(f"No unit test has run: {' '.join(arguments)} selects none.")
        if what in {"all", "integration"}:
            if not os.environ.get("REGISTRY_BINARY"):
                making.system_packages(integration.PROGRAMS)
            integration.build_optional()
            streams = integration.streams(cores, arguments)
            used += [stream.core for stream in streams]
            running.side_by_side(
                integration.run_targets,
                [(label(stream.core), stream, making.venv(stream.core), count) for stream in streams],
                len(streams),
            )
        status = count.close()
        durations = common.shown(running.write_durations("test"))
        everything = "; ".join(dict.fromkeys(map(label, used)))
        say(f"Tested with {everything}. How long each part took: {durations}")
        say(f"{count.passed} passed, {count.failed} failed")
    return status


def label(environment: Environment) -> str:
    python = pythons.python_for(environment)
    version = pythons.version_of(python) if python else "?"
    if environment.name == pythons.TARGET.name:
        return f"Python {version} without ansible-core"
    return f"ansible-core {environment.name} on Python {version}"


if __name__ == "__main__":
    running.command(main)
