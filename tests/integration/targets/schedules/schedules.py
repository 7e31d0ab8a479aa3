# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A few of the schedules of make soak: promotions that go wrong at random, and are run again."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from runs import COLLECTION, CONFIG, OUTPUT, check, main, say

SOAK = Path(CONFIG["registries_script"]).parents[1] / "soak" / "soak.py"


def some_schedules() -> None:
    """Always the same ones, in one process: another release of ansible-core is tested beside it."""
    command = [sys.executable, str(SOAK), "--core", str(shutil.which("python")), "--work", str(OUTPUT / "soak")]
    command += ["--collections", str(COLLECTION.parents[2]), "--schedules", "8", "--images", "0"]
    # Kills of promotions with a record have a target of their own.
    command += ["--moments", "0", "--workers", "1"]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, check=False)
    say(done.stdout)
    check(done.returncode == 0, "a schedule failed, see above")


main([some_schedules])
