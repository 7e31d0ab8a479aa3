# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import pathlib
import typing as t
import urllib.parse

import pytest
from ansible_collections.imageops.registry.plugins.module_utils._blobs._blob_group import BlobGroup, BlobOutcome
from ansible_collections.imageops.registry.plugins.module_utils._blobs._placement import (
    place_blobs,
)
from ansible_collections.imageops.registry.plugins.module_utils._blobs._transfer import (
    BlobSource,
    ContentSource,
    FileSource,
    RegistrySource,
    pieces_from,
    size_at,
    upload_blob,
    verified_pieces,
)
from ansible_collections.imageops.registry.plugins.module_utils._credentials._credential import Credential
from ansible_collections.imageops.registry.plugins.module_utils._end._body import PIECE
from ansible_collections.imageops.registry.plugins.module_utils._model._digest import compute_digest
from ansible_collections.imageops.registry.plugins.module_utils._model._errors import (
    AccessDenied,
    AuthenticationFailed,
    ConnectionFailed,
    ContentMismatch,
    InvalidInput,
    LocalFileError,
    NotFound,
    ProtocolViolation,
    RegistryError,
    UnexpectedAnswer,
    UploadGone,
)
from ansible_collections.imageops.registry.plugins.module_utils._registry._registry import Registry
from ansible_collections.imageops.registry.plugins.module_utils._run._progress import Progress
from ansible_collections.imageops.registry.tests.unit.support.documents import LOGIN, Naps, errors, transport
from ansible_collections.imageops.registry.tests.unit.support.scripted_server import ScriptedServer

Serve = t.Callable[..., ScriptedServer]
LARGE = bytes(range(256)) * (10 * PIECE // 1024)
"""Two pieces and a half."""
DIGEST = compute_digest(LARGE)
SMALL = b"small"
SMALL_DIGEST = compute_digest(SMALL)
EMPTY_DIGEST = compute_digest(b"")
UPLOADS = "/v2/a/b/blobs/uploads/"


def blob(digest: str = DIGEST, repository: str = "a/b") -> str:
    return f"/v2/{repository}/blobs/{digest}"


def put(digest: str = DIGEST, session: str = "/u?s=1") -> str:
    return f"{session}&digest={digest.replace(':', '%3A')}"


def mount(source: str, digest: str = DIGEST, repository: str = "a/b") -> str:
    return f"/v2/{repository}/blobs/uploads/?" + urllib.parse.urlencode({"mount": digest, "from": source})


def at(session: str) -> dict[str, str]:
    return {"Location": session}


def registry(server: ScriptedServer, naps: Naps | None = None, *, writing: bool = True, **options: t.Any) -> Registry:
    options.setdefault("retries", 0)
    options.setdefault("jobs", 1)
    return Registry(transport(server.host, naps, **options), writing=writing)


def group(
    *blobs: tuple[str, int | None], repository: str = "a/b", mount_from: tuple[str, ...] = (), source: str = ""
) -> BlobGroup:
    return BlobGroup(repository, source, mount_from, blobs)


def counted(registry: Registry, *names: str) -> list[int]:
    counts = registry.counters.as_dict()
    return [counts[name] for name in names]


def content(data: bytes) -> t.Callable[[BlobGroup, str], BlobSource]:
    return lambda group, digest: ContentSource(data)


def place(destination: Registry, *groups: BlobGroup, data: bytes = LARGE, check: bool = False) -> list[BlobOutcome]:
    outcomes = []
    for outcome in place_blobs(destination, groups, content(data), check=check, progress=Progress()):
        if isinstance(outcome, RegistryError):
            raise outcome
        outcomes.append(outcome)
    return outcomes


# Sources -------------------------------------------------------------------------------------------------------------


def test_a_file_is_read_in_pieces_from_any_offset(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "blob"
    path.write_bytes(LARGE)
    source = FileSource(str(path))
    pieces, start = source.open(PIECE + 7)
    read = list(pieces)
    assert (b"".join(read), start) == (LARGE[PIECE + 7 :], PIECE + 7)
    assert max(map(len, read)) <= PIECE
    assert source.measure("sha256") == (DIGEST, len(LARGE))
    assert source.measure("sha512") == (compute_digest(LARGE, "sha512"), len(LARGE))


def test_a_file_that_cannot_be_read_is_named(tmp_path: pathlib.Path) -> None:
    source = FileSource(str(tmp_path / "absent"))
    for read in (lambda: list(source.open(0)[0]), lambda: source.measure("sha256")):
        with pytest.raises(LocalFileError, match="absent cannot be read: No such file"):
            read()


def test_content_is_read_from_any_offset() -> None:
    source = ContentSource(SMALL)
    assert b"".join(source.open(2)[0]) == SMALL[2:]
    assert source.measure("sha512") == (compute_digest(SMALL, "sha512"), 5)


@pytest.mark.parametrize("offset", [0, 1, 3, 4, 9, 10])
def test_a_source_that_only_begins_at_0_gives_the_rest(offset: int) -> None:
    class FromTheStart:
        end = None

        def open(self, offset: int) -> tuple[t.Iterator[bytes], int]:
            return iter([b"012", b"", b"3456", b"789"]), 0

    assert b"".join(pieces_from(FromTheStart(), offset)) == b"0123456789"[offset:]


# Verified reading ----------------------------------------------------------------------------------------------------


def read_verified(registry: Registry, digest: str = DIGEST, size: int | None = len(LARGE)) -> bytes:
    return b"".join(verified_pieces(RegistrySource(registry, "a/b", digest), digest, size))


CUT = PIECE + 1000


def test_what_breaks_off_is_read_on_from_there(server: ScriptedServer) -> None:
    server.expect("GET", blob(), 200, LARGE[:CUT], length=str(len(LARGE)), cut=True)
    server.expect("GET", blob(), 206, LARGE[CUT:], {"Content-Range": f"bytes {CUT}-{len(LARGE) - 1}/{len(LARGE)}"})
    naps = Naps()
    client = registry(server, naps, retries=1)
    assert read_verified(client) == LARGE
    assert server.requests[1].header("Range") == f"bytes={CUT}-"
    assert counted(client, "requests", "retries", "bytes_downloaded") == [2, 1, len(LARGE)]
    assert len(naps.seconds) == 1


@pytest.mark.parametrize("length", [str(len(LARGE)), None], ids=["length", "no-length"])
def test_a_registry_that_ignores_the_range_is_read_from_the_start(server: ScriptedServer, length: str | None) -> None:
    server.expect("GET", blob(), 200, LARGE[:CUT], length=length, cut=True).expect("GET", blob(), 200, LARGE)
    client = registry(server, retries=1)
    assert read_verified(client) == LARGE
    assert counted(client, "retries", "bytes_downloaded") == [1, len(LARGE) + CUT]


@pytest.mark.parametrize("start", [0, CUT - 1, CUT + 1])
def test_a_registry_that_answers_another_offset_is_read_from_the_start(server: ScriptedServer, start: int) -> None:
    server.expect("GET", blob(), 200, LARGE[:CUT], length=str(len(LARGE)), cut=True)
    server.expect("GET", blob(), 206, LARGE[start:], {"Content-Range": f"bytes {start}-{len(LARGE) - 1}/*"})
    server.expect("GET", blob(), 200, LARGE)
    client = registry(server, retries=1)
    assert read_verified(client) == LARGE
    assert counted(client, "retries", "bytes_downloaded") == [1, len(LARGE) + CUT]


def test_tries_are_counted_in_a_row_without_progress(server: ScriptedServer) -> None:
    for start in range(5):
        headers = {"Content-Range": f"bytes {start}-4/5"} if start else {}
        piece = SMALL[start : start + 1]
        server.expect("GET", blob(SMALL_DIGEST), 206 if start else 200, piece, headers, length=None, cut=True)
    naps = Naps()
    assert read_verified(registry(server, naps, retries=1), SMALL_DIGEST, 5) == SMALL
    assert len(naps.seconds) == 4


def test_a_byte_now_and_then_is_no_progress(server: ScriptedServer) -> None:
    for start in range(3):
        headers = {"Content-Range": f"bytes {start}-{len(LARGE) - 1}/{len(LARGE)}"} if start else {}
        piece = LARGE[start : start + 1]
        server.expect("GET", blob(), 206 if start else 200, piece, headers, length=None, cut=True)
    with pytest.raises(ConnectionFailed, match=f"only 3 of {len(LARGE)} bytes") as caught:
        read_verified(registry(server, retries=2))
    assert caught.value.operation == f"read blob {DIGEST} from {server.host}/a/b"


def test_a_source_without_progress_is_given_up_for_good(server: ScriptedServer) -> None:
    server.expect("GET", blob(), 200, LARGE[:7], length=str(len(LARGE)), cut=True)
    headers = {"Content-Range": f"bytes 7-{len(LARGE) - 1}/{len(LARGE)}"}
    server.expect("GET", blob(), 206, b"", headers, length=None, cut=True, times=2)
    with pytest.raises(ConnectionFailed, match=f"only 7 of {len(LARGE)} bytes") as caught:
        read_verified(registry(server, retries=2))
    assert not caught.value.temporary


def test_wrong_bytes_never_give_the_last_piece(server: ScriptedServer) -> None:
    wrong = LARGE[:-1] + b"!"
    server.expect("GET", blob(), 200, wrong)
    client = registry(server)
    received = []
    with pytest.raises(ContentMismatch, match="have the digest") as caught:
        for piece in verified_pieces(RegistrySource(client, "a/b", DIGEST), DIGEST, len(LARGE)):
            received.append(piece)
    assert caught.value.operation == f"read blob {DIGEST} from {client.name}/a/b"
    got = b"".join(received)
    assert wrong.startswith(got) and 0 < len(got) < len(wrong)


@pytest.mark.parametrize(
    ("data", "size", "why"),
    [(LARGE + b"!", len(LARGE), "more than the promised"), (LARGE, len(LARGE) - 1, "more than the promised")],
)
def test_more_than_was_promised_ends_the_reading(server: ScriptedServer, data: bytes, size: int, why: str) -> None:
    server.expect("GET", blob(), 200, data)
    with pytest.raises(ContentMismatch, match=why):
        read_verified(registry(server), size=size)


def test_a_size_that_is_not_known_is_not_compared(server: ScriptedServer) -> None:
    server.expect("GET", blob(), 200, LARGE)
    assert read_verified(registry(server), size=None) == LARGE


def test_a_file_that_is_too_short_is_not_read_again(tmp_path: pathlib.Path) -> None:
    (tmp_path / "blob").write_bytes(SMALL[:-1])
    with pytest.raises(ContentMismatch, match="4 bytes of .* arrived, 5 were promised"):
        source = FileSource(str(tmp_path / "blob"))
        list(verified_pieces(source, SMALL_DIGEST, 5))


# One upload ----------------------------------------------------------------------------------------------------------


def test_a_blob_is_sent_by_post_and_put(server: ScriptedServer) -> None:
    server.expect("POST", UPLOADS, 202, headers=at("/u?s=1")).expect("PUT", put(), 201)
    client = registry(server)
    upload_blob(client, "a/b", DIGEST, len(LARGE), ContentSource(LARGE))
    assert server.requests[1].body == LARGE
    assert counted(client, "bytes_uploaded", "sessions_left_open", "retries") == [len(LARGE), 0, 0]


def test_a_blob_flows_from_registry_to_registry_although_the_source_breaks_off(serve: Serve) -> None:
    origin, server = serve(), serve()
    origin.expect("GET", blob(), 200, LARGE[:CUT], length=str(len(LARGE)), cut=True)
    origin.expect("GET", blob(), 206, LARGE[CUT:], {"Content-Range": f"bytes {CUT}-{len(LARGE) - 1}/{len(LARGE)}"})
    server.expect("POST", UPLOADS, 202, headers=at("/u?s=1")).expect("PUT", put(), 201)
    source, destination = registry(origin, writing=False, retries=1), registry(server)
    upload_blob(destination, "a/b", DIGEST, len(LARGE), RegistrySource(source, "a/b", DIGEST))
    assert server.requests[1].body == LARGE
    assert counted(source, "bytes_downloaded", "retries") == [len(LARGE), 1]
    assert counted(destination, "bytes_uploaded", "retries") == [len(LARGE), 0]


@pytest.mark.parametrize("cancelled", [True, False])
@pytest.mark.parametrize(
    ("wrong", "kind"),
    [
        (LARGE[:-1] + b"!", ContentMismatch),
        (LARGE + b"!", ContentMismatch),
        (b"!" * len(LARGE), ContentMismatch),
        (SMALL, ConnectionFailed),
    ],
    ids=["last", "more", "all", "less"],
)
def test_a_put_of_wrong_bytes_is_never_completed(
    serve: Serve, wrong: bytes, kind: type[RegistryError], cancelled: bool
) -> None:
    # The end of a broken request may be seen after the next request.
    origin, server = serve(), serve(ordered=False)
    origin.expect("GET", blob(), 200, wrong)
    server.expect("POST", UPLOADS, 202, headers=at("/u?s=1")).expect("PUT", put(), 0)
    server.expect("DELETE", "/u?s=1", 204 if cancelled else 405)
    source, destination = registry(origin), registry(server)
    with pytest.raises(kind):
        upload_blob(destination, "a/b", DIGEST, len(LARGE), RegistrySource(source, "a/b", DIGEST))
    (body,) = [request.body for request in server.wait_for(3) if request.method == "PUT"]
    assert len(body) < len(LARGE) and wrong.startswith(body)
    assert counted(destination, "bytes_uploaded", "sessions_left_open") == [0, 0 if cancelled else 1]


def test_a_401_in_the_middle_of_an_upload_logs_in_and_begins_a_new_session(server: ScriptedServer) -> None:
    asks = {"WWW-Authenticate": f'Bearer realm="{server.url}/token"'}
    token = "/token?scope=repository%3Aa%2Fb%3Apull%2Cpush&account=ci"
    server.expect("POST", UPLOADS, 401, headers=asks)
    server.expect("GET", token, 200, {"token": "t1", "expires_in": 300})
    server.expect("POST", UPLOADS, 202, headers=at("/u?s=1"))
    server.expect("PUT", put(), 401, headers=asks)
    server.expect("POST", UPLOADS, 401, headers=asks)
    server.expect("GET", token, 200, {"token": "t2", "expires_in": 300})
    server.expect("POST", UPLOADS, 202, headers=at("/u?s=2"))
    server.expect("PUT", put(session="/u?s=2"), 201).expect("DELETE", "/u?s=1", 204)
    client = registry(server, credential=LOGIN, retries=1)
    upload_blob(client, "a/b", DIGEST, len(LARGE), ContentSource(LARGE))
    assert server.requests[-2].body == LARGE
    assert server.requests[-2].header("Authorization") == "Bearer t2"
    assert counted(client, "retries", "sessions_left_open") == [1, 0]


def test_a_session_that_is_gone_is_followed_by_a_new_one(server: ScriptedServer) -> None:
    server.expect("POST", UPLOADS, 202, headers=at("/u?s=1"))
    server.expect("PUT", put(), 404, errors("BLOB_UPLOAD_UNKNOWN")).expect("HEAD", blob(), 404)
    server.expect("POST", UPLOADS, 202, headers=at("/u?s=2")).expect("PUT", put(session="/u?s=2"), 201)
    naps = Naps()
    client = registry(server, naps, retries=1)
    upload_blob(client, "a/b", DIGEST, len(LARGE), ContentSource(LARGE))
    assert server.requests[-1].body == LARGE
    assert len(naps.seconds) == 1
    assert counted(client, "retries", "sessions_left_open", "bytes_uploaded") == [1, 0, len(LARGE)]


@pytest.mark.parametrize("status", [500, 502, 0])
def test_a_blob_that_arrived_although_the_answer_is_an_error_is_not_sent_again(
    server: ScriptedServer, status: int
) -> None:
    server.expect("POST", UPLOADS, 202, headers=at("/u?s=1")).expect("PUT", put(), status)
    server.expect("HEAD", blob(), 200, length=str(len(LARGE)))
    # Somebody else may have brought it.
    server.expect("DELETE", "/u?s=1", 404, errors("BLOB_UPLOAD_UNKNOWN"))
    client = registry(server, retries=1)
    upload_blob(client, "a/b", DIGEST, len(LARGE), ContentSource(LARGE))
    assert counted(client, "bytes_uploaded", "sessions_left_open") == [len(LARGE), 0]


@pytest.mark.parametrize(("cancel", "left_open"), [(204, 0), (403, 1)])
def test_a_blob_that_arrived_in_part_is_sent_again_and_its_first_session_cancelled_at_the_end(
    server: ScriptedServer, cancel: int, left_open: int
) -> None:
    server.expect("POST", UPLOADS, 202, headers=at("/u?s=1")).expect("PUT", put(), 503)
    server.expect("HEAD", blob(), 200, length="7").expect("GET", "/u?s=1", 404, errors("BLOB_UPLOAD_INVALID"))
    server.expect("POST", UPLOADS, 202, headers=at("/u?s=2")).expect("PUT", put(session="/u?s=2"), 201)
    server.expect("DELETE", "/u?s=1", cancel)
    client = registry(server, retries=1)
    upload_blob(client, "a/b", DIGEST, len(LARGE), ContentSource(LARGE))
    assert counted(client, "retries", "sessions_left_open") == [1, left_open]


def broken_off(server: ScriptedServer) -> None:
    """An upload of which the registry has ``CUT`` bytes, and what continues it."""
    server.expect("POST", UPLOADS, 202, headers=at("/u?s=1")).expect("PUT", put(), 503)
    server.expect("HEAD", blob(), 404)
    server.expect("GET", "/u?s=1", 204, headers={**at("/u?s=5"), "Range": f"0-{CUT - 1}"})


def test_an_upload_that_broke_off_is_continued_from_what_the_registry_has(server: ScriptedServer) -> None:
    broken_off(server)
    server.expect("PATCH", "/u?s=5", 202, headers={**at("/u?s=6"), "Range": f"0-{len(LARGE) - 1}"})
    server.expect("PUT", put(session="/u?s=6"), 201)
    client = registry(server, retries=1)
    assert upload_blob(client, "a/b", DIGEST, len(LARGE), ContentSource(LARGE)) == []
    rest = server.requests[4]
    assert (rest.header("Content-Range"), rest.body) == (f"{CUT}-{len(LARGE) - 1}", LARGE[CUT:])
    assert counted(client, "retries", "sessions_left_open", "bytes_uploaded") == [1, 0, len(LARGE)]


@pytest.mark.parametrize("refused", ["401", "403", "405", "whole"])
def test_an_upload_that_cannot_be_continued_is_begun_again(server: ScriptedServer, refused: str) -> None:
    broken_off(server)
    if refused != "whole":
        server.expect("PATCH", "/u?s=5", int(refused)).expect("DELETE", "/u?s=5", 204)
    else:
        server.expect("PATCH", "/u?s=5", 202, headers={**at("/u?s=6"), "Range": f"0-{len(LARGE) - 1}"})
        server.expect("PUT", put(session="/u?s=6"), 400, errors("DIGEST_INVALID")).expect("DELETE", "/u?s=6", 204)
    server.expect("POST", UPLOADS, 202, headers=at("/u?s=7")).expect("PUT", put(session="/u?s=7"), 201)
    client = registry(server, retries=1)
    (given_up,) = upload_blob(client, "a/b", DIGEST, len(LARGE), ContentSource(LARGE))
    assert ("DIGEST_INVALID" if refused == "whole" else "in chunks") in given_up
    assert server.requests[-1].body == LARGE
    assert counted(client, "sessions_left_open") == [0]


def test_a_new_session_is_new_whatever_its_range_says(server: ScriptedServer) -> None:
    server.expect("POST", UPLOADS, 202, headers={**at("/u?s=1"), "Range": "0-100"}).expect("PUT", put(), 201)
    upload_blob(registry(server), "a/b", DIGEST, len(LARGE), ContentSource(LARGE))
    assert server.requests[1].body == LARGE


def test_what_is_continued_in_vain_again_and_again_ends(server: ScriptedServer) -> None:
    for number in (1, 2):
        server.expect("POST", UPLOADS, 202, headers=at(f"/u?s={number}"))
        server.expect("PUT", put(session=f"/u?s={number}"), 503).expect("HEAD", blob(), 404)
        if number == 2:
            server.expect("GET", blob(), 404)
        server.expect("GET", f"/u?s={number}", 204, headers={**at("/u?s=5"), "Range": f"0-{CUT - 1}"})
        server.expect("PATCH", "/u?s=5", 405).expect("DELETE", "/u?s=5", 204)
    server.expect("POST", UPLOADS, 202, headers=at("/u?s=3")).expect("PUT", put(session="/u?s=3"), 503)
    server.expect("DELETE", "/u?s=3", 204)
    client = registry(server, retries=4)
    with pytest.raises(UnexpectedAnswer):
        upload_blob(client, "a/b", DIGEST, len(LARGE), ContentSource(LARGE))


def test_a_session_that_does_not_say_what_it_has_is_not_continued(server: ScriptedServer) -> None:
    server.expect("POST", UPLOADS, 202, headers=at("/u?s=1")).expect("PUT", put(), 503)
    server.expect("HEAD", blob(), 404).expect("GET", "/u?s=1", 204, headers=at("/u?s=5"))
    server.expect("POST", UPLOADS, 202, headers=at("/u?s=2")).expect("PUT", put(session="/u?s=2"), 201)
    server.expect("DELETE", "/u?s=1", 204)
    upload_blob(registry(server, retries=1), "a/b", DIGEST, len(LARGE), ContentSource(LARGE))


def test_a_source_that_fails_for_good_is_read_once(serve: Serve) -> None:
    origin, server = serve(), serve(ordered=False)
    origin.expect("GET", blob(), 503, times=2)
    server.expect("POST", UPLOADS, 202, headers=at("/u?s=1")).expect("PUT", put(), 0)
    server.expect("DELETE", "/u?s=1", 204)
    source = registry(origin, writing=False, retries=1)
    with pytest.raises(UnexpectedAnswer, match=f"Cannot read blob {DIGEST} from") as caught:
        upload_blob(registry(server, retries=3), "a/b", DIGEST, len(LARGE), RegistrySource(source, "a/b", DIGEST))
    assert not caught.value.temporary


@pytest.mark.parametrize("received", [1, PIECE - 1, len(LARGE) + 1])
def test_too_little_or_too_much_is_not_continued(server: ScriptedServer, received: int) -> None:
    server.expect("POST", UPLOADS, 202, headers=at("/u?s=1")).expect("PUT", put(), 503)
    server.expect("HEAD", blob(), 404)
    server.expect("GET", "/u?s=1", 204, headers={**at("/u?s=5"), "Range": f"0-{received - 1}"})
    server.expect("POST", UPLOADS, 202, headers=at("/u?s=2")).expect("PUT", put(session="/u?s=2"), 201)
    server.expect("DELETE", "/u?s=1", 204)
    client = registry(server, retries=1)
    assert upload_blob(client, "a/b", DIGEST, len(LARGE), ContentSource(LARGE)) == []
    assert counted(client, "sessions_left_open") == [0]


@pytest.mark.parametrize(
    ("status", "body", "kind", "left_open"),
    [
        (503, b"", UnexpectedAnswer, 2),
        (404, errors("BLOB_UPLOAD_UNKNOWN"), UploadGone, 0),
        (0, b"", ConnectionFailed, 2),
    ],
)
def test_an_upload_that_keeps_failing_is_given_up(
    server: ScriptedServer, status: int, body: t.Any, kind: type[RegistryError], left_open: int
) -> None:
    server.expect("POST", UPLOADS, 202, headers=at("/u?s=1")).expect("PUT", put(), status, body)
    server.expect("HEAD", blob(), 404)
    if left_open:
        server.expect("GET", "/u?s=1", 204, headers={**at("/u?s=1"), "Range": "0-0"})
    server.expect("POST", UPLOADS, 202, headers=at("/u?s=2")).expect("PUT", put(session="/u?s=2"), status, body)
    for number in range(1, left_open + 1):
        server.expect("DELETE", f"/u?s={number}", 403)
    client = registry(server, retries=1)
    with pytest.raises(kind, match=f"Cannot upload blob {DIGEST}"):
        upload_blob(client, "a/b", DIGEST, len(LARGE), ContentSource(LARGE))
    assert counted(client, "sessions_left_open", "bytes_uploaded") == [left_open, 0]


@pytest.mark.parametrize(("cancel", "left_open"), [(204, 0), (403, 1)])
@pytest.mark.parametrize(("status", "kind"), [(400, UnexpectedAnswer), (403, AccessDenied), (415, UnexpectedAnswer)])
def test_an_upload_that_is_refused_cancels_its_session(
    server: ScriptedServer, status: int, kind: type[RegistryError], cancel: int, left_open: int
) -> None:
    server.expect("POST", UPLOADS, 202, headers=at("/u?s=1")).expect("PUT", put(), status)
    server.expect("DELETE", "/u?s=1", cancel)
    client = registry(server, retries=2)
    with pytest.raises(kind):
        upload_blob(client, "a/b", DIGEST, len(LARGE), ContentSource(LARGE))
    assert counted(client, "sessions_left_open", "retries") == [left_open, 0]


def test_the_wrong_digest_of_an_empty_blob_is_found_before_it_is_sent(server: ScriptedServer) -> None:
    server.expect("POST", UPLOADS, 202, headers=at("/u?s=1")).expect("DELETE", "/u?s=1", 204)
    with pytest.raises(ContentMismatch):
        upload_blob(registry(server), "a/b", SMALL_DIGEST, 0, ContentSource(b""))


# Many blobs ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("length", "given", "size"),
    [(str(len(LARGE)), len(LARGE), len(LARGE)), ("7", None, 7), (None, 7, 7), (None, None, 0)],
)
def test_a_blob_that_is_there_is_left_alone(
    server: ScriptedServer, length: str | None, given: int | None, size: int
) -> None:
    server.expect("HEAD", blob(), 200, length=length)
    client = registry(server)
    assert place(client, group((DIGEST, given))) == [BlobOutcome("a/b", DIGEST, size, "exists")]
    assert counted(client, "bytes_skipped", "bytes_uploaded") == [size, 0]


def test_a_blob_that_is_there_in_another_size_is_uploaded_again(server: ScriptedServer) -> None:
    server.expect("HEAD", blob(), 200, length=str(len(LARGE) - 1))
    server.expect("POST", UPLOADS, 202, headers=at("/u?s=1")).expect("PUT", put(), 201)
    assert place(registry(server), group((DIGEST, len(LARGE))))[0].action == "upload"
    assert server.requests[-1].body == LARGE


def test_an_empty_blob_is_uploaded(server: ScriptedServer) -> None:
    server.expect("HEAD", blob(EMPTY_DIGEST), 404)
    server.expect("POST", UPLOADS, 202, headers=at("/u?s=1")).expect("PUT", put(EMPTY_DIGEST), 201)
    client = registry(server)
    assert place(client, group((EMPTY_DIGEST, 0)), data=b"") == [BlobOutcome("a/b", EMPTY_DIGEST, 0, "upload")]
    assert server.requests[-1].header("Content-Length") == "0"
    assert counted(client, "bytes_uploaded") == [0]


@pytest.mark.parametrize("check", [True, False])
def test_a_mount_answered_201_uploads_nothing(server: ScriptedServer, check: bool) -> None:
    server.expect("HEAD", blob(), 404)
    if not check:
        server.expect("POST", mount("c/d"), 201, headers=at(blob()))
    client = registry(server)
    (outcome,) = place(client, group((DIGEST, len(LARGE)), mount_from=("c/d",)), check=check)
    assert outcome == BlobOutcome("a/b", DIGEST, len(LARGE), "mount_or_upload" if check else "mount")
    assert counted(client, "bytes_mounted", "bytes_uploaded") == [0 if check else len(LARGE), 0]


def test_a_mount_answered_202_is_the_session_of_the_upload(server: ScriptedServer) -> None:
    server.expect("HEAD", blob(), 404).expect("POST", mount("c/d"), 202, headers=at("/u?s=1"))
    server.expect("PUT", put(), 201)
    client = registry(server)
    (outcome,) = place(client, group((DIGEST, len(LARGE)), mount_from=("c/d",)))
    assert (outcome.action, outcome.given_up) == ("upload", ("The registry did not mount the blob from c/d.",))
    assert counted(client, "bytes_uploaded", "sessions_left_open") == [len(LARGE), 0]


@pytest.mark.parametrize("status", [200, 202, 400, 401, 403, 404, 405, 500])
def test_a_mount_answered_otherwise_is_given_up_for_an_upload(server: ScriptedServer, status: int) -> None:
    # A 202 without Location is no session.
    server.expect("HEAD", blob(), 404).expect("POST", mount("c/d"), status)
    server.expect("POST", UPLOADS, 202, headers=at("/u?s=1")).expect("PUT", put(), 201)
    (outcome,) = place(
        registry(server, credential=Credential(token="tok")), group((DIGEST, len(LARGE)), mount_from=("c/d",))
    )
    assert outcome.action == "upload"
    (reason,) = outcome.given_up
    assert reason.startswith(f"Cannot mount blob {DIGEST} from c/d into {server.host}/a/b: ")


@pytest.mark.parametrize(("cancel", "left_open"), [(204, 0), (404, 1), (405, 1), (401, 1)])
@pytest.mark.parametrize("second", [201, 202])
def test_a_session_that_another_mount_makes_superfluous_is_cancelled_or_counted(
    server: ScriptedServer, second: int, cancel: int, left_open: int
) -> None:
    server.expect("HEAD", blob(), 404)
    server.expect("POST", mount("c/d"), 202, headers=at("/u?s=1"))
    server.expect("POST", mount("e/f"), second, headers=at("/u?s=2"))
    server.expect("DELETE", "/u?s=1", cancel)
    if second == 202:
        server.expect("PUT", put(session="/u?s=2"), 201)
    client = registry(server, credential=Credential(token="tok"))
    (outcome,) = place(client, group((DIGEST, len(LARGE)), mount_from=("c/d", "e/f")))
    assert outcome.action == ("mount" if second == 201 else "upload")
    assert len(outcome.given_up) == (1 if second == 201 else 2)
    assert counted(client, "sessions_left_open") == [left_open]


def test_no_more_than_three_mounts_are_tried_and_none_from_the_repository_itself(server: ScriptedServer) -> None:
    server.expect("HEAD", blob(), 404)
    for name in "cde":
        server.expect("POST", mount(name), 403)
    server.expect("POST", UPLOADS, 202, headers=at("/u?s=1")).expect("PUT", put(), 201)
    (outcome,) = place(registry(server), group((DIGEST, len(LARGE)), mount_from=("c", "a/b", "c", "d", "e", "f")))
    assert len(outcome.given_up) == 3


def test_a_blob_of_many_repositories_is_uploaded_once_and_mounted_into_the_others(server: ScriptedServer) -> None:
    for name in ("a/b", "c", "e"):
        server.expect("HEAD", blob(repository=name), 404)
    server.expect("POST", UPLOADS, 202, headers=at("/u?s=1")).expect("PUT", put(), 201)
    server.expect("POST", mount("a/b", repository="c"), 201).expect("POST", mount("a/b", repository="e"), 201)
    client = registry(server)
    groups = [group((DIGEST, len(LARGE)), repository=name) for name in ("a/b", "c", "e")]
    assert [outcome.action for outcome in place(client, *groups)] == ["upload", "mount", "mount"]
    assert counted(client, "bytes_uploaded", "bytes_mounted", "bytes_skipped") == [len(LARGE), 2 * len(LARGE), 0]


def test_a_blob_that_a_later_repository_has_is_mounted_from_there(server: ScriptedServer) -> None:
    server.expect("HEAD", blob(repository="a/b"), 404)
    server.expect("HEAD", blob(repository="c"), 200, length=str(len(LARGE)))
    server.expect("POST", mount("c"), 201)
    client = registry(server)
    groups = [group((DIGEST, len(LARGE)), repository=name) for name in ("a/b", "c")]
    assert [outcome.action for outcome in place(client, *groups)] == ["mount", "exists"]
    assert counted(client, "bytes_uploaded", "bytes_mounted", "bytes_skipped") == [0, len(LARGE), len(LARGE)]


def test_check_mode_predicts_a_mount_of_what_another_repository_is_to_get(server: ScriptedServer) -> None:
    for name in ("a/b", "c"):
        server.expect("HEAD", blob(repository=name), 404)
    groups = [group((DIGEST, len(LARGE)), repository=name) for name in ("a/b", "c")]
    outcomes = place(registry(server, writing=False), *groups, check=True)
    assert [outcome.action for outcome in outcomes] == ["upload", "mount_or_upload"]


def test_the_largest_blobs_go_first_and_the_outcomes_keep_their_order(server: ScriptedServer) -> None:
    sizes = {compute_digest(str(number).encode()): size for number, size in enumerate((5, 700, 0, 60))}
    for digest in sorted(sizes, key=sizes.__getitem__, reverse=True):
        server.expect("HEAD", blob(digest), 200, length=str(sizes[digest]))
    outcomes = place(registry(server), group(*sizes.items()))
    assert [(outcome.digest, outcome.size) for outcome in outcomes] == list(sizes.items())


def test_one_blob_that_fails_does_not_stop_the_others(server: ScriptedServer) -> None:
    server.expect("HEAD", blob(), 403).expect("GET", blob(), 403)
    server.expect("HEAD", blob(repository="c"), 200, length=str(len(LARGE)))
    server.expect("HEAD", blob(SMALL_DIGEST), 200, length="5")
    groups = [group((DIGEST, len(LARGE)), (SMALL_DIGEST, 5)), group((DIGEST, len(LARGE)), repository="c")]
    outcomes = place_blobs(registry(server), groups, content(LARGE), check=False, progress=Progress())
    assert isinstance(outcomes[0], AccessDenied)
    assert [outcome.action for outcome in outcomes[1:] if isinstance(outcome, BlobOutcome)] == ["exists", "exists"]


def test_a_blob_without_a_source_is_an_outcome(server: ScriptedServer) -> None:
    def none(group: BlobGroup, digest: str) -> BlobSource:
        raise InvalidInput("no source is given")

    server.expect("HEAD", blob(), 404)
    (outcome,) = place_blobs(registry(server), [group((DIGEST, None))], none, check=False, progress=Progress())
    assert isinstance(outcome, InvalidInput)


@pytest.mark.parametrize(
    ("status", "length", "kind"), [(200, "7", None), (404, "", NotFound), (200, None, InvalidInput)]
)
def test_a_size_that_is_not_given_is_looked_up_at_the_source(
    serve: Serve, status: int, length: str | None, kind: type[RegistryError] | None
) -> None:
    origin, server = serve(), serve()
    server.expect("HEAD", blob(), 404)
    origin.expect("HEAD", blob(repository="x"), status, length=length)
    source = registry(origin, writing=False)
    (outcome,) = place_blobs(
        registry(server),
        [group((DIGEST, None))],
        lambda *_: RegistrySource(source, "x", DIGEST),
        check=True,
        progress=Progress(),
    )
    if kind is None:
        assert outcome == BlobOutcome("a/b", DIGEST, 7, "upload")
    else:
        assert isinstance(outcome, kind)


def test_a_size_that_is_not_given_is_measured(server: ScriptedServer, tmp_path: pathlib.Path) -> None:
    (tmp_path / "blob").write_bytes(LARGE)
    server.expect("HEAD", blob(), 404, times=2)
    client = registry(server)
    assert place(client, group((DIGEST, None)), check=True)[0].size == len(LARGE)
    (outcome,) = place_blobs(
        client, [group((DIGEST, None))], lambda *_: FileSource(str(tmp_path / "blob")), check=True, progress=Progress()
    )
    assert isinstance(outcome, BlobOutcome) and outcome.size == len(LARGE)


def test_a_source_of_another_kind_needs_a_size(server: ScriptedServer) -> None:
    class Other:
        end = None

        def open(self, offset: int) -> tuple[t.Iterator[bytes], int]:
            return iter([SMALL]), 0

    server.expect("HEAD", blob(), 404)
    (outcome,) = place_blobs(
        registry(server), [group((DIGEST, None))], lambda *_: Other(), check=True, progress=Progress()
    )
    assert isinstance(outcome, InvalidInput) and outcome.hint == "Give size"


def test_blobs_are_placed_by_many_threads(serve: Serve) -> None:
    server = serve(ordered=False)
    blobs = {compute_digest(str(number).encode()): str(number).encode() for number in range(20)}
    for digest in blobs:
        server.expect("HEAD", blob(digest), 404).expect("PUT", put(digest), 201)
    server.expect("GET", "/v2/a/b/tags/list?n=1", 200, b"{}")
    server.expect("POST", UPLOADS, 202, headers=at("/u?s=1"), times=20)
    wanted = group(*((digest, len(data)) for digest, data in blobs.items()))
    client = registry(server, jobs=4)
    outcomes = place_blobs(
        client, [wanted], lambda _group, digest: ContentSource(blobs[digest]), check=False, progress=Progress()
    )
    assert [outcome.digest for outcome in outcomes if isinstance(outcome, BlobOutcome)] == list(blobs)
    assert {request.target: request.body for request in server.requests if request.method == "PUT"} == {
        put(digest): data for digest, data in blobs.items()
    }


def test_a_mount_that_fails_for_a_while_is_tried_once(server: ScriptedServer) -> None:
    server.expect("HEAD", blob(), 404).expect("POST", mount("c/d"), 503)
    server.expect("POST", UPLOADS, 202, headers=at("/u?s=1")).expect("PUT", put(), 201)
    naps = Naps()
    client = registry(server, naps, retries=3)
    (outcome,) = place(client, group((DIGEST, len(LARGE)), mount_from=("c/d",)))
    assert (outcome.action, counted(client, "retries")) == ("upload", [0])
    # The registry is left alone for a moment.
    assert naps.seconds and max(naps.seconds) <= 1.25


def test_the_size_of_a_blob_that_is_not_there_is_an_error_that_names_it(server: ScriptedServer) -> None:
    server.expect("HEAD", blob(), 404)
    with pytest.raises(NotFound, match=f"Cannot read blob {DIGEST} from {server.host}/a/b: it is not there.*Check"):
        size_at(registry(server), "a/b", DIGEST)


def test_a_login_that_is_refused_for_good_ends_the_upload(server: ScriptedServer) -> None:
    server.expect("POST", UPLOADS, 202, headers=at("/u?s=1")).expect("PUT", put(), 401)
    server.expect("DELETE", "/u?s=1", 204)
    with pytest.raises(AuthenticationFailed):
        client = registry(server, credential=Credential(token="tok"), retries=2)
        upload_blob(client, "a/b", DIGEST, len(LARGE), ContentSource(LARGE))


def test_a_path_that_is_no_file_is_not_waited_for(tmp_path: pathlib.Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(LocalFileError, match="is not a file"):
        FileSource(str(tmp_path / "pipe")).measure("sha256")


def test_a_size_beyond_all_measure_is_refused(server: ScriptedServer) -> None:
    server.expect("HEAD", blob(), 200, length=str(10**17))
    with pytest.raises(ProtocolViolation, match=f"Cannot read blob {DIGEST} from .*/a/b: .* it has 1000000"):
        size_at(registry(server), "a/b", DIGEST)


def test_a_source_that_gives_another_range_than_it_says_is_read_once_more_in_one_go(serve: Serve) -> None:
    origin, server = serve(), serve(ordered=False)
    origin.expect("GET", blob(), 200, LARGE[:CUT], length=str(len(LARGE)), cut=True)
    said = {"Content-Range": f"bytes {CUT}-{len(LARGE) - 1}/{len(LARGE)}"}
    origin.expect("GET", blob(), 206, LARGE[:-CUT], said)
    origin.expect("GET", blob(), 200, LARGE)
    server.expect("POST", UPLOADS, 202, headers=at("/u?s=1")).expect("PUT", put(), 0)
    server.expect("DELETE", "/u?s=1", 204)
    server.expect("POST", UPLOADS, 202, headers=at("/u?s=2")).expect("PUT", put(session="/u?s=2"), 201)
    source = registry(origin, writing=False, retries=1)
    (given_up,) = upload_blob(registry(server), "a/b", DIGEST, len(LARGE), RegistrySource(source, "a/b", DIGEST))
    assert "have the digest" in given_up
    assert server.requests[-1].body == LARGE
