# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""TEST_ON names one supported release of ansible-core, or none, and one of its Pythons."""

from __future__ import annotations

import pathlib
import sys

import pytest

COLLECTION = pathlib.Path(__file__).resolve().parents[3]
sys.path.insert(0, str(COLLECTION / "tools"))

import pythons  # noqa: E402
from common import Failed  # noqa: E402

del sys.path[0]


def test_without_a_choice_the_oldest_and_the_newest_are_tested(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(pythons.CHOICE, raising=False)
    anything = {(3, minor): pathlib.Path(f"python3.{minor}") for minor in range(9, 14)}
    monkeypatch.setattr(pythons, "pythons", lambda: anything)
    assert pythons.chosen() is None
    assert [core.name for core in pythons.cores()] == ["2.19", "2.22"]
    del anything[3, 13]
    assert [core.name for core in pythons.cores()] == ["2.19", "2.21"]


@pytest.mark.parametrize(("choice", "pythons_of_it"), [("2.20", ((3, 12), (3, 14))), ("2.20/3.13", ((3, 13), (3, 13)))])
def test_a_choice_is_tested_alone(
    monkeypatch: pytest.MonkeyPatch, choice: str, pythons_of_it: tuple[tuple[int, int], ...]
) -> None:
    monkeypatch.setenv(pythons.CHOICE, choice)
    (core,) = pythons.cores()
    assert core == pythons.chosen()
    assert (core.name, core.requirements) == ("2.20", "tests/requirements/core-2.20.txt")
    assert (core.oldest, core.newest) == pythons_of_it


def test_plain_python_is_a_choice_for_what_needs_no_ansible(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(pythons.CHOICE, "target/3.10")
    choice = pythons.chosen()
    assert choice is not None and (choice.name, choice.oldest) == ("target", (3, 10))
    with pytest.raises(Failed, match="needs ansible-core, and TEST_ON=target/3.10 names none"):
        pythons.cores()


@pytest.mark.parametrize("choice", ["2.18", "2.19/3.14", "2.19/python3.13", "lint"])
def test_what_is_not_supported_is_no_choice(monkeypatch: pytest.MonkeyPatch, choice: str) -> None:
    monkeypatch.setenv(pythons.CHOICE, choice)
    with pytest.raises(Failed, match=f"TEST_ON={choice} names none of these: target/3.9 "):
        pythons.chosen()


def test_each_release_is_there_with_each_of_its_pythons() -> None:
    matrix = pythons.matrix()
    assert len(set(matrix)) == len(matrix)
    assert [one for one in matrix if one.startswith("2.19/")] == ["2.19/3.11", "2.19/3.12", "2.19/3.13"]
    requirements = {path.name for path in (COLLECTION / "tests" / "requirements").glob("core-*.txt")}
    assert {f"core-{one.partition('/')[0]}.txt" for one in matrix} == requirements | {"core-target.txt"}
