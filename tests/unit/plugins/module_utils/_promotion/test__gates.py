# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.imageops.registry.plugins.module_utils._model._errors import InvalidInput
from ansible_collections.imageops.registry.plugins.module_utils._promotion import _gates
from ansible_collections.imageops.registry.plugins.module_utils._promotion._gates import (
    keys_named,
    of_unknown_keys,
    read_gates,
)

DOCUMENT: dict[str, t.Any] = {
    "labels": {"team": "app", "org.opencontainers.image.licenses": "GPL-3.0-or-later"},
    "annotations": {"org.opencontainers.image.base.name": "registry.example/base:12"},
    "platforms": ["linux/amd64", "linux/arm64"],
    "total_size": 52428800,
    "age_seconds": 3600,
    "tag": "1.4.2",
    "repository": "team/app",
    "images": [{"created": None}],
    "referrers": [{"artifact_type": "application/spdx+json", "predicate_types": ["https://spdx.dev/Document"]}],
    "promotions": [{"environment": "staging", "verified": True, "age_seconds": 90000}],
}


def entry(that: str, **changes: t.Any) -> dict[str, t.Any]:
    """A gate as the argument spec gives it."""
    return {"name": "a gate", "that": that, "msg": None, "severity": "error", "repositories": None, **changes}


def gate(that: str, **changes: t.Any) -> _gates.Gate:
    (found,) = read_gates([entry(that, **changes)])
    return found


@pytest.mark.parametrize(
    ("that", "value"),
    [
        ("labels.team == 'app'", True),
        ("labels.\"org.opencontainers.image.licenses\" != 'AGPL-3.0-only'", True),
        ("starts_with(annotations.\"org.opencontainers.image.base.name\", 'registry.example/')", True),
        ("total_size < `104857600`", True),
        ("total_size > `104857600`", False),
        ("tag != 'latest'", True),
        ("length(platforms[?@ != 'linux/amd64' && @ != 'linux/arm64']) == `0`", True),
        ("length(referrers[?artifact_type == 'application/spdx+json']) > `0`", True),
        ("contains(referrers[].predicate_types[], 'https://spdx.dev/Document')", True),
        ("max(promotions[?environment=='staging' && verified].age_seconds) >= `86400`", True),
        ("platforms[0:1] == ['linux/amd64']", True),
        ("length(images[:1].created) == `1`", False),
        ("referrers[::-1].artifact_type == ['application/spdx+json']", True),
        ("labels.nobody", None),
        ("labels.team", "app"),
        ("age_seconds", 3600),
    ],
)
def test_only_true_passes_and_what_was_given_is_told(that: str, value: t.Any) -> None:
    found = gate(that).judge(DOCUMENT)
    assert (found.passed, found.value, found.refuses) == (value is True, value, value is not True)
    assert found.message == f"{that} is not true" and found.severity == "error"


@pytest.mark.parametrize(
    ("that", "words"),
    [
        ("length(age_seconds) > `1`", "invalid type"),
        # Of an empty list there is no largest.
        ("max(images[].created) > `1`", None),
        ("starts_with(labels.nobody, 'x')", "invalid type"),
        ("to_number(tag) > `1`", None),
    ],
)
def test_what_can_not_be_evaluated_fails_with_the_reason_as_its_value(that: str, words: str | None) -> None:
    found = gate(that).judge(DOCUMENT)
    assert not found.passed
    assert found.value is None if words is None else words in found.value


def test_a_warning_refuses_nothing_and_a_message_is_kept() -> None:
    found = gate("tag == 'latest'", severity="warning", msg="Tags are versions here").judge(DOCUMENT)
    assert (found.passed, found.refuses, found.message) == (False, False, "Tags are versions here")
    assert found.sentence == "gate 'a gate': Tags are versions here (it gave false)"


def test_a_value_is_told_in_its_own_letters_and_on_one_line() -> None:
    found = gate("labels.name").judge({"labels": {"name": "Gr\u00f6\u00dfe\u202e\n"}})
    assert found.sentence.endswith('(it gave "Gr\u00f6\u00dfe \\n")')


def test_a_long_value_is_cut() -> None:
    found = gate("repeated").judge({"repeated": ["x" * 100] * 100})
    assert isinstance(found.value, str) and len(found.value) == 1003


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ({"\ud800": ["\udfffx", float("nan"), 1e999]}, {"?": ["?x", None, None]}),
        ({"__ansible_unsafe": ("caf\u00e9",)}, {"___ansible_unsafe": ["caf\u00e9"]}),
    ],
)
def test_a_value_is_such_that_results_and_records_can_carry_it(value: t.Any, shown: t.Any) -> None:
    assert gate("there").judge({"there": value}).value == shown


@pytest.mark.parametrize("depth", [95, 100000])
def test_a_value_that_is_nested_too_deep_is_a_sentence(depth: int) -> None:
    nested: list[t.Any] = []
    for _level in range(depth):
        nested = [nested]
    assert gate("there").judge({"there": nested}).value == "it is nested too deep"
    assert gate("there").judge({"there": [[[]]]}).value == [[[]]]


def test_an_expression_that_gives_no_plain_value_fails_with_a_text() -> None:
    found = gate("&tag").judge(DOCUMENT)
    assert not found.passed and isinstance(found.value, str)


def test_a_gate_is_for_the_repositories_that_its_patterns_match() -> None:
    found = gate("tag", repositories=["team/*", "base"])
    assert [found.applies_to(name) for name in ("team/a/b", "base", "other", "Team/a")] == [True, True, False, False]
    assert gate("tag").applies_to("whatever/there/is")
    # One that applies nowhere would be off, and nobody would notice.
    with pytest.raises(InvalidInput, match=r"gates\[0\].repositories: the list is empty"):
        gate("tag", repositories=[])
    with pytest.raises(InvalidInput, match=r"gates\[0\].repositories\[1\]: 'Team/\*' matches no repository"):
        gate("tag", repositories=["base", "Team/*"])


@pytest.mark.parametrize(
    ("that", "keys"),
    [
        ("labels.team == 'app'", {"labels"}),
        ("labels.team && annotations.other || !tag", {"labels", "annotations", "tag"}),
        ("max(promotions[?environment=='staging' && verified].age_seconds) >= `86400`", {"promotions"}),
        ("images[*].layers[].size | sum(@) > `5`", {"images"}),
        ("[labels, {a: annotations}]", {"labels", "annotations"}),
        ("sort_by(images, &created)[0].labels", {"images"}),
        ("images[0].config.created", {"images"}),
        ("length(images[?labels.team == 'x'])", {"images"}),
        ("referrers[].predicate_types[] | contains(@, 'x')", {"referrers"}),
        ("manifest.*", {"manifest"}),
        ("`true`", set()),
        ("@.labels", None),
        ("keys(@)", None),
        ("to_string(@)", None),
        ("*", None),
        ("*.team", None),
        ("values(@)", None),
        ("labels || @", None),
        ("[@]", None),
    ],
)
def test_what_an_expression_names_of_the_document(that: str, keys: set[str] | None) -> None:
    assert gate(that).keys == keys


def test_what_json_has_as_literals_is_no_key_with_a_wrong_name() -> None:
    assert of_unknown_keys([gate("labels.team != null")], DOCUMENT) == []
    (sentence,) = of_unknown_keys([gate("labels.team == null || verified == true")], {*DOCUMENT, "verified"})
    assert sentence.startswith("gate 'a gate' names \"true\", and") and sentence.endswith("in backticks: `true`.")
    (sentence,) = of_unknown_keys([gate("lables.team != null")], DOCUMENT)
    assert sentence.startswith("gate 'a gate' names \"lables\", and") and sentence.endswith("quotes: 'lables'.")


def test_gates_together_need_what_each_of_them_needs() -> None:
    assert keys_named([]) == set()
    assert keys_named([gate("labels.a"), gate("tag")]) == {"labels", "tag"}
    assert keys_named([gate("labels.a"), gate("@")]) is None


@pytest.mark.parametrize(
    ("that", "words"),
    [
        ("labels.", "is not a JMESPath expression"),
        ("labels[", "is not a JMESPath expression"),
        ("", "is not a JMESPath expression"),
        ("nothing(tag)", "there is no function nothing()"),
        ("labels.a || images[?nothing(tag)]", "there is no function nothing()"),
        ("length()", "length() takes 1 arguments, and gets 0"),
        ("length(tag, tag)", "length() takes 1 arguments, and gets 2"),
        ("not_null()", "not_null() takes at least 1 arguments, and gets 0"),
    ],
)
def test_what_is_no_expression_is_refused_with_its_place(that: str, words: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        read_gates([entry("tag", name="first"), entry(that, name="second")])
    assert words in str(caught.value) and "gates[1]" in str(caught.value)


def test_a_function_with_any_number_of_arguments() -> None:
    assert gate("not_null(labels.nobody, tag, age_seconds)").judge(DOCUMENT).value == "1.4.2"


@pytest.mark.parametrize("names", [("a", "a"), ("a", " ")])
def test_each_gate_has_its_own_name(names: tuple[str, str]) -> None:
    with pytest.raises(InvalidInput, match=r"gates\[1\]"):
        read_gates([entry("tag", name=name) for name in names])


def test_without_jmespath_gates_are_refused_and_no_gates_are_fine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_gates, "PROBLEM", "the Python library jmespath cannot be imported (No module)")
    with pytest.raises(InvalidInput, match="jmespath cannot be imported"):
        read_gates([entry("tag")])
    assert read_gates([]) == ()
