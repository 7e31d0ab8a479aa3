# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""An upload under way, as a destination tells of it."""

from __future__ import annotations

import typing as t


class UploadSession(t.NamedTuple):
    """An upload under way. ``location`` is opaque, and only the newest one counts."""

    repository: str
    location: str
    received: int = 0
    """Bytes that the registry has."""
    minimum_chunk: int = 0
    """Bytes that every chunk but the last must have (``OCI-Chunk-Min-Length``)."""
    is_silent: bool = False
    """Whether the registry was asked for ``received``, and didn't say it."""
