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

import module_process

LONGEST_PAUSE = 0.02
"""Seconds."""

_sleep = time.sleep


def _pause(seconds: float) -> None:
    _sleep(min(seconds, LONGEST_PAUSE))


def main() -> None:
    for line in sys.stdin:
        asked = json.loads(line)
        with open(asked["output"], "wb") as output:
            pid = module_process.begin(image_copy, asked["params"], output.fileno())
        print(pid, flush=True)
        _pid, ended = os.waitpid(pid, 0)
        print(os.waitstatus_to_exitcode(ended), flush=True)


if __name__ == "__main__":
    time.sleep = _pause  # before the collection takes it
    from ansible_collections.imageops.registry.plugins.modules import image_copy

    main()
