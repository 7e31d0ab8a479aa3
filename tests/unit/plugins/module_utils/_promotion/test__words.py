# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.imageops.registry.plugins.module_utils._promotion._words import size


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (0, "0 bytes"),
        (1, "1 byte"),
        (999, "999 bytes"),
        (1000, "1.0 kB"),
        (1949, "1.9 kB"),
        (1950, "2.0 kB"),
        (999_999, "1000.0 kB"),
        (1_000_000, "1.0 MB"),
        (2**63, "9223372036854.8 MB"),
        # Larger than any float.
        (10**400, f"{10**394}.0 MB"),
    ],
)
def test_bytes_are_told_in_a_unit_that_fits(number: int, words: str) -> None:
    assert size(number) == words
