# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The commands work wherever the repository is: the first time, and again."""

from __future__ import annotations

import pathlib
import subprocess
import sys

import pytest

TOOLS = pathlib.Path(__file__).resolve().parents[3] / "tools"
TRY = """
import sys
sys.path.insert(0, {tools!r})
import common
with common.lock():
    (common.BUILD / "made").touch()
print(common.BUILD)
"""


@pytest.mark.parametrize("name", ["short", "with blanks", "l" * 80, "\u00fcber"])
def test_everything_is_made_in_the_directory_that_is_named(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    build = tmp_path / "a clone" / name / ".build"
    links = tmp_path / "t"
    links.mkdir()
    monkeypatch.setenv("BUILD_DIR", str(build))
    monkeypatch.setenv("TMPDIR", str(links))
    for _time in range(2):
        done = subprocess.run(
            [sys.executable, "-c", TRY.format(tools=str(TOOLS))], capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stderr) == (0, "")
        assert (build / "made").is_file()
        assert pathlib.Path(done.stdout.strip()).resolve() == build
        (build / "made").unlink()
