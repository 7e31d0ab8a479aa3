# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The rows of a diff for blobs. Nothing is asked for them: the results tell it."""

from __future__ import annotations

import typing as t

from .._model._actions import ABSENT, EXISTS

Plain = dict[str, t.Any]


def blob_diff(registry: str, groups: t.Sequence[Plain], *, absent: bool = False) -> list[Plain]:
    """A row for each repository in which blobs were placed, or with ``absent`` deleted: digests, and sizes in bytes.

    ``groups`` are what happened, in the shape of results; ``registry`` is the name of the registry.
    """
    rows = []
    for group in groups:
        there, moved = {}, {}
        for entry in group["blobs"]:
            if entry["action"] == EXISTS or "deletion_pending" in entry:
                there[entry["digest"]] = entry["size"]
            elif entry["action"] != ABSENT:
                moved[entry["digest"]] = entry["size"]
        whole = {**there, **moved}
        if moved:
            before, after = (whole, there) if absent else (there, whole)
            name = f"{registry}/{group['repository']}"
            rows.append({"before_header": name, "before": before, "after_header": name, "after": after})
    return rows
