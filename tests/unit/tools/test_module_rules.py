# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A module that was added is told all that it needs; what is there has it."""

from __future__ import annotations

import pathlib
import re
import shutil
import sys

import pytest

COLLECTION = pathlib.Path(__file__).resolve().parents[3]
sys.path.insert(0, str(COLLECTION / "tools"))

import module_rules  # noqa: E402
import rules  # noqa: E402

del sys.path[0]

NEEDED = ("README.md", "meta", "plugins/modules", "plugins/action", "plugins/doc_fragments", "tests/integration")
NEEDED += ("tests/unit/plugins/modules",)


@pytest.fixture
def root(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """A copy of what is looked at."""
    for name in NEEDED:
        source = COLLECTION / name
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (shutil.copytree if source.is_dir() else shutil.copy2)(source, tmp_path / name)
    monkeypatch.setattr(module_rules, "ROOT", tmp_path)
    monkeypatch.setattr(rules, "ROOT", tmp_path)
    return tmp_path


def said(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """What the rules print, by the files that they name."""
    status = module_rules.main()
    lines = capsys.readouterr().out.splitlines()
    assert status == bool(lines)
    return lines


def test_all_modules_have_what_they_need(root: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "tag_info" in module_rules.modules()
    assert said(capsys) == []


def test_a_new_module_is_told_all_that_it_needs(root: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    modules = root / "plugins/modules"
    documented = (modules / "tag_info.py").read_text().replace("# generated: failures of_tags each task", "# by hand")
    (modules / "tag_age_info.py").write_text(documented)
    (root / "tests/integration/targets/tag_age_info").mkdir()
    lines = said(capsys)
    assert [line.partition(":")[0] for line in lines] == [
        "meta/runtime.yml",
        "plugins/modules/tag_age_info.py",
        "plugins/action/tag_age_info.py",
        "tests/unit/plugins/modules/test_tag_age_info.py",
        "tests/unit/plugins/modules/test_mistakes.py",
        "tests/integration/targets/errors/vars/main.yml",
        "tests/integration/targets/errors/vars/main.yml",
        "tests/integration/targets/setup_runs/runs.py",
        "tests/integration/targets",
        "tests/integration/one-release.txt",
        "README.md",
    ]
    assert all("tag_age_info" in line.partition(":")[2] for line in lines)


def test_to_be_in_the_lists_of_all_modules_is_no_test(root: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    targets = root / "tests/integration/targets"
    for path in targets.rglob("*"):
        if path.is_file() and path.parent.name != "setup_runs" and path.parent.parent.name != "errors":
            path.write_bytes(path.read_bytes().replace(b"repository_info", b"repository_facts"))
    (line,) = said(capsys)
    assert line.startswith("tests/integration/targets: use repository_info in a target")


def test_a_module_with_the_name_of_something_else_needs_a_task_in_a_target(
    root: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in (root / "tests/integration/targets").rglob("*"):
        if path.suffix in {".py", ".yml"}:
            text = path.read_text().replace("imageops.registry.tag:", "imageops.registry.tags:")
            path.write_text(re.sub(r"(\w\(\s*\"tag)(?=\")", r"\1s", text))
    (line,) = said(capsys)
    assert line.startswith("tests/integration/targets: use tag in a target")


def test_an_action_plugin_without_a_module(root: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    (root / "plugins/action/tags.py").write_text("")
    assert said(capsys) == ["plugins/action/tags.py: there is no module of this name"]


def test_what_users_and_their_linters_need(root: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    other_keys = "the sample of the list {} has other keys than its entries"
    changes = {
        "plugins/action/blob.py": ("main = main_of(__name__)\n", "", "add the action plugin of blob, with its main"),
        "plugins/modules/tag.py": ("  - imageops.registry._attended\n", "", "document the attributes action, "),
        "plugins/modules/manifest_info.py": (
            "      sample:\n        - digest:",
            "      example:\n        - digest:",
            "RETURN has no sample of the list images.children",
        ),
        "plugins/modules/tag_info.py": ("      malformed_count: 0\n", "", other_keys.format("repositories")),
        "plugins/modules/referrer_info.py": (
            "      cosign_tags: []\n",
            "      tags: []\n",
            other_keys.format("images"),
        ),
    }
    for path, (text, instead, _problem) in changes.items():
        content = (root / path).read_text()
        assert content.count(text) == 1
        (root / path).write_text(content.replace(text, instead))
    lines = said(capsys)
    assert len(lines) == len(changes)
    for path, (_text, _instead, problem) in changes.items():
        assert [problem in line for line in lines if line.startswith(f"{path}: ")] == [True]
