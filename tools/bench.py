# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""make bench: measure this collection beside other tools, on real registries.

Usage: bench.py [--only a,c] [--rounds N] [--quick]
       bench.py judging [--images N] [--rounds N]      what gates and signatures cost
       bench.py records [--images N] [--rounds N]      what records cost
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import common
import making
import pythons
import running
from common import COPY

# Where Go, and tests/benchmark/install-peers.sh, put the programs that are compared if they are there.
PEERS = (
    Path.home() / "go" / "bin",
    Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "imageops-peers",
)

OTHERS = {"judging": "judging.py", "records": "recording.py"}
"""What is measured without other tools, by the first argument."""


def main() -> int:
    with common.lock():
        making.sync()
        making.prepare_home()
        making.system_packages({"docker-registry": "docker-registry", "skopeo": "skopeo"})
        newest = pythons.cores()[-1]
        making.venvs(newest, pythons.REGISTRIES)
        core, python = making.venv(newest), making.venv(pythons.REGISTRIES) / "bin" / "python"
        env = running.environment_for(core)
        del env["PYTHONDONTWRITEBYTECODE"]  # a user's Ansible has its plugins compiled, too
        env["PATH"] = os.pathsep.join([env["PATH"], *map(str, PEERS)])
        scripts, arguments = COPY / "tests" / "benchmark", sys.argv[1:]
        if arguments and arguments[0] in OTHERS:
            script = scripts / OTHERS[arguments[0]]
            return running.run_in_front([python, script, "--core", core, *arguments[1:]], env)
        command = [python, scripts / "benchmark.py", "--core", core, "--docs", common.ROOT / "docs"]
        command += ["--directory", common.BUILD / "bench", *arguments]
        return running.run_in_front(command, env)


if __name__ == "__main__":
    running.command(main)
