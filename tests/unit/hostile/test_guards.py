# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The table of guards fits the code and the tests, so that make guards can take each of them out."""

from __future__ import annotations

import pathlib

import pytest
from ansible_collections.imageops.registry.tests.unit.hostile.guards import GUARDS, Guard

HERE = pathlib.Path(__file__).resolve().parent
MODULE_UTILS = HERE.parents[2] / "plugins" / "module_utils"


@pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: guard.name)
def test_a_guard_is_in_the_code_once_and_has_its_test(guard: Guard) -> None:
    assert (MODULE_UTILS / guard.file).read_text(encoding="utf-8").count(guard.text) == 1
    assert guard.replacement != guard.text
    file, _colons, name = guard.tests.partition("::")
    assert f"def {name}" in (HERE / file).read_text(encoding="utf-8")
