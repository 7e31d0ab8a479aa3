# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Which ``Authorization`` header a request gets (distribution's token authentication specification; RFC 9110, 11)."""

from __future__ import annotations

import time
import typing as t

from .._credentials._credential import Credential
from .._model._errors import AuthenticationFailed, LoginWanted
from ._challenges import Challenge
from ._realms import Realms
from ._scopes import NOTHING, Scopes
from ._token_server import Fetch, TokenServer
from ._tokens import Tokens


class Authenticator:
    """Answers the challenges of one registry. Shared by all threads.

    ``host`` is the registry's host, in lower case; ``secure`` whether it is spoken to over TLS. ``trusted_realm_hosts``
    may get the password although the registry itself is on another host. ``leads_astray`` says of a URL whether it
    leads to where local services listen. ``base`` is the registry's own URL, without a path.
    """

    def __init__(
        self,
        host: str,
        secure: bool,
        fetch: Fetch,
        *,
        trusted_realm_hosts: t.Sequence[str] = (),
        on_token: t.Callable[[str], None] = lambda token: None,
        leads_astray: t.Callable[[str], bool] | None = None,
        base: str = "",
        clock: t.Callable[[], float] = time.monotonic,
    ) -> None:
        realms = Realms(host, secure, trusted_hosts=trusted_realm_hosts, leads_astray=leads_astray, base=base)
        self._token_server = TokenServer(realms, fetch, on_token=on_token, clock=clock)
        self._tokens = Tokens(clock)
        self._scheme = ""

    @property
    def scheme(self) -> str:
        """``basic``, ``bearer``, or empty as long as the registry hasn't asked for either."""
        return self._scheme

    def header(self, credential: Credential, scopes: Scopes) -> str:
        """The Authorization header to send, empty as long as none was asked for. May fetch a token.

        Raises :class:`AuthenticationFailed` where the token server doesn't accept the credential, :class:`NotGranted`
        where it denies these scopes, and a temporary error where it is too busy.
        """
        if credential.token:
            return f"Bearer {credential.token}"
        if self._scheme == "basic":
            return "" if credential.is_anonymous else f"Basic {credential.basic}"
        if self._scheme == "bearer":
            return f"Bearer {self._tokens.get(credential, scopes, self._token_server.issue).text}"
        return ""

    def learn(self, challenges: t.Sequence[Challenge], credential: Credential) -> Scopes:
        """Take in the challenges of a 401. Returns the scopes that it names.

        Raises :class:`AuthenticationFailed` where there is no way to log in with the credential.
        """
        by_scheme = {challenge.scheme: challenge for challenge in reversed(challenges)}
        bearer = by_scheme.get("bearer")
        if bearer is not None and bearer.parameters.get("realm"):
            self._token_server.learn(bearer.parameters["realm"], bearer.parameters.get("service", ""))
            self._scheme = "bearer"
            return Scopes.parse(bearer.parameters.get("scope", ""))
        if "basic" in by_scheme:
            if self._token_server.is_known:
                # Harbor changes its challenge to Basic once it has seen an Authorization header.
                return NOTHING
            if credential.is_anonymous:
                raise LoginWanted("the registry asks for a login", hint="Give username and password, or an auth_file")
            if credential.identity_token:
                raise AuthenticationFailed(
                    f"the registry asks for a user name and password, and {credential} is an identity token"
                )
            self._scheme = "basic"
            return NOTHING
        offered = ", ".join(sorted(by_scheme)) or "none"
        raise AuthenticationFailed(f"the registry offers no way to log in that is supported (schemes: {offered})")

    def forget(self, header: str) -> None:
        """Drop the token of an Authorization header that was refused, and no newer one that another thread has got."""
        scheme, _space, text = header.partition(" ")
        if scheme == "Bearer":
            self._tokens.forget(text)
