# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This plugin util is PRIVATE to the collection. It can have breaking changes at any time.

"""A module without a payload: its own code, in a child of the worker process, which has imported it already.

ansible-core's own way of running a module is kept, from the arguments to the parsing of what was printed. Only what it
would build, write and start is replaced.
"""

from __future__ import annotations

import json
import signal
import sys
import typing as t

from ansible.module_utils.common.text.converters import to_text
from ansible.plugins.action import ActionBase

from . import _core_internals
from ._child import NOT_BOUND, Child, NoChild, Outcome
from ._child_process import ModuleRun
from ._environment import environment_of
from ._imported import module
from ._in_place_conditions import VARIABLE
from ._orphan import ansible_of_worker, end_process, is_orphaned
from ._progress_report import ProgressReport


class InPlace(ActionBase):
    """Runs a module of the collection once. The conditions hold (``_in_place_conditions``)."""

    _supports_check_mode = True

    def __init__(self, action: ActionBase, name: str, label: str) -> None:
        """``label`` is what progress lines begin with."""
        super().__init__(
            action._task,
            action._connection,
            action._play_context,
            action._loader,
            action._templar,
            action._shared_loader_obj,
        )
        self._name = name
        self._label = label
        self._run: ModuleRun | None = None

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """The result of the module, as a task has it."""
        result: dict[str, t.Any] = self._execute_module(task_vars=task_vars)
        return result

    def _is_pipelining_enabled(self, *_arguments: t.Any, **_options: t.Any) -> bool:
        # No file is made, and so no directory for it.
        return True

    def _configure_module(
        self, module_name: str, module_args: dict[str, t.Any], task_vars: dict[str, t.Any]
    ) -> tuple[t.Any, str]:
        code = module(self._name)
        self._run = ModuleRun(
            main=code.main,
            arguments=_core_internals.encoded(module_args, module_name),
            directory=self._loader.get_basedir(),
            environment=environment_of(self),
            ansible=ansible_of_worker(),
        )
        return _core_internals.built(sys.executable), code.__file__

    def _low_level_execute_command(self, *_arguments: t.Any, **_options: t.Any) -> t.Any:
        try:
            outcome = self._outcome()
        except NoChild as error:
            outcome = self._failure(NOT_BOUND, self._not_started(f"no process can be forked ({error})"))
        if outcome.status < 0:
            outcome = self._failure(outcome.status, self._killed_by(-outcome.status))
        elif outcome.status == NOT_BOUND and not outcome.stdout:
            outcome = self._failure(NOT_BOUND, self._not_started("the kernel does not end a process with its parent"))
        out, err = outcome.stdout, outcome.stderr
        stdout, stderr = (to_text(output, errors="surrogate_then_replace") for output in (out, err))
        return {
            "rc": outcome.status,
            "stdout": stdout,
            "stdout_lines": stdout.splitlines(),
            "stderr": stderr,
            "stderr_lines": stderr.splitlines(),
        }

    def _outcome(self) -> Outcome:
        report = ProgressReport(self._label, silent=bool(self._task.no_log))

        def look() -> None:
            if is_orphaned():
                child.kill()
                end_process()
            report.show()

        with Child(t.cast(ModuleRun, self._run).run) as child:
            return child.outcome(report.take, look)

    @staticmethod
    def _failure(status: int, message: str) -> Outcome:
        """What a module that failed with a message would have printed."""
        return Outcome(status, json.dumps({"failed": True, "msg": message}).encode(), b"")

    def _not_started(self, why: str) -> str:
        return (
            f"The module {self._task.action} could not be started in place: {why}. "
            f"With {VARIABLE}: false, modules run as payloads."
        )

    def _killed_by(self, number: int) -> str:
        try:
            name = signal.Signals(number).name
        except ValueError:
            name = f"signal {number}"
        why = ", perhaps because the machine ran out of memory" if number == signal.SIGKILL else ""
        return f"The module {self._task.action} was killed by {name} before it had a result{why}."
