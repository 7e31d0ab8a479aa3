# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What is said of an image in the end, as plain data."""

from __future__ import annotations

import typing as t

from ._items import Plain

_OF_PLAN = (
    *("reference", "destination", "digest", "source_digest", "action", "reason", "tags", "layers_left_out"),
    *("artifacts", "artifacts_compared", "gates", "verified", "signatures", "missing"),
)
"""What a plan has said of it."""


class BlobSums(t.NamedTuple):
    """How the blobs of an image came: how many, and how many bytes these are."""

    blobs_uploaded: int = 0
    blobs_mounted: int = 0
    blobs_skipped: int = 0
    bytes_uploaded: int = 0
    bytes_mounted: int = 0
    bytes_skipped: int = 0

    def with_blob(self, way: str, size: int) -> BlobSums:
        """The same with one more, which was ``uploaded``, ``mounted`` or ``skipped``."""
        blobs, count = f"blobs_{way}", f"bytes_{way}"
        return self._replace(**{blobs: getattr(self, blobs) + 1, count: getattr(self, count) + size})


def image_result(image: Plain, action: str, reason: str, sums: BlobSums) -> Plain:
    """An image of a plan, in the shape of ``image_diff_info``, with what became of it."""
    return {**{name: image[name] for name in _OF_PLAN}, "action": action, "reason": reason, **sums._asdict()}
