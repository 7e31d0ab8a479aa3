# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Platforms: their grammar, and which entries of an index are meant by one (OCI image spec, "Image Index")."""

from __future__ import annotations

import re
import typing as t

from ._errors import InvalidInput
from ._shown import quoted

_PART = r"[a-z0-9][a-z0-9_.-]{0,63}"
_PLATFORM = re.compile(rf"{_PART}/{_PART}(?:/{_PART})?", re.ASCII)
_IMPLIED_VARIANTS = {"arm64": "v8", "arm": "v7", "amd64": "v1"}
"""What an entry without a variant is made for."""


def check_platform(text: t.Any) -> str:
    """The platform, if it is one of the form ``os/architecture[/variant]``. Raises :class:`InvalidInput`."""
    if not isinstance(text, str) or not _PLATFORM.fullmatch(text):
        raise InvalidInput(
            f"{quoted(text)} is not a platform", hint="A platform is os/architecture or os/architecture/variant"
        )
    return text


def is_meant_by(platform: str, wanted: str) -> bool:
    """Whether ``wanted`` means ``platform``: without a variant it means all variants.

    An entry without a variant is taken for arm64/v8, arm/v7 or amd64/v1.
    """
    have, want = platform.split("/"), wanted.split("/")
    if have[:2] != want[:2]:
        return False
    if len(want) < 3:
        return True
    return (have[2] if len(have) > 2 else _IMPLIED_VARIANTS.get(have[1], "")) == want[2]
