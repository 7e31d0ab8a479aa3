# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What things in a registry are called in messages."""

from __future__ import annotations

from .._model._digest import is_digest


class Names:
    """The names of what is in one registry."""

    def __init__(self, registry: str) -> None:
        self._registry = registry

    def repository(self, repository: str) -> str:
        """The name of a repository."""
        return f"{self._registry}/{repository}"

    def manifest(self, repository: str, reference: str) -> str:
        """The name of a tag, or of a manifest by its digest."""
        return f"{self.repository(repository)}{'@' if is_digest(reference) else ':'}{reference}"
