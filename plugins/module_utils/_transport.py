# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""One HTTP exchange with a registry done right: TLS, login, time-outs, retries, redirects, size limits, counters."""

from __future__ import annotations

import copy
import email.utils
import http.cookiejar
import json
import os
import random
import re
import socket
import ssl
import threading
import time
import typing as t

from ._auth import NOTHING, Answer, Authenticator, Scopes, parse_challenges
from ._counters import Counters
from ._credentials import ANONYMOUS, Credential
from ._errors import (
    AccessDenied,
    AuthenticationFailed,
    ConnectionFailed,
    ContentMismatch,
    ErrorDetail,
    LocalFileError,
    NotFound,
    ProtocolViolation,
    RateLimited,
    RegistryError,
    RepositoryMissing,
    TLSFailed,
    UnexpectedAnswer,
    Unsupported,
)
from ._reference import is_docker_hub
from ._requests import requests, urllib3
from ._url import is_local_address, origin_of, resolve, without_query

USER_AGENT = "imageops.registry"
PIECE = 1024 * 1024
"""Bytes in which blobs are read and passed on."""

_CONNECT_TIMEOUT = 30.0
_LONGEST_WAIT = 120.0
"""Seconds. A registry that asks for a longer pause than that (quotas last hours) is an error, not a pause."""
_LONGEST_BACKOFF = 30.0
_MAXIMUM_REDIRECTS = 5
_MAXIMUM_ERROR_BODY = 64 * 1024
_TEMPORARY_STATUS = (408, 425, 429, 499, 500, 502, 503, 504, 520, 521, 522, 523, 524)
_TEMPORARY_CODES = ("UNKNOWN", "UNAVAILABLE", "TOOMANYREQUESTS", "BLOB_UPLOAD_INVALID")
_LONE_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_EXPECTS_TLS = (b"HTTP request to an HTTPS server", b"HTTP request was sent to HTTPS port")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]+")
"""What must not reach a screen: terminal sequences, changes of the writing direction, halves of surrogate pairs."""


class Body:
    """A request body of a known size, in bytes, that is read once, piece by piece, while it is sent.

    It has a length and no ``read``: so ``requests`` sends a Content-Length and passes the pieces on as they are. Other
    than its size, they end with a :class:`ContentMismatch`: the registry would wait for what never comes.
    """

    def __init__(self, pieces: t.Iterable[bytes], size: int) -> None:
        self._pieces = pieces
        self._size = size

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> t.Iterator[bytes]:
        sent = 0
        for piece in self._pieces:
            sent += len(piece)
            if sent > self._size:
                raise ContentMismatch(f"more than the {self._size} bytes that were announced are there to be sent")
            yield piece
        if sent < self._size:
            raise ContentMismatch(f"{self._size} bytes were announced, and {sent} are there to be sent")


class Endpoint(t.NamedTuple):
    """Which registry, and how it is spoken to. ``timeout`` in seconds of silence, ``retries`` after the first try."""

    registry: str
    credential: Credential = ANONYMOUS
    plain_http: bool = False
    validate_certs: bool = True
    ca_path: str = ""
    client_cert: str = ""
    client_key: str = ""
    trusted_realm_hosts: tuple[str, ...] = ()
    timeout: float = 60.0
    retries: int = 3
    jobs: int = 4


class Response:
    """The answer to one request, redirects followed. ``body`` is empty where the answer is streamed."""

    def __init__(self, method: str, url: str, raw: t.Any, body: bytes) -> None:
        self.method = method
        self.url = url
        self.status: int = raw.status_code
        self.headers: t.Mapping[str, str] = raw.headers
        self.body = body
        self._raw = raw

    @property
    def authorisation(self) -> str:
        """The Authorization header of the request that this answers; empty where it had none. A secret."""
        return str(self._raw.request.headers.get("Authorization", ""))

    def header_list(self, name: str) -> list[str]:
        """Every header of that name, one by one."""
        return list(self._raw.raw.headers.getlist(name))

    def pieces(self) -> t.Iterator[bytes]:
        """The streamed body as it came over the wire. Raises :class:`ConnectionFailed` where it breaks off."""
        try:
            while True:
                piece = self._raw.raw.read(PIECE, decode_content=False)
                if not piece:
                    return
                yield piece
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise _connection_error(error, "GET", self.url) from error
        finally:
            self.close()

    def close(self) -> None:
        """Give a streamed answer up."""
        self._raw.close()

    def error_details(self) -> tuple[ErrorDetail, ...]:
        """The registry's error codes, shortened and without control characters: they go to the user's screen."""
        try:
            document = json.loads(self.body.decode("utf-8"))
            entries = document["errors"]
        except (ValueError, RecursionError, KeyError, TypeError):
            return ()
        if not isinstance(entries, list):
            return ()
        return tuple(
            ErrorDetail(_clean(entry.get("code")), _clean(entry.get("message")), _clean(entry.get("detail")))
            for entry in entries[:50]
            if isinstance(entry, dict)
        )

    def error(self) -> RegistryError:
        """The error that this answer is, whatever was asked."""
        details = self.error_details()
        codes = {detail.code.upper() for detail in details}
        said = "; ".join(
            f"{detail.code}: {detail.message}" if detail.message else detail.code for detail in details[:3]
        )
        facts: dict[str, t.Any] = {
            "method": self.method,
            "url": without_query(self.url),
            "status": self.status,
            "errors": details,
        }
        if self.status == 401:
            return AuthenticationFailed(
                "the registry doesn't accept the credential",
                hint="Check username and password, or the auth_file",
                **facts,
            )
        if self.status == 403:
            return AccessDenied(
                said or "the account may not do this", hint="Check the account's rights and quota", **facts
            )
        if self.status == 404:
            if codes & {"NAME_UNKNOWN"}:
                return RepositoryMissing(said, **facts)
            return NotFound(said or "it isn't there", **facts)
        if self.status == 405:
            return Unsupported(said or "the registry doesn't allow this", **facts)
        if self.status == 429:
            return RateLimited(said or "too many requests", temporary=True, **facts)
        if self.status == 400 and any(phrase in self.body for phrase in _EXPECTS_TLS):
            return TLSFailed("the registry expects TLS", hint="Set plain_http to false", **facts)
        if 300 <= self.status < 400:
            return ProtocolViolation(
                "the registry redirects a request that writes, or redirects too often",
                hint="Give the address that it redirects to as registry",
                **facts,
            )
        return UnexpectedAnswer(said or _text_of(self.body), temporary=self.is_temporary(), **facts)

    def is_temporary(self) -> bool:
        """Whether the same request may succeed later. A 500 whose codes speak of the content won't (protocol: 0.16)."""
        if self.status not in _TEMPORARY_STATUS:
            return False
        return all(detail.code.upper() in _TEMPORARY_CODES for detail in self.error_details())


class Transport:
    """All exchanges with one registry: one pool of connections, one login. Shared by all threads of a task."""

    def __init__(
        self,
        endpoint: Endpoint,
        counters: Counters,
        *,
        on_secret: t.Callable[[str], None] = lambda secret: None,
        sleep: t.Callable[[float], None] = time.sleep,
    ) -> None:
        self.endpoint = endpoint
        self.counters = counters
        scheme = "http" if endpoint.plain_http else "https"
        host = "registry-1.docker.io" if is_docker_hub(endpoint.registry) else endpoint.registry
        self.base = f"{scheme}://{host}"
        self.origin = origin_of(self.base)
        self.sleep = sleep
        self._verify = _certificate_authorities(endpoint)
        self._client_certificate = _client_certificate(endpoint)
        self._session = _new_session(endpoint.jobs)
        self._authenticator = Authenticator(
            endpoint.credential,
            self.origin.host,
            scheme == "https",
            self._fetch_token,
            trusted_realm_hosts=endpoint.trusted_realm_hosts,
            on_secret=on_secret,
        )
        self._widened: dict[Scopes, Scopes] = {}
        self._contact = threading.Lock()
        self._contacted = False
        self._served = False
        self._fatal: RegistryError | None = None
        self._not_before = 0.0

    def close(self) -> None:
        """Close all connections."""
        self._session.close()

    def exchange(
        self,
        method: str,
        url: str,
        scopes: Scopes,
        *,
        headers: t.Mapping[str, str] | None = None,
        body: bytes | Body | None = None,
        limit: int = _MAXIMUM_ERROR_BODY,
        stream: bool = False,
        timeout: float = 0.0,
    ) -> Response:
        """Send one request, logged in as needed, again where it fails for a while, and return the answer.

        ``url`` is absolute, or a path below the registry. ``limit`` is the most bytes of a body that are read;
        ``stream`` leaves the body of a 200 or 206 to the caller. A :class:`Body` can't be sent twice: then the first
        failure is raised, marked as temporary where trying again makes sense.

        Raises :class:`ConnectionFailed`, :class:`TLSFailed`, :class:`AuthenticationFailed`, :class:`AccessDenied`,
        :class:`RateLimited` and :class:`ProtocolViolation`; every other status is the caller's to judge.
        """
        if url.startswith("/"):
            url = self.base + url
        leads = self._takes_the_lead()
        try:
            return self._repeated(method, url, scopes, headers or {}, body, limit, stream, timeout)
        except (ConnectionFailed, TLSFailed, AuthenticationFailed) as error:
            if not self._served and not isinstance(body, Body):
                # A thousand images needn't each wait for a host that isn't there, nor try a refused password.
                self._fatal = copy.copy(error)
            raise
        finally:
            if leads and not self._contacted:
                self._contact.release()

    def exchange_anonymously(self, method: str, path: str) -> Response:
        """Send one request without a login, to see what the registry asks for."""
        return self._followed(method, self.base + path, {}, None, _MAXIMUM_ERROR_BODY, False, 0.0)

    def learn_from(self, response: Response) -> None:
        """Take the 401 of :meth:`exchange_anonymously` for the first one: the next request is logged in at once.

        Raises :class:`AuthenticationFailed` where there is no way to log in, and :class:`ProtocolViolation`.
        """
        with self._contact:
            if not self._contacted and origin_of(response.url) == self.origin:
                self._learn(response, NOTHING)
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

    def _repeated(
        self,
        method: str,
        url: str,
        scopes: Scopes,
        headers: t.Mapping[str, str],
        body: bytes | Body | None,
        limit: int,
        stream: bool,
        timeout: float,
    ) -> Response:
        repeatable = not isinstance(body, Body)
        attempt = 0
        while True:
            last = not repeatable or attempt >= self.endpoint.retries
            if self._fatal is not None:
                raise copy.copy(self._fatal)
            try:
                response = self._authorised(method, url, scopes, headers, body, limit, stream, timeout)
            except ConnectionFailed as error:
                # One that has its operation has had its tries: it is the token server's.
                if last or not error.temporary or error.operation:
                    raise
                wait = self._backoff(attempt)
            else:
                if not response.is_temporary():
                    self._served = True
                    return response
                wait = self._pause(response, attempt)
                if last:
                    return response
            attempt += 1
            self.counters.add(retries=1)
            self.sleep(wait)

    def _authorised(
        self,
        method: str,
        url: str,
        scopes: Scopes,
        headers: t.Mapping[str, str],
        body: bytes | Body | None,
        limit: int,
        stream: bool,
        timeout: float,
    ) -> Response:
        """One exchange, with the login that the registry asks for: at most one 401 for each new thing to learn."""

        def send(wanted: Scopes) -> Response:
            own = origin_of(url) == self.origin
            authorisation = self._authenticator.header(wanted) if own else ""
            sent = dict(headers, Authorization=authorisation) if authorisation else dict(headers)
            return self._followed(method, url, sent, body, limit, stream, timeout)

        def challenged(response: Response) -> bool:
            # What a redirect's target asks for is none of the registry's challenges.
            return response.status == 401 and origin_of(url) == self.origin == origin_of(response.url)

        response = send(self._widened.get(scopes, scopes))
        if not self._contacted:
            # This thread leads, and the others wait.
            if response.status == 400 and method == "HEAD" and self.endpoint.plain_http:
                self._check_plain_http()
            if challenged(response):
                self._learn(response, scopes)
                # The first token too, so that a password that is refused is tried once.
                self._authenticator.header(self._widened.get(scopes, scopes))
            self._contacted = True
            self._contact.release()
        if not challenged(response):
            return response
        before = self._authenticator.scheme
        if before == "basic" or self.endpoint.credential.token:
            if response.authorisation:
                raise response.error()
        else:
            self._learn(response, scopes)
        if isinstance(body, Body):
            error = response.error()
            error.temporary = True
            raise error
        self._authenticator.forget(response.authorisation)
        response = send(self._widened.get(scopes, scopes))
        if response.status == 401:
            raise self._refused(response, self._widened.get(scopes, scopes))
        return response

    def _check_plain_http(self) -> None:
        """An answer to HEAD has no body that would say it: whether the registry expects TLS."""
        response = self._once("GET", self.base + "/v2/", {}, None, _MAXIMUM_ERROR_BODY, False, 0.0)
        error = response.error()
        if isinstance(error, TLSFailed):
            raise error

    def _learn(self, response: Response, scopes: Scopes) -> None:
        try:
            named = self._authenticator.learn(parse_challenges(response.header_list("WWW-Authenticate")))
        except AuthenticationFailed as error:
            error.method, error.url, error.status = response.method, without_query(response.url), response.status
            error.errors = response.error_details()
            raise
        if not scopes.covers(named):
            self._widened[scopes] = scopes.union(named)

    def _refused(self, response: Response, scopes: Scopes) -> RegistryError:
        if self._authenticator.scheme == "bearer" and not self.endpoint.credential.token:
            who = "anonymous access" if self.endpoint.credential.is_anonymous else "the account"
            return AccessDenied(
                f"{who} isn't granted {scopes}",
                hint="Check the account's rights, and that the repository exists",
                method=response.method,
                url=without_query(response.url),
                status=response.status,
                errors=response.error_details(),
            )
        return response.error()

    def _followed(
        self,
        method: str,
        url: str,
        headers: dict[str, str],
        body: bytes | Body | None,
        limit: int,
        stream: bool,
        timeout: float,
    ) -> Response:
        for _hop in range(_MAXIMUM_REDIRECTS + 1):
            response = self._once(method, url, headers, body, limit, stream, timeout)
            location = response.headers.get("Location")
            if response.status not in (301, 302, 303, 307, 308) or not location:
                return response
            target = resolve(response.url, location)
            if method not in ("GET", "HEAD") and not self._may_repeat_at(target, response.status, body):
                return response
            self._check_redirect(url, target)
            if origin_of(target) != origin_of(url):
                headers = {name: value for name, value in headers.items() if name != "Authorization"}
            response.close()
            url = target
        return response

    def _may_repeat_at(self, target: str, status: int, body: bytes | Body | None) -> bool:
        # 301 to 303 would turn a request that writes into a GET and lose its body: nothing would be written.
        return status in (307, 308) and not isinstance(body, Body) and origin_of(target) == self.origin

    def _check_redirect(self, url: str, target: str) -> None:
        here, there = origin_of(url), origin_of(target)
        if here.scheme == "https" and there.scheme != "https":
            raise ProtocolViolation(f"the registry redirects from TLS to plain HTTP, on {there.host}")
        if is_local_address(there.host) and not is_local_address(self.origin.host):
            raise ProtocolViolation(f"the registry redirects to a local address, {there.host}")

    def _once(
        self,
        method: str,
        url: str,
        headers: t.Mapping[str, str],
        body: bytes | Body | None,
        limit: int,
        stream: bool,
        timeout: float,
    ) -> Response:
        sent = {"User-Agent": USER_AGENT, "Accept": "*/*", "Accept-Encoding": "identity"}
        sent.update(headers)
        # An empty iterable would be sent chunked, which registries refuse.
        data = b"".join(body) if isinstance(body, Body) and len(body) == 0 else body
        own = origin_of(url) == self.origin
        self._wait_until_allowed()
        self.counters.add(requests=1)
        try:
            prepared = requests.Request(method, url, headers=sent, data=data).prepare()
            # The server compares signatures and states in a query to the byte. One '%' that escapes nothing would make
            # urllib3 escape all the others as well.
            prepared.url = _LONE_PERCENT.sub("%25", url)
            raw = self._session.send(
                prepared,
                stream=True,
                allow_redirects=False,
                timeout=(min(_CONNECT_TIMEOUT, self.endpoint.timeout), timeout or self.endpoint.timeout),
                verify=self._verify,
                cert=self._client_certificate if own else None,
                proxies=requests.utils.get_environ_proxies(url),
            )
            # Before version 2, urllib3 takes a body that broke off for a whole one.
            raw.raw.enforce_content_length = True
            if stream and raw.status_code in (200, 206):
                return Response(method, url, raw, b"")
            return Response(method, url, raw, _read_limited(raw, method, url, limit))
        except (requests.exceptions.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            # A ValueError quotes the header or URL that is wrong.
            raise _connection_error(error, method, url) from (None if isinstance(error, ValueError) else error)

    def _fetch_token(self, url: str, headers: t.Mapping[str, str]) -> Answer:
        """A GET at the token server: no login but the one given, redirects refused, and retried like any GET."""
        attempt = 0
        while True:
            last = attempt >= self.endpoint.retries
            try:
                response = self._once("GET", url, headers, None, _MAXIMUM_ERROR_BODY * 8, False, 0.0)
            except ConnectionFailed as error:
                if last or not error.temporary:
                    error.within("get a token")
                    raise
                wait = self._backoff(attempt)
            else:
                if last or not response.is_temporary():
                    return Answer(response.status, response.body)
                wait = self._pause(response, attempt)
            attempt += 1
            self.counters.add(retries=1)
            self.sleep(wait)

    def _backoff(self, attempt: int) -> float:
        return random.uniform(0.1, min(_LONGEST_BACKOFF, 2.0**attempt))

    def _pause(self, response: Response, attempt: int) -> float:
        """Seconds to wait before the next try; raises :class:`RateLimited` where the registry asks for too many."""
        asked = retry_after(response.headers.get("Retry-After", ""))
        if asked is None:
            return self._backoff(attempt)
        if asked > _LONGEST_WAIT:
            raise RateLimited(
                f"the registry asks to wait {round(asked)} seconds",
                hint="Run again later, or log in with an account that has a larger quota",
                method=response.method,
                url=without_query(response.url),
                status=response.status,
                errors=response.error_details(),
            )
        # All threads slow down, not just the one that was told to.
        self._not_before = max(self._not_before, time.monotonic() + asked)
        return asked

    def _wait_until_allowed(self) -> None:
        wait = self._not_before - time.monotonic()
        if wait > 0:
            self.sleep(min(wait, _LONGEST_WAIT))


def retry_after(value: str) -> float | None:
    """Seconds of a Retry-After header, given as a number or as a date (RFC 9110, 10.2.3); None where it is neither."""
    value = value.strip()
    if value.isascii() and value.isdigit():
        return float(value[:12])
    try:
        date = email.utils.parsedate_to_datetime(value)
        return max(0.0, date.timestamp() - time.time())
    except (TypeError, ValueError, IndexError, OverflowError):
        return None


def _new_session(jobs: int) -> t.Any:
    session = requests.Session()
    # With the environment trusted, a ~/.netrc would replace our Authorization header.
    session.trust_env = False
    # Even where redirects aren't followed, requests would look into their Location, and read all of their body.
    session.get_redirect_target = lambda response: None
    session.cookies.set_policy(http.cookiejar.DefaultCookiePolicy(allowed_domains=[]))
    adapter = requests.adapters.HTTPAdapter(pool_connections=8, pool_maxsize=jobs + 1, max_retries=0, pool_block=False)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


def _certificate_authorities(endpoint: Endpoint) -> bool | str:
    """What ``requests`` verifies with: an explicit ca_path beats the environment's bundles."""
    if not endpoint.validate_certs:
        return False
    if endpoint.ca_path:
        return _readable(endpoint.ca_path, "ca_path")
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        if os.environ.get(name):
            return _readable(os.environ[name], name)
    return True


def _client_certificate(endpoint: Endpoint) -> str | tuple[str, str] | None:
    if not endpoint.client_cert:
        return None
    certificate = _readable(endpoint.client_cert, "client_cert")
    return (certificate, _readable(endpoint.client_key, "client_key")) if endpoint.client_key else certificate


def _readable(path: str, option: str) -> str:
    expanded = os.path.expanduser(path)
    try:
        if os.path.isdir(expanded):
            os.listdir(expanded)
        else:
            with open(expanded, "rb"):
                pass
    except OSError as error:
        raise LocalFileError(f"the file of {option}, {expanded}, can't be read: {error.strerror}") from error
    return expanded


def _read_limited(raw: t.Any, method: str, url: str, limit: int) -> bytes:
    if raw.status_code == 416:
        # distribution 2.x gives it the length of the whole blob, and no body.
        raw.close()
        return b""
    pieces: list[bytes] = []
    received = 0
    while received <= limit:
        piece = raw.raw.read(min(PIECE, limit + 1 - received), decode_content=False)
        if not piece:
            raw.close()
            return b"".join(pieces)
        pieces.append(piece)
        received += len(piece)
    raw.close()
    if raw.status_code >= 400:
        return b"".join(pieces)[:limit]
    raise ProtocolViolation(
        f"the answer is larger than {limit} bytes", method=method, url=without_query(url), status=raw.status_code
    )


def _clean(value: t.Any) -> str:
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value)
    return _CONTROL.sub(" ", text)[:500]


def _text_of(body: bytes) -> str:
    text = _CONTROL.sub(" ", body[:200].decode("utf-8", "replace")).strip()
    return f"the registry answers {text!r}" if text else "the registry gives no reason"


def _causes(error: BaseException) -> t.Iterator[BaseException]:
    """An exception and all that it wraps, whichever way the libraries wrapped it."""
    seen: set[int] = set()
    waiting: list[t.Any] = [error]
    while waiting:
        current = waiting.pop(0)
        if not isinstance(current, BaseException) or id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        waiting += [getattr(current, "reason", None), current.__cause__, current.__context__, *current.args]


def _connection_error(error: BaseException, method: str, url: str) -> RegistryError:
    """What a library's exception means. Its own text may hold the query of the URL, so it isn't used."""
    origin = origin_of(url)
    where = f"{origin.host}:{origin.port}"
    facts: dict[str, t.Any] = {"method": method, "url": without_query(url)}
    causes = list(_causes(error))
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return TLSFailed(
                f"the certificate of {where} isn't trusted: {getattr(cause, 'verify_message', '') or cause}",
                hint="Name the file of the CA that signed it in ca_path",
                **facts,
            )
        if isinstance(cause, ssl.SSLError):
            text = f"{cause.reason or ''} {cause.strerror or ''}".upper()
            if "WRONG_VERSION_NUMBER" in text or "RECORD_LAYER_FAILURE" in text or "HTTP_REQUEST" in text:
                return TLSFailed(
                    f"{where} doesn't speak TLS",
                    hint="If it is a registry without TLS, set plain_http to true",
                    **facts,
                )
            if "EOF" not in text:
                return TLSFailed(f"the TLS handshake with {where} failed: {cause.reason or 'no reason given'}", **facts)
    if isinstance(error, ValueError):
        return ProtocolViolation("the request has no valid URL or header", **facts)
    for cause in causes:
        if isinstance(cause, socket.gaierror):
            return ConnectionFailed(f"the host name {origin.host} can't be resolved", **facts)
        if isinstance(cause, ConnectionRefusedError):
            return ConnectionFailed(
                f"{where} refuses the connection",
                hint="Check the address, and that the registry runs",
                temporary=True,
                **facts,
            )
    if any(isinstance(cause, requests.exceptions.ProxyError) for cause in causes):
        return ConnectionFailed("the proxy of the environment can't be reached, or refuses", temporary=True, **facts)
    if any(
        isinstance(cause, (requests.exceptions.Timeout, urllib3.exceptions.TimeoutError, TimeoutError))
        for cause in causes
    ):
        return ConnectionFailed(f"{where} doesn't answer in time", hint="Raise timeout", temporary=True, **facts)
    detail = next((cause.strerror for cause in causes if isinstance(cause, OSError) and cause.strerror), "")
    return ConnectionFailed(
        f"the connection to {where} broke off{': ' + detail if detail else ''}", temporary=True, **facts
    )
