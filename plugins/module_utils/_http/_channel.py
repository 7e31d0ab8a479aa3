# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Connections to one kind of host, set up once: TLS, client certificate, proxies, and nothing of the environment."""

from __future__ import annotations

import functools
import http.cookiejar
import typing as t
import urllib.parse

from .._end._body import Body
from ._connection_error import Handshake
from ._pace import paced_adapter
from ._proxy import Proxy
from ._requests import requests, urllib3
from ._tls_files import TLSFiles


class Message(t.NamedTuple):
    """One request, as it goes over the wire."""

    method: str
    url: str
    headers: t.Mapping[str, str]
    body: bytes | Body | None
    connect_timeout: float
    """Seconds."""
    read_timeout: float
    """Seconds of silence."""


class Channel:
    """The connections to the registry itself, ``own``, or those to everybody else. Shared by all threads."""

    def __init__(self, tls: TLSFiles, jobs: int, *, own: bool) -> None:
        # By its name: requests 2.32.0 to 2.32.4 have one context of TLS for all that verify with True, in which certs.d
        # is not trusted, and a client certificate offered to everybody.
        self._verify = requests.certs.where() if tls.verify is True else tls.verify
        # Only the registry is offered a client certificate. Where the user has named CAs, all its connections have one
        # context, into which threads must not load a key (https://github.com/python/cpython/issues/134698).
        self._session = _new_session(jobs, tls, with_certificate=own)
        self._certificate = tls.client_certificate if own and not tls.named_by else None
        self._pool: t.Any = None
        self.handshake = Handshake(tls.named_by, tls.certificate_path if own else "", is_registry=own)
        """What is to be said where a TLS handshake fails."""

    def close(self) -> None:
        """Close all connections."""
        self._session.close()

    def send(self, message: Message, proxy: Proxy | None) -> t.Any:
        """Send by ``requests``. Returns the answer of ``urllib3``, its body unread."""
        prepared = requests.Request(message.method, message.url, headers=message.headers, data=message.body).prepare()
        prepared.url = message.url
        answer = self._session.send(
            prepared,
            stream=True,
            allow_redirects=False,
            timeout=(message.connect_timeout, message.read_timeout),
            verify=self._verify,
            cert=self._certificate,
            proxies={"all": proxy.url} if proxy else {},
        )
        return answer.raw

    def send_directly(self, message: Message) -> t.Any:
        """Send to the one host of this channel, without a proxy: half of what ``requests`` does there is done once.

        Thousands of requests go this way. Returns the answer of ``urllib3``, its body unread.
        """
        if self._pool is None:
            self._pool = _connection_pool(self._session, message.url, self._verify, self._certificate)
        parts = urllib.parse.urlsplit(message.url)
        headers = dict(message.headers)
        if isinstance(message.body, Body):
            headers["Content-Length"] = str(len(message.body))
        return self._pool.request(
            message.method,
            (parts.path or "/") + (f"?{parts.query}" if parts.query else ""),
            body=message.body,
            headers=headers,
            redirect=False,
            retries=False,
            assert_same_host=False,
            preload_content=False,
            decode_content=False,
            timeout=urllib3.util.Timeout(connect=message.connect_timeout, read=message.read_timeout),
        )


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
