# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Where a registry sends its clients, and which bytes it speaks of: ``Location`` and ``Range`` of uploads and blobs."""

from __future__ import annotations

import re
import urllib.parse

from .._end._upload_session import UploadSession
from .._http._response import Response
from .._http._transport import Transport
from .._http._url import Origin, origin_of, resolve
from .._model._errors import ProtocolViolation, doing
from .._model._manifest import bare_media_type

_RANGE = re.compile(r"(?:bytes=)?0-(\d{1,18})", re.ASCII)
_WHOLE_RANGE = re.compile(r"bytes \*/(\d{1,18})", re.ASCII)
"""What a refusal of a range may say: the size of the whole."""


class Locations:
    """The URLs that one registry names: which of them may be followed, and what upload sessions they are."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    @property
    def own(self) -> Origin:
        """Where the registry itself is."""
        return self._transport.origin

    def followed(self, response: Response, target: str) -> str:
        """The URL that an answer names, as it is to be asked for. Raises :class:`ProtocolViolation`."""
        return self._upgraded(resolve(response.url, target))

    def session(self, response: Response, repository: str, what: str, sent: int = 0) -> UploadSession:
        """The upload session that an answer is about, of which ``sent`` bytes were sent.

        Raises :class:`ProtocolViolation` where it names no place for uploads, or one that isn't safe to use.
        """
        location = response.headers.get("Location", "")
        if not location:
            raise ProtocolViolation("the registry's answer has no Location").within(what)
        with doing(what):
            url = self.followed(response, location)
            if self._transport.leads_astray(url):
                raise ProtocolViolation(
                    f"the registry names a place for uploads at a local address, {origin_of(url).host}"
                )
        received = sent
        match = _RANGE.fullmatch(response.headers.get("Range", ""))
        if match is not None and (sent or int(match.group(1))):
            # "0-0" also stands for an empty session, so it says nothing before the first byte was sent.
            received = int(match.group(1)) + 1
        minimum = number(response.headers.get("OCI-Chunk-Min-Length", ""))
        return UploadSession(repository, url, received, minimum or 0)

    def _upgraded(self, url: str) -> str:
        """Undo what a TLS-terminating proxy does to a Location: http, although the registry is spoken to over TLS."""
        there, own = origin_of(url), self.own
        if own.scheme == "https" and there.scheme == "http":
            if there.host != own.host:
                raise ProtocolViolation(f"the registry names a place for uploads without TLS, on {there.host}")
            parts = urllib.parse.urlsplit(url)
            return self._transport.base + urllib.parse.urlunsplit(("", "", parts.path, parts.query, ""))
        return url


def number(text: str) -> int | None:
    """A header's number; None for anything else, such as digits outside of ASCII or thousands of them."""
    return int(text) if re.fullmatch(r"[0-9]{1,18}", text) else None


def content_range(session: UploadSession, size: int) -> str:
    """The ``Content-Range`` of the next ``size`` bytes of an upload, as the distribution specification writes it."""
    return f"{session.received}-{session.received + size - 1}"


def begins_at(response: Response, offset: int) -> bool:
    """Whether an answer has one range of a blob, and says that it is the one from ``offset`` on."""
    if response.status != 206 or bare_media_type(response.headers.get("Content-Type", "")) == "multipart/byteranges":
        return False
    start = re.match(r"bytes (\d{1,18})-", response.headers.get("Content-Range", ""), re.ASCII)
    return start is not None and int(start.group(1)) == offset


def size_of(response: Response) -> int:
    """The size in bytes of the blob that HEAD or GET answers with; -1 where it isn't told."""
    text = response.headers.get("Content-Length", "")
    if response.status == 206:
        text = response.headers.get("Content-Range", "").rpartition("/")[2]
    size = number(text)
    return -1 if size is None else size


def size_in_refusal(response: Response) -> int | None:
    """The size in bytes of a blob, as the refusal of a range of it says it; None where it doesn't."""
    said = _WHOLE_RANGE.fullmatch(response.headers.get("Content-Range", ""))
    return None if said is None else int(said.group(1))
