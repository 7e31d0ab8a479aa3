# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import base64

import pytest
from ansible_collections.imageops.registry.plugins.module_utils._credentials._credential import ANONYMOUS, Credential
from ansible_collections.imageops.registry.plugins.module_utils._http._scopes import NOTHING
from ansible_collections.imageops.registry.plugins.module_utils._model._errors import (
    AuthenticationFailed,
)
from ansible_collections.imageops.registry.tests.unit.support.documents import LOGIN
from ansible_collections.imageops.registry.tests.unit.support.exchanges import BASIC, PULL, PUSH
from ansible_collections.imageops.registry.tests.unit.support.token_servers import (
    REALM,
    Client,
    TokenServer,
    learned,
)


def test_nothing_is_sent_before_a_challenge() -> None:
    server = TokenServer()
    assert Client(server).header(PULL) == ""
    assert Client(server).scheme == ""
    assert not server.requests


def test_a_basic_challenge_gets_the_password_of_utf_8() -> None:
    server = TokenServer()
    assert learned(server, 'Basic realm="x"').header(PULL) == BASIC
    german = learned(server, 'Basic realm="x"', credential=Credential("\u00fcser", "p\u00e4ss:w"))
    assert base64.b64decode(german.header(PULL)[6:]).decode() == "\u00fcser:p\u00e4ss:w"
    assert not server.requests


def test_bearer_is_preferred_to_basic() -> None:
    for header in (f'Basic realm="x", Bearer realm="{REALM}"', f'Bearer realm="{REALM}", Basic realm="x"'):
        assert learned(TokenServer(), header).scheme == "bearer"


def test_basic_is_used_where_it_is_offered_beside_unknown_schemes() -> None:
    assert learned(TokenServer(), 'Negotiate, Basic realm="x"').header(PULL) == BASIC


def test_a_known_token_server_is_kept_where_harbor_switches_to_basic() -> None:
    found = learned(TokenServer())
    assert found.learn('Basic realm="harbor"') == NOTHING
    assert found.scheme == "bearer"
    assert found.header(PULL) == "Bearer t1"


def test_a_challenge_returns_the_scopes_that_it_names() -> None:
    found = Client(TokenServer())
    assert found.learn(f'Bearer realm="{REALM}",scope="repository:a/b:pull,push"') == PUSH


def test_an_anonymous_user_is_told_that_basic_needs_a_login() -> None:
    with pytest.raises(AuthenticationFailed, match="Give username and password"):
        learned(TokenServer(), 'Basic realm="x"', credential=ANONYMOUS)


@pytest.mark.parametrize(
    "header", ["Negotiate", 'Digest realm="x"', "", "Bearer", 'Bearer service="x"', 'Bearer realm=""']
)
def test_no_way_to_log_in_is_an_error_that_names_the_schemes(header: str) -> None:
    with pytest.raises(AuthenticationFailed, match="no way to log in"):
        learned(TokenServer(), header)


def test_a_token_option_is_sent_as_it_is_and_never_exchanged() -> None:
    server = TokenServer()
    found = Client(server, Credential(token="tok"))
    assert found.header(PULL) == "Bearer tok"
    found.learn('Bearer realm="https://evil.example/"')
    found.learn('Basic realm="x"')
    assert found.header(PULL) == "Bearer tok"
    assert not server.requests


def test_one_challenge_serves_all_credentials_that_can_be_used() -> None:
    found = learned(TokenServer(), 'Basic realm="x"').authenticator
    assert found.header(LOGIN, PULL) == BASIC
    assert found.header(Credential(token="tok"), PULL) == "Bearer tok"
    assert found.header(ANONYMOUS, PULL) == ""
