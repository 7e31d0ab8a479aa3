# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import contextlib
import threading
import time
import typing as t

import pytest
from ansible_collections.imageops.registry.plugins.module_utils._http._first_contact import FirstContact, State
from ansible_collections.imageops.registry.plugins.module_utils._model._errors import (
    AccessDenied,
    AuthenticationFailed,
    ConnectionFailed,
    NotGranted,
    RegistryError,
    TokenRefused,
)
from ansible_collections.imageops.registry.tests.unit.support.documents import LOGIN, Naps, transport
from ansible_collections.imageops.registry.tests.unit.support.exchanges import (
    ASKS_BASIC,
    PULL,
    REPOSITORIES,
    Serve,
    asks_bearer,
    failures_of_threads,
    run_threads,
    token_target,
)


def test_threads_whose_images_are_not_granted_do_not_wait_for_each_other(serve: Serve) -> None:
    # The gate opens when all three others are at the token server at the same time.
    server = serve(ordered=False)
    gate = threading.Barrier(3)
    server.expect("GET", "/1", 401, headers=asks_bearer(server))
    server.expect("GET", token_target(str(REPOSITORIES[0])), 403)
    client = transport(server.host, credential=LOGIN)
    failures = failures_of_threads(client, REPOSITORIES[0])
    for scopes in REPOSITORIES[1:]:
        server.expect("GET", token_target(str(scopes)), 403, gate=gate)
    failures += failures_of_threads(client, *REPOSITORIES[1:])
    assert [type(failure) for failure in failures] == [NotGranted] * 4


@pytest.mark.parametrize("named", ["", "repository:a/b:pull", "repository:a/b:pull,push"])
def test_sixteen_threads_make_one_request_without_login_and_one_for_a_token(serve: Serve, named: str) -> None:
    server = serve(ordered=False)
    server.expect("GET", "/1", 401, headers=asks_bearer(server, named))
    wanted = "repository:a/b:pull,push" if "push" in named else "repository:a/b:pull"
    server.expect("GET", token_target(wanted), 200, {"token": "t1", "expires_in": 300})
    server.expect("GET", "/1", 200, times=16)
    client = transport(server.host, credential=LOGIN, jobs=16)
    barrier = threading.Barrier(16)
    results: list[int] = []

    def work() -> None:
        barrier.wait(10)
        results.append(client.exchange("GET", "/1", PULL).status)

    run_threads(work)
    assert results == [200] * 16
    assert sum(request.header("Authorization") is None for request in server.requests) == 1


def test_the_first_answers_are_not_waited_for_one_by_one(serve: Serve) -> None:
    # The gate opens when the three others are at the server at the same time.
    server = serve(ordered=False)
    server.expect("GET", "/1", 401, headers=ASKS_BASIC).expect("GET", "/1")
    server.expect("GET", "/1", 200, gate=threading.Barrier(3), times=3)
    client = transport(server.host, credential=LOGIN)
    results: list[int] = []
    run_threads(lambda: results.append(client.exchange("GET", "/1", PULL).status), 4)
    assert results == [200] * 4


def test_a_host_that_never_answers_is_waited_for_by_one_thread_only(serve: Serve) -> None:
    server = serve(ordered=False)
    server.expect("GET", "/1", hang=True, times=3)
    naps = Naps()
    failures = failures_of_threads(transport(server.host, naps, timeout=0.1, retries=2), *REPOSITORIES)
    assert [type(failure) for failure in failures] == [ConnectionFailed] * 4
    assert {str(failure) for failure in failures} == {str(failures[0])}
    assert len({id(failure) for failure in failures}) == 4
    assert len(naps.seconds) == 2


@pytest.mark.parametrize("status", [200, 503])
def test_the_other_threads_go_on_after_the_first_answer(serve: Serve, status: int) -> None:
    # The gate opens when all three others are at the server. What asks for a pause is no answer yet.
    server = serve(ordered=False)
    server.expect("GET", "/1", status)
    if status == 503:
        server.expect("GET", "/1")
    server.expect("GET", "/1", gate=threading.Barrier(3), times=3)
    client = transport(server.host)
    results: list[int] = []
    run_threads(lambda: results.append(client.exchange("GET", "/1", PULL).status), 4)
    assert results == [200] * 4


def test_where_the_first_thread_has_tried_in_vain_the_others_try_at_the_same_time(serve: Serve) -> None:
    server = serve(ordered=False)
    server.expect("GET", "/1", 503, times=2)
    server.expect("GET", "/1", 503, gate=threading.Barrier(3), times=3)
    server.expect("GET", "/1", 503, times=3)
    client = transport(server.host, retries=1)
    results: list[int] = []
    run_threads(lambda: results.append(client.exchange("GET", "/1", PULL).status), 4)
    assert results == [503] * 4


def test_where_the_first_thread_may_not_the_others_ask_at_the_same_time(serve: Serve) -> None:
    # Some registries answer 401 for a repository, to an account that they accept.
    server = serve(ordered=False)
    server.expect("GET", "/1", 401, times=2, headers=ASKS_BASIC).expect("GET", "/v2/")
    server.expect("GET", "/1", 200, gate=threading.Barrier(3), times=3)
    client = transport(server.host, credential=LOGIN)
    results: list[int] = []

    def work() -> None:
        try:
            results.append(client.exchange("GET", "/1", PULL).status)
        except AccessDenied:
            results.append(401)

    run_threads(work, 4)
    assert sorted(results) == [200, 200, 200, 401]


def test_a_password_that_the_token_server_refuses_is_tried_once_whatever_the_scopes(serve: Serve) -> None:
    server = serve(ordered=False)
    gate = threading.Barrier(2)
    server.expect("GET", "/1", 401, headers=asks_bearer(server), gate=gate)
    server.expect("GET", token_target(str(REPOSITORIES[0])), 401)
    client = transport(server.host, credential=LOGIN)
    failures: list[RegistryError] = []
    first = threading.Thread(target=lambda: failures.extend(failures_of_threads(client, REPOSITORIES[0])))
    others = threading.Thread(target=lambda: failures.extend(failures_of_threads(client, *REPOSITORIES[1:])))
    first.start()
    server.wait_for(1)
    others.start()
    gate.wait(10)
    first.join(20)
    others.join(20)
    assert [type(failure) for failure in failures] == [TokenRefused] * 4
    assert {str(failure) for failure in failures} == {str(failures[0])}


@pytest.mark.parametrize("busy", [False, True])
def test_a_password_that_the_registry_refuses_is_tried_by_one_thread_only(serve: Serve, busy: bool) -> None:
    # With the base of the API too, since some registries answer 401 for a single repository.
    server = serve(ordered=False)
    if busy:
        server.expect("GET", "/1", 503)
    server.expect("GET", "/1", 401, headers=ASKS_BASIC).expect("GET", "/1", 401, headers=ASKS_BASIC)
    server.expect("GET", "/v2/", 401, headers=ASKS_BASIC)
    failures = failures_of_threads(transport(server.host, credential=LOGIN), *REPOSITORIES)
    assert [type(failure) for failure in failures] == [AuthenticationFailed] * 4
    assert {str(failure) for failure in failures} == {str(failures[0])}


def test_a_passing_failure_of_the_first_login_does_not_let_the_others_try(serve: Serve) -> None:
    server = serve(ordered=False)
    server.expect("GET", "/1", 401, headers=ASKS_BASIC).expect("GET", "/1", 503)
    server.expect("GET", "/1", 401, headers=ASKS_BASIC).expect("GET", "/v2/", 401, headers=ASKS_BASIC)
    failures = failures_of_threads(transport(server.host, credential=LOGIN), *REPOSITORIES)
    assert [type(failure) for failure in failures] == [AuthenticationFailed] * 4


def test_a_token_server_that_never_answers_is_waited_for_by_one_thread_only(serve: Serve) -> None:
    server = serve(ordered=False)
    server.expect("GET", "/1", 401, headers=asks_bearer(server))
    server.expect("GET", token_target(str(PULL)), hang=True, times=2)
    client = transport(server.host, credential=LOGIN, timeout=0.1, retries=1)
    failures = failures_of_threads(client, *[PULL] * 4)
    assert [type(failure) for failure in failures] == [ConnectionFailed] * 4
    assert {failure.operation for failure in failures} == {f"log in to {server.host}"}
    assert {failure.url for failure in failures} == {f"{server.url}/token"}


# The object by itself ------------------------------------------------------------------------------------------------


def test_one_thread_makes_it_and_it_stays_made() -> None:
    contact = FirstContact()
    assert contact.state is State.NOT_MADE
    with contact.by_one_thread() as leads:
        assert leads
        assert contact.state is State.UNDER_WAY
        assert not contact.is_made
        contact.made()
        assert contact.is_made
    with contact.by_one_thread() as leads:
        assert not leads
    assert contact.state is State.MADE


@pytest.mark.parametrize("raises", [False, True])
def test_who_learns_nothing_leaves_it_to_the_next(raises: bool) -> None:
    contact = FirstContact()
    with contextlib.suppress(ConnectionFailed), contact.by_one_thread() as leads:
        assert leads
        if raises:
            raise ConnectionFailed("broke off")
    assert contact.state is State.NOT_MADE
    with contact.by_one_thread() as leads:
        assert leads


def test_what_has_failed_is_made_by_nobody() -> None:
    contact = FirstContact()
    with contact.by_one_thread():
        contact.failed()
    with contact.by_one_thread() as leads:
        assert not leads
    assert contact.state is State.FAILED
    assert not contact.is_made


def test_how_it_has_ended_does_not_change() -> None:
    made, failed = FirstContact(), FirstContact()
    with made.by_one_thread(), failed.by_one_thread():
        made.made()
        failed.failed()
        made.failed()
        failed.made()
    assert (made.state, failed.state) == (State.MADE, State.FAILED)


@pytest.mark.parametrize("end", [FirstContact.made, FirstContact.failed])
def test_all_others_wait_until_it_has_ended_and_not_longer(end: t.Callable[[FirstContact], None]) -> None:
    contact = FirstContact()
    entered: list[bool] = []

    def work() -> None:
        with contact.by_one_thread() as leads:
            entered.append(leads)

    with contact.by_one_thread():
        others = [threading.Thread(target=work) for _number in range(4)]
        for thread in others:
            thread.start()
        others[0].join(0.1)
        assert entered == []
        end(contact)
        for thread in others:
            thread.join(20)
        assert entered == [False] * 4


def test_of_those_who_wait_one_at_a_time_makes_it() -> None:
    contact = FirstContact()
    lock, leading, most, entered = threading.Lock(), [0], [0], [0]

    def work() -> None:
        with contact.by_one_thread() as leads:
            assert leads
            with lock:
                leading[0] += 1
                entered[0] += 1
                most[0] = max(most[0], leading[0])
            time.sleep(0.001)
            with lock:
                leading[0] -= 1

    run_threads(work)
    assert (most[0], entered[0]) == (1, 16)
