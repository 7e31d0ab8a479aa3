# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The last look before something is written that a condition guards."""

from __future__ import annotations

import typing as t

LastLook = t.Callable[[], None]
"""Called before each try to write, when nothing is waited for any more. What it raises ends the tries.

A side may ask to be left alone for minutes before it takes what is written; meanwhile other clients move tags. Who has
looked just now need not look again: see :meth:`.End.waited`.
"""


def no_look() -> None:
    """Nothing guards what is written."""
