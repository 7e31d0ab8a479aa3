# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the repository's own rules find in a file."""

from __future__ import annotations

import pathlib
import sys

import pytest

COLLECTION = pathlib.Path(__file__).resolve().parents[3]
sys.path.insert(0, str(COLLECTION / "tools"))

import rules  # noqa: E402

del sys.path[0]

SUPPRESSED = "# type: " + "ignore"


@pytest.mark.parametrize("line", [SUPPRESSED, f"{SUPPRESSED}[misc]", f"{SUPPRESSED}[misc, arg-type]"])
def test_a_check_of_types_that_is_turned_off_needs_a_reason(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, line: str
) -> None:
    monkeypatch.setattr(rules, "ROOT", tmp_path)
    (tmp_path / "some.py").write_text(f"x = 1\ny = x  {line}\n")
    (tmp_path / "good.py").write_text(f"y = 1  {line}  # the library has no types\n")
    (found,) = rules.unreasoned()
    assert found.startswith("some.py:2: ")


def test_a_message_has_no_contraction(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "ROOT", tmp_path)
    (tmp_path / "plugins").mkdir()
    page = 'DOCUMENTATION = "it isn\'t"\n"""It doesn\'t."""\n'
    (tmp_path / "plugins" / "good.py").write_text(page + "x = 'a user\\'s tag is not there'\n")
    (tmp_path / "plugins" / "some.py").write_text(page + 'x = 1\ny = f"it can\'t {x}"\n')
    (found,) = rules.contracted()
    assert found.startswith("plugins/some.py:4: ")
