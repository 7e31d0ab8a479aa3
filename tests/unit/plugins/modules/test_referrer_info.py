# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.imageops.registry.plugins.module_utils._model._digest import compute_digest
from ansible_collections.imageops.registry.plugins.module_utils._model._manifest import OCI_MANIFEST
from ansible_collections.imageops.registry.tests.unit.support.documents import descriptor, encoded, image
from ansible_collections.imageops.registry.tests.unit.support.hostile_server import answer
from ansible_collections.imageops.registry.tests.unit.support.module_runs import fail, succeed
from ansible_collections.imageops.registry.tests.unit.support.registry_server import RegistryServer
from ansible_collections.imageops.registry.tests.unit.support.signed_images import sign_by_tag

SUBJECT = descriptor(encoded(image()), OCI_MANIFEST)
SBOM = image(artifactType="application/spdx+json", subject=SUBJECT)
SIGNATURE = image(artifactType="application/x-signature", subject=SUBJECT)


@pytest.fixture
def referred(registry: RegistryServer) -> RegistryServer:
    registry.add_image("a/b:1.0")
    for document in (SBOM, SIGNATURE):
        registry.add(document, "a/b")
    return registry


def test_what_refers_to_an_image(referred: RegistryServer) -> None:
    options = {**referred.options, "repository": "a/b", "digest": SUBJECT["digest"]}
    result = succeed("referrer_info", options)
    assert result["exists"] is True and result["found_by"] == "api"
    assert [entry["artifact_type"] for entry in result["referrers"]] == [
        "application/spdx+json",
        "application/x-signature",
    ]
    assert result["referrers"][0]["digest"] == compute_digest(encoded(SBOM))
    # The list, and the three tags of cosign.
    assert result["transfer"]["requests"] >= 4
    assert succeed("referrer_info", options, check=True) == result


def test_tags_of_cosign_are_told_beside_the_list(referred: RegistryServer) -> None:
    signature = sign_by_tag(referred, "a/b:1.0")
    (found,) = succeed("referrer_info", {**referred.options, "repository": "a/b", "tag": "1.0"})["cosign_tags"]
    size = len(referred.manifests[f"a/b:{signature.tag}"])
    assert found == {"tag": signature.tag, "digest": signature.digest, "media_type": OCI_MANIFEST, "size": size}


def test_of_one_artifact_type(referred: RegistryServer) -> None:
    options = {**referred.options, "repository": "a/b", "tag": "1.0", "artifact_type": "application/spdx+json"}
    (entry,) = succeed("referrer_info", options)["referrers"]
    assert entry["artifact_type"] == "application/spdx+json"


def test_many_images_and_one_that_fails(referred: RegistryServer) -> None:
    wanted = [{"repository": "a/b", "tag": "1.0"}, {"repository": "a/b", "tag": "none"}]
    result = succeed("referrer_info", {**referred.options, "images": wanted})
    assert [entry["exists"] for entry in result["images"]] == [True, False] and result["exists"] is False
    assert "referrers" not in result and len(result["images"][0]["referrers"]) == 2
    referred.on("GET", "/v2/a/b/referrers/.*", answer(500))
    failed = fail("referrer_info", {**referred.options, "images": wanted})
    assert [(entry["repository"], entry["tag"]) for entry in failed["failures"]] == [("a/b", "1.0")]
    assert "exists" not in failed


def test_what_manifest_info_returns_is_taken_as_it_is(referred: RegistryServer) -> None:
    wanted = [{"repository": "a/b", "tag": "1.0"}, {"repository": "a/b", "tag": "none"}]
    seen = succeed("manifest_info", {**referred.options, "images": wanted})["images"]
    assert [entry["exists"] for entry in seen] == [True, False]
    result = succeed("referrer_info", {**referred.options, "images": seen})
    assert [len(entry["referrers"]) for entry in result["images"]] == [2, 0]
