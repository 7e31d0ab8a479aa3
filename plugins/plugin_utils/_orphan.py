# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This plugin util is PRIVATE to the collection. It can have breaking changes at any time.

"""Whether a worker process of Ansible still has the Ansible that started it."""

from __future__ import annotations

import multiprocessing
import os
import signal


def is_orphaned() -> bool:
    """Whether this is a worker whose Ansible was killed."""
    return ansible_of_worker() != os.getppid()


def end_process() -> None:
    """End at once. There is nobody to whom anything could be reported."""
    os.kill(os.getpid(), signal.SIGKILL)


def parent_of(process: int) -> int:
    """The parent of a process, as /proc has it; 0 where that doesn't say it."""
    try:
        with open(f"/proc/{process}/stat", "rb") as file:
            return int(file.read().rpartition(b")")[2].split()[1])
    except (OSError, ValueError, IndexError):
        return 0


def ansible_of_worker() -> int:
    """The process that started this one to run a task."""
    parent = multiprocessing.parent_process()
    return (parent.pid if parent else None) or os.getppid()
