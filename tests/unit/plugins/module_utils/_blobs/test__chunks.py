# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.imageops.registry.plugins.module_utils._blobs._transfer import ContentSource, upload_blob
from ansible_collections.imageops.registry.plugins.module_utils._model._digest import compute_digest
from ansible_collections.imageops.registry.plugins.module_utils._model._errors import (
    AccessDenied,
    AuthenticationFailed,
    BodyTooLarge,
    ChunksRefused,
    ContentMismatch,
    RegistryError,
    UnexpectedAnswer,
    UploadGone,
)
from ansible_collections.imageops.registry.plugins.module_utils._registry._registry import Registry
from ansible_collections.imageops.registry.tests.unit.support.documents import LOGIN, errors, transport
from ansible_collections.imageops.registry.tests.unit.support.scripted_server import ScriptedServer

CHUNK = 100 * 1024
BLOB = bytes(range(256)) * (CHUNK // 256) * 2 + b"the rest"
DIGEST = compute_digest(BLOB)
UPLOADS = "/v2/a/b/blobs/uploads/"
FIRST, SECOND, LAST = f"0-{CHUNK - 1}", f"{CHUNK}-{2 * CHUNK - 1}", f"{2 * CHUNK}-{len(BLOB) - 1}"


def registry(server: ScriptedServer, chunk_size: int = CHUNK, **options: t.Any) -> Registry:
    options.setdefault("retries", 0)
    return Registry(transport(server.host, chunk_size=chunk_size, jobs=1, **options), writing=True)


def upload(client: Registry, content: bytes = BLOB, digest: str = DIGEST) -> list[str]:
    return upload_blob(client, "a/b", digest, len(content), ContentSource(content))


def start(server: ScriptedServer, number: int = 1, **headers: str) -> ScriptedServer:
    return server.expect("POST", UPLOADS, 202, headers={"Location": f"/u{number}?s=0", **headers})


def patch(server: ScriptedServer, target: str, following: str, received: str = "", status: int = 202) -> ScriptedServer:
    headers = {"Location": following, **({"Range": received} if received else {})}
    return server.expect("PATCH", target, status, headers=headers)


def put(server: ScriptedServer, target: str, status: int = 201, body: t.Any = b"") -> ScriptedServer:
    return server.expect("PUT", f"{target}&digest={DIGEST.replace(':', '%3A')}", status, body)


def sent(server: ScriptedServer) -> list[tuple[str | None, bytes]]:
    """Content-Range and body of the chunks."""
    return [(seen.header("Content-Range"), seen.body) for seen in server.requests if seen.method == "PATCH"]


def whole(server: ScriptedServer, *, number: int = 1, status: int = 201, body: t.Any = b"") -> ScriptedServer:
    start(server, number)
    return put(server, f"/u{number}?s=0", status, body)


def state(server: ScriptedServer, target: str, following: str, received: str = "") -> ScriptedServer:
    headers = {"Location": following, **({"Range": received} if received else {})}
    return server.expect("GET", target, 204, headers=headers)


def cancelled(server: ScriptedServer, location: str) -> ScriptedServer:
    return server.expect("DELETE", location, 204)


def test_a_blob_is_sent_in_chunks_each_to_the_newest_location(server: ScriptedServer) -> None:
    start(server)
    patch(server, "/u1?s=0", "/u1?s=1", FIRST)
    patch(server, "/u1?s=1", "/u1?s=2", f"bytes=0-{2 * CHUNK - 1}", 201)
    patch(server, "/u1?s=2", "/u1?s=3", status=204)
    put(server, "/u1?s=3")
    client = registry(server)
    assert upload(client) == []
    assert sent(server) == [(FIRST, BLOB[:CHUNK]), (SECOND, BLOB[CHUNK : 2 * CHUNK]), (LAST, BLOB[2 * CHUNK :])]
    closing = server.requests[-1]
    assert (closing.body, closing.header("Content-Range"), closing.header("Content-Length")) == (b"", None, "0")
    assert client.counters.as_dict()["bytes_uploaded"] == len(BLOB)


def test_a_blob_no_larger_than_a_chunk_is_sent_whole(server: ScriptedServer) -> None:
    whole(server)
    assert upload(registry(server, len(BLOB))) == []
    assert server.requests[-1].body == BLOB


def test_a_registry_that_asks_for_larger_chunks_gets_them(server: ScriptedServer) -> None:
    start(server, **{"OCI-Chunk-Min-Length": str(2 * CHUNK)})
    patch(server, "/u1?s=0", "/u1?s=1", f"0-{2 * CHUNK - 1}")
    patch(server, "/u1?s=1", "/u1?s=2", f"0-{len(BLOB) - 1}")
    put(server, "/u1?s=2")
    upload(registry(server))
    assert [content_range for content_range, _body in sent(server)] == [f"0-{2 * CHUNK - 1}", LAST]


def test_a_part_of_a_chunk_that_the_registry_kept_is_gone_on_from(server: ScriptedServer) -> None:
    start(server)
    patch(server, "/u1?s=0", "/u1?s=1", "0-9")
    patch(server, "/u1?s=1", "/u1?s=2", f"0-{CHUNK + 9}")
    patch(server, "/u1?s=2", "/u1?s=3", f"0-{len(BLOB) - 1}")
    put(server, "/u1?s=3")
    upload(registry(server))
    assert b"".join([BLOB[:10], *(body for _range, body in sent(server)[1:])]) == BLOB


def test_a_chunk_that_fails_for_a_while_is_sent_again_from_where_the_registry_is(server: ScriptedServer) -> None:
    start(server)
    patch(server, "/u1?s=0", "/u1?s=1", FIRST)
    server.expect("PATCH", "/u1?s=1", 503)
    server.expect("GET", "/u1?s=1", 204, headers={"Location": "/u1?s=2", "Range": f"0-{CHUNK + 4}"})
    patch(server, "/u1?s=2", "/u1?s=3", f"0-{len(BLOB) - 1}")
    put(server, "/u1?s=3")
    client = registry(server, CHUNK + 8, retries=1)
    assert upload(client) == []
    assert client.counters.as_dict()["retries"] == 1


def test_a_login_that_ends_between_chunks_is_renewed(server: ScriptedServer) -> None:
    basic = {"WWW-Authenticate": f'Bearer realm="{server.url}/token"'}
    server.expect("POST", UPLOADS, 401, headers=basic)
    token = f"/token?scope=repository%3Aa%2Fb%3Apull%2Cpush&account={LOGIN.username}"
    server.expect("GET", token, 200, {"token": "one"})
    start(server)
    patch(server, "/u1?s=0", "/u1?s=1", FIRST)
    server.expect("PATCH", "/u1?s=1", 401, headers=basic)
    server.expect("GET", "/u1?s=1", 401, headers=basic)
    server.expect("GET", token, 200, {"token": "two"})
    server.expect("GET", "/u1?s=1", 204, headers={"Location": "/u1?s=2", "Range": FIRST})
    patch(server, "/u1?s=2", "/u1?s=3", f"0-{len(BLOB) - 1}")
    put(server, "/u1?s=3")
    upload(registry(server, len(BLOB) - CHUNK, retries=1, credential=LOGIN))


def test_a_chunk_that_keeps_failing_ends_the_session_and_then_the_upload(server: ScriptedServer) -> None:
    start(server)
    server.expect("PATCH", "/u1?s=0", 503)
    cancelled(server, "/u1?s=0")
    client = registry(server)
    with pytest.raises(UnexpectedAnswer) as caught:
        upload(client)
    assert caught.value.temporary
    assert client.counters.as_dict()["sessions_left_open"] == 0


def test_wrong_bytes_never_end_a_session_in_chunks(server: ScriptedServer) -> None:
    start(server)
    for number in range(3):
        patch(server, f"/u1?s={number}", f"/u1?s={number + 1}")
    cancelled(server, "/u1?s=3")
    with pytest.raises(ContentMismatch):
        upload(registry(server), BLOB[:-1] + b"!")


# What registries don't take ------------------------------------------------------------------------------------------


def test_a_blob_too_large_to_be_sent_whole_is_sent_in_chunks_and_so_are_all_that_follow(server: ScriptedServer) -> None:
    whole(server, status=413)
    cancelled(server, "/u1?s=0")
    client = registry(server, 0)
    half = (len(BLOB) + 1) // 2
    for number in (2, 3):
        start(server, number)
        patch(server, f"/u{number}?s=0", f"/u{number}?s=1", f"0-{half - 1}")
        patch(server, f"/u{number}?s=1", f"/u{number}?s=2", f"0-{len(BLOB) - 1}")
        put(server, f"/u{number}?s=2")
    (given_up,) = upload(client)
    assert "too large" in given_up and "413" in given_up
    assert upload(client) == []


@pytest.mark.parametrize("status", [413, 416])
def test_chunks_that_are_too_large_become_smaller(server: ScriptedServer, status: int) -> None:
    start(server).expect("PATCH", "/u1?s=0", status)
    cancelled(server, "/u1?s=0")
    start(server, 2)
    patch(server, "/u2?s=0", "/u2?s=1", FIRST)
    patch(server, "/u2?s=1", "/u2?s=2", f"0-{2 * CHUNK - 1}")
    patch(server, "/u2?s=2", "/u2?s=3", f"0-{len(BLOB) - 1}")
    put(server, "/u2?s=3")
    (given_up,) = upload(registry(server, 2 * CHUNK))
    assert str(status) in given_up


def test_a_blob_that_is_too_large_in_every_form_is_refused_for_good(server: ScriptedServer) -> None:
    whole(server, status=413)
    cancelled(server, "/u1?s=0")
    start(server, 2).expect("PATCH", "/u2?s=0", 413)
    cancelled(server, "/u2?s=0")
    with pytest.raises(BodyTooLarge, match="Cannot upload a chunk .*Have the limit raised"):
        upload(registry(server, 0))


@pytest.mark.parametrize("status", [400, 404, 405, 501])
def test_a_registry_that_takes_no_chunks_gets_the_blob_whole(server: ScriptedServer, status: int) -> None:
    start(server).expect("PATCH", "/u1?s=0", status, errors("UNSUPPORTED"))
    cancelled(server, "/u1?s=0")
    whole(server, number=2)
    whole(server, number=3)
    client = registry(server)
    (given_up,) = upload(client)
    assert "does not take it in chunks: " in given_up
    assert upload(client) == []


@pytest.mark.parametrize("received", [FIRST, "", "0-0", f"0-{2 * CHUNK}"])
def test_a_range_that_stands_still_is_followed_by_the_whole(server: ScriptedServer, received: str) -> None:
    start(server)
    patch(server, "/u1?s=0", "/u1?s=1", FIRST, 201)
    patch(server, "/u1?s=1", "/u1?s=2", FIRST, 201)
    state(server, "/u1?s=2", "/u1?s=3", received)
    cancelled(server, "/u1?s=3")
    whole(server, number=2)
    (given_up,) = upload(registry(server))
    assert f"Range stands at {CHUNK} bytes, although {2 * CHUNK} were sent" in given_up


def test_a_range_that_stands_still_is_asked_for(server: ScriptedServer) -> None:
    start(server)
    patch(server, "/u1?s=0", "/u1?s=1", FIRST)
    patch(server, "/u1?s=1", "/u1?s=2", FIRST)
    state(server, "/u1?s=2", "/u1?s=3", f"0-{2 * CHUNK - 1}")
    patch(server, "/u1?s=3", "/u1?s=4", FIRST)
    state(server, "/u1?s=4", "/u1?s=5", f"0-{len(BLOB) - 1}")
    put(server, "/u1?s=5")
    assert upload(registry(server)) == []
    assert [content_range for content_range, _body in sent(server)] == [FIRST, SECOND, LAST]


def test_a_range_that_stands_still_at_nothing_is_asked_for(server: ScriptedServer) -> None:
    start(server)
    patch(server, "/u1?s=0", "/u1?s=1", "0-0")
    server.expect("PATCH", "/u1?s=1", 416, errors("RANGE_INVALID"))
    state(server, "/u1?s=1", "/u1?s=2", FIRST)
    patch(server, "/u1?s=2", "/u1?s=3", "0-0")
    state(server, "/u1?s=3", "/u1?s=4", f"0-{2 * CHUNK - 1}")
    patch(server, "/u1?s=4", "/u1?s=5", "0-0")
    state(server, "/u1?s=5", "/u1?s=6", f"0-{len(BLOB) - 1}")
    put(server, "/u1?s=6")
    assert upload(registry(server)) == []
    # What was sent again is where the registry said that it has one byte.
    assert [body for _range, body in sent(server)] == [
        BLOB[:CHUNK],
        BLOB[1 : CHUNK + 1],
        BLOB[CHUNK : 2 * CHUNK],
        BLOB[2 * CHUNK :],
    ]


def test_a_range_that_counts_the_bytes_of_each_chunk_is_asked_for(server: ScriptedServer) -> None:
    start(server)
    patch(server, "/u1?s=0", "/u1?s=1", "0-9")
    # This chunk is longer than all before it: it looks like one of which a part was taken, until the next is refused.
    patch(server, "/u1?s=1", "/u1?s=2", FIRST)
    server.expect("PATCH", "/u1?s=2", 416, errors("RANGE_INVALID"))
    state(server, "/u1?s=2", "/u1?s=3", f"0-{CHUNK + 9}")
    patch(server, "/u1?s=3", "/u1?s=4", f"0-{len(BLOB) - CHUNK - 11}")
    state(server, "/u1?s=4", "/u1?s=5", f"0-{2 * CHUNK - 1}")
    patch(server, "/u1?s=5", "/u1?s=6", f"0-{len(BLOB) - 2 * CHUNK - 1}")
    state(server, "/u1?s=6", "/u1?s=7", f"0-{len(BLOB) - 1}")
    put(server, "/u1?s=7")
    assert upload(registry(server)) == []
    kept = [(0, 10), (1, CHUNK), (3, CHUNK - 10), (4, CHUNK)]
    assert b"".join(sent(server)[number][1][:length] for number, length in kept) == BLOB


def test_a_chunk_that_is_refused_where_the_session_can_not_be_asked_ends_the_upload(server: ScriptedServer) -> None:
    start(server)
    patch(server, "/u1?s=0", "/u1?s=1", "0-9")
    server.expect("PATCH", "/u1?s=1", 416, errors("RANGE_INVALID"))
    server.expect("GET", "/u1?s=1", 405)
    with pytest.raises(UploadGone):
        upload(registry(server))


def test_a_session_that_takes_nothing_any_more_is_given_up_after_the_second_try(server: ScriptedServer) -> None:
    start(server)
    server.expect("PATCH", "/u1?s=0", 0, cut=True)
    state(server, "/u1?s=0", "/u1?s=1")
    server.expect("PATCH", "/u1?s=1", 500)
    server.expect("HEAD", f"/v2/a/b/blobs/{DIGEST}", 404)
    start(server, 2)
    patch(server, "/u2?s=0", "/u2?s=1", FIRST)
    patch(server, "/u2?s=1", "/u2?s=2", f"0-{2 * CHUNK - 1}")
    patch(server, "/u2?s=2", "/u2?s=3", f"0-{len(BLOB) - 1}")
    put(server, "/u2?s=3")
    cancelled(server, "/u1?s=1")
    client = registry(server, retries=3)
    assert upload(client) == []
    assert client.counters.as_dict()["sessions_left_open"] == 0


def test_a_session_that_says_how_far_it_is_gets_all_tries(server: ScriptedServer) -> None:
    start(server)
    patch(server, "/u1?s=0", "/u1?s=1", FIRST)
    for _time in range(3):
        server.expect("PATCH", "/u1?s=1", 503)
        state(server, "/u1?s=1", "/u1?s=1", FIRST)
    patch(server, "/u1?s=1", "/u1?s=2", f"0-{2 * CHUNK - 1}")
    patch(server, "/u1?s=2", "/u1?s=3", f"0-{len(BLOB) - 1}")
    put(server, "/u1?s=3")
    assert upload(registry(server, retries=3)) == []


def test_a_range_that_goes_on_byte_by_byte_is_not_followed_for_ever(server: ScriptedServer) -> None:
    start(server)
    for state in range(4):
        patch(server, f"/u1?s={state}", f"/u1?s={state + 1}", f"0-{state}")
    cancelled(server, "/u1?s=4")
    whole(server, number=2)
    (given_up,) = upload(registry(server))
    assert f"Range stands at 4 bytes, although {CHUNK + 3} were sent" in given_up


@pytest.mark.parametrize(
    "ends",
    [
        [1, 2, 3, CHUNK + 3, CHUNK + 4, CHUNK + 5, CHUNK + 6, 2 * CHUNK + 6, len(BLOB)],
        [*range(CHUNK // 2, len(BLOB), CHUNK // 2), len(BLOB)],
    ],
    ids=["a few bytes", "halves"],
)
def test_parts_of_chunks_are_gone_on_from_as_long_as_chunks_get_whole(server: ScriptedServer, ends: list[int]) -> None:
    start(server)
    for state, end in enumerate(ends):
        patch(server, f"/u1?s={state}", f"/u1?s={state + 1}", f"0-{end - 1}")
    put(server, f"/u1?s={len(ends)}")
    assert upload(registry(server)) == []


def test_a_registry_that_loses_what_it_has_again_and_again_is_given_up(server: ScriptedServer) -> None:
    start(server)
    patch(server, "/u1?s=0", "/u1?s=1", FIRST)
    server.expect("PATCH", "/u1?s=1", 503)
    server.expect("GET", "/u1?s=1", 204, headers={"Location": "/u1?s=0", "Range": "0-0"})
    patch(server, "/u1?s=0", "/u1?s=1", f"0-{CHUNK}")
    server.expect("PATCH", "/u1?s=1", 503)
    server.expect("HEAD", f"/v2/a/b/blobs/{DIGEST}", 404)
    start(server, 2)
    server.expect("PATCH", "/u2?s=0", 503)
    server.expect("GET", "/u2?s=0", 404, errors("BLOB_UPLOAD_UNKNOWN"))
    cancelled(server, "/u1?s=1")
    client = registry(server, retries=1)
    with pytest.raises(UploadGone):
        upload(client)


def test_a_range_that_stands_still_is_ignored_where_the_whole_is_too_large(server: ScriptedServer) -> None:
    whole(server, status=413)
    cancelled(server, "/u1?s=0")
    half = (len(BLOB) + 1) // 2
    for number in (2, 3):
        start(server, number)
        for state in (0, 1):
            patch(server, f"/u{number}?s={state}", f"/u{number}?s={state + 1}", f"0-{half - 1}", 201)
        if number == 2:
            server.expect("GET", "/u2?s=2", 404, errors("BLOB_UPLOAD_UNKNOWN"))
            cancelled(server, "/u2?s=2")
    put(server, "/u3?s=2")
    assert len(upload(registry(server, 0))) == 2


def test_chunks_that_are_thrown_away_are_an_error_where_the_whole_is_too_large(server: ScriptedServer) -> None:
    whole(server, status=413)
    cancelled(server, "/u1?s=0")
    start(server, 2)
    for state in (0, 1):
        patch(server, f"/u2?s={state}", f"/u2?s={state + 1}")
    put(server, "/u2?s=2", 400, errors("DIGEST_INVALID"))
    cancelled(server, "/u2?s=2")
    with pytest.raises(ChunksRefused, match="does not take it in chunks: DIGEST_INVALID"):
        upload(registry(server, 0))


@pytest.mark.parametrize("status", [401, 403])
def test_a_registry_that_forbids_the_first_chunk_gets_the_blob_whole(server: ScriptedServer, status: int) -> None:
    start(server).expect("PATCH", "/u1?s=0", status)
    cancelled(server, "/u1?s=0")
    whole(server, number=2)
    (given_up,) = upload(registry(server))
    assert "does not take it in chunks" in given_up
    assert server.requests[-1].body == BLOB


@pytest.mark.parametrize(("status", "kind"), [(403, AccessDenied), (401, AuthenticationFailed)])
def test_a_refusal_of_the_account_is_none_of_the_form(
    server: ScriptedServer, status: int, kind: type[RegistryError]
) -> None:
    start(server).expect("PATCH", "/u1?s=0", status)
    cancelled(server, "/u1?s=0")
    whole(server, number=2, status=status)
    cancelled(server, "/u2?s=0")
    with pytest.raises(kind):
        upload(registry(server))


def test_a_registry_that_forbids_a_later_chunk_forbids_the_blob(server: ScriptedServer) -> None:
    start(server)
    patch(server, "/u1?s=0", "/u1?s=1", FIRST)
    server.expect("PATCH", "/u1?s=1", 403)
    cancelled(server, "/u1?s=1")
    with pytest.raises(AccessDenied):
        upload(registry(server))


@pytest.mark.parametrize("received", ["", "0-0", FIRST])
def test_a_registry_that_fails_every_chunk_gets_the_blob_whole(server: ScriptedServer, received: str) -> None:
    start(server)
    server.expect("PATCH", "/u1?s=0", 500)
    state(server, "/u1?s=0", "/u1?s=1", received)
    server.expect("PATCH", "/u1?s=1", 500)
    cancelled(server, "/u1?s=1")
    whole(server, number=2)
    (given_up,) = upload(registry(server, retries=1))
    assert "does not take it in chunks" in given_up
    assert server.requests[-1].body == BLOB
