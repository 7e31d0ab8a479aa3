# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Base64 as people and other programs write it."""

from __future__ import annotations

import base64

_TO_STANDARD = str.maketrans("-_", "+/")


def decode_base64(text: str) -> bytes:
    """The bytes of a text in base64 (RFC 4648, 4 or 5), which may be broken into lines and lack its padding.

    Raises :class:`ValueError` for anything else in it.
    """
    compact = "".join(text.split()).rstrip("=").translate(_TO_STANDARD)
    return base64.b64decode(compact + -len(compact) % 4 * "=", validate=True)
