# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The copy of the collection that tests run in, and what `make clean` removes."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys

import pytest

COLLECTION = pathlib.Path(__file__).resolve().parents[3]
sys.path.insert(0, str(COLLECTION / "tools"))

import making  # noqa: E402

del sys.path[0]


@pytest.fixture
def copied(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """A collection of two files, and the place of its copy, which has been made."""
    root = tmp_path / "root"
    for name in ("plugins/one.py", "README.md"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    monkeypatch.setattr(making, "ROOT", root)
    monkeypatch.setattr(making, "collection_files", lambda: set(files(root)))
    copy = tmp_path / "copy"
    making.sync(copy)
    return copy


def files(directory: pathlib.Path) -> dict[str, str]:
    found = (path for path in directory.rglob("*") if path.is_file() and ".git" not in path.parts)
    return {str(path.relative_to(directory)): path.read_text() for path in found}


def test_a_copy_has_what_the_collection_has(copied: pathlib.Path) -> None:
    assert files(copied) == {"plugins/one.py": "plugins/one.py", "README.md": "README.md"}
    (copied / "plugins" / "old.py").write_text("left over")
    (making.ROOT / "README.md").write_text("changed, and longer")
    making.sync(copied)
    assert files(copied) == {"plugins/one.py": "plugins/one.py", "README.md": "changed, and longer"}


def test_a_directory_becomes_a_file_and_a_file_a_directory(copied: pathlib.Path) -> None:
    (making.ROOT / "plugins" / "one.py").unlink()
    (making.ROOT / "plugins").rmdir()
    (making.ROOT / "plugins").write_text("a file now")
    (making.ROOT / "README.md").unlink()
    (making.ROOT / "README.md").mkdir()
    (making.ROOT / "README.md" / "part").write_text("a directory now")
    making.sync(copied)
    assert files(copied) == {"plugins": "a file now", "README.md/part": "a directory now"}


def clean(build: pathlib.Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "BUILD_DIR": str(build)}
    command = ["make", "-C", str(COLLECTION), "clean"]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("name", ["build", "a build with blanks"])
def test_clean_removes_only_what_these_commands_have_made(tmp_path: pathlib.Path, name: str) -> None:
    build = tmp_path / name
    build.mkdir()
    (build / "thesis.txt").touch()
    done = clean(build)
    assert done.returncode and "has no file lock" in done.stderr and files(build) == {"thesis.txt": ""}
    (build / "lock").touch()
    done = clean(build)
    assert not done.returncode and not build.exists(), done.stderr
