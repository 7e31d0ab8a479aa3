# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""call_modules.py <CALLS: call modules of the collection as Ansible does, each in a process of its own.

Standard input has {"series", "at_a_time"}: a series is a list of calls that follow one another, and so many of them run
at a time. A call is {"module", "arguments"}. Prints a line for each call, in their order: what the module has printed,
and its status, as JSON.
"""

from __future__ import annotations

import importlib
import itertools
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


def call_all(series: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [call(entry["module"], entry["arguments"]) for entry in series]


def main() -> None:
    asked = json.load(sys.stdin)
    for name in {entry["module"] for series in asked["series"] for entry in series}:
        importlib.import_module(f"{MODULES}.{name}")
    # What a module imports when it has something to do isn't imported by each of them then.
    importlib.import_module("requests")
    with ThreadPoolExecutor(asked["at_a_time"]) as pool:
        answers = list(pool.map(call_all, asked["series"]))
    # Not earlier: a process that is begun while something is printed would find the stream locked.
    for answer in itertools.chain(*answers):
        print(json.dumps(answer))


main()
