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
from ansible_collections.imageops.registry.plugins.plugin_utils import _module_action
from ansible_collections.imageops.registry.plugins.plugin_utils._attended_module import AttendedModule
from ansible_collections.imageops.registry.plugins.plugin_utils._module_action import ModuleAction

DEFAULTS = {"promote_immutable_tags": [], "promote_artifacts": ["all"]}
INTERPRETER = "Is ansible_python_interpreter right for this host?"


class Recording(ModuleAction):
    """What it does with the module and with its files on the managed node."""

    def __init__(self, async_val: int, *, role: t.Any = None, answer: t.Any = None, **arguments: t.Any) -> None:
        self._task = types.SimpleNamespace(async_val=async_val, check_mode=False, args=arguments, _role=role)
        self._task.action, self._task.delegate_to = "x", None
        self._templar = types.SimpleNamespace(template=lambda value: value)
        self._answer = answer or {"changed": True}
        self._connection = types.SimpleNamespace(_shell=types.SimpleNamespace(tmpdir="/there"))
        self.done: list[t.Any] = []

    def _execute_module(self, **options: t.Any) -> dict[str, t.Any]:
        self.done.append(options)
        return dict(self._answer)

    def _remove_tmp_path(self, path: str) -> None:
        self.done.append(path)


class Role:
    """A role, as a task knows it."""

    def __init__(self, name: str) -> None:
        self.get_name = lambda: name
        self.get_default_vars = lambda: DEFAULTS


@pytest.fixture(autouse=True)
def _without_ansible(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ActionBase, "run", lambda self, tmp, task_vars: {})
    monkeypatch.setattr(ActionBase, "_compute_environment_string", lambda self, found: "")
    monkeypatch.setattr(_module_action, "why_payload", lambda action, name, task_vars: "a test")


def test_a_module_runs_and_leaves_nothing_behind() -> None:
    recording = Recording(0)
    assert recording.run(task_vars={"a": 1}) == {"changed": True}
    assert recording.done == [{"task_vars": {"a": 1}}, "/there"]


@pytest.mark.parametrize(("name", "value"), [("A", "x\0y"), ("A\0", "x")])
def test_what_no_environment_can_hold_is_one_sentence(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setattr(
        ActionBase, "_compute_environment_string", lambda self, found: found.update({"B": "1", name: value})
    )
    recording = Recording(0)
    shown = name.replace("\0", "\\0")
    assert recording.run(task_vars={}) == {
        "failed": True,
        "msg": f"environment: {shown} has a null character in it, which no variable can have. Remove it.",
    }
    assert not recording.done


def test_a_module_with_async_is_detached_and_keeps_its_files() -> None:
    recording = Recording(60)
    assert recording.run(task_vars={"a": 1}) == {"changed": True}
    assert recording.done == [{"task_vars": {"a": 1}, "wrap_async": 60}]


def test_a_null_is_as_an_option_that_is_not_given() -> None:
    source = {"registry": "dev.example", "token": None}
    recording = Recording(0, registry="prod.example", username=None, authfile=None, plain_http=False, source=source)
    recording.run()
    assert recording._task.args == {
        "registry": "prod.example",
        "plain_http": False,
        "source": {"registry": "dev.example"},
    }
    assert source == {"registry": "dev.example", "token": None}


def test_why_a_module_could_not_run_is_in_its_message() -> None:
    answer = {"failed": True, "msg": "no JSON", "module_stdout": "my-secret-word", "module_stderr": "", "rc": 126}
    result = Recording(0, answer=answer, password="my-secret-word").run()
    assert result["msg"] == f"no JSON. It ended with exit status 126. {INTERPRETER} Standard output: ********"
    assert result["module_stdout"] == "********"


def warned(monkeypatch: pytest.MonkeyPatch, recording: Recording, **variables: t.Any) -> list[str]:
    warnings: list[str] = []
    monkeypatch.setattr(_module_action.display, "warning", warnings.append)
    assert recording.run(task_vars={**DEFAULTS, **variables})["changed"]
    return warnings


def test_a_variable_of_a_role_that_is_misspelt_is_warned_of_without_its_value(monkeypatch: pytest.MonkeyPatch) -> None:
    role = Role("imageops.registry.promote")
    assert warned(monkeypatch, Recording(0, role=role), promote_immutable_tag="my-secret-word") == [
        "promote_immutable_tag: the role imageops.registry.promote has no variable of this name, and ignores it. "
        "If promote_immutable_tags is meant, rename it; if not, rename yours."
    ]


@pytest.mark.parametrize("role", [None, Role("promote"), Role("other.collection.promote")])
def test_variables_of_other_roles_are_not_looked_at(monkeypatch: pytest.MonkeyPatch, role: Role | None) -> None:
    recording = Recording(0, role=role)
    assert warned(monkeypatch, recording, promote_immutable_tag=["v1"], promote_source="text") == []


def test_a_mistake_in_a_variable_of_a_role_ends_its_task_before_the_module() -> None:
    recording = Recording(0, role=Role("imageops.registry.promote"))
    result = recording.run(task_vars={**DEFAULTS, "promote_source": "text"})
    assert result["failed"] and result["msg"].startswith("promote_source and promote_destination must be mappings")
    assert recording.done == []


def test_images_in_a_message_of_a_module_have_their_name_in_the_role() -> None:
    answer = {"failed": True, "msg": "images[0]: a tag or a digest is needed beside the repository."}
    recording = Recording(0, role=Role("imageops.registry.promote"), answer=answer)
    assert recording.run(task_vars={**DEFAULTS, "promote_images": []})["msg"] == f"promote_{answer['msg']}"
    assert Recording(0, answer=answer).run()["msg"] == answer["msg"]


def test_where_a_module_runs_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[t.Any] = []
    monkeypatch.setattr(_module_action.display, "vvv", lambda line, host: lines.append((line, host)))
    recording = Recording(0)
    recording.run(task_vars={"inventory_hostname": "web1"})
    monkeypatch.setattr(_module_action, "why_payload", lambda action, name, task_vars: "")
    monkeypatch.setattr(recording, "_execute_in_place", lambda task_vars: {"changed": "in place"})
    assert recording.run(task_vars={"inventory_hostname": "web1"}) == {"changed": "in place"}
    assert lines == [("x runs as a payload: a test", "web1"), ("x runs in place", "web1")]


def test_why_a_module_could_not_run_in_place_is_in_its_message(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = {"failed": True, "msg": "no JSON", "module_stdout": "", "module_stderr": "my-secret-word", "rc": 3}
    monkeypatch.setattr(_module_action, "why_payload", lambda action, name, task_vars: "")
    recording = Recording(0, password="my-secret-word")
    monkeypatch.setattr(recording, "_execute_in_place", lambda task_vars: answer)
    assert recording.run()["msg"] == "no JSON. It ended with exit status 3. Standard error: ********"


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


def test_every_module_has_its_side_of_the_controller_and_is_attended() -> None:
    sides, names = (
        {path.stem for path in pathlib.Path(package.__path__[0]).glob("[a-z]*.py")} for package in (action, modules)
    )
    assert sides == names
    attended = {
        name
        for name in names
        if issubclass(importlib.import_module(f"{action.__name__}.{name}").ActionModule, AttendedModule)
    }
    assert attended == names
