# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""One request, one answer: which connections it takes, at what pace, and what a failure is called."""

from __future__ import annotations

import re
import typing as t

from .._credentials._secrets import Secrets
from .._end._body import Body
from .._model._errors import ConnectionFailed, TLSFailed
from ._channel import Channel, Message
from ._connection_error import connection_error
from ._endpoint import Address, Endpoint
from ._limits import Turns
from ._notices import Notices
from ._proxy import Proxies
from ._request import Request
from ._requests import requests, urllib3
from ._response import Response, read_limited
from ._tls_files import tls_files
from ._url import lost_port, misled, origin_of

USER_AGENT = "imageops.registry"
_CONNECT_TIMEOUT = 30.0
_LONE_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")


class Connections:
    """All connections that one registry takes: to itself, to its token server, and to where it redirects."""

    def __init__(
        self,
        endpoint: Endpoint,
        address: Address,
        proxies: Proxies,
        turns: Turns,
        notices: Notices,
        secrets: Secrets,
    ) -> None:
        self._endpoint = endpoint
        self._address = address
        self._proxies = proxies
        self._turns = turns
        self._notices = notices
        self._secrets = secrets
        tls = tls_files(endpoint)
        self._own = Channel(tls, endpoint.jobs, own=True)
        self._foreign = Channel(tls, endpoint.jobs, own=False)

    def close(self) -> None:
        """Close them all."""
        self._own.close()
        self._foreign.close()

    def send(self, request: Request) -> Response:
        """Send a request once, as it is, and read the answer.

        Raises :class:`ConnectionFailed`, :class:`TLSFailed` and :class:`ProtocolViolation`.
        """
        message = self._message(request)
        # Whole exchanges are bounded; a body that is streamed is the caller's, who bounds those.
        with self._turns.taken(at_once=request.last_look is not None):
            try:
                return self._answer_to(request, message)
            except (ConnectionFailed, TLSFailed) as error:
                there = origin_of(request.url)
                if lost_port(self._address.origin, there):
                    error.hint = misled(self._address.origin, there, "client")
                raise

    def check_tls(self) -> None:
        """Raise the :class:`TLSFailed` that the registry answers: whether TLS is expected, or a client certificate."""
        error = self.send(Request("GET", f"{self._address.base}/v2/")).error()
        if isinstance(error, TLSFailed):
            raise error

    def _answer_to(self, request: Request, message: Message) -> Response:
        own = self._address.is_own(request.url)
        channel = self._own if own else self._foreign
        try:
            proxy = self._proxies.find(request.url)
            raw = channel.send_directly(message) if own and proxy is None else channel.send(message, proxy)
            # Before version 2, urllib3 takes a body that broke off for a whole one.
            raw.enforce_content_length = True
            streamed = request.stream and raw.status in (200, 206)
            content = b""
            if not streamed:
                content = read_limited(raw, request.method, request.url, request.limit, message.read_timeout)
            authorisation = message.headers.get("Authorization", "")
            response = Response(
                request.method,
                request.url,
                raw,
                content,
                authorisation,
                secrets=self._secrets,
                redirected=not own,
                streamed=streamed,
            )
            if own and "Warning" in response.headers:
                self._notices.add(self._endpoint.registry, response.warnings())
            return response
        except (requests.exceptions.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            # They quote URLs with their queries, and headers.
            raise connection_error(error, request.method, request.url, channel.handshake) from None

    def _message(self, request: Request) -> Message:
        headers = {"User-Agent": USER_AGENT, "Accept": "*/*", "Accept-Encoding": "identity"}
        headers.update(request.headers)
        # An empty iterable would be sent chunked, which registries refuse.
        empty = isinstance(request.body, Body) and len(request.body) == 0
        body = b"".join(t.cast(Body, request.body)) if empty else request.body
        # The server compares signatures and states in a query to the byte. One '%' that escapes nothing would make
        # urllib3 escape all the others as well.
        url = _LONE_PERCENT.sub("%25", request.url)
        silence = self._endpoint.timeout
        return Message(request.method, url, headers, body, min(_CONNECT_TIMEOUT, silence), request.timeout or silence)
