# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""One HTTP exchange with a registry done right: TLS, login, time-outs, retries, redirects, size limits, counters."""

from __future__ import annotations

import contextlib
import copy
import functools
import http.cookiejar
import re
import threading
import time
import typing as t
import urllib.parse

from .._credentials._credential import Credential
from .._end._body import Body
from .._model._errors import (
    AccessDenied,
    AuthenticationFailed,
    ConnectionFailed,
    NoToken,
    ProtocolViolation,
    RateLimited,
    RegistryError,
    TLSFailed,
)
from .._model._reference import is_docker_hub
from .._run._counters import Counters
from ._auth import LOG_IN, NOTHING, Answer, Authenticator, Scopes, parse_challenges
from ._connection_error import Handshake, connection_error
from ._endpoint import Endpoint
from ._limits import Limits
from ._notices import Notices
from ._pace import paced_adapter
from ._proxy import Proxy, proxy_for
from ._requests import requests, urllib3
from ._response import MAXIMUM_ERROR_BODY, Response, read_limited, retry_after
from ._tls_files import TLSFiles, tls_files
from ._url import Origin, is_local_address, is_local_host, lost_port, misled, origin_of, resolve, without_query

USER_AGENT = "imageops.registry"

_CONNECT_TIMEOUT = 30.0
_MAXIMUM_REDIRECTS = 5
_LOST_IN_A_ROW = 8
_MAXIMUM_TOKEN_ANSWER = 512 * 1024
_CHECK_RIGHTS = "Check the account's rights, and that the repository exists"
_RENEW_TOKEN = "The token may have expired: give a new one, or username and password"
_TOKEN_OPERATION = "get a token"
_LONE_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")


class _Request(t.NamedTuple):
    method: str
    url: str
    headers: t.Mapping[str, str] = {}
    body: bytes | Body | None = None
    limit: int = MAXIMUM_ERROR_BODY
    stream: bool = False
    timeout: float = 0.0
    """Seconds of silence; 0 for those of the endpoint."""
    repeat: bool = True
    """Whether it is worth being sent again where it fails for a while."""
    scopes: Scopes = NOTHING
    repository: str = ""
    """The one whose credential is used; empty for that of the registry as a whole."""


class Transport:
    """All exchanges with one registry: one pool of connections, and the logins. Shared by all threads of a task."""

    def __init__(
        self,
        endpoint: Endpoint,
        counters: Counters,
        *,
        limits: Limits | None = None,
        notices: Notices | None = None,
        on_secret: t.Callable[[str], None] = lambda secret: None,
        sleep: t.Callable[[float], None] = time.sleep,
    ) -> None:
        self.endpoint = endpoint
        self.counters = counters
        scheme = "http" if endpoint.plain_http else "https"
        host = "registry-1.docker.io" if is_docker_hub(endpoint.registry) else endpoint.registry
        self.base = f"{scheme}://{host}"
        self.origin = origin_of(self.base)
        self._sleep = sleep
        self._on_secret = on_secret
        self._tls = tls_files(endpoint)
        # By its name: requests 2.32.0 to 2.32.4 have one context of TLS for all that verify with True, in which certs.d
        # is not trusted, and a client certificate offered to everybody.
        self._verify = requests.certs.where() if self._tls.verify is True else self._tls.verify
        # A client certificate is offered by the one only. Where the user has named CAs, all its connections have one
        # context, into which threads must not load a key (https://github.com/python/cpython/issues/134698).
        self._session = _new_session(endpoint.jobs, self._tls, with_certificate=True)
        self._certificate = None if self._tls.named_by else self._tls.client_certificate
        self._foreign_session = _new_session(endpoint.jobs, self._tls, with_certificate=False)
        self._pool: t.Any = None
        self._proxies: dict[Origin, Proxy | None] = {}
        self._astray: dict[Origin, bool] = {}
        self._authenticator = Authenticator(
            self.origin.host,
            scheme == "https",
            self._fetch_token,
            trusted_realm_hosts=endpoint.trusted_realm_hosts,
            on_secret=on_secret,
            leads_astray=self.leads_astray,
            base=self.base,
        )
        self._widened: dict[Scopes, Scopes] = {}
        self._contact = threading.Lock()
        self._contacted = False
        self._password = threading.Lock()
        self._served = False
        self._accepted: set[Credential] = set()
        self._refusals: dict[Credential, RegistryError] = {}
        self._fatal: RegistryError | None = None
        self._lost = 0
        self._slots = threading.Semaphore(endpoint.jobs)
        self._notices = notices or Notices()
        self._limits = limits or Limits(endpoint.requests_per_second, endpoint.retry_max_wait)

    def close(self) -> None:
        """Close all connections."""
        self._session.close()
        self._foreign_session.close()

    def leads_astray(self, url: str) -> bool:
        """Whether a URL that an answer names leads to where local services listen, and the registry isn't there itself.

        A name is looked up. That its address changes right afterwards can't be seen; nor can what a proxy would find.
        """
        there, own = origin_of(url), self.origin.host
        if there.host == own or is_local_address(own):
            return False
        if there not in self._astray:
            by_name = self._proxy_for(url) is None and is_local_host(there.host) and not is_local_host(own)
            self._astray[there] = is_local_address(there.host) or by_name
        return self._astray[there]

    def remark(self, text: str) -> None:
        """Have the task warn of something that is no error."""
        self._notices.remark(text)

    @property
    def was_challenged(self) -> bool:
        """Whether the registry has asked for a login."""
        return bool(self._authenticator.scheme)

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
    ) -> Response:
        """Send one request, logged in as needed, again where it fails for a while, and return the answer.

        ``url`` is absolute, or a path below the registry. It is logged in as the account for ``repository``, by default
        the one that the scopes are for. ``limit`` is the most bytes of a body that are read;
        ``stream`` leaves the body of a 200 or 206 to the caller. A :class:`Body` can't be sent twice: then the first
        failure is raised, marked as temporary where trying again makes sense.

        Raises :class:`ConnectionFailed`, :class:`TLSFailed`, :class:`AuthenticationFailed`, :class:`AccessDenied`,
        :class:`CredentialError`, :class:`RateLimited` and :class:`ProtocolViolation`; every other status is the
        caller's to judge.
        """
        if url.startswith("/"):
            url = self.base + url
        if repository is None:
            repository = scopes.main_repository
        request = _Request(method, url, headers or {}, body, limit, stream, timeout, repeat, scopes, repository)
        leads = self._takes_the_lead()
        try:
            response = self._repeated(request)
            if leads and not self._contacted:
                # It answers so for longer than this thread has tried: no reason that they all try one by one.
                self._end_contact()
            return response
        except AuthenticationFailed as error:
            credential = self.credential_for(repository)
            known = credential in self._refusals or credential in self._accepted
            # A registry that never asked for a login, and asks for one now, has refused none.
            unasked = self._served and (credential.is_anonymous or not self._authenticator.scheme)
            if not known and not unasked and not isinstance(body, Body):
                raise self._note_refused(credential, error) from error
            self._advise(credential, error)
            raise
        except AccessDenied:
            if leads and not self._contacted:
                # Others may be granted what they ask for.
                self._end_contact()
            raise
        except (ConnectionFailed, TLSFailed) as error:
            if self._fatal is None and not self._served and not isinstance(body, Body):
                # Nor wait for a host that isn't there.
                self._fatal = self._for_all(error)
                raise copy.copy(self._fatal) from error
            raise
        finally:
            if leads and not self._contacted:
                self._contact.release()

    def exchange_anonymously(self, method: str, path: str) -> Response:
        """Send one request without a login, to see what the registry asks for; again where that fails for a while.

        Raises :class:`ConnectionFailed`, :class:`TLSFailed`, :class:`RateLimited` and :class:`UnexpectedAnswer`.
        """
        attempt = 0
        while True:
            last = attempt >= self.endpoint.retries
            try:
                response = self._followed(_Request(method, self.base + path))
            except ConnectionFailed as error:
                if last or not error.temporary:
                    raise
                wait = self._wait_after(error, attempt)
            else:
                if not response.is_temporary():
                    return response
                wait = self._pause(response, attempt)
                if last:
                    raise response.error()
            attempt += 1
            self._sleep_before_retry(wait)

    def learn_from(self, response: Response, repository: str) -> None:
        """Take the 401 of :meth:`exchange_anonymously` for the first one: the next request is logged in at once.

        Raises :class:`AuthenticationFailed` where there is no way to log in, and :class:`ProtocolViolation`.
        """
        with self._contact:
            if not self._contacted and origin_of(response.url) == self.origin:
                self._learn(response, _Request("GET", response.url, repository=repository))
                self._contacted = True

    def _takes_the_lead(self) -> bool:
        """Whether this thread makes the first contact. All others wait until it has an answer, or has failed for good.

        So a registry sees one request without a login, and one thread only tries a host that isn't there.
        """
        if self._contacted:
            return False
        self._contact.acquire()
        if self._contacted or self._fatal is not None:
            self._contact.release()
            return False
        return True

    def _repeated(self, request: _Request) -> Response:
        repeatable = request.repeat and not isinstance(request.body, Body)
        attempt = 0
        while True:
            last = not repeatable or attempt >= self.endpoint.retries
            if self._fatal is not None:
                raise copy.copy(self._fatal)
            if self._refusals and (refusal := self._refusals.get(self.credential_for(request.repository))):
                raise copy.copy(refusal)
            try:
                response = self._authorised(request)
            except ConnectionFailed as error:
                # One that has its operation has had its tries: it is the token server's.
                if last or not error.temporary or error.operation:
                    self._lose(request, error)
                    raise
                wait = self._wait_after(error, attempt)
            except (NoToken, RateLimited) as error:
                self._lose(request, error)
                raise
            else:
                if not response.is_temporary():
                    self._served = True
                    self._lost = 0
                    return response
                wait = self._pause(response, attempt)
                if last:
                    self._lose(request, response.error())
                    return response
            attempt += 1
            self._sleep_before_retry(wait)

    def back_off(self, attempt: int) -> None:
        """Wait before something that has failed is tried again, after the try of that number; the first is 0."""
        self._sleep_before_retry(self._limits.backoff(attempt))

    def _sleep_before_retry(self, seconds: float) -> None:
        self.counters.add(retries=1)
        if seconds:
            self._sleep(seconds)

    def _lose(self, request: _Request, error: RegistryError) -> None:
        """Count an exchange whose tries are used up. So many in a row, and the registry is given up for this task.

        A thousand images would wait for hours on one that has fallen silent, or asks everybody to come back later.
        What isn't worth a second try has another way, and that is what counts.
        """
        if not request.repeat:
            return
        self._lost += 1
        if self._lost >= max(_LOST_IN_A_ROW, 2 * self.endpoint.jobs):
            self._fatal = self._for_all(error)

    def _for_all(self, error: RegistryError) -> RegistryError:
        """What was met at one image, said of the registry as a whole: the other images end with it unasked."""
        found = copy.copy(error)
        if isinstance(error, (AuthenticationFailed, NoToken)) or error.operation == _TOKEN_OPERATION:
            found.operation = f"log in to {self.endpoint.registry}"
        elif isinstance(error, (ConnectionFailed, TLSFailed)):
            found.operation = f"reach {self.endpoint.registry}"
        else:
            found.operation = f"continue with {self.endpoint.registry}"
        if not found.operation.startswith("log in") or error.url.startswith(f"{self.base}/v2/"):
            # The URL of a token server stays; that of an image would be a foreign one to all others.
            found.method, found.url = "", self.base
        return found

    def _authorised(self, request: _Request) -> Response:
        """One exchange, with the login that the registry asks for: at most one 401 for each new thing to learn."""
        own = self._is_own(request.url)

        def send() -> Response:
            authorisation = self._authorisation(request) if own else ""
            headers = dict(request.headers, Authorization=authorisation) if authorisation else request.headers
            return self._followed(request._replace(headers=headers))

        def challenged(response: Response) -> bool:
            # What a redirect's target asks for is none of the registry's challenges.
            return response.status == 401 and own and self._is_own(response.url)

        with self._one_tries_the_password(request):
            response = send()
            if not self._contacted:
                # This thread leads, and the others wait.
                if response.status == 400 and request.method == "HEAD":
                    self._check_tls()
                if challenged(response):
                    self._learn(response, request)
                    # The first token too, so that a password that is refused is tried once.
                    self._authorisation(request)
                if challenged(response):
                    # With Basic, the others wait until the password was taken.
                    known = self._authenticator.scheme != "basic"
                else:
                    known = not response.is_temporary()
                if known:
                    self._end_contact()
            if not challenged(response):
                self._note_accepted(response, request)
                return response
            credential = self.credential_for(request.repository)
            if response.authorisation and (self._authenticator.scheme == "basic" or credential.token):
                raise self._refused(response, request)
        self._learn(response, request)
        if isinstance(request.body, Body):
            error = response.error()
            error.temporary = True
            raise error
        self._authenticator.forget(response.authorisation)
        with self._one_tries_the_password(request):
            response = send()
            if response.status == 401:
                # Of the first contact, the others learn when the refusal is noted.
                raise self._refused(response, request)
            self._note_accepted(response, request)
        if not self._contacted and not response.is_temporary():
            self._end_contact()
        return response

    @contextlib.contextmanager
    def _one_tries_the_password(self, request: _Request) -> t.Iterator[None]:
        """With Basic, all wait for the thread that sends a password which was neither accepted nor refused yet.

        The thread that leads needs no turn: the others wait for it anyway.
        """
        asked = self._contacted and self._authenticator.scheme == "basic" and self._is_own(request.url)
        credential = self.credential_for(request.repository) if asked else None
        if credential is None or credential.is_anonymous or credential in self._accepted:
            yield
            return
        with self._password:
            if credential in self._refusals:
                raise copy.copy(self._refusals[credential])
            if credential not in self._accepted:
                try:
                    yield
                except AuthenticationFailed as error:
                    raise self._note_refused(credential, error) from error
                return
        yield

    def _note_refused(self, credential: Credential, error: AuthenticationFailed) -> RegistryError:
        """A thousand images needn't each try a refused password. Returns what each of them raises."""
        self._advise(credential, error)
        self._refusals[credential] = self._for_all(error)
        return copy.copy(self._refusals[credential])

    @staticmethod
    def _advise(credential: Credential, error: AuthenticationFailed) -> None:
        if not credential.flaw or not error.hint.startswith(credential.flaw):
            error.hint = credential.hint(_RENEW_TOKEN if credential.token else error.hint)

    def _end_contact(self) -> None:
        """Nobody waits any longer for the thread that leads: what all need to know of the registry is known."""
        self._contacted = True
        self._contact.release()

    def _authorisation(self, request: _Request) -> str:
        """The Authorization header. Files and helpers are looked at when the registry has asked for a login."""
        credentials = self.endpoint.credentials
        credential = credentials.find(request.repository) if self._authenticator.scheme else credentials.given
        return self._authenticator.header(credential, self._wanted(request)) if credential else ""

    def _wanted(self, request: _Request) -> Scopes:
        return self._widened.get(request.scopes, request.scopes)

    def _note_accepted(self, response: Response, request: _Request) -> None:
        if response.authorisation and not response.is_temporary():
            credential = self.credential_for(request.repository)
            # Some answer a wrong password so.
            response.flaw = credential.flaw if response.status == 403 else ""
            self._accepted.add(credential)

    def _check_tls(self) -> None:
        """An answer to HEAD has no body that would say it: whether TLS is expected, or a client certificate."""
        response = self._once(_Request("GET", self.base + "/v2/"))
        error = response.error()
        if isinstance(error, TLSFailed):
            raise error

    def _learn(self, response: Response, request: _Request) -> None:
        credential = self.credential_for(request.repository)
        challenges = parse_challenges(response.header_list("WWW-Authenticate"))
        try:
            named = self._authenticator.learn(challenges, credential)
        except AuthenticationFailed as error:
            error.method, error.url, error.status = response.method, without_query(response.url), response.status
            error.errors = response.error_details()
            raise
        if not request.scopes.covers(named):
            self._widened[request.scopes] = request.scopes.union(named)

    def _refused(self, response: Response, request: _Request) -> RegistryError:
        credential = self.credential_for(request.repository)
        basic = self._authenticator.scheme != "bearer"
        if credential.token or (basic and not self._is_accepted(credential, request)):
            return self._not_accepted(response, credential)
        who = "anonymous access" if credential.is_anonymous else "the account"
        if credential.source:
            who += f" of {credential.source}"
        return AccessDenied(
            f"{who} isn't granted {self._wanted(request)}",
            hint=credential.hint(LOG_IN)
            if credential.is_anonymous
            else credential._replace(advice=_CHECK_RIGHTS).hint(""),
            method=response.method,
            url=without_query(response.url),
            status=response.status,
            errors=response.error_details(),
        )

    def _is_accepted(self, credential: Credential, request: _Request) -> bool:
        """Whether it is good for something else (Basic): some registries answer 401 for a single repository, too."""
        if credential not in self._accepted and request.scopes != NOTHING:
            api = _Request("GET", self.base + "/v2/", repository=request.repository)
            authorisation = self._authorisation(api)
            response = self._followed(api._replace(headers={"Authorization": authorisation}))
            if response.status == 200:
                self._note_accepted(response, api)
        return credential in self._accepted

    def _not_accepted(self, response: Response, credential: Credential) -> RegistryError:
        error = response.error()
        if credential.source:
            error.reason = f"the registry doesn't accept {credential}"
        return error

    def _followed(self, request: _Request) -> Response:
        for _hop in range(_MAXIMUM_REDIRECTS + 1):
            response = self._once(request)
            location = response.headers.get("Location")
            if response.status not in (301, 302, 303, 307, 308) or not location:
                return response
            target = resolve(response.url, location)
            if request.method not in ("GET", "HEAD") and not self._may_repeat_at(target, response.status, request.body):
                return response
            self._check_redirect(request.url, target)
            headers = request.headers
            if origin_of(target) != origin_of(request.url):
                headers = {name: value for name, value in headers.items() if name != "Authorization"}
            response.close()
            request = request._replace(url=target, headers=headers)
        return response

    def _may_repeat_at(self, target: str, status: int, body: bytes | Body | None) -> bool:
        # 301 to 303 would turn a request that writes into a GET and lose its body: nothing would be written.
        return status in (307, 308) and not isinstance(body, Body) and origin_of(target) == self.origin

    def _check_redirect(self, url: str, target: str) -> None:
        here, there = origin_of(url), origin_of(target)
        if here.scheme == "https" and there.scheme != "https":
            raise ProtocolViolation(f"the registry redirects from TLS to plain HTTP, on {there.host}")
        if self.leads_astray(target):
            raise ProtocolViolation(f"the registry redirects to a local address, {there.host}")

    def _once(self, request: _Request) -> Response:
        sent = {"User-Agent": USER_AGENT, "Accept": "*/*", "Accept-Encoding": "identity"}
        sent.update(request.headers)
        # An empty iterable would be sent chunked, which registries refuse.
        empty = isinstance(request.body, Body) and len(request.body) == 0
        data = b"".join(t.cast(Body, request.body)) if empty else request.body
        timeout = request.timeout or self.endpoint.timeout
        self._limits.wait(self._sleep)
        self.counters.add(requests=1)
        # Whole exchanges are bounded; a body that is streamed is the caller's, who bounds those.
        with self._slots:
            try:
                return self._answer_to(request, sent, data, timeout)
            except (ConnectionFailed, TLSFailed) as error:
                there = origin_of(request.url)
                if lost_port(self.origin, there):
                    error.hint = misled(self.origin, there, "client")
                raise

    def _answer_to(
        self, request: _Request, headers: t.Mapping[str, str], data: bytes | Body | None, timeout: float
    ) -> Response:
        own = self._is_own(request.url)
        try:
            # The server compares signatures and states in a query to the byte. One '%' that escapes nothing would make
            # urllib3 escape all the others as well.
            url = _LONE_PERCENT.sub("%25", request.url)
            seconds = (min(_CONNECT_TIMEOUT, self.endpoint.timeout), timeout)
            proxy = self._proxy_for(request.url)
            if own and proxy is None:
                raw = self._send_directly(request.method, url, headers, data, seconds)
            else:
                raw = self._send_by_session(request.method, url, headers, data, seconds, own=own, proxy=proxy)
            # Before version 2, urllib3 takes a body that broke off for a whole one.
            raw.enforce_content_length = True
            streamed = request.stream and raw.status in (200, 206)
            content = b"" if streamed else read_limited(raw, request.method, request.url, request.limit, timeout)
            authorisation = headers.get("Authorization", "")
            response = Response(
                request.method, request.url, raw, content, authorisation, redirected=not own, streamed=streamed
            )
            if own and "Warning" in response.headers:
                self._notices.add(self.endpoint.registry, response.warnings())
            return response
        except (requests.exceptions.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            # They quote URLs with their queries, and headers.
            handshake = Handshake(self._tls.named_by, self._tls.certificate_path if own else "", is_registry=own)
            raise connection_error(error, request.method, request.url, handshake) from None

    def _is_own(self, url: str) -> bool:
        return url.startswith(f"{self.base}/") or origin_of(url) == self.origin

    def _send_directly(
        self,
        method: str,
        url: str,
        headers: t.Mapping[str, str],
        data: bytes | Body | None,
        seconds: tuple[float, float],
    ) -> t.Any:
        """To the registry itself, by the connections of its session: half of what ``requests`` does there is done once.

        Thousands of requests go this way.
        """
        if self._pool is None:
            self._pool = _connection_pool(self._session, url, self._verify, self._certificate)
        parts = urllib.parse.urlsplit(url)
        sent = dict(headers)
        if isinstance(data, Body):
            sent["Content-Length"] = str(len(data))
        return self._pool.request(
            method,
            (parts.path or "/") + (f"?{parts.query}" if parts.query else ""),
            body=data,
            headers=sent,
            redirect=False,
            retries=False,
            assert_same_host=False,
            preload_content=False,
            decode_content=False,
            timeout=urllib3.util.Timeout(connect=seconds[0], read=seconds[1]),
        )

    def _send_by_session(
        self,
        method: str,
        url: str,
        headers: t.Mapping[str, str],
        data: bytes | Body | None,
        seconds: tuple[float, float],
        *,
        own: bool,
        proxy: Proxy | None,
    ) -> t.Any:
        prepared = requests.Request(method, url, headers=headers, data=data).prepare()
        prepared.url = url
        answer = (self._session if own else self._foreign_session).send(
            prepared,
            stream=True,
            allow_redirects=False,
            timeout=seconds,
            verify=self._verify,
            cert=self._certificate if own else None,
            proxies={"all": proxy.url} if proxy else {},
        )
        return answer.raw

    def _proxy_for(self, url: str) -> Proxy | None:
        origin = self.origin if self._is_own(url) else origin_of(url)
        if origin not in self._proxies:
            proxy = proxy_for(url)
            for secret in proxy.secrets if proxy else ():
                self._on_secret(secret)
            self._proxies[origin] = proxy
        return self._proxies[origin]

    def _fetch_token(self, url: str, headers: t.Mapping[str, str], body: bytes | None) -> Answer:
        """A request to the token server: no login but the one given, redirects refused, and retried like any GET."""
        request = _Request("GET" if body is None else "POST", url, headers, body, _MAXIMUM_TOKEN_ANSWER)
        attempt = 0
        while True:
            last = attempt >= self.endpoint.retries
            try:
                response = self._once(request)
            except ConnectionFailed as error:
                if last or not error.temporary:
                    error.within(_TOKEN_OPERATION)
                    raise
                wait = self._wait_after(error, attempt)
            else:
                if last or not response.is_temporary():
                    return Answer(response.status, response.body, response.is_throttled)
                try:
                    wait = self._pause(response, attempt)
                except RateLimited as error:
                    error.within(_TOKEN_OPERATION)
                    raise
            attempt += 1
            self._sleep_before_retry(wait)

    def _wait_after(self, error: ConnectionFailed, attempt: int) -> float:
        """Seconds that this thread has to wait before the next try; 0 where all wait."""
        wait = self._limits.backoff(attempt)
        if not error.refused:
            return wait
        # It restarts, and comes back for all or for none.
        self._limits.pause(wait)
        return 0.0

    def _pause(self, response: Response, attempt: int) -> float:
        """Seconds that this thread has to wait before the next try; 0 where all wait.

        Raises :class:`RateLimited` where the registry asks for a longer pause than it gets.
        """
        asked = retry_after(response.headers.get("Retry-After", ""))
        if asked is None:
            asked = self._limits.backoff(attempt)
            if response.status != 503 and not response.is_throttled:
                return asked
        if not self._limits.grants(asked):
            raise RateLimited(
                f"the registry asks to wait {asked:.0f} seconds, and retry_max_wait is {self._limits.longest_wait:g}",
                hint="Run again later, or log in with an account that has a larger quota",
                method=response.method,
                url=without_query(response.url),
                status=response.status,
                errors=response.error_details(),
            )
        # All threads slow down, not just the one that was told to.
        self._limits.pause(asked)
        return 0.0


def _connection_pool(session: t.Any, url: str, verify: bool | str, certificate: str | tuple[str, str] | None) -> t.Any:
    """The connections of a session to the registry, set up as ``requests`` does it."""
    adapter = session.get_adapter(url)
    if hasattr(adapter, "get_connection_with_tls_context"):
        prepared = requests.Request("GET", url).prepare()
        pool = adapter.get_connection_with_tls_context(prepared, verify, proxies={}, cert=certificate)
    else:  # requests before 2.32.2
        pool = adapter.get_connection(url, {})
    adapter.cert_verify(pool, url, verify, certificate)
    return pool


def _new_session(jobs: int, tls: TLSFiles, *, with_certificate: bool) -> t.Any:
    session = requests.Session()
    # With the environment trusted, a ~/.netrc would replace our Authorization header.
    session.trust_env = False
    # Even where redirects aren't followed, requests would look into their Location, and read all of their body.
    session.get_redirect_target = lambda response: None
    session.cookies.set_policy(http.cookiejar.DefaultCookiePolicy(allowed_domains=[]))
    adapter = paced_adapter(pool_connections=8, pool_maxsize=jobs + 1, max_retries=0, pool_block=False)
    context = tls.context(with_certificate=with_certificate)
    if context:
        # requests loads the CAs of verify into it as well.
        adapter.poolmanager.connection_pool_kw["ssl_context"] = context
        adapter.proxy_manager_for = functools.partial(_proxy_manager, adapter.proxy_manager_for, context, tls)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


def _proxy_manager(make: t.Callable[..., t.Any], context: t.Any, tls: TLSFiles, proxy: str) -> t.Any:
    """The connections through a proxy, with ``context`` to what is behind it."""
    own = {"proxy_ssl_context": tls.proxy_context()} if proxy.lower().startswith("https://") else {}
    return make(proxy, ssl_context=context, **own)
