# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This plugin util is PRIVATE to the collection. It can have breaking changes at any time.

"""Which variables of a role are missing, and which of those that were given are perhaps meant."""

from __future__ import annotations

import difflib
import typing as t

NEAR = 0.85
"""How alike two names of variables are, at least, of which one is perhaps meant (0 to 1)."""


def sentence(needed: t.Sequence[str], given: t.Sequence[str]) -> str:
    """What is missing among the names ``given``, in full sentences; empty where nothing is."""
    missing = [name for name in needed if name not in given]
    if not missing:
        return ""
    others = [name for name in given if name not in needed]
    names = " and ".join(filter(None, (", ".join(missing[:-1]), missing[-1])))
    parts = [f"{names} {'is' if len(missing) == 1 else 'are'} missing."]
    for name in missing:
        near = difflib.get_close_matches(name, others, n=1, cutoff=NEAR)
        if near:
            parts.append(f"{near[0]} is not known: perhaps {name} is meant.")
    return " ".join(parts)
