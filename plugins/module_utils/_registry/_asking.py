# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Requests to one registry: errors name the operation, and an answer that is no registry's is one of them."""

from __future__ import annotations

import threading
import typing as t

from .._http._response import Response
from .._http._scopes import Scopes
from .._http._transport import Transport
from .._http._url import without_query
from .._model._errors import ConnectionFailed, ProtocolViolation, TLSFailed, doing
from .._model._manifest import bare_media_type
from ._paths import API_PATH


class Asker:
    """Asks one registry. Whatever is asked of a host that is none isn't there, or is a page: so that is found out."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._shown_registry: bool | None = None
        self._identity_lock = threading.Lock()

    def ask(self, what: str, method: str, path: str, scopes: Scopes, **options: t.Any) -> Response:
        """The answer to one request; ``options`` as for :meth:`.Transport.exchange`, and what it raises.

        ``what`` is the operation, as errors name it. Raises :class:`ProtocolViolation` where no registry answers.
        """
        with doing(what):
            response = self._transport.exchange(method, path, scopes, **options)
            if path.startswith("/") and path != API_PATH:
                # Absolute URLs were named by the registry.
                self._check_identity(response)
        return response

    def ask_anonymously(self, what: str, path: str) -> Response:
        """The answer to GET without a login, whoever gives it."""
        with doing(what):
            return self._transport.exchange_anonymously("GET", path)

    def _check_identity(self, response: Response) -> None:
        """Raise :class:`ProtocolViolation` where no registry answers.

        Nothing is asked for that where an answer shows a registry. The first that doesn't leads to a look at ``/v2/``,
        for which all threads wait. Answers that are looked into anyway, or asked again, say nothing.
        """
        if self._shown_registry or _is_looked_into(response):
            return
        if response.shows_a_registry() or self._transport.was_challenged:
            self._shown_registry = True
            return
        with self._identity_lock:
            if self._shown_registry is None:
                self._shown_registry = self._has_api()
        if not self._shown_registry:
            raise ProtocolViolation(
                f"{self._transport.endpoint.registry} does not answer as a registry: to GET /v2/, a registry answers "
                "401, or 200 and no HTML page",
                hint="Check the address of the registry: host and port, without a path",
                method=response.method,
                url=without_query(response.url),
                status=response.status,
            )

    def _has_api(self) -> bool:
        response = self._transport.exchange_anonymously("GET", API_PATH)
        problem = response.error() if response.status not in (200, 401) else None
        if isinstance(problem, (ConnectionFailed, TLSFailed)):
            raise problem
        # Any other 200 counts: some registries answer this one as plain text, or with nothing.
        return is_of_api(response) or (response.status == 200 and not response.is_page())


def is_of_api(response: Response) -> bool:
    """Whether an answer to GET ``/v2/`` is a registry's: 401, or a 200 that is no page or text of something else."""
    return (response.status == 401 and not response.is_foreign) or (
        response.status == 200
        and (
            "Docker-Distribution-Api-Version" in response.headers
            or bare_media_type(response.headers.get("Content-Type", "")) == "application/json"
        )
    )


def _is_looked_into(response: Response) -> bool:
    """Whether an answer says nothing about who gives it: what it has is verified, or the request is sent again."""
    if response.is_temporary() or response.is_by_proxy:
        return True
    if response.method == "HEAD":
        # But for a blob's size, what HEAD doesn't say is asked by GET.
        return response.status != 200
    return 200 <= response.status < 300 and (response.method == "GET" or "Location" in response.headers)
