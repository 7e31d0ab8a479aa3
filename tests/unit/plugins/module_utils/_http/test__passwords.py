# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import threading
import time

import pytest
from ansible_collections.imageops.registry.plugins.module_utils._credentials._credential import ANONYMOUS
from ansible_collections.imageops.registry.plugins.module_utils._http._given_up import GivenUp
from ansible_collections.imageops.registry.plugins.module_utils._http._passwords import Passwords
from ansible_collections.imageops.registry.plugins.module_utils._http._scopes import Scopes
from ansible_collections.imageops.registry.plugins.module_utils._model._errors import (
    AccessDenied,
    AuthenticationFailed,
)
from ansible_collections.imageops.registry.tests.unit.support.documents import LOGIN, PASSWORD, errors, transport
from ansible_collections.imageops.registry.tests.unit.support.exchanges import (
    ASKS_BASIC,
    BASIC,
    PULL,
    REPOSITORIES,
    Serve,
    failures_of_threads,
    run_threads,
)
from ansible_collections.imageops.registry.tests.unit.support.scripted_server import ScriptedServer


def test_a_wrong_password_is_an_error_that_is_not_repeated(server: ScriptedServer) -> None:
    server.expect("GET", "/1", 401, headers=ASKS_BASIC).expect(
        "GET", "/1", 401, errors("UNAUTHORIZED"), headers=ASKS_BASIC
    )
    server.expect("GET", "/v2/", 401, headers=ASKS_BASIC)
    client = transport(server.host, credential=LOGIN)
    for _number in range(3):
        with pytest.raises(AuthenticationFailed, match="does not accept the credential.*Check username") as caught:
            client.exchange("GET", "/1", PULL)
        assert PASSWORD not in str(caught.value)


@pytest.mark.parametrize("names", [("there", "none", "none"), ("none", "none", "there")])
def test_a_password_that_is_good_for_something_is_not_taken_for_wrong(
    server: ScriptedServer, names: tuple[str, ...]
) -> None:
    server.expect("GET", f"/{names[0]}", 401, headers=ASKS_BASIC)
    server.expect("GET", f"/{names[0]}", 200 if names[0] == "there" else 401, headers=ASKS_BASIC)
    if names[0] == "none":
        server.expect("GET", "/v2/")
    for name in names[1:]:
        server.expect("GET", f"/{name}", 200 if name == "there" else 401, headers=ASKS_BASIC)
    client = transport(server.host, credential=LOGIN)
    for name in names:
        if name == "there":
            assert client.exchange("GET", "/there", Scopes.repository(name, "pull")).status == 200
        else:
            with pytest.raises(AccessDenied, match="the account is not granted repository:none:pull"):
                client.exchange("GET", "/none", Scopes.repository(name, "pull"))
    assert [request.header("Authorization") for request in server.requests[1:]] == [BASIC] * (len(server.requests) - 1)


def test_a_passing_failure_does_not_make_a_password_good(server: ScriptedServer) -> None:
    server.expect("GET", "/1", 401, headers=ASKS_BASIC).expect("GET", "/1", 503)
    server.expect("GET", "/1", 401, headers=ASKS_BASIC).expect("GET", "/v2/", 401)
    with pytest.raises(AuthenticationFailed, match="does not accept the credential"):
        transport(server.host, credential=LOGIN).exchange("GET", "/1", PULL)


def test_a_password_that_is_asked_for_late_and_refused_is_tried_by_one_thread_only(serve: Serve) -> None:
    # The first answer needs no login: a public repository.
    server = serve(ordered=False)
    server.expect("GET", "/0")
    client = transport(server.host, credential=LOGIN)
    client.exchange("GET", "/0", PULL)
    server.expect("GET", "/1", 401, headers=ASKS_BASIC, gate=threading.Barrier(4), times=4)
    server.expect("GET", "/1", 401, headers=ASKS_BASIC).expect("GET", "/v2/", 401, headers=ASKS_BASIC)
    failures = failures_of_threads(client, *REPOSITORIES)
    assert [type(failure) for failure in failures] == [AuthenticationFailed] * 4
    assert {str(failure) for failure in failures} == {str(failures[0])}
    assert sum(request.header("Authorization") is not None for request in server.requests) == 2


def test_a_password_that_is_asked_for_late_and_taken_is_used_by_all_at_the_same_time(serve: Serve) -> None:
    server = serve(ordered=False)
    server.expect("GET", "/0")
    client = transport(server.host, credential=LOGIN)
    client.exchange("GET", "/0", PULL)
    server.expect("GET", "/1", 401, headers=ASKS_BASIC, gate=threading.Barrier(4), times=4)
    server.expect("GET", "/1", 200).expect("GET", "/1", 200, gate=threading.Barrier(3), times=3)
    results: list[int] = []
    run_threads(lambda: results.append(client.exchange("GET", "/1", PULL).status), 4)
    assert results == [200] * 4


# The object by itself ------------------------------------------------------------------------------------------------


def test_a_password_is_tried_by_one_thread_until_it_is_accepted() -> None:
    passwords = Passwords(GivenUp("r.example", "https://r.example", 4))
    lock, trying, most = threading.Lock(), [0], [0]
    gate = threading.Barrier(4)

    def work() -> None:
        gate.wait(10)
        with passwords.tried_by_one(LOGIN):
            if passwords.is_accepted(LOGIN):
                return
            with lock:
                trying[0] += 1
                most[0] = max(most[0], trying[0])
            time.sleep(0.01)
            with lock:
                trying[0] -= 1
            passwords.accept(LOGIN)

    run_threads(work, 4)
    assert most[0] == 1
    assert passwords.is_accepted(LOGIN)


def test_a_password_that_is_refused_is_not_tried_again() -> None:
    refusals = GivenUp("r.example", "https://r.example", 4)
    passwords = Passwords(refusals)
    with pytest.raises(AuthenticationFailed, match="^Cannot log in to r.example: wrong"), passwords.tried_by_one(LOGIN):
        raise AuthenticationFailed("wrong")
    assert refusals.has_refused(LOGIN) and not passwords.is_accepted(LOGIN)
    with pytest.raises(AuthenticationFailed, match="wrong"), passwords.tried_by_one(LOGIN):
        pytest.fail("it is tried again")


def test_a_failure_of_another_kind_does_not_refuse_a_password() -> None:
    refusals = GivenUp("r.example", "https://r.example", 4)
    with pytest.raises(AccessDenied), Passwords(refusals).tried_by_one(LOGIN):
        raise AccessDenied("not this one")
    assert not refusals.has_refused(LOGIN)


def test_who_is_anonymous_waits_for_nobody() -> None:
    passwords = Passwords(GivenUp("r.example", "https://r.example", 4))
    with passwords.tried_by_one(LOGIN), passwords.tried_by_one(ANONYMOUS):
        pass
