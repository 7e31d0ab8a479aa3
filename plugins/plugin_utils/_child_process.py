# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This plugin util is PRIVATE to the collection. It can have breaking changes at any time.

"""What a module finds in a fork of Ansible's worker process is what it would find in a Python of its own."""

from __future__ import annotations

import atexit
import json
import logging
import os
import sys
import tempfile
import time
import typing as t

from ..module_utils._run._attachment import Tie, tie
from . import _core_internals
from ._child import Pipes
from ._orphan import parent_of

_OUT_OF_MEMORY = json.dumps({"failed": True, "msg": "The machine has not enough memory for the module."})


class ModuleRun(t.NamedTuple):
    """One run of a module: its function ``main``, its arguments, and where it runs."""

    main: t.Callable[[], object]
    arguments: bytes
    directory: str
    environment: t.Mapping[str, str]
    ansible: int
    """The process whose worker forks this one."""

    def run(self, pipes: Pipes) -> int:
        """Run the module in this process, which ends afterwards. Returns its exit status."""
        _separate(pipes)
        os.chdir(self.directory)
        _change_environment(self.environment)
        tie(Tie(_holder(self.ansible), _teller(pipes.state)))
        status = 1
        try:
            _core_internals.run_main(self.main, self.arguments)
        except SystemExit as end:
            status = end.code if isinstance(end.code, int) else int(end.code is not None)
        except MemoryError:
            print(_OUT_OF_MEMORY)
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        return status


def _holder(ansible: int) -> t.Callable[[], bool]:
    worker = os.getppid()
    return lambda: parent_of(worker) == ansible and os.getppid() == worker


def _teller(descriptor: int) -> t.Callable[[dict[str, t.Any]], None]:
    def tell(state: dict[str, t.Any]) -> None:
        os.write(descriptor, json.dumps(state).encode() + b"\n")

    return tell


def _separate(pipes: Pipes) -> None:
    """Leave behind what belongs to Ansible: its terminal, its log, and what it does when it ends."""
    atexit._clear()
    # Ansible's log file. What the libraries say goes nowhere in a payload.
    logging.root.handlers.clear()
    logging.root.setLevel(logging.WARNING)
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in range(3):
        os.dup2(nothing, descriptor)
    os.close(nothing)
    sys.stdin = os.fdopen(0, encoding="utf-8", closefd=False)
    sys.stdout = os.fdopen(pipes.stdout, "w", encoding="utf-8")
    sys.stderr = os.fdopen(pipes.stderr, "w", encoding="utf-8", errors="backslashreplace")


def _change_environment(environment: t.Mapping[str, str]) -> None:
    """Set the variables of the task, and forget what was made of others."""
    os.environ.update(environment)
    time.tzset()
    tempfile.tempdir = None
