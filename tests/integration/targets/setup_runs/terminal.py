# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run a command in a terminal, and answer what it asks there."""

from __future__ import annotations

import os
import pty
import select
import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from killing import kill_tree

QUIET = 1.0
"""Seconds without output after a question, from which on somebody waits for the answer.

Ansible throws away what was typed before it waits.
"""
LONGEST = 300
"""Seconds after which the command is killed."""
NEXT_TASK = b"TASK ["
"""What Ansible prints when the answer was taken."""


class Answer(NamedTuple):
    """What is typed when the question is printed."""

    question: str
    typed: str


def run_in_terminal(command: Sequence[str], environment: Mapping[str, str], answer: Answer) -> tuple[int, str]:
    """Run the command with a terminal of its own. Returns its exit status, and all that it has printed."""
    pid, terminal = pty.fork()
    if not pid:
        try:
            os.execvpe(command[0], list(command), {**environment, "TERM": "dumb", "ANSIBLE_NOCOLOR": "1"})
        finally:
            os._exit(127)
    printed = b""
    end = time.monotonic() + LONGEST
    while True:
        if time.monotonic() > end:
            kill_tree(pid)
        if select.select([terminal], [], [], QUIET)[0]:
            try:
                printed += os.read(terminal, 65536)
            except OSError:
                # On Linux, this is how the end looks: nobody has the terminal open any more.
                break
        elif answer.question.encode() in printed.rpartition(NEXT_TASK)[2]:
            os.write(terminal, f"{answer.typed}\r".encode())
    os.close(terminal)
    _pid, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status), printed.decode(errors="replace").replace("\r\n", "\n")
