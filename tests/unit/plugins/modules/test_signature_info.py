# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pathlib
import typing as t

import pytest
from ansible_collections.imageops.registry.plugins.module_utils._end._referrers import referrers_tag
from ansible_collections.imageops.registry.plugins.module_utils._model._manifest import OCI_MANIFEST
from ansible_collections.imageops.registry.tests.unit.support.documents import descriptor, encoded, image
from ansible_collections.imageops.registry.tests.unit.support.hostile_server import answer
from ansible_collections.imageops.registry.tests.unit.support.module_runs import fail, succeed
from ansible_collections.imageops.registry.tests.unit.support.registry_server import RegistryServer
from ansible_collections.imageops.registry.tests.unit.support.signing import (
    WAYS,
    Made,
    private_key,
    public_pem,
    signed_statement,
    simple_signing,
)

KIND, SIGN = WAYS["P-256 with SHA-256"]
KEY, OTHER = private_key(KIND), private_key(KIND, 1)
DIGEST = descriptor(encoded(image()))["digest"]


def put(registry: RegistryServer, made: Made, **manifest: t.Any) -> dict[str, t.Any]:
    """Have the blob of a signature, and return the manifest that holds it."""
    registry.add_blob(made.content, "a/b")
    return image(layers=[made.listed()], **manifest)


@pytest.fixture
def signed(registry: RegistryServer) -> RegistryServer:
    registry.add_image("a/b:1.0", "a/b:also-1.0")
    registry.add(put(registry, simple_signing(DIGEST, OTHER, SIGN)), f"a/b:{referrers_tag(DIGEST)}.sig")
    made = signed_statement(DIGEST, KEY, SIGN)
    subject = descriptor(encoded(image()), OCI_MANIFEST)
    registry.add(put(registry, made, artifactType=made.layer.media_type, subject=subject), "a/b")
    return registry


@pytest.fixture
def rules(tmp_path: pathlib.Path) -> list[dict[str, t.Any]]:
    (tmp_path / "key.pub").write_bytes(public_pem(KEY))
    return [{"repositories": ["a/*"], "keys": [str(tmp_path / "key.pub")]}]


def test_one_image_with_a_signature_that_verifies_and_one_that_does_not(signed: RegistryServer, rules: t.Any) -> None:
    options = {**signed.options, "repository": "a/b", "tag": "1.0", "signatures": rules}
    result = succeed("signature_info", options)
    assert (result["exists"], result["verified"], result["reason"], result["digest"]) == (True, True, "", DIGEST)
    assert [(one["form"], one["verified"]) for one in result["signatures"]] == [
        ("cosign_tag", False),
        ("sigstore_bundle", True),
    ]
    assert result["signatures"][1]["by"].startswith("key:") and not result["signatures"][0]["by"]
    again = succeed("signature_info", options, check=True)
    # Which answer is the first that says that nothing is there, and so is confirmed, is up to threads.
    assert {**again, "transfer": {}} == {**result, "transfer": {}}
    assert not signed.writes


def test_an_unknown_key_is_a_result_and_no_failure(signed: RegistryServer) -> None:
    rules = [{"keys": [public_pem(private_key("p384")).decode()]}]
    result = succeed("signature_info", {**signed.options, "repository": "a/b", "tag": "1.0", "signatures": rules})
    assert result["verified"] is False and "none of the 2 signatures" in result["reason"]


def test_many_images_of_which_one_is_exempt_one_is_not_there_and_one_fails(
    signed: RegistryServer, rules: t.Any
) -> None:
    signed.add_image("other/c:1", "third/d:1")
    images = [
        {"repository": name, "tag": tag}
        for name, tag in (("a/b", "1.0"), ("a/b", "none"), ("other/c", "1"), ("third/d", "1"))
    ]
    options = {
        **signed.options,
        "images": images,
        "signatures": [*rules, {"repositories": ["third/*"], "mode": "none"}],
    }
    result = succeed("signature_info", options)
    assert [(one["exists"], one["verified"]) for one in result["images"]] == [
        (True, True),
        (False, False),
        (True, False),
        (True, None),
    ]
    assert [one["reason"] for one in result["images"]] == [
        "",
        "the image is not there",
        "no rule of signatures matches",
        "",
    ]
    assert result["exists"] is False and "verified" not in result
    signed.on("GET", "/v2/a/b/referrers/.*", answer(500))
    failed = fail("signature_info", options)
    assert [(entry["repository"], entry["tag"]) for entry in failed["failures"]] == [("a/b", "1.0")]


def test_nothing_is_asked_where_a_rule_is_wrong(signed: RegistryServer) -> None:
    options = {**signed.options, "repository": "a/b", "tag": "1.0", "signatures": [{"keys": ["/nowhere/key.pub"]}]}
    assert "signatures[0].keys[0]" in fail("signature_info", options)["msg"]
    assert not signed.requests
