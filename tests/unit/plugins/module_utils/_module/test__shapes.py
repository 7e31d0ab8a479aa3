# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.imageops.registry.plugins.module_utils._module._shapes import (
    broken_rule,
    misshapen,
    misspelt,
    with_declared_names,
)

IMAGES = {
    "type": "list",
    "elements": "dict",
    "options": {
        "repository": {"type": "str", "required": True},
        "tag": {"type": "raw"},
        "tags": {"type": "list", "elements": "raw"},
        "immutable_tags": {"type": "list", "elements": "str"},
    },
}
SPEC = {
    "images": IMAGES,
    "match": {"type": "list", "elements": "str", "aliases": ["pattern"]},
    "repositories": {"type": "list", "elements": "str"},
    "source": {
        "type": "dict",
        "options": {"registry": {"type": "str", "required": True}, "username": {}},
        "required_together": [("username", "password")],
    },
    "plan": {"type": "dict"},
    "dest": {"type": "path"},
    "jobs": {"type": "int"},
    "wait": {"type": "float"},
    "flatten": {"type": "bool"},
    "verify": {"type": "str", "choices": ["tag", "manifests", "blobs"]},
    "depth": {"type": "str", "choices": ["1", "2"]},
    "rules": {
        "type": "list",
        "elements": "dict",
        "options": {
            "mode": {"type": "str", "choices": ["required", "none"], "default": "required"},
            "each": {"type": "bool", "default": False, "aliases": ["every"]},
            "number": {"type": "int", "default": 1},
            "places": {"type": "list", "elements": "str", "default": ["*"]},
            "more": {"type": "dict", "default": {}},
            "text": {"type": "str", "default": "x"},
            "keys": {"type": "list", "elements": "str"},
        },
    },
}
RULES: dict[str, t.Any] = {
    "required_together": [("username", "password")],
    "mutually_exclusive": [("username", "token")],
    "required_by": {"client_key": ("client_cert",)},
    "required_if": [("state", "exported", ["images"])],
}
ENTRY = {"repository": "team/app", "tag": "1"}
NULL = "null was given. Leave it out to get the default."


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"images": [ENTRY, dict(ENTRY, tags=["1", 2])], "source": {"registry": "r"}, "jobs": 4, "plan": {}},
        {"images": [dict(ENTRY, tags="stable")], "repositories": "a,b", "match": "v.*", "plan": None},
        {"images": [dict(ENTRY, tags=None)], "match": None, "dest": "/x"},
        {"images": ["repository=team/app tag=1"], "source": '{"registry": "r"}', "plan": "{}"},
        {"images": [dict(ENTRY, tags=2024)]},
        {"jobs": "4", "wait": "1.5", "flatten": "Yes", "verify": "tag", "depth": 2},
        {"jobs": 4.0, "wait": 2, "flatten": 0, "verify": None},
        {"jobs": "4.0", "wait": True, "flatten": False},
        {"images": [dict(ENTRY, tag=["1"])]},
        {"rules": [{"keys": None, "text": None}, {}]},
    ],
)
def test_shapes_that_are_right_or_that_ansible_converts_are_taken(given: dict[str, t.Any]) -> None:
    assert misshapen(SPEC, given) == ""


AS_ENTRIES = "Make entries of references with the filter imageops.registry.image_entries."
A_LIST = 'must be a list of mappings such as {repository: team/app, tag: "1.4.2"}, and'
AN_EXPRESSION = (
    "must be a list of regular expressions, and text with a comma was given, which would be split there. Put the "
    "expression into a list, between '[' and ']', in quotes."
)
AN_ENTRY = 'must be a mapping such as {repository: team/app, tag: "1.4.2"}, and'


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"images": "r.example/team/app:1"}, f"images {A_LIST} text was given. {AS_ENTRIES}"),
        ({"images": ENTRY}, f"images {A_LIST} a mapping was given. Put it into a list, with '- ' in front."),
        (
            {"images": '[{"repository": "a"}]'},
            f"images {A_LIST} text was given. Convert it with the filter from_json, or, on the command line, give it "
            "in a file, with -e @variables.yml.",
        ),
        ({"rules": [{}, {"mode": None}]}, f"rules[1].mode must be required or none, and {NULL}"),
        ({"rules": [{"each": None}]}, f"rules[0].each must be true or false, and {NULL}"),
        ({"rules": [{"every": None}]}, f"rules[0].each must be true or false, and {NULL}"),
        ({"rules": [{"number": None}]}, f"rules[0].number must be a whole number, and {NULL}"),
        ({"rules": [{"places": None}]}, f"rules[0].places must be a list, and {NULL}"),
        ({"rules": [{"more": None}]}, f"rules[0].more must be a mapping, and {NULL}"),
        ({"images": 5}, f"images {A_LIST} a number was given."),
        ({"images": True}, f"images {A_LIST} a truth value was given."),
        ({"images": [ENTRY, "team/app:1"]}, f"images[1] {AN_ENTRY} text was given. {AS_ENTRIES}"),
        ({"images": [[ENTRY]]}, f"images[0] {AN_ENTRY} a list was given."),
        ({"images": [None]}, f"images[0] {AN_ENTRY} null was given."),
        (
            {"images": [dict(ENTRY, registry="r.example", digest="")]},
            f"images[0] has the key registry, which is an option of the task. {AS_ENTRIES}",
        ),
        ({"images": [{"repository": None}]}, "images[0].repository must be given."),
        ({"images": [{"tag": "1"}]}, "images[0].repository must be given."),
        ({"source": {}}, "source.registry must be given."),
        ({"source": {"registry": "r", "username": "a"}}, "source.password is needed beside username."),
        ({"jobs": "many"}, "jobs must be a whole number, and text was given."),
        ({"jobs": 1.5}, "jobs must be a whole number, and another number was given."),
        ({"jobs": [1]}, "jobs must be a whole number, and a list was given."),
        ({"jobs": "nan"}, "jobs must be a whole number, and text was given."),
        ({"wait": "long"}, "wait must be a number, and text was given."),
        ({"flatten": "perhaps"}, "flatten must be true or false, and text was given."),
        ({"flatten": 2}, "flatten must be true or false, and a number was given."),
        ({"flatten": {}}, "flatten must be true or false, and a mapping was given."),
        ({"verify": "fial"}, "verify must be tag, manifests or blobs, and other text was given."),
        ({"verify": ""}, "verify must be tag, manifests or blobs, and empty text was given."),
        ({"verify": 3}, "verify must be tag, manifests or blobs, and a number was given."),
        ({"verify": ["tag"]}, "verify must be text, and a list was given."),
        ({"images": [{"repository": ["a"]}]}, "images[0].repository must be text, and a list was given."),
        (
            {"images": [dict(ENTRY, tags=1.1)]},
            "images[0].tags must be a list, and a number was given. Put each entry in quotes: without them, 1.10 is "
            "1.1.",
        ),
        (
            {"images": [dict(ENTRY, tags={"a": 1})]},
            'images[0].tags must be a list, and a mapping was given. Give a list such as ["1.4.2", "stable"].',
        ),
        ({"images": [dict(ENTRY, tags=True)]}, "images[0].tags must be a list, and a truth value was given."),
        ({"images": [dict(ENTRY, tags=[["1"]])]}, "images[0].tags[0] must be text, and a list was given."),
        ({"images": [dict(ENTRY, tags=["1", None])]}, "images[0].tags[1] must be text, and null was given."),
        (
            {"images": [dict(ENTRY, immutable_tags="v[0-9]{1,3}")]},
            f"images[0].immutable_tags {AN_EXPRESSION}",
        ),
        (
            {"images": [dict(ENTRY, tags="1.0,stable")]},
            'images[0].tags must be a list, and text with a comma was given. Give a list such as ["1.4.2", "stable"].',
        ),
        ({"match": {"tags": ["v*"]}}, 'match must be a list, and a mapping was given. Give a list such as ["v1.*"].'),
        ({"repositories": {"a": 1}}, "repositories must be a list, and a mapping was given."),
        (
            {"images": {"images": [ENTRY], "changed": False}},
            f"images {A_LIST} a mapping was given. Take its images, or make entries of it with the filter "
            "imageops.registry.image_entries.",
        ),
        (
            {"images": [ENTRY, {"name": "team/app", "tag": "1"}]},
            "images[1] has the unknown key name. Perhaps repository is meant.",
        ),
        (
            {"images": [dict(ENTRY, immutable_tag=[])]},
            "images[0] has the unknown key immutable_tag. Perhaps immutable_tags is meant.",
        ),
        (
            {"images": [dict(ENTRY, zzz=1)]},
            "images[0] has the unknown key zzz. Its keys can be repository, tag, tags, immutable_tags.",
        ),
        ({"source": {"registri": "r"}}, "source has the unknown key registri. Perhaps registry is meant."),
        ({"pattern": "v1,v2"}, f"pattern {AN_EXPRESSION}"),
        ({"source": "r.example"}, "source must be a mapping such as {registry: dev.example}, and text was given."),
        ({"source": [1]}, "source must be a mapping such as {registry: dev.example}, and a list was given."),
        ({"source": {"registry": {}}}, "source.registry must be text, and a mapping was given."),
        ({"plan": "a plan"}, "plan must be a mapping, and text was given."),
        ({"dest": ["/x"]}, "dest must be text, and a list was given."),
    ],
)
def test_what_has_the_wrong_shape_is_named_with_its_place(given: dict[str, t.Any], sentence: str) -> None:
    assert misshapen(SPEC, given) == sentence


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({}, ""),
        ({"username": "a", "password": ""}, ""),
        ({"username": "a", "password": None}, "password is needed beside username."),
        ({"password": "a"}, "username is needed beside password."),
        ({"username": "a", "password": "b", "token": "c"}, "token cannot be given beside username."),
        ({"client_key": "/key"}, "client_cert is needed beside client_key."),
        ({"client_key": "/key", "client_cert": "/cert"}, ""),
        ({"state": "exported", "images": None}, "images must be given where state is exported."),
        ({"state": "imported"}, ""),
    ],
)
def test_an_option_that_does_not_go_with_another_is_named(given: dict[str, t.Any], sentence: str) -> None:
    assert broken_rule(RULES, given) == sentence
    assert broken_rule({}, given) == ""


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ({"gates": [{"that": "tag", "message": "No"}]}, {"gates": [{"that": "tag", "msg": "No"}]}),
        # Given twice, it is refused, as any name that isn't declared.
        ({"gates": [{"message": "No", "msg": "Yes"}]}, {"gates": [{"message": "No", "msg": "Yes"}]}),
        ({"gates": ["message"], "message": "x"}, {"gates": ["message"], "message": "x"}),
        ({"gates": None}, {"gates": None}),
        ({"images": [{"message": "x"}]}, {"images": [{"message": "x"}]}),
    ],
)
def test_the_message_of_a_gate_has_the_name_of_its_option(given: dict[str, t.Any], meant: dict[str, t.Any]) -> None:
    before = repr(given)
    assert with_declared_names(given) == meant
    assert repr(given) == before


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"imagse": []}, "imagse is not an option of this module. Perhaps images is meant."),
        ({"images": [], "plain": {}}, "plain is not an option of this module. Perhaps plan is meant."),
        ({"zzz": 1, "_ansible_images": [], "source": None}, ""),
        ({}, ""),
    ],
)
def test_an_option_that_is_misspelt_is_named_with_the_one_that_is_meant(given: dict[str, t.Any], sentence: str) -> None:
    assert misspelt(SPEC, given) == sentence


@pytest.mark.parametrize("key", ["options", "argument_spec"])
def test_an_option_under_its_other_name_keeps_the_rules(key: str) -> None:
    spec = {key: {"path": {"aliases": ["src"]}, "content": {}, "mode": {}}, "mutually_exclusive": [("path", "content")]}
    assert broken_rule(spec, {"src": "a", "content": "b"}) == "content cannot be given beside src."
    assert broken_rule({**spec, "required_together": [("path", "mode")]}, {"src": "a"}) == "mode is needed beside src."
    assert broken_rule(spec, {"src": "a", "path": "a", "content": None}) == ""
