# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This plugin util is PRIVATE to the collection. It can have breaking changes at any time.

"""The controller's side of every module: as Ansible's own for modules that have none, but they start sooner.

To build what it sends to the managed node, ansible-core parses the module and all that it imports. Python's garbage
collector takes about half of that time, looking through syntax trees in which there is no garbage
(``tests/benchmark/startup.py`` measures both).
"""

from __future__ import annotations

import contextlib
import gc
import typing as t

from ansible.plugins.action import ActionBase

OBJECTS_BETWEEN_COLLECTIONS = 200_000
"""More than all syntax trees of a payload have."""


@contextlib.contextmanager
def collecting_rarely() -> t.Iterator[None]:
    """Let the garbage collector run less often, for a while."""
    before = gc.get_threshold()
    gc.set_threshold(OBJECTS_BETWEEN_COLLECTIONS, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)


class ModuleAction(ActionBase):  # type: ignore[misc]  # ansible-core has no types
    """Runs the module of the same name."""

    _supports_check_mode = True
    _supports_async = True

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Run the module, detached from this process where the task has ``async``."""
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        if self._task.async_val:
            result.update(self._execute_module(task_vars=task_vars, wrap_async=self._task.async_val))
            return result
        result.update(self._execute(task_vars or {}))
        self._remove_tmp_path(self._connection._shell.tmpdir)
        return result

    def _execute(self, task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        result: dict[str, t.Any] = self._execute_module(task_vars=task_vars)
        return result

    def _configure_module(self, *arguments: t.Any, **options: t.Any) -> t.Any:
        with collecting_rarely():
            return super()._configure_module(*arguments, **options)
