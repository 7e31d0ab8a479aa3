# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What tests of exchanges over the wire need: challenges, token servers, threads."""

from __future__ import annotations

import base64
import threading
import typing as t
import urllib.parse

import pytest
from ansible_collections.imageops.registry.plugins.module_utils._http._response import Response
from ansible_collections.imageops.registry.plugins.module_utils._http._scopes import NOTHING, Scopes
from ansible_collections.imageops.registry.plugins.module_utils._http._transport import Transport
from ansible_collections.imageops.registry.plugins.module_utils._model._errors import (
    RegistryError,
)
from ansible_collections.imageops.registry.tests.unit.support.documents import PASSWORD, transport
from ansible_collections.imageops.registry.tests.unit.support.scripted_server import ScriptedServer

Serve = t.Callable[..., ScriptedServer]
BASIC = "Basic " + base64.b64encode(f"ci:{PASSWORD}".encode()).decode()
PULL = Scopes.repository("a/b", "pull")
PUSH = Scopes.repository("a/b", "pull", "push")
ASKS_BASIC = {"WWW-Authenticate": 'Basic realm="x"'}
REPOSITORIES = [Scopes.repository(f"a/{number}", "pull") for number in range(4)]


def token_target(*scopes: str, service: str = "svc", account: str = "ci", path: str = "/token") -> str:
    """The target of a request for a token with these scopes."""
    query = (
        [("service", service)] + [("scope", scope) for scope in scopes] + ([("account", account)] if account else [])
    )
    return f"{path}?" + urllib.parse.urlencode(query)


def asks_bearer(server: ScriptedServer, scope: str = "", *, path: str = "/token") -> dict[str, str]:
    """The headers of a 401 that names the server itself as token server."""
    more = f',scope="{scope}"' if scope else ""
    return {"WWW-Authenticate": f'Bearer realm="{server.url}{path}",service="svc"{more}'}


def over_tls(server: ScriptedServer, **options: t.Any) -> Response:
    """The answer of a server with TLS to one request."""
    options.setdefault("plain_http", False)
    return transport(server.host, **options).exchange("GET", "/v2/", NOTHING)


def failures_of_threads(client: Transport, *scopes: Scopes) -> list[RegistryError]:
    """What as many threads raise that ask for ``/1`` at the same time, each with its scopes."""
    barrier = threading.Barrier(len(scopes))
    failures: list[RegistryError] = []
    waiting = list(scopes)

    def work() -> None:
        wanted = waiting.pop()
        barrier.wait(10)
        with pytest.raises(RegistryError) as caught:
            client.exchange("GET", "/1", wanted)
        failures.append(caught.value)

    run_threads(work, len(scopes))
    return failures


def run_threads(work: t.Callable[[], t.Any], number: int = 16) -> None:
    """Do something in as many threads, and wait for them."""
    threads = [threading.Thread(target=work) for _number in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
