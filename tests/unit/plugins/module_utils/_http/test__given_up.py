# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.imageops.registry.plugins.module_utils._credentials._credential import ANONYMOUS, Credential
from ansible_collections.imageops.registry.plugins.module_utils._http._given_up import GivenUp
from ansible_collections.imageops.registry.plugins.module_utils._http._scopes import NOTHING
from ansible_collections.imageops.registry.plugins.module_utils._model._errors import (
    AuthenticationFailed,
    ConnectionFailed,
    RegistryError,
    UnexpectedAnswer,
)
from ansible_collections.imageops.registry.tests.unit.support.documents import LOGIN, PASSWORD, transport
from ansible_collections.imageops.registry.tests.unit.support.exchanges import (
    PULL,
    asks_bearer,
    token_target,
)
from ansible_collections.imageops.registry.tests.unit.support.scripted_server import ScriptedServer


def test_a_host_that_never_answered_is_not_tried_for_the_next_image(server: ScriptedServer) -> None:
    server.expect("GET", "/v2/x", 0)
    client = transport(server.host, retries=0)
    for _number in range(3):
        with pytest.raises(ConnectionFailed):
            client.exchange("GET", "/v2/x", NOTHING)


def test_a_host_that_has_answered_is_tried_again_for_the_next_image(server: ScriptedServer) -> None:
    server.expect("GET", "/1").expect("GET", "/2", 0).expect("GET", "/3")
    client = transport(server.host, retries=0)
    client.exchange("GET", "/1", NOTHING)
    with pytest.raises(ConnectionFailed):
        client.exchange("GET", "/2", NOTHING)
    assert client.exchange("GET", "/3", NOTHING).status == 200


def test_what_a_registry_denies_to_all_is_said_without_the_image_that_met_it_first(server: ScriptedServer) -> None:
    server.expect("GET", "/v2/a/manifests/1", 0)
    client = transport(server.host, retries=0)
    said = []
    for image in ("a", "b"):
        with pytest.raises(ConnectionFailed) as caught:
            client.exchange("GET", f"/v2/{image}/manifests/1", NOTHING)
        said.append(str(caught.value.within(f"look for {image}")))
    assert said[0].startswith(f"Cannot reach {server.host}: the connection to {server.host} broke off")
    assert said == [said[0]] * 2 and "manifests" not in said[0]
    assert caught.value.url == server.url


def test_a_registry_that_was_given_up_is_said_without_the_image_at_which_it_was(server: ScriptedServer) -> None:
    server.expect("GET", "/v2/a/tags/list").expect("GET", "/v2/a/manifests/1", 503, times=8)
    client = transport(server.host, retries=0)
    client.exchange("GET", "/v2/a/tags/list", NOTHING)
    for _number in range(8):
        assert client.exchange("GET", "/v2/a/manifests/1", NOTHING).status == 503
    said = rf"^Cannot continue with {server.host}: .*\(answer 503\)\. Its own log may say why\.$"
    with pytest.raises(UnexpectedAnswer, match=said):
        client.exchange("GET", "/v2/b/manifests/1", NOTHING)


@pytest.mark.parametrize("path", ["/token", "/v2/token"])
def test_a_token_server_that_refuses_the_password_is_asked_once(server: ScriptedServer, path: str) -> None:
    server.expect("GET", "/1", 401, headers=asks_bearer(server, path=path))
    server.expect("GET", token_target("repository:a/b:pull", path=path), 401, PASSWORD)
    client = transport(server.host, credential=LOGIN)
    for _number in range(2):
        with pytest.raises(
            AuthenticationFailed, match="token server does not accept the user name and password"
        ) as caught:
            client.exchange("GET", "/1", PULL)
        assert PASSWORD not in f"{caught.value} {caught.value.facts()}"
        assert (caught.value.method, caught.value.url) == ("GET", server.url + path)


def test_a_registry_that_stays_silent_is_given_up(server: ScriptedServer) -> None:
    client = transport(server.host, retries=0, jobs=1)
    server.expect("GET", "/v2/x", 200, b"{}")
    client.exchange("GET", "/v2/x", NOTHING)
    server.expect("GET", "/v2/x", 503, b"", times=8)
    for _attempt in range(8):
        assert client.exchange("GET", "/v2/x", NOTHING).status == 503
    with pytest.raises(UnexpectedAnswer, match="answer 503"):
        client.exchange("GET", "/v2/x", NOTHING)


@pytest.mark.parametrize("status", [500, 0])
def test_a_registry_is_not_given_up_for_what_is_tried_once(server: ScriptedServer, status: int) -> None:
    client = transport(server.host, retries=0, jobs=1)
    server.expect("GET", "/v2/x", 200, b"{}")
    client.exchange("GET", "/v2/x", NOTHING)
    server.expect("POST", "/v2/mount", status, times=9)
    for _mount in range(9):
        if status:
            assert client.exchange("POST", "/v2/mount", NOTHING, body=b"", repeat=False).status == status
        else:
            with pytest.raises(ConnectionFailed):
                client.exchange("POST", "/v2/mount", NOTHING, body=b"", repeat=False)
    server.expect("GET", "/v2/x", 200, b"{}")
    assert client.exchange("GET", "/v2/x", NOTHING).status == 200


def test_a_registry_that_answers_in_between_is_not_given_up(server: ScriptedServer) -> None:
    client = transport(server.host, retries=0, jobs=1)
    for _round in range(3):
        server.expect("GET", "/v2/x", 503, b"", times=7)
        server.expect("GET", "/v2/x", 200, b"{}")
        assert [client.exchange("GET", "/v2/x", NOTHING).status for _attempt in range(8)] == [503] * 7 + [200]


@pytest.mark.parametrize("status", [429, 503])
def test_a_token_server_that_is_down_is_given_up(server: ScriptedServer, status: int) -> None:
    server.expect("GET", "/1", 401, headers=asks_bearer(server))
    server.expect("GET", token_target("repository:a/b:pull"), status, times=8)
    client = transport(server.host, credential=LOGIN, retries=0, jobs=1)
    for number in range(12):
        with pytest.raises(RegistryError) as caught:
            client.exchange("GET", "/1", PULL)
        assert (caught.value.operation == "") == (number < 8)
    if status == 503:
        assert (caught.value.operation, caught.value.url) == (f"log in to {server.host}", f"{server.url}/token")


# The object by itself ------------------------------------------------------------------------------------------------


def given_up(jobs: int = 1) -> GivenUp:
    return GivenUp("r.example", "https://r.example", jobs)


def looked_up() -> Credential:
    raise AssertionError("no credential needs to be looked up")


def test_as_long_as_nothing_is_given_up_no_credential_is_looked_up() -> None:
    state = given_up()
    assert state.is_open and not state.has_answered
    state.check(looked_up)
    state.answered()
    assert state.has_answered and not state.is_open
    state.check(looked_up)


@pytest.mark.parametrize(("jobs", "most"), [(1, 8), (4, 8), (16, 32)])
def test_as_many_losses_in_a_row_as_threads_can_have_give_a_registry_up(jobs: int, most: int) -> None:
    state = given_up(jobs)
    for _round in range(2):
        state.answered()
        for _number in range(most - 1):
            state.lose(UnexpectedAnswer("busy", status=503))
    state.check(looked_up)
    state.lose(UnexpectedAnswer("busy", status=503))
    with pytest.raises(UnexpectedAnswer, match="^Cannot continue with r.example: busy"):
        state.check(looked_up)


def test_a_registry_that_was_given_up_is_said_in_an_error_of_its_own_each_time() -> None:
    state = given_up()
    first = state.end(ConnectionFailed("nobody listens", url="https://r.example/v2/a/manifests/1"))
    assert not state.is_open
    with pytest.raises(ConnectionFailed, match="^Cannot reach r.example: nobody listens") as caught:
        state.check(looked_up)
    assert caught.value is not first
    assert caught.value.url == "https://r.example"


def test_a_refused_credential_stops_its_own_requests_only() -> None:
    state = given_up()
    state.refuse(LOGIN, AuthenticationFailed("wrong", url="https://r.example/v2/a/manifests/1"))
    assert state.has_refused(LOGIN) and not state.has_refused(ANONYMOUS)
    state.check(lambda: ANONYMOUS)
    with pytest.raises(AuthenticationFailed, match="^Cannot log in to r.example: wrong"):
        state.check(lambda: LOGIN)
