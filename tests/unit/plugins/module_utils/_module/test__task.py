# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import pathlib
import sys
import typing as t

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.imageops.registry.plugins.module_utils._end._purpose import Purpose
from ansible_collections.imageops.registry.plugins.module_utils._model._errors import (
    AccessDenied,
    InvalidInput,
    NotFound,
    RegistryError,
    RepositoryMissing,
)
from ansible_collections.imageops.registry.plugins.module_utils._module import _task
from ansible_collections.imageops.registry.plugins.module_utils._module._connection import module_arguments
from ansible_collections.imageops.registry.plugins.module_utils._module._masking import SecretInResult
from ansible_collections.imageops.registry.plugins.module_utils._module._results import failure
from ansible_collections.imageops.registry.plugins.module_utils._module._task import Task, create_module, run
from ansible_collections.imageops.registry.plugins.module_utils._run._attachment import VARIABLE
from ansible_collections.imageops.registry.tests.unit.support.module_stand_in import Ended, Module, ended, raising
from ansible_collections.imageops.registry.tests.unit.support.scripted_server import ScriptedServer

DIGEST = "sha256:" + "a" * 64


def test_a_run_adds_nothing_to_what_its_module_declares() -> None:
    declared = module_arguments({}, add_file_common_args=True)
    before = set(declared["argument_spec"])
    with patch_module_args({"registry": "r.example", "mode": "0600"}):
        module = create_module(declared)
    assert module.params["mode"] == "0600" and module.supports_check_mode
    assert set(declared["argument_spec"]) == before


def test_a_result_gets_what_the_task_cost() -> None:
    def work(task: Task) -> dict[str, t.Any]:
        task.counters.add(requests=2)
        return {"changed": True, "failures": []}

    end = ended(work)
    assert not end.failed
    assert end.result["transfer"]["requests"] == 2
    assert set(end.result) == {"changed", "transfer"}


@pytest.mark.parametrize("status", [200, 404, 500])
def test_what_a_registry_tells_its_users_is_one_warning_without_secrets(server: ScriptedServer, status: int) -> None:
    for text in ("Ends soon", "Ends soon", "You are a-pass-word"):
        server.expect("HEAD", f"/v2/a/blobs/{DIGEST}", status, headers={"Warning": f'299 - "{text}"'}, length="7")
    module = Module(
        registry=server.host, plain_http=True, username="ci", password="a-pass-word", retries=0, search_auth_files=False
    )

    def work(task: Task) -> dict[str, t.Any]:
        registry = task.registry()
        for _request in range(3):
            try:
                registry.head_blob("a", DIGEST, Purpose.PUSH)
            except RegistryError:
                if len(server.requests) == 3:
                    raise
        return {}

    assert ended(work, module).failed is (status == 500)
    assert module.warned == [f'The registry {server.host} says: "Ends soon"; "You are ********"']


@pytest.mark.parametrize(("writing", "check"), [(True, False), (True, True), (False, False)])
def test_what_writes_does_not_begin_where_ansible_could_not_end_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path, writing: bool, check: bool
) -> None:
    monkeypatch.setenv(VARIABLE, f"{tmp_path}/missing/bond")
    module = Module(registry="r.example", search_auth_files=False)
    module.check_mode = check

    def work(task: Task) -> dict[str, t.Any]:
        task.registry(writing=writing)
        return {}

    end = ended(work, module)
    assert end.failed is (writing and not check)
    assert not end.failed or "by which Ansible watches over this task cannot be made" in end.result["msg"]


def test_nothing_is_warned_of_where_a_secret_must_not_be_cut_out() -> None:
    module = Module()

    def work(task: Task) -> dict[str, t.Any]:
        task._notices.add("r.example", ["Ends soon"])
        raise SecretInResult("x")

    ended(work, module)
    assert module.warned == []


@pytest.mark.parametrize("kind", [RepositoryMissing, NotFound, AccessDenied])
def test_an_error_is_one_sentence_with_its_facts(kind: type[RegistryError]) -> None:
    error = kind("it is not there", hint="Create it", method="PUT", url="https://r/v2/x", status=404).within(
        "push r/x:1"
    )
    end = ended(raising(error))
    assert end.failed
    assert end.result["msg"] == "Cannot push r/x:1: it is not there (PUT https://r/v2/x, answer 404). Create it."
    assert end.result["error"] == error.facts()
    assert end.result["repository_missing"] is (kind is RepositoryMissing)
    assert end.result["transfer"]["requests"] == 0


def test_no_exception_is_being_handled_when_a_module_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    # Ansible would add what the libraries below say.
    handled: list[object] = []

    def fail_json(self: Module, msg: str, **result: t.Any) -> t.NoReturn:
        handled.append(sys.exc_info()[1])
        raise Ended(True, {"msg": msg, **result})

    monkeypatch.setattr(Module, "fail_json", fail_json)
    assert ended(raising(NotFound("no"))).__context__ is None
    assert handled == [None]


def test_what_is_nested_too_deep_is_said() -> None:
    assert ended(raising(RecursionError())).result["msg"].endswith("nested too deep.")


def test_a_defect_is_no_failure_of_the_registry() -> None:
    with pytest.raises(ZeroDivisionError):
        run(t.cast(t.Any, Module()), raising(ZeroDivisionError()))


@pytest.mark.parametrize(("number", "more"), [(1, ""), (3, " (and 2 more, see failures)")])
def test_failures_fail_the_task_with_all_that_was_done(number: int, more: str) -> None:
    failures = [failure(NotFound(f"no {place}"), repository="a", tag=str(place)) for place in range(number)]
    end = ended(lambda task: {"changed": True, "tags": ["x"], "failures": failures})
    assert end.failed
    assert end.result["msg"] == f"No 0.{more}"
    assert end.result["repository_missing"] is False
    assert (end.result["changed"], end.result["tags"], end.result["failures"]) == (True, ["x"], failures)
    assert "transfer" in end.result


def test_a_python_without_requests_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_task, "REQUESTS_IMPORT_ERROR", "Traceback\nImportError: no urllib3\n")
    end = ended(lambda task: {})
    assert end.failed and "(requests)" in end.result["msg"] and sys.executable in end.result["msg"]
    assert ": ImportError: no urllib3. Install it" in end.result["msg"]
    assert end.result["exception"] == "Traceback\nImportError: no urllib3\n"


def test_connections_are_closed_however_a_task_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    closed: list[str] = []
    monkeypatch.setattr(_task.Registry, "close", lambda self: closed.append(self.name))

    def work(task: Task) -> dict[str, t.Any]:
        task.registry()
        task.source()
        raise NotFound("no")

    ended(work, Module(source={}))
    assert closed == ["r.example", "s.example"]


def test_options_become_a_registry(server: ScriptedServer) -> None:
    server.expect("HEAD", f"/v2/a/blobs/{DIGEST}", 200, length="7")
    task = Module(registry=server.host, plain_http=True, jobs=7, retries=2).task
    registry = task.registry()
    assert (registry.name, registry.jobs, registry.retries) == (server.host, 7, 2)
    assert registry.head_blob("a", DIGEST) == 7
    assert task.counters.as_dict()["requests"] == 1
    task.close()


@pytest.mark.parametrize(("check_mode", "scope"), [(True, "pull"), (False, "pull%2Cpush")])
def test_check_mode_asks_for_pull_only(server: ScriptedServer, check_mode: bool, scope: str) -> None:
    server.expect("HEAD", f"/v2/a/blobs/{DIGEST}", 401, headers={"WWW-Authenticate": f'Bearer realm="{server.url}/t"'})
    server.expect("GET", f"/t?scope=repository%3Aa%3A{scope}", 403)
    task = Module(registry=server.host, plain_http=True, check_mode=check_mode).task
    with pytest.raises(RegistryError):
        task.registry(writing=True).head_blob("a", DIGEST)
    task.close()


def test_failures_that_are_all_the_same_are_said_once() -> None:
    failures = [failure(NotFound("no"), repository="a", tag=str(place)) for place in range(3)]
    end = ended(lambda task: {"failures": failures})
    assert end.result["msg"] == "no. (the same for all 3, see failures)"


def test_a_source_that_is_not_given_is_said() -> None:
    with pytest.raises(InvalidInput, match="no source is given"):
        Module().task.source()


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("registry", "user:hard-to-guess@r.example"),
        ("registry", "https://user:hard-to-guess@r.example"),
        ("ca_path", "-----BEGIN CERTIFICATE-----\nhard-to-guess\n"),
        ("authfile", '{"auths": {"r.example": {"auth": "hard-to-guess"}}}'),
    ],
)
@pytest.mark.parametrize("other", [{}, {"jobs": "many"}, {"no-such-option": 1}])
def test_no_login_and_no_content_is_in_the_options_that_ansible_shows(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    option: str,
    value: str,
    other: dict[str, t.Any],
) -> None:
    given = {"registry": "r.example", **other, option: value}
    given.update(source={"registry": "r.example", option: value}, _ansible_inject_invocation=True)
    with patch_module_args(given), pytest.raises(SystemExit):
        run(create_module(module_arguments({}, source="required")), lambda task: {"found": task.registry()})
    shown = capsys.readouterr()
    assert "hard-to-guess" not in shown.out + shown.err
    assert json.loads(shown.out)["failed"] is True
