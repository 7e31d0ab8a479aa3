# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""docs/add-a-module.md and CONTRIBUTING.md tell the truth: who does what they say has a module whose tests pass."""

from __future__ import annotations

import os
import pathlib
import re
import shutil
import subprocess
import sys

import pytest

COLLECTION = pathlib.Path(__file__).resolve().parents[3]
PAGE = (COLLECTION / "docs" / "add-a-module.md").read_text(encoding="utf-8")
CONTRIBUTING = (COLLECTION / "CONTRIBUTING.md").read_text(encoding="utf-8")
NEEDED = ("README.md", "meta", "plugins", "roles", "tools", "tests/integration", "tests/unit")
MODULE = "plugins/modules/image_size_info.py"
MISTAKES = "tests/unit/plugins/modules/test_mistakes.py"

_FILE = re.compile(r"^New file `([^`]+)`:\n\n```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_CHANGED = re.compile(r"^In `([^`]+)`:$|\bIn\s`([^`]+)`:$", re.MULTILINE)
_DIFF = re.compile(r"^```diff\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_ROW = re.compile(r"^\|[^|]+\|[^|]+\| (?P<use>`[^|]+) \| (?P<files>`_[^|]+) \|$", re.MULTILINE)


@pytest.fixture
def copy(tmp_path: pathlib.Path) -> pathlib.Path:
    """A copy of the collection, where it can be imported from."""
    root = tmp_path / "ansible_collections" / "imageops" / "registry"
    for name in NEEDED:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        ignored = shutil.ignore_patterns("__pycache__", "output")
        if (COLLECTION / name).is_dir():
            shutil.copytree(COLLECTION / name, root / name, ignore=ignored)
        else:
            shutil.copy2(COLLECTION / name, root / name)
    return root


def run(root: pathlib.Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python in the copy."""
    env = {**os.environ, "PYTHONPATH": str(root.parents[2]), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=root,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


def write(root: pathlib.Path, *, only: str = "") -> None:
    """Write the files of the page."""
    files = dict(_FILE.findall(PAGE))
    assert MODULE in files and len(files) == PAGE.count("New file `")
    for name, content in files.items():
        if name in (only or name):
            assert not (root / name).exists(), f"{name} is there, and the page makes it"
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(content, encoding="utf-8")


def change(root: pathlib.Path, page: str = PAGE) -> int:
    """Make the changes of a page: lines that are in the file, and what they are from now on. Returns how many."""
    changes = 0
    for found in _DIFF.finditer(page):
        name = [one or other for one, other in _CHANGED.findall(page[: found.start()])][-1]
        lines = found[1].splitlines()
        before = "".join(f"{line[1:]}\n" for line in lines if not line.startswith("+"))
        after = "".join(f"{line[1:]}\n" for line in lines if not line.startswith("-"))
        content = (root / name).read_text(encoding="utf-8")
        assert content.count(before) == 1, f"mend the page: {name} has no such line any more: {before}"
        (root / name).write_text(content.replace(before, after), encoding="utf-8")
        changes += 1
    return changes


def test_who_does_what_the_page_says_has_a_module_whose_tests_pass(copy: pathlib.Path) -> None:
    write(copy)
    assert change(copy) >= 7
    for command in (["tools/generate.py"], ["tools/module_rules.py"]):
        done = run(copy, *command)
        assert done.returncode == 0, done.stdout
    rules = "import sys; sys.path.insert(0, 'tools'); import rules; sys.exit([*rules.headers(), *rules.rooms()] or 0)"
    done = run(copy, "-c", rules)
    assert done.returncode == 0, done.stdout
    tests = [name for name, _content in _FILE.findall(PAGE) if name.startswith("tests/unit/")]
    words = ["-k", "image_size_info or test__sizes or every_module"]
    done = run(copy, "-m", "pytest", "-q", "-p", "no:cacheprovider", *words, *tests, MISTAKES)
    assert done.returncode == 0, done.stdout
    (passed,) = re.findall(r"(\d+) passed", done.stdout)
    # Four of the module, one for its mistake, one for what isn't there, and that it is in the table.
    assert int(passed) >= 7


def test_who_adds_the_option_of_the_page_has_one_that_works(copy: pathlib.Path) -> None:
    tests = "tests/unit/plugins/modules/test_repository_info.py"
    first, *others = _DIFF.finditer(CONTRIBUTING)
    # The test comes first, and fails.
    assert change(copy, CONTRIBUTING[: first.end()]) == 1
    done = run(copy, "-m", "pytest", "-q", "-p", "no:cacheprovider", tests)
    assert done.returncode == 1 and "1 failed" in done.stdout, done.stdout
    assert change(copy, CONTRIBUTING[: first.start()] + CONTRIBUTING[first.end() :]) == len(others) == 3
    done = run(copy, "-m", "pytest", "-q", "-p", "no:cacheprovider", tests)
    assert done.returncode == 0, done.stdout


def test_what_the_rules_say_of_the_module_alone_stands_on_the_page(copy: pathlib.Path) -> None:
    write(copy, only=MODULE)
    assert run(copy, "tools/generate.py").returncode == 0
    said = run(copy, "tools/module_rules.py").stdout
    assert f"```text\n{said}```" in PAGE, f"mend the page, the rules say:\n{said}"


def test_the_functions_of_the_tables_are_where_they_are_said_to_be() -> None:
    utils = COLLECTION / "plugins" / "module_utils"
    rows = list(_ROW.finditer(PAGE))
    assert len(rows) > 20
    for row in rows:
        files = [*re.findall(r"`([^`]+)`", row["files"]), "_end/_end"]
        text = "".join((utils / f"{name}.py").read_text(encoding="utf-8") for name in files)
        for code in re.findall(r"`([^`]+)`", row["use"]):
            for name in re.findall(r"(\w+)\(", code) or [code.rpartition(".")[2]]:
                assert re.search(rf"^ *((def|class) {name}\b|{name} = )", text, re.MULTILINE), (
                    f"{name} is not in {files}"
                )
