# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.imageops.registry.plugins.module_utils._model._deliverable import deliverable


def test_what_a_registry_chooses_reaches_the_play() -> None:
    chosen = {
        "__ansible_type": "_AnsibleTaggedStr",
        "labels": [{"__ansible_unsafe": "caf\u00e9"}, ("\ud800x",)],
        "\ud800": float("nan"),
        "size": 2**70,
        "ratio": 1.5,
        "none": None,
        "true": True,
    }
    assert deliverable(chosen) == {
        "___ansible_type": "_AnsibleTaggedStr",
        "labels": [{"___ansible_unsafe": "caf\u00e9"}, ["?x"]],
        "?": None,
        "size": 2**70,
        "ratio": 1.5,
        "none": None,
        "true": True,
    }


def test_what_is_nested_too_deep_is_refused() -> None:
    nested: list[t.Any] = []
    for _level in range(90):
        nested = [nested]
    assert deliverable(nested) == nested
    for _level in range(20):
        nested = [nested]
    with pytest.raises(RecursionError):
        deliverable(nested)
