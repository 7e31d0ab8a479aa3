# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.imageops.registry.plugins.module_utils._end._body import Body
from ansible_collections.imageops.registry.plugins.module_utils._end._upload_session import UploadSession
from ansible_collections.imageops.registry.plugins.module_utils._model._digest import compute_digest
from ansible_collections.imageops.registry.plugins.module_utils._model._errors import (
    AccessDenied,
    BodyTooLarge,
    RateLimited,
    ReferencesMissing,
    RegistryError,
    RepositoryMissing,
    UnexpectedAnswer,
    Unsupported,
    UploadGone,
)
from ansible_collections.imageops.registry.plugins.module_utils._model._manifest import (
    DOCKER_LIST,
    DOCKER_MANIFEST,
    OCI_INDEX,
    OCI_MANIFEST,
    Manifest,
)
from ansible_collections.imageops.registry.plugins.module_utils._registry._registry import Registry
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
from ansible_collections.imageops.registry.tests.unit.support.registry_client import (
    CONTENT,
    ENCODED_DIGEST,
    MANIFEST_DIGEST,
    MOUNT,
    TOKEN,
    UPLOADS,
    registry,
)
from ansible_collections.imageops.registry.tests.unit.support.scripted_server import ScriptedServer

Serve = t.Callable[..., ScriptedServer]


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
    with pytest.raises(Unsupported, match="does not take manifests by their sha512 digest"):
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
    with pytest.raises(Unsupported, match="does not take manifests of the type") as caught:
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
    with pytest.raises(Unsupported, match="nested index.*Copy the inner indexes separately"):
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


@pytest.mark.parametrize("status", [200, 400, 403, 405, 500])
def test_mount_answered_otherwise_is_an_error(server: ScriptedServer, status: int) -> None:
    server.expect("POST", MOUNT, status)
    with pytest.raises(RegistryError, match=f"Cannot mount blob {DIGEST} from c/d into"):
        registry(server).mount_blob("a/b", DIGEST, "c/d")


@pytest.mark.parametrize(
    ("status", "codes", "reason", "hint"),
    [
        (404, ["BLOB_UNKNOWN"], "the blob could not be mounted (BLOB_UNKNOWN: blob_unknown)", ""),
        (404, ["NAME_UNKNOWN"], "the blob could not be mounted (NAME_UNKNOWN: name_unknown)", ""),
        (404, [], "the blob could not be mounted (it is not there)", ""),
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
    server.expect("POST", MOUNT, status, errors(*codes) if codes else b"")
    with pytest.raises(RegistryError) as caught:
        registry(server, credential=TOKEN).mount_blob("a/b", DIGEST, "c/d")
    assert (caught.value.reason, caught.value.hint) == (reason, hint)


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
