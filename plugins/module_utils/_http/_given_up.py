# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""When a registry, or a credential, is given up for the rest of a task: no other image asks again."""

from __future__ import annotations

import copy
import typing as t

from .._credentials._credential import Credential
from .._model._errors import AuthenticationFailed, ConnectionFailed, NoToken, RegistryError, TLSFailed, TokenRefused
from ._token_fetch import TOKEN_OPERATION

_LOST_IN_A_ROW = 8
_RENEW_TOKEN = "The token may have expired: give a new one, or username and password"


class GivenUp:
    """What keeps requests from being sent to one registry. Shared by all threads of a task.

    ``registry`` is its name, ``base`` its URL without a path, and ``jobs`` how many requests are under way at a time.
    """

    def __init__(self, registry: str, base: str, jobs: int) -> None:
        self._registry = registry
        self._base = base
        self._most_lost = max(_LOST_IN_A_ROW, 2 * jobs)
        self._lost = 0
        self._has_answered = False
        self._final: RegistryError | None = None
        self._refusals: dict[Credential, RegistryError] = {}

    @property
    def has_answered(self) -> bool:
        """Whether the registry has ever answered something that wasn't temporary."""
        return self._has_answered

    @property
    def is_open(self) -> bool:
        """Whether the registry has neither answered nor been given up."""
        return self._final is None and not self._has_answered

    def check(self, find_credential: t.Callable[[], Credential]) -> None:
        """Raise why nothing is asked any more: of the registry, or with the credential, looked up if needed."""
        if self._final is not None:
            raise copy.copy(self._final)
        if self._refusals:
            self.check_credential(find_credential())

    def check_credential(self, credential: Credential) -> None:
        """Raise why a credential isn't sent any more, if it was refused."""
        refusal = self._refusals.get(credential)
        if refusal is not None:
            raise copy.copy(refusal)

    def has_refused(self, credential: Credential) -> bool:
        """Whether a credential was refused."""
        return credential in self._refusals

    def answered(self) -> None:
        """Note that the registry has answered: failures are counted from here again."""
        self._has_answered = True
        self._lost = 0

    def lose(self, error: RegistryError) -> None:
        """Count an exchange whose tries are used up. So many in a row, and the registry is given up for this task.

        A thousand images would wait for hours on one that has fallen silent, or asks everybody to come back later.
        """
        self._lost += 1
        if self._lost >= self._most_lost:
            self._final = self._for_all(error)

    def end(self, error: RegistryError) -> RegistryError:
        """Give the registry up at once. Returns what is to be raised for it."""
        self._final = self._for_all(error)
        return copy.copy(self._final)

    def refuse(self, credential: Credential, error: AuthenticationFailed) -> RegistryError:
        """Give a credential up: a thousand images needn't each try it. Returns what is to be raised for it."""
        advise(credential, error)
        self._refusals[credential] = self._for_all(error)
        return copy.copy(self._refusals[credential])

    def _for_all(self, error: RegistryError) -> RegistryError:
        """What was met at one image, said of the registry as a whole: the other images end with it unasked."""
        found = copy.copy(error)
        of_token_server = isinstance(error, (TokenRefused, NoToken)) or error.operation == TOKEN_OPERATION
        if of_token_server or isinstance(error, AuthenticationFailed):
            found.operation = f"log in to {self._registry}"
        elif isinstance(error, (ConnectionFailed, TLSFailed)):
            found.operation = f"reach {self._registry}"
        else:
            found.operation = f"continue with {self._registry}"
        if not of_token_server:
            # The URL of an image would be a foreign one to all others.
            found.method, found.url = "", self._base
        return found


def advise(credential: Credential, error: AuthenticationFailed) -> None:
    """Say in an error what to do about the credential that was refused."""
    if not credential.flaw or not error.hint.startswith(credential.flaw):
        error.hint = credential.hint(_RENEW_TOKEN if credential.token else error.hint)
