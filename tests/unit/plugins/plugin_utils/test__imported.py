# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import sys
import warnings

import pytest
from ansible_collections.imageops.registry.plugins.plugin_utils import _imported


@pytest.fixture(autouse=True)
def _nothing_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_imported, "_imported", {})
    monkeypatch.setattr(_imported, "_problems", {})


def test_a_module_is_imported_with_what_it_needs() -> None:
    filters = list(warnings.filters)
    _imported.import_module("tag")
    assert _imported.problem("tag") == ""
    assert callable(_imported.module("tag").main)
    assert "requests" in sys.modules
    assert warnings.filters == filters


def test_filters_are_loaded_and_one_that_is_missing_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = []
    monkeypatch.setattr(_imported.filter_loader, "get", loaded.append)
    _imported.load_filters("ansible.builtin.default", "imageops.registry.query")
    assert loaded == ["ansible.builtin.default", "imageops.registry.query"]
    monkeypatch.setattr(_imported.filter_loader, "get", {}.__getitem__)
    _imported.load_filters("no.such.filter")


def test_a_library_that_is_missing_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "requests", None)
    _imported.import_module("tag")
    assert _imported.problem("tag").startswith("ModuleNotFoundError: import of requests")


def test_a_module_that_is_missing_is_no_failure() -> None:
    _imported.import_module("no_such_module")
    assert "no_such_module" in _imported.problem("no_such_module")
