# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What a denial says: whether what an account is denied isn't there."""

from __future__ import annotations

import typing as t

from .._http._transport import Transport
from .._model._digest import is_digest
from .._model._errors import AccessDenied, NotFound, NotGranted, RegistryError
from ._refusals import is_denial_in_other_words, is_said_to_be_absent


class Denials:
    """The denials of one registry. Some registries deny what isn't there, so that nobody learns what is.

    ``pushed_to`` says that it is looked at for what has to be pushed to it: then what it denies is absent, for an
    account that may not push is denied that. ``list_tags`` asks it for the tags of a repository.
    """

    def __init__(self, transport: Transport, list_tags: t.Callable[[str], list[str]], *, pushed_to: bool) -> None:
        self._transport = transport
        self._list_tags = list_tags
        self._pushed_to = pushed_to
        self._unsure: set[tuple[str, str]] = set()
        self._unproven: dict[tuple[str, str], RegistryError] = {}

    def is_unsure(self, repository: str, tag: str) -> bool:
        """Whether a tag was taken for absent although the registry doesn't say whether it is there."""
        return (repository, tag) in self._unsure

    def of(self, repository: str, tag: str) -> RegistryError | None:
        """The denial of a tag that was taken for absent; None where the list of tags, which lacks it, proves that."""
        return self._unproven.get((repository, tag))

    def note(self, repository: str, reference: str, error: RegistryError) -> None:
        """Take in the answer that something isn't there: a registry may hide so what an account may not see."""
        if not is_digest(reference) and is_denial_in_other_words(error):
            self._unproven[repository, reference] = error

    def is_absent(self, repository: str, error: AccessDenied, reference: str = "") -> bool:
        """Whether what was denied isn't there, or is as good as that to who pushes. ``reference`` is a manifest's."""
        if isinstance(error, NotGranted):
            # It may as well be the password.
            return False
        tag = "" if is_digest(reference) else reference
        if tag:
            self._unproven[repository, tag] = error
        if is_said_to_be_absent(error):
            return True
        if error.status == 403 and tag:
            try:
                is_listed = tag in self._list_tags(repository)
            except NotFound:
                return True
            except RegistryError:
                # The list says nothing more.
                pass
            else:
                self._unproven.pop((repository, tag), None)
                return not is_listed
        if not self._pushed_to or (error.status == 401 and self._transport.credential_for(repository).is_anonymous):
            # Who has forgotten to log in has to be told.
            return False
        self._unsure.add((repository, tag))
        return True
