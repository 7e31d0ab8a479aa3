# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This plugin util is PRIVATE to the collection. It can have breaking changes at any time.

"""The controller's side of every module: as Ansible's own for modules that have none, but they start sooner.

Where it can, a module runs in place (``_in_place_conditions``), and elsewhere as a payload.

To build what it sends to the managed node, ansible-core parses the module and all that it imports. Python's garbage
collector takes about half of that time, looking through syntax trees in which there is no garbage
(``tests/benchmark/startup.py`` measures both).

Besides, an option that is given as null is as one that isn't given, so that ``module_defaults`` can't fill it; what
keeps a module from running is in its message; and tasks of the collection's roles look at the role's variables first.
"""

from __future__ import annotations

import contextlib
import gc
import typing as t

from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ._environment import environment_of
from ._imported import import_module
from ._in_place import InPlace
from ._in_place_conditions import why_payload
from ._module_failure import explained
from ._role_variables import RoleVariables

OBJECTS_BETWEEN_COLLECTIONS = 200_000
"""More than all syntax trees of a payload have."""
_COLLECTION = "imageops.registry."

display = Display()


@contextlib.contextmanager
def collecting_rarely() -> t.Iterator[None]:
    """Let the garbage collector run less often, for a while."""
    before = gc.get_threshold()
    gc.set_threshold(OBJECTS_BETWEEN_COLLECTIONS, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)


def without_nulls(options: dict[str, t.Any]) -> dict[str, t.Any]:
    """The options of a task that have a value, and so those of its source."""
    given = {name: value for name, value in options.items() if value is not None}
    if isinstance(given.get("source"), dict):
        given["source"] = {name: value for name, value in given["source"].items() if value is not None}
    return given


class ModuleAction(ActionBase):
    """Runs the module of the same name."""

    _supports_check_mode = True
    _supports_async = True

    def __init_subclass__(cls) -> None:
        """Import the module of every action plugin that is loaded."""
        if cls._is_plugin():
            import_module(cls._name())

    @classmethod
    def _is_plugin(cls) -> bool:
        """Whether this is the class of an action plugin, not one that plugins share."""
        return cls.__module__.rpartition(".")[0].endswith(".plugins.action")

    @classmethod
    def _name(cls) -> str:
        """The name of the module."""
        return cls.__module__.rpartition(".")[2]

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Run the module, detached from this process where the task has ``async``."""
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        variables = self._role_variables(task_vars or {})
        if variables:
            mistake = self._checked(variables)
            if mistake:
                return {**result, "failed": True, "msg": mistake}
            try:
                self._task.args = self._arguments_in_role(variables.connected(self._task.args), variables.prefix)
            except (AnsibleError, OSError, ValueError) as error:
                return {**result, "failed": True, "msg": getattr(error, "message", "") or str(error)}
        mistake = self._mistake_in_environment()
        if mistake:
            return {**result, "failed": True, "msg": mistake}
        self._task.args = without_nulls(self._task.args)
        in_place = self._runs_in_place(task_vars or {})
        if self._task.async_val:
            result.update(self._execute_module(task_vars=task_vars, wrap_async=self._task.async_val))
            return result
        run = self._execute_in_place if in_place else self._execute
        result.update(explained(run(task_vars or {}), self._task.args))
        if variables:
            result = self._result_in_role(variables.named(result, self._task.args))
        self._remove_tmp_path(self._connection._shell.tmpdir)
        return result

    def _arguments_in_role(self, arguments: dict[str, t.Any], prefix: str) -> dict[str, t.Any]:
        """The arguments of the module in a role whose variables have that prefix. Raises what is wrong with them."""
        return arguments

    def _result_in_role(self, result: dict[str, t.Any]) -> dict[str, t.Any]:
        """The result of the task in a role."""
        return result

    def _mistake_in_environment(self) -> str:
        """What no process can have in its environment, wherever the module runs; empty where there is nothing."""
        for name, value in environment_of(self).items():
            if "\0" in f"{name}{value}":
                shown = name.replace("\0", "\\0")
                return f"environment: {shown} has a null character in it, which no variable can have. Remove it."
        return ""

    def _runs_in_place(self, task_vars: dict[str, t.Any]) -> bool:
        """Whether the module runs in place, which a line at ``-vvv`` tells."""
        reason = why_payload(self, self._name(), task_vars)
        where = f"runs as a payload: {reason}" if reason else "runs in place"
        display.vvv(f"{self._task.action} {where}", host=self._host(task_vars))
        return not reason

    def _execute_in_place(self, task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        return InPlace(self, self._name(), self._label(task_vars)).run(task_vars=task_vars)

    def _label(self, task_vars: dict[str, t.Any]) -> str:
        """What lines about the module begin with while it runs."""
        return f"{self._host(task_vars)}: {self._task.action}"

    def _host(self, task_vars: dict[str, t.Any]) -> str:
        """The name of the host that the task runs on."""
        return str(self._task.delegate_to or task_vars.get("inventory_hostname", ""))

    def _role_variables(self, task_vars: dict[str, t.Any]) -> RoleVariables | None:
        """The variables of the role that the task belongs to; None if it is no role of this collection."""
        role = self._task._role
        name = role.get_name() if role else ""
        if not name.startswith(_COLLECTION):
            return None
        return RoleVariables(f"{name[len(_COLLECTION) :]}_", task_vars, role.get_default_vars())

    def _checked(self, variables: RoleVariables) -> str:
        """What is wrong with the variables of the role. A name that is misspelt is only warned of."""
        for name, meant in variables.misspelt():
            display.warning(
                f"{name}: the role {self._task._role.get_name()} has no variable of this name, and ignores it. "
                f"If {meant} is meant, rename it; if not, rename yours."
            )
        return variables.mistake(self._templar.template, self._task.args)

    def _execute(self, task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        result: dict[str, t.Any] = self._execute_module(task_vars=task_vars)
        return result

    def _configure_module(self, *arguments: t.Any, **options: t.Any) -> t.Any:
        with collecting_rarely():
            return super()._configure_module(*arguments, **options)
