# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import pathlib
import types
import typing as t

import pytest
from ansible import constants
from ansible.errors import AnsibleError
from ansible.parsing.dataloader import DataLoader
from ansible_collections.imageops.registry.plugins.plugin_utils._kept import kept
from ansible_collections.imageops.registry.plugins.plugin_utils._plan_action import PlanAction

Plain = dict[str, t.Any]
PLAN: Plain = {"images": [{"digest": "sha256:1"}], "blobs": [], "manifests": [], "artifact_tags": [], "tags": []}
YAML = "images:\n  - digest: sha256:1\nblobs: []\nmanifests: []\nartifact_tags: []\ntags: []\n"


class Action(PlanAction):
    """One whose task finds files in one directory."""

    def __init__(self, directory: pathlib.Path) -> None:
        self._loader = DataLoader()
        self._loader.set_basedir(str(directory))
        self._task = types.SimpleNamespace(get_search_path=lambda: [str(directory)])


@pytest.fixture
def action(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Action:
    monkeypatch.setattr(constants, "DEFAULT_LOCAL_TMP", str(tmp_path))
    return Action(tmp_path)


def arguments(action: Action, **given: t.Any) -> Plain:
    return action._arguments_in_role(given, "promote_")


@pytest.mark.parametrize("given", [{"jobs": 4}, {"plan": None}, {"plan": PLAN}, {"plan": PLAN, "trust_plan": True}])
def test_other_arguments_stay(action: Action, given: Plain) -> None:
    assert arguments(action, **given) == given


@pytest.mark.parametrize(("name", "content"), [("plan.json", json.dumps(PLAN)), ("plan.yml", YAML)])
@pytest.mark.parametrize("relative", [False, True])
def test_a_plan_is_read_from_a_file(
    action: Action, tmp_path: pathlib.Path, name: str, content: str, relative: bool
) -> None:
    (tmp_path / name).write_text(content)
    path = name if relative else str(tmp_path / name)
    assert arguments(action, plan=path, trust_plan=False) == {"plan": PLAN, "trust_plan": False}


def test_a_plan_is_found_where_ansible_was_started(
    action: Action, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The playbook of the collection is somewhere else."""
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "plan.json").write_text(json.dumps(PLAN))
    monkeypatch.chdir(tmp_path / "here")
    assert arguments(action, plan="plan.json") == {"plan": PLAN}


def test_what_is_in_a_file_is_no_template(action: Action, tmp_path: pathlib.Path) -> None:
    text = "{{ lookup('pipe', 'id') }}"
    (tmp_path / "plan.json").write_text(json.dumps({**PLAN, "images": [text]}))
    assert arguments(action, plan="plan.json")["plan"]["images"] == [text]


@pytest.mark.parametrize(
    ("plan", "sentence"),
    [
        ("", "promote_plan is empty. Give"),
        (json.dumps(PLAN), "promote_plan is text, not a path. Give"),
        ("nowhere.json", "promote_plan: nowhere.json is not there on the controller. Give"),
        ("broken.json", "promote_plan: broken.json cannot be read, or is neither JSON nor YAML. Give"),
        ("list.json", "promote_plan: list.json does not contain a mapping. Give"),
        ([PLAN], "promote_plan is neither a mapping nor a path. Give"),
        (7, "promote_plan is neither a mapping nor a path. Give"),
    ],
)
def test_what_is_no_plan_is_said_in_a_sentence(
    action: Action, tmp_path: pathlib.Path, plan: t.Any, sentence: str
) -> None:
    (tmp_path / "broken.json").write_text('{"images": [')
    (tmp_path / "list.json").write_text("[]")
    with pytest.raises(AnsibleError) as raised:
        arguments(action, plan=plan)
    assert str(raised.value.message).startswith(sentence) and "\n" not in str(raised.value.message)


def test_only_the_plan_of_this_run_is_read_from_what_was_kept(action: Action) -> None:
    """What a user gives may name any file of this run, and is no plan then."""
    large = {**PLAN, "images": [{"digest": "x" * 100}] * 1000}
    registered = kept(large)
    assert arguments(action, plan=registered, trust_plan=True)["plan"] == large
    for trusted in (False, "yes", None):
        assert arguments(action, plan=registered, trust_plan=trusted)["plan"] == registered


@pytest.mark.parametrize(
    ("actions", "moved"), [([], False), (["exists", "skip", "reverted"], False), (["exists", "create"], True)]
)
def test_the_result_says_whether_tags_have_moved(action: Action, actions: list[str], moved: bool) -> None:
    result = action._result_in_role({"changed": True, "tags": [{"action": name} for name in actions]})
    assert result["moved"] is moved and len(result["tags"]) == len(actions)


def test_a_result_without_tags_has_moved_none(action: Action) -> None:
    assert action._result_in_role({"failed": True, "msg": "killed"})["moved"] is False
