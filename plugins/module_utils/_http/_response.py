# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The answer to one request: read within limits, and turned into the error that it is."""

from __future__ import annotations

import email.utils
import html
import json
import re
import time
import typing as t

from .._credentials._secrets import Secrets
from .._end._body import PIECE
from .._model._errors import (
    CODES_DECIDE,
    TEMPORARY_STATUS,
    AccessDenied,
    AuthenticationFailed,
    ConnectionFailed,
    ErrorDetail,
    NotFound,
    ProtocolViolation,
    RateLimited,
    RedirectFailed,
    RegistryError,
    RepositoryMissing,
    TLSFailed,
    UnexpectedAnswer,
    Unsupported,
)
from .._model._manifest import MANIFEST_TYPES, bare_media_type
from ._connection_error import CHECK_CERTIFICATE, NAME_CERTIFICATE, connection_error
from ._pace import LEAST_IN_A_WINDOW, Deadline
from ._requests import urllib3
from ._url import origin_of, without_query

_SHORT_PIECE = 4 * LEAST_IN_A_WINDOW
"""Bytes in which everything else is read: so few that the deadline is looked at in time, however slowly they come."""
MAXIMUM_ERROR_BODY = 64 * 1024

_THROTTLED_CODES = ("TOOMANYREQUESTS", "TOO_MANY_REQUESTS", "TOO_MANY_REQUEST")
_TEMPORARY_CODES = ("UNKNOWN", "UNAVAILABLE", "BLOB_UPLOAD_INVALID", *_THROTTLED_CODES)
_REGISTRY_HEADERS = (
    "Docker-Distribution-Api-Version",
    "Docker-Content-Digest",
    "Docker-Upload-UUID",
    "OCI-Subject",
    "OCI-Chunk-Min-Length",
    "OCI-Filters-Applied",
)
_CODES = {
    *("BLOB_UNKNOWN", "BLOB_UPLOAD_INVALID", "BLOB_UPLOAD_UNKNOWN", "DIGEST_INVALID", "MANIFEST_BLOB_UNKNOWN"),
    *("MANIFEST_INVALID", "MANIFEST_UNKNOWN", "MANIFEST_UNVERIFIED", "NAME_INVALID", "NAME_UNKNOWN", "SIZE_INVALID"),
    *("TAG_INVALID", "UNAUTHORIZED", "DENIED", "UNSUPPORTED", "TOOMANYREQUESTS", "PAGINATION_NUMBER_INVALID"),
    *("RANGE_INVALID", "UNAVAILABLE", "UNKNOWN", "PROJECTPOLICYVIOLATION"),
}
"""The codes of the distribution specification, of distribution and of Harbor: no other service has these."""
_EXPECTS_TLS = (b"HTTP request to an HTTPS server", b"HTTP request was sent to HTTPS port")
_NO_CERTIFICATE = re.compile(rb"no required (?:ssl|tls) certificate|client certificate (?:is )?required", re.IGNORECASE)
_BAD_CERTIFICATE = re.compile(rb"(?:ssl|tls) certificate error", re.IGNORECASE)
"""What servers in front of registries say of a client certificate by HTTP, nginx among them."""
_NO_SPACE = re.compile(r'"Err": ?28\b|no space left on device')
"""ENOSPC, as distribution passes on what its file system has said."""
_WARNING = re.compile(
    r'[\s,]*(?P<code>[0-9]{3}) +(?P<agent>[^\s",]+) +"(?P<text>(?:[^"\\]|\\.)*)"(?: +"[^"]*")?\s*(?=,|$)'
)
_MAXIMUM_WARNING = 8 * 1024
_LONGEST_PAGE = 8 * 1024
_PAGE_TYPES = ("text/html", "application/xhtml+xml")
_HTML = re.compile(rb"(?:\xef\xbb\xbf)?\s*<(?:!doctype\s+html|html|head|body)\b", re.IGNORECASE)
_XML = re.compile(rb"\s*<(?:\?xml\b|Error>)")
"""As storages answer errors."""
_TITLE = re.compile(r"<title[^>]*>(.*?)</title>", re.IGNORECASE | re.DOTALL)
_INVISIBLE = re.compile(r"<(style|script)\b.*?(?:</\1>|$)", re.IGNORECASE | re.DOTALL)
_MARKUP = re.compile(r"<[^>]*>?")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]+")
"""What must not reach a screen: terminal sequences, changes of the writing direction, halves of surrogate pairs."""


class Response:
    """The answer to one request, redirects followed. ``body`` is empty where the answer is streamed."""

    def __init__(
        self,
        method: str,
        url: str,
        raw: t.Any,
        body: bytes,
        authorisation: str = "",
        *,
        secrets: Secrets | None = None,
        redirected: bool = False,
        streamed: bool = False,
    ) -> None:
        self.method = method
        self.url = url
        self.status: int = raw.status
        self.headers: t.Mapping[str, str] = raw.headers
        self.body = body
        self.authorisation = authorisation
        """The Authorization header of the request that this answers; empty where it had none. A secret."""
        self.flaw = ""
        """What is conspicuous about the credential that was sent, in a sentence, where that may be the reason."""
        self._raw = raw
        self._secrets = secrets or Secrets()
        self.is_redirected = redirected
        """Whether another host has answered, to which the registry has redirected."""
        self._streamed = streamed

    def header_list(self, name: str) -> list[str]:
        """Every header of that name, one by one."""
        return list(self._raw.headers.getlist(name))

    def warnings(self) -> list[str]:
        """What the registry tells its users in ``Warning`` headers: those with code 299 and agent ``-`` are its own.

        Secrets are hidden; otherwise the texts are as they came, and not fit for a screen.
        """
        texts = [text for header in self.header_list("Warning") for text in _told(header[:_MAXIMUM_WARNING])]
        return self._secrets.hidden_in(texts)

    def pieces(self) -> t.Iterator[bytes]:
        """The streamed body as it came over the wire. Raises :class:`ConnectionFailed` where it breaks off."""
        try:
            while True:
                piece = self._raw.read(PIECE, decode_content=False)
                if not piece:
                    return
                yield piece
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise connection_error(error, "GET", self.url) from error
        finally:
            self.close()

    def close(self) -> None:
        """Give a streamed answer up."""
        _give_back(self._raw)

    def shows_a_registry(self) -> bool:
        """Whether the answer has what only registries answer: a header of theirs, a manifest, or their error codes."""
        return (
            any(name in self.headers for name in _REGISTRY_HEADERS)
            or bare_media_type(self.headers.get("Content-Type", "")) in MANIFEST_TYPES
            or any(detail.code.upper() in _CODES for detail in self.error_details())
        )

    @property
    def is_by_proxy(self) -> bool:
        """Whether a proxy has answered, which wants a login of its own (RFC 9110, 15.5.8)."""
        return self.status == 407

    @property
    def is_foreign(self) -> bool:
        """Whether it is the answer of another host, to which the registry has redirected, and which is no registry.

        Any host can claim to be one by a header: where a guard rests on the answer, see :attr:`is_redirected`.
        """
        return self.is_redirected and not self.shows_a_registry()

    def error_details(self) -> tuple[ErrorDetail, ...]:
        """The registry's error codes, shortened and without control characters: they go to the user's screen.

        Secrets are hidden in what was decoded, not in the body: a text that is a secret of ours could be a part of it.
        """
        try:
            document = json.loads(self.body.decode("utf-8"))
            entries = document["errors"]
        except (ValueError, RecursionError, KeyError, TypeError):
            return ()
        if not isinstance(entries, list):
            return ()
        return tuple(
            ErrorDetail(
                self._code(entry.get("code")), self._clean(entry.get("message")), self._clean(entry.get("detail"))
            )
            for entry in entries[:50]
            if isinstance(entry, dict)
        )

    def _code(self, value: t.Any) -> str:
        """A code, by which more is decided than what is shown: one that registries have is never a secret."""
        text = _printable(value)
        return text if text.upper() in _CODES or text.upper() in _TEMPORARY_CODES else self._clean(value)

    def _clean(self, value: t.Any) -> str:
        # Hidden before it is cut: half a secret is one.
        text = value if isinstance(value, str) else "" if value is None else json.dumps(value)
        return _printable(self._secrets.hidden(text))

    def _text(self, who: str = "the registry") -> str:
        return _text_of(self.body, self._secrets.hidden, who)

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
        if self.is_foreign:
            who = f"{origin_of(self.url).host}, to which the registry redirects,"
            return RedirectFailed(
                f"{who} answers {said}" if said else self._text(who),
                hint="Check that host: it may be the storage of the registry, or the address to give as registry",
                temporary=self.is_temporary(),
                **facts,
            )
        if self.status in (400, 403, 495, 496):
            if _NO_CERTIFICATE.search(self.body):
                return TLSFailed("the registry requires a client certificate", hint=NAME_CERTIFICATE, **facts)
            if _BAD_CERTIFICATE.search(self.body):
                return TLSFailed("the registry does not accept the client certificate", hint=CHECK_CERTIFICATE, **facts)
        if self.is_throttled:
            return RateLimited(
                said or "too many requests",
                # Pulp answers so while a task of its own has not ended.
                hint="Check that its worker runs, if it is a Pulp; else run again later"
                if "UNSUPPORTED" in codes
                else "Set requests_per_second, or run again later",
                temporary=True,
                **facts,
            )
        if self.status == 401:
            return AuthenticationFailed(
                "the registry does not accept the credential",
                hint="Check username and password, or the auth_file",
                **facts,
            )
        if self.status == 403:
            return AccessDenied(
                said or "the account may not do this",
                hint=". ".join(filter(None, (self.flaw, "Check the account's rights and quota"))),
                **facts,
            )
        if self.status == 404:
            if codes & {"NAME_UNKNOWN"}:
                return RepositoryMissing(said, **facts)
            return NotFound(said or "it is not there", **facts)
        if self.status == 405:
            return Unsupported(said or "the registry does not allow this", **facts)
        if self.status == 407:
            return ConnectionFailed(
                "the proxy asks for a login, or does not accept the one that it got",
                hint="Put it into the URL of the proxy: http://user:password@host:port",
                **facts,
            )
        if self.status == 412:
            # No request of ours has a precondition.
            return UnexpectedAnswer(
                f"a policy of the registry forbids it: {said or self._text()}",
                hint="Policies stop images that are not scanned or signed, or have vulnerabilities, and tags that are "
                "immutable: meet the policy, or have whoever runs the registry change it",
                **facts,
            )
        if self.status == 400 and any(phrase in self.body for phrase in _EXPECTS_TLS):
            return TLSFailed("the registry expects TLS", hint="Set plain_http to false", **facts)
        if 300 <= self.status < 400:
            return ProtocolViolation(
                "the registry redirects a request that writes, or redirects too often",
                hint="Give the address that it redirects to as registry",
                **facts,
            )
        return UnexpectedAnswer(
            said or self._text(), hint=_hint_of(self.status, details), temporary=self.is_temporary(), **facts
        )

    def is_page(self) -> bool:
        """Whether it is a page for people. Where the body isn't read, its type says so, unless there is a digest."""
        if self.method != "HEAD" and not self._streamed:
            return _is_html(self.body)
        is_typed = bare_media_type(self.headers.get("Content-Type", "")) in _PAGE_TYPES
        return is_typed and "Docker-Content-Digest" not in self.headers

    def check_no_page(self) -> None:
        """Raise :class:`ProtocolViolation` where a success is a page for people, such as that of a login."""
        if self.is_page():
            raise ProtocolViolation(
                _text_of(self.body or b"<html>", self._secrets.hidden),
                hint="Check the address of the registry, and whether a login in the browser stands in front of it",
                method=self.method,
                url=without_query(self.url),
                status=self.status,
            )

    @property
    def is_throttled(self) -> bool:
        """Whether there were too many requests: 429, or 403 with a code that says so."""
        return self.status == 429 or (
            self.status == 403 and any(detail.code.upper() in _THROTTLED_CODES for detail in self.error_details())
        )

    def is_temporary(self) -> bool:
        """Whether the same request may succeed later. A 500 whose codes speak of the content won't (protocol: 0.16).

        Of every other status but 403 the codes don't count: Pulp throttles with 429 ``UNSUPPORTED``.
        """
        if self.is_throttled:
            return True
        if self.status != CODES_DECIDE:
            return self.status in TEMPORARY_STATUS
        return all(detail.code.upper() in _TEMPORARY_CODES for detail in self.error_details())


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


def read_limited(raw: t.Any, method: str, url: str, limit: int, timeout: float) -> bytes:
    """The body of an answer, ``limit`` bytes at most. Raises :class:`ProtocolViolation` for more, but for an error.

    ``timeout`` in seconds of silence; a body that takes several times as long is :class:`TooSlow`.
    """
    pieces: list[bytes] = []
    received = 0
    deadline = Deadline("the answer", timeout)
    try:
        # distribution 2.x gives a 416 the length of the whole blob, and no body.
        while received <= limit and raw.status != 416:
            deadline.check()
            piece = raw.read(min(_SHORT_PIECE, limit + 1 - received), decode_content=False)
            if not piece:
                break
            pieces.append(piece)
            received += len(piece)
    finally:
        _give_back(raw)
    if received > limit and raw.status < 400:
        raise ProtocolViolation(
            f"the answer is larger than {limit} bytes", method=method, url=without_query(url), status=raw.status
        )
    return b"".join(pieces)[:limit]


def _give_back(raw: t.Any) -> None:
    """Close an answer of ``urllib3``; its connection goes on where all of the answer was read."""
    raw.close()
    raw.release_conn()


def _told(header: str) -> t.Iterator[str]:
    """The texts of one ``Warning`` header, which may have several (RFC 7234, 5.5)."""
    position = 0
    while (found := _WARNING.match(header, position)) is not None:
        position = found.end()
        if (found["code"], found["agent"]) == ("299", "-"):
            # Headers are read as Latin-1, and written as UTF-8 by most.
            text = re.sub(r"\\(.)", r"\1", found["text"]).encode("latin-1", "replace")
            try:
                yield text.decode("utf-8")
            except UnicodeDecodeError:
                yield text.decode("latin-1")


def _printable(value: t.Any) -> str:
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value)
    return _CONTROL.sub(" ", text)[:500]


def _hint_of(status: int, details: t.Sequence[ErrorDetail]) -> str:
    if any(_NO_SPACE.search(detail.detail) for detail in details):
        return "The registry's storage is full"
    if status == 500 and details and all(detail.code.upper() == "UNKNOWN" for detail in details):
        return "Its own log says why; its storage may be full, or not writable"
    return "Its own log may say why" if status >= 500 else ""


def _text_of(body: bytes, hidden: t.Callable[[str], str], who: str = "the registry") -> str:
    """What an answer that isn't in the form of errors says. ``hidden`` takes secrets out, before anything is cut."""
    text = hidden(body.decode("utf-8", "replace"))
    if _is_html(body):
        text = text[:_LONGEST_PAGE]
        titles = _TITLE.findall(text) or [_INVISIBLE.sub(" ", text)]
        # Again: between the marks, and as entities, a secret may have been in pieces.
        title = hidden(html.unescape(_MARKUP.sub(" ", titles[0])))
        title = " ".join(_CONTROL.sub(" ", title).split())[:200]
        page = f"the page {title!r}" if title else "a page"
        return f"{page} in HTML was answered, probably by something in front of the registry"
    if _XML.match(body):
        text = hidden(html.unescape(_MARKUP.sub(" ", text)))
    text = _CONTROL.sub(" ", text[:200]).strip()
    return f"{who} answers {text!r}" if text else f"{who} gives no reason"


def _is_html(body: bytes) -> bool:
    """Whether a body is a page for people: what proxies in front of registries, and login pages, answer."""
    return _HTML.match(body) is not None
