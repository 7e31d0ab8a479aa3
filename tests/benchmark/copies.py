# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is copied."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Image:
    """A tag of a repository at the source, to a tag of a repository at the destination."""

    repository: str
    tag: str
    destination_repository: str
    destination_tag: str
    digest: str
