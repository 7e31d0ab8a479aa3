# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What became of the record of a promotion."""

from __future__ import annotations

import typing as t

from ._items import Plain


class Recorded(t.NamedTuple):
    """What became of the record of a promotion."""

    path: str = ""
    """Its file; empty where none was written."""
    outcome: str = ""
    """Empty where nothing is recorded. In check mode, what it would be."""
    finished: tuple[str, ...] = ()
    """The files of promotions that were cut off, and are finished by this one."""

    def as_plain(self) -> Plain:
        """As results have it: null where there is none."""
        return {"path": self.path or None, "outcome": self.outcome or None, "finished": list(self.finished)}


NOT_RECORDED = Recorded().as_plain()
"""Where nobody asks for a record."""
