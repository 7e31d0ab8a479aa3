# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What modules return is what their RETURN says. Every run of a module in these tests is held to it."""

from __future__ import annotations

import importlib

import pytest
from ansible_collections.imageops.registry.tests.unit.support import returned_keys
from ansible_collections.imageops.registry.tests.unit.support.module_runs import PACKAGE, names_of_modules

RETURN = """
images:
  description:
    - The images. If O(repository) is given, all keys of the only entry are also returned at the top level.
  type: list
  elements: dict
  contains:
    digest: {description: Its digest., type: str}
    size: {description: Its size., type: int}
    notes: {description: What is known of it., type: dict}
names: {description: Names., type: list, elements: str}
"""


@pytest.mark.parametrize(
    "result",
    [
        {"changed": False, "images": [{"digest": "a", "size": 1, "notes": {"free": 1}}], "digest": "a", "names": []},
        {"failed": True, "msg": "It is so.", "images": [{"digest": None}], "names": ["a"]},
    ],
)
def test_documented_keys_are_fine(result: returned_keys.Plain, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(returned_keys.SEEN, "a_module", raising=False)
    returned_keys.note("a_module", result, RETURN)


@pytest.mark.parametrize(
    ("result", "said"),
    [
        ({"sizes": []}, "a_module returns sizes, which its RETURN does not have"),
        (
            {"images": [{"digest": "a"}, {"tag": "b"}]},
            "a_module returns images\\[\\].tag, which its RETURN does not have",
        ),
        ({"size": "1"}, "a_module returns size, which has '1' where its RETURN says int"),
        ({"images": [{"size": True}]}, "a_module returns images\\[\\].size, which has True where its RETURN says int"),
        ({"names": ["a", 1]}, "a_module returns names, which has 1 where its RETURN says str"),
        ({"images": {}}, "a_module returns images, which has {} where its RETURN says list"),
    ],
)
def test_a_key_that_is_not_documented_or_has_another_type_fails_the_test(
    result: returned_keys.Plain, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(returned_keys.SEEN, "a_module", raising=False)
    with pytest.raises(AssertionError, match=said):
        returned_keys.note("a_module", result, RETURN)


def test_what_is_never_returned_is_named_without_what_is_within_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(returned_keys.SEEN, "a_module", {"images", "images[].digest", "digest"})
    assert returned_keys.never_returned("a_module", RETURN) == ["images[].size", "images[].notes", "names"]
    monkeypatch.setitem(returned_keys.SEEN, "a_module", set())
    assert returned_keys.never_returned("a_module", RETURN) == ["images", "names"]


@pytest.mark.parametrize("name", names_of_modules())
def test_every_documented_key_is_returned_by_some_test(name: str) -> None:
    """Runs behind all other tests of modules, and only together with them: conftest.py sees to that."""
    never = returned_keys.never_returned(name, importlib.import_module(f"{PACKAGE}.{name}").RETURN)
    assert not never, f"no unit test of {name} has seen these keys of its RETURN: {', '.join(never)}"
