# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""make soak: promotions that go wrong at random, on real registries with faults; then a large layer.

Usage: soak.py [--seed N] [--schedules N] [--images N] [--again FILE]
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import common
import integration
import making
import pythons
import running
from common import COLLECTIONS, COPY, Count
from pythons import Environment

LAYER_MIB = 2048
"""How large the layer of the target memory is here."""


def main() -> int:
    with common.lock():
        making.sync()
        making.prepare_home()
        making.system_packages({"docker-registry": "docker-registry"})
        newest = pythons.cores()[-1]
        making.venvs(newest, pythons.REGISTRIES)
        core, python = making.venv(newest), making.venv(pythons.REGISTRIES) / "bin" / "python"
        command = [
            python,
            COPY / "tests" / "soak" / "soak.py",
            "--core",
            core / "bin" / "python",
            "--collections",
            COLLECTIONS,
            "--work",
            common.BUILD / "soak",
            *sys.argv[1:],
        ]
        status = running.run_in_front(command, running.environment_for(core))
        # A schedule is played again to look at it alone.
        is_all = not any(argument.startswith(("--again", "--help", "-h")) for argument in sys.argv[1:])
        return large_layer(newest, core) if is_all and not status else status


def large_layer(environment: Environment, venv: Path) -> int:
    """The target memory as it is in make test, with a larger layer. Returns the exit status."""
    os.environ["LAYER_MIB"] = str(LAYER_MIB)
    count = Count("soak")
    stream = integration.Stream(environment.name, environment, ["memory"])
    integration.run_targets(f"a layer of {LAYER_MIB} MiB", stream, venv, count)
    return count.close()


if __name__ == "__main__":
    running.command(main)
