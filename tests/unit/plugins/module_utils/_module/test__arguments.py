# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import base64
import json
import os
import pathlib
import sys
import typing as t

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.testing import patch_module_args
from ansible_collections.imageops.registry.plugins.doc_fragments._connection import ModuleDocFragment
from ansible_collections.imageops.registry.plugins.module_utils._blobs._placement import BlobGroup
from ansible_collections.imageops.registry.plugins.module_utils._end._purpose import Purpose
from ansible_collections.imageops.registry.plugins.module_utils._images._inspection import ImageName
from ansible_collections.imageops.registry.plugins.module_utils._model._errors import (
    AccessDenied,
    CredentialError,
    InvalidInput,
    LocalFileError,
    NotFound,
    RegistryError,
    RepositoryMissing,
)
from ansible_collections.imageops.registry.plugins.module_utils._model._shown import shown_options
from ansible_collections.imageops.registry.plugins.module_utils._module import _arguments
from ansible_collections.imageops.registry.plugins.module_utils._module._arguments import (
    Task,
    blob_groups,
    connection_arguments,
    create_module,
    decoded,
    deliverable,
    failure,
    image_names,
    images_found,
    read_file,
    run,
)
from ansible_collections.imageops.registry.plugins.modules import blob_download
from ansible_collections.imageops.registry.tests.unit.support.scripted_server import ScriptedServer

DIGEST = "sha256:" + "a" * 64


def test_what_a_registry_chooses_reaches_the_play() -> None:
    chosen = {
        "__ansible_type": "_AnsibleTaggedStr",
        "labels": [{"__ansible_unsafe": "caf\u00e9"}, ("\ud800x",)],
        "\ud800": float("nan"),
        "size": 2**70,
        "ratio": 1.5,
        "none": None,
        "true": True,
    }
    assert deliverable(chosen) == {
        "___ansible_type": "_AnsibleTaggedStr",
        "labels": [{"___ansible_unsafe": "caf\u00e9"}, ["?x"]],
        "?": None,
        "size": 2**70,
        "ratio": 1.5,
        "none": None,
        "true": True,
    }


def test_what_is_nested_too_deep_is_refused() -> None:
    nested: list[t.Any] = []
    for _level in range(90):
        nested = [nested]
    assert deliverable(nested) == nested
    for _level in range(20):
        nested = [nested]
    with pytest.raises(RecursionError):
        deliverable(nested)


def params(**given: t.Any) -> dict[str, t.Any]:
    return {"registry": "r.example", "repository": None, "tag": None, "digest": None, "images": None, **given}


def test_images_are_given_one_by_one_or_as_a_list() -> None:
    name = ImageName("a/b", "1.0", "")
    assert image_names(params(repository="a/b", tag="1.0")) == [name]
    listed = [{"repository": "a/b", "tag": "1.0", "digest": None}, {"repository": "c", "tag": "", "digest": DIGEST}]
    assert image_names(params(images=listed)) == [name, ImageName("c", "", DIGEST)]
    assert image_names(params(images=[])) == []
    assert ImageName("a", "1.0", DIGEST).reference == DIGEST


def test_a_malformed_image_is_named_by_its_place() -> None:
    good = {"repository": "a", "tag": "1", "digest": None}
    with pytest.raises(InvalidInput, match=r"^images\[1\]: malformed tag 'a b'"):
        image_names(params(images=[good, dict(good, tag="a b")]))
    with pytest.raises(
        InvalidInput,
        match=r"^a: a tag or a digest is needed beside the repository\. Give one with the key tag or digest\.$",
    ):
        image_names(params(repository="a"))
    with pytest.raises(InvalidInput, match=r"^images\[1\]: b: a tag or a digest is needed"):
        image_names(params(images=[good, {"repository": "b", "tag": "", "digest": None}]))


# Arguments and their documentation -----------------------------------------------------------------------------------


def documented(fragment: str) -> dict[str, t.Any]:
    return t.cast("dict[str, t.Any]", yaml.safe_load(fragment)["options"])


def compared(option: dict[str, t.Any]) -> dict[str, t.Any]:
    names = ("type", "required", "default", "aliases", "elements", "choices")
    defaults = {"type": "str", "required": False, "default": None, "aliases": [], "elements": None, "choices": None}
    return {name: option.get(name, defaults[name]) for name in names}


def test_the_connection_options_are_documented_as_they_are() -> None:
    spec, options = connection_arguments({}), documented(ModuleDocFragment.DOCUMENTATION)
    assert set(spec) == set(options)
    assert {name: compared(option) for name, option in spec.items()} == {
        name: compared(option) for name, option in options.items()
    }


def test_the_options_of_the_source_are_documented_as_they_are() -> None:
    source, (name, option) = (
        connection_arguments({}, source="required")["source"],
        *documented(ModuleDocFragment.SOURCE).items(),
    )
    assert (name, option["type"], source["type"]) == ("source", "dict", "dict")
    assert {name: compared(inner) for name, inner in source["options"].items()} == {
        name: compared(inner) for name, inner in option["suboptions"].items()
    }
    # One shape for both ends.
    main = documented(ModuleDocFragment.DOCUMENTATION)
    assert set(main) - set(option["suboptions"]) == {
        "timeout",
        "retries",
        "retry_max_wait",
        "jobs",
        "requests_per_second",
        "chunk_size",
    }


@pytest.mark.parametrize("end", ["", "source"])
def test_secrets_are_never_logged_and_nothing_else_is_hidden(end: str) -> None:
    spec = connection_arguments({}, source="optional")
    options = spec["source"]["options"] if end else spec
    assert {name for name, option in options.items() if option.get("no_log")} == {"password", "token"}


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"username": "ci"}, "required together"),
        ({"password": "p"}, "required together"),
        ({"username": "ci", "password": "p", "token": "t"}, "mutually exclusive"),
        ({"client_key": "/k"}, "client_cert"),
    ],
)
def test_both_ends_have_the_same_rules(given: dict[str, str], why: str) -> None:
    rules: dict[str, t.Any] = dict(_arguments._RULES)
    validator = ArgumentSpecValidator(connection_arguments({}, source="optional"), **rules)
    good = {"registry": "r.example"}
    assert not validator.validate({**good, "source": good}).error_messages
    for parameters in ({**good, **given}, {**good, "source": {**good, **given}}):
        (message,) = validator.validate(parameters).error_messages
        assert why in message


def test_rules_of_a_module_are_added_to_those_of_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    made: dict[str, t.Any] = {}

    class Recorder:
        misshapen = ""

        def __init__(self, **options: t.Any) -> None:
            made.update(options)

    monkeypatch.setattr(_arguments, "CheckedModule", Recorder)
    create_module({"x": {"type": "str"}}, source="required", mutually_exclusive=[("x", "y")], required_one_of=[("a",)])
    assert made["supports_check_mode"] is True
    assert made["mutually_exclusive"] == [("username", "token"), ("x", "y")]
    assert made["required_one_of"] == [("a",)]
    assert made["required_together"] == [("username", "password")]
    assert made["argument_spec"]["x"] == {"type": "str"}
    assert made["argument_spec"]["source"]["required"] is True
    # What is shared by all modules stays as it is.
    assert _arguments._RULES["mutually_exclusive"] == [("username", "token")]


# One run of a module -------------------------------------------------------------------------------------------------


class Ended(Exception):
    """A module ended; the result is what Ansible would get."""

    def __init__(self, failed: bool, result: dict[str, t.Any]) -> None:
        super().__init__(result.get("msg", ""))
        self.failed = failed
        self.result = result


class Module:
    """Stands in for AnsibleModule."""

    def __init__(self, *, check_mode: bool = False, source: dict[str, t.Any] | None = None, **given: t.Any) -> None:
        one_end = {name: option.get("default") for name, option in _arguments._ONE_END.items()}
        whole = {name: option.get("default") for name, option in _arguments._WHOLE_TASK.items()}
        self.params: dict[str, t.Any] = {**one_end, **whole, "registry": "r.example", **given}
        self.params["source"] = None if source is None else {**one_end, "registry": "s.example", **source}
        self.check_mode = check_mode
        self._diff = False
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
    with pytest.raises(Ended) as caught:
        run(t.cast(t.Any, module or Module()), work)
    return caught.value


def raising(error: BaseException) -> t.Callable[[Task], dict[str, t.Any]]:
    def work(task: Task) -> dict[str, t.Any]:
        raise error

    return work


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


def test_nothing_is_warned_of_where_a_secret_must_not_be_cut_out() -> None:
    module = Module()

    def work(task: Task) -> dict[str, t.Any]:
        task._notices.add("r.example", ["Ends soon"])
        raise _arguments.SecretInResult("x")

    ended(work, module)
    assert module.warned == []


@pytest.mark.parametrize("kind", [RepositoryMissing, NotFound, AccessDenied])
def test_an_error_is_one_sentence_with_its_facts(kind: type[RegistryError]) -> None:
    error = kind("it isn't there", hint="Create it", method="PUT", url="https://r/v2/x", status=404).within(
        "push r/x:1"
    )
    end = ended(raising(error))
    assert end.failed
    assert end.result["msg"] == "Cannot push r/x:1: it isn't there (PUT https://r/v2/x, answer 404). Create it."
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
    assert end.result["msg"] == f"no 0.{more}"
    assert end.result["repository_missing"] is False
    assert (end.result["changed"], end.result["tags"], end.result["failures"]) == (True, ["x"], failures)
    assert "transfer" in end.result


def test_a_failure_names_its_place() -> None:
    error = RepositoryMissing("no")
    assert failure(error, repository="a", tag="1") == {
        "repository": "a",
        "tag": "1",
        "msg": "no.",
        "error": error.facts(),
        "repository_missing": True,
    }


def test_a_python_without_requests_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_arguments, "REQUESTS_IMPORT_ERROR", "Traceback\nImportError: no urllib3\n")
    end = ended(lambda task: {})
    assert end.failed and "(requests)" in end.result["msg"] and sys.executable in end.result["msg"]
    assert ": ImportError: no urllib3. Install it" in end.result["msg"]
    assert end.result["exception"] == "Traceback\nImportError: no urllib3\n"


def test_connections_are_closed_however_a_task_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    closed: list[str] = []
    monkeypatch.setattr(_arguments.Registry, "close", lambda self: closed.append(self.name))

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


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"timeout": 0}, "timeout must be 1 to 86400"),
        ({"jobs": 0}, "jobs must be 1 to 1000"),
        ({"retries": -1}, "retries must be 0 to 1000"),
        ({"retry_max_wait": float("inf")}, "retry_max_wait must be 0 to 86400"),
        ({"retry_max_wait": float("nan")}, "retry_max_wait must be 0 to 86400"),
        ({"requests_per_second": 1e-9}, "requests_per_second must be 0, or at least 0.001"),
        ({"registry": "https://r.example"}, "without a scheme"),
        ({"username": "a:b", "password": "p"}, "has a ':' in it"),
        ({"auth_file": "/absent/auth.json"}, "can't be read"),
    ],
)
def test_options_out_of_range_are_named(given: dict[str, t.Any], why: str) -> None:
    with pytest.raises((InvalidInput, CredentialError), match=why):
        Module(**given).task.registry()


@pytest.mark.parametrize(
    ("given", "begins"),
    [
        ({"registry": "https://r.example"}, "{end}registry: malformed registry 'https://r.example': "),
        ({"username": "a:b", "password": "p"}, "Cannot log in to r.example: {end}username: the user name has a ':'"),
        ({"token": "a b"}, "Cannot log in to r.example: {end}token: the token has spaces"),
        ({"username": "", "password": ""}, "Cannot log in to r.example: {end}username: it is empty text. Leave it out"),
        (
            {"username": "", "password": "p"},
            "Cannot log in to r.example: {end}username: it is empty text. Leave it out",
        ),
        ({"token": ""}, "Cannot log in to r.example: {end}token: it is empty text. Leave it out"),
        ({"auth_file": ""}, "Cannot log in to r.example: {end}auth_file: it is empty text. Leave it out"),
        ({"auth_file": "/absent/a"}, "Cannot log in to r.example: {end}auth_file: the auth file /absent/a can't be"),
        ({"ca_path": "/absent/ca"}, "Cannot reach r.example: {end}ca_path: the file /absent/ca can't be read: No such"),
        ({"ca_path": ""}, "Cannot reach r.example: {end}ca_path: it is empty text. Leave it out"),
        ({"client_cert": ""}, "Cannot reach r.example: {end}client_cert: it is empty text. Leave it out"),
        (
            {"client_cert": "/absent/c", "client_key": ""},
            "Cannot reach r.example: {end}client_key: it is empty text. Leave it out",
        ),
        ({"client_cert": "/absent/c"}, "Cannot reach r.example: {end}client_cert: the file /absent/c can't be read"),
    ],
)
def test_an_option_that_is_at_fault_is_named_with_its_end(given: dict[str, t.Any], begins: str) -> None:
    with pytest.raises(RegistryError) as caught:
        Module(**given).task.registry()
    assert str(caught.value).startswith(begins.format(end=""))
    assert caught.value.facts()["reason"] in str(caught.value)
    with pytest.raises(RegistryError) as caught:
        Module(source={"registry": "r.example", **given}).task.source()
    assert str(caught.value).startswith(begins.format(end="source."))


def test_a_variable_of_the_environment_is_no_option(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CURL_CA_BUNDLE", "/absent/bundle")
    with pytest.raises(LocalFileError) as caught:
        Module(source={}).task.source()
    assert str(caught.value).startswith("Cannot reach s.example: the file /absent/bundle that the environment names in")


@pytest.mark.parametrize("option", ["auth_file", "ca_path"])
def test_a_relative_path_is_named_in_full_and_what_it_was_relative_to(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path, option: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RegistryError) as caught:
        Module(**{option: "here/absent"}).task.registry()
    assert f"file {tmp_path}/here/absent can't be read: No such file or directory. A relative path" in str(caught.value)
    assert f"working directory of the module on the host on which it runs, {tmp_path};" in str(caught.value)


def test_failures_that_are_all_the_same_are_said_once() -> None:
    failures = [failure(NotFound("no"), repository="a", tag=str(place)) for place in range(3)]
    end = ended(lambda task: {"failures": failures})
    assert end.result["msg"] == "no. (the same for all 3, see failures)"


def test_a_source_that_is_not_given_is_said() -> None:
    with pytest.raises(InvalidInput, match="no source is given"):
        Module().task.source()


# Secrets -------------------------------------------------------------------------------------------------------------

OLD_CORE = None
"""ansible-core before 2.22 has no function that registers a secret."""


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The secrets that a newer ansible-core is told."""
    found: list[str] = []
    monkeypatch.setattr(_arguments, "register_secret", found.append)
    return found


@pytest.fixture
def old_core(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_arguments, "register_secret", OLD_CORE)


def auth_file(folder: pathlib.Path, password: str) -> str:
    pair = base64.b64encode(f"ci:{password}".encode()).decode()
    (folder / "auth.json").write_text(json.dumps({"auths": {"r.example": {"auth": pair}}}))
    return os.fspath(folder / "auth.json")


def test_a_newer_core_is_told_all_secrets(registered: list[str], tmp_path: pathlib.Path) -> None:
    module = Module(auth_file=auth_file(tmp_path, "short"), source={"token": "tok"})
    task = module.task
    task.registry()._transport.credential_for("a/b")
    task.source()
    assert registered == ["short", base64.b64encode(b"ci:short").decode(), "tok"]
    assert module.no_log_values == set()


def test_a_newer_core_needs_no_check(registered: list[str]) -> None:
    Module(username="ci", password="1", repository="v1").task.check_secrets("1")


def test_an_older_core_is_told_what_is_long_enough(old_core: None, tmp_path: pathlib.Path) -> None:
    module = Module(auth_file=auth_file(tmp_path, "short"), source={"token": "a-long-enough-token"})
    task = module.task
    task.registry()._transport.credential_for("a/b")
    task.source()
    assert module.no_log_values == {"a-long-enough-token"}


def test_a_token_that_was_obtained_is_hidden(old_core: None, server: ScriptedServer) -> None:
    server.expect("HEAD", f"/v2/a/blobs/{DIGEST}", 401, headers={"WWW-Authenticate": f'Bearer realm="{server.url}/t"'})
    server.expect("GET", "/t?scope=repository%3Aa%3Apull", 200, {"token": "token-from-the-server"})
    server.expect("HEAD", f"/v2/a/blobs/{DIGEST}", 404)
    module = Module(registry=server.host, plain_http=True)
    task = module.task
    task.registry().head_blob("a", DIGEST)
    task.close()
    assert module.no_log_values == {"token-from-the-server"}


@pytest.mark.parametrize("option", ["password", "token", "source.password", "source.token"])
@pytest.mark.parametrize(
    ("secret", "given", "values"),
    [
        ("team", {"repository": "team/app"}, ()),
        ("app", {"images": [{"repository": "team/app", "tag": None}]}, ()),
        ("aaaa", {}, (["x", {"digest": DIGEST}],)),
        ("512", {"blobs": [{"size": 15120}]}, ()),
        ("example", {}, ()),
        ("mount", {}, ()),
        ("sha", {}, (DIGEST,)),
        ("tru", {}, ()),
        ("123456789", {}, ()),
        ("eyJ", {"content_base64": "eyJhIjoxfQ=="}, ()),
    ],
)
def test_a_secret_that_an_older_core_would_cut_out_of_the_result_is_refused(
    old_core: None, option: str, secret: str, given: dict[str, t.Any], values: tuple[t.Any, ...]
) -> None:
    end, _dot, name = option.rpartition(".")
    login = {"username": "u", "password": secret} if name == "password" else {"token": secret}
    module = Module(source=login, **given) if end else Module(**login, **given)
    with pytest.raises(InvalidInput, match=f"the value of {option} also occurs") as caught:
        module.task.check_secrets(*values)
    said = f"{caught.value} {caught.value.facts()}"
    assert f"Use a longer {name}, or give the credential in an auth_file" in said
    assert f"it belongs to promote_{'source' if end else 'destination'}" in said
    # Some are words that the sentence has itself.
    assert secret in ("sha", "app", "mount", "example", "tru", "team") or secret not in said


@pytest.mark.parametrize("secret", ["zzz", "1234567890", "Mount", "a-password"])
def test_a_secret_that_occurs_nowhere_is_accepted(old_core: None, secret: str) -> None:
    module = Module(username=secret, password=secret, repository="team/app", source={"token": secret}, tag="1.0")
    module.task.check_secrets({"zzz": "a key is never cut"}, DIGEST, 12, None, True)


def test_a_secret_is_refused_before_the_work_begins(old_core: None) -> None:
    module = Module(username="u", password="app", repository="team/app")
    module.no_log_values.add("app")
    end = ended(raising(AssertionError("work began")), module)
    assert end.failed and "the value of password" in end.result["msg"]
    # Ansible would cut it out of the sentence, and adds the options unless others are given.
    assert not module.no_log_values and end.result["invocation"] == {"module_args": {}}
    assert end.result["transfer"]["requests"] == 0


# Shapes of parameters ------------------------------------------------------------------------------------------------


def blobs(**given: t.Any) -> dict[str, t.Any]:
    return {"registry": "r.example", "blobs": None, "repository": None, "digest": None, **given}


def test_blobs_are_given_one_by_one_or_in_groups() -> None:
    assert blob_groups(blobs(repository="a/b", digest=DIGEST)) == [BlobGroup("a/b", "", (), ((DIGEST, None),))]
    single = blobs(repository="a/b", digest=DIGEST, size=0, source_repository="s", mount_from=["m", "n"])
    assert blob_groups(single) == [BlobGroup("a/b", "s", ("m", "n"), ((DIGEST, 0),))]
    entry = {"repository": "a", "source_repository": None, "mount_from": None, "blobs": [{"digest": DIGEST, "size": 7}]}
    assert blob_groups(blobs(blobs=[entry, dict(entry, repository="b", blobs=[])])) == [
        BlobGroup("a", "", (), ((DIGEST, 7),)),
        BlobGroup("b", "", (), ()),
    ]
    assert blob_groups(blobs(blobs=[])) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"repository": "A"},
        {"source_repository": "../x"},
        {"mount_from": ["ok", "no ok"]},
        {"blobs": [{"digest": "sha256:x", "size": None}]},
        {"blobs": [{"digest": DIGEST, "size": -1}]},
    ],
)
def test_a_malformed_name_digest_or_size_of_a_blob_is_refused(changes: dict[str, t.Any]) -> None:
    entry = {"repository": "a", "source_repository": "s", "mount_from": [], "blobs": [{"digest": DIGEST, "size": 7}]}
    with pytest.raises(InvalidInput, match="malformed|negative"):
        blob_groups(blobs(blobs=[{**entry, **changes}]))


def group(*given: tuple[str, int | None], **more: t.Any) -> dict[str, t.Any]:
    entries = [{"digest": digest, "size": size} for digest, size in given]
    return {"repository": "a", "source_repository": None, "mount_from": None, "blobs": entries, **more}


OTHER = "sha256:" + "b" * 64


def test_a_blob_that_is_given_twice_is_taken_once() -> None:
    twice = [group((DIGEST, None), (OTHER, 2), (DIGEST, 7)), group((DIGEST, 7)), group((OTHER, 2), repository="b")]
    assert blob_groups(blobs(blobs=twice)) == [
        BlobGroup("a", "", (), ((DIGEST, 7), (OTHER, 2))),
        BlobGroup("b", "", (), ((OTHER, 2),)),
    ]
    with pytest.raises(InvalidInput, match=rf"^blobs\[0\]: {DIGEST} is given twice, with the sizes 7 and 8\.$"):
        blob_groups(blobs(blobs=[group((DIGEST, 7), (DIGEST, 8))]))


def test_an_image_that_is_given_twice_is_looked_at_once() -> None:
    entry = {"repository": "a", "tag": "1", "digest": None}
    names = image_names(params(images=[entry, dict(entry, tag=1, digest=""), dict(entry, tag="2")]))
    assert names == [ImageName("a", "1", ""), ImageName("a", "2", "")]


def test_what_else_is_in_a_repository_is_named_with_its_place() -> None:
    source = {"registry": "s.example"}
    given = group((DIGEST, 7), source_repository="s.example:443/x")
    with pytest.raises(InvalidInput) as caught:
        blob_groups(blobs(blobs=[group(), given], source=source))
    said = str(caught.value)
    assert said.startswith("blobs[1]: malformed repository name 's.example:443/x' at the source: it has the registry")
    assert said.endswith(
        "Give source_repository: x; the registry at the source is s.example, and is given by source.registry."
    )
    with pytest.raises(
        InvalidInput, match=r"^images\[0\]: .*'r.example/a': it has the registry r.example in it. Give repo"
    ):
        image_names(params(images=[{"repository": "r.example/a", "tag": "1", "digest": None}]))


@pytest.mark.parametrize("text", ["x", "a===", "eyJ\u00e9", "eyJh\n!", "ey\0J"])
def test_what_is_no_base64_is_named_by_its_option(text: str) -> None:
    with pytest.raises(InvalidInput, match="content_base64 is no valid base64"):
        decoded(text, "content_base64")
    assert decoded("eyJh", "content_base64") == b'{"a'


@pytest.mark.parametrize("text", ["eyJhIjoxfQ==", "eyJh\nIjox\nfQ==\n", "eyJhIjoxfQ", " eyJh\r\nIjoxfQ=="])
def test_base64_may_be_broken_into_lines_and_lack_its_padding(text: str) -> None:
    assert decoded(text, "content_base64") == b'{"a":1}'


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
        run(create_module({}, source="required"), lambda task: {"found": task.registry()})
    shown = capsys.readouterr()
    assert "hard-to-guess" not in shown.out + shown.err
    assert json.loads(shown.out)["failed"] is True


def test_a_file_is_read_up_to_the_size_of_a_manifest(tmp_path: pathlib.Path) -> None:
    (tmp_path / "manifest").write_bytes(b"x" * (4 * 1024 * 1024 + 100))
    assert len(read_file(str(tmp_path / "manifest"))) == 4 * 1024 * 1024 + 1
    with pytest.raises(LocalFileError, match="absent can't be read: No such file"):
        read_file(str(tmp_path / "absent"))


@pytest.mark.parametrize("repository", [None, "a"])
def test_whether_all_images_exist_is_not_returned_where_one_could_not_be_looked_for(repository: str | None) -> None:
    names = [ImageName("a", "1", ""), ImageName("a", "2", "")]
    there, gone = {"exists": True}, {"exists": False}
    params = {"repository": repository}
    assert images_found(params, names, [there, there])["exists"] is True
    assert images_found(params, names, [there, gone])["exists"] is False
    assert "exists" not in images_found(params, names[:1], [NotFound("no")])
    found = images_found({"repository": None}, names, [there, AccessDenied("no")])
    assert "exists" not in found
    assert [image["exists"] for image in found["images"]] == [True]


PEM = "-----BEGIN PRIVATE KEY-----\nSup3rS3cret\n-----END PRIVATE KEY-----\n"


@pytest.mark.parametrize("name", ["path", "src", "dest", "ca_path"])
def test_the_content_of_a_file_is_not_shown_among_options(name: str) -> None:
    assert shown_options({name: PEM}, _arguments._PATHS) == {name: "********"}


def test_the_content_of_a_file_in_the_place_of_a_download_is_not_shown(tmp_path: pathlib.Path) -> None:
    task = t.cast(t.Any, type("Task", (), {"params": {"dest": f"{tmp_path}/{PEM}"}, "check_mode": False}))
    with pytest.raises(LocalFileError, match="^dest: the path of a file is wanted") as caught:
        blob_download.work(task)
    assert "Sup3rS3cret" not in str(caught.value)
    assert not list(tmp_path.iterdir())
