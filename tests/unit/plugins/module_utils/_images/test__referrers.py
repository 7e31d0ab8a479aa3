# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.imageops.registry.plugins.module_utils._images._listing import ImageName
from ansible_collections.imageops.registry.plugins.module_utils._images._referrers import (
    Found,
    cosign_tags,
    find_referrers,
    referrers_as_plain,
)
from ansible_collections.imageops.registry.plugins.module_utils._model._digest import compute_digest
from ansible_collections.imageops.registry.plugins.module_utils._model._errors import AccessDenied, RegistryError
from ansible_collections.imageops.registry.plugins.module_utils._model._manifest import OCI_INDEX, OCI_MANIFEST
from ansible_collections.imageops.registry.plugins.module_utils._registry._registry import Registry
from ansible_collections.imageops.registry.tests.unit.support.documents import (
    DIGEST_512,
    descriptor,
    encoded,
    errors,
    image,
    index,
    transport,
)
from ansible_collections.imageops.registry.tests.unit.support.scripted_server import ScriptedServer

SUBJECT = encoded(image())
DIGEST = compute_digest(SUBJECT)
HEX = DIGEST.partition(":")[2]
SIGNATURE = encoded(image(annotations={"what": "signature"}))
SBOM_TYPE, BUNDLE_TYPE = "application/x-sbom", "application/x-bundle"
EMPTY = "application/vnd.oci.empty.v1+json"


def of_type(artifact_type: str) -> bytes:
    return encoded(image(artifactType=artifact_type, subject=descriptor(SUBJECT, OCI_MANIFEST)))


SBOM = descriptor(of_type(SBOM_TYPE), OCI_MANIFEST, artifactType=SBOM_TYPE, annotations={"a": "b"})
BUNDLE = descriptor(of_type(BUNDLE_TYPE), OCI_MANIFEST, artifactType=BUNDLE_TYPE)


@pytest.fixture
def server(serve: t.Callable[..., ScriptedServer]) -> ScriptedServer:
    return serve(ordered=False)


def find(server: ScriptedServer, *names: ImageName, artifact_type: str = "") -> list[Found | RegistryError]:
    registry = Registry(transport(server.host), writing=False)
    try:
        return find_referrers(registry, names, artifact_type)
    finally:
        registry.close()


def expect_manifest(server: ScriptedServer, reference: str, content: bytes = b"") -> None:
    target = f"/v2/a/b/manifests/{reference}"
    if content:
        headers = {"Content-Type": OCI_MANIFEST, "Docker-Content-Digest": compute_digest(content)}
        server.expect("HEAD", target, 200, content, headers)
    else:
        server.expect("HEAD", target, 404)


def expect_api(server: ScriptedServer, *referrers: dict[str, t.Any]) -> None:
    server.expect("GET", f"/v2/a/b/referrers/{DIGEST}", 200, index(*referrers), {"Content-Type": OCI_INDEX})


def expect_content(server: ScriptedServer, content: bytes) -> None:
    target = f"/v2/a/b/manifests/{compute_digest(content)}"
    server.expect("GET", target, 200, content, {"Content-Type": OCI_MANIFEST})


def expect_cosign(server: ScriptedServer, **there: bytes) -> None:
    for name in ("sig", "att", "sbom"):
        expect_manifest(server, f"sha256-{HEX}.{name}", there.get(name, b""))


def test_all_that_refers_to_a_digest_is_found(server: ScriptedServer) -> None:
    expect_manifest(server, DIGEST, SUBJECT)
    expect_api(server, SBOM, BUNDLE)
    expect_cosign(server, sig=SIGNATURE)
    (found,) = find(server, ImageName("a/b", "", DIGEST))
    assert isinstance(found, Found)
    assert referrers_as_plain(found) == {
        "digest": DIGEST,
        "exists": True,
        "found_by": "api",
        "referrers": [
            {
                "digest": SBOM["digest"],
                "media_type": OCI_MANIFEST,
                "size": SBOM["size"],
                "artifact_type": "application/x-sbom",
                "annotations": {"a": "b"},
            },
            {
                "digest": BUNDLE["digest"],
                "media_type": OCI_MANIFEST,
                "size": BUNDLE["size"],
                "artifact_type": "application/x-bundle",
                "annotations": {},
            },
        ],
        "cosign_tags": [
            {
                "tag": f"sha256-{HEX}.sig",
                "digest": compute_digest(SIGNATURE),
                "media_type": OCI_MANIFEST,
                "size": len(SIGNATURE),
            }
        ],
    }


def test_a_tag_is_resolved_and_the_artifact_type_looked_for(server: ScriptedServer) -> None:
    expect_manifest(server, "1.0", SUBJECT)
    expect_api(server, SBOM, BUNDLE)
    expect_content(server, of_type(SBOM_TYPE))
    expect_cosign(server)
    (found,) = find(server, ImageName("a/b", "1.0", ""), artifact_type=BUNDLE_TYPE)
    assert isinstance(found, Found)
    assert found.digest == DIGEST
    assert [referrer.digest for referrer in found.referrers.descriptors] == [BUNDLE["digest"]]
    assert found.cosign_tags == ()


@pytest.mark.parametrize("by_api", [True, False])
@pytest.mark.parametrize("listed", ["", EMPTY, "application/wrong"])
def test_a_type_that_a_list_does_not_give_is_that_of_the_manifest(
    server: ScriptedServer, listed: str, by_api: bool
) -> None:
    expect_manifest(server, DIGEST, SUBJECT)
    entries = [{**entry, "artifactType": listed} for entry in (SBOM, BUNDLE)]
    if by_api:
        expect_api(server, *entries)
    else:
        server.expect("GET", f"/v2/a/b/referrers/{DIGEST}", 404)
        tagged = f"/v2/a/b/manifests/sha256-{HEX}"
        server.expect("GET", tagged, 200, index(*entries), {"Content-Type": OCI_INDEX})
    for artifact_type in (SBOM_TYPE, BUNDLE_TYPE):
        expect_content(server, of_type(artifact_type))
    expect_cosign(server)
    (found,) = find(server, ImageName("a/b", "", DIGEST), artifact_type=BUNDLE_TYPE)
    assert isinstance(found, Found)
    assert [(one.digest, one.artifact_type) for one in found.referrers.descriptors] == [(BUNDLE["digest"], BUNDLE_TYPE)]


def test_without_a_type_asked_for_only_what_has_none_is_read(server: ScriptedServer) -> None:
    expect_manifest(server, DIGEST, SUBJECT)
    expect_api(server, {**SBOM, "artifactType": "application/wrong"}, {**BUNDLE, "artifactType": EMPTY})
    expect_content(server, of_type(BUNDLE_TYPE))
    expect_cosign(server)
    (found,) = find(server, ImageName("a/b", "", DIGEST))
    assert isinstance(found, Found)
    assert [one.artifact_type for one in found.referrers.descriptors] == ["application/wrong", BUNDLE_TYPE]


@pytest.mark.parametrize(("status", "artifact_type", "fails"), [(404, BUNDLE_TYPE, False), (403, BUNDLE_TYPE, True)])
def test_what_is_listed_and_can_not_be_read_has_the_listed_type(
    server: ScriptedServer, status: int, artifact_type: str, fails: bool
) -> None:
    expect_manifest(server, DIGEST, SUBJECT)
    expect_api(server, SBOM, BUNDLE)
    server.expect("GET", f"/v2/a/b/manifests/{SBOM['digest']}", status, errors("DENIED" if fails else "NONE"))
    expect_cosign(server)
    (found,) = find(server, ImageName("a/b", "", DIGEST), artifact_type=artifact_type)
    if fails:
        assert isinstance(found, AccessDenied)
    else:
        assert isinstance(found, Found)
        assert [one.digest for one in found.referrers.descriptors] == [BUNDLE["digest"]]


def test_a_type_that_can_not_be_read_is_no_error_where_none_was_asked_for(server: ScriptedServer) -> None:
    expect_manifest(server, DIGEST, SUBJECT)
    expect_api(server, {**SBOM, "artifactType": ""})
    server.expect("GET", f"/v2/a/b/manifests/{SBOM['digest']}", 403, errors("DENIED"))
    expect_cosign(server)
    (found,) = find(server, ImageName("a/b", "", DIGEST))
    assert isinstance(found, Found)
    assert [one.artifact_type for one in found.referrers.descriptors] == [""]


def test_the_tag_schema_where_there_is_no_api(server: ScriptedServer) -> None:
    expect_manifest(server, DIGEST, SUBJECT)
    server.expect("GET", f"/v2/a/b/referrers/{DIGEST}", 404)
    server.expect("GET", f"/v2/a/b/manifests/sha256-{HEX}", 200, index(SBOM), {"Content-Type": OCI_INDEX})
    expect_cosign(server)
    (found,) = find(server, ImageName("a/b", "", DIGEST))
    assert isinstance(found, Found)
    assert found.referrers.found_by == "tag_schema"
    assert [referrer.digest for referrer in found.referrers.descriptors] == [SBOM["digest"]]


def test_a_tag_that_resolves_to_the_subject_is_no_list(server: ScriptedServer) -> None:
    expect_manifest(server, DIGEST, SUBJECT)
    server.expect("GET", f"/v2/a/b/referrers/{DIGEST}", 404)
    server.expect("GET", f"/v2/a/b/manifests/sha256-{HEX}", 200, SUBJECT, {"Content-Type": OCI_MANIFEST})
    expect_cosign(server)
    (found,) = find(server, ImageName("a/b", "", DIGEST))
    assert isinstance(found, Found)
    assert found.referrers.found_by == ""
    assert found.referrers.descriptors == ()


def test_something_may_refer_to_a_digest_that_isnt_there(server: ScriptedServer) -> None:
    expect_manifest(server, DIGEST)
    expect_api(server, SBOM)
    for name in ("sig", "att", "sbom"):
        # HEAD has found nothing yet, so GET is asked as well.
        expect_manifest(server, f"sha256-{HEX}.{name}")
        server.expect("GET", f"/v2/a/b/manifests/sha256-{HEX}.{name}", 404)
    (found,) = find(server, ImageName("a/b", "", DIGEST))
    assert isinstance(found, Found)
    assert not found.exists
    assert found.digest == DIGEST
    assert len(found.referrers.descriptors) == 1


def test_a_tag_that_isnt_there_costs_one_request(server: ScriptedServer) -> None:
    expect_manifest(server, "1.0")
    (found,) = find(server, ImageName("a/b", "1.0", ""))
    assert isinstance(found, Found)
    assert referrers_as_plain(found) == {
        "digest": "",
        "exists": False,
        "found_by": "",
        "referrers": [],
        "cosign_tags": [],
    }


def test_a_refusal_is_the_outcome_of_its_image_only(server: ScriptedServer) -> None:
    expect_manifest(server, "1.0")
    for method, what in (("HEAD", "manifests/1.0"), ("GET", "manifests/1.0"), ("GET", "tags/list")):
        server.expect(method, f"/v2/c/{what}", 403, errors("DENIED"))
    expect_manifest(server, DIGEST, SUBJECT)
    server.expect("GET", f"/v2/a/b/referrers/{DIGEST}", 403, errors("DENIED"))
    for what in (f"manifests/sha256-{HEX}", "tags/list"):
        server.expect("GET", f"/v2/a/b/{what}", 403, errors("DENIED"))
    expect_cosign(server)
    missing, refused, refused_list = find(
        server, ImageName("a/b", "1.0", ""), ImageName("c", "1.0", ""), ImageName("a/b", "", DIGEST)
    )
    assert isinstance(missing, Found)
    assert isinstance(refused, AccessDenied)
    assert isinstance(refused_list, AccessDenied)


def test_cosign_has_no_tags_for_sha512() -> None:
    assert cosign_tags(DIGEST_512) == []
    assert cosign_tags(DIGEST) == [f"sha256-{HEX}.sig", f"sha256-{HEX}.att", f"sha256-{HEX}.sbom"]
