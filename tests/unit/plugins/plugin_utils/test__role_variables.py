# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pathlib
import typing as t

import jinja2
import pytest
import yaml
from ansible_collections.imageops.registry.plugins.action.image_diff_info import FILTERS
from ansible_collections.imageops.registry.plugins.module_utils._module import _connection
from ansible_collections.imageops.registry.plugins.modules import image_archive, image_copy, image_diff_info, tag
from ansible_collections.imageops.registry.plugins.plugin_utils._role_variables import CONNECTION_OPTIONS, RoleVariables
from jinja2 import nodes

Plain = dict[str, t.Any]

ROLES = pathlib.Path(__file__).parents[4] / "roles"
NAMES = sorted(path.name for path in ROLES.iterdir())
ENDS = {"rollback": ("destination",)}
"""Of roles that don't have both."""
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


def mistake(
    template: t.Callable[[t.Any], t.Any] = lambda value: value, arguments: Plain | None = None, **given: t.Any
) -> str:
    return variables(**given).mistake(template, arguments or {})


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
    assert said == f"promote_{end} has the key user_name, which is not a connection option. Perhaps username is meant."
    assert "Its keys can be registry, username" in mistake(**{f"promote_{end}": {**AN_END, "zzz": "a"}})
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


@pytest.mark.parametrize(
    ("role", "state", "option", "end"),
    [
        ("promote", None, "source", "source"),
        ("promote", None, "registry", "destination"),
        ("transfer", "exported", "registry", "source"),
        ("transfer", "imported", "registry", "destination"),
    ],
)
def test_what_is_evaluated_in_the_arguments_is_not_evaluated_again(
    role: str, state: str | None, option: str, end: str
) -> None:
    asked = []

    def template(value: t.Any) -> t.Any:
        asked.append(value)
        return AN_END

    given = {f"{role}_source": "{{ dev }}", f"{role}_destination": "{{ prod }}"}
    arguments = {"state": state, option: {"registry": "dev.example", "user": "a"}}
    said = RoleVariables(f"{role}_", given, {f"{role}_on_error": "fail"}).mistake(template, arguments)
    assert said.startswith(f"{role}_{end} has the key user, which is not a connection option.")
    assert given[f"{role}_{end}"] not in asked


def test_what_could_not_be_evaluated_in_the_arguments_is_evaluated_again_for_its_error() -> None:
    def template(value: t.Any) -> t.Any:
        if value == "{{ nowhere }}":
            raise NameError("nowhere")
        return value

    with pytest.raises(NameError):
        mistake(template, {"registry": None}, promote_destination="{{ nowhere }}")


def test_what_the_role_needs_and_was_not_given_is_named_first() -> None:
    needed = {"__promote_needed": ["promote_source", "promote_images"], "promote_source": "text"}
    assert mistake(**needed, promote_image=[]) == (
        "promote_images is missing. promote_image is not known: perhaps promote_images is meant."
    )
    assert mistake(**needed, promote_images=None).startswith("promote_source and promote_destination must be mappings")


def test_a_role_may_have_a_sentence_of_its_own() -> None:
    own = {"__promote_mistake": "{{ own }}", "promote_source": "text"}
    assert mistake(lambda value: {"{{ own }}": "No such host."}.get(value, value), **own) == "No such host."


def test_the_connection_of_a_task_is_divided_into_its_options_and_nothing_else_is_kept_of_one() -> None:
    end = {"registry": "prod.example", "username": None, "auth_file": "/login"}
    of_the_play = {
        "password": "secret",
        "authfile": "/other",
        "verify_ssl": False,
        "ca_cert": "/ca",
        "plain_http": True,
    }
    arguments = {**of_the_play, "registry": end, "source": AN_END, "timeout": 5}
    assert variables().connected(arguments) == {**end, "source": AN_END, "timeout": 5}
    for registry in ("prod.example", None):
        assert variables().connected({"registry": registry, "password": "x"}) == {"registry": registry, "password": "x"}


def test_every_name_of_an_option_of_a_connection_is_known() -> None:
    known = {name for option, spec in _connection.ONE_END.items() for name in (option, *spec.get("aliases", ()))}
    arguments = {**dict.fromkeys(known, "x"), "registry": AN_END}
    assert variables().connected(arguments) == AN_END


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
    "form",
    ["{}: it is wrong", "{}[0] must be text", "{} must be given", "{} is needed", "{} is not a list", "{} cannot"],
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


def test_a_role_within_one_registry_has_no_source() -> None:
    def said(**given: t.Any) -> str:
        return RoleVariables("rollback_", {"__rollback_needed": ["rollback_destination"], **given}, {}).mistake(
            lambda value: value, {}
        )

    assert said() == "rollback_destination is missing."
    assert said(rollback_destination="x").startswith("rollback_destination must be a mapping such as")
    assert said(rollback_destination=AN_END) == ""


def test_what_the_role_itself_decides_by_is_checked() -> None:
    said = "promote_on_error must be fail or continue, and other text was given."
    assert mistake(promote_on_error="fial") == said
    assert mistake(promote_on_error="continue") == ""


@pytest.mark.parametrize("role", NAMES)
def test_the_specification_leaves_types_and_choices_to_the_checks(role: str) -> None:
    """ansible-core answers another type, or no choice, with the whole specification."""
    options = read(role, "meta/argument_specs.yml")["argument_specs"]["main"]["options"]
    lists = {name for name, value in read(role, "defaults/main.yml").items() if isinstance(value, list)}
    passed = {
        name
        for _module, task in tasks_with_modules(all_tasks(role))
        for name in options
        if any(value in (f"{{{{ {name} }}}}", f"{{{{ {name} | default(none) }}}}") for value in task.values())
    }
    ends = ENDS.get(role, ("source", "destination"))
    assert len(passed) > (5 if role in ENDS else 15)
    for name in lists | passed | {f"{role}_{end}" for end in ends}:
        if name not in ("transfer_parts", f"{role}_notify", "transfer_archive", "transfer_import_archive"):
            assert options[name]["type"] == "raw" and "choices" not in options[name], name
    for end in ends:
        assert set(options[f"{role}_{end}"]["options"]) == set(CONNECTION_OPTIONS)


def all_tasks(role: str) -> list[Plain]:
    """The tasks of all files of a role."""
    files = sorted(ROLES.joinpath(role, "tasks").glob("*.yml"))
    return [entry for file in files for entry in read(role, f"tasks/{file.name}")]


def tasks_with_modules(entries: t.Sequence[Plain]) -> t.Iterator[tuple[str, Plain]]:
    for entry in entries:
        for name, value in entry.items():
            if name in ("block", "rescue", "always"):
                yield from tasks_with_modules(value)
            elif name.startswith("imageops.registry."):
                yield name.rpartition(".")[2], {**value, **entry.get("args", {})}


@pytest.mark.parametrize("role", NAMES)
def test_tasks_give_every_option_of_their_module(role: str) -> None:
    """What a task leaves out, ``module_defaults`` of the play fill in: a login of the other registry, for instance."""
    modules = {"image_archive": image_archive, "image_copy": image_copy, "image_diff_info": image_diff_info, "tag": tag}
    tasks = list(tasks_with_modules(all_tasks(role)))
    assert tasks
    for name, given in tasks:
        options = modules[name].ARGUMENTS["argument_spec"]
        assert set(given) == set(options) - set(CONNECTION_OPTIONS) | {"registry"}
        end = "source" if given.get("state") == "exported" else "destination"
        assert given["registry"] == f"{{{{ {role}_{end} | default(none) }}}}"
        assert not [name for name in given if options[name].get("aliases")]


@pytest.mark.parametrize("role", NAMES)
def test_roles_say_what_they_need_where_it_is_looked_for(role: str) -> None:
    own = read(role, "vars/main.yml")
    needed, mistake_of_role = own.get(f"__{role}_needed", []), own.get(f"__{role}_mistake", "")
    assert isinstance(needed, list) and isinstance(mistake_of_role, str)
    assert needed or mistake_of_role


def plugins_in(template: str, own: Plain) -> set[str]:
    """The filters and tests that a template uses, and those of the role's own variables in it."""
    tree = jinja2.Environment(autoescape=True).parse(template)
    found = {str(node.name) for kind in (nodes.Filter, nodes.Test) for node in tree.find_all(kind)}
    for name in {node.name for node in tree.find_all(nodes.Name)} & set(own):
        found |= plugins_in(str(own[name]), own)
    return found


def test_conditions_of_promote_load_no_plugins_and_filters_that_it_always_uses_are_loaded_once() -> None:
    """The first filter or test of a task's process loads all of ansible-core's: that takes longer than the task."""
    own = read("promote", "vars/main.yml")
    (block,) = read("promote", "tasks/main.yml")
    conditions, values = [], []
    for entry in [*block["block"], *read("promote", "tasks/carry_out.yml"), *block["always"]]:
        when = entry.get("when", [])
        conditions += [f"{{{{ {condition} }}}}" for condition in ([when] if isinstance(when, str) else when)]
        if not {"ansible.builtin.fail", "ansible.builtin.include_tasks"} & set(entry):
            values.append(str(list(entry.values())[1]))
    assert len(conditions) >= 7
    assert not set().union(*(plugins_in(condition, own) for condition in conditions))
    assert len(values) >= 4
    preloaded = {name.removeprefix("ansible.builtin.") for name in FILTERS}
    assert set().union(*(plugins_in(value, own) for value in values)) == preloaded
