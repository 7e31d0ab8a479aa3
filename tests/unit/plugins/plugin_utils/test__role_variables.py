# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pathlib
import typing as t

import pytest
import yaml
from ansible_collections.imageops.registry.plugins.module_utils._module import _connection
from ansible_collections.imageops.registry.plugins.modules import image_archive, image_copy, image_diff_info
from ansible_collections.imageops.registry.plugins.plugin_utils._role_variables import CONNECTION_OPTIONS, RoleVariables

Plain = dict[str, t.Any]

ROLES = pathlib.Path(__file__).parents[4] / "roles"
NAMES = sorted(path.name for path in ROLES.iterdir())
DEFAULTS: Plain = {
    "promote_immutable_tags": [],
    "promote_artifacts": ["all"],
    "promote_jobs": int("4000"),
    "promote_verify": "".join(["t", "ag"]),
    "promote_flatten": False,
    "promote_on_error": "fail",
}
IMAGES = [{"repository": "team/app", "tag": "1"}]
AN_END = {"registry": "prod.example"}


def read(role: str, path: str) -> t.Any:
    return yaml.safe_load((ROLES / role / path).read_text(encoding="utf-8"))


def variables(**given: t.Any) -> RoleVariables:
    return RoleVariables("promote_", {**DEFAULTS, **given}, DEFAULTS)


def mistake(template: t.Callable[[t.Any], t.Any] = lambda value: value, **given: t.Any) -> str:
    return variables(**given).mistake(template)


def named(message: str, *, reason: str = "", state: str = "", **given: t.Any) -> str:
    result = {"msg": message, **({"error": {"reason": reason}} if reason else {})}
    return str(variables(**given).named(result, {"state": state} if state else {})["msg"])


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("promote_immutable_tag", "promote_immutable_tags"),
        ("promote_imutable_tags", "promote_immutable_tags"),
        ("promote_artifact", "promote_artifacts"),
        ("promote_job", "promote_jobs"),
        ("promote_verfiy", "promote_verify"),
        ("promote_flaten", "promote_flatten"),
    ],
)
def test_a_name_that_is_near_to_one_that_is_not_set_is_found(name: str, meant: str) -> None:
    assert variables(**{name: "secret"}).misspelt() == [(name, meant)]
    assert variables(**{name: "secret", meant: ["set"]}).misspelt() == []


@pytest.mark.parametrize(
    "name", ["promote_team", "promote_result", "promote_source", "promoted_immutable_tags", "immutable_tag"]
)
def test_other_names_are_those_of_the_user(name: str) -> None:
    assert variables(**{name: 1}).misspelt() == []


@pytest.mark.parametrize("role", NAMES)
def test_no_name_of_a_role_itself_counts_as_misspelt(role: str) -> None:
    defaults = read(role, "defaults/main.yml")
    options = read(role, "meta/argument_specs.yml")["argument_specs"]["main"]["options"]
    own = {**dict.fromkeys([*options, f"{role}_result"]), **defaults}
    assert RoleVariables(f"{role}_", own, defaults).misspelt() == []


def test_what_is_right_is_no_mistake() -> None:
    assert mistake() == ""
    assert mistake(promote_source=AN_END, promote_destination={**AN_END, "username": "a", "password": ""}) == ""


@pytest.mark.parametrize("end", ["source", "destination"])
@pytest.mark.parametrize(
    ("value", "kind"), [("dev.example", "text"), ([AN_END], "a list"), (5, "a number"), (True, "a truth value")]
)
def test_an_end_of_another_kind_is_named(end: str, value: t.Any, kind: str) -> None:
    said = mistake(**{f"promote_{end}": value})
    assert "promote_source and promote_destination must be mappings such as {registry: prod.example}" in said
    assert f"promote_{end} is {kind}" in said


@pytest.mark.parametrize("end", ["source", "destination"])
def test_what_an_end_cannot_hold_is_named_with_what_is_meant(end: str) -> None:
    said = mistake(**{f"promote_{end}": {**AN_END, "user_name": "a"}})
    assert said == f"promote_{end} holds user_name, which is no option of a connection. Perhaps username is meant."
    assert "It may hold registry, username" in mistake(**{f"promote_{end}": {**AN_END, "zzz": "a"}})
    for value in ({}, {"registry": ""}, {"registry": None, "token": "x"}):
        assert f"promote_{end} has no registry" in mistake(**{f"promote_{end}": value})


@pytest.mark.parametrize("end", ["source", "destination"])
@pytest.mark.parametrize("option", ["username", "token", "auth_file", "ca_path", "client_cert", "client_key"])
def test_both_ends_are_looked_at_for_empty_text_before_anything_is_done(end: str, option: str) -> None:
    said = mistake(**{f"promote_{end}": {**AN_END, option: ""}})
    assert said == f"promote_{end}.{option} is empty. Give a value, or leave {option} out of promote_{end}."


def test_sentences_end_with_a_full_stop() -> None:
    for value in ("text", {}, {**AN_END, "zzz": 1}):
        assert mistake(promote_source=value).endswith(".")


def test_what_is_a_template_is_evaluated_and_nothing_else_is() -> None:
    asked = []

    def template(value: t.Any) -> t.Any:
        asked.append(value)
        return AN_END

    given = {"registry": "dev.example", "password": "{{ lookup('pipe', 'slow') }}"}
    assert mistake(template, promote_source=given, promote_destination="{{ prod }}", promote_on_error=None) == ""
    assert asked == ["{{ prod }}"]


def test_an_option_that_a_message_begins_with_gets_its_name_in_the_role() -> None:
    assert named("images[3]: a tag is needed", promote_images=[]) == "promote_images[3]: a tag is needed"
    assert named("images[0].on_conflict must be", promote_images=[]) == "promote_images[0].on_conflict must be"
    assert named("immutable_tags must be a list") == "promote_immutable_tags must be a list"
    assert named("jobs must be 1 to 1000.") == "promote_jobs must be 1 to 1000."
    for message in ("Cannot reach images[3]", "imagesque", "plan is wrong", ""):
        assert named(message, promote_images=[]) == message
    assert variables().named({"changed": True}, {}) == {"changed": True}


@pytest.mark.parametrize("option", CONNECTION_OPTIONS)
@pytest.mark.parametrize(
    "form", ["{}: it is wrong", "{}[0] must be text", "{} must be given", "{} is needed", "{} can't"]
)
def test_an_option_of_an_end_gets_the_name_of_its_end(option: str, form: str) -> None:
    said = form.format(option)
    assert named(said) == f"promote_destination.{said}"
    assert named(said, state="imported") == f"promote_destination.{said}"
    assert named(said, state="exported") == f"promote_source.{said}"
    assert named(f"source.{said}", promote_source=AN_END) == f"promote_source.{said}"


def test_an_option_within_a_message_is_named_too() -> None:
    message = "Cannot reach dev.example: {}ca_path: it looks like content. Give a path."
    told = named(message.format(""), reason="ca_path: it looks like content")
    assert told == message.format("promote_destination.")
    told = named(message.format("source."), reason="source.ca_path: it looks like content", promote_source=AN_END)
    assert told == message.format("promote_source.")


@pytest.mark.parametrize("host", ["registry.example:5000", "source.example", "token.example", "registry"])
def test_a_host_is_no_option(host: str) -> None:
    for reason in (f"{host} refuses the connection", f"{host}:1: no answer" if "." in host else f"{host} answers 401"):
        message = f"Cannot reach {host}: {reason}"
        assert named(message, reason=reason, promote_source=AN_END) == message


def test_what_the_role_itself_decides_by_is_checked() -> None:
    said = "promote_on_error must be fail or continue, and other text was given."
    assert mistake(promote_on_error="fial") == said
    assert mistake(promote_on_error="continue") == ""


def test_ends_may_hold_what_modules_take() -> None:
    assert set(CONNECTION_OPTIONS) == set(_connection.ONE_END)


@pytest.mark.parametrize("role", NAMES)
def test_the_specification_leaves_types_and_choices_to_the_checks(role: str) -> None:
    """ansible-core answers another type, or no choice, with the whole specification."""
    options = read(role, "meta/argument_specs.yml")["argument_specs"]["main"]["options"]
    lists = {name for name, value in read(role, "defaults/main.yml").items() if isinstance(value, list)}
    passed = {
        name
        for _module, task in tasks_with_modules(read(role, "tasks/main.yml"))
        for name in options
        if any(value == f"{{{{ {name} }}}}" for value in task.values())
    }
    assert len(passed) > 15
    for name in lists | passed | {f"{role}_source", f"{role}_destination"}:
        if name not in ("transfer_parts", f"{role}_notify", "transfer_archive", "transfer_import_archive"):
            assert options[name]["type"] == "raw" and "choices" not in options[name], name
    for end in ("source", "destination"):
        assert set(options[f"{role}_{end}"]["options"]) == set(CONNECTION_OPTIONS)


def tasks_with_modules(entries: t.Sequence[Plain]) -> t.Iterator[tuple[str, Plain]]:
    for entry in entries:
        for name, value in entry.items():
            if name in ("block", "rescue", "always"):
                yield from tasks_with_modules(value)
            elif name.startswith("imageops.registry."):
                yield name.rpartition(".")[2], value


def options_of(module: t.Any, monkeypatch: pytest.MonkeyPatch) -> Plain:
    """The options of a module and their other names."""
    seen: list[Plain] = []
    monkeypatch.setattr(
        module,
        "create_module",
        lambda options, *, source="", **_rules: seen.append(_connection.connection_arguments(options, source=source)),
    )
    monkeypatch.setattr(module, "run", lambda *_arguments: None)
    module.main()
    return seen[0]


@pytest.mark.parametrize("role", NAMES)
def test_tasks_give_every_option_of_their_module(role: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a task leaves out, ``module_defaults`` of the play fill in: a login of the other registry, for instance."""
    modules = {"image_archive": image_archive, "image_copy": image_copy, "image_diff_info": image_diff_info}
    tasks = list(tasks_with_modules(read(role, "tasks/main.yml")))
    assert tasks
    for name, given in tasks:
        options = options_of(modules[name], monkeypatch)
        others = {alias for option in options.values() for alias in option.get("aliases", [])}
        assert set(given) == set(options) | others
        assert all(given[alias] is None for alias in others)
