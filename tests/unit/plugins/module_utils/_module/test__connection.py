# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pathlib
import typing as t

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.imageops.registry.plugins.doc_fragments._connection import ModuleDocFragment
from ansible_collections.imageops.registry.plugins.module_utils._model._errors import (
    CredentialError,
    InvalidInput,
    LocalFileError,
    RegistryError,
)
from ansible_collections.imageops.registry.plugins.module_utils._module._connection import (
    RULES,
    connection_arguments,
    module_arguments,
)
from ansible_collections.imageops.registry.tests.unit.support.module_stand_in import Module


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


def test_rules_of_a_module_are_added_to_those_of_the_connection() -> None:
    made = module_arguments(
        {"x": {"type": "str"}},
        source="required",
        mutually_exclusive=[("x", "y")],
        required_one_of=[("a",)],
        required_by={"x": ("y",)},
    )
    assert made["supports_check_mode"] is True
    assert made["mutually_exclusive"] == [("username", "token"), ("x", "y")]
    assert made["required_one_of"] == [("a",)]
    assert made["required_together"] == [("username", "password")]
    assert made["required_by"] == {"client_key": ("client_cert",), "x": ("y",)}
    assert made["argument_spec"]["x"] == {"type": "str"}
    assert made["argument_spec"]["source"]["required"] is True
    # What is shared by all modules stays as it is.
    assert RULES["mutually_exclusive"] == [("username", "token")]


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
    rules: dict[str, t.Any] = dict(RULES)
    validator = ArgumentSpecValidator(connection_arguments({}, source="optional"), **rules)
    good = {"registry": "r.example"}
    assert not validator.validate({**good, "source": good}).error_messages
    for parameters in ({**good, **given}, {**good, "source": {**good, **given}}):
        (message,) = validator.validate(parameters).error_messages
        assert why in message


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
        ({"auth_file": "/absent/auth.json"}, "cannot be read"),
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
        ({"auth_file": "/absent/a"}, "Cannot log in to r.example: {end}auth_file: the auth file /absent/a cannot be"),
        (
            {"ca_path": "/absent/ca"},
            "Cannot reach r.example: {end}ca_path: the file /absent/ca cannot be read: No such",
        ),
        ({"ca_path": ""}, "Cannot reach r.example: {end}ca_path: it is empty text. Leave it out"),
        ({"client_cert": ""}, "Cannot reach r.example: {end}client_cert: it is empty text. Leave it out"),
        (
            {"client_cert": "/absent/c", "client_key": ""},
            "Cannot reach r.example: {end}client_key: it is empty text. Leave it out",
        ),
        ({"client_cert": "/absent/c"}, "Cannot reach r.example: {end}client_cert: the file /absent/c cannot be read"),
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
    assert f"file {tmp_path}/here/absent cannot be read: No such file or directory. A relative path" in str(
        caught.value
    )
    assert f"working directory of the module on the host on which it runs, {tmp_path};" in str(caught.value)
