# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""make soak: promotions that go wrong at random, on real registries behind a proxy that plays faults.

Usage: soak.py [--seed N] [--schedules N] [--images N] [--again FILE]
"""

from __future__ import annotations

import sys

import common
import making
import pythons
import running
from common import COLLECTIONS, COPY


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
        return running.run_in_front(command, running.environment_for(core))


if __name__ == "__main__":
    running.command(main)
