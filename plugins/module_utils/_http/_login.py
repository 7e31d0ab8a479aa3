# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Logged in as the registry asks for it: a 401 is learned from, and the request sent again."""

from __future__ import annotations

import contextlib
import typing as t

from .._credentials._credential import Credential
from .._credentials._credentials import Credentials
from .._model._errors import AccessDenied, AuthenticationFailed, RegistryError
from ._auth import Authenticator
from ._challenges import parse_challenges
from ._endpoint import Address
from ._first_contact import FirstContact
from ._passwords import Passwords
from ._request import Request
from ._response import Response
from ._scopes import NOTHING, Scopes
from ._token_server import LOG_IN
from ._url import without_query

_CHECK_RIGHTS = "Check the account's rights, and that the repository exists"

Send = t.Callable[[Request], Response]


class Login:
    """Sends requests to one registry, logged in. Shared by all threads of a task.

    ``send`` sends one request and follows redirects; ``wait`` waits as long as the registry is to be left alone;
    ``contact`` is what the others wait for; ``check_tls`` raises the :class:`TLSFailed` that a 400 may be.
    """

    def __init__(
        self,
        send: Send,
        wait: t.Callable[[], None],
        address: Address,
        credentials: Credentials,
        authenticator: Authenticator,
        passwords: Passwords,
        contact: FirstContact,
        check_tls: t.Callable[[], None],
    ) -> None:
        self._send = send
        self._wait = wait
        self._address = address
        self._credentials = credentials
        self._authenticator = authenticator
        self._passwords = passwords
        self._contact = contact
        self._check_tls = check_tls
        self._widened: dict[Scopes, Scopes] = {}

    @property
    def is_asked_for(self) -> bool:
        """Whether the registry has asked for a login."""
        return bool(self._authenticator.scheme)

    def credential_for(self, request: Request) -> Credential:
        """What a request is logged in with. Raises :class:`CredentialError`."""
        return self._credentials.find(request.repository)

    def send(self, request: Request) -> Response:
        """One exchange, with the login that the registry asks for: at most one 401 for each new thing to learn.

        Raises :class:`AuthenticationFailed`, :class:`AccessDenied`, :class:`CredentialError`, and what sending and
        asking for a token raise.
        """
        with self._turn(request):
            response = self._send_authorised(request)
            challenged = self._is_challenge(request, response)
            if not self._contact.is_made:
                # This thread makes the first contact, and the others wait.
                self._learn_first(response, request, challenged=challenged)
            if not challenged:
                self._note_accepted(response, request)
                return response
            if self._is_final(response, request):
                raise self._refusal(response, request)
        self.learn(response, request)
        if request.is_streamed:
            error = response.error()
            error.temporary = True
            raise error
        return self._send_again(response, request)

    def learn(self, response: Response, request: Request) -> None:
        """Take in the challenge of a 401. Raises :class:`AuthenticationFailed` where there is no way to log in."""
        credential = self.credential_for(request)
        challenges = parse_challenges(response.header_list("WWW-Authenticate"))
        try:
            named = self._authenticator.learn(challenges, credential)
        except AuthenticationFailed as error:
            error.method, error.url, error.status = response.method, without_query(response.url), response.status
            error.errors = response.error_details()
            raise
        if not request.scopes.covers(named):
            self._widened[request.scopes] = request.scopes.union(named)

    def _turn(self, request: Request) -> contextlib.AbstractContextManager[None]:
        """With Basic, all wait for the thread that sends a password which was neither accepted nor refused yet.

        The thread that makes the first contact needs no turn: the others wait for it anyway.
        """
        if self._contact.is_made and self._authenticator.scheme == "basic" and self._address.is_own(request.url):
            return self._passwords.tried_by_one(self.credential_for(request))
        return contextlib.nullcontext()

    def _send_authorised(self, request: Request) -> Response:
        authorisation = self._authorisation(request) if self._address.is_own(request.url) else ""
        headers = dict(request.headers, Authorization=authorisation) if authorisation else request.headers
        if request.last_look is not None:
            # A token may take as long as a pause.
            self._wait()
            request.last_look()
        return self._send(request._replace(headers=headers))

    def _is_challenge(self, request: Request, response: Response) -> bool:
        # What a redirect's target asks for is none of the registry's challenges.
        asked = response.status == 401 and self._address.is_own(request.url)
        return asked and self._address.is_own(response.url)

    def _learn_first(self, response: Response, request: Request, *, challenged: bool) -> None:
        """Learn from the first answer what all need to know, and let the others continue as soon as it is known."""
        if response.status == 400 and request.method == "HEAD":
            # An answer to HEAD has no body that would say it.
            self._check_tls()
        if challenged:
            self.learn(response, request)
            # The first token too, so that a password that is refused is tried once.
            self._authorisation(request)
            # With Basic, the others wait until the password was taken.
            known = self._authenticator.scheme != "basic"
        else:
            known = not response.is_temporary()
        if known:
            self._contact.made()

    def _is_final(self, response: Response, request: Request) -> bool:
        """Whether a 401 answers a login that can't be renewed."""
        credential = self.credential_for(request)
        return bool(response.authorisation and (self._authenticator.scheme == "basic" or credential.token))

    def _send_again(self, refused: Response, request: Request) -> Response:
        """Send a request again, after a 401 from which everything was learned."""
        self._authenticator.forget(refused.authorisation)
        with self._turn(request):
            response = self._send_authorised(request)
            if response.status == 401:
                # Of the first contact, the others learn when the refusal is noted.
                raise self._refusal(response, request)
            self._note_accepted(response, request)
        if not response.is_temporary():
            self._contact.made()
        return response

    def _authorisation(self, request: Request) -> str:
        """The Authorization header. Files and helpers are looked at when the registry has asked for a login."""
        credential = self.credential_for(request) if self._authenticator.scheme else self._credentials.given
        return self._authenticator.header(credential, self._wanted(request)) if credential else ""

    def _wanted(self, request: Request) -> Scopes:
        return self._widened.get(request.scopes, request.scopes)

    def _note_accepted(self, response: Response, request: Request) -> None:
        if response.authorisation and not response.is_temporary():
            credential = self.credential_for(request)
            # Some answer a wrong password so.
            response.flaw = credential.flaw if response.status == 403 else ""
            self._passwords.accept(credential)

    def _refusal(self, response: Response, request: Request) -> RegistryError:
        credential = self.credential_for(request)
        basic = self._authenticator.scheme != "bearer"
        if credential.token or (basic and not self._is_accepted(credential, request)):
            return _not_accepted(response, credential)
        if credential.is_anonymous:
            refused = "anonymous access does not include"
        else:
            refused = f"the account{f' of {credential.source}' if credential.source else ''} is not granted"
        return AccessDenied(
            f"{refused} {self._wanted(request)}",
            hint=credential.hint(LOG_IN)
            if credential.is_anonymous
            else credential._replace(advice=_CHECK_RIGHTS).hint(""),
            method=response.method,
            url=without_query(response.url),
            status=response.status,
            errors=response.error_details(),
        )

    def _is_accepted(self, credential: Credential, request: Request) -> bool:
        """Whether it is good for something else (Basic): some registries answer 401 for a single repository, too."""
        if not self._passwords.is_accepted(credential) and request.scopes != NOTHING:
            api = Request("GET", f"{self._address.base}/v2/", repository=request.repository)
            response = self._send(api._replace(headers={"Authorization": self._authorisation(api)}))
            if response.status == 200:
                self._note_accepted(response, api)
        return self._passwords.is_accepted(credential)


def _not_accepted(response: Response, credential: Credential) -> RegistryError:
    error = response.error()
    if credential.source:
        error.reason = f"the registry does not accept {credential}"
    return error
