# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This plugin util is PRIVATE to the collection. It can have breaking changes at any time.

"""When a module runs in place: where nobody can tell it from a payload, except by the time that it takes."""

from __future__ import annotations

import fnmatch
import os
import re
import sys
import threading
import typing as t

from ansible import constants
from ansible.errors import AnsibleError
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins import connection as connection_plugins
from ansible.plugins.action import ActionBase

from . import _core_internals
from ._environment import environment_of
from ._imported import problem
from ._orphan import parent_of

VARIABLE = "imageops_registry_in_place"
"""False where a user wants payloads."""
_FOR_NEW_PROCESSES = ("PYTHON*", "LD_*", "DYLD_*", "OPENSSL_*")
"""Variables that are read while a process begins, or once in its life."""
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
"""What a shell takes for the name of a variable."""
_LOCAL = os.path.join(os.path.dirname(connection_plugins.__file__), "local.py")


def why_payload(action: ActionBase, module: str, task_vars: dict[str, t.Any]) -> str:
    """Why a module has to run as a payload, in words; empty where it runs in place.

    Raises :class:`AnsibleError` where what decides that can't be templated.
    """
    host_vars = _variables_of_host(action, task_vars)
    return (
        _why_not_wanted(action, task_vars, host_vars)
        or _why_not_possible(module)
        or _why_not_here(action)
        or _why_debugged(host_vars)
        or _why_limited(action, host_vars)
        or _why_other_environment(action)
        or _why_other_python(action, host_vars)
    )


def _variables_of_host(action: ActionBase, task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
    """The variables of the host that the task runs on."""
    delegated = action._task.delegate_to
    if not delegated:
        return task_vars
    return t.cast("dict[str, t.Any]", task_vars["ansible_delegated_vars"][delegated])


def _why_not_wanted(action: ActionBase, *places: dict[str, t.Any]) -> str:
    for variables in places:
        value = action._templar.template(variables.get(VARIABLE, True))
        try:
            wanted = boolean(value)
        except TypeError as error:
            raise AnsibleError(f"The variable {VARIABLE} must be true or false.") from error
        if not wanted:
            return f"{VARIABLE} is false"
    return ""


def _why_not_possible(module: str) -> str:
    if sys.platform != "linux":
        return "Ansible does not run on Linux"
    if parent_of(os.getpid()) != os.getppid():
        return "/proc does not show this process"
    if _core_internals.PROBLEM:
        return f"this release of ansible-core is unknown ({_core_internals.PROBLEM})"
    return problem(module)


def _why_not_here(action: ActionBase) -> str:
    kind = type(action._connection)
    if getattr(sys.modules.get(kind.__module__), "__file__", "") != _LOCAL or kind.__name__ != "Connection":
        return f"the connection is {action._connection.transport}, not ansible.builtin.local"
    if action._connection.become is not None:
        return "it becomes another user"
    if action._task.async_val:
        return "it is detached by async"
    if threading.active_count() > 1:
        return "other threads run in the worker process of Ansible"
    return ""


def _why_debugged(host_vars: dict[str, t.Any]) -> str:
    for name in ("KEEP_REMOTE_FILES", "DEBUG"):
        if getattr(constants, f"DEFAULT_{name}"):
            return f"ANSIBLE_{name} is on"
    debuggers = _core_internals.debuggers(host_vars)
    return f"{' and '.join(debuggers)} of modules is on" if debuggers else ""


def _why_limited(action: ActionBase, host_vars: dict[str, t.Any]) -> str:
    limit = constants.config.get_config_value("PYTHON_MODULE_RLIMIT_NOFILE", variables=host_vars)
    return "" if str(action._templar.template(limit)) == "0" else "ansible_python_module_rlimit_nofile is set"


def _why_other_environment(action: ActionBase) -> str:
    for name in environment_of(action):
        if not _NAME.fullmatch(name):
            return f"environment sets {name!r}, which is not a valid variable name"
        if any(fnmatch.fnmatchcase(name, pattern) for pattern in _FOR_NEW_PROCESSES):
            return f"environment sets {name}"
    return ""


def _why_other_python(action: ActionBase, host_vars: dict[str, t.Any]) -> str:
    python = _core_internals.interpreter(host_vars, action._templar)
    return f"the interpreter is {python}, not {sys.executable}" if python not in ("", sys.executable) else ""
