# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import gc
import importlib
import pathlib
import types
import typing as t

import pytest
from ansible.plugins.action import ActionBase
from ansible_collections.imageops.registry.plugins import action, modules
from ansible_collections.imageops.registry.plugins.plugin_utils._attended_module import AttendedModule
from ansible_collections.imageops.registry.plugins.plugin_utils._module_action import ModuleAction

WRITING = {"blob", "image_archive", "image_copy", "manifest", "tag"}


class Recording(ModuleAction):
    """What it does with the module and with its files on the managed node."""

    def __init__(self, async_val: int) -> None:
        self._task = types.SimpleNamespace(async_val=async_val, check_mode=False)
        self._connection = types.SimpleNamespace(_shell=types.SimpleNamespace(tmpdir="/there"))
        self.done: list[t.Any] = []

    def _execute_module(self, **options: t.Any) -> dict[str, t.Any]:
        self.done.append(options)
        return {"changed": True}

    def _remove_tmp_path(self, path: str) -> None:
        self.done.append(path)


@pytest.fixture(autouse=True)
def _without_ansible(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ActionBase, "run", lambda self, tmp, task_vars: {})


def test_a_module_runs_and_leaves_nothing_behind() -> None:
    recording = Recording(0)
    assert recording.run(task_vars={"a": 1}) == {"changed": True}
    assert recording.done == [{"task_vars": {"a": 1}}, "/there"]


def test_a_module_with_async_is_detached_and_keeps_its_files() -> None:
    recording = Recording(60)
    assert recording.run(task_vars={"a": 1}) == {"changed": True}
    assert recording.done == [{"task_vars": {"a": 1}, "wrap_async": 60}]


@pytest.mark.parametrize("fails", [False, True])
def test_garbage_is_looked_for_rarely_while_the_payload_is_built(monkeypatch: pytest.MonkeyPatch, fails: bool) -> None:
    thresholds = []

    def build(*_arguments: object, **_options: object) -> str:
        thresholds.append(gc.get_threshold())
        if fails:
            raise ValueError
        return "built"

    monkeypatch.setattr(ActionBase, "_configure_module", build)
    before = gc.get_threshold()
    if fails:
        with pytest.raises(ValueError):
            Recording(0)._configure_module("tag")
    else:
        assert Recording(0)._configure_module("tag", module_args={}) == "built"
    assert thresholds[0][0] >= 100 * before[0]
    assert gc.get_threshold() == before


def test_every_module_has_its_side_of_the_controller_and_those_that_write_are_attended() -> None:
    sides, names = (
        {path.stem for path in pathlib.Path(package.__path__[0]).glob("[a-z]*.py")} for package in (action, modules)
    )
    assert sides == names
    attended = {
        name
        for name in names
        if issubclass(importlib.import_module(f"{action.__name__}.{name}").ActionModule, AttendedModule)
    }
    assert attended == WRITING
