# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.imageops.registry.plugins.module_utils._credentials._credential import ANONYMOUS, Credential
from ansible_collections.imageops.registry.plugins.module_utils._model._errors import (
    AccessDenied,
    NotFound,
    RegistryError,
    UnexpectedAnswer,
)
from ansible_collections.imageops.registry.tests.unit.support.documents import (
    DIGEST,
    LAYER,
    errors,
)
from ansible_collections.imageops.registry.tests.unit.support.registry_client import (
    BLOB,
    registry,
)
from ansible_collections.imageops.registry.tests.unit.support.scripted_server import ScriptedServer


def test_get_blob_of_a_registry_that_ignores_range_starts_at_zero(server: ScriptedServer) -> None:
    server.expect("GET", BLOB, 200, LAYER)
    pieces, start = registry(server).get_blob("a/b", DIGEST, 5)
    assert (b"".join(pieces), start) == (LAYER, 0)


@pytest.mark.parametrize(
    ("status", "body", "headers"),
    [
        (206, b"--x--", {"Content-Type": "multipart/byteranges; boundary=x"}),
        (206, b"--x--", {"Content-Type": "Multipart/ByteRanges; boundary=x", "Content-Range": "bytes 5-17/18"}),
        (200, b"<html>Log in", {"Content-Type": "text/html"}),
        (204, b"", {}),
        (203, LAYER, {}),
        (302, b"", {}),
    ],
)
def test_get_blob_reads_the_whole_where_a_range_gets_another_answer(
    server: ScriptedServer, status: int, body: bytes, headers: dict[str, str]
) -> None:
    server.expect("GET", BLOB, status, body, headers).expect("GET", BLOB, 200, LAYER)
    pieces, start = registry(server).get_blob("a/b", DIGEST, 5)
    assert (b"".join(pieces), start) == (LAYER, 0)
    assert [seen.header("Range") for seen in server.requests] == ["bytes=5-", None]


@pytest.mark.parametrize("login", [ANONYMOUS, Credential("u", "a-password")])
def test_get_blob_reads_the_whole_where_a_range_is_refused_as_if_a_login_were_wanted(
    server: ScriptedServer, login: Credential
) -> None:
    server.expect("GET", BLOB, 200, LAYER).expect("GET", BLOB, 401).expect("GET", BLOB, 200, LAYER)
    client = registry(server, credential=login)
    client.get_blob("a/b", DIGEST)
    pieces, start = client.get_blob("a/b", DIGEST, 5)
    assert (b"".join(pieces), start) == (LAYER, 0)


@pytest.mark.parametrize("status", [400, 403, 404, 405, 412, 416, 500, 501])
def test_get_blob_reads_the_whole_where_a_range_is_refused(server: ScriptedServer, status: int) -> None:
    server.expect("GET", BLOB, status, b"<Error><Code>InvalidRange</Code></Error>")
    if status == 416:
        # Where the blob ends can't be told.
        server.expect("HEAD", BLOB, 405).expect("GET", BLOB, 403)
    server.expect("GET", BLOB, 200, LAYER)
    pieces, start = registry(server).get_blob("a/b", DIGEST, 5)
    assert (b"".join(pieces), start) == (LAYER, 0)
    asked = ["bytes=5-", *(["bytes=0-0"] if status == 416 else []), None]
    assert [seen.header("Range") for seen in server.requests if seen.method == "GET"] == asked


@pytest.mark.parametrize("said", ["", f"bytes */{len(LAYER)}", "bytes */x"])
def test_get_blob_names_the_end_where_an_open_range_is_refused(server: ScriptedServer, said: str) -> None:
    server.expect("GET", BLOB, 416, errors("BLOB_UNKNOWN"), {"Content-Range": said} if said else {})
    if not said[-1:].isdigit():
        server.expect("HEAD", BLOB, 200, length=str(len(LAYER)))
    end = len(LAYER) - 1
    server.expect("GET", BLOB, 206, LAYER[5:], {"Content-Range": f"bytes 5-{end}/{len(LAYER)}"})
    pieces, start = registry(server).get_blob("a/b", DIGEST, 5)
    assert (b"".join(pieces), start) == (LAYER[5:], 5)
    assert server.requests[-1].header("Range") == f"bytes=5-{end}"


@pytest.mark.parametrize("size", ["5", None])
def test_get_blob_names_no_end_that_is_not_known_or_before_the_offset(server: ScriptedServer, size: str | None) -> None:
    server.expect("GET", BLOB, 416).expect("HEAD", BLOB, 200, length=size).expect("GET", BLOB, 200, LAYER)
    pieces, start = registry(server).get_blob("a/b", DIGEST, 5)
    assert (b"".join(pieces), start) == (LAYER, 0)


def test_get_blob_reads_the_whole_where_every_range_is_refused(server: ScriptedServer) -> None:
    server.expect("GET", BLOB, 416, b"", {"Content-Range": f"bytes */{len(LAYER)}"}, times=2)
    server.expect("GET", BLOB, 200, LAYER)
    pieces, start = registry(server).get_blob("a/b", DIGEST, 5)
    assert (b"".join(pieces), start) == (LAYER, 0)


@pytest.mark.parametrize(("status", "kind"), [(403, AccessDenied), (404, NotFound)])
def test_get_blob_that_is_refused_whole_as_well_is_an_error(
    server: ScriptedServer, status: int, kind: type[RegistryError]
) -> None:
    server.expect("GET", BLOB, status, times=2)
    with pytest.raises(kind, match="Cannot read blob"):
        registry(server).get_blob("a/b", DIGEST, 5)


def test_get_blob_of_a_registry_that_is_busy_is_not_asked_for_the_whole(server: ScriptedServer) -> None:
    server.expect("GET", BLOB, 503)
    with pytest.raises(UnexpectedAnswer):
        registry(server).get_blob("a/b", DIGEST, 5)
