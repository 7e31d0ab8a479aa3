# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What ansible-lint finds in tasks. ``make lint`` runs the linter itself, in ``tools/linted_tasks.py``."""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import os
import subprocess
import sys
import typing as t

import pytest
from ansible.module_utils import basic
from ansible.module_utils.testing import patch_module_args
from ansible_collections.imageops.registry.plugins.module_utils._module._connection import module_arguments
from ansible_collections.imageops.registry.plugins.plugin_utils import _linted
from ansible_collections.imageops.registry.plugins.plugin_utils._linted import check, is_template, loosened, main_of
from ansible_collections.imageops.registry.tests.unit.support.module_runs import (
    Plain,
    names_of_modules,
    run_module,
    succeed,
)
from ansible_collections.imageops.registry.tests.unit.support.registry_server import RegistryServer

ACTIONS = "ansible_collections.imageops.registry.plugins.action"
TEMPLATE = "{{ given | default(omit) }}"
ITEM: Plain = {
    "type": "list",
    "elements": "dict",
    "options": {
        "repository": {"type": "str", "required": True},
        "size": {"type": "int", "aliases": ["length"]},
        "kind": {"type": "str", "choices": ["good", "bad"]},
    },
}
ARGUMENTS = module_arguments(
    {
        "name": {"type": "str"},
        "names": {"type": "list", "elements": "str"},
        "items": ITEM,
        "level": {"type": "str", "choices": ["low", "high"], "default": "low"},
        "depth": {"type": "int"},
        "path": {"type": "path"},
        "parts": {"type": "list", "elements": "str", "choices": ["head", "body"]},
        "wanted": {"type": "str", "required": True},
    },
    source="optional",
    required_one_of=[("name", "names")],
    mutually_exclusive=[("name", "names")],
    required_together=[("name", "path")],
    required_by={"depth": ("name",)},
    required_if=[("level", "high", ["items"])],
)
GOOD: Plain = {"wanted": "a", "names": ["a"]}
NAMED: Plain = {"wanted": "a", "name": "a", "path": "/a"}


class Passed(Exception):
    """The linter's way out: the options are good."""


class OfLinter(basic.AnsibleModule):
    """As the linter has it: the check is its end."""

    def __init__(self, **options: t.Any) -> None:
        super().__init__(**options)
        raise Passed


def said(options: Plain, look: t.Callable[[], None]) -> str:
    """What the check says of the options of a task; empty where it has nothing to say."""
    printed = io.StringIO()
    with patch_module_args(options), contextlib.redirect_stdout(printed), pytest.MonkeyPatch.context() as patch:
        patch.setattr(basic, "AnsibleModule", OfLinter)
        try:
            look()
        except Passed:
            return ""
        except SystemExit:
            return str(json.loads(printed.getvalue())["msg"])
    raise AssertionError("it went on after the check")


def said_of(options: Plain) -> str:
    return said(options, lambda: check("x.y.z", ARGUMENTS))


@pytest.mark.parametrize(
    "options",
    [
        GOOD,
        NAMED,
        {**NAMED, "depth": 1},
        {**NAMED, "level": "high", "items": [{"repository": "a", "size": 1, "kind": "good"}]},
        {**GOOD, "source": {"registry": "a", "username": "ci", "password": "word"}, "parts": ["head"]},
    ],
)
def test_a_task_without_a_mistake_passes(options: Plain) -> None:
    assert said_of(options) == ""
    assert said_of({**options, "registry": "a", "jobs": 2}) == ""


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({**GOOD, "wantde": "a"}, "Unsupported parameters for (x.y.z) module: wantde."),
        ({**GOOD, "jobs": "many"}, "jobs must be a whole number"),
        ({**GOOD, "parts": ["haed"]}, "value of parts must be one or more of: head, body"),
        ({**NAMED, "level": "hihg"}, "level must be low or high"),
        ({"names": ["a"]}, "wanted must be given."),
        ({"wanted": "a"}, "one of the following is required: name, names"),
        ({**GOOD, **NAMED}, "names cannot be given beside name."),
        ({"wanted": "a", "name": "a"}, "path is needed beside name."),
        ({**GOOD, "depth": 1}, "name is needed beside depth."),
        ({**NAMED, "level": "high"}, "items must be given where level is high."),
        ({**GOOD, "token": "t", "username": "u", "password": "p"}, "token cannot be given beside username."),
        ({**GOOD, "items": [{"repository": "a"}, {"size": 1}]}, "items[1].repository must be given."),
        ({**GOOD, "items": [{"repositry": "a"}]}, "items[0] has the unknown key repositry."),
        ({**GOOD, "items": [{"repository": "a", "size": "large"}]}, "items[0].size must be a whole number"),
        ({**GOOD, "source": {"username": "a"}}, "source.registry must be given."),
        ({**GOOD, "source": {"registry": "a", "username": "a"}}, "source.password is needed beside username."),
    ],
)
def test_a_mistake_is_named(options: Plain, words: str) -> None:
    assert words in said_of(options)


@pytest.mark.parametrize(
    "given",
    [
        {"password": "p"},
        {"username": "u"},
        {"client_key": "k"},
    ],
)
def test_what_the_defaults_of_the_action_group_can_give_is_not_missed(given: Plain) -> None:
    assert said_of({**GOOD, **given}) == ""
    assert said_of({**GOOD, "source": {"registry": "a", **given}}) != ""


@pytest.mark.parametrize(
    "options",
    [
        {**GOOD, "jobs": TEMPLATE, "plain_http": TEMPLATE, "retry_max_wait": "{% if a %}1{% endif %}"},
        {**NAMED, "level": TEMPLATE},
        {**GOOD, "parts": TEMPLATE},
        {**GOOD, "parts": ["head", TEMPLATE]},
        {**GOOD, "items": TEMPLATE},
        {**GOOD, "items": [TEMPLATE, {"repository": "a"}]},
        {**GOOD, "items": [{"repository": TEMPLATE, "size": TEMPLATE, "kind": TEMPLATE}]},
        {**GOOD, "items": [{"repository": "a", "length": TEMPLATE}]},
        {**GOOD, "source": TEMPLATE},
        {**GOOD, "source": {"registry": TEMPLATE, "username": "a", "password": TEMPLATE, "token": TEMPLATE}},
        {**GOOD, "source": {"registry": "a", "username": TEMPLATE}},
        {**GOOD, "name": TEMPLATE},
        {"wanted": TEMPLATE, "name": "a", "names": TEMPLATE, "path": TEMPLATE},
        {"wanted": "a", "name": "a", "path": TEMPLATE, "level": "high", "items": TEMPLATE},
        {**GOOD, "depth": 1, "name": TEMPLATE},
    ],
)
def test_what_a_template_decides_is_no_mistake(options: Plain) -> None:
    assert said_of(options) == ""


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"names": TEMPLATE}, "wanted must be given."),
        ({**GOOD, "source": {"username": TEMPLATE}}, "source.registry must be given."),
        ({**GOOD, "items": [{"repository": TEMPLATE, "kidn": TEMPLATE}]}, "items[0] has the unknown key kidn."),
        ({**GOOD, "items": [{"repository": TEMPLATE, "kind": "godo"}]}, "items[0].kind must be good or bad"),
        ({**GOOD, "naem": TEMPLATE}, "Unsupported parameters for (x.y.z) module: naem."),
        ({**GOOD, "jobs": TEMPLATE, "timeout": "long"}, "timeout must be a whole number"),
    ],
)
def test_beside_templates_a_mistake_is_named(options: Plain, words: str) -> None:
    assert words in said_of(options)


def test_a_null_is_as_an_option_that_is_not_given() -> None:
    source = {"registry": "a", "username": None}
    assert said_of({**GOOD, "path": None, "name": None, "token": None, "source": source}) == ""
    assert said_of({**GOOD, "wanted": None}) == "wanted must be given."


def test_one_template_for_all_options_is_no_mistake() -> None:
    assert said_of({"_raw_params": TEMPLATE}) == ""
    assert said_of({}) == "wanted must be given."


def test_what_is_declared_stays_as_it_is() -> None:
    before = repr(ARGUMENTS)
    said_of({**NAMED, "level": TEMPLATE, "items": [{"size": TEMPLATE}]})
    loosened(ARGUMENTS, "argument_spec", [{"wanted": TEMPLATE}], ["wanted"])
    said(GOOD, lambda: check("x.y.z", {**ARGUMENTS, "add_file_common_args": True}))
    assert repr(ARGUMENTS) == before


@pytest.mark.parametrize(
    ("value", "is_one"),
    [("a", False), ("{ a }", False), ("a-{{ b }}", True), ("{% if a %}b{% endif %}", True), (1, False), (None, False)],
)
def test_templates(value: t.Any, is_one: bool) -> None:
    assert is_template(value) is is_one


def test_attributes_of_files_are_options_of_the_module_that_sets_them() -> None:
    arguments = module_arguments({}, add_file_common_args=True)
    assert said({"mode": "0644", "unsafe_writes": TEMPLATE}, lambda: check("x.y.z", arguments)) == ""
    assert "Unsupported" in said({"mode": "0644"}, lambda: check("x.y.z", module_arguments({})))


@pytest.mark.parametrize("name", names_of_modules())
def test_every_action_plugin_checks_the_options_of_its_module(name: str) -> None:
    main = importlib.import_module(f"{ACTIONS}.{name}").main
    sentence = said({"regsitry": "a"}, main)
    # A module that misses an option of its own says that first.
    assert "regsitry" in sentence or "must be given" in sentence or "is required" in sentence
    assert "token cannot be given beside username" in said({**_enough(name), "username": "a", "token": "b"}, main)
    assert said(_enough(name), main) == ""


def _enough(name: str) -> Plain:
    """Templates for all that a module can't do without."""
    arguments = importlib.import_module(f"ansible_collections.imageops.registry.plugins.modules.{name}").ARGUMENTS
    required = [option for option, entry in arguments["argument_spec"].items() if entry.get("required")]
    alternatives = [options[0] for options in arguments.get("required_one_of", ())]
    return dict.fromkeys([*required, *alternatives], TEMPLATE)


def test_checking_asks_a_registry_nothing_and_running_does() -> None:
    main = main_of(f"{ACTIONS}.tag_info")
    with contextlib.closing(RegistryServer()) as registry:
        registry.add_image("team/app:1.0")
        options = {**registry.options, "repository": "team/app"}
        assert said(options, main) == ""
        with patch_module_args(options):
            # Where the check isn't its end, it still does nothing more.
            main()
        assert registry.requests == []
        assert succeed("tag_info", options)["tags"] == ["1.0"]
        assert registry.requests != []


WITHOUT_LIBRARIES = f"""
import sys
sys.modules.update(requests=None, urllib3=None)
from ansible.module_utils.testing import patch_module_args
from {ACTIONS} import tag_info
with patch_module_args({{"repository": "a", "newest": "all"}}):
    tag_info.main()
"""


def test_a_linter_needs_none_of_the_libraries_that_modules_need() -> None:
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", WITHOUT_LIBRARIES], env=env, capture_output=True, check=False)
    assert json.loads(done.stdout)["msg"] == "newest must be a whole number, and text was given."


def test_the_linter_and_the_module_use_the_same_words() -> None:
    options = {"registry": "a", "repository": "a", "newest": "all"}
    assert run_module("tag_info", options)["msg"] == said(options, main_of(f"{ACTIONS}.tag_info"))


def test_the_defaults_of_the_group_are_the_options_that_all_modules_take() -> None:
    every = [
        set(
            importlib.import_module(f"ansible_collections.imageops.registry.plugins.modules.{name}").ARGUMENTS[
                "argument_spec"
            ]
        )
        for name in names_of_modules()
    ]
    assert set.intersection(*every) == _linted.FROM_GROUP
