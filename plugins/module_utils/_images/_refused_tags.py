# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""How registries refuse to move a tag: with another status each, and rarely in words that say it."""

from __future__ import annotations

from .._model._errors import AccessDenied, RegistryError, UnexpectedAnswer, Unsupported

_KINDS = (AccessDenied, UnexpectedAnswer, Unsupported)
_STATUS = (400, 403, 405, 409, 412)
"""ECR and GAR answer 400, Artifactory 403, ACR 405, Quay 409, Harbor 412."""


def may_be_immutable(error: RegistryError) -> bool:
    """Whether the error of a push under a tag is what registries answer where that tag must not move."""
    return isinstance(error, _KINDS) and error.status in _STATUS


def what_to_check(error: RegistryError) -> str:
    """The begin of a hint that goes on with "whether tags are immutable there"."""
    return "Check that the account may overwrite tags, and" if error.status == 403 else "Check"
