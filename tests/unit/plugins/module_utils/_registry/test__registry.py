# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t
import urllib.parse

import pytest
from ansible_collections.imageops.registry.plugins.module_utils._credentials._credential import ANONYMOUS, Credential
from ansible_collections.imageops.registry.plugins.module_utils._end._body import Body
from ansible_collections.imageops.registry.plugins.module_utils._end._referrers import Referrers, referrers_tag
from ansible_collections.imageops.registry.plugins.module_utils._end._upload_session import UploadSession
from ansible_collections.imageops.registry.plugins.module_utils._http._notices import Notices
from ansible_collections.imageops.registry.plugins.module_utils._images._referrers import referrers_of
from ansible_collections.imageops.registry.plugins.module_utils._model._digest import compute_digest
from ansible_collections.imageops.registry.plugins.module_utils._model._errors import (
    AccessDenied,
    AuthenticationFailed,
    BodyTooLarge,
    ConnectionFailed,
    ForeignType,
    InvalidInput,
    NotFound,
    ProtocolViolation,
    RateLimited,
    ReferencesMissing,
    RegistryError,
    RepositoryMissing,
    TLSFailed,
    UnexpectedAnswer,
    Unsupported,
    UploadGone,
)
from ansible_collections.imageops.registry.plugins.module_utils._model._manifest import (
    ACCEPT,
    DOCKER_LIST,
    DOCKER_MANIFEST,
    OCI_INDEX,
    OCI_MANIFEST,
    Descriptor,
    Manifest,
)
from ansible_collections.imageops.registry.plugins.module_utils._registry import _pages
from ansible_collections.imageops.registry.plugins.module_utils._registry._registry import Registry
from ansible_collections.imageops.registry.tests.unit.support.certificates import Certificates
from ansible_collections.imageops.registry.tests.unit.support.documents import (
    DIGEST,
    DIGEST_512,
    LAYER,
    LOGIN,
    OTHER_DIGEST,
    Naps,
    descriptor,
    encoded,
    errors,
    image,
    index,
    transport,
)
from ansible_collections.imageops.registry.tests.unit.support.scripted_server import ScriptedServer

Serve = t.Callable[..., ScriptedServer]
TOKEN = Credential(token="tok")
CONTENT = encoded(image())
MANIFEST_DIGEST = compute_digest(CONTENT)
BLOB = f"/v2/a/b/blobs/{DIGEST}"
UPLOADS = "/v2/a/b/blobs/uploads/"
ENCODED_DIGEST = DIGEST.replace(":", "%3A")


def registry(server: ScriptedServer, *, writing: bool = True, **options: t.Any) -> Registry:
    options.setdefault("retries", 0)
    return Registry(transport(server.host, **options), writing=writing)


def described(content: bytes = CONTENT, media_type: str = OCI_MANIFEST, digest: str = "") -> dict[str, str]:
    return {
        "Content-Type": media_type,
        "Content-Length": str(len(content)),
        "Docker-Content-Digest": digest or compute_digest(content),
    }


# Scopes --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("writing", "call", "request_line", "scopes"),
    [
        (False, lambda r: r.head_blob("a/b", DIGEST), f"HEAD {BLOB}", ["repository:a/b:pull"]),
        (True, lambda r: r.head_blob("a/b", DIGEST), f"HEAD {BLOB}", ["repository:a/b:pull,push"]),
        (False, lambda r: r.list_tags("a/b"), "GET /v2/a/b/tags/list", ["repository:a/b:pull"]),
        (False, lambda r: r.get_manifest("a/b", "1"), "GET /v2/a/b/manifests/1", ["repository:a/b:pull"]),
        (True, lambda r: r.start_upload("a/b"), f"POST {UPLOADS}", ["repository:a/b:pull,push"]),
        (True, lambda r: r.delete_manifest("a/b", "1"), "DELETE /v2/a/b/manifests/1", ["repository:a/b:pull,delete"]),
        (
            True,
            lambda r: r.mount_blob("a/b", DIGEST, "0/c"),
            f"POST {UPLOADS}?mount={ENCODED_DIGEST}&from=0%2Fc",
            ["repository:a/b:pull,push", "repository:0/c:pull"],
        ),
        (False, lambda r: r.list_repositories(), "GET /v2/_catalog", ["registry:catalog:*"]),
    ],
)
def test_a_token_is_asked_for_what_is_done(
    server: ScriptedServer, writing: bool, call: t.Callable[[Registry], t.Any], request_line: str, scopes: list[str]
) -> None:
    method, target = request_line.split(" ")
    server.expect(method, target, 401, headers={"WWW-Authenticate": f'Bearer realm="{server.url}/token"'})
    server.expect("GET", "/token?" + urllib.parse.urlencode([("scope", scope) for scope in scopes]), 418)
    with pytest.raises(RegistryError, match="gave no token"):
        call(registry(server, writing=writing))


# /v2/ ----------------------------------------------------------------------------------------------------------------


def test_check_api_of_an_open_registry(server: ScriptedServer) -> None:
    server.expect(
        "GET", "/v2/", 200, {}, {"Content-Type": "application/json", "Docker-Distribution-Api-Version": "registry/2.0"}
    )
    assert registry(server).check_api() == (True, False, False, (), "registry/2.0", "")


def test_check_api_of_a_closed_registry_without_a_login(server: ScriptedServer) -> None:
    server.expect(
        "GET", "/v2/", 401, headers=[("WWW-Authenticate", 'Basic realm="x"'), ("WWW-Authenticate", "Bearer realm=y")]
    )
    assert registry(server, credential=ANONYMOUS).check_api() == (True, True, False, ("basic", "bearer"), "", "")


def test_check_api_logs_in(server: ScriptedServer) -> None:
    server.expect("GET", "/v2/", 401, headers={"WWW-Authenticate": 'Basic realm="x"'})
    server.expect("GET", "/v2/", 200, {}).expect("HEAD", BLOB, 404)
    client = registry(server, credential=LOGIN)
    assert client.check_api() == (True, True, True, ("basic",), "", "")
    client.head_blob("a/b", DIGEST)
    assert [request.header("Authorization") is None for request in server.requests] == [True, False, False]


def test_check_api_gets_a_token_after_one_401(server: ScriptedServer) -> None:
    server.expect("GET", "/v2/", 401, headers={"WWW-Authenticate": f'Bearer realm="{server.url}/token"'})
    server.expect("GET", "/token?account=ci", 200, {"token": "t1", "expires_in": 300}).expect("GET", "/v2/", 200, {})
    assert registry(server, credential=LOGIN).check_api() == (True, True, True, ("bearer",), "", "")


def test_check_api_raises_where_the_login_is_refused(server: ScriptedServer) -> None:
    server.expect("GET", "/v2/", 401, headers={"WWW-Authenticate": 'Basic realm="x"'}, times=2)
    with pytest.raises(AuthenticationFailed, match=f"Cannot log in to {server.host}: "):
        registry(server, credential=LOGIN).check_api()


def test_check_api_raises_where_there_is_no_way_to_log_in(server: ScriptedServer) -> None:
    server.expect("GET", "/v2/", 401, headers={"WWW-Authenticate": "Negotiate"})
    with pytest.raises(AuthenticationFailed, match="Cannot check the API of .*schemes: negotiate"):
        registry(server, credential=LOGIN).check_api()


def test_check_api_does_not_learn_from_a_redirects_target(serve: Serve) -> None:
    server, foreign = serve(), serve()
    asks = {"WWW-Authenticate": 'Basic realm="x"'}
    server.expect("GET", "/v2/", 307, headers={"Location": foreign.url + "/v2/"})
    foreign.expect("GET", "/v2/", 401, headers=asks)
    assert not registry(server, credential=LOGIN).check_api().is_registry
    assert [request.header("Authorization") for request in [*server.requests, *foreign.requests]] == [None] * 2


@pytest.mark.parametrize(
    ("status", "headers"),
    [(404, {}), (200, {"Content-Type": "text/html"}), (401, {}), (302, {}), (200, {})],
)
def test_check_api_of_what_is_no_registry(server: ScriptedServer, status: int, headers: dict[str, str]) -> None:
    server.expect("GET", "/v2/", status, b"<html>", headers)
    assert not registry(server, credential=LOGIN).check_api().is_registry


def test_check_api_of_a_registry_that_expects_tls_is_an_error(server: ScriptedServer) -> None:
    server.expect("GET", "/v2/", 400, b"Client sent an HTTP request to an HTTPS server.\n")
    with pytest.raises(TLSFailed, match="Cannot check the API of .*expects TLS.*Set plain_http to false"):
        registry(server).check_api()


def test_check_api_tries_again_where_the_registry_is_busy(server: ScriptedServer) -> None:
    server.expect("GET", "/v2/", 503, b"<html>")
    server.expect("GET", "/v2/", 200, b"{}", {"Docker-Distribution-Api-Version": "registry/2.0"})
    assert registry(server, retries=1).check_api().is_registry


def test_check_api_of_a_registry_that_stays_busy_is_an_error(server: ScriptedServer) -> None:
    server.expect("GET", "/v2/", 503, b"<html>", times=2)
    with pytest.raises(UnexpectedAnswer, match="answer 503"):
        registry(server, retries=1).check_api()


def test_a_tag_on_a_manifest_of_another_type_has_its_digest(server: ScriptedServer) -> None:
    kind = "application/vnd.docker.distribution.manifest.v1+prettyjws"
    server.expect("HEAD", "/v2/a/b/manifests/1", 200, headers={**described(), "Content-Type": kind})
    found = registry(server).head_manifest("a/b", "1")
    assert found is not None and (found.digest, found.media_type) == (MANIFEST_DIGEST, kind)


# Blobs ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("length", "size"), [("7", 7), ("0", 0), (None, -1), ("x", -1), ("\u00b2", -1), ("9" * 5000, -1), ("-1", -1)]
)
def test_head_blob_gives_the_size_or_minus_one(server: ScriptedServer, length: str | None, size: int) -> None:
    server.expect("HEAD", BLOB, 200, length=length)
    assert registry(server).head_blob("a/b", DIGEST) == size


def test_head_blob_of_nothing_is_none(server: ScriptedServer) -> None:
    server.expect("HEAD", BLOB, 404)
    assert registry(server).head_blob("a/b", DIGEST) is None


def test_head_blob_that_is_refused_names_operation_and_object(server: ScriptedServer) -> None:
    server.expect("HEAD", BLOB, 403).expect("GET", BLOB, 403)
    with pytest.raises(AccessDenied, match=f"Cannot look for blob {DIGEST} in {server.host}/a/b: "):
        registry(server).head_blob("a/b", DIGEST)


def test_get_blob_streams_the_bytes(server: ScriptedServer) -> None:
    server.expect("GET", BLOB, 200, LAYER * 200000)
    pieces, start = registry(server).get_blob("a/b", DIGEST)
    assert (b"".join(pieces), start) == (LAYER * 200000, 0)
    assert server.requests[0].header("Range") is None


def test_get_blob_from_an_offset(server: ScriptedServer) -> None:
    server.expect("GET", BLOB, 206, LAYER[5:], {"Content-Range": f"bytes 5-17/{len(LAYER)}"})
    pieces, start = registry(server).get_blob("a/b", DIGEST, 5)
    assert (b"".join(pieces), start) == (LAYER[5:], 5)
    assert server.requests[0].header("Range") == "bytes=5-"


def test_get_blob_of_a_registry_that_ignores_range_starts_at_zero(server: ScriptedServer) -> None:
    server.expect("GET", BLOB, 200, LAYER)
    pieces, start = registry(server).get_blob("a/b", DIGEST, 5)
    assert (b"".join(pieces), start) == (LAYER, 0)


@pytest.mark.parametrize(
    "content_range",
    ["bytes 0-17/18", "bytes 50-60/70", "", "5-17", "bytes x-y/z", "bytes */18", "bytes " + "9" * 5000 + "-"],
)
def test_get_blob_reads_the_whole_where_another_range_comes(server: ScriptedServer, content_range: str) -> None:
    server.expect("GET", BLOB, 206, LAYER, {"Content-Range": content_range} if content_range else {})
    server.expect("GET", BLOB, 200, LAYER)
    pieces, start = registry(server).get_blob("a/b", DIGEST, 5)
    assert (b"".join(pieces), start) == (LAYER, 0)
    assert [seen.header("Range") for seen in server.requests] == ["bytes=5-", None]


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


@pytest.mark.parametrize(
    ("status", "kind"), [(404, NotFound), (416, RegistryError), (206, RegistryError), (500, UnexpectedAnswer)]
)
def test_get_blob_that_gives_no_blob_is_an_error(
    server: ScriptedServer, status: int, kind: type[RegistryError]
) -> None:
    server.expect("GET", BLOB, status, b"")
    with pytest.raises(kind, match="Cannot read blob"):
        registry(server).get_blob("a/b", DIGEST)


def test_a_blob_that_breaks_off_names_the_operation(server: ScriptedServer) -> None:
    server.expect("GET", BLOB, 200, LAYER, length="100", cut=True)
    pieces, _start = registry(server).get_blob("a/b", DIGEST)
    with pytest.raises(ConnectionFailed, match=f"Cannot read blob {DIGEST}"):
        list(pieces)


@pytest.mark.parametrize("call", ["head_blob", "get_blob", "delete_blob"])
@pytest.mark.parametrize(
    ("repository", "digest"),
    [("../x", DIGEST), ("A/b", DIGEST), ("a/b", "sha256:../../x"), ("a/b", "latest"), ("a/b?x", DIGEST)],
)
def test_no_malformed_name_or_digest_reaches_the_wire(
    server: ScriptedServer, call: str, repository: str, digest: str
) -> None:
    with pytest.raises(InvalidInput):
        getattr(registry(server), call)(repository, digest)
    assert server.connections == 0


# Deleting ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("status", "was_there"), [(202, True), (200, True), (204, True), (404, False)])
def test_delete_says_whether_it_was_there(server: ScriptedServer, status: int, was_there: bool) -> None:
    server.expect("DELETE", BLOB, status).expect("DELETE", "/v2/a/b/manifests/1", status)
    server.expect("DELETE", f"/v2/a/b/manifests/{DIGEST}", status)
    client = registry(server)
    assert client.delete_blob("a/b", DIGEST) is was_there
    assert client.delete_manifest("a/b", "1") is was_there
    assert client.delete_manifest("a/b", DIGEST) is was_there


@pytest.mark.parametrize(("status", "codes"), [(405, ["UNSUPPORTED"]), (405, []), (400, ["UNSUPPORTED"]), (501, [])])
def test_delete_that_is_switched_off_is_unsupported(server: ScriptedServer, status: int, codes: list[str]) -> None:
    server.expect("DELETE", "/v2/a/b/manifests/1", status, errors(*codes) if codes else b"Method not allowed")
    with pytest.raises(Unsupported, match="deletes switched off"):
        registry(server).delete_manifest("a/b", "1")


@pytest.mark.parametrize(("status", "kind"), [(400, UnexpectedAnswer), (403, AccessDenied), (409, UnexpectedAnswer)])
def test_delete_that_is_refused_is_an_error(server: ScriptedServer, status: int, kind: type[RegistryError]) -> None:
    server.expect("DELETE", "/v2/a/b/manifests/1", status, errors("DIGEST_INVALID"))
    with pytest.raises(kind, match="Cannot delete .*/a/b:1"):
        registry(server).delete_manifest("a/b", "1")


# Manifests -----------------------------------------------------------------------------------------------------------


def test_head_manifest_asks_for_all_types_and_describes(server: ScriptedServer) -> None:
    headers = dict(described(), **{"Content-Type": OCI_MANIFEST + "; charset=utf-8"})
    server.expect("HEAD", "/v2/a/b/manifests/1.0", 200, headers=headers)
    found = registry(server).head_manifest("a/b", "1.0")
    assert found is not None and (found.digest, found.size, found.media_type) == (
        MANIFEST_DIGEST,
        len(CONTENT),
        OCI_MANIFEST,
    )
    assert server.requests[0].header("Accept") == ACCEPT


def test_head_manifest_of_nothing_is_none(server: ScriptedServer) -> None:
    server.expect("HEAD", "/v2/a/b/manifests/1", 404)
    assert registry(server).head_manifest("a/b", "1") is None


@pytest.mark.parametrize(
    "changes",
    [
        {"Docker-Content-Digest": ""},
        {"Docker-Content-Digest": MANIFEST_DIGEST[7:]},
        {"Docker-Content-Digest": "sha256:../../x"},
        {"Content-Length": "\u00b2"},
        {"Content-Length": "9" * 5000},
        {"Content-Length": "x"},
    ],
)
def test_head_manifest_without_usable_headers_falls_back_to_get(
    server: ScriptedServer, changes: dict[str, str]
) -> None:
    server.expect("HEAD", "/v2/a/b/manifests/1", 200, headers={**described(), **changes})
    server.expect("GET", "/v2/a/b/manifests/1", 200, CONTENT, {"Content-Type": OCI_MANIFEST})
    found = registry(server).head_manifest("a/b", "1")
    assert found is not None and found.digest == MANIFEST_DIGEST
    assert server.requests[1].header("Accept") == ACCEPT


def test_head_manifest_that_is_not_allowed_falls_back_to_get(server: ScriptedServer) -> None:
    server.expect("HEAD", "/v2/a/b/manifests/1", 405).expect("GET", "/v2/a/b/manifests/1", 404)
    assert registry(server).head_manifest("a/b", "1") is None


def test_head_manifest_refuses_the_digest_of_something_else(server: ScriptedServer) -> None:
    server.expect("HEAD", f"/v2/a/b/manifests/{OTHER_DIGEST}", 200, headers=described())
    with pytest.raises(ProtocolViolation, match="another digest"):
        registry(server).head_manifest("a/b", OTHER_DIGEST)


def test_head_manifest_of_a_sha512_digest_accepts_the_sha256_one_in_the_answer(server: ScriptedServer) -> None:
    digest = compute_digest(CONTENT, "sha512")
    server.expect("HEAD", f"/v2/a/b/manifests/{digest}", 200, headers=described())
    found = registry(server).head_manifest("a/b", digest)
    assert found is not None and found.digest == digest


def test_get_manifest_keeps_the_bytes(server: ScriptedServer) -> None:
    content = CONTENT + b"\n\n"
    server.expect("GET", "/v2/a/b/manifests/1", 200, content, described(content))
    manifest = registry(server).get_manifest("a/b", "1")
    assert (manifest.content, manifest.digest, manifest.media_type) == (content, compute_digest(content), OCI_MANIFEST)
    assert server.requests[0].header("Accept") == ACCEPT


def test_get_manifest_by_digest_is_verified(server: ScriptedServer) -> None:
    headers = described(digest=OTHER_DIGEST)
    server.expect("GET", f"/v2/a/b/manifests/{OTHER_DIGEST}", 200, CONTENT, headers)
    with pytest.raises(ProtocolViolation, match=f"Cannot read {server.host}/a/b@{OTHER_DIGEST}: .*{MANIFEST_DIGEST}"):
        registry(server).get_manifest("a/b", OTHER_DIGEST)


def test_get_manifest_by_tag_is_compared_with_the_digest_in_the_answer(server: ScriptedServer) -> None:
    server.expect("GET", "/v2/a/b/manifests/1", 200, CONTENT, described(digest=OTHER_DIGEST))
    with pytest.raises(ProtocolViolation, match="says that the digest is"):
        registry(server).get_manifest("a/b", "1")


@pytest.mark.parametrize("said", ["", "nonsense", DIGEST_512])
def test_get_manifest_does_without_a_digest_in_the_answer(server: ScriptedServer, said: str) -> None:
    server.expect(
        "GET", "/v2/a/b/manifests/1", 200, CONTENT, {"Content-Type": OCI_MANIFEST, "Docker-Content-Digest": said}
    )
    assert registry(server).get_manifest("a/b", "1").digest == MANIFEST_DIGEST


def test_get_manifest_larger_than_4_mib_is_refused(server: ScriptedServer) -> None:
    content = CONTENT + b" " * (4 * 1024 * 1024 + 1 - len(CONTENT))
    server.expect("GET", "/v2/a/b/manifests/1", 200, content[:-1], {"Content-Type": OCI_MANIFEST})
    server.expect("GET", "/v2/a/b/manifests/2", 200, content, {"Content-Type": OCI_MANIFEST})
    client = registry(server)
    assert client.get_manifest("a/b", "1").size == 4194304
    with pytest.raises(ProtocolViolation, match="larger than 4194304"):
        client.get_manifest("a/b", "2")


def test_get_manifest_that_is_a_web_page_names_the_object(server: ScriptedServer) -> None:
    server.expect("GET", "/v2/a/b/manifests/1", 200, b"<html>", {"Content-Type": "text/html"})
    with pytest.raises(ProtocolViolation, match=f"Cannot read {server.host}/a/b:1: a page in HTML was answered"):
        registry(server).get_manifest("a/b", "1")


def test_a_list_that_is_a_web_page_says_so(server: ScriptedServer) -> None:
    page = b"<!DOCTYPE html><html><title>Sign in</title>"
    server.expect("GET", "/v2/a/b/tags/list", 200, page, {"Content-Type": "text/html"})
    with pytest.raises(ProtocolViolation, match="Cannot list the tags of .*: the page 'Sign in' in HTML was answered"):
        registry(server).list_tags("a/b")


def test_a_digest_that_is_there_needs_no_digest_in_the_answer(server: ScriptedServer) -> None:
    server.expect(
        "HEAD", f"/v2/a/b/manifests/{MANIFEST_DIGEST}", 200, headers={**described(), "Docker-Content-Digest": ""}
    )
    found = registry(server).head_manifest("a/b", MANIFEST_DIGEST)
    assert found is not None and (found.digest, found.size) == (MANIFEST_DIGEST, len(CONTENT))


def test_a_digest_is_read_where_the_answer_may_be_no_manifest(server: ScriptedServer) -> None:
    target = f"/v2/a/b/manifests/{MANIFEST_DIGEST}"
    server.expect("HEAD", target, 200, headers={"Content-Type": "text/html", "Content-Length": "6"})
    server.expect("GET", target, 200, b"<html>", {"Content-Type": "text/html"})
    with pytest.raises(ProtocolViolation, match="a page in HTML was answered"):
        registry(server).head_manifest("a/b", MANIFEST_DIGEST)


@pytest.mark.parametrize(("codes", "kind"), [(["MANIFEST_UNKNOWN"], NotFound), (["NAME_UNKNOWN"], RepositoryMissing)])
def test_get_manifest_of_nothing_is_not_found(
    server: ScriptedServer, codes: list[str], kind: type[RegistryError]
) -> None:
    server.expect("GET", "/v2/a/b/manifests/1", 404, errors(*codes))
    with pytest.raises(kind):
        registry(server).get_manifest("a/b", "1")


@pytest.mark.parametrize("status", [200, 201, 202])
@pytest.mark.parametrize("reference", ["1", MANIFEST_DIGEST])
def test_put_manifest_sends_the_exact_bytes_and_type(server: ScriptedServer, status: int, reference: str) -> None:
    server.expect("PUT", f"/v2/a/b/manifests/{reference}", status, headers={"Docker-Content-Digest": MANIFEST_DIGEST})
    registry(server).put_manifest("a/b", reference, Manifest.parse(CONTENT))
    (request,) = server.requests
    assert request.body == CONTENT
    assert request.header("Content-Type") == OCI_MANIFEST
    assert request.header("Content-Length") == str(len(CONTENT))


def test_put_manifest_refuses_that_something_else_was_stored(server: ScriptedServer) -> None:
    server.expect("PUT", "/v2/a/b/manifests/1", 201, headers={"Docker-Content-Digest": OTHER_DIGEST})
    with pytest.raises(ProtocolViolation, match="stored another digest"):
        registry(server).put_manifest("a/b", "1", Manifest.parse(CONTENT))


def test_put_manifest_does_not_compare_digests_of_two_algorithms(server: ScriptedServer) -> None:
    server.expect("PUT", "/v2/a/b/manifests/1", 201, headers={"Docker-Content-Digest": DIGEST_512})
    registry(server).put_manifest("a/b", "1", Manifest.parse(CONTENT))


@pytest.mark.parametrize(
    ("status", "codes"),
    [
        (400, ["MANIFEST_BLOB_UNKNOWN"]),
        (400, ["BLOB_UNKNOWN"]),
        (404, ["BLOB_UNKNOWN"]),
        (404, ["NOT_FOUND"]),
        (400, ["MANIFEST_UNKNOWN"]),
        (500, ["UNKNOWN", "UNKNOWN", "MANIFEST_BLOB_UNKNOWN"]),
    ],
)
def test_put_manifest_names_missing_references_whatever_the_status(
    server: ScriptedServer, status: int, codes: list[str]
) -> None:
    body = errors(*codes, detail=DIGEST)
    body["errors"].append({"code": codes[-1], "message": f"no {OTHER_DIGEST}!", "detail": {"Digest": DIGEST_512}})
    server.expect("PUT", "/v2/a/b/manifests/1", status, body)
    naps = Naps()
    client = Registry(transport(server.host, naps, retries=3), writing=True)
    with pytest.raises(ReferencesMissing, match="Push the blobs and the child manifests first") as caught:
        client.put_manifest("a/b", "1", Manifest.parse(CONTENT))
    assert set(caught.value.digests) == {DIGEST, OTHER_DIGEST, DIGEST_512}
    assert naps.seconds == []


def test_put_manifest_by_a_digest_that_the_registry_does_not_compute_says_so(server: ScriptedServer) -> None:
    digest = compute_digest(CONTENT, "sha512")
    for reference in (digest, MANIFEST_DIGEST):
        server.expect("PUT", f"/v2/a/b/manifests/{reference}", 400, errors("DIGEST_INVALID"))
    client = registry(server)
    with pytest.raises(Unsupported, match="doesn't take manifests by their sha512 digest"):
        client.put_manifest("a/b", digest, Manifest.parse(CONTENT, "", digest))
    with pytest.raises(UnexpectedAnswer, match="DIGEST_INVALID"):
        client.put_manifest("a/b", MANIFEST_DIGEST, Manifest.parse(CONTENT))


def test_put_manifest_into_a_missing_repository_says_so(server: ScriptedServer) -> None:
    server.expect("PUT", "/v2/a/b/manifests/1", 404, errors("NAME_UNKNOWN"))
    with pytest.raises(RepositoryMissing, match="create it first"):
        registry(server).put_manifest("a/b", "1", Manifest.parse(CONTENT))


@pytest.mark.parametrize(
    ("status", "codes"), [(400, ["MANIFEST_INVALID"]), (400, ["TAG_INVALID"]), (412, []), (413, [])]
)
def test_put_manifest_that_is_refused_otherwise_is_an_error(
    server: ScriptedServer, status: int, codes: list[str]
) -> None:
    server.expect("PUT", "/v2/a/b/manifests/1", status, errors(*codes) if codes else b"")
    with pytest.raises(UnexpectedAnswer, match="Cannot push"):
        registry(server).put_manifest("a/b", "1", Manifest.parse(CONTENT))


@pytest.mark.parametrize(
    ("status", "code", "message"),
    [
        (415, "MANIFEST_INVALID", ""),
        (415, "", ""),
        (400, "MANIFEST_INVALID", "unsupported manifest media type"),
        (400, "MANIFEST_INVALID", "manifest media type is not supported"),
        (405, "UNSUPPORTED", "Unknown content type"),
    ],
)
@pytest.mark.parametrize("media_type", [DOCKER_LIST, DOCKER_MANIFEST, OCI_MANIFEST])
def test_put_manifest_of_a_type_that_the_registry_does_not_take_names_it_and_what_to_do(
    server: ScriptedServer, media_type: str, status: int, code: str, message: str
) -> None:
    document = index(mediaType=media_type) if media_type == DOCKER_LIST else image(mediaType=media_type)
    server.expect("PUT", "/v2/a/b/manifests/1", status, errors(code, message=message) if code else b"")
    with pytest.raises(Unsupported, match="doesn't take manifests of the type") as caught:
        registry(server).put_manifest("a/b", "1", Manifest.parse(encoded(document)))
    assert media_type in caught.value.reason and "Push to a registry that takes this type" in caught.value.hint
    assert ("OCI media types" in caught.value.hint) is (media_type != OCI_MANIFEST)


@pytest.mark.parametrize(
    ("status", "code"), [(400, "MANIFEST_INVALID"), (405, "UNSUPPORTED"), (415, "MANIFEST_INVALID"), (415, "X")]
)
def test_put_manifest_of_a_nested_index_that_is_refused_says_that_it_is_one(
    server: ScriptedServer, status: int, code: str
) -> None:
    nested = index(descriptor(encoded(index()), OCI_INDEX))
    server.expect("PUT", "/v2/a/b/manifests/1", status, errors(code))
    with pytest.raises(Unsupported, match="nested index.*Copy the indexes in it for themselves"):
        registry(server).put_manifest("a/b", "1", Manifest.parse(encoded(nested)))


def test_put_manifest_of_a_nested_index_whose_indexes_the_registry_does_not_find_says_that_it_is_one(
    server: ScriptedServer,
) -> None:
    nested = index(descriptor(encoded(index()), OCI_INDEX))
    server.expect("PUT", "/v2/a/b/manifests/1", 400, errors("MANIFEST_BLOB_UNKNOWN"))
    with pytest.raises(ReferencesMissing, match="It is a nested index, which not every registry takes: copy"):
        registry(server).put_manifest("a/b", "1", Manifest.parse(encoded(nested)))


@pytest.mark.parametrize("call", ["GET", "PUT"])
def test_a_policy_that_forbids_a_manifest_is_called_one(server: ScriptedServer, call: str) -> None:
    server.expect(call, "/v2/a/b/manifests/1", 412, errors("PROJECTPOLICYVIOLATION", message="not scanned"))
    client = registry(server)
    with pytest.raises(UnexpectedAnswer, match="a policy of the registry forbids it: PROJECTPOLICYVIOLATION: not scan"):
        if call == "GET":
            client.get_manifest("a/b", "1")
        else:
            client.put_manifest("a/b", "1", Manifest.parse(CONTENT))


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("code", ["UNSUPPORTED", "MANIFEST_BLOB_UNKNOWN", "MANIFEST_INVALID", "BLOB_UPLOAD_UNKNOWN"])
def test_what_is_throttled_stays_temporary_whatever_the_code(server: ScriptedServer, status: int, code: str) -> None:
    session = UploadSession("a/b", server.url + "/u")
    calls: dict[str, t.Callable[[Registry], object]] = {
        "PUT /v2/a/b/manifests/1": lambda client: client.put_manifest("a/b", "1", Manifest.parse(CONTENT)),
        "GET /v2/a/b/manifests/1": lambda client: client.get_manifest("a/b", "1"),
        "DELETE /v2/a/b/manifests/1": lambda client: client.delete_manifest("a/b", "1"),
        "POST /v2/a/b/blobs/uploads/": lambda client: client.start_upload("a/b"),
        f"PUT /u?digest={ENCODED_DIGEST}": lambda client: client.put_upload(session, DIGEST, LAYER),
    }
    for line, call in calls.items():
        server.expect(*line.split(" "), status, errors(code, message="Request was throttled."))
        with pytest.raises(RateLimited if status == 429 else UnexpectedAnswer, match="throttled") as caught:
            call(registry(server))
        assert caught.value.temporary


def test_get_manifest_accepts_the_type_of_the_descriptor_and_says_why_it_cannot_be_pushed(
    server: ScriptedServer,
) -> None:
    media_type = "application/vnd.example.manifest.v9+json"
    content = encoded({"mediaType": media_type, "blobs": []})
    digest = compute_digest(content)
    server.expect("GET", f"/v2/a/b/manifests/{digest}", 200, content, described(content, media_type))
    with pytest.raises(ForeignType, match="is no manifest type that can be pushed"):
        registry(server).get_manifest("a/b", digest, media_type)
    assert server.requests[0].header("Accept") == f"{ACCEPT}, {media_type}"


def test_get_manifest_takes_the_type_that_descriptor_and_manifest_agree_on(server: ScriptedServer) -> None:
    path = f"/v2/a/b/manifests/{MANIFEST_DIGEST}"
    server.expect("GET", path, 200, CONTENT, described(media_type=DOCKER_MANIFEST), times=3)
    assert registry(server).get_manifest("a/b", MANIFEST_DIGEST, OCI_MANIFEST).media_type == OCI_MANIFEST
    for media_type in ("", DOCKER_MANIFEST):
        with pytest.raises(InvalidInput, match="but it was given as"):
            registry(server).get_manifest("a/b", MANIFEST_DIGEST, media_type)


@pytest.mark.parametrize("reference", ["", "../x", "sha256:../../x", "a/b", "x" * 129, "1?x"])
def test_no_malformed_reference_reaches_the_wire(server: ScriptedServer, reference: str) -> None:
    client = registry(server)
    for call in (client.head_manifest, client.get_manifest, client.delete_manifest):
        with pytest.raises(InvalidInput):
            call("a/b", reference)
    with pytest.raises(InvalidInput):
        client.put_manifest("a/b", reference, Manifest.parse(CONTENT))
    assert server.connections == 0


# Uploads -------------------------------------------------------------------------------------------------------------


def start(server: ScriptedServer, location: str, **options: t.Any) -> UploadSession:
    server.expect("POST", UPLOADS, 202, headers={"Location": location, "Range": "0-0"})
    return registry(server, **options).start_upload("a/b")


def test_start_upload_posts_nothing(server: ScriptedServer) -> None:
    session = start(server, "/v2/a/b/blobs/uploads/1?_state=x")
    assert session == UploadSession("a/b", server.url + UPLOADS + "1?_state=x", 0, 0)
    (request,) = server.requests
    assert (request.body, request.header("Content-Length"), request.header("Transfer-Encoding")) == (b"", "0", None)


@pytest.mark.parametrize(
    ("location", "target"),
    [
        ("/u/1?_state=a%2Fb==&x", "/u/1?_state=a%2Fb==&x"),
        ("1?s=1", UPLOADS + "1?s=1"),
        ("/u/1", "/u/1"),
        ("{url}/u/1?s=1", "/u/1?s=1"),
        ("{host}/u/1?s=1", "/u/1?s=1"),
        ("//{host}/u/1?s=1#part", "/u/1?s=1"),
    ],
)
def test_every_form_of_a_location_is_used_with_its_query_kept_and_the_digest_added(
    server: ScriptedServer, location: str, target: str
) -> None:
    location = location.format(url=server.url, host=server.host)
    server.expect("POST", UPLOADS, 202, headers={"Location": location})
    server.expect("PUT", f"{target}{'&' if '?' in target else '?'}digest={ENCODED_DIGEST}", 201)
    client = registry(server, credential=TOKEN)
    client.put_upload(client.start_upload("a/b"), DIGEST, LAYER)
    assert server.requests[1].body == LAYER
    assert server.requests[1].header("Authorization") == "Bearer tok"


def test_a_foreign_location_is_used_without_login(serve: Serve) -> None:
    server, foreign = serve(), serve()
    server.expect("POST", UPLOADS, 202, headers={"Location": foreign.url + "/u?sig=a%2Fb"})
    foreign.expect("PATCH", "/u?sig=a%2Fb", 202, headers={"Location": "/u2"})
    foreign.expect("PUT", f"/u2?digest={ENCODED_DIGEST}", 201)
    client = registry(server, credential=TOKEN)
    client.put_upload(client.patch_upload(client.start_upload("a/b"), LAYER), DIGEST)
    assert server.requests[0].header("Authorization") == "Bearer tok"
    assert [request.header("Authorization") for request in foreign.requests] == [None, None]


@pytest.mark.parametrize(
    "location",
    ["", "ftp://x/", "http://u:p@x/", "http://[bad", "/a b", "/a\\b", "http:///x y", "null://x/u", "http://\u00e9@x/"],
)
def test_an_unusable_location_is_refused(server: ScriptedServer, location: str) -> None:
    with pytest.raises(ProtocolViolation, match="Cannot start an upload"):
        start(server, location)


def test_a_missing_location_is_refused(server: ScriptedServer) -> None:
    server.expect("POST", UPLOADS, 202)
    with pytest.raises(ProtocolViolation, match="no Location"):
        registry(server).start_upload("a/b")


def test_a_location_at_a_local_address_is_refused_where_the_registry_is_not_local(
    serve: Serve, names_below_test: None
) -> None:
    server = serve(name="registry.test")
    with pytest.raises(ProtocolViolation, match="local address"):
        start(server, "http://169.254.169.254/latest")


def test_an_http_location_behind_tls_is_upgraded(serve: Serve, certificates: Certificates) -> None:
    server = serve(tls=certificates.server_context(), name="localhost")
    # A proxy that ends TLS hides scheme and port from the registry behind it.
    server.expect("POST", UPLOADS, 202, headers={"Location": "http://localhost/u/1?s=a%2Fb"})
    server.expect("PUT", f"/u/1?s=a%2Fb&digest={ENCODED_DIGEST}", 201)
    client = registry(server, credential=TOKEN, plain_http=False, ca_path=certificates.good_ca)
    session = client.start_upload("a/b")
    assert session.location == f"{server.url}/u/1?s=a%2Fb"
    client.put_upload(session, DIGEST, LAYER)
    assert server.requests[1].header("Authorization") == "Bearer tok"


def test_an_http_location_on_another_host_behind_tls_is_refused(serve: Serve, certificates: Certificates) -> None:
    server = serve(tls=certificates.server_context(), name="localhost")
    with pytest.raises(ProtocolViolation, match="without TLS"):
        start(server, "http://other.example/u/1", plain_http=False, ca_path=certificates.good_ca)


@pytest.mark.parametrize(
    ("status", "kind"),
    [(201, RegistryError), (200, RegistryError), (404, RepositoryMissing), (403, AccessDenied), (405, Unsupported)],
)
def test_start_upload_that_is_not_answered_202_is_an_error(
    server: ScriptedServer, status: int, kind: type[RegistryError]
) -> None:
    server.expect("POST", UPLOADS, status, headers={"Location": "/u"})
    with pytest.raises(kind, match="Cannot start an upload"):
        registry(server).start_upload("a/b")


@pytest.mark.parametrize(
    ("value", "minimum"), [("", 0), ("5242880", 5242880), ("x", 0), ("\u00b2", 0), ("-1", 0), ("9" * 5000, 0)]
)
def test_the_least_size_of_a_chunk_is_read(server: ScriptedServer, value: str, minimum: int) -> None:
    server.expect("POST", UPLOADS, 202, headers={"Location": "/u", "OCI-Chunk-Min-Length": value})
    assert registry(server).start_upload("a/b").minimum_chunk == minimum


@pytest.mark.parametrize(
    ("body", "sent"),
    [(LAYER, LAYER), (b"", b""), (Body([LAYER[:3], LAYER[3:]], len(LAYER)), LAYER), (Body([], 0), b"")],
)
def test_put_upload_sends_octets_of_exact_length(server: ScriptedServer, body: bytes | Body, sent: bytes) -> None:
    server.expect("PUT", f"/u?digest={ENCODED_DIGEST}", 201, headers={"Docker-Content-Digest": DIGEST})
    registry(server).put_upload(UploadSession("a/b", server.url + "/u"), DIGEST, body)
    (request,) = server.requests
    assert request.body == sent
    assert request.header("Content-Type") == "application/octet-stream"
    assert request.header("Content-Length") == str(len(sent))
    assert request.header("Transfer-Encoding") is None
    assert request.header("Content-Range") is None


def test_put_upload_of_the_rest_says_its_range(server: ScriptedServer) -> None:
    server.expect("PUT", f"/u?digest={ENCODED_DIGEST}", 201).expect("PUT", f"/u?digest={ENCODED_DIGEST}", 204)
    client = registry(server)
    client.put_upload(UploadSession("a/b", server.url + "/u", 5), DIGEST, LAYER[5:])
    client.put_upload(UploadSession("a/b", server.url + "/u", len(LAYER)), DIGEST)
    assert [request.header("Content-Range") for request in server.requests] == [f"5-{len(LAYER) - 1}", None]


@pytest.mark.parametrize("status", [200, 202, 302])
def test_put_upload_that_is_not_answered_201_is_no_success(server: ScriptedServer, status: int) -> None:
    server.expect("PUT", f"/u?digest={ENCODED_DIGEST}", status)
    with pytest.raises(RegistryError, match=f"Cannot upload blob {DIGEST}"):
        registry(server).put_upload(UploadSession("a/b", server.url + "/u"), DIGEST, LAYER)


def test_put_upload_refuses_another_digest_of_the_same_algorithm_only(server: ScriptedServer) -> None:
    server.expect("PUT", f"/u?digest={ENCODED_DIGEST}", 201, headers={"Docker-Content-Digest": DIGEST_512})
    server.expect("PUT", f"/u?digest={ENCODED_DIGEST}", 201, headers={"Docker-Content-Digest": OTHER_DIGEST})
    client = registry(server)
    client.put_upload(UploadSession("a/b", server.url + "/u"), DIGEST, LAYER)
    with pytest.raises(ProtocolViolation, match="stored another digest"):
        client.put_upload(UploadSession("a/b", server.url + "/u"), DIGEST, LAYER)


@pytest.mark.parametrize(
    ("status", "codes"),
    [
        (404, ["BLOB_UPLOAD_UNKNOWN"]),
        (404, ["BLOB_UPLOAD_INVALID"]),
        (404, []),
        (416, ["RANGE_INVALID"]),
        (416, []),
        (400, ["RANGE_INVALID"]),
        (400, ["BLOB_UPLOAD_INVALID"]),
    ],
)
@pytest.mark.parametrize("call", ["put", "patch", "get"])
def test_a_session_that_is_gone_or_out_of_step_is_temporary(
    server: ScriptedServer, call: str, status: int, codes: list[str]
) -> None:
    client = registry(server)
    session = UploadSession("a/b", server.url + "/u")
    calls: dict[str, tuple[str, t.Callable[[], t.Any]]] = {
        "put": (f"/u?digest={ENCODED_DIGEST}", lambda: client.put_upload(session, DIGEST, LAYER)),
        "patch": ("/u", lambda: client.patch_upload(session, LAYER)),
        "get": ("/u", lambda: client.get_upload(session)),
    }
    target, run = calls[call]
    server.expect(call.upper(), target, status, errors(*codes) if codes else b"")
    with pytest.raises(UploadGone) as caught:
        run()
    assert caught.value.temporary


@pytest.mark.parametrize(("status", "codes"), [(400, ["DIGEST_INVALID"]), (415, [])])
def test_put_upload_that_is_refused_otherwise_is_not_gone(
    server: ScriptedServer, status: int, codes: list[str]
) -> None:
    server.expect("PUT", f"/u?digest={ENCODED_DIGEST}", status, errors(*codes) if codes else b"")
    with pytest.raises(UnexpectedAnswer) as caught:
        registry(server).put_upload(UploadSession("a/b", server.url + "/u"), DIGEST, LAYER)
    assert not caught.value.temporary


def test_a_body_that_is_too_large_is_an_error_of_its_own(server: ScriptedServer) -> None:
    server.expect("PUT", f"/u?digest={ENCODED_DIGEST}", 413)
    with pytest.raises(
        BodyTooLarge, match="too large for the registry, or for something in front of it.*Have the limit"
    ):
        registry(server).put_upload(UploadSession("a/b", server.url + "/u"), DIGEST, LAYER)


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_patch_upload_sends_a_range_and_takes_the_newest_location(server: ScriptedServer, status: int) -> None:
    server.expect("PATCH", "/u?s=1", status, headers={"Location": "/u?s=2", "Range": "0-9"})
    session = registry(server).patch_upload(UploadSession("a/b", server.url + "/u?s=1", 5), b"abcde")
    assert session == UploadSession("a/b", server.url + "/u?s=2", 10, 0)
    (request,) = server.requests
    assert request.header("Content-Range") == "5-9"
    assert request.header("Content-Type") == "application/octet-stream"
    assert request.header("Content-Length") == "5"


@pytest.mark.parametrize(
    ("value", "received"),
    [
        ("0-9", 10),
        ("bytes=0-9", 10),
        ("0-6", 7),
        (None, 10),
        ("", 10),
        ("5-9", 10),
        ("bytes 0-9", 10),
        ("0-" + "9" * 5000, 10),
        ("x", 10),
    ],
)
def test_the_range_of_a_patch_is_read_and_otherwise_counted(
    server: ScriptedServer, value: str | None, received: int
) -> None:
    headers = {"Location": "/u"} if value is None else {"Location": "/u", "Range": value}
    server.expect("PATCH", "/u", 202, headers=headers)
    assert registry(server).patch_upload(UploadSession("a/b", server.url + "/u", 5), b"abcde").received == received


@pytest.mark.parametrize("value", ["0-10", "bytes=0-99", "0-" + "9" * 18])
def test_a_patch_after_which_the_registry_has_more_than_was_sent_is_refused(server: ScriptedServer, value: str) -> None:
    server.expect("PATCH", "/u", 202, headers={"Location": "/u", "Range": value})
    with pytest.raises(ProtocolViolation, match=r"Cannot upload a chunk to .*, 10 were sent"):
        registry(server).patch_upload(UploadSession("a/b", server.url + "/u", 5), b"abcde")


@pytest.mark.parametrize(
    ("before", "value", "received"),
    [
        (0, "0-0", 0),
        (0, "0-99", 100),
        (100, "0-99", 100),
        (100, "0-49", 50),
        (1, "0-0", 1),
        (5, None, 5),
        (0, "bytes=0-99", 100),
    ],
)
def test_get_upload_tells_how_far_it_is(server: ScriptedServer, before: int, value: str | None, received: int) -> None:
    headers = {"Location": "/u?s=2"} if value is None else {"Location": "/u?s=2", "Range": value}
    server.expect("GET", "/u?s=1", 204, headers=headers)
    session = registry(server).get_upload(UploadSession("a/b", server.url + "/u?s=1", before))
    assert (session.received, session.location) == (received, server.url + "/u?s=2")


@pytest.mark.parametrize(
    ("statuses", "done"),
    [
        ([200], True),
        ([202], True),
        ([204], True),
        ([401], False),
        ([404], False),
        ([405], False),
        # The connection breaks off.
        ([0, 204], True),
        ([0, 404], False),
        ([0, 0], False),
    ],
)
def test_cancel_upload_never_fails(server: ScriptedServer, statuses: list[int], done: bool) -> None:
    server.expect("POST", UPLOADS, 202, headers={"Location": "/u?s=1"})
    for status in statuses:
        server.expect("DELETE", "/u?s=1", status)
    client = registry(server)
    assert client.cancel_upload(client.start_upload("a/b")) is done


def test_cancelling_an_upload_is_not_waited_for_again(server: ScriptedServer) -> None:
    server.expect("DELETE", "/u?s=1", hang=True)
    client = registry(server, timeout=0.1)
    assert client.cancel_upload(UploadSession("a/b", server.url + "/u?s=1")) is False


def mount_target() -> str:
    return UPLOADS + "?" + urllib.parse.urlencode({"mount": DIGEST, "from": "c/d"})


def test_mount_answered_201_is_done(server: ScriptedServer) -> None:
    server.expect("POST", mount_target(), 201, headers={"Location": BLOB})
    assert registry(server).mount_blob("a/b", DIGEST, "c/d") is None
    assert server.requests[0].header("Content-Length") == "0"


def test_mount_answered_202_is_a_session(server: ScriptedServer) -> None:
    server.expect("POST", mount_target(), 202, headers={"Location": "/u?s=1"})
    assert registry(server).mount_blob("a/b", DIGEST, "c/d") == UploadSession("a/b", server.url + "/u?s=1")


@pytest.mark.parametrize("status", [200, 400, 403, 405, 500])
def test_mount_answered_otherwise_is_an_error(server: ScriptedServer, status: int) -> None:
    server.expect("POST", mount_target(), status)
    with pytest.raises(RegistryError, match=f"Cannot mount blob {DIGEST} from c/d into"):
        registry(server).mount_blob("a/b", DIGEST, "c/d")


@pytest.mark.parametrize(
    ("status", "codes", "reason", "hint"),
    [
        (404, ["BLOB_UNKNOWN"], "the blob couldn't be mounted (BLOB_UNKNOWN: blob_unknown)", ""),
        (404, ["NAME_UNKNOWN"], "the blob couldn't be mounted (NAME_UNKNOWN: name_unknown)", ""),
        (404, [], "the blob couldn't be mounted (it isn't there)", ""),
        (403, ["DENIED"], "DENIED: denied", "A mount needs the right to read c/d"),
        (
            401,
            [],
            "the registry offers no way to log in that is supported (schemes: none)",
            "A mount needs the right to read c/d",
        ),
        (429, [], "too many requests", ""),
    ],
)
def test_a_refused_mount_says_what_that_means_for_a_mount(
    server: ScriptedServer, status: int, codes: list[str], reason: str, hint: str
) -> None:
    server.expect("POST", mount_target(), status, errors(*codes) if codes else b"")
    with pytest.raises(RegistryError) as caught:
        registry(server, credential=TOKEN).mount_blob("a/b", DIGEST, "c/d")
    assert (caught.value.reason, caught.value.hint) == (reason, hint)


# An upload that is sent elsewhere ------------------------------------------------------------------------------------


def moved(server: ScriptedServer, there: str) -> Registry:
    """A registry whose uploads are said to be at another address."""
    server.expect("POST", UPLOADS, 202, headers={"Location": f"{there}/u?s=1"})
    return registry(server, retries=3, credential=LOGIN)


LOST = (
    "its answer sends the upload to http://127.0.0.1:80: a proxy in front of the registry seems to have lost the port "
    "{port}. Have the proxy pass on the registry's own address, in Host or in X-Forwarded-Proto, X-Forwarded-Host and "
    "X-Forwarded-Port"
)


@pytest.mark.parametrize("call", ["put", "patch", "get"])
def test_an_upload_whose_port_was_lost_says_so_at_once(server: ScriptedServer, call: str) -> None:
    client = moved(server, "http://127.0.0.1")
    session = client.start_upload("a/b")
    with pytest.raises(RegistryError) as caught:
        if call == "put":
            client.put_upload(session, DIGEST, Body([LAYER], len(LAYER)))
        elif call == "patch":
            client.patch_upload(session, Body([LAYER], len(LAYER)))
        else:
            client.get_upload(session)
    assert LOST.format(port=server.port) in str(caught.value)
    assert not caught.value.temporary


@pytest.mark.parametrize("status", [401, 403, 404, 405])
def test_an_upload_that_is_sent_to_another_server_of_the_host_says_so(serve: Serve, status: int) -> None:
    server, other = serve(), serve()
    other.expect("PUT", f"/u?s=1&digest={ENCODED_DIGEST}", status, b"<html></html>")
    client = moved(server, other.url)
    with pytest.raises(RegistryError) as caught:
        client.put_upload(client.start_upload("a/b"), DIGEST, Body([LAYER], len(LAYER)))
    assert f"The registry is at {server.url}, and its answer sends the upload to {other.url}. Have" in str(caught.value)
    assert not caught.value.temporary
    assert other.requests[0].header("Authorization") is None
    if status == 401:
        assert caught.value.reason == f"{other.host} requires authentication, and no credential is sent there"


@pytest.mark.parametrize(("status", "code"), [(404, "BLOB_UPLOAD_UNKNOWN"), (503, "UNAVAILABLE"), (413, "")])
def test_a_registry_whose_uploads_are_on_another_port_says_what_fails(serve: Serve, status: int, code: str) -> None:
    server, other = serve(), serve()
    body = errors(code) if code else b""
    other.expect("PUT", f"/u?s=1&digest={ENCODED_DIGEST}", status, body)
    client = moved(server, other.url)
    with pytest.raises(RegistryError) as caught:
        client.put_upload(client.start_upload("a/b"), DIGEST, Body([LAYER], len(LAYER)))
    assert "its answer sends" not in str(caught.value)
    assert caught.value.temporary is (status != 413)


# Lists ---------------------------------------------------------------------------------------------------------------


def test_tags_are_sorted_and_distinct(server: ScriptedServer) -> None:
    server.expect("GET", "/v2/a/b/tags/list", 200, {"name": "a/b", "tags": ["b", "a", "b"]})
    assert registry(server).list_tags("a/b") == ["a", "b"]
    assert server.requests[0].header("Accept") == "application/json"


@pytest.mark.parametrize("body", [{"tags": None}, {"tags": []}, {"name": "a/b"}])
def test_tags_may_be_null(server: ScriptedServer, body: dict[str, t.Any]) -> None:
    server.expect("GET", "/v2/a/b/tags/list", 200, body)
    assert registry(server).list_tags("a/b") == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b'{"errors":[{"code":"DENIED"}]}',
        b'{"tags":{}}',
        b'{"tags":[1]}',
        b'{"tags":[null]}',
        b"[" * 200000,
        b"\xff",
        b"null",
    ],
)
def test_a_malformed_list_is_refused(server: ScriptedServer, body: bytes) -> None:
    server.expect("GET", "/v2/a/b/tags/list", 200, body)
    with pytest.raises(ProtocolViolation, match="no valid list of tags"):
        registry(server).list_tags("a/b")


def test_tags_of_a_missing_repository_are_not_found(server: ScriptedServer) -> None:
    server.expect("GET", "/v2/a/b/tags/list", 404, errors("NAME_UNKNOWN"))
    with pytest.raises(NotFound):
        registry(server).list_tags("a/b")


@pytest.mark.parametrize(
    "link",
    [
        '</v2/a/b/tags/list?last=a&n=1>; rel="next"',
        "</v2/a/b/tags/list?last=a&n=1>;rel=next",
        "<{url}/v2/a/b/tags/list?last=a&n=1>; title=x; rel=next",
        '<list?last=a&n=1>; REL="Next"',
        '</v2/first>; rel="first", </v2/a/b/tags/list?last=a&n=1>; rel="next"',
        '</v2/a/b/tags/list?last=a&n=1>; title="b, c; \\" d"; rel=next',
        '</v2/x>; title=", </v2/y>; rel=next"; rel=prev, </v2/a/b/tags/list?last=a&n=1>; rel="last next"',
    ],
)
def test_the_next_page_is_followed_in_every_form(server: ScriptedServer, link: str) -> None:
    server.expect("GET", "/v2/a/b/tags/list", 200, {"tags": ["a"]}, {"Link": link.format(url=server.url)})
    server.expect("GET", "/v2/a/b/tags/list?last=a&n=1", 200, {"tags": ["b"]})
    assert registry(server, credential=TOKEN).list_tags("a/b") == ["a", "b"]
    assert server.requests[1].header("Authorization") == "Bearer tok"


@pytest.mark.parametrize(
    "link",
    ['</v2/x>; rel="prev"', "</v2/x>", "nonsense", "<", "", '</v2/x>; rel="nextish"', '</v2/x>; title="; rel=next"'],
)
def test_a_link_to_anything_else_is_not_followed(server: ScriptedServer, link: str) -> None:
    server.expect("GET", "/v2/a/b/tags/list", 200, {"tags": ["a"]}, {"Link": link})
    assert registry(server).list_tags("a/b") == ["a"]


def test_a_page_that_repeats_ends_the_list(server: ScriptedServer) -> None:
    again = {"Link": '</v2/a/b/tags/list?last=a>; rel="next"'}
    server.expect("GET", "/v2/a/b/tags/list", 200, {"tags": ["a"]}, again)
    server.expect("GET", "/v2/a/b/tags/list?last=a", 200, {"tags": ["a"]}, again)
    assert registry(server).list_tags("a/b") == ["a"]


def test_pages_without_end_are_given_up_when_they_add_nothing(server: ScriptedServer) -> None:
    for page in range(52):
        following = {"Link": f'</v2/a/b/tags/list?page={page + 1}>; rel="next"'}
        query = f"?page={page}" if page else ""
        server.expect("GET", f"/v2/a/b/tags/list{query}", 200, {"tags": ["a"] if page else ["a", "b"]}, following)
    with pytest.raises(ProtocolViolation, match="goes in circles: 51 pages in a row had no new tags"):
        registry(server).list_tags("a/b")


def test_a_next_page_on_another_host_is_refused(serve: Serve) -> None:
    server, foreign = serve(), serve()
    server.expect("GET", "/v2/a/b/tags/list", 200, {"tags": []}, {"Link": f'<{foreign.url}/v2/x>; rel="next"'})
    sends = f"its answer sends the client to {foreign.url}"
    with pytest.raises(ProtocolViolation, match=f"next page is on another host.*{sends}"):
        registry(server).list_tags("a/b")
    assert foreign.connections == 0


def test_a_next_page_that_is_no_url_is_refused(server: ScriptedServer) -> None:
    server.expect("GET", "/v2/a/b/tags/list", 200, {"tags": []}, {"Link": '<http://[bad>; rel="next"'})
    with pytest.raises(ProtocolViolation, match="Cannot list the tags"):
        registry(server).list_tags("a/b")


def test_a_page_that_fails_is_an_error_and_no_short_list(server: ScriptedServer) -> None:
    server.expect("GET", "/v2/a/b/tags/list", 200, {"tags": ["a"]}, {"Link": '</v2/p2>; rel="next"'})
    server.expect("GET", "/v2/p2", 500)
    with pytest.raises(UnexpectedAnswer):
        registry(server).list_tags("a/b")


def test_repositories_are_listed_over_all_pages(server: ScriptedServer) -> None:
    server.expect(
        "GET", "/v2/_catalog", 200, {"repositories": ["z", "a"]}, {"Link": '</v2/_catalog?last=z>; rel="next"'}
    )
    server.expect("GET", "/v2/_catalog?last=z", 200, {"repositories": ["m"]})
    assert registry(server).list_repositories() == ["a", "m", "z"]


def test_a_malformed_name_does_not_make_the_others_unreachable(server: ScriptedServer) -> None:
    server.expect("GET", "/v2/_catalog", 200, {"repositories": ["a", "../x", "B"]})
    server.expect("GET", "/v2/a/b/tags/list", 200, {"tags": ["1", "-1", ""]})
    assert registry(server).list_repositories() == ["../x", "B", "a"]
    assert registry(server).list_tags("a/b") == ["", "-1", "1"]


@pytest.mark.parametrize("status", [403, 404, 405])
def test_a_catalog_that_is_not_offered_is_unsupported(server: ScriptedServer, status: int) -> None:
    server.expect("GET", "/v2/_catalog", status)
    with pytest.raises(Unsupported, match="Cannot list the repositories"):
        registry(server).list_repositories()


def test_a_catalog_for_which_there_is_no_token_may_be_a_wrong_password(server: ScriptedServer) -> None:
    server.expect("GET", "/v2/_catalog", 401, headers={"WWW-Authenticate": f'Bearer realm="{server.url}/token"'})
    server.expect("GET", "/token?scope=registry%3Acatalog%3A%2A&account=ci", 403)
    with pytest.raises(Unsupported, match="or not to this account .*Check username and password"):
        registry(server, credential=LOGIN).list_repositories()


# Referrers -----------------------------------------------------------------------------------------------------------

REFERRERS = f"/v2/a/b/referrers/{MANIFEST_DIGEST}"
TAGGED = "/v2/a/b/manifests/" + MANIFEST_DIGEST.replace(":", "-")
SIGNATURE = descriptor(b"signature", OCI_MANIFEST, artifactType="a/signature", annotations={"k": "v"})
SBOM = descriptor(b"sbom", OCI_MANIFEST, artifactType="a/sbom")
INDEX_TYPE = {"Content-Type": OCI_INDEX}


def found_in(referrers: Referrers) -> list[str]:
    return [entry.artifact_type for entry in referrers.descriptors]


def test_referrers_of_the_api(server: ScriptedServer) -> None:
    server.expect(
        "GET", REFERRERS, 200, encoded(index(SIGNATURE)), {**INDEX_TYPE, "Link": f'<{REFERRERS}?n=2>; rel="next"'}
    )
    server.expect("GET", REFERRERS + "?n=2", 200, encoded(index(SBOM, SIGNATURE)), INDEX_TYPE)
    found = registry(server).list_referrers("a/b", MANIFEST_DIGEST)
    assert (found_in(found), found.found_by) == (["a/signature", "a/sbom"], "api")
    assert found.descriptors[0].annotations == {"k": "v"}
    assert server.requests[0].header("Accept") == OCI_INDEX


OTHER_REFERRERS = f"/v2/a/b/referrers/{OTHER_DIGEST}"


def test_an_api_that_lists_nothing_is_not_believed(server: ScriptedServer) -> None:
    server.expect("GET", REFERRERS, 200, index(), INDEX_TYPE)
    server.expect("GET", TAGGED, 200, encoded(index(SIGNATURE)), INDEX_TYPE)
    found = registry(server).list_referrers("a/b", MANIFEST_DIGEST)
    assert (found_in(found), found.found_by, found.proven) == (["a/signature"], "tag_schema", True)


@pytest.mark.parametrize("status", [404, 403])
def test_an_api_that_lists_nothing_and_no_list_under_the_tag_prove_nothing(server: ScriptedServer, status: int) -> None:
    server.expect("GET", REFERRERS, 200, index(), INDEX_TYPE).expect("GET", TAGGED, status)
    if status == 403:
        server.expect("GET", "/v2/a/b/tags/list", 200, {"tags": ["1"]})
    assert registry(server).list_referrers("a/b", MANIFEST_DIGEST) == Referrers((), "api", proven=False)


def test_an_api_that_lists_nothing_is_no_error_where_the_tag_is_denied(server: ScriptedServer) -> None:
    server.expect("GET", REFERRERS, 200, index(), INDEX_TYPE).expect("GET", TAGGED, 403, DENIED)
    server.expect("GET", "/v2/a/b/tags/list", 403, DENIED)
    assert registry(server).list_referrers("a/b", MANIFEST_DIGEST) == Referrers((), "api", proven=False)


@pytest.mark.parametrize("status", [200, 404, 403])
def test_where_the_api_is_denied_for_what_is_said_to_be_absent_the_tag_is_read(
    server: ScriptedServer, status: int
) -> None:
    unknown = errors("MANIFEST_UNKNOWN")
    server.expect("GET", REFERRERS, 403, unknown)
    server.expect("GET", TAGGED, status, encoded(index(SIGNATURE)) if status == 200 else unknown, INDEX_TYPE)
    server.expect("GET", REFERRERS, 200, encoded(index(SBOM)), INDEX_TYPE)
    client = registry(server)
    assert found_in(client.list_referrers("a/b", MANIFEST_DIGEST)) == (["a/signature"] if status == 200 else [])
    assert found_in(client.list_referrers("a/b", MANIFEST_DIGEST)) == ["a/sbom"]


BROKEN_LIST = b'{"schemaVersion":2,"manifests":[],"manifests":[]}'


@pytest.mark.parametrize(
    ("status", "answer"),
    [
        (400, errors("TAG_INVALID")),
        (401, errors("UNAUTHORIZED")),
        (405, b""),
        (412, b""),
        (429, b""),
        (500, b""),
        (503, b""),
        (200, BROKEN_LIST),
        (200, b"<html>"),
    ],
)
def test_an_api_that_lists_nothing_is_no_error_where_the_tag_can_not_be_read(
    server: ScriptedServer, status: int, answer: t.Any
) -> None:
    server.expect("GET", REFERRERS, 200, index(), INDEX_TYPE).expect("GET", TAGGED, status, answer, INDEX_TYPE)
    assert registry(server).list_referrers("a/b", MANIFEST_DIGEST) == Referrers((), "api", proven=False)


def test_a_list_of_referrers_of_a_withdrawn_type_is_no_error_where_the_api_answers(server: ScriptedServer) -> None:
    foreign = {"Content-Type": "application/vnd.oci.artifact.manifest.v1+json"}
    server.expect("GET", REFERRERS, 200, index(), INDEX_TYPE).expect("GET", TAGGED, 200, b"{}", foreign)
    assert registry(server).list_referrers("a/b", MANIFEST_DIGEST) == Referrers((), "api", proven=False)


def test_an_api_that_has_listed_something_is_believed(server: ScriptedServer) -> None:
    server.expect("GET", REFERRERS, 200, encoded(index(SIGNATURE)), INDEX_TYPE)
    server.expect("GET", OTHER_REFERRERS, 200, index(), INDEX_TYPE)
    client = registry(server)
    client.list_referrers("a/b", MANIFEST_DIGEST)
    assert client.list_referrers("a/b", OTHER_DIGEST) == Referrers((), "api")


def test_whether_there_is_an_api_costs_one_request(server: ScriptedServer) -> None:
    server.expect("GET", f"/v2/a/b/referrers/sha256:{'0' * 64}", 200, index(), INDEX_TYPE)
    assert registry(server).has_referrers_api("a/b")


def test_an_account_that_is_denied_the_api_and_nothing_else_finds_the_list_under_the_tag(
    server: ScriptedServer,
) -> None:
    server.expect("GET", REFERRERS, 403, DENIED)
    server.expect("GET", TAGGED, 200, encoded(index(SIGNATURE)), INDEX_TYPE)
    server.expect("GET", "/v2/a/b/manifests/" + referrers_tag(OTHER_DIGEST), 404)
    client = registry(server)
    assert found_in(client.list_referrers("a/b", MANIFEST_DIGEST)) == ["a/signature"]
    assert client.list_referrers("a/b", OTHER_DIGEST) == Referrers((), "")


@pytest.mark.parametrize("scheme", ["", "Basic", "Bearer"])
def test_a_401_for_the_api_alone_means_that_there_is_none(server: ScriptedServer, scheme: str) -> None:
    """Harbor before 2.8; the answer has no challenge."""
    challenge = {"Basic": 'Basic realm="r"', "Bearer": f'Bearer realm="{server.url}/token"'}.get(scheme)
    if challenge:
        server.expect("HEAD", ONE, 401, headers={"WWW-Authenticate": challenge})
    if scheme == "Bearer":
        token = "/token?scope=repository%3Aa%2Fb%3Apull&account=ci"
        server.expect("GET", token, 200, {"token": "one"})
    server.expect("HEAD", ONE, 200, CONTENT, described())
    server.expect("GET", REFERRERS, 401, errors("UNAUTHORIZED"))
    server.expect("GET", TAGGED, 200, encoded(index(SIGNATURE)), INDEX_TYPE)
    client = Registry(transport(server.host, retries=0, **({"credential": LOGIN} if scheme else {})), writing=False)
    assert client.head_manifest("a/b", "1") is not None
    found = client.list_referrers("a/b", MANIFEST_DIGEST)
    assert (found_in(found), found.found_by) == (["a/signature"], "tag_schema")


def test_an_api_that_has_answered_and_denies_a_digest_is_an_error(server: ScriptedServer) -> None:
    server.expect("GET", REFERRERS, 200, encoded(index(SIGNATURE)), INDEX_TYPE)
    server.expect("GET", OTHER_REFERRERS, 403, DENIED)
    client = registry(server)
    client.list_referrers("a/b", MANIFEST_DIGEST)
    with pytest.raises(AccessDenied, match="Cannot list the referrers"):
        client.list_referrers("a/b", OTHER_DIGEST)


@pytest.mark.parametrize(
    ("status", "headers", "body"),
    [
        (404, {}, b"404 page not found"),
        (404, {}, errors("MANIFEST_UNKNOWN")),
        (405, {}, b""),
        (406, {}, b""),
        (400, {}, b""),
        (501, {}, b""),
        (200, {"Content-Type": "text/html"}, b"<html>"),
        (200, {"Content-Type": "application/json"}, b"{}"),
    ],
)
def test_referrers_come_from_the_tag_where_there_is_no_api(
    server: ScriptedServer, status: int, headers: dict[str, str], body: t.Any
) -> None:
    server.expect("GET", REFERRERS, status, body, headers)
    server.expect("GET", TAGGED, 200, encoded(index(SIGNATURE, SBOM)), INDEX_TYPE)
    found = registry(server).list_referrers("a/b", MANIFEST_DIGEST)
    assert (found_in(found), found.found_by) == (["a/signature", "a/sbom"], "tag_schema")


def test_no_api_and_no_tag_means_no_referrers(server: ScriptedServer) -> None:
    server.expect("GET", REFERRERS, 404).expect("GET", TAGGED, 404)
    assert registry(server).list_referrers("a/b", MANIFEST_DIGEST) == Referrers((), "")


def test_a_later_page_that_fails_is_an_error(server: ScriptedServer) -> None:
    server.expect(
        "GET", REFERRERS, 200, encoded(index(SIGNATURE)), {**INDEX_TYPE, "Link": f'<{REFERRERS}?n=2>; rel="next"'}
    )
    server.expect("GET", REFERRERS + "?n=2", 404)
    with pytest.raises(NotFound, match="Cannot list the referrers"):
        registry(server).list_referrers("a/b", MANIFEST_DIGEST)


def test_an_api_that_has_answered_is_not_given_up(server: ScriptedServer) -> None:
    other = "sha256:" + "0" * 64
    server.expect("GET", REFERRERS, 200, encoded(index(SIGNATURE)), INDEX_TYPE)
    server.expect("GET", f"/v2/a/b/referrers/{other}", 404, errors("MANIFEST_UNKNOWN"))
    server.expect("GET", REFERRERS, 200, encoded(index(SIGNATURE)), INDEX_TYPE)
    client = registry(server)
    client.list_referrers("a/b", MANIFEST_DIGEST)
    assert client.list_referrers("a/b", other) == Referrers((), "api")
    assert found_in(client.list_referrers("a/b", MANIFEST_DIGEST)) == ["a/signature"]


def test_an_api_that_fails_for_a_digest_is_an_error(server: ScriptedServer) -> None:
    other = "sha256:" + "0" * 64
    server.expect("GET", REFERRERS, 200, encoded(index(SIGNATURE)), INDEX_TYPE)
    server.expect("GET", f"/v2/a/b/referrers/{other}", 404, b"404 page not found")
    client = registry(server)
    client.list_referrers("a/b", MANIFEST_DIGEST)
    with pytest.raises(NotFound):
        client.list_referrers("a/b", other)


def test_a_list_of_referrers_that_can_not_be_read_is_an_error(server: ScriptedServer) -> None:
    server.expect("GET", REFERRERS, 404).expect("GET", TAGGED, 200, BROKEN_LIST, INDEX_TYPE)
    with pytest.raises(InvalidInput):
        registry(server).list_referrers("a/b", MANIFEST_DIGEST)


def test_referrers_without_an_end_are_refused(server: ScriptedServer) -> None:
    entries = [{**SIGNATURE, "digest": f"sha256:{number:064x}"} for number in range(9000)]
    server.expect(
        "GET", REFERRERS, 200, encoded(index(*entries)), {**INDEX_TYPE, "Link": f'<{REFERRERS}?n=2>; rel="next"'}
    )
    server.expect("GET", REFERRERS + "?n=2", 200, encoded(index(*entries)), INDEX_TYPE)
    with pytest.raises(ProtocolViolation, match="more than 10000 referrers"):
        registry(server).list_referrers("a/b", MANIFEST_DIGEST)


def test_a_tag_that_resolves_to_the_subject_lists_no_referrers(server: ScriptedServer) -> None:
    server.expect("GET", REFERRERS, 404).expect("GET", TAGGED, 200, CONTENT, described())
    assert registry(server).list_referrers("a/b", MANIFEST_DIGEST) == Referrers((), "")


def test_a_tag_that_resolves_to_a_subject_that_is_an_index_lists_no_referrers(server: ScriptedServer) -> None:
    content = encoded(index(descriptor(b"child", OCI_MANIFEST)))
    digest = compute_digest(content)
    server.expect("GET", f"/v2/a/b/referrers/{digest}", 404)
    server.expect("GET", f"/v2/a/b/manifests/{referrers_tag(digest)}", 200, content, described(content, OCI_INDEX))
    assert registry(server).list_referrers("a/b", digest) == Referrers((), "")


@pytest.mark.parametrize(
    ("status", "kind"),
    [(403, AccessDenied), (503, UnexpectedAnswer), (429, RegistryError)],
)
def test_referrers_that_may_not_be_read_are_an_error(
    server: ScriptedServer, status: int, kind: type[RegistryError]
) -> None:
    server.expect("GET", REFERRERS, status)
    if status == 403:
        server.expect("GET", TAGGED, 403).expect("GET", "/v2/a/b/tags/list", 403)
    with pytest.raises(kind, match="Cannot list the referrers"):
        registry(server).list_referrers("a/b", MANIFEST_DIGEST)


def test_referrers_behind_a_login_are_an_error(server: ScriptedServer) -> None:
    server.expect("GET", REFERRERS, 401)
    with pytest.raises(AuthenticationFailed, match=f"Cannot log in to {server.host}: .*answer 401"):
        registry(server).list_referrers("a/b", MANIFEST_DIGEST)


def test_a_referrers_list_may_be_null(server: ScriptedServer) -> None:
    server.expect("GET", REFERRERS, 200, encoded(dict(index(), manifests=None)), INDEX_TYPE)
    server.expect("GET", TAGGED, 404)
    assert registry(server).list_referrers("a/b", MANIFEST_DIGEST) == Referrers((), "api", proven=False)


NO_DIGEST = {**SBOM, "digest": "sha256:../../x"}
BARE = {"digest": SBOM["digest"], "size": -1, "mediaType": ""}


@pytest.mark.parametrize("by", ["api", "tag_schema"])
def test_an_entry_of_a_list_needs_no_more_than_a_digest(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    content = encoded(index(NO_DIGEST, "?", BARE, SIGNATURE))
    if by == "tag_schema":
        server.expect("GET", REFERRERS, 404)
    server.expect("GET", REFERRERS if by == "api" else TAGGED, 200, content, INDEX_TYPE)
    notices = Notices()
    client = Registry(transport(server.host, retries=0), writing=True)
    monkeypatch.setattr(client._transport, "remark", notices.remark)
    found = client.list_referrers("a/b", MANIFEST_DIGEST)
    assert found.found_by == by
    assert found.descriptors[0] == Descriptor("", SBOM["digest"], 0)
    assert found_in(found) == ["", "a/signature"]
    assert notices.sentence() == (
        f"The list of referrers of {server.host}/a/b@{MANIFEST_DIGEST} has entries without a valid digest (2), which "
        "were left out"
    )


@pytest.mark.parametrize(
    "body", [b"", b"<html><title>Login</title>", b"[]", b"{", errors("UNKNOWN"), {"manifests": {}}, {}]
)
def test_an_answer_that_is_no_list_means_that_there_is_no_api(server: ScriptedServer, body: t.Any) -> None:
    server.expect("GET", REFERRERS, 200, body, INDEX_TYPE)
    server.expect("GET", TAGGED, 200, encoded(index(SIGNATURE)), INDEX_TYPE)
    found = registry(server).list_referrers("a/b", MANIFEST_DIGEST)
    assert (found_in(found), found.found_by, found.doubt) == (["a/signature"], "tag_schema", None)


@pytest.mark.parametrize("media_type", ["text/html", OCI_INDEX])
def test_a_page_in_place_of_a_list_leaves_it_open_what_there_is(server: ScriptedServer, media_type: str) -> None:
    for _time in range(2):
        server.expect("GET", REFERRERS, 200, b"<html><title>Login</title>", {"Content-Type": media_type})
        server.expect("GET", TAGGED, 404)
    client = registry(server)
    for _time in range(2):
        found = client.list_referrers("a/b", MANIFEST_DIGEST)
        assert (found.descriptors, found.found_by) == ((), "")
        assert "the page 'Login' in HTML was answered" in str(found.doubt)
    (answer,) = referrers_of(t.cast(t.Any, Doubtful(found)), [("a/b", DIGEST_512)])
    assert answer is found.doubt


def test_a_page_in_place_of_a_list_is_no_api_where_clients_keep_lists(server: ScriptedServer) -> None:
    server.expect("GET", REFERRERS, 200, b"<html><title>Login</title>", {"Content-Type": "text/html"})
    server.expect("GET", TAGGED, 200, encoded(index(SIGNATURE)), INDEX_TYPE)
    server.expect("GET", f"/v2/a/b/manifests/{referrers_tag(DIGEST_512)}", 404)
    client = registry(server)
    assert client.list_referrers("a/b", MANIFEST_DIGEST).found_by == "tag_schema"
    # What is asked for next has no list of its own, and isn't in doubt.
    found = client.list_referrers("a/b", DIGEST_512)
    assert (found.descriptors, found.doubt) == ((), None)


class Doubtful:
    """Answers every question for referrers the same."""

    jobs = 1

    def __init__(self, answer: Referrers) -> None:
        self._answer = answer

    def list_referrers(self, repository: str, digest: str) -> Referrers:
        return self._answer


def test_a_page_of_another_host_in_place_of_a_list_leaves_it_open_what_there_is(serve: Serve) -> None:
    server, other = serve(), serve()
    server.expect("GET", REFERRERS, 302, headers={"Location": f"{other.url}/login"}).expect("GET", TAGGED, 404)
    other.expect("GET", "/login", 200, b"<html><title>Login</title>", {"Content-Type": "text/html"})
    found = registry(server).list_referrers("a/b", MANIFEST_DIGEST)
    assert "the page 'Login' in HTML was answered" in str(found.doubt)


@pytest.mark.parametrize("tagged", [True, False])
def test_a_login_that_is_wanted_for_referrers_alone_leaves_it_open_what_there_is(
    server: ScriptedServer, tagged: bool
) -> None:
    server.expect("HEAD", ONE, 200, CONTENT, described())
    server.expect("GET", REFERRERS, 401, headers={"WWW-Authenticate": 'Basic realm="r"'})
    server.expect("GET", TAGGED, 200 if tagged else 404, encoded(index(SIGNATURE)) if tagged else b"", INDEX_TYPE)
    client = registry(server)
    assert client.head_manifest("a/b", "1") is not None
    found = client.list_referrers("a/b", MANIFEST_DIGEST)
    assert found_in(found) == (["a/signature"] if tagged else [])
    assert tagged or isinstance(found.doubt, AuthenticationFailed)


@pytest.mark.parametrize("status", [200, 404, 401, 403])
def test_whether_there_is_an_api_does_not_depend_on_a_tag(server: ScriptedServer, status: int) -> None:
    server.expect("GET", f"/v2/a/b/referrers/sha256:{'0' * 64}", status, b"")
    assert not registry(server).has_referrers_api("a/b")


def test_the_referrers_tag_cuts_a_sha512_digest_to_what_a_tag_can_hold() -> None:
    assert referrers_tag(DIGEST) == DIGEST.replace(":", "-")
    assert referrers_tag(DIGEST_512) == "sha512-" + DIGEST_512[7:71]


# What is denied -------------------------------------------------------------------------------------------------------

ONE, TAGS = "/v2/a/b/manifests/1", "/v2/a/b/tags/list"
DENIED = errors("DENIED")


def pushed_to(server: ScriptedServer, **options: t.Any) -> Registry:
    return Registry(transport(server.host, **options), writing=False, pushed_to=True)


def test_a_manifest_that_only_head_denies_is_there(server: ScriptedServer) -> None:
    server.expect("HEAD", ONE, 403).expect("GET", ONE, 200, CONTENT, {"Content-Type": OCI_MANIFEST})
    found = registry(server).head_manifest("a/b", "1")
    assert found is not None and found.digest == MANIFEST_DIGEST


@pytest.mark.parametrize("body", [errors("MANIFEST_UNKNOWN"), errors("NAME_UNKNOWN"), errors("NOT_FOUND")])
def test_a_denial_that_says_that_nothing_is_there_is_believed(server: ScriptedServer, body: dict[str, t.Any]) -> None:
    server.expect("HEAD", ONE, 403).expect("GET", ONE, 403, body).expect("GET", ONE, 403, body)
    client = registry(server)
    assert client.head_manifest("a/b", "1") is None
    with pytest.raises(NotFound, match=f"Cannot read {server.host}/a/b:1: "):
        client.get_manifest("a/b", "1")


@pytest.mark.parametrize("tags", [(200, {"tags": ["2"]}), (404, errors("NAME_UNKNOWN"))])
@pytest.mark.parametrize("connect", [registry, pushed_to])
def test_a_tag_that_is_denied_and_not_in_the_list_is_not_there(
    server: ScriptedServer, tags: tuple[int, t.Any], connect: t.Callable[..., Registry]
) -> None:
    server.expect("HEAD", ONE, 403).expect("GET", ONE, 403, DENIED).expect("GET", TAGS, *tags)
    client = connect(server)
    assert client.head_manifest("a/b", "1") is None
    assert not client.is_unsure("a/b", "1")


@pytest.mark.parametrize("connect", [registry, pushed_to])
def test_a_tag_that_is_denied_and_in_the_list_is_an_error(
    server: ScriptedServer, connect: t.Callable[..., Registry]
) -> None:
    server.expect("HEAD", ONE, 403).expect("GET", ONE, 403, DENIED).expect("GET", TAGS, 200, {"tags": ["1"]})
    with pytest.raises(AccessDenied, match=f"Cannot read {server.host}/a/b:1: DENIED"):
        connect(server).head_manifest("a/b", "1")


def test_where_everything_is_denied_only_who_pushes_may_take_it_for_absent(server: ScriptedServer) -> None:
    for status in (403, 405):
        server.expect("HEAD", ONE, 403).expect("GET", ONE, 403, DENIED).expect("GET", TAGS, status, DENIED)
    with pytest.raises(AccessDenied):
        registry(server).head_manifest("a/b", "1")
    client = pushed_to(server)
    assert client.head_manifest("a/b", "1") is None
    assert client.is_unsure("a/b", "1") and not client.is_unsure("a/b", "2")


def test_blobs_and_referrers_that_are_denied_are_absent_to_who_pushes(server: ScriptedServer) -> None:
    referrers = f"/v2/a/b/referrers/{DIGEST}"
    server.expect("HEAD", BLOB, 403).expect("GET", BLOB, 403, DENIED).expect("GET", referrers, 403, DENIED)
    server.expect("GET", f"/v2/a/b/manifests/{referrers_tag(DIGEST)}", 403, DENIED).expect("GET", TAGS, 403, DENIED)
    client = pushed_to(server)
    assert client.head_blob("a/b", DIGEST) is None
    assert found_in(client.list_referrers("a/b", DIGEST)) == []


def test_blobs_and_referrers_that_are_denied_are_an_error_to_who_reads(server: ScriptedServer) -> None:
    server.expect("HEAD", BLOB, 403).expect("GET", BLOB, 403, DENIED)
    server.expect("GET", f"/v2/a/b/referrers/{DIGEST}", 403, DENIED)
    server.expect("GET", f"/v2/a/b/manifests/{referrers_tag(DIGEST)}", 403, DENIED).expect("GET", TAGS, 403, DENIED)
    client = registry(server)
    with pytest.raises(AccessDenied, match="Cannot look for blob"):
        client.head_blob("a/b", DIGEST)
    with pytest.raises(AccessDenied, match="Cannot list the referrers"):
        client.list_referrers("a/b", DIGEST)


def insufficient(server: ScriptedServer, credential: Credential) -> None:
    """A token server that grants nothing, and a registry that therefore answers 401."""
    challenge = {"WWW-Authenticate": f'Bearer realm="{server.url}/token",error="insufficient_scope"'}
    token = "/token?scope=repository%3Aa%2Fb%3Apull" + ("" if credential.is_anonymous else "&account=ci")
    server.expect("HEAD", ONE, 401, headers=challenge).expect("GET", token, 200, {"token": "one"})
    server.expect("HEAD", ONE, 401, headers=challenge)


def test_an_account_that_is_granted_nothing_sees_nothing_where_it_pushes_to(server: ScriptedServer) -> None:
    insufficient(server, LOGIN)
    assert pushed_to(server, credential=LOGIN).head_manifest("a/b", "1") is None


@pytest.mark.parametrize(("connect", "credential"), [(registry, LOGIN), (registry, ANONYMOUS), (pushed_to, ANONYMOUS)])
def test_who_is_not_logged_in_or_only_reads_is_told(
    server: ScriptedServer, connect: t.Callable[..., Registry], credential: Credential
) -> None:
    insufficient(server, credential)
    with pytest.raises(AccessDenied, match="isn't granted repository:a/b:pull"):
        if connect is registry:
            registry(server, writing=False, credential=credential).head_manifest("a/b", "1")
        else:
            pushed_to(server, credential=credential).head_manifest("a/b", "1")


def test_an_account_that_is_denied_one_repository_by_basic_sees_nothing_there_where_it_pushes_to(
    server: ScriptedServer,
) -> None:
    basic = {"WWW-Authenticate": 'Basic realm="x"'}
    server.expect("HEAD", ONE, 401, headers=basic).expect("HEAD", ONE, 401, headers=basic).expect("GET", "/v2/")
    client = pushed_to(server, credential=LOGIN)
    assert client.head_manifest("a/b", "1") is None
    assert client.is_unsure("a/b", "1")


@pytest.mark.parametrize("connect", [registry, pushed_to])
def test_what_the_token_server_does_not_grant_is_never_taken_for_absence(
    server: ScriptedServer, connect: t.Callable[..., Registry]
) -> None:
    # A wrong password looks like that, too (olareg).
    challenge = {"WWW-Authenticate": f'Bearer realm="{server.url}/token"'}
    scope = "pull%2Cpush" if connect is registry else "pull"
    server.expect("HEAD", ONE, 401, headers=challenge)
    server.expect("GET", f"/token?scope=repository%3Aa%2Fb%3A{scope}&account=ci", 403, DENIED)
    with pytest.raises(AccessDenied, match=r"Cannot look for .*a/b:1: the token server doesn't grant .*Check username"):
        connect(server, credential=LOGIN).head_manifest("a/b", "1")


def test_a_password_that_is_refused_is_never_taken_for_absence(server: ScriptedServer) -> None:
    basic = {"WWW-Authenticate": 'Basic realm="x"'}
    server.expect("HEAD", ONE, 401, headers=basic).expect("HEAD", ONE, 401, headers=basic)
    server.expect("GET", "/v2/", 401, headers=basic)
    with pytest.raises(AuthenticationFailed):
        pushed_to(server, credential=LOGIN).head_manifest("a/b", "1")


@pytest.mark.parametrize(
    ("status", "body", "lacking"),
    [
        (404, b'{"errors": [{"code": "NAME_UNKNOWN"}]}', True),
        (404, b"404 page not found", False),
        (200, b'{"tags": null}', False),
        (401, b"", False),
        (403, b"", False),
        (503, b"", False),
        (200, b"x" * 100000, False),
    ],
)
def test_a_repository_is_lacking_only_where_the_registry_says_so(
    server: ScriptedServer, status: int, body: bytes, lacking: bool
) -> None:
    server.expect("GET", "/v2/a/tags/list?n=1", status, body)
    client = Registry(transport(server.host, retries=3), writing=True, pushed_to=True)
    # Asked once, whatever the answer is.
    assert [client.lacks_repository("a") for _question in range(2)] == [lacking] * 2


def test_a_list_that_is_too_large_is_given_up(server: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_pages, "_MAXIMUM_LIST_SIZE", 1000)
    for number in range(3):
        link = {"Link": f'</v2/a/b/tags/list?p={number + 1}>; rel="next"'}
        target = "/v2/a/b/tags/list" + (f"?p={number}" if number else "")
        server.expect("GET", target, 200, {"tags": [f"{number}" + "x" * 400]}, headers=link)
    with pytest.raises(ProtocolViolation, match="larger than 1000 bytes"):
        registry(server).list_tags("a/b")


def test_referrers_in_pages_that_stay_empty_are_given_up(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_pages, "_FRUITLESS_PAGES", 2)
    for number in range(3):
        headers = {**INDEX_TYPE, "Link": f'<{REFERRERS}?p={number + 1}>; rel="next"'}
        server.expect("GET", REFERRERS + (f"?p={number}" if number else ""), 200, encoded(index()), headers)
    with pytest.raises(ProtocolViolation, match="3 pages in a row"):
        registry(server).list_referrers("a/b", MANIFEST_DIGEST)
