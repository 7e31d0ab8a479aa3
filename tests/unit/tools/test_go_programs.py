# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A linter that is built with Go is built once, and left out where it can't be, unless nothing may be left out."""

from __future__ import annotations

import pathlib
import sys
import typing as t

import pytest

COLLECTION = pathlib.Path(__file__).resolve().parents[3]
sys.path.insert(0, str(COLLECTION / "tools"))

import common  # noqa: E402
import go_programs  # noqa: E402
import running  # noqa: E402
from common import Failed  # noqa: E402

del sys.path[0]


@pytest.fixture
def go(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """A program "go" that is found, and that ``running.run`` plays."""
    program = tmp_path / "bin" / "go"
    program.parent.mkdir()
    program.write_text("")
    program.chmod(0o755)
    monkeypatch.setattr(common, "BUILD", tmp_path / "build")
    monkeypatch.setattr(go_programs, "HOME", str(program.parent))
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("REQUIRE_OPTIONAL", raising=False)
    return program


def test_it_is_built_once(go: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commands = []

    def install(command: list[str], log: str, **options: t.Any) -> tuple[int, str]:
        commands.append(command)
        program = pathlib.Path(options["env"]["GOBIN"], "actionlint")
        program.parent.mkdir(parents=True)
        program.write_text("")
        program.chmod(0o755)
        return 0, ""

    monkeypatch.setattr(running, "run", install)
    built = go_programs.actionlint()
    assert built is not None and built.parts[-3:] == ("go", "v1.7.12", "actionlint")
    go.unlink()
    assert go_programs.actionlint() == built
    assert commands == [[str(go), "install", go_programs.ACTIONLINT]]


@pytest.mark.parametrize("has_go", [True, False])
def test_it_is_left_out_unless_nothing_may_be(
    go: pathlib.Path, has_go: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if not has_go:
        go.unlink()
    monkeypatch.setattr(running, "run", lambda *_arguments, **_options: (1, "no network"))
    reason = "no network\nactionlint was not built" if has_go else "Go is missing"
    assert go_programs.actionlint() is None
    assert f"{reason}, " in capsys.readouterr().out
    monkeypatch.setenv("REQUIRE_OPTIONAL", "1")
    with pytest.raises(Failed, match=reason):
        go_programs.actionlint()
