# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Why somebody looks whether something is there: what follows if it isn't."""

from __future__ import annotations

import enum


class Purpose(enum.Enum):
    """What the caller does with the answer that something isn't there: how much a wrong one would cost.

    A side that can answer wrongly makes that much sure of it. One that can't, such as a layout, takes no notice.
    """

    REPORT = "report"
    """It is reported as missing, or left out. A wrong answer is a wrong report."""
    PUSH = "push"
    """It is pushed, and nothing else follows. A wrong answer costs time only."""
    GUARD = "guard"
    """Something is done that its presence forbids, such as a tag written that is immutable. No wrong answer will do."""
