# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pathlib
import sys
import threading
import types
import typing as t

import pytest
from ansible import constants
from ansible.errors import AnsibleError
from ansible.parsing.dataloader import DataLoader
from ansible.playbook.play_context import PlayContext
from ansible.plugins.connection.local import Connection
from ansible.plugins.loader import become_loader, connection_loader
from ansible.template import Templar, trust_as_template
from ansible_collections.imageops.registry.plugins.action.tag import ActionModule
from ansible_collections.imageops.registry.plugins.plugin_utils import _core_internals, _in_place_conditions
from ansible_collections.imageops.registry.plugins.plugin_utils._in_place_conditions import why_payload

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Elsewhere modules do not run in place.")

BASE: dict[str, t.Any] = {"ansible_facts": {}, "ansible_playbook_python": sys.executable}


class Subclass(Connection):  # type: ignore[misc]  # ansible-core has no types
    """What another plugin may make of the connection."""


class Here:
    """A task, and where it runs."""

    def __init__(self) -> None:
        loader = DataLoader()
        context = PlayContext()
        self.task = types.SimpleNamespace(async_val=0, delegate_to=None, environment=[])
        self.connection = connection_loader.get("local", context, "/dev/null")
        self.variables: dict[str, t.Any] = dict(BASE)
        templar = Templar(loader, variables=self.variables)
        self.action = ActionModule(self.task, self.connection, context, loader, templar)

    def why(self, **variables: t.Any) -> str:
        self.variables.update(variables)
        return why_payload(self.action, "tag", self.variables)


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> Here:
    monkeypatch.delenv("ANSIBLE_PYTHON_INTERPRETER", raising=False)
    monkeypatch.setattr(threading, "active_count", lambda: 1)
    return Here()


def test_a_local_task_runs_in_place(here: Here) -> None:
    assert here.why() == ""


@pytest.mark.parametrize("value", [False, "no", "false", 0, trust_as_template("{{ 1 == 2 }}")])
def test_the_variable_turns_it_off(here: Here, value: t.Any) -> None:
    assert here.why(imageops_registry_in_place=value) == "imageops_registry_in_place is false"


@pytest.mark.parametrize("value", [True, "yes", 1, trust_as_template("{{ 1 == 1 }}")])
def test_the_variable_may_say_what_is_anyway(here: Here, value: t.Any) -> None:
    assert here.why(imageops_registry_in_place=value) == ""


def test_the_variable_is_a_boolean(here: Here) -> None:
    with pytest.raises(AnsibleError, match="imageops_registry_in_place must be true or false"):
        here.why(imageops_registry_in_place="perhaps")


@pytest.mark.parametrize("platform", ["darwin", "freebsd14"])
def test_it_needs_linux(here: Here, monkeypatch: pytest.MonkeyPatch, platform: str) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    assert here.why() == "Ansible does not run on Linux"


def test_it_needs_proc(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_in_place_conditions, "parent_of", lambda _process: 0)
    assert here.why() == "/proc does not show this process"


def test_it_needs_what_it_knows_of_ansible_core(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_core_internals, "PROBLEM", "it has no _get_shebang")
    assert here.why() == "this release of ansible-core is unknown (it has no _get_shebang)"


def test_it_needs_the_import_of_the_module(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_in_place_conditions, "problem", lambda name: f"{name}: no requests")
    assert here.why() == "tag: no requests"


def test_another_connection_is_none_of_ours(here: Here) -> None:
    here.action._connection = Subclass(PlayContext(), "/dev/null")
    assert here.why() == "the connection is local, not ansible.builtin.local"
    here.action._connection = connection_loader.get("ssh", PlayContext(), "/dev/null")
    assert here.why() == "the connection is ssh, not ansible.builtin.local"


def test_a_connection_of_the_same_name_is_none_of_ours(here: Here, tmp_path: pathlib.Path) -> None:
    place = tmp_path / "local.py"
    place.write_bytes(pathlib.Path(sys.modules[Connection.__module__].__file__ or "").read_bytes())
    namesake = types.ModuleType("namesake")
    namesake.__file__ = str(place)
    exec(compile(place.read_bytes(), str(place), "exec"), namesake.__dict__)
    sys.modules["namesake"] = namesake
    try:
        here.action._connection = namesake.Connection(PlayContext(), "/dev/null")
        assert here.why() == "the connection is local, not ansible.builtin.local"
    finally:
        del sys.modules["namesake"]


def test_nobody_else_is_become(here: Here) -> None:
    here.action._connection.become = become_loader.get("sudo")
    assert here.why() == "it becomes another user"


def test_async_is_detached(here: Here) -> None:
    here.task.async_val = 60
    assert here.why() == "it is detached by async"


def test_a_worker_with_threads_is_not_forked(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threading, "active_count", lambda: 2)
    assert here.why() == "other threads run in the worker process of Ansible"


@pytest.mark.parametrize("name", ["DEFAULT_KEEP_REMOTE_FILES", "DEFAULT_DEBUG"])
def test_who_debugs_gets_a_payload(here: Here, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(constants, name, True)
    assert here.why() == f"ANSIBLE_{name.replace('DEFAULT_', '')} is on"


def test_what_is_built_into_payloads_needs_one(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_core_internals, "debuggers", lambda _variables: ("pydevd", "coverage"))
    assert here.why() == "pydevd and coverage of modules is on"


@pytest.mark.parametrize("value, expected", [(0, ""), ("0", ""), (4096, "set"), (trust_as_template("{{ 8 }}"), "set")])
def test_a_limit_of_files_needs_a_payload(here: Here, value: t.Any, expected: str) -> None:
    assert here.why(ansible_python_module_rlimit_nofile=value).endswith(expected)


@pytest.mark.parametrize(
    "name", ["PYTHONPATH", "PYTHONWARNINGS", "LD_PRELOAD", "LD_LIBRARY_PATH", "DYLD_INSERT_LIBRARIES", "OPENSSL_CONF"]
)
def test_what_is_read_once_needs_a_payload(here: Here, name: str) -> None:
    here.task.environment = [{"HOME": "/", name: "x"}]
    assert here.why() == f"environment sets {name}"


def test_a_name_that_a_shell_does_not_take_needs_a_payload(here: Here) -> None:
    here.task.environment = [{"A-B": "x"}]
    assert here.why() == "environment sets 'A-B', which is not a valid variable name"


def test_other_variables_are_set_in_place(here: Here) -> None:
    here.task.environment = [{"HOME": "/", "HTTPS_PROXY": "x", "TMPDIR": "/tmp", "TZ": "UTC", "MY_PYTHON": "x"}]
    assert here.why() == ""


@pytest.mark.parametrize("value", ["", "auto", "auto_silent", "auto_legacy", "auto_legacy_silent", sys.executable])
def test_the_python_of_ansible_runs_what_names_it_or_no_other(here: Here, value: str) -> None:
    assert here.why(ansible_python_interpreter=value) == ""


def test_a_template_may_name_the_python_of_ansible(here: Here) -> None:
    template = trust_as_template("{{ ansible_playbook_python }}")
    assert here.why(ansible_python_interpreter=template) == ""


@pytest.mark.parametrize("value", ["/usr/bin/another", "python3", f"{sys.executable} -s"])
def test_another_python_needs_a_payload(here: Here, value: str) -> None:
    assert here.why(ansible_python_interpreter=value) == f"the interpreter is {value}, not {sys.executable}"


def test_links_are_not_resolved(here: Here, tmp_path: pathlib.Path) -> None:
    link = tmp_path / "python"
    link.symlink_to(sys.executable)
    assert here.why(ansible_python_interpreter=str(link)) == f"the interpreter is {link}, not {sys.executable}"


def test_a_discovered_python_does_not_count(here: Here) -> None:
    assert here.why(ansible_facts={"discovered_interpreter_python": "/usr/bin/another"}) == ""


def test_with_delegate_to_the_other_host_decides(here: Here) -> None:
    here.task.delegate_to = "there"
    mine, there = {"ansible_python_interpreter": "/usr/bin/another"}, dict(BASE)
    assert here.why(ansible_delegated_vars={"there": there}, **mine) == ""
    there["ansible_python_interpreter"] = "/usr/bin/python-of-there"
    assert here.why() == f"the interpreter is /usr/bin/python-of-there, not {sys.executable}"
    there["imageops_registry_in_place"] = False
    assert here.why() == "imageops_registry_in_place is false"


def test_the_configured_python_counts(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANSIBLE_PYTHON_INTERPRETER", "/usr/bin/another")
    assert here.why() == f"the interpreter is /usr/bin/another, not {sys.executable}"
    assert here.why(ansible_python_interpreter=sys.executable) == ""
