# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""record_once.py <OPTIONS: one run of image_copy with these options, which are JSON, and what its record took, as JSON.

Needs ansible-core. The seconds are those in the methods that read and write the directory of records.
"""

from __future__ import annotations

import functools
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Callable

# Where ansible_collections is, and what the soak has.
sys.path.insert(0, str(Path(__file__).resolve().parents[5]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "soak"))

from ansible_collections.imageops.registry.plugins.module_utils._promotion._first_sights import FirstSights
from ansible_collections.imageops.registry.plugins.module_utils._promotion._recording import Recording
from ansible_collections.imageops.registry.plugins.modules import image_copy

import module_process

METHODS = {
    "record": (Recording, ("__init__", "prepare", "begin", "end")),
    "ledger": (FirstSights, ("__init__", "note")),
}


def timed(method: Callable[..., Any], name: str, output: int) -> Callable[..., Any]:
    """A method that writes a line for each call: what it is part of, and its seconds."""

    @functools.wraps(method)
    def call(*arguments: Any, **more: Any) -> Any:
        began = time.monotonic()
        try:
            return method(*arguments, **more)
        finally:
            os.write(output, json.dumps([name, time.monotonic() - began]).encode() + b"\n")

    return call


def main() -> int:
    options = json.load(sys.stdin)
    with tempfile.TemporaryFile() as printed, tempfile.TemporaryFile() as told:
        for name, (owner, methods) in METHODS.items():
            for method in methods:
                setattr(owner, method, timed(getattr(owner, method), name, told.fileno()))
        arguments = {**options, "_ansible_tmpdir": tempfile.gettempdir()}
        began = time.monotonic()
        os.waitpid(module_process.begin(image_copy, arguments, printed.fileno()), 0)
        whole = time.monotonic() - began
        printed.seek(0)
        told.seek(0)
        result = json.loads(printed.read().decode())
        lines = [json.loads(line) for line in told]
    if not result.get("changed") or not result.get("record"):
        print(json.dumps(result)[:2000])
        return 1
    found = {name: sum(seconds for other, seconds in lines if other == name) for name in METHODS}
    print(json.dumps({**found, "whole": whole}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
