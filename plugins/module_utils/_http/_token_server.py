# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""How a token server is asked for a token, and what its answer means (distribution's token authentication; OAuth 2)."""

from __future__ import annotations

import json
import re
import time
import typing as t
import urllib.parse

from .._credentials._credential import Credential
from .._model._errors import NotGranted, NoToken, ProtocolViolation, RateLimited, TokenRefused
from ._realms import Realms, host_of
from ._scopes import NOTHING, Scopes
from ._tokens import Token

_MAXIMUM_TOKEN = 256 * 1024
_DEFAULT_LIFETIME = 60.0
"""Seconds that a token lives where the token server doesn't say it. A shorter life that it says is believed."""
_LONGEST_LIFETIME = 24 * 3600.0
_RENEWAL_MARGIN = 15.0
"""Seconds before its end at which a token is renewed; a quarter of the life of a token that lives shorter."""
_BEARER_TOKEN = re.compile(r"[\x21-\x7e]+", re.ASCII)

_CLIENT = "imageops.registry"
"""OAuth 2 wants clients to have a name."""

LOG_IN = "Give username and password, or an auth_file; and check that the repository exists"
_CHECK_CREDENTIAL = "Check username and password, or the auth_file"


class Answer(t.NamedTuple):
    """What a token server answered."""

    status: int
    body: bytes
    is_throttled: bool = False
    """Whether it says that there were too many requests, whatever the status."""


Fetch = t.Callable[[str, t.Mapping[str, str], t.Optional[bytes]], Answer]
"""Does one GET with the given headers, or a POST of the given body, with the retries and limits of the transport."""


class _Server(t.NamedTuple):
    """A token server. What is asked of it goes to the one that was judged, whatever other threads learn meanwhile."""

    realm: str
    service: str

    @property
    def host(self) -> str:
        return host_of(self.realm)

    @property
    def shown(self) -> str:
        """Its URL, without what a query may hold."""
        return urllib.parse.urlsplit(self.realm)._replace(query="").geturl()


class TokenServer:
    """The token server of one registry, which may change where the registry names another. Shared by all threads.

    ``on_token`` gets each token that it hands out.
    """

    def __init__(
        self,
        realms: Realms,
        fetch: Fetch,
        *,
        on_token: t.Callable[[str], None] = lambda token: None,
        clock: t.Callable[[], float] = time.monotonic,
    ) -> None:
        self._realms = realms
        self._fetch = fetch
        self._on_token = on_token
        self._clock = clock
        self._server: _Server | None = None
        self._posts_only = False
        self._identity_tokens: dict[Credential, str] = {}
        """Those that the token server gave in the place of an older one."""

    @property
    def is_known(self) -> bool:
        """Whether the registry has named one."""
        return self._server is not None

    def learn(self, realm: str, service: str) -> None:
        """Take the one that the registry names. Raises :class:`ProtocolViolation` for one that may not be asked."""
        self._server = _Server(self._realms.checked(realm), service)

    def issue(self, credential: Credential, scopes: Scopes) -> Token:
        """Ask for a token. Nothing but a token server that is trusted gets a secret.

        Raises :class:`TokenRefused` where it doesn't accept the credential, :class:`NotGranted` where it denies
        these scopes, :class:`NoToken` and :class:`RateLimited` where it gives none to anybody now, and
        :class:`ProtocolViolation`.
        """
        server = t.cast(_Server, self._server)
        self._realms.check_trust(server.host, credential)
        started = self._clock()
        method = "POST" if credential.identity_token or (self._posts_only and not credential.is_anonymous) else "GET"
        answer = self._get(server, credential, scopes) if method == "GET" else self._post(server, credential, scopes)
        if method == "GET" and answer.status == 405 and not credential.is_anonymous:
            # A token server that has the way of OAuth 2 only.
            self._posts_only = True
            method, answer = "POST", self._post(server, credential, scopes)
        _check_answer(server, answer, credential, scopes, method)
        text, lifetime, identity_token = _read_token(answer.body, server.shown, method)
        self._on_token(text)
        if credential.identity_token and identity_token:
            self._on_token(identity_token)
            self._identity_tokens[credential] = identity_token
        margin = min(_RENEWAL_MARGIN, lifetime / 4)
        return Token(text, scopes, started + lifetime - margin)

    def _get(self, server: _Server, credential: Credential, scopes: Scopes) -> Answer:
        """The way of distribution's token authentication specification."""
        query = [("service", server.service)] if server.service else []
        query += [("scope", scope) for scope in scopes]
        headers = {"Accept": "application/json"}
        if not credential.is_anonymous:
            query.append(("account", credential.username))
            headers["Authorization"] = f"Basic {credential.basic}"
        separator = "&" if "?" in server.realm else "?"
        return self._fetch(server.realm + separator + urllib.parse.urlencode(query), headers, None)

    def _post(self, server: _Server, credential: Credential, scopes: Scopes) -> Answer:
        """The way of distribution's OAuth 2 token authentication (RFC 6749). Secrets are in the body only."""
        form = {"service": server.service, "client_id": _CLIENT, "scope": str(scopes)}
        if credential.identity_token:
            newest = self._identity_tokens.get(credential, credential.identity_token)
            form.update(grant_type="refresh_token", refresh_token=newest)
        else:
            form.update(grant_type="password", username=credential.username, password=credential.password)
        body = urllib.parse.urlencode({name: value for name, value in form.items() if value}).encode("ascii")
        headers = {"Accept": "application/json", "Content-Type": "application/x-www-form-urlencoded"}
        return self._fetch(server.realm, headers, body)


def _check_answer(server: _Server, answer: Answer, credential: Credential, scopes: Scopes, method: str) -> None:
    facts: dict[str, t.Any] = {"method": method, "url": server.shown, "status": answer.status}
    if answer.is_throttled:
        raise RateLimited("the token server gave no token: too many requests", temporary=True, **facts)
    if answer.status == 403 and scopes != NOTHING:
        # Some say so of a wrong password, others of what this account, or nobody, finds there.
        check = LOG_IN if credential.is_anonymous else f"{_CHECK_CREDENTIAL}, and the account's rights"
        raise NotGranted(
            f"the token server does not grant {scopes} to {credential}", hint=credential.hint(check), **facts
        )
    if answer.status in (400, 401, 403):
        raise TokenRefused(f"the token server does not accept {credential}", hint=_CHECK_CREDENTIAL, **facts)
    if answer.status != 200:
        raise NoToken("the token server gave no token", temporary=answer.status >= 500, **facts)


def _read_token(body: bytes, where: str, method: str) -> tuple[str, float, str]:
    """The token, the seconds that it lives, and the new identity token, which most answers lack."""
    try:
        document = json.loads(body.decode("utf-8"))
    except (ValueError, RecursionError):
        raise ProtocolViolation("the token server's answer is not JSON", method=method, url=where) from None
    if not isinstance(document, dict):
        document = {}
    names = ("token", "access_token") if method == "GET" else ("access_token", "token")
    text = _valid_token(document.get(names[0]) or document.get(names[1]))
    if not text:
        raise ProtocolViolation("the token server's answer holds no valid token", method=method, url=where)
    lifetime = document.get("expires_in")
    if isinstance(lifetime, bool) or not isinstance(lifetime, (int, float)) or not lifetime > 0:
        lifetime = _DEFAULT_LIFETIME
    return text, float(min(lifetime, _LONGEST_LIFETIME)), _valid_token(document.get("refresh_token"))


def _valid_token(text: t.Any) -> str:
    """The token, empty where it is none that a header can carry."""
    if isinstance(text, str) and len(text) <= _MAXIMUM_TOKEN and _BEARER_TOKEN.fullmatch(text):
        return text
    return ""
