# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""One HTTP exchange with a registry done right: TLS, login, time-outs, retries, redirects, size limits, counters.

It is a pipeline of objects, each in a file of its own: :class:`Exchanges` (the first contact, what is given up) uses
:class:`Tries`, these :class:`Login`, that :class:`Redirects`, and those :class:`Connections`.
"""

from __future__ import annotations

import time
import typing as t

from .._credentials._credential import Credential
from .._credentials._secrets import Secrets
from .._end._body import Body
from .._end._last_look import LastLook
from .._run._counters import Counters
from ._auth import Authenticator
from ._connections import Connections
from ._endpoint import Endpoint, address_of
from ._exchanges import Exchanges
from ._first_contact import FirstContact
from ._given_up import GivenUp
from ._limits import Limits, Turns
from ._login import Login
from ._notices import Notices
from ._passwords import Passwords
from ._proxy import Proxies
from ._redirects import Redirects
from ._request import Request
from ._response import MAXIMUM_ERROR_BODY, Response
from ._scopes import Scopes
from ._token_fetch import TokenFetch
from ._tries import Tries
from ._url import Origin
from ._waits import Waits


class Transport:
    """All exchanges with one registry: one pool of connections, and the logins. Shared by all threads of a task."""

    def __init__(
        self,
        endpoint: Endpoint,
        counters: Counters,
        *,
        limits: Limits | None = None,
        notices: Notices | None = None,
        secrets: Secrets | None = None,
        sleep: t.Callable[[float], None] = time.sleep,
    ) -> None:
        self.endpoint = endpoint
        self.counters = counters
        self._address = address_of(endpoint)
        self._notices = notices or Notices()
        limits = limits or Limits(endpoint.requests_per_second, endpoint.retry_max_wait)
        secrets = secrets or Secrets()
        self._waits = Waits(sleep)
        proxies = Proxies(self._address, secrets.own)
        turns = Turns(limits, counters, endpoint.jobs, self._waits.wait)
        self._connections = Connections(endpoint, self._address, proxies, turns, self._notices, secrets)
        self._redirects = Redirects(self._connections.send, self._address, proxies)
        self._tries = Tries(endpoint.retries, limits, counters, self._waits.wait)
        authenticator = Authenticator(
            self.origin.host,
            self.origin.scheme == "https",
            TokenFetch(self._connections.send, self._tries),
            trusted_realm_hosts=endpoint.trusted_realm_hosts,
            on_token=secrets.issued,
            leads_astray=self._redirects.leads_astray,
            base=self.base,
        )
        contact, given_up = FirstContact(), GivenUp(endpoint.registry, self.base, endpoint.jobs)
        passwords = Passwords(given_up)
        login = Login(
            self._redirects.follow,
            turns.wait_for_pause,
            self._address,
            endpoint.credentials,
            authenticator,
            passwords,
            contact,
            self._connections.check_tls,
        )
        self._exchanges = Exchanges(login, self._tries, contact, given_up, passwords)

    @property
    def base(self) -> str:
        """The registry's URL, without a path."""
        return self._address.base

    @property
    def origin(self) -> Origin:
        """Scheme, host and port of the registry."""
        return self._address.origin

    @property
    def was_challenged(self) -> bool:
        """Whether the registry has asked for a login."""
        return self._exchanges.was_challenged

    def close(self) -> None:
        """Close all connections."""
        self._connections.close()

    def remark(self, text: str) -> None:
        """Have the task warn of something that is no error."""
        self._notices.remark(text)

    def leads_astray(self, url: str) -> bool:
        """Whether a URL that an answer names leads to where local services listen, see :class:`Redirects`."""
        return self._redirects.leads_astray(url)

    def back_off(self, attempt: int) -> None:
        """Wait before something that has failed is tried again, after the try of that number; the first is 0."""
        self._tries.back_off(attempt)

    def waited(self) -> int:
        """How many times this thread has waited for the registry."""
        return self._waits.of_this_thread

    def credential_for(self, repository: str) -> Credential:
        """The credential for a repository, or, where that is empty, for the registry.

        Raises :class:`CredentialError`.
        """
        return self.endpoint.credentials.find(repository)

    def exchange(
        self,
        method: str,
        url: str,
        scopes: Scopes,
        *,
        repository: str | None = None,
        headers: t.Mapping[str, str] | None = None,
        body: bytes | Body | None = None,
        limit: int = MAXIMUM_ERROR_BODY,
        stream: bool = False,
        timeout: float = 0.0,
        repeat: bool = True,
        last_look: LastLook | None = None,
    ) -> Response:
        """Send one request, logged in as needed, again after a temporary failure, and return the answer.

        ``url`` is absolute, or a path below the registry. It is logged in as the account for ``repository``, by default
        the one that the scopes are for. ``limit`` is the most bytes of a body that are read;
        ``stream`` leaves the body of a 200 or 206 to the caller. A :class:`Body` can't be sent twice: then the first
        failure is raised, marked as temporary where trying again makes sense. ``last_look`` is called right before
        each time that it is sent, those after a 401 included; only where a redirect leads to isn't looked again.

        Raises :class:`ConnectionFailed`, :class:`TLSFailed`, :class:`AuthenticationFailed`, :class:`AccessDenied`,
        :class:`CredentialError`, :class:`RateLimited` and :class:`ProtocolViolation`; every other status is the
        caller's to judge.
        """
        if url.startswith("/"):
            url = self.base + url
        if repository is None:
            repository = scopes.main_repository
        return self._exchanges.send(
            Request(method, url, headers or {}, body, limit, stream, timeout, repeat, scopes, repository, last_look)
        )

    def exchange_anonymously(self, method: str, path: str) -> Response:
        """Send one request without a login, to see what the registry asks for; again after a temporary failure.

        Raises :class:`ConnectionFailed`, :class:`TLSFailed`, :class:`RateLimited` and :class:`UnexpectedAnswer`.
        """
        request = Request(method, self.base + path)
        response = self._tries.run(lambda: self._redirects.follow(request))
        if response.is_temporary():
            raise response.error()
        return response

    def learn_from(self, response: Response, repository: str) -> None:
        """Take the 401 of :meth:`exchange_anonymously` for the first one: the next request is logged in at once.

        Raises :class:`AuthenticationFailed` where there is no way to log in, and :class:`ProtocolViolation`.
        """
        if self._address.is_own(response.url):
            self._exchanges.learn_from(response, Request("GET", response.url, repository=repository))
