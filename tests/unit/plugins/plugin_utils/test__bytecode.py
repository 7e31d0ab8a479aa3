# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import importlib
import pathlib
import sys
import types

import pytest
from ansible_collections.imageops.registry.plugins.plugin_utils._bytecode import keeping_bytecode


@pytest.fixture
def package(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """A package that was imported, by whatever importer, with files that weren't."""
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    monkeypatch.setattr(sys, "meta_path", [])
    monkeypatch.setattr(sys, "modules", dict(sys.modules))
    made = types.ModuleType("probed")
    made.__path__ = [str(tmp_path)]
    sys.modules["probed"] = made
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "__init__.py").write_text("from . import deep\n", encoding="utf-8")
    (tmp_path / "inner" / "deep.py").write_text("VALUE = 1\n", encoding="utf-8")
    (tmp_path / "bare").mkdir()
    return tmp_path


def test_bytecode_is_kept_beside_the_files(package: pathlib.Path) -> None:
    with keeping_bytecode("probed"):
        found = importlib.import_module("probed.inner.deep")
    assert found.VALUE == 1
    assert found.__file__ == str(package / "inner" / "deep.py")
    assert len(list((package / "inner" / "__pycache__").glob("*.pyc"))) == 2
    assert sys.meta_path == []


@pytest.mark.parametrize("name", ["probed.bare", "probed.missing"])
def test_what_has_no_file_is_left_to_others(package: pathlib.Path, name: str) -> None:
    with keeping_bytecode("probed"), pytest.raises(ModuleNotFoundError):
        importlib.import_module(name)


def test_other_packages_are_left_to_others(package: pathlib.Path) -> None:
    with keeping_bytecode("probe", "prob.ed"), pytest.raises(ModuleNotFoundError):
        importlib.import_module("probed.inner")
    assert sys.meta_path == []
