# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""start.py SCRIPT: run a script with the Python, and the modules, of the registries' harness and with ours."""

from __future__ import annotations

import json
import os
import runpy
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
CONFIG = json.loads((HERE.parent.parent / "integration_config.yml").read_text(encoding="utf-8"))

if os.environ.get("RUNS_STARTED") != "yes":
    python = CONFIG["registries_python"]
    # ansible-test limits files for modules, which users rarely do: modules would all run as payloads.
    os.environ.pop("ANSIBLE_PYTHON_MODULE_RLIMIT_NOFILE", None)
    os.execve(python, [python, *sys.argv], {**os.environ, "RUNS_STARTED": "yes"})
sys.path[:0] = [str(Path(sys.argv[1]).resolve().parent), str(HERE), str(Path(CONFIG["registries_script"]).parent)]
runpy.run_path(sys.argv[1], run_name="__main__")
