# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import threading
import time
import typing as t
from concurrent.futures import ThreadPoolExecutor

import pytest
from ansible_collections.imageops.registry.plugins.module_utils._blobs._missing_repositories import MissingRepositories
from ansible_collections.imageops.registry.plugins.module_utils._model._errors import ConnectionFailed
from ansible_collections.imageops.registry.tests.unit.support.documents import image
from ansible_collections.imageops.registry.tests.unit.support.fake_registry import FakeRegistry


@pytest.fixture
def registry() -> FakeRegistry:
    return FakeRegistry()


def considered(registry: FakeRegistry, *repositories: str) -> MissingRepositories:
    missing = MissingRepositories(registry.client)
    missing.consider(repositories)
    return missing


def finding(found: str | None, asked: list[str], name: str) -> t.Callable[[], str | None]:
    def look() -> str | None:
        asked.append(name)
        return found

    return look


def test_the_first_is_looked_into_and_asked_for_and_the_others_are_presumed_to_be_alike(registry: FakeRegistry) -> None:
    missing, asked = considered(registry, "a", "b", "c"), list[str]()
    assert not missing.presumes("a")
    assert [missing.look(name, finding(None, asked, name)) for name in "abc"] == [None] * 3
    assert asked == ["a"] and registry.calls == ["TAGS a "]
    assert [missing.presumes(name) for name in "abcd"] == [True, True, True, False]


def test_what_was_not_named_is_looked_into(registry: FakeRegistry) -> None:
    missing, asked = considered(registry, "a", "b"), list[str]()
    missing.look("a", finding(None, asked, "a"))
    assert missing.look("c", finding("there", asked, "c")) == "there"
    # It was known to be there.
    assert missing.presumes("b")
    missing.found("c")
    assert missing.presumes("b")


def test_a_single_repository_is_looked_into_and_nothing_else_is_asked(registry: FakeRegistry) -> None:
    missing, asked = considered(registry, "a"), list[str]()
    assert [missing.look("a", finding(None, asked, "a")) for _time in range(2)] == [None, None]
    assert asked == ["a", "a"] and not registry.calls and not missing.presumes("a")


def test_where_the_first_has_something_all_are_looked_into(registry: FakeRegistry) -> None:
    missing, asked = considered(registry, "a", "b"), list[str]()
    assert missing.look("a", finding("there", asked, "a")) == "there"
    assert missing.look("b", finding(None, asked, "b")) is None
    assert asked == ["a", "b"] and not registry.calls and not missing.presumes("b")


def test_where_the_first_is_there_without_what_is_wanted_all_are_looked_into(registry: FakeRegistry) -> None:
    registry.add("a", image(), "1")
    missing, asked = considered(registry, "a", "b"), list[str]()
    assert [missing.look(name, finding(None, asked, name)) for name in "ab"] == [None, None]
    assert asked == ["a", "b"] and not missing.presumes("b")


def test_once_something_was_found_nothing_is_presumed_any_more(registry: FakeRegistry) -> None:
    missing, asked = considered(registry, "a", "b", "c"), list[str]()
    missing.look("a", finding(None, asked, "a"))
    assert missing.presumes("b")
    missing.found("b")
    assert not missing.presumes("c")
    assert missing.look("c", finding("there", asked, "c")) == "there"


def test_a_look_that_fails_is_no_answer(registry: FakeRegistry) -> None:
    missing, asked = considered(registry, "a", "b"), list[str]()

    def fail() -> None:
        raise ConnectionFailed("no answer")

    with pytest.raises(ConnectionFailed):
        missing.look("a", fail)
    assert not missing.presumes("b")
    assert missing.look("b", finding(None, asked, "b")) is None
    assert asked == ["b"] and missing.presumes("a")


def test_others_wait_for_the_first(registry: FakeRegistry) -> None:
    missing, asked, begun, end = considered(registry, *"abcdefgh"), list[str](), threading.Event(), threading.Event()

    def look() -> None:
        asked.append("first")
        begun.set()
        assert end.wait(10)

    with ThreadPoolExecutor(8) as pool:
        outcomes = [pool.submit(missing.look, name, look) for name in "abcdefgh"]
        assert begun.wait(10)
        time.sleep(0.05)
        end.set()
        assert [outcome.result() for outcome in outcomes] == [None] * 8
    assert asked == ["first"]
