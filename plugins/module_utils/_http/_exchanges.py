# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Exchanges with one registry: the first contact, the login, the tries, and what follows from a failure."""

from __future__ import annotations

from .._credentials._credential import Credential
from .._model._errors import AccessDenied, AuthenticationFailed, ConnectionFailed, RegistryError, TLSFailed
from ._first_contact import FirstContact
from ._given_up import GivenUp, advise
from ._login import Login
from ._passwords import Passwords
from ._request import Request
from ._response import Response
from ._tries import Tries


class Exchanges:
    """Each is logged in as needed, repeated where that makes sense, and remembered where it fails for all."""

    def __init__(
        self, login: Login, tries: Tries, contact: FirstContact, given_up: GivenUp, passwords: Passwords
    ) -> None:
        self._login = login
        self._tries = tries
        self._contact = contact
        self._given_up = given_up
        self._passwords = passwords

    @property
    def was_challenged(self) -> bool:
        """Whether the registry has asked for a login."""
        return self._login.is_asked_for

    def send(self, request: Request) -> Response:
        """One exchange. Raises what :meth:`Transport.exchange` does."""
        with self._contact.by_one_thread() as leads:
            try:
                response = self._repeated(request)
            except AccessDenied:
                if leads:
                    # Others may be granted what they ask for.
                    self._contact.made()
                raise
            except AuthenticationFailed as error:
                credential = self._login.credential_for(request)
                if self._is_refused(credential, request):
                    raise self._given_up.refuse(credential, error) from error
                advise(credential, error)
                raise
            except (ConnectionFailed, TLSFailed) as error:
                if request.is_streamed or not self._given_up.is_open:
                    raise
                raise self._end_with(error, leads=leads) from error
            if leads:
                # It answers so for longer than this thread has tried: no reason that they all try one by one.
                self._contact.made()
            return response

    def learn_from(self, response: Response, request: Request) -> None:
        """Take a 401 from the registry for the answer to the first contact, unless that is made.

        Raises :class:`AuthenticationFailed` where there is no way to log in, and :class:`ProtocolViolation`.
        """
        with self._contact.by_one_thread() as leads:
            if leads:
                self._login.learn(response, request)
                self._contact.made()

    def _repeated(self, request: Request) -> Response:
        def check() -> None:
            self._given_up.check(lambda: self._login.credential_for(request))

        def lost(error: RegistryError) -> None:
            # What isn't worth a second try has another way, and that is what counts.
            if request.repeat:
                self._given_up.lose(error)

        response = self._tries.run(
            lambda: self._login.send(request),
            repeatable=request.repeat and not request.is_streamed,
            check=check,
            lost=lost,
        )
        if not response.is_temporary():
            self._given_up.answered()
        return response

    def _end_with(self, error: RegistryError, *, leads: bool) -> RegistryError:
        """Give up a registry that has never answered: the others don't wait for a host that isn't there."""
        final = self._given_up.end(error)
        if leads:
            self._contact.failed()
        return final

    def _is_refused(self, credential: Credential, request: Request) -> bool:
        """Whether a login that failed means that the credential is refused, whatever it is used for."""
        known = self._given_up.has_refused(credential) or self._passwords.is_accepted(credential)
        # A registry that never asked for a login, and asks for one now, has refused none.
        unasked = self._given_up.has_answered and (credential.is_anonymous or not self._login.is_asked_for)
        return not known and not unasked and not request.is_streamed
