# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The rows of a diff for manifests. Nothing is asked for them: the results, and the bytes at hand, tell it."""

from __future__ import annotations

import typing as t

from .._blobs._deletion import is_change
from .._model._actions import PUSH
from ._inspection import describe_content, describe_descriptor

Plain = dict[str, t.Any]


def manifest_diff(
    registry: str, done: t.Sequence[Plain], content_of: t.Callable[[str, str], bytes | None]
) -> list[Plain]:
    """A row for each manifest that was pushed or deleted, described by its content where that is known.

    ``done`` are what happened, in the shape of results; ``content_of`` takes repository and digest.
    """
    rows = []
    for entry in done:
        if is_change(entry):
            content = content_of(entry["repository"], entry["digest"])
            shown = describe_descriptor(entry) if content is None else describe_content(content)
            before, after = ({}, shown) if entry["action"] == PUSH else (shown, {})
            name = f"{registry}/{entry['repository']}@{entry['digest']}"
            rows.append({"before_header": name, "before": before, "after_header": name, "after": after})
    return rows
