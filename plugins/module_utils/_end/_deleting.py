# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What a side promises that deletes: registries do, layouts don't."""

from __future__ import annotations

import typing as t

from ._end import End
from ._last_look import LastLook, no_look


def as_deleting(side: End) -> Deleting | None:
    """The side as one that deletes; None where it doesn't."""
    return t.cast(Deleting, side) if hasattr(side, "delete_manifest") else None


class Deleting(End, t.Protocol):
    """A side that deletes. A delete that was accepted may take effect later: who needs to know looks.

    Both methods return whether the object was there, and raise :class:`.Unsupported` where the side deletes no such
    thing, or deletes are switched off.
    """

    def delete_manifest(self, repository: str, reference: str, last_look: LastLook = no_look) -> bool:
        """Delete a manifest by its digest, and with it all its tags; or a tag, and nothing else.

        ``last_look`` is what guards it.
        """

    def delete_blob(self, repository: str, digest: str) -> bool:
        """Delete a blob from a repository."""
