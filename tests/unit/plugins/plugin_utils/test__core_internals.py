# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import datetime
import json
import pathlib
import re

import pytest
from ansible.errors import AnsibleError
from ansible.executor import module_common
from ansible_collections.imageops.registry.plugins import modules
from ansible_collections.imageops.registry.plugins.plugin_utils import _core_internals


def test_this_release_has_everything() -> None:
    assert _core_internals.PROBLEM == ""


@pytest.mark.parametrize(
    ("place", "name", "other"),
    [
        (module_common, "_BuiltModule", lambda *, one, more: None),
        (module_common, "_get_module_metadata", lambda: None),
        (module_common, "_get_shebang", lambda interpreter: None),
        (_core_internals, "get_module_encoder", lambda name: None),
        (_core_internals._builder.ExtensionManager, "create", lambda: None),
        (_core_internals._loader, "_handle_exception", lambda: None),
    ],
)
def test_a_release_that_has_one_of_them_otherwise_runs_payloads(
    monkeypatch: pytest.MonkeyPatch, place: object, name: str, other: object
) -> None:
    assert _core_internals.trial() == ""
    monkeypatch.setattr(place, name, other)
    assert "Error: " in _core_internals.trial()


def test_no_module_asks_for_a_serialisation_of_its_own() -> None:
    for path in pathlib.Path(modules.__path__[0]).glob("[a-z]*.py"):
        assert not re.search(r"^METADATA\b", path.read_text(encoding="utf-8"), re.MULTILINE), path.name
    assert _core_internals.profile() == "legacy"


def test_arguments_are_serialised_as_those_of_payloads() -> None:
    whole = json.loads(_core_internals.encoded({"day": datetime.date(2026, 1, 2), "one": (1,)}, "tag"))
    assert whole == {"ANSIBLE_MODULE_ARGS": {"day": "2026-01-02", "one": [1]}}


def test_what_has_no_json_is_an_error_that_names_the_module() -> None:
    with pytest.raises(AnsibleError, match="Failed to serialize arguments for the 'tag' module"):
        _core_internals.encoded({"x": object()}, "tag")
