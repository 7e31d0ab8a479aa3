# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.imageops.registry.plugins.module_utils._model._errors import InvalidInput
from ansible_collections.imageops.registry.plugins.module_utils._model._selection import (
    NameSelection,
    Patterns,
    count_malformed_repositories,
    count_malformed_tags,
    is_digest_tag,
    select_repositories,
    sorted_tags,
    tag_selection,
)

HEX = "0123456789abcdef" * 4
TAGS = ("latest", "1.9.3", "v1.10.1", "1.10.0", "1.4", "2.0.0-rc.1", "2.0.0-rc.2", "1.10.0-debug", "2024.01.15")
DIGEST_TAGS = [f"sha256-{HEX}", f"sha256-{HEX}.sig", f"sha256-{HEX}.att", f"sha512-{HEX}"]


def select(tags: t.Sequence[str] = TAGS, **options: t.Any) -> list[str]:
    given: dict[str, t.Any] = {"match": [], "exclude": [], "versions": "", "newest": None, "digest_tags": False}
    return tag_selection(**{**given, **options}).select(tags)


def test_versions_come_first_from_the_newest_and_then_the_others_by_name() -> None:
    assert select() == [
        "2.0.0-rc.2",
        "2.0.0-rc.1",
        "v1.10.1",
        "1.10.0",
        "1.10.0-debug",
        "1.9.3",
        "1.4",
        "2024.01.15",
        "latest",
    ]


def test_the_order_doesnt_depend_on_that_of_the_registry() -> None:
    tags = ["1.0.0", "v1.0.0", "b", "a", "1.0.0"]
    assert sorted_tags(tags) == sorted_tags(reversed(tags)) == ["v1.0.0", "1.0.0", "a", "b"]


def test_patterns_match_whole_tags() -> None:
    assert select(match=["1"]) == []
    assert select(match=[r"1\.\d+", "late.*"]) == ["1.4", "latest"]
    assert select(match=[r"1\..*"], exclude=[".*-debug", "9"]) == ["1.10.0", "1.9.3", "1.4"]


def test_a_range_leaves_out_what_is_no_version() -> None:
    assert select(versions="^1.0") == ["v1.10.1", "1.10.0", "1.9.3"]
    assert select(versions="*", exclude=["v.*"]) == ["1.10.0", "1.9.3"]
    assert select(versions=">=2.0.0-rc.2 <3") == ["2.0.0-rc.2"]


def test_the_newest_are_versions_that_everything_else_selects() -> None:
    assert select(newest=1) == ["2.0.0-rc.2"]
    assert select(newest=2, versions="*") == ["v1.10.1", "1.10.0"]
    assert select(newest=1, exclude=["v.*"], versions="1.x") == ["1.10.0"]
    assert select(["latest", "1.4"], newest=3) == []
    assert select(newest=100) == [tag for tag in select() if tag not in ("1.4", "2024.01.15", "latest")]


def test_an_empty_range_is_none() -> None:
    assert select(versions=" ") == select()


@pytest.mark.parametrize("number", [0, -1])
def test_fewer_than_one_newest_is_refused(number: int) -> None:
    with pytest.raises(InvalidInput, match="newest must be at least 1"):
        select(newest=number)


def test_digest_tags_are_hidden_unless_asked_for() -> None:
    assert select(["a", *DIGEST_TAGS]) == ["a"]
    assert select(["a", *DIGEST_TAGS], digest_tags=True) == ["a", *sorted(DIGEST_TAGS)]
    assert select(DIGEST_TAGS, match=["sha256-.*"]) == []


@pytest.mark.parametrize(
    "tag", ["sha256-abc", f"sha256-{HEX}0", f"sha256-{HEX.upper()}", f"md5-{HEX}", f"sha256-{HEX}x"]
)
def test_what_only_looks_like_a_digest_tag(tag: str) -> None:
    assert not is_digest_tag(tag)


def test_what_is_no_tag_is_left_out() -> None:
    assert select(["../x", "a b", "", "\ud800", "a" * 129, "a\n", "ok"]) == ["ok"]


def test_repositories_are_selected_by_name() -> None:
    names = ["b/x", "a", "b/y", "b/z/w", "b/x", "B", "../..", "\ud800"]
    everything = NameSelection(Patterns([], "match"), Patterns([], "exclude"))
    assert select_repositories(names, everything) == ["a", "b/x", "b/y", "b/z/w"]
    some = NameSelection(Patterns(["b/.*"], "match"), Patterns([".*/y"], "exclude"))
    assert select_repositories(names, some) == ["b/x", "b/z/w"]


@pytest.mark.parametrize("pattern", ["(", "[", "*", "(?P<a>x)(?P<a>y)", "a{2,1}", "(?z)", "a{99999999999}"])
def test_a_pattern_that_is_none_is_told_in_one_sentence(pattern: str) -> None:
    with pytest.raises(InvalidInput, match="^exclude: .* is not a regular expression: [^\n]*$"):
        select(exclude=[pattern])


def test_a_range_that_is_none_is_told() -> None:
    with pytest.raises(InvalidInput, match="malformed range of versions 'one'"):
        select(versions="one")


def test_names_that_are_left_out_because_they_are_malformed_are_counted() -> None:
    names = NameSelection(Patterns([], "match"), Patterns([], "exclude"))
    repositories = ["a/b", "A/b", "", "../x", "x\x1b[31m", "c"]
    assert select_repositories(repositories, names) == ["a/b", "c"]
    assert count_malformed_repositories(repositories) == 4
    tags = ["1", "-1", "x" * 129, "a b", "latest"]
    assert select(tags) == ["1", "latest"]
    assert count_malformed_tags(tags) == 3
