# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import collections
import datetime
import decimal
import sys
import typing as t
import uuid

import pytest
from ansible.errors import AnsibleFilterError
from ansible.parsing.dataloader import DataLoader
from ansible_collections.imageops.registry.plugins.filter.query import FilterModule, to_plain

query = FilterModule().filters()["query"]

TEXT = """
name: app
numbers: [3, -1, 2]
ratio: 1.5
good: true
nothing: null
day: 2026-01-02
moment: 2026-01-02 03:04:05
images:
  - {repository: team/b, size: 20, labels: {x: "1"}}
  - {repository: team/a, size: 10, labels: {y: "2"}}
"""


@pytest.fixture
def data() -> t.Any:
    """Values as a play has them, each with a tag that says where it comes from."""
    loaded = DataLoader().load(TEXT)
    assert loaded["name"].__class__ is not str
    assert loaded["numbers"].__class__ is not list
    return loaded


def exact_types(value: t.Any) -> t.Iterator[type]:
    yield type(value)
    if isinstance(value, dict):
        for name, inner in value.items():
            yield type(name)
            yield from exact_types(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from exact_types(inner)


def test_values_of_a_play_become_exactly_the_types_of_json(data: t.Any) -> None:
    assert set(exact_types(to_plain(data))) == {dict, list, str, int, float, bool, type(None)}


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("abs(numbers[1])", 1),
        ("avg(numbers)", 4 / 3),
        ("ceil(ratio)", 2),
        ("contains(numbers, `2`)", True),
        ("contains(name, 'pp')", True),
        ("ends_with(name, 'pp')", True),
        ("floor(ratio)", 1),
        ("join('-', images[].repository)", "team/b-team/a"),
        ("sort(keys(images[0]))", ["labels", "repository", "size"]),
        ("length(name)", 3),
        ("length(images)", 2),
        ("length(images[0])", 3),
        ("map(&size, images)", [20, 10]),
        ("max(numbers)", 3),
        ("max(images[].repository)", "team/b"),
        ("max_by(images, &size).repository", "team/b"),
        ("merge(images[0].labels, images[1].labels)", {"x": "1", "y": "2"}),
        ("min(numbers)", -1),
        ("min_by(images, &size).repository", "team/a"),
        ("not_null(nothing, missing, name)", "app"),
        ("reverse(numbers)", [2, -1, 3]),
        ("reverse(name)", "ppa"),
        ("sort(numbers)", [-1, 2, 3]),
        ("sort(images[].repository)", ["team/a", "team/b"]),
        ("sort_by(images, &repository)[].size", [10, 20]),
        ("starts_with(name, 'a')", True),
        ("sum(numbers)", 4),
        ("to_array(name)", ["app"]),
        ("to_array(numbers)", [3, -1, 2]),
        ("to_number('7')", 7),
        ("to_number(name)", None),
        ("to_string(numbers)", "[3,-1,2]"),
        ("to_string(images[0].labels)", '{"x":"1"}'),
        (
            "map(&type(@), [name, numbers, ratio, good, nothing, images[0]])",
            ["string", "array", "number", "boolean", "null", "object"],
        ),
        ("values(images[0].labels)", ["1"]),
        ("images[?size > `15`].repository | [0]", "team/b"),
        ("images[?repository == 'team/a'] | [0].size", 10),
        ("day", "2026-01-02"),
        ("moment", "2026-01-02T03:04:05"),
        ("missing.more", None),
    ],
)
def test_every_function_takes_values_of_a_play(data: t.Any, expression: str, expected: t.Any) -> None:
    assert query(data, expression) == expected


def test_the_expression_may_be_a_value_of_a_play(data: t.Any) -> None:
    assert query(data, DataLoader().load("- sum(numbers)")[0]) == 4


def test_other_containers_are_taken() -> None:
    ordered = collections.OrderedDict([("b", 1), ("a", 2)])
    assert query(ordered, "keys(@)") == ["b", "a"]
    assert query(collections.UserDict(a=collections.UserList([1, 2])), "sum(a)") == 3
    assert query((number for number in (1, 2, 3)), "max(@)") == 3
    assert query((1, 2), "length(@)") == 2
    assert query({3, 1, 2}, "@") == [1, 2, 3]
    assert query(frozenset({"b", "a"}), "join('', @)") == "ab"
    assert query(range(4), "sum(@)") == 6
    assert query({"a": 1, "b": 2}.items(), "[*][0] | sort(@)") == ["a", "b"]
    assert query({"a": 1, "b": 2}.keys(), "sort(@)") == ["a", "b"]
    assert query({"a": 1, "b": 2}.values(), "sum(@)") == 3


def test_other_scalars_are_taken() -> None:
    number = uuid.UUID(int=0)
    values = [decimal.Decimal("1.5"), b"caf\xc3\xa9", b"\xff", datetime.time(1, 2), number, 2**70]
    assert query(values, "@") == ["1.5", "caf\u00e9", "\ufffd", "01:02:00", str(number), 2**70]


def test_names_become_texts() -> None:
    names = {7: "a", True: "b", None: "c", 2.5: "d", datetime.date(2026, 1, 2): "e", "f": "f"}
    assert query(names, "@") == {"7": "a", "true": "b", "null": "c", "2.5": "d", "2026-01-02": "e", "f": "f"}


def test_nothing_of_the_data_is_changed(data: t.Any) -> None:
    before = to_plain(data)
    query(data, "sort_by(images, &size)")
    assert to_plain(data) == before


@pytest.mark.parametrize(
    ("expression", "told"),
    [
        ("sort(name)", "the function sort() takes an array-string or an array-number, and was given the string 'app'"),
        ("sum(images[].repository)", "the function sum() takes an array-number, and was given the "),
        ("abs()", "Expected 1 argument for function abs(), received 0"),
        ("nosuch(@)", "Unknown function: nosuch()"),
        ("images[", "Invalid jmespath expression: Incomplete expression"),
        ("", "Invalid JMESPath expression: cannot be empty"),
        ("a b", "Unexpected token: b: Parse error at column 2"),
        ("a %", "Bad jmespath expression: Unknown token %"),
        ("numbers[::0]", "slice step cannot be zero"),
        ("contains(name, `1`)", ""),
        ("`[" + "(" * 20000, ""),
        ("(" * 20000, ""),
    ],
)
def test_what_cant_be_evaluated_is_told_in_one_sentence(data: t.Any, expression: str, told: str) -> None:
    with pytest.raises(AnsibleFilterError) as caught:
        query(data, expression)
    text = str(caught.value)
    assert text.startswith("The JMESPath expression '")
    assert f"cannot be evaluated: {told}" in text
    assert text.endswith(".")
    assert not text.endswith("..")
    assert "\n" not in text
    assert len(text) < 500


@pytest.mark.parametrize(
    ("expression", "kind"), [(5, "number"), (None, "null value"), (["a"], "list"), ({}, "mapping")]
)
def test_an_expression_is_a_text(expression: object, kind: str) -> None:
    with pytest.raises(AnsibleFilterError, match=f"takes a JMESPath expression as text, not a {kind}"):
        query({}, expression)


def test_data_that_contains_itself_is_refused() -> None:
    data: list[t.Any] = []
    data.append(data)
    with pytest.raises(AnsibleFilterError, match="contains itself"):
        query(data, "@")


def test_without_the_library_the_user_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jmespath", None)
    with pytest.raises(
        AnsibleFilterError, match="needs the Python library jmespath where Ansible itself runs.*-m pip install jmespath"
    ):
        query({}, "a")
