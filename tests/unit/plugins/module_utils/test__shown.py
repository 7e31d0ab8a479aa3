# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible_collections.imageops.registry.plugins.module_utils._shown import without_secrets


def test_a_secret_that_is_part_of_another_leaves_nothing_of_it() -> None:
    assert without_secrets("word, a word-in-full, other", ["word", "word-in-full", ""]) == "********, a ********, other"
