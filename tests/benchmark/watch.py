# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run a command and append what it took to a file, as one line of JSON.

Usage: watch.py FILE COMMAND [ARGUMENT...]

A process of its own, since the peak memory of a command never falls below that of the process that starts it. It also
stands in for the Python of managed hosts, and so sees single modules.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time


def main() -> int:
    _program, file, *command = sys.argv
    started = time.monotonic()
    pid = os.fork()
    if pid == 0:
        try:
            os.execvp(command[0], command)
        finally:
            os._exit(127)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # it is for the command, whose end is waited for
    _pid, status, usage = os.wait4(pid, 0)
    line = {
        "seconds": time.monotonic() - started,
        "processor_seconds": usage.ru_utime + usage.ru_stime,
        "peak_kib": usage.ru_maxrss,  # of the largest single process among the command and what it waited for
        "module": next((name for name in command if "AnsiballZ_" in name), ""),
    }
    with open(file, "a", encoding="utf-8") as stream:
        stream.write(json.dumps(line) + "\n")
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main())
