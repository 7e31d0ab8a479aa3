# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import pathlib
import sys
import typing as t

import pytest

TOOLS = pathlib.Path(__file__).resolve().parents[3] / "tools"
# They are programs of their own, no package.
sys.path.insert(0, str(TOOLS))

import coverage_gates  # noqa: E402

del sys.path[0]


def judged(folder: pathlib.Path, **missing: int) -> tuple[str, list[str]]:
    """What is said where each of the files has 60 lines and 40 branches, and so many of both weren't run."""
    names = {
        "first": "plugins/module_utils/_first/_one.py",
        "second": "plugins/module_utils/_second/_two.py",
        "module": "plugins/modules/tag.py",
        "action": "plugins/action/tag.py",
        "plugin": "plugins/plugin_utils/_child.py",
        "filter": "plugins/filter/query.py",
    }
    report: dict[str, t.Any] = {"files": {}}
    for name, path in names.items():
        lines = min(missing.get(name, 0), 60)
        branches = missing.get(name, 0) - lines
        summary = {"num_statements": 60, "covered_lines": 60 - lines}
        summary |= {"num_branches": 40, "covered_branches": 40 - branches}
        report["files"][path] = {"summary": summary}
    file = folder / "coverage.json"
    file.write_text(json.dumps(report))
    return coverage_gates.judge(file)


def test_what_is_run_is_one_line(tmp_path: pathlib.Path) -> None:
    line, problems = judged(tmp_path, second=5, module=30, filter=90)
    assert problems == []
    assert line == (
        "coverage with branches: module_utils 97.5 %, lowest _second 95.0 %; modules, action, plugin_utils 90.0 % "
        "(at least 97, 95 and 90 %)"
    )


@pytest.mark.parametrize(
    ("missing", "names"),
    [
        ({"first": 4, "second": 3}, ["module_utils"]),
        ({"second": 6}, ["module_utils/_second"]),
        ({"second": 70}, ["module_utils", "module_utils/_second"]),
        ({"module": 15, "action": 15, "plugin": 1}, ["modules, action, plugin_utils"]),
    ],
)
def test_what_is_too_little_is_named(tmp_path: pathlib.Path, missing: dict[str, int], names: list[str]) -> None:
    _line, problems = judged(tmp_path, **missing)
    assert [problem.partition(" % of ")[2].partition(", and ")[0] for problem in problems] == names


def test_the_files_that_miss_most_are_named_first(tmp_path: pathlib.Path) -> None:
    (problem,) = judged(tmp_path, module=1, action=40)[1]
    assert problem == (
        "Unit tests run 86.3 % of modules, action, plugin_utils, and 90 % are needed. Lines and branches that are "
        "missing: action/tag.py (40), modules/tag.py (1)."
    )


def test_what_was_not_measured_is_no_pass(tmp_path: pathlib.Path) -> None:
    file = tmp_path / "coverage.json"
    for names in ([], ["plugins/module_utils/_first/_one.py"], ["plugins/modules/tag.py"]):
        summary = {"num_statements": 1, "covered_lines": 1, "num_branches": 0, "covered_branches": 0}
        file.write_text(json.dumps({"files": {name: {"summary": summary} for name in names}}))
        with pytest.raises(ValueError, match="were not measured"):
            coverage_gates.judge(file)
