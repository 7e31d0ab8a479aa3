# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""playbooks.py: run ansible-playbook again and again, each time in a process of its own that needn't import it.

Standard input has a line of JSON for each run: {"arguments", "output"}, in which "output" is the file that gets what
it prints. For each run, its exit status is a line of standard output. The environment is that of all runs.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from ansible import constants
from ansible.cli.playbook import PlaybookCLI


def run(asked: dict[str, Any]) -> None:
    """Be ansible-playbook, to the end of this process."""
    for path, flags, stream in (
        (os.devnull, os.O_RDONLY, 0),
        (asked["output"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 1),
    ):
        opened = os.open(path, flags, 0o600)
        os.dup2(opened, stream)
        os.close(opened)
    os.dup2(1, 2)
    # Whoever runs removes it at the end.
    os.makedirs(constants.DEFAULT_LOCAL_TMP, mode=0o700, exist_ok=True)
    sys.argv = ["ansible-playbook", *asked["arguments"]]
    PlaybookCLI.cli_executor(sys.argv)


def main() -> None:
    for line in sys.stdin:
        pid = os.fork()
        if not pid:
            run(json.loads(line))
        _pid, status = os.waitpid(pid, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


main()
