# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""make guards: take out each guard against hostile registries, and see that its tests fail.

Usage: guards.py [WORD...]
"""

from __future__ import annotations

import sys

import common
import making
import pythons
import running
from common import COPY


def main() -> int:
    with common.lock():
        making.sync()
        making.prepare_home()
        # Its Python checks most by itself.
        core = pythons.cores()[-1]
        making.venvs(core)
        venv = making.venv(core)
        command = [venv / "bin" / "python", COPY / "tests" / "unit" / "hostile" / "without_guards.py", *sys.argv[1:]]
        return running.run_in_front(command, running.environment_for(venv))


if __name__ == "__main__":
    running.command(main)
