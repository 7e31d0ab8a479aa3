# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This plugin util is PRIVATE to the collection. It can have breaking changes at any time.

"""What the tasks of a role do about plans: they read one from a file, and hand a large one on beside the events."""

from __future__ import annotations

import os
import typing as t
from collections.abc import Mapping

from ansible.errors import AnsibleError, AnsibleFileNotFound

from ..module_utils._model._shown import is_content
from ..module_utils._promotion._items import MOVING
from ._attended_module import AttendedModule
from ._kept import kept, whole

_EXPECTED = "Give the result of image_diff_info, or the path of a file with it in JSON or YAML on the controller."


class PlanAction(AttendedModule):
    """Runs a module whose results, and whose option ``plan``, may be large. Only in a role of the collection."""

    def _arguments_in_role(self, arguments: dict[str, t.Any], prefix: str) -> dict[str, t.Any]:
        plan = arguments.get("plan")
        if plan is None:
            return arguments
        if isinstance(plan, str):
            plan = self._read_plan(plan, f"{prefix}plan")
        elif not isinstance(plan, Mapping):
            raise AnsibleError(f"{prefix}plan is neither a mapping nor a path. {_EXPECTED}")
        return {**arguments, "plan": whole(plan) if arguments.get("trust_plan") is True else plan}

    def _result_in_role(self, result: dict[str, t.Any]) -> dict[str, t.Any]:
        moved = any(tag.get("action") in MOVING for tag in result.get("tags", ()))
        return kept({**result, "moved": moved})

    def _read_plan(self, path: str, name: str) -> t.Any:
        if not path:
            raise AnsibleError(f"{name} is empty. {_EXPECTED}")
        if is_content(path):
            raise AnsibleError(
                f"{name} is text, not a path. {_EXPECTED} To convert the text, use the filter from_json."
            )
        try:
            plan = self._loader.load_from_file(self._found(path), cache="none", unsafe=True)
        except AnsibleFileNotFound:
            raise AnsibleError(f"{name}: {path} is not there on the controller. {_EXPECTED}") from None
        except (AnsibleError, OSError, RecursionError, ValueError):
            raise AnsibleError(f"{name}: {path} cannot be read, or is neither JSON nor YAML. {_EXPECTED}") from None
        if not isinstance(plan, Mapping):
            raise AnsibleError(f"{name}: {path} does not contain a mapping. {_EXPECTED}")
        return plan

    def _found(self, path: str) -> str:
        """Where a file is: where Ansible looks for files of a task, or where it was started."""
        try:
            return str(self._find_needle("files", path))
        except AnsibleFileNotFound:
            here = os.path.abspath(path)
            if os.path.isfile(here):
                return here
            raise
