# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What an account can do with one repository of a registry."""

from __future__ import annotations

import typing as t

from .._model._errors import AccessDenied, AuthenticationFailed, NotFound, RegistryError
from ._registry import Registry


class RepositoryProbe(t.NamedTuple):
    """What is known of a repository. One that isn't there may be read: the account isn't denied it."""

    repository: str
    exists: bool = False
    readable: bool = False
    referrers_api: bool | None = None
    """Whether the registry has the referrers API there; None where that can't be told."""


def probe_repository(registry: Registry, repository: str, *, anonymous: bool) -> RepositoryProbe:
    """What an account can read in a repository, and whether the registry has the referrers API there.

    ``anonymous`` says that there is no credential; with one that is refused, the error is raised.
    """
    found = RepositoryProbe(repository)
    try:
        registry.list_tags(repository)
    except NotFound:
        return found._replace(readable=True)
    except AccessDenied:
        return found
    except AuthenticationFailed:
        if anonymous:
            return found
        raise
    return found._replace(exists=True, readable=True, referrers_api=_has_referrers_api(registry, repository))


def _has_referrers_api(registry: Registry, repository: str) -> bool | None:
    try:
        return registry.has_referrers_api(repository)
    except RegistryError:
        return None
