# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Redirects: how far they are followed, what goes along, and where a registry may not lead."""

from __future__ import annotations

import typing as t

from .._model._errors import ProtocolViolation
from ._endpoint import Address
from ._proxy import Proxies
from ._request import Request
from ._response import Response
from ._url import Origin, is_local_address, is_local_host, is_local_only, origin_of, resolve

_MOST = 5
_STATUS = (301, 302, 303, 307, 308)


class Redirects:
    """Follows the redirects of one registry. ``send`` sends one request, and returns its answer."""

    def __init__(self, send: t.Callable[[Request], Response], address: Address, proxies: Proxies) -> None:
        self._send = send
        self._address = address
        self._proxies = proxies
        self._astray: dict[Origin, bool] = {}

    def follow(self, request: Request) -> Response:
        """Send a request, and again where it is redirected to. Returns the last answer.

        A request that writes is only redirected at the registry itself. Raises :class:`ProtocolViolation` for a
        redirect that isn't safe, and what ``send`` raises.
        """
        for _hop in range(_MOST + 1):
            response = self._send(request)
            location = response.headers.get("Location")
            if response.status not in _STATUS or not location:
                return response
            target = resolve(response.url, location)
            if request.method not in ("GET", "HEAD") and not self._may_write_to(target, response.status, request):
                return response
            self._check(request.url, target)
            headers = request.headers
            if origin_of(target) != origin_of(request.url):
                headers = {name: value for name, value in headers.items() if name != "Authorization"}
            response.close()
            request = request._replace(url=target, headers=headers)
        return response

    def leads_astray(self, url: str) -> bool:
        """Whether a URL that an answer names leads to where local services listen, and the registry isn't there itself.

        A name is looked up. That its address changes right afterwards can't be seen; nor can what a proxy would find.
        """
        there, own = origin_of(url), self._address.origin.host
        if there.host == own or is_local_address(own):
            return False
        if there not in self._astray:
            by_name = self._proxies.find(url) is None and is_local_host(there.host) and not is_local_only(own)
            self._astray[there] = is_local_address(there.host) or by_name
        return self._astray[there]

    def _may_write_to(self, target: str, status: int, request: Request) -> bool:
        # 301 to 303 would turn a request that writes into a GET and lose its body: nothing would be written.
        return status in (307, 308) and not request.is_streamed and origin_of(target) == self._address.origin

    def _check(self, url: str, target: str) -> None:
        here, there = origin_of(url), origin_of(target)
        if here.scheme == "https" and there.scheme != "https":
            raise ProtocolViolation(f"the registry redirects from TLS to plain HTTP, on {there.host}")
        if self.leads_astray(target):
            raise ProtocolViolation(f"the registry redirects to a local address, {there.host}")
