# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.imageops.registry.plugins.module_utils._credentials._credential import ANONYMOUS, Credential
from ansible_collections.imageops.registry.plugins.module_utils._model._errors import (
    ProtocolViolation,
)
from ansible_collections.imageops.registry.tests.unit.support.documents import LOGIN, PASSWORD
from ansible_collections.imageops.registry.tests.unit.support.exchanges import BASIC, PULL
from ansible_collections.imageops.registry.tests.unit.support.token_servers import (
    TokenServer,
    learned,
)


@pytest.mark.parametrize(
    "realm",
    [
        "null://r.example/v2/token",
        "r.example/token",
        "?x=1",
        "//ci@r.example/token",
        "/a b",
        "/token#x",
        "ftp://r.example/",
        "https:///token",
        "https://ci@r.example/token",
        "https://r.example\\\\@evil.example/",
        "https://r.example/a b",
        "https://r.example:x/",
        "https://[::1/",
        "https://r.example/#x",
    ],
)
def test_a_realm_that_is_no_safe_url_is_refused(realm: str) -> None:
    server = TokenServer()
    with pytest.raises(ProtocolViolation, match="is not a valid URL"):
        learned(server, f'Bearer realm="{realm}"')
    assert not server.requests


@pytest.mark.parametrize(
    ("realm", "url"),
    [
        ("/token", "https://r.example:5000/token"),
        ("/service/token?x=1", "https://r.example:5000/service/token?x=1"),
        ("token", "https://r.example:5000/token"),
        ("./token", "https://r.example:5000/token"),
        ("//r.example:5001/token", "https://r.example:5001/token"),
    ],
)
def test_a_relative_realm_is_below_the_registry(realm: str, url: str) -> None:
    server = TokenServer()
    client = learned(server, f'Bearer realm="{realm}"', base="https://r.example:5000")
    client.header(PULL)
    (asked,) = [request[0] for request in server.requests]
    assert asked.partition("scope=")[0][:-1] == url


@pytest.mark.parametrize(
    "realm",
    [
        "https://evil.example/token",
        "https://r.example.evil.example/",
        "https://evilr.example/",
        "//evil.example/token",
    ],
)
def test_the_password_is_not_sent_to_a_token_server_on_another_host(realm: str) -> None:
    server = TokenServer()
    with pytest.raises(ProtocolViolation, match="trusted_realm_hosts") as caught:
        learned(server, f'Bearer realm="{realm}"').header(PULL)
    assert PASSWORD not in str(caught.value)
    assert not server.requests


@pytest.mark.parametrize("realm", ["https://Auth.Example/token", "https://auth.example:8443/token"])
def test_a_trusted_realm_host_gets_the_password(realm: str) -> None:
    server = TokenServer()
    learned(server, f'Bearer realm="{realm}"', trusted_realm_hosts=("AUTH.example",)).header(PULL)
    assert server.requests[0][1]["Authorization"] == BASIC


@pytest.mark.parametrize(
    ("host", "realm"),
    [
        ("registry-1.docker.io", "https://auth.docker.io/token"),
        ("registry.gitlab.com", "https://gitlab.com/jwt/auth"),
        ("registry.redhat.io", "https://sso.redhat.com/x"),
    ],
)
def test_token_servers_of_public_registries_are_known(host: str, realm: str) -> None:
    assert learned(TokenServer(), f'Bearer realm="{realm}"', host=host).header(PULL) == "Bearer t1"


def test_the_known_token_server_of_one_registry_is_foreign_to_another() -> None:
    with pytest.raises(ProtocolViolation):
        learned(TokenServer(), 'Bearer realm="https://auth.docker.io/token"').header(PULL)


def test_the_registrys_own_host_on_another_port_is_allowed() -> None:
    assert learned(TokenServer(), 'Bearer realm="https://R.example:8443/token"').header(PULL) == "Bearer t1"


@pytest.mark.parametrize("credential", [LOGIN, ANONYMOUS])
def test_a_realm_without_tls_is_refused_behind_a_registry_with_tls(credential: Credential) -> None:
    server = TokenServer()
    with pytest.raises(ProtocolViolation, match="without TLS"):
        learned(server, 'Bearer realm="http://r.example/token"', credential=credential)
    assert not server.requests


def test_a_realm_without_tls_is_allowed_where_the_registry_has_none() -> None:
    assert learned(TokenServer(), 'Bearer realm="http://r.example/token"', secure=False).header(PULL) == "Bearer t1"


def test_an_anonymous_token_may_come_from_another_host_but_not_from_a_local_address() -> None:
    assert (
        learned(TokenServer(), 'Bearer realm="https://auth.example/"', credential=ANONYMOUS).header(PULL) == "Bearer t1"
    )
    for host in ("169.254.169.254", "127.0.0.1", "[::1]", "localhost", "2130706433"):
        with pytest.raises(ProtocolViolation, match="local address"):
            learned(TokenServer(), f'Bearer realm="https://{host}/"', credential=ANONYMOUS)
