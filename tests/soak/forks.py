# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs the module image_copy many times, each time in a fork of this process, which has imported everything already.

A line of JSON on standard input is a run: ``params``, and ``output``, the file that gets what the module prints. Each
is answered with two lines: the run's process, and when that has ended, its status, negative where a signal ended it.

It runs in the Python that has ansible-core, with the collection on its path. What waits before it tries again waits for
a moment only: a schedule is about what happens, and in which order.
"""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any

LONGEST_PAUSE = 0.02
"""Seconds."""

_sleep = time.sleep


def _pause(seconds: float) -> None:
    _sleep(min(seconds, LONGEST_PAUSE))


def _run(params: dict[str, Any], output: str) -> None:
    """The module's own process, from its arguments to its result. Doesn't return."""
    status = 70
    try:
        os.setsid()
        nothing = os.open(os.devnull, os.O_RDONLY)
        result = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.dup2(nothing, 0)
        os.dup2(result, 1)
        os.dup2(result, 2)
        basic._ANSIBLE_ARGS = json.dumps({"ANSIBLE_MODULE_ARGS": params}).encode()
        basic._ANSIBLE_PROFILE = "legacy"
        try:
            image_copy.main()
        except SystemExit as end:
            status = int(end.code or 0)
    finally:
        sys.stdout.flush()
        os._exit(status)


def main() -> None:
    for line in sys.stdin:
        asked = json.loads(line)
        pid = os.fork()
        if not pid:
            _run(asked["params"], asked["output"])
        print(pid, flush=True)
        _pid, ended = os.waitpid(pid, 0)
        print(os.waitstatus_to_exitcode(ended), flush=True)


if __name__ == "__main__":
    time.sleep = _pause  # before the collection takes it
    from ansible.module_utils import basic
    from ansible_collections.imageops.registry.plugins.modules import image_copy

    main()
