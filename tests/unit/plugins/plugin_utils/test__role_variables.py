# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pathlib
import typing as t

import pytest
import yaml
from ansible_collections.imageops.registry.plugins.module_utils import _arguments
from ansible_collections.imageops.registry.plugins.modules import image_archive, image_copy, image_diff_info
from ansible_collections.imageops.registry.plugins.plugin_utils._role_variables import (
    CONNECTION_OPTIONS,
    RoleVariables,
)

Plain = dict[str, t.Any]

ROLES = pathlib.Path(__file__).parents[4] / "roles"
NAMES = sorted(path.name for path in ROLES.iterdir())
DEFAULTS: Plain = {
    "promote_immutable_tags": [],
    "promote_artifacts": ["all"],
    "promote_jobs": int("4000"),
    "promote_verify": "".join(["t", "ag"]),
    "promote_flatten": False,
}
IMAGES = [{"repository": "team/app", "tag": "1"}]
AN_END = {"registry": "prod.example"}


def read(role: str, path: str) -> t.Any:
    return yaml.safe_load((ROLES / role / path).read_text(encoding="utf-8"))


def variables(**given: t.Any) -> RoleVariables:
    return RoleVariables("promote_", {**DEFAULTS, **given}, DEFAULTS)


def mistake(
    arguments: Plain | None = None, template: t.Callable[[t.Any], t.Any] = lambda value: value, **given: t.Any
) -> str:
    return variables(**given).mistake({"images": IMAGES} if arguments is None else arguments, template)


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
    ("value", "kind"), [("dev.example", "text"), ([AN_END], "a list"), (5, "a number"), (True, "true or false")]
)
def test_an_end_of_another_kind_is_named(end: str, value: t.Any, kind: str) -> None:
    said = mistake(**{f"promote_{end}": value})
    assert "promote_source and promote_destination must be mappings such as {registry: prod.example}" in said
    assert f"promote_{end} is {kind}" in said


@pytest.mark.parametrize("end", ["source", "destination"])
def test_what_an_end_cannot_hold_is_named_with_what_is_meant(end: str) -> None:
    said = mistake(**{f"promote_{end}": {**AN_END, "user_name": "a"}})
    assert said == f"promote_{end} holds user_name, which is no option of a connection. Perhaps username is meant"
    assert "It may hold registry, username" in mistake(**{f"promote_{end}": {**AN_END, "zzz": "a"}})
    for value in ({}, {"registry": ""}, {"registry": None, "token": "x"}):
        assert f"promote_{end} has no registry" in mistake(**{f"promote_{end}": value})


@pytest.mark.parametrize("option", ["username", "token", "auth_file"])
def test_an_empty_login_is_named_with_its_end(option: str) -> None:
    said = mistake({"source": {**AN_END, option: ""}, **AN_END, "images": IMAGES})
    assert said.startswith(f"promote_source.{option} is empty. ")
    said = mistake({"source": AN_END, **AN_END, option: "", "images": IMAGES})
    assert said.startswith(f"promote_destination.{option} is empty. ")
    assert mistake({**AN_END, option: "", "state": "exported"}).startswith(f"promote_source.{option} is empty. ")
    assert mistake({**AN_END, option: "", "state": "imported"}).startswith(f"promote_destination.{option} is empty. ")


def test_what_is_a_template_is_evaluated_and_nothing_else_is() -> None:
    asked = []

    def template(value: t.Any) -> t.Any:
        asked.append(value)
        return AN_END

    given = {"registry": "dev.example", "password": "{{ lookup('pipe', 'slow') }}"}
    assert mistake(None, template, promote_source=given, promote_destination="{{ prod }}") == ""
    assert asked == ["{{ prod }}"]


def test_an_option_that_a_message_begins_with_gets_its_name_in_the_role() -> None:
    given = variables(promote_images=[])
    assert given.named("images[3]: a tag is needed") == "promote_images[3]: a tag is needed"
    assert given.named("immutable_tags must be a list") == "promote_immutable_tags must be a list"
    for message in ("Cannot reach images[3]", "imagesque", "plan is wrong", ""):
        assert given.named(message) == message


def test_ends_may_hold_what_modules_take() -> None:
    assert set(CONNECTION_OPTIONS) == set(_arguments._ONE_END)


@pytest.mark.parametrize("role", NAMES)
def test_the_specification_leaves_shapes_to_the_checks(role: str) -> None:
    """ansible-core answers a mapping or a text in place of a list with the whole specification."""
    options = read(role, "meta/argument_specs.yml")["argument_specs"]["main"]["options"]
    lists = {name for name, value in read(role, "defaults/main.yml").items() if isinstance(value, list)}
    shaped = lists | {f"{role}_source", f"{role}_destination", f"{role}_images"}
    strict = {name for name in shaped if options[name]["type"] != "raw"}
    assert strict <= {"transfer_parts", f"{role}_notify"}
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
        lambda options, *, source="", **_rules: seen.append(_arguments.connection_arguments(options, source=source)),
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
