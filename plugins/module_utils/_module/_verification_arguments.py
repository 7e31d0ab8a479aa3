# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""How thoroughly a task checks a destination. The options pair with the doc fragment ``_verification``."""

from __future__ import annotations

import typing as t

from .._images._contents import BLOBS, MANIFESTS, TAG, Depth
from .._model._errors import InvalidInput

Plain = dict[str, t.Any]

VERIFICATION: Plain = {
    "verify": {"type": "str", "choices": [TAG, MANIFESTS, BLOBS], "default": TAG},
    "verify_content": {"type": "bool", "default": False},
    "repair": {"type": "bool", "default": False},
}


class Verification(t.NamedTuple):
    """How thoroughly a task checks what the destination has, and whether it pushes again what is missing."""

    depth: Depth = Depth()
    repair: bool = False


TAGS_ONLY = Verification()


def verification(params: Plain) -> Verification:
    """What the options of a task say. Raises :class:`InvalidInput` for what can't go together."""
    depth = depth_of(params["verify"], content=params["verify_content"])
    if params["repair"] and not depth.is_deep:
        raise InvalidInput(
            "repair mends what verify finds, and verify: tag looks for nothing",
            hint="Give verify: manifests or verify: blobs",
        )
    return Verification(depth, params["repair"])


def depth_of(level: str, *, content: bool) -> Depth:
    """How thoroughly a task checks contents. Raises :class:`InvalidInput` for what can't go together."""
    if content and level != BLOBS:
        raise InvalidInput(f"verify_content goes with verify: blobs, not with verify: {level}")
    return Depth(level, content)
