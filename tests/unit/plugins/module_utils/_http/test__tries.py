# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The loop by itself, and on real sockets."""

from __future__ import annotations

import email.utils
import socket
import time
import types
import typing as t

import pytest
from ansible_collections.imageops.registry.plugins.module_utils._end._body import Body
from ansible_collections.imageops.registry.plugins.module_utils._http._endpoint import Endpoint
from ansible_collections.imageops.registry.plugins.module_utils._http._limits import Limits
from ansible_collections.imageops.registry.plugins.module_utils._http._response import Response
from ansible_collections.imageops.registry.plugins.module_utils._http._scopes import NOTHING
from ansible_collections.imageops.registry.plugins.module_utils._http._transport import Transport
from ansible_collections.imageops.registry.plugins.module_utils._http._tries import Tries
from ansible_collections.imageops.registry.plugins.module_utils._model._errors import (
    AccessDenied,
    ConnectionFailed,
    NoToken,
    ProtocolViolation,
    RateLimited,
    RegistryError,
    UnexpectedAnswer,
)
from ansible_collections.imageops.registry.plugins.module_utils._run._counters import Counters
from ansible_collections.imageops.registry.tests.unit.support.documents import Naps, errors, transport
from ansible_collections.imageops.registry.tests.unit.support.exchanges import (
    PULL,
)
from ansible_collections.imageops.registry.tests.unit.support.scripted_server import ScriptedServer


@pytest.mark.parametrize("status", [408, 425, 429, 499, 500, 502, 503, 504, 520, 524])
def test_a_status_that_may_pass_is_tried_again(server: ScriptedServer, status: int) -> None:
    server.expect("PUT", "/v2/x", status, b"<html>").expect("PUT", "/v2/x", 201)
    naps = Naps()
    client = transport(server.host, naps)
    assert client.exchange("PUT", "/v2/x", NOTHING, body=b"abc").status == 201
    assert [request.body for request in server.requests] == [b"abc", b"abc"]
    assert len(naps.seconds) == 1 and 0 < naps.seconds[0] <= 1.25
    assert client.counters.as_dict()["retries"] == 1
    assert client.counters.as_dict()["requests"] == 2


@pytest.mark.parametrize("status", [400, 403, 404, 405, 409, 412, 413, 415, 416, 501])
def test_a_status_that_will_not_pass_is_not_tried_again(server: ScriptedServer, status: int) -> None:
    server.expect("GET", "/v2/x", status)
    assert transport(server.host).exchange("GET", "/v2/x", NOTHING).status == status


def test_retries_are_bounded_and_wait_longer_each_time(server: ScriptedServer) -> None:
    server.expect("GET", "/v2/x", 503, errors("UNAVAILABLE"), times=5)
    naps = Naps()
    client = transport(server.host, naps, retries=4)
    error = client.exchange("GET", "/v2/x", NOTHING).error()
    assert isinstance(error, UnexpectedAnswer) and error.temporary
    assert all(nap <= 1.25 * 2.0**attempt for attempt, nap in enumerate(naps.seconds))
    assert len(naps.seconds) == 4
    assert client.counters.as_dict()["retries"] == 4


def test_no_retries_means_one_request(server: ScriptedServer) -> None:
    server.expect("GET", "/v2/x", 503)
    assert transport(server.host, retries=0).exchange("GET", "/v2/x", NOTHING).status == 503


@pytest.mark.parametrize("code", ["MANIFEST_BLOB_UNKNOWN", "MANIFEST_INVALID", "DIGEST_INVALID"])
def test_a_500_that_speaks_of_the_content_is_not_tried_again(server: ScriptedServer, code: str) -> None:
    server.expect("PUT", "/v2/x", 500, errors("UNKNOWN", "UNKNOWN", code))
    error = transport(server.host).exchange("PUT", "/v2/x", NOTHING, body=b"abc").error()
    assert not error.temporary and error.codes[-1] == code


@pytest.mark.parametrize("status", [408, 425, 429, 499, 502, 503, 504, 520])
@pytest.mark.parametrize("code", ["UNSUPPORTED", "TOO_MANY_REQUEST", "MANIFEST_INVALID", "NAME_UNKNOWN", "DENIED"])
def test_a_status_that_is_temporary_by_itself_is_tried_again_whatever_its_codes(
    server: ScriptedServer, status: int, code: str
) -> None:
    server.expect("PUT", "/v2/x", status, errors(code, message="Request was throttled."))
    server.expect("PUT", "/v2/x", 201)
    assert transport(server.host).exchange("PUT", "/v2/x", NOTHING, body=b"abc").status == 201


def test_a_500_with_passing_codes_is_tried_again_whatever_their_case(server: ScriptedServer) -> None:
    server.expect("GET", "/v2/x", 500, errors("unknown", "Unavailable")).expect("GET", "/v2/x")
    assert transport(server.host).exchange("GET", "/v2/x", NOTHING).status == 200


@pytest.mark.parametrize(
    ("value", "least", "most"),
    [
        ("7", 7, 7),
        (" 0 ", 0, 0),
        ("", 0.1, 1),
        ("soon", 0.1, 1),
        ("-5", 0.1, 1),
        ("1.5", 0.1, 1),
        ("\u00b2", 0.1, 1),
        ("Wed, 21 Oct 2026 07:28:00 +99999999999999999", 0.1, 1),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0, 0),
    ],
)
def test_retry_after_is_honoured_where_it_is_readable(
    server: ScriptedServer, value: str, least: float, most: float
) -> None:
    server.expect("GET", "/v2/x", 429, headers={"Retry-After": value}).expect("GET", "/v2/x")
    naps = Naps()
    assert transport(server.host, naps).exchange("GET", "/v2/x", NOTHING).status == 200
    # All wait for the same moment, and then not all begin at once.
    assert least - 0.1 < sum(naps.seconds) <= 1.25 * most


def test_retry_after_may_be_a_date(server: ScriptedServer) -> None:
    date = email.utils.formatdate(time.time() + 50, usegmt=True)
    server.expect("GET", "/v2/x", 503, headers={"Retry-After": date}).expect("GET", "/v2/x")
    naps = Naps()
    transport(server.host, naps).exchange("GET", "/v2/x", NOTHING)
    assert 45 <= naps.seconds[0] <= 52


def test_retry_after_slows_down_all_threads(server: ScriptedServer) -> None:
    server.expect("GET", "/v2/x", 429, headers={"Retry-After": "9"}).expect("GET", "/v2/x").expect("GET", "/v2/y")
    naps = Naps()
    client = transport(server.host, naps)
    client.exchange("GET", "/v2/x", NOTHING)
    before = len(naps.seconds)
    client.exchange("GET", "/v2/y", NOTHING)
    assert 5 < naps.seconds[before] <= 10


@pytest.mark.parametrize("value", ["121", "86400", "9" * 5000, "Wed, 21 Oct 2199 07:28:00 GMT"])
def test_a_wait_that_is_too_long_is_cut_once_and_then_an_error(server: ScriptedServer, value: str) -> None:
    server.expect("GET", "/v2/x", 429, errors("TOOMANYREQUESTS"), headers={"Retry-After": value}, times=2)
    naps = Naps()
    with pytest.raises(RateLimited, match=r"asks to wait \d+ seconds, and retry_max_wait is 120") as caught:
        transport(server.host, naps, retries=5).exchange("GET", "/v2/x", NOTHING)
    assert len(naps.seconds) == 1 and 119 < naps.seconds[0] <= 121
    assert caught.value.codes == ("TOOMANYREQUESTS",)


def test_no_pause_is_longer_than_it_may_be(server: ScriptedServer) -> None:
    server.expect("GET", "/v2/x", 500, times=4).expect("GET", "/v2/x", 429, headers={"Retry-After": "90"}, times=2)
    naps = Naps()
    client = transport(server.host, naps, retries=5, retry_max_wait=0.05)
    with pytest.raises(RateLimited, match="asks to wait 90 seconds, and retry_max_wait is 0.05"):
        client.exchange("GET", "/v2/x", NOTHING)
    assert naps.seconds[:4] == [0.05] * 4
    assert len(naps.seconds) == 5 and naps.seconds[4] <= 0.0625


def test_a_quota_costs_one_pause_however_many_ask(server: ScriptedServer) -> None:
    server.expect("GET", "/v2/x", 429, headers={"Retry-After": "3600"}, times=21)
    naps = Naps()
    client = transport(server.host, naps)
    for _number in range(20):
        with pytest.raises(RateLimited, match="asks to wait 3600 seconds"):
            client.exchange("GET", "/v2/x", NOTHING)
    assert len([seconds for seconds in naps.seconds if seconds > 100]) <= 21


def test_a_registry_that_restarts_is_left_alone_by_all() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    naps = Naps()
    limits = Limits()
    with pytest.raises(ConnectionFailed, match="refuses the connection"):
        endpoint = Endpoint(f"127.0.0.1:{port}", plain_http=True, retries=2)
        Transport(endpoint, Counters(), limits=limits, sleep=naps).exchange("GET", "/v2/", NOTHING)
    assert len(naps.seconds) == 2
    others: list[float] = []
    limits.wait(others.append)
    assert others


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "POST"])
def test_a_cut_connection_is_tried_again(server: ScriptedServer, method: str) -> None:
    server.expect(method, "/v2/x", 0).expect(method, "/v2/x", 200)
    body = b"abc" if method in ("PUT", "POST") else None
    assert transport(server.host).exchange(method, "/v2/x", NOTHING, body=body).status == 200


def test_a_body_that_breaks_off_is_read_again(server: ScriptedServer) -> None:
    server.expect("GET", "/v2/x", 200, b"half", length="8", cut=True).expect("GET", "/v2/x", 200, b"all of it")
    assert transport(server.host).exchange("GET", "/v2/x", NOTHING).body == b"all of it"


def test_a_connection_that_stays_cut_is_a_temporary_error(server: ScriptedServer) -> None:
    server.expect("GET", "/v2/x", 0, times=2)
    with pytest.raises(ConnectionFailed, match="broke off") as caught:
        transport(server.host, retries=1).exchange("GET", "/v2/x", NOTHING)
    assert caught.value.temporary


@pytest.mark.parametrize("status", [429, 500, 503, 0])
def test_a_streamed_body_is_sent_once_and_its_failure_is_temporary(server: ScriptedServer, status: int) -> None:
    server.expect("PUT", "/v2/x", status, headers={"Retry-After": "1"})
    naps = Naps()
    with pytest.raises(RegistryError) as caught:
        raise transport(server.host, naps).exchange("PUT", "/v2/x", NOTHING, body=Body([b"a", b"bc"], 3)).error()
    assert caught.value.temporary
    assert naps.seconds == []
    assert [request.body for request in server.requests] == [b"abc"]


@pytest.mark.parametrize("code", ["TOOMANYREQUESTS", "TOO_MANY_REQUESTS"])
def test_a_403_that_says_too_many_requests_is_asked_again(server: ScriptedServer, code: str) -> None:
    server.expect("GET", "/1", 403, errors(code), headers={"Retry-After": "3"}).expect("GET", "/1")
    naps = Naps()
    client = transport(server.host, naps)
    assert client.exchange("GET", "/1", PULL).status == 200
    assert 2.9 < naps.seconds[0] <= 4 and client.counters.as_dict()["retries"] == 1


# The loop by itself --------------------------------------------------------------------------------------------------


def answer(status: int, **headers: str) -> Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    raw: t.Any = types.SimpleNamespace(status=status, headers=named)
    return Response("GET", "http://r.example/v2/x", raw, b"")


class Script:
    """Sends nothing: answers from a list, or raises what is in it. Notes what the loop says."""

    def __init__(self, *outcomes: int | Response | RegistryError, retries: int = 2) -> None:
        self.outcomes = list(outcomes)
        self.naps = Naps()
        self.limits = Limits()
        self.counters = Counters()
        self.checks = 0
        self.lost: list[RegistryError] = []
        self.tries = Tries(retries, self.limits, self.counters, self.naps)

    def send(self) -> Response:
        outcome = self.outcomes.pop(0)
        if isinstance(outcome, RegistryError):
            raise outcome
        return outcome if isinstance(outcome, Response) else answer(outcome)

    def check(self) -> None:
        self.checks += 1

    def run(self, **options: t.Any) -> Response:
        return self.tries.run(self.send, check=self.check, lost=self.lost.append, **options)

    @property
    def pauses(self) -> list[float]:
        """What all other threads have to wait now."""
        waited: list[float] = []
        self.limits.wait(waited.append)
        return waited


def test_an_answer_ends_the_tries() -> None:
    script = Script(503, ConnectionFailed("broke off", temporary=True), 404)
    assert script.run().status == 404
    assert (script.checks, script.lost, script.outcomes) == (3, [], [])
    assert script.counters.as_dict()["retries"] == 2


def test_the_last_temporary_answer_is_returned_and_said_to_be_lost() -> None:
    script = Script(503, 503, 502)
    assert script.run().status == 502
    assert [error.status for error in script.lost] == [502]


def test_the_last_connection_that_failed_is_raised_and_said_to_be_lost() -> None:
    last = ConnectionFailed("broke off", temporary=True)
    script = Script(503, 503, last)
    with pytest.raises(ConnectionFailed) as caught:
        script.run()
    assert caught.value is last
    assert script.lost == [last]


@pytest.mark.parametrize(
    "error",
    [
        ConnectionFailed("no such host"),
        ConnectionFailed("the token server broke off", temporary=True).within("get a token"),
        NoToken("none", temporary=True),
        RateLimited("too many", temporary=True),
    ],
)
def test_what_is_not_worth_a_second_try_is_raised_at_once(error: RegistryError) -> None:
    script = Script(error)
    with pytest.raises(type(error)):
        script.run()
    assert (script.lost, script.naps.seconds) == ([error], [])


@pytest.mark.parametrize("error", [AccessDenied("no"), ProtocolViolation("no")])
def test_what_says_nothing_of_the_registry_is_raised_and_not_lost(error: RegistryError) -> None:
    script = Script(error)
    with pytest.raises(type(error)):
        script.run()
    assert script.lost == []


def test_what_the_check_raises_ends_the_tries_and_is_not_lost() -> None:
    script = Script(503, 200)

    def check() -> None:
        if len(script.outcomes) == 1:
            raise ConnectionFailed("given up", temporary=True)

    with pytest.raises(ConnectionFailed, match="given up"):
        script.tries.run(script.send, check=check, lost=script.lost.append)
    assert script.lost == []


def test_what_is_not_repeatable_is_sent_once() -> None:
    script = Script(500)
    assert script.run(repeatable=False).status == 500
    assert [error.status for error in script.lost] == [500]
    assert script.counters.as_dict()["retries"] == 0


def test_a_pause_that_is_not_granted_is_raised_and_not_lost() -> None:
    script = Script(*[answer(429, Retry_After="3600")] * 3)
    script.limits.grants(3600.0)
    script.limits.pause(0.01)
    script.limits.wait(time.sleep)
    with pytest.raises(RateLimited, match="asks to wait 3600 seconds"):
        script.run()
    assert script.lost == []


@pytest.mark.parametrize("heed_last", [True, False])
def test_the_pause_that_the_last_answer_asks_for_holds_for_all_where_it_is_heeded(heed_last: bool) -> None:
    script = Script(answer(503, Retry_After="9"), retries=0)
    assert script.run(heed_last=heed_last).status == 503
    assert bool(script.pauses) == heed_last


def test_a_refused_connection_has_all_wait_and_one_that_broke_off_only_its_own_thread() -> None:
    refused = ConnectionFailed("refused", temporary=True)
    refused.refused = True
    everybody, one = Script(refused, 200), Script(ConnectionFailed("broke off", temporary=True), 200)
    everybody.run()
    one.run()
    assert everybody.naps.seconds == [] and everybody.pauses
    assert len(one.naps.seconds) == 1 and not one.pauses


def test_who_backs_off_waits_longer_each_time() -> None:
    script = Script()
    for attempt in range(3):
        script.tries.back_off(attempt)
    assert all(0 < nap <= 2.0**attempt for attempt, nap in enumerate(script.naps.seconds))
    assert script.counters.as_dict()["retries"] == 3
