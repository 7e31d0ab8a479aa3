# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import pathlib

from ansible_collections.imageops.registry.plugins.module_utils._model._manifest import OCI_MANIFEST
from ansible_collections.imageops.registry.tests.unit.support.documents import descriptor, image
from ansible_collections.imageops.registry.tests.unit.support.hostile_server import answer
from ansible_collections.imageops.registry.tests.unit.support.module_runs import fail, succeed
from ansible_collections.imageops.registry.tests.unit.support.registry_server import RegistryServer
from ansible_collections.imageops.registry.tests.unit.support.signing import (
    WAYS,
    private_key,
    public_pem,
    signed_statement,
)

CONFIG = json.dumps(
    {
        "os": "linux",
        "architecture": "amd64",
        "created": "2026-05-01T00:00:00Z",
        "config": {"Labels": {"team": "app"}},
    }
).encode()


def test_the_document_of_an_image(registry: RegistryServer) -> None:
    digest = registry.add_image("a/b:1.0", config=CONFIG)
    options = {**registry.options, "repository": "a/b", "tag": "1.0"}
    result = succeed("image_info", options)
    document = result["document"]
    assert (result["exists"], result["digest"]) == (True, digest)
    assert document["reference"] == f"{registry.host}/a/b:1.0" and document["registry"] == registry.host
    assert (document["kind"], document["platforms"], document["labels"]) == ("image", ["linux/amd64"], {"team": "app"})
    assert document["created"] == "2026-05-01T00:00:00Z" and document["age_seconds"] > 0
    assert (document["signatures"], document["promotions"], document["referrers"]) == ([], [], [])
    assert (document["destination"], document["first_seen_at"], document["first_seen_seconds"]) == (None, None, None)
    again = succeed("image_info", options, check=True)
    # But for the time of day.
    for found in (again, result):
        for key in ("now", "age_seconds"):
            found["document"].pop(key)
        for key in ("images", "transfer"):
            found.pop(key)
        found["document"]["images"][0].pop("age_seconds")
    assert again == result
    assert not registry.writes


def test_signatures_are_verified_where_there_are_rules(registry: RegistryServer) -> None:
    kind, sign = WAYS["P-256 with SHA-256"]
    key = private_key(kind)
    digest = registry.add_image("a/b:1.0", config=CONFIG)
    subject = descriptor(registry.manifests["a/b:1.0"], OCI_MANIFEST)
    made = signed_statement(digest, key, sign)
    registry.add_blob(made.content, "a/b")
    registry.add(image(artifactType=made.layer.media_type, layers=[made.listed()], subject=subject), "a/b")
    rules = [{"keys": [public_pem(key).decode()]}]
    found = succeed("image_info", {**registry.options, "repository": "a/b", "tag": "1.0", "signatures": rules})
    assert [one["verified"] for one in found["document"]["signatures"]] == [True]
    assert [one["predicate_types"] for one in found["document"]["referrers"]] == [
        ["https://sigstore.dev/cosign/sign/v1"]
    ]


def test_since_when_a_digest_is_known_is_read_and_never_written(
    registry: RegistryServer, tmp_path: pathlib.Path
) -> None:
    digest = registry.add_image("a/b:1.0", config=CONFIG)
    options = {**registry.options, "repository": "a/b", "tag": "1.0", "record": {"path": str(tmp_path)}}
    assert succeed("image_info", options)["document"]["first_seen_at"] is None
    assert not list(tmp_path.iterdir())
    kept = {f"{registry.host}/a/b@{digest}": "2026-05-02T00:00:00Z"}
    (tmp_path / "first-seen.json").write_text(json.dumps(kept))
    document = succeed("image_info", options)["document"]
    assert document["first_seen_at"] == "2026-05-02T00:00:00Z" and document["first_seen_seconds"] > 0
    (tmp_path / "first-seen.json").write_text("broken")
    assert "first-seen.json is not what it was written as" in fail("image_info", options)["msg"]


def test_many_images_and_one_that_fails(registry: RegistryServer) -> None:
    registry.add_image("a:1", "b:1", config=CONFIG)
    registry.add(image(config=descriptor(b"not there", "application/vnd.oci.image.config.v1+json")), "a:2")
    wanted = [{"repository": name, "tag": tag} for name, tag in (("a", "1"), ("a", "none"), ("b", "1"))]
    result = succeed("image_info", {**registry.options, "images": wanted})
    assert [one["exists"] for one in result["images"]] == [True, False, True] and result["exists"] is False
    assert result["images"][1]["document"] is None and "document" not in result
    registry.on("HEAD|GET", "/v2/b/.*", answer(500))
    wanted.append({"repository": "a", "tag": "2"})
    failed = fail("image_info", {**registry.options, "images": wanted})
    assert [(entry["repository"], entry["tag"]) for entry in failed["failures"]] == [("b", "1"), ("a", "2")]
