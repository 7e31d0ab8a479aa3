# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Between the environments, no unit test is left out."""

from __future__ import annotations

import pathlib
import sys

COLLECTION = pathlib.Path(__file__).resolve().parents[3]
sys.path.insert(0, str(COLLECTION / "tools"))

import pythons  # noqa: E402
import units  # noqa: E402

del sys.path[0]

OLDEST, NEWEST = pythons.OLD_CORE, pythons.NEW_CORES[0]


def arguments(environment: pythons.Environment, *chosen: str, measuring: bool = False) -> list[tuple[str, ...]]:
    return [tuple(part.arguments) for part in units.parts(environment, "", chosen, measuring=measuring)]


def test_what_needs_ansible_runs_on_every_core_and_the_rest_in_plain_python() -> None:
    assert arguments(pythons.TARGET) == [("tests/unit",)]
    ((unit, needing, without),) = arguments(OLDEST)
    assert (unit, needing, without.rpartition("/tests/")[2]) == ("tests/unit", "--needing-ansible", "unit/tools")


def test_all_run_on_the_newest_core() -> None:
    plugins, others = arguments(NEWEST, measuring=True)
    assert plugins == ("tests/unit/plugins",)
    assert others[0] == "tests/unit"
    assert [one.rpartition("/tests/")[2] for one in others[1:]] == ["unit/plugins"]


def test_chosen_tests_run_in_every_environment() -> None:
    for environment in (pythons.TARGET, OLDEST, NEWEST):
        assert arguments(environment, "-k", "tag", measuring=environment is NEWEST) == [("-k", "tag")]
