# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is sent, what is read, and how long that may take, on real sockets."""

from __future__ import annotations

import threading
import time
import typing as t

import pytest
from ansible_collections.imageops.registry.plugins.module_utils._end._body import Body
from ansible_collections.imageops.registry.plugins.module_utils._http._endpoint import Endpoint
from ansible_collections.imageops.registry.plugins.module_utils._http._notices import Notices
from ansible_collections.imageops.registry.plugins.module_utils._http._scopes import NOTHING
from ansible_collections.imageops.registry.plugins.module_utils._http._transport import Transport
from ansible_collections.imageops.registry.plugins.module_utils._model._errors import (
    ConnectionFailed,
    ContentMismatch,
    ProtocolViolation,
    RegistryError,
)
from ansible_collections.imageops.registry.plugins.module_utils._run._counters import Counters
from ansible_collections.imageops.registry.tests.unit.support.certificates import Certificates
from ansible_collections.imageops.registry.tests.unit.support.documents import Naps, transport
from ansible_collections.imageops.registry.tests.unit.support.exchanges import (
    Serve,
)
from ansible_collections.imageops.registry.tests.unit.support.scripted_server import ScriptedServer


def test_every_request_names_the_client_and_refuses_compression(server: ScriptedServer) -> None:
    server.expect("GET", "/v2/x?n=1", 200, b"body", {"X-One": "1"})
    client = transport(server.host)
    response = client.exchange("GET", "/v2/x?n=1", NOTHING)
    (request,) = server.requests
    assert (response.status, response.body, response.headers["x-one"]) == (200, b"body", "1")
    assert request.header("User-Agent") == "imageops.registry"
    assert request.header("Accept-Encoding") == "identity"
    assert request.header("Accept") == "*/*"
    assert request.header("Authorization") is None
    assert request.header("Content-Type") is None
    assert client.counters.as_dict()["requests"] == 1


def test_a_body_comes_as_it_is_even_if_it_says_that_it_is_compressed(server: ScriptedServer) -> None:
    server.expect("GET", "/v2/x", 200, b"not gzip", {"Content-Encoding": "gzip"})
    server.expect("GET", "/v2/y", 200, b"not gzip", {"Content-Encoding": "gzip"})
    client = transport(server.host)
    assert client.exchange("GET", "/v2/x", NOTHING).body == b"not gzip"
    assert b"".join(client.exchange("GET", "/v2/y", NOTHING, stream=True).pieces()) == b"not gzip"


def test_repeated_headers_are_given_one_by_one(server: ScriptedServer) -> None:
    server.expect("GET", "/", headers=[("Link", "<a>"), ("Warning", "1, 2"), ("link", "<b>")])
    assert transport(server.host).exchange("GET", "/", NOTHING).header_list("LINK") == ["<a>", "<b>"]


@pytest.mark.parametrize("target", ["/v2/x?_state=a%7eb%2F|==&c", "/v2/x?a=~b'c&d=%C3%A9+%20"])
def test_a_query_reaches_the_server_to_the_byte(server: ScriptedServer, target: str) -> None:
    # urllib3 writes hexadecimal digits in upper case and escapes what no URL may hold: equal for whoever decodes it.
    wire = target.replace("%7e", "%7E").replace("|", "%7C")
    server.expect("GET", wire)
    transport(server.host).exchange("GET", server.url + target, NOTHING)


@pytest.mark.parametrize(
    ("target", "wire"),
    [
        ("/v2/x?sig=a%2Fb&x=100%", "/v2/x?sig=a%2Fb&x=100%25"),
        ("/v2/x?sig=a%2Fb%zz%2", "/v2/x?sig=a%2Fb%25zz%252"),
        ("/v2/%x/%41?%", "/v2/%25x/%41?%25"),
    ],
)
def test_a_percent_sign_that_escapes_nothing_leaves_the_others_alone(
    server: ScriptedServer, target: str, wire: str
) -> None:
    server.expect("GET", "/v2/1", 307, headers={"Location": target}).expect("GET", wire)
    assert transport(server.host).exchange("GET", "/v2/1", NOTHING).status == 200


def test_connections_are_kept_for_the_next_request(server: ScriptedServer) -> None:
    for method, status, body in (
        ("GET", 200, b"x" * 100000),
        ("HEAD", 404, b""),
        ("GET", 404, b"{}"),
        ("PUT", 201, b""),
    ):
        server.expect(method, "/v2/x", status, body)
    client = transport(server.host)
    for method in ("GET", "HEAD", "GET", "PUT"):
        client.exchange(method, "/v2/x", NOTHING, limit=1000000, body=b"abc" if method == "PUT" else None)
    assert server.connections == 1


def test_a_body_larger_than_the_limit_is_refused_and_one_of_its_size_is_not(server: ScriptedServer) -> None:
    server.expect("GET", "/a", body=b"x" * 1000).expect("GET", "/b", body=b"x" * 1001)
    client = transport(server.host)
    assert len(client.exchange("GET", "/a", NOTHING, limit=1000).body) == 1000
    with pytest.raises(ProtocolViolation, match="larger than 1000"):
        client.exchange("GET", "/b", NOTHING, limit=1000)


def test_an_endless_body_is_given_up_at_the_limit(server: ScriptedServer) -> None:
    server.expect("GET", "/a", body=b"x" * 100000, length="99999999999")
    with pytest.raises(ProtocolViolation, match="larger than 65536"):
        transport(server.host).exchange("GET", "/a", NOTHING)


def test_the_body_of_a_416_is_not_waited_for(server: ScriptedServer) -> None:
    server.expect("GET", "/a", 416, b"", length="11000")
    assert transport(server.host, timeout=3.0).exchange("GET", "/a", NOTHING).status == 416


@pytest.mark.parametrize(
    ("body", "sent"),
    [
        (b"", b""),
        (b"abc", b"abc"),
        (Body([], 0), b""),
        (Body([b"ab", b"", b"c"], 3), b"abc"),
        (
            Body((bytes([number]) * 100000 for number in range(20)), 2000000),
            b"".join(bytes([n]) * 100000 for n in range(20)),
        ),
    ],
    ids=["none", "bytes", "empty", "pieces", "large"],
)
def test_bodies_have_an_exact_length_and_are_never_chunked(
    server: ScriptedServer, body: bytes | Body, sent: bytes
) -> None:
    server.expect("PUT", "/v2/x", 201)
    headers = {"Content-Type": "application/octet-stream"}
    transport(server.host).exchange("PUT", "/v2/x", NOTHING, headers=headers, body=body)
    (request,) = server.requests
    assert request.body == sent
    assert request.header("Content-Length") == str(len(sent))
    assert request.header("Transfer-Encoding") is None
    assert request.header("Content-Type") == "application/octet-stream"


@pytest.mark.parametrize(
    ("pieces", "size", "why"),
    [
        ([], 1, "1 bytes were announced, and 0 are there"),
        ([b"ab", b"c"], 4, "4 bytes were announced, and 3 are there"),
        ([b"ab", b"cd"], 3, "more than the 3 bytes that were announced"),
        ([b"abc", b"", b"d"], 3, "more than the 3 bytes that were announced"),
        ([b"", b"a"], 0, "more than the 0 bytes that were announced"),
    ],
)
def test_a_body_of_another_size_than_its_own_ends_at_once(
    server: ScriptedServer, pieces: list[bytes], size: int, why: str
) -> None:
    if size:
        server.expect("PUT", "/v2/x", 201)
    client = transport(server.host, timeout=30.0)
    started = time.monotonic()
    with pytest.raises(ContentMismatch, match=why) as caught:
        client.exchange("PUT", "/v2/x", NOTHING, body=Body(pieces, size))
    assert time.monotonic() - started < 5
    assert not caught.value.temporary
    client.close()
    assert len(server.wait_for(1 if size else 0)) == (1 if size else 0)


def test_an_error_of_the_source_of_a_body_comes_through_as_it_is(server: ScriptedServer) -> None:
    def broken() -> t.Iterator[bytes]:
        yield b"a"
        raise ConnectionFailed("the source broke off").within("read blob")

    server.expect("PUT", "/v2/x", 0)
    client = transport(server.host)
    with pytest.raises(ConnectionFailed, match="Cannot read blob: the source broke off"):
        client.exchange("PUT", "/v2/x", NOTHING, body=Body(broken(), 10))
    client.close()
    assert server.wait_for(1)[0].body == b"a"


def test_a_source_that_breaks_off_does_not_stop_later_requests(server: ScriptedServer) -> None:
    def broken() -> t.Iterator[bytes]:
        yield b"a"
        raise ConnectionFailed("the source broke off")

    server.expect("PUT", "/v2/x", 0).expect("GET", "/v2/y")
    client = transport(server.host)
    with pytest.raises(ConnectionFailed):
        client.exchange("PUT", "/v2/x", NOTHING, body=Body(broken(), 10))
    server.wait_for(1)
    assert client.exchange("GET", "/v2/y", NOTHING).status == 200


def test_a_registry_that_does_not_answer_times_out(server: ScriptedServer) -> None:
    server.expect("GET", "/v2/x", hang=True)
    with pytest.raises(ConnectionFailed, match="does not answer in time.*Raise timeout") as caught:
        transport(server.host, retries=0, timeout=0.2).exchange("GET", "/v2/x", NOTHING)
    assert caught.value.temporary


@pytest.mark.parametrize(("status", "stream"), [(200, False), (200, True), (404, True)])
def test_an_answer_that_drips_is_cut_off(server: ScriptedServer, status: int, stream: bool) -> None:
    server.expect("GET", "/v2/x", status, b"x" * 10000, drip=1)
    with pytest.raises(ConnectionFailed, match=r"less than 1024 bytes came in 0\.5 seconds.*Raise timeout") as caught:
        response = transport(server.host, retries=0, timeout=0.5).exchange("GET", "/v2/x", NOTHING, stream=stream)
        list(response.pieces())
    assert caught.value.temporary


@pytest.mark.parametrize(("drip", "said"), [(1, "less than 1024 bytes"), (5000, "the head of the answer is not whole")])
def test_a_head_that_drips_is_cut_off(server: ScriptedServer, drip: int, said: str) -> None:
    headers = [(f"X-{number}", "x" * 20000) for number in range(90)]
    server.expect("GET", "/v2/x", 200, headers=headers, drip=drip, drip_head=True)
    with pytest.raises(ConnectionFailed, match=f"answers too slowly: {said}"):
        transport(server.host, retries=0, timeout=0.3).exchange("GET", "/v2/x", NOTHING)


def test_an_answer_that_is_no_blob_must_be_whole_after_a_while(server: ScriptedServer) -> None:
    server.expect("GET", "/v2/x", 200, b"x" * 5000000, drip=10000)
    with pytest.raises(ConnectionFailed, match=r"the answer is not whole after 1\.5 seconds"):
        transport(server.host, retries=0, timeout=0.3).exchange("GET", "/v2/x", NOTHING, limit=10000000)


def test_a_slow_blob_is_read_however_long_it_takes(server: ScriptedServer) -> None:
    # Longer than an answer that is no blob may take.
    content = b"x" * 1000000
    server.expect("GET", "/v2/x", 200, content, drip=5000)
    response = transport(server.host, retries=0, timeout=0.3).exchange("GET", "/v2/x", NOTHING, stream=True)
    assert b"".join(response.pieces()) == content


def test_answers_of_a_proxy_are_paced_too(server: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", server.url)
    server.expect("GET", "http://r.example/v2/x", 200, b"x" * 10000, drip=1)
    with pytest.raises(ConnectionFailed, match="less than 1024 bytes came"):
        transport("r.example", retries=0, timeout=0.5).exchange("GET", "/v2/x", NOTHING)


def test_answers_over_tls_are_paced_too(serve: Serve, certificates: Certificates) -> None:
    server = serve(tls=certificates.server_context(), name="localhost")
    server.expect("GET", "/v2/x", 200, b"x" * 10000, drip=1)
    client = transport(server.host, plain_http=False, ca_path=certificates.good_ca, retries=0, timeout=0.5)
    with pytest.raises(ConnectionFailed, match="less than 1024 bytes came"):
        client.exchange("GET", "/v2/x", NOTHING)


def test_the_timeout_of_a_single_request_may_be_longer(server: ScriptedServer) -> None:
    server.expect("GET", "/v2/x", hang=True)
    threading.Timer(0.4, server.stopping.set).start()
    with pytest.raises(ConnectionFailed, match="broke off"):
        transport(server.host, retries=0, timeout=0.1).exchange("GET", "/v2/x", NOTHING, timeout=5)


def test_a_streamed_answer_that_breaks_off_is_a_temporary_error(server: ScriptedServer) -> None:
    server.expect("GET", "/v2/x?sig=secret", 200, b"half", length="8", cut=True)
    response = transport(server.host).exchange("GET", "/v2/x?sig=secret", NOTHING, stream=True)
    with pytest.raises(ConnectionFailed) as caught:
        list(response.pieces())
    assert caught.value.temporary and "secret" not in str(caught.value)


def test_a_refused_connection_and_an_unknown_host_are_named(serve: Serve) -> None:
    gone = serve()
    gone.close()
    with pytest.raises(ConnectionFailed, match="refuses the connection"):
        transport(gone.host, retries=0).exchange("GET", "/v2/", NOTHING)
    naps = Naps()
    with pytest.raises(ConnectionFailed, match=r"registry.invalid cannot be resolved"):
        transport("registry.invalid", naps).exchange("GET", "/v2/", NOTHING)
    assert naps.seconds == []


def test_what_the_registry_itself_tells_is_noted_and_not_what_others_do(serve: Serve) -> None:
    own, other = serve(), serve()
    other.expect("GET", "/blob", headers={"Warning": '299 - "Of the storage"'})
    told = [("Warning", '299 - "Ends soon"'), ("Warning", '299 - "Pay", 199 - "No"')]
    own.expect("GET", "/1", 307, headers=[*told, ("Location", f"{other.url}/blob")])
    notices = Notices()
    client = Transport(Endpoint(own.host, plain_http=True), Counters(), notices=notices)
    assert client.exchange("GET", "/1", NOTHING).status == 200
    assert notices.sentence() == f'The registry {own.host} says: "Ends soon"; "Pay"'


@pytest.mark.parametrize("headers", [[("X", "x" * 100000)], [(f"X-{number}", "x") for number in range(1000)]])
def test_huge_headers_are_an_error_without_traceback(server: ScriptedServer, headers: list[tuple[str, str]]) -> None:
    server.expect("GET", "/1", 200, headers=headers)
    with pytest.raises(ConnectionFailed):
        transport(server.host, retries=0).exchange("GET", "/1", NOTHING)


@pytest.mark.parametrize("length", ["-5", "x", "\u00b2", "9" * 5000, "5, 6"])
def test_a_malformed_content_length_is_no_traceback(server: ScriptedServer, length: str) -> None:
    server.expect("GET", "/1", 200, b"abc", length=length, cut=True)
    try:
        assert transport(server.host, retries=0).exchange("GET", "/1", NOTHING).body in (b"abc", b"")
    except RegistryError:
        pass


def test_no_more_than_jobs_requests_are_under_way_however_many_threads_ask(serve: Serve) -> None:
    server = serve(ordered=False)
    server.expect("GET", "/v2/", 200)
    client = transport(server.host, jobs=2)
    client.exchange("GET", "/v2/", NOTHING)
    lock, running, most = threading.Lock(), [0], [0]
    channel = client._connections._own
    send = channel.send_directly

    def counted(*arguments: t.Any, **options: t.Any) -> t.Any:
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        try:
            return send(*arguments, **options)
        finally:
            with lock:
                running[0] -= 1

    channel.send_directly = counted
    server.expect("GET", "/v2/x", 200, times=30)
    threads = [threading.Thread(target=client.exchange, args=("GET", "/v2/x", NOTHING)) for _number in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 0 < most[0] <= 2


def test_requests_begin_at_the_pace_that_is_asked_for(server: ScriptedServer) -> None:
    server.expect("GET", "/v2/", 200, times=4)
    naps = Naps()
    client = transport(server.host, naps, requests_per_second=0.001)
    for _number in range(4):
        client.exchange("GET", "/v2/", NOTHING)
    # Nobody really waits here, so each request is told to wait for all those before it.
    assert [round(nap / 1000) for nap in naps.seconds if nap] == [1, 2, 3]


@pytest.mark.parametrize("path", ["//v2/a/blobs/uploads/1?state=x%3D", "/v2/a//b", "/?x"])
def test_paths_are_asked_for_as_they_are(server: ScriptedServer, path: str) -> None:
    server.expect("GET", path, 200)
    client = transport(server.host)
    assert client.exchange("GET", client.base + path, NOTHING).status == 200
