# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A module without Ansible: what stands in for ``AnsibleModule``, and how a run of it ends."""

from __future__ import annotations

import typing as t

from ansible_collections.imageops.registry.plugins.module_utils._module._connection import ONE_END, WHOLE_TASK
from ansible_collections.imageops.registry.plugins.module_utils._module._task import Task, run


class Ended(Exception):
    """A module ended; the result is what Ansible would get."""

    def __init__(self, failed: bool, result: dict[str, t.Any]) -> None:
        super().__init__(result.get("msg", ""))
        self.failed = failed
        self.result = result


class Module:
    """Stands in for AnsibleModule."""

    def __init__(self, *, check_mode: bool = False, source: dict[str, t.Any] | None = None, **given: t.Any) -> None:
        one_end = {name: option.get("default") for name, option in ONE_END.items()}
        whole = {name: option.get("default") for name, option in WHOLE_TASK.items()}
        self.params: dict[str, t.Any] = {**one_end, **whole, "registry": "r.example", **given}
        self.params["source"] = None if source is None else {**one_end, "registry": "s.example", **source}
        self.check_mode = check_mode
        self._diff = False
        self._verbosity = 0
        self.no_log_values: set[str] = set()
        self.warned: list[str] = []

    def warn(self, text: str) -> None:
        self.warned.append(text)

    def exit_json(self, **result: t.Any) -> t.NoReturn:
        raise Ended(False, result)

    def fail_json(self, msg: str, **result: t.Any) -> t.NoReturn:
        raise Ended(True, {"msg": msg, **result})

    @property
    def task(self) -> Task:
        return Task(t.cast(t.Any, self))


def ended(work: t.Callable[[Task], dict[str, t.Any]], module: Module | None = None) -> Ended:
    """How a run of a module ends that does this work."""
    try:
        run(t.cast(t.Any, module or Module()), work)
    except Ended as end:
        return end


def raising(error: BaseException) -> t.Callable[[Task], dict[str, t.Any]]:
    """Work that fails with that error."""

    def work(task: Task) -> dict[str, t.Any]:
        raise error

    return work
