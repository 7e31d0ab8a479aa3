# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.imageops.registry.plugins.module_utils._model._digest import compute_digest
from ansible_collections.imageops.registry.plugins.module_utils._model._errors import (
    ForeignType,
    InvalidInput,
    NotFound,
    ProtocolViolation,
    RegistryError,
    RepositoryMissing,
)
from ansible_collections.imageops.registry.plugins.module_utils._model._manifest import (
    ACCEPT,
    DOCKER_MANIFEST,
    OCI_MANIFEST,
)
from ansible_collections.imageops.registry.tests.unit.support.documents import (
    DIGEST_512,
    OTHER_DIGEST,
    encoded,
    errors,
)
from ansible_collections.imageops.registry.tests.unit.support.registry_client import (
    CONTENT,
    MANIFEST_DIGEST,
    described,
    registry,
)
from ansible_collections.imageops.registry.tests.unit.support.scripted_server import ScriptedServer

Serve = t.Callable[..., ScriptedServer]


def test_a_tag_on_a_manifest_of_another_type_has_its_digest(server: ScriptedServer) -> None:
    kind = "application/vnd.docker.distribution.manifest.v1+prettyjws"
    server.expect("HEAD", "/v2/a/b/manifests/1", 200, headers={**described(), "Content-Type": kind})
    found = registry(server).head_manifest("a/b", "1")
    assert found is not None and (found.digest, found.media_type) == (MANIFEST_DIGEST, kind)


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


def test_get_manifest_accepts_the_type_of_the_descriptor_and_says_why_it_cannot_be_pushed(
    server: ScriptedServer,
) -> None:
    media_type = "application/vnd.example.manifest.v9+json"
    content = encoded({"mediaType": media_type, "blobs": []})
    digest = compute_digest(content)
    server.expect("GET", f"/v2/a/b/manifests/{digest}", 200, content, described(content, media_type))
    with pytest.raises(ForeignType, match="is not a manifest type that can be pushed"):
        registry(server).get_manifest("a/b", digest, media_type)
    assert server.requests[0].header("Accept") == f"{ACCEPT}, {media_type}"


def test_get_manifest_takes_the_type_that_descriptor_and_manifest_agree_on(server: ScriptedServer) -> None:
    path = f"/v2/a/b/manifests/{MANIFEST_DIGEST}"
    server.expect("GET", path, 200, CONTENT, described(media_type=DOCKER_MANIFEST), times=3)
    assert registry(server).get_manifest("a/b", MANIFEST_DIGEST, OCI_MANIFEST).media_type == OCI_MANIFEST
    for media_type in ("", DOCKER_MANIFEST):
        with pytest.raises(InvalidInput, match="but it was given as"):
            registry(server).get_manifest("a/b", MANIFEST_DIGEST, media_type)
