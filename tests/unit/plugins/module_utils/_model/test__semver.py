# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import time

import pytest
from ansible_collections.imageops.registry.plugins.module_utils._model._errors import InvalidInput
from ansible_collections.imageops.registry.plugins.module_utils._model._semver import Range, Version, parse_version


def version(text: str) -> Version:
    found = parse_version(text)
    assert found is not None
    return found


def test_precedence_is_that_of_the_specification() -> None:
    ordered = [
        "0.0.0-0",
        "0.0.0",
        "0.9.9",
        "1.0.0-0",
        "1.0.0-alpha",
        "1.0.0-alpha.1",
        "1.0.0-alpha.beta",
        "1.0.0-beta",
        "1.0.0-beta.2",
        "1.0.0-beta.11",
        "1.0.0-rc.1",
        "1.0.0",
        "1.2.0",
        "1.10.0",
        "2.0.0-x-y",
        "2.0.0",
    ]
    assert sorted(reversed(ordered), key=version) == ordered


@pytest.mark.parametrize("text", ["v1.2.3", "1.2.3+build.7", "1.2.3_build.7", "v1.2.3_0"])
def test_a_leading_v_and_a_build_have_no_part_in_the_precedence(text: str) -> None:
    assert version(text) == version("1.2.3")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "latest",
        "1",
        "1.4",
        "1.x.0",
        "1.2.3.4",
        "01.2.3",
        "1.02.3",
        "2024.01.15",
        "1.2.3-",
        "1.2.3-01",
        "1.2.3-a..b",
        "1.2.3-a_",
        " 1.2.3",
        "1.2.3\n",
        "V1.2.3",
        "vv1.2.3",
        "1.2.\u0663",
        "1.2.3-" + "a" * 128,
    ],
)
def test_what_is_no_version(text: str) -> None:
    assert parse_version(text) is None


# What node-semver 7 answers; 12,000 generated ranges with 25 versions each were compared with it.
RANGES = [
    ("1.4.2", "1.4.2 v1.4.2 1.4.2_build", "1.4.1 1.4.3 1.4.2-rc.1"),
    ("=1.4.2", "1.4.2", "1.4.3"),
    (">=1.2 <2", "1.2.0 1.99.0", "1.1.9 2.0.0 2.0.0-rc.1 1.3.0-rc.1"),
    (">= 1.2  < 2", "1.2.0 1.99.0", "2.0.0"),
    (">1.2", "1.3.0", "1.2.0 1.2.9"),
    (">1.2.3", "1.2.4", "1.2.3"),
    ("<=1.2", "1.2.9 0.1.0", "1.3.0 1.3.0-0"),
    ("<1.2", "1.1.9", "1.2.0 1.2.0-rc.1"),
    ("^1.4", "1.4.0 1.99.3", "1.3.9 2.0.0 2.0.0-rc.1"),
    ("^0.2.3", "0.2.3 0.2.9", "0.2.2 0.3.0"),
    ("^0.0.3", "0.0.3", "0.0.4 0.0.2"),
    ("^0.0", "0.0.0 0.0.9", "0.1.0"),
    ("^0", "0.0.0 0.9.0", "1.0.0"),
    ("^1.2.3-beta.2", "1.2.3-beta.2 1.2.3-rc 1.2.3 1.9.0", "1.2.3-beta.1 1.2.4-beta.3 2.0.0-0"),
    ("~1.4.2", "1.4.2 1.4.9", "1.4.1 1.5.0"),
    ("~1.4", "1.4.0", "1.5.0"),
    ("~1", "1.0.0 1.9.0", "2.0.0"),
    ("~>1.4.2", "1.4.3", "1.5.0"),
    ("1.x", "1.0.0 1.9.9", "2.0.0 0.9.0"),
    ("1.2.*", "1.2.0", "1.3.0"),
    ("1", "1.9.9", "2.0.0"),
    ("v1.2", "1.2.9", "1.3.0"),
    ("*", "0.0.0 99.0.0", "1.0.0-rc.1"),
    ("", "1.0.0", "1.0.0-rc.1"),
    (">*", "", "0.0.0 1.0.0"),
    (">=x", "1.0.0", ""),
    ("1.2 - 2.3", "1.2.0 2.3.9", "2.4.0 1.1.9"),
    ("1.2.3 - 2.3.4", "2.3.4", "2.3.5 1.2.2"),
    ("1.x || >=3 <3.2", "1.7.0 3.1.0", "2.0.0 3.2.0"),
    ("1.2.3||2.0.0", "1.2.3 2.0.0", "1.2.4"),
    (">=1.4.0-rc.1", "1.4.0-rc.1 1.4.0-rc.2 1.4.0 1.5.0", "1.5.0-rc.1 1.4.0-beta"),
    ("<1.4.0-rc.2", "1.3.0 1.4.0-rc.1", "1.4.0-rc.2 1.3.0-rc.1"),
    # Here node-semver leaves the pre-release out, since it drops all other parts of a range for a '*'.
    ("* || 2.0.0-rc.1", "1.0.0 2.0.0-rc.1", "2.0.0-rc.2"),
]


@pytest.mark.parametrize(("text", "inside", "outside"), RANGES)
def test_ranges(text: str, inside: str, outside: str) -> None:
    versions = Range(text)
    assert [one for one in inside.split() if version(one) not in versions] == []
    assert [one for one in outside.split() if version(one) in versions] == []


@pytest.mark.parametrize(
    "text",
    [
        "abc",
        ">=",
        "=>1.2",
        ">=1.2,<2",
        "1.2.3.4",
        "1.x.3",
        "x.1",
        "1.x-rc.1",
        "01.2.3",
        "^^1.2",
        "!=1.2.3",
        "1.2 -2.3",
        ">1.2 - 2.3",
        "1 - 2 - 3",
        "1.2.3 | 2.0.0",
        "latest",
        "1.2.3-01",
        "1.2.3-\u00e9",
    ],
)
def test_malformed_ranges(text: str) -> None:
    with pytest.raises(InvalidInput, match="malformed range of versions"):
        Range(text)


def test_a_malformed_range_is_told_in_one_sentence_that_shows_the_place() -> None:
    with pytest.raises(InvalidInput) as caught:
        Range(">=1.2 <two")
    assert str(caught.value) == (
        "malformed range of versions '>=1.2 <two': '<two' is not a comparator such as '>=1.2', '^1.4' or '1.x'."
    )


@pytest.mark.parametrize("text", ["1 " * 1000, "1.2.3-" + "a." * 300, "9" * 600])
def test_ranges_are_limited_in_length(text: str) -> None:
    with pytest.raises(InvalidInput, match="longer than 512"):
        Range(text)


@pytest.mark.parametrize("piece", ["1", "-", "1.", "a-", " ", "||", ">=", "1 ", "1-1", "0a", " - ", "x."])
def test_no_input_is_slow(piece: str) -> None:
    started = time.monotonic()
    for text in (piece * 100, "1.2.3-" + piece * 100, ">=1.2.3" + piece * 100):
        for end in ("", "!", "\n"):
            parse_version((text + end)[-128:])
            parse_version((text + end)[:128])
            try:
                Range((text + end)[:512])
            except InvalidInput:
                pass
    assert time.monotonic() - started < 1
