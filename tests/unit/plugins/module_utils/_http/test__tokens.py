# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import threading
import time
import typing as t
import urllib.parse

import pytest
from ansible_collections.imageops.registry.plugins.module_utils._credentials._credential import ANONYMOUS, Credential
from ansible_collections.imageops.registry.plugins.module_utils._http._auth import Authenticator
from ansible_collections.imageops.registry.plugins.module_utils._http._challenges import parse_challenges
from ansible_collections.imageops.registry.plugins.module_utils._http._scopes import NOTHING, Scopes
from ansible_collections.imageops.registry.plugins.module_utils._http._token_server import Answer
from ansible_collections.imageops.registry.plugins.module_utils._model._errors import (
    AuthenticationFailed,
)
from ansible_collections.imageops.registry.tests.unit.support.documents import LOGIN, PASSWORD
from ansible_collections.imageops.registry.tests.unit.support.exchanges import PULL, PUSH
from ansible_collections.imageops.registry.tests.unit.support.token_servers import (
    IDENTITY,
    REALM,
    TokenServer,
    learned,
)


def test_a_token_is_cached_per_set_of_scopes_and_serves_narrower_ones() -> None:
    server = TokenServer()
    found = learned(server)
    for scopes in (PUSH, PULL, PUSH, NOTHING):
        found.header(scopes)
    assert len(server.requests) == 1
    found.header(Scopes.repository("other", "pull"))
    assert len(server.requests) == 2


@pytest.mark.parametrize(
    ("lifetime", "usable"), [(300, 285), (None, 45), (0, 45), (-5, 45), ("300", 45), (True, 45), (60, 45)]
)
def test_a_token_is_renewed_before_its_end(lifetime: object, usable: float) -> None:
    server = TokenServer({"token": "t1", "expires_in": lifetime}, {"token": "t2", "expires_in": 300})
    found = learned(server)
    assert found.header(PULL) == "Bearer t1"
    server.now += usable - 0.1
    assert found.header(PULL) == "Bearer t1"
    server.now += 0.2
    assert found.header(PULL) == "Bearer t2"


def test_only_the_refused_token_is_forgotten() -> None:
    server = TokenServer({"token": "t1", "expires_in": 300}, {"token": "t2", "expires_in": 300})
    found = learned(server)
    refused = found.header(PULL)
    found.forget(refused)
    assert found.header(PULL) == "Bearer t2"
    # Another thread comes late with the 401 for the old token.
    found.forget(refused)
    found.forget("")
    assert found.header(PULL) == "Bearer t2"
    assert len(server.requests) == 2


def test_sixteen_threads_ask_for_one_token_once() -> None:
    server = TokenServer()
    found = learned(server)
    barrier = threading.Barrier(16)
    headers: list[str] = []

    def work() -> None:
        barrier.wait(10)
        headers.append(found.header(PUSH))

    threads = [threading.Thread(target=work) for _number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert headers == ["Bearer t1"] * 16
    assert len(server.requests) == 1


def test_threads_use_every_identity_token_once() -> None:
    valid = ["identity-token"]
    failures: list[AuthenticationFailed] = []
    barrier = threading.Barrier(8)
    taking = threading.Lock()

    def rotate(url: str, headers: t.Mapping[str, str], body: bytes | None) -> Answer:
        sent = dict(urllib.parse.parse_qsl((body or b"").decode()))["refresh_token"]
        # The others have the time to send the same one.
        time.sleep(0.02)
        with taking:
            if sent != valid[-1]:
                return Answer(401, b"{}")
            valid.append(f"identity-{len(valid)}")
            return Answer(200, json.dumps({"access_token": "t", "refresh_token": valid[-1]}).encode())

    authenticator = Authenticator("r.example", True, rotate)
    authenticator.learn(parse_challenges([f'Bearer realm="{REALM}"']), IDENTITY)

    def work(number: int) -> None:
        barrier.wait(10)
        try:
            authenticator.header(IDENTITY, Scopes.repository(str(number), "pull"))
        except AuthenticationFailed as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert (failures, len(valid)) == ([], 9)


def test_each_credential_has_its_own_tokens() -> None:
    server = TokenServer(*({"token": f"t{number}", "expires_in": 300} for number in range(1, 5)))
    found = learned(server).authenticator
    other = Credential("other", PASSWORD)
    for _time in range(2):
        assert found.header(LOGIN, PUSH) == "Bearer t1"
        assert found.header(other, PULL) == "Bearer t2"
        assert found.header(ANONYMOUS, PULL) == "Bearer t3"
    assert len(server.requests) == 3
