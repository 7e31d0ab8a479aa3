# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What refers to a digest, as a source or destination tells it."""

from __future__ import annotations

import typing as t

from .._model._errors import RegistryError
from .._model._manifest import Descriptor


class Referrers(t.NamedTuple):
    """What refers to a digest, and how it was found: ``api``, ``tag_schema``, or empty where there is neither."""

    descriptors: tuple[Descriptor, ...]
    found_by: str
    proven: bool = True
    """False where nothing is listed, and the registry may not say it truly: an API that has listed nothing yet in the
    repository may never do so, and a tag that is denied may be there."""
    doubt: RegistryError | None = None
    """Why it isn't known what there is: a page was answered in place of a list. For a source, that is an error."""
    unread: RegistryError | None = None
    """Where nothing is listed: what was denied or failed, so that something may be listed there. Whoever concludes
    something from there being nothing takes it for an error."""


def referrers_tag(digest: str) -> str:
    """The tag under which referrers are listed where there is no API (distribution spec, "Referrers Tag Schema")."""
    algorithm, _colon, encoded = digest.partition(":")
    return f"{algorithm[:32]}-{encoded[:64]}"
