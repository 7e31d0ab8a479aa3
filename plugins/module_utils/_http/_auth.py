# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Challenges, tokens, scopes and expiry (distribution's token authentication specification; RFC 9110, 11)."""

from __future__ import annotations

import json
import re
import threading
import time
import typing as t
import urllib.parse

from .._credentials._credential import Credential
from .._model._errors import AuthenticationFailed, LoginWanted, NotGranted, NoToken, ProtocolViolation, RateLimited
from ._url import is_local_address

_MAXIMUM_HEADER = 8 * 1024
_MAXIMUM_TOKEN = 256 * 1024
_DEFAULT_LIFETIME = 60.0
"""Seconds that a token lives where the token server doesn't say it. A shorter life that it says is believed."""
_LONGEST_LIFETIME = 24 * 3600.0
_RENEWAL_MARGIN = 15.0
"""Seconds before its end at which a token is renewed; a quarter of the life of a token that lives shorter."""

_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_SCHEME = re.compile(rf"\s*({_TOKEN})(?:\s+|(?=,)|$)", re.ASCII)
_PARAMETER = re.compile(rf"\s*({_TOKEN})\s*=\s*(?:\"((?:[^\"\\]|\\.)*)\"|({_TOKEN}))\s*", re.ASCII)
_TOKEN68 = re.compile(r"\s*[A-Za-z0-9._~+/-]+=*\s*(?=,|$)", re.ASCII)
_BEARER_TOKEN = re.compile(r"[\x21-\x7e]+", re.ASCII)

_CLIENT = "imageops.registry"
"""OAuth 2 wants clients to have a name."""

LOG_IN = "Give username and password, or an auth_file; and check that the repository exists"
_CHECK_CREDENTIAL = "Check username and password, or the auth_file"

_TRUSTED_REALMS = {
    "registry-1.docker.io": ("auth.docker.io",),
    "registry.gitlab.com": ("gitlab.com",),
    "registry.access.redhat.com": ("sso.redhat.com",),
    "registry.redhat.io": ("sso.redhat.com",),
}
"""Token servers of public registries that are known to be on another host than their registry."""


class Challenge(t.NamedTuple):
    """One challenge of a WWW-Authenticate header; scheme and parameter names in lower case."""

    scheme: str
    parameters: t.Mapping[str, str]


class Scopes:
    """What a token is asked for: actions by resource. Immutable, and equal whatever the order."""

    def __init__(self, actions: t.Mapping[str, t.Iterable[str]]) -> None:
        self._actions = {resource: frozenset(wanted) for resource, wanted in actions.items()}

    @classmethod
    def repository(cls, name: str, *actions: str) -> Scopes:
        """The scope of one repository."""
        return cls({f"repository:{name}": actions})

    @classmethod
    def parse(cls, text: str) -> Scopes:
        """Read the ``scope`` of a challenge. What isn't of the form type:name:actions is passed over."""
        found: dict[str, set[str]] = {}
        for scope in text.split():
            resource, colon, actions = scope.rpartition(":")
            if colon and ":" in resource:
                found.setdefault(resource, set()).update(action for action in actions.split(",") if action)
        return cls(found)

    @property
    def main_repository(self) -> str:
        """The repository whose account these are for: the one that is pushed to; empty where there is none."""
        for scope in self:
            kind, _colon, rest = scope.partition(":")
            if kind == "repository":
                return rest.rpartition(":")[0]
        return ""

    def union(self, other: Scopes) -> Scopes:
        """These and the other ones."""
        merged = {resource: set(actions) for resource, actions in self._actions.items()}
        for resource, actions in other._actions.items():
            merged.setdefault(resource, set()).update(actions)
        return Scopes(merged)

    def covers(self, other: Scopes) -> bool:
        """Whether a token for these scopes also serves the other ones."""
        return all(actions <= self._actions.get(resource, frozenset()) for resource, actions in other._actions.items())

    def __iter__(self) -> t.Iterator[str]:
        # Some token servers read the first scope only: what may be pushed to comes first.
        def order(resource: str) -> tuple[bool, str]:
            return ("push" not in self._actions[resource], resource)

        for resource in sorted(self._actions, key=order):
            known = [action for action in ("pull", "push", "delete") if action in self._actions[resource]]
            others = sorted(self._actions[resource] - {"pull", "push", "delete"})
            yield f"{resource}:{','.join(known + others)}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Scopes) and self._actions == other._actions

    def __hash__(self) -> int:
        return hash(frozenset(self._actions.items()))

    def __str__(self) -> str:
        return " ".join(self)


CATALOG = Scopes({"registry:catalog": ("*",)})
NOTHING = Scopes({})


def parse_challenges(headers: t.Iterable[str]) -> list[Challenge]:
    """Read WWW-Authenticate headers: several challenges, quoted commas, escapes. What is malformed ends the header."""
    found: list[Challenge] = []
    for header in headers:
        text = header[:_MAXIMUM_HEADER]
        position = 0
        while position < len(text):
            match = _SCHEME.match(text, position)
            if match is None:
                break
            scheme, position = match.group(1).lower(), match.end()
            parameters: dict[str, str] = {}
            token68 = _TOKEN68.match(text, position)
            if token68 is not None and _PARAMETER.match(text, position) is None:
                position = token68.end()
            position = _parse_parameters(text, position, parameters)
            found.append(Challenge(scheme, parameters))
    return found


def _parse_parameters(text: str, position: int, parameters: dict[str, str]) -> int:
    while position < len(text):
        match = _PARAMETER.match(text, position)
        if match is not None:
            name, quoted, bare = match.groups()
            value = bare if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
            parameters.setdefault(name.lower(), value)
            position = match.end()
        if position < len(text) and text[position] == ",":
            position += 1
        elif match is None:
            break
    return position


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
        return (urllib.parse.urlsplit(self.realm).hostname or "").lower()

    @property
    def shown(self) -> str:
        """Its URL, without what a query may hold."""
        return urllib.parse.urlsplit(self.realm)._replace(query="").geturl()


class _Token(t.NamedTuple):
    text: str
    scopes: Scopes
    expires: float
    """Of the monotonic clock: the token server's clock may be wrong."""


class Authenticator:
    """Answers the challenges of one registry. Shared by all threads.

    ``host`` is the registry's host, in lower case; ``secure`` whether it is spoken to over TLS. ``trusted_realm_hosts``
    may get the password although the registry itself is on another host. ``leads_astray`` tells of a URL whether it
    leads to where local services listen. ``base`` is the registry's own URL, without a path.
    """

    def __init__(
        self,
        host: str,
        secure: bool,
        fetch: Fetch,
        *,
        trusted_realm_hosts: t.Sequence[str] = (),
        on_secret: t.Callable[[str], None] = lambda secret: None,
        leads_astray: t.Callable[[str], bool] | None = None,
        base: str = "",
        clock: t.Callable[[], float] = time.monotonic,
    ) -> None:
        self._host = host
        self._secure = secure
        self._fetch = fetch
        self._trusted = {name.lower() for name in (*trusted_realm_hosts, *_TRUSTED_REALMS.get(host, ()))}
        self._on_secret = on_secret
        self._leads_astray = leads_astray or _names_local_address
        self._base = base or f"{'https' if secure else 'http'}://{host}"
        self._clock = clock
        self._scheme = ""
        self._server: _Server | None = None
        self._posts_only = False
        self._identity_tokens: dict[Credential, str] = {}
        """Those that the token server gave in the place of an older one."""
        self._tokens: dict[tuple[Credential, Scopes], _Token] = {}
        self._lock = threading.Lock()
        self._locks: dict[tuple[Credential, Scopes], threading.Lock] = {}

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
            return f"Bearer {self._token(credential, scopes).text}"
        return ""

    def learn(self, challenges: t.Sequence[Challenge], credential: Credential) -> Scopes:
        """Take in the challenges of a 401. Returns the scopes that it names.

        Raises :class:`AuthenticationFailed` where there is no way to log in with the credential.
        """
        by_scheme = {challenge.scheme: challenge for challenge in reversed(challenges)}
        bearer = by_scheme.get("bearer")
        if bearer is not None and bearer.parameters.get("realm"):
            self._server = _Server(
                self._checked_realm(bearer.parameters["realm"]), bearer.parameters.get("service", "")
            )
            self._scheme = "bearer"
            return Scopes.parse(bearer.parameters.get("scope", ""))
        if "basic" in by_scheme:
            if self._server:
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
        with self._lock:
            self._tokens = {key: token for key, token in self._tokens.items() if f"Bearer {token.text}" != header}

    def _token(self, credential: Credential, scopes: Scopes) -> _Token:
        with self._lock:
            found = self._usable(credential, scopes)
            if found is not None:
                return found
            # An identity token may serve once, and bring the next one.
            one_by_one = NOTHING if credential.identity_token else scopes
            lock = self._locks.setdefault((credential, one_by_one), threading.Lock())
        with lock:
            with self._lock:
                found = self._usable(credential, scopes)
            if found is None:
                found = self._request_token(credential, scopes)
                with self._lock:
                    self._tokens[credential, scopes] = found
            return found

    def _usable(self, credential: Credential, scopes: Scopes) -> _Token | None:
        now = self._clock()
        exact = self._tokens.get((credential, scopes))
        if exact is not None and exact.expires > now:
            return exact
        for (owner, _scopes), token in self._tokens.items():
            if owner == credential and token.expires > now and token.scopes.covers(scopes):
                return token
        return None

    def _request_token(self, credential: Credential, scopes: Scopes) -> _Token:
        server = t.cast(_Server, self._server)
        self._check_trust(server, credential)
        started = self._clock()
        method = "POST" if credential.identity_token or (self._posts_only and not credential.is_anonymous) else "GET"
        answer = self._get(server, credential, scopes) if method == "GET" else self._post(server, credential, scopes)
        if method == "GET" and answer.status == 405 and not credential.is_anonymous:
            # A token server that has the way of OAuth 2 only.
            self._posts_only = True
            method, answer = "POST", self._post(server, credential, scopes)
        self._check_answer(server, answer, credential, scopes, method)
        text, lifetime, identity_token = _read_token(answer.body, server.shown, method)
        self._on_secret(text)
        if credential.identity_token and identity_token:
            self._on_secret(identity_token)
            self._identity_tokens[credential] = identity_token
        margin = min(_RENEWAL_MARGIN, lifetime / 4)
        return _Token(text, scopes, started + lifetime - margin)

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

    def _check_answer(
        self, server: _Server, answer: Answer, credential: Credential, scopes: Scopes, method: str
    ) -> None:
        facts: dict[str, t.Any] = {"method": method, "url": server.shown, "status": answer.status}
        if answer.is_throttled:
            raise RateLimited("the token server gave no token: too many requests", temporary=True, **facts)
        if answer.status == 403 and scopes != NOTHING:
            # Some say so of a wrong password, others of what this account, or nobody, finds there.
            check = LOG_IN if credential.is_anonymous else f"{_CHECK_CREDENTIAL}, and the account's rights"
            raise NotGranted(
                f"the token server doesn't grant {scopes} to {credential}", hint=credential.hint(check), **facts
            )
        if answer.status in (400, 401, 403):
            raise AuthenticationFailed(f"the token server doesn't accept {credential}", hint=_CHECK_CREDENTIAL, **facts)
        if answer.status != 200:
            raise NoToken("the token server gave no token", temporary=answer.status >= 500, **facts)

    def _check_trust(self, server: _Server, credential: Credential) -> None:
        """Only a token server that the registry's owner may be trusted to have chosen gets a secret."""
        host = server.host
        if host != self._host and host not in self._trusted and not credential.is_anonymous:
            raise ProtocolViolation(
                f"the registry on {self._host} names a token server on another host, {host}; no password was sent",
                hint=f"If that is right, add {host} to trusted_realm_hosts",
            )

    def _checked_realm(self, realm: str) -> str:
        """The URL of the token server, if it may be asked. A relative one is below the registry's own URL."""
        parts = _split(realm)
        if parts is not None and _is_relative(parts):
            realm = urllib.parse.urljoin(f"{self._base}/", realm)
            parts = _split(realm)
        host = (parts.hostname or "").lower() if parts else ""
        if parts is None or not host or parts.scheme not in ("http", "https") or "@" in parts.netloc:
            raise ProtocolViolation(
                f"the registry names a token server that is no valid URL: {realm.rpartition('@')[2][:200]!r}"
            )
        if self._secure and parts.scheme != "https":
            raise ProtocolViolation(f"the registry names a token server without TLS, on {host}")
        if host != self._host and host not in self._trusted and self._leads_astray(realm):
            raise ProtocolViolation(f"the registry on {self._host} names a token server at a local address, {host}")
        return realm


def _names_local_address(url: str) -> bool:
    return is_local_address(_Server(url, "").host)


def _split(url: str) -> urllib.parse.SplitResult | None:
    if re.search(r"[\x00-\x20\x7f\\]", url):
        return None
    try:
        parts = urllib.parse.urlsplit(url)
        # A port that is none shows only where it is read.
        return None if parts.fragment or parts.port == 0 else parts
    except ValueError:
        return None


def _is_relative(parts: urllib.parse.SplitResult) -> bool:
    """Whether a realm leaves out the scheme: a path, or ``//host/path``. ``host/path`` is no path."""
    named = parts.netloc or parts.path.startswith("/") or "." not in parts.path.partition("/")[0].lstrip(".")
    return not parts.scheme and bool(parts.netloc or parts.path) and bool(named)


def _read_token(body: bytes, where: str, method: str) -> tuple[str, float, str]:
    """The token, the seconds that it lives, and the new identity token, which most answers lack."""
    try:
        document = json.loads(body.decode("utf-8"))
    except (ValueError, RecursionError):
        raise ProtocolViolation("the token server's answer is no JSON", method=method, url=where) from None
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
