# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""call_modules.py <CALLS: call modules of the collection as Ansible does, each in a process of its own.

A call is {"module", "arguments"}, in a JSON list with how many run at a time: {"calls", "at_a_time"}. Prints a line for
each of them, in their order: what the module has printed, and its status, as JSON.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import module_process

MODULES = "ansible_collections.imageops.registry.plugins.modules"


def call(name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    with tempfile.TemporaryFile() as printed:
        pid = module_process.begin(sys.modules[f"{MODULES}.{name}"], arguments, printed.fileno())
        _pid, status = os.waitpid(pid, 0)
        printed.seek(0)
        return {"status": os.waitstatus_to_exitcode(status), "printed": printed.read().decode()}


def main() -> None:
    asked = json.load(sys.stdin)
    calls = asked["calls"]
    for name in {entry["module"] for entry in calls}:
        importlib.import_module(f"{MODULES}.{name}")
    # What a module imports when it has something to do isn't imported by each of them then.
    importlib.import_module("requests")
    with ThreadPoolExecutor(asked["at_a_time"]) as pool:
        answers = list(pool.map(lambda entry: call(entry["module"], entry["arguments"]), calls))
    # Not earlier: a process that is begun while something is printed would find the stream locked.
    for answer in answers:
        print(json.dumps(answer))


main()
