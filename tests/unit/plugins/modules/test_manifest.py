# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import base64
import json
import pathlib
import typing as t

import pytest
from ansible_collections.imageops.registry.plugins.module_utils._model._digest import compute_digest
from ansible_collections.imageops.registry.plugins.module_utils._model._manifest import OCI_INDEX, OCI_MANIFEST
from ansible_collections.imageops.registry.tests.unit.support.documents import (
    CONFIG,
    DIGEST,
    LAYER,
    OTHER_DIGEST,
    descriptor,
    encoded,
    image,
    index,
)
from ansible_collections.imageops.registry.tests.unit.support.hostile_server import answer
from ansible_collections.imageops.registry.tests.unit.support.module_runs import (
    NO_TRANSFER,
    Plain,
    fail,
    four_runs,
    succeed,
    transfer,
)
from ansible_collections.imageops.registry.tests.unit.support.registry_server import RegistryServer

IMAGE = encoded(image())
IMAGE_DIGEST = compute_digest(IMAGE)
IMAGE_BASE64 = base64.b64encode(IMAGE).decode()
DOCKER_TYPE = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER = encoded(image(mediaType=DOCKER_TYPE))
BLOBS = (CONFIG, LAYER)


@pytest.fixture
def filled(registry: RegistryServer) -> RegistryServer:
    """A registry that has the blobs of the image in ``a/b``, and no manifest."""
    for content in BLOBS:
        registry.add_blob(content, "a/b")
    return registry


def pushed(action: str, content: bytes = IMAGE, **more: t.Any) -> Plain:
    return {
        "repository": "a/b",
        "digest": compute_digest(content),
        "media_type": json.loads(content)["mediaType"],
        "size": len(content),
        "action": action,
        "uploaded_again": [],
        "referrers_tag": "",
        "given_up": [],
        **more,
    }


@pytest.mark.parametrize(
    ("given", "content"),
    [
        ({"content": IMAGE.decode()}, IMAGE),
        ({"content_base64": IMAGE_BASE64}, IMAGE),
        (
            {
                "content_base64": base64.b64encode(DOCKER).decode(),
                "digest": compute_digest(DOCKER),
                "media_type": DOCKER_TYPE,
            },
            DOCKER,
        ),
    ],
    ids=["text", "base64", "base64 of a known digest and media type"],
)
def test_a_manifest_is_pushed_once(filled: RegistryServer, given: Plain, content: bytes) -> None:
    options = {**filled.options, "repository": "a/b", **given}
    runs = four_runs("manifest", options, writes=lambda: filled.writes)
    digest = compute_digest(content)
    assert filled.manifests == {f"a/b@{digest}": content}
    assert [run["digest"] for run in runs] == [digest] * 4
    assert runs.foreseen["manifests"] == runs.done["manifests"] == [pushed("push", content)]
    assert runs.again["manifests"] == runs.foreseen_again["manifests"] == [pushed("exists", content)]
    (diff,) = runs.done["diff"]
    assert diff["after_header"] == f"{filled.host}/a/b@{digest}"
    assert diff["before"] == {} and diff["after"]["media_type"] == json.loads(content)["mediaType"]
    # HEAD, and GET that confirms that it isn't there; then PUT.
    assert runs.foreseen["transfer"] == transfer(requests=2)
    assert runs.done["transfer"] == transfer(requests=3)
    assert runs.again["transfer"] == runs.foreseen_again["transfer"] == transfer(requests=1)


@pytest.mark.parametrize("option", ["path", "src"])
def test_a_manifest_is_pushed_from_a_file(filled: RegistryServer, tmp_path: pathlib.Path, option: str) -> None:
    (tmp_path / "manifest.json").write_bytes(IMAGE)
    options = {**filled.options, "repository": "a/b", option: str(tmp_path / "manifest.json")}
    runs = four_runs("manifest", options, writes=lambda: filled.writes)
    assert runs.done["digest"] == IMAGE_DIGEST and filled.manifests == {f"a/b@{IMAGE_DIGEST}": IMAGE}


@pytest.mark.parametrize("elsewhere", [{}, {"source_repository": "other"}])
def test_a_manifest_is_copied_from_another_registry(
    filled: RegistryServer, source: RegistryServer, elsewhere: Plain
) -> None:
    source.add(image(), elsewhere.get("source_repository", "a/b"))
    ends = {**filled.options, "source": {"registry": source.host, "plain_http": True}}
    options = {**ends, "repository": "a/b", "digest": IMAGE_DIGEST, **elsewhere}
    runs = four_runs("manifest", options, writes=lambda: filled.writes)
    assert runs.foreseen["manifests"] == runs.done["manifests"] == [pushed("push")]
    assert runs.foreseen["transfer"] == transfer(requests=3)
    assert runs.done["transfer"] == transfer(requests=4)
    # What is there is read, to see whether it has a subject.
    assert runs.again["transfer"] == transfer(requests=2)


def entry(content: bytes = IMAGE, **more: t.Any) -> Plain:
    return {
        "repository": "a/b",
        "digest": compute_digest(content),
        "content_base64": base64.b64encode(content).decode(),
        **more,
    }


INDEX = encoded(index(descriptor(IMAGE, OCI_MANIFEST), descriptor(DOCKER, DOCKER_TYPE)))


def test_many_manifests_are_pushed_children_first(filled: RegistryServer) -> None:
    wanted = [entry(IMAGE), entry(DOCKER), entry(INDEX)]
    runs = four_runs("manifest", {**filled.options, "manifests": wanted}, writes=lambda: filled.writes)
    assert [one["action"] for one in runs.done["manifests"]] == ["push"] * 3
    assert [one["media_type"] for one in runs.done["manifests"]] == [OCI_MANIFEST, DOCKER_TYPE, OCI_INDEX]
    assert runs.foreseen["manifests"] == runs.done["manifests"]
    assert [one["action"] for one in runs.again["manifests"]] == ["exists"] * 3
    assert "digest" not in runs.done and len(runs.done["diff"]) == 3
    assert filled.writes[-1] == f"PUT /v2/a/b/manifests/{compute_digest(INDEX)}"
    assert runs.foreseen["transfer"] == transfer(requests=4)
    assert runs.done["transfer"] == transfer(requests=7)


def test_one_manifest_given_twice_is_pushed_once_with_what_either_knows(filled: RegistryServer) -> None:
    bare = {"repository": "a/b", "digest": IMAGE_DIGEST}
    for wanted in ([bare, entry()], [entry(), bare], [{**bare, "media_type": OCI_MANIFEST, "replace": True}, entry()]):
        filled.manifests.clear()
        done = succeed("manifest", {**filled.options, "manifests": wanted})
        assert done["manifests"] == [pushed("push")]


def test_blobs_that_a_registry_lost_are_uploaded_again(registry: RegistryServer, source: RegistryServer) -> None:
    source.add_image("a/b:1.0")
    ends = {**registry.options, "source": {"registry": source.host, "plain_http": True}}
    done = succeed("manifest", {**ends, "manifests": [entry()]})
    assert set(done["manifests"][0]["uploaded_again"]) == {compute_digest(content) for content in BLOBS}
    whole = len(CONFIG) + len(LAYER)
    # HEAD, GET, PUT; then GET, POST and PUT for each of two blobs; PUT.
    assert done["transfer"] == transfer(requests=10, bytes_uploaded=whole, bytes_downloaded=whole)


# Failures ------------------------------------------------------------------------------------------------------------


def test_a_manifest_without_its_blobs(registry: RegistryServer) -> None:
    options = {**registry.options, "manifests": [entry()]}
    assert succeed("manifest", options, check=True)["manifests"][0]["action"] == "push"
    failed = fail("manifest", options)
    assert failed["msg"].startswith(f"Cannot push {registry.host}/a/b@{IMAGE_DIGEST}: ")
    assert "the repository is missing what the manifest refers to" in failed["msg"]
    assert failed["msg"].endswith("Push the blobs and the child manifests first.")
    assert failed["changed"] is False
    assert [(one["repository"], one["digest"]) for one in failed["failures"]] == [("a/b", IMAGE_DIGEST)]
    assert failed["transfer"] == transfer(requests=3)


def test_an_index_after_a_child_that_fails(registry: RegistryServer) -> None:
    failed = fail("manifest", {**registry.options, "manifests": [entry(IMAGE), entry(DOCKER), entry(INDEX)]})
    assert failed["msg"].endswith(" (and 2 more, see failures)")
    assert failed["failures"][2]["msg"] == (
        f"Cannot push {registry.host}/a/b@{compute_digest(INDEX)}: its manifest {IMAGE_DIGEST} could not be pushed."
    )
    # HEAD of all three, one GET that confirms the first, PUT of the children only.
    assert failed["transfer"] == transfer(requests=6)
    alone = fail("manifest", {**registry.options, "manifests": [entry(INDEX)]})
    assert "the repository is missing what the manifest refers to" in alone["msg"]


def test_what_is_pushed_must_have_its_digest(registry: RegistryServer) -> None:
    given = {"repository": "a/b", "content_base64": IMAGE_BASE64, "digest": OTHER_DIGEST}
    failed = fail("manifest", {**registry.options, **given})
    assert OTHER_DIGEST in failed["msg"] and IMAGE_DIGEST in failed["msg"]
    assert failed["transfer"] == NO_TRANSFER


def test_what_is_not_given(registry: RegistryServer) -> None:
    failed = fail("manifest", {**registry.options, "repository": "a/b", "digest": DIGEST})
    assert failed["msg"] == (
        f"Cannot push {registry.host}/a/b@{DIGEST}: neither its content nor a source to read it from is given."
    )
    assert failed["transfer"] == transfer(requests=2)


def test_what_is_not_at_the_source(registry: RegistryServer, source: RegistryServer) -> None:
    ends = {**registry.options, "source": {"registry": source.host, "plain_http": True}}
    failed = fail("manifest", {**ends, "repository": "a/b", "digest": DIGEST})
    assert failed["msg"].startswith(f"Cannot read {source.host}/a/b@{DIGEST}: ")
    assert failed["failures"][0]["error"]["status"] == 404
    assert failed["transfer"] == transfer(requests=3)


def test_what_is_no_manifest(registry: RegistryServer) -> None:
    failed = fail("manifest", {**registry.options, "repository": "a/b", "content": "[]"})
    assert failed["transfer"] == NO_TRANSFER and "manifest" in failed["msg"]


@pytest.mark.parametrize("depth", ["manifests", "blobs"])
def test_what_was_pushed_is_verified(filled: RegistryServer, depth: str) -> None:
    options = {**filled.options, "repository": "a/b", "content": IMAGE.decode(), "verify": depth}
    assert succeed("manifest", options, check=True)["changed"] is True
    assert succeed("manifest", options)["changed"] is True
    # A registry that has the manifest, and loses a blob.
    filled.blobs.clear()
    if depth == "blobs":
        failed = fail("manifest", options)
        assert {one["digest"] for one in failed["failures"]} == {compute_digest(content) for content in BLOBS}
    else:
        assert succeed("manifest", options)["changed"] is False


def test_the_content_of_what_was_pushed_is_verified(filled: RegistryServer) -> None:
    options = {**filled.options, "repository": "a/b", "content": IMAGE.decode(), "verify": "blobs"}
    filled.blobs[f"a/b@{DIGEST}"] = b"x" * len(LAYER)
    assert succeed("manifest", options)["changed"] is True
    failed = fail("manifest", {**options, "verify_content": True})
    assert DIGEST in failed["msg"]


# Deletes -------------------------------------------------------------------------------------------------------------


def test_a_manifest_is_deleted_once_and_its_tags_with_it(registry: RegistryServer) -> None:
    registry.add_image("a/b:1.0", "elsewhere:1.0")
    options = {**registry.options, "repository": "a/b", "digest": IMAGE_DIGEST, "state": "absent"}
    runs = four_runs("manifest", options, writes=lambda: registry.writes)
    assert set(registry.tags) == {"elsewhere:1.0"}
    assert runs.done["digest"] == IMAGE_DIGEST
    assert runs.foreseen["manifests"] == runs.done["manifests"] == [pushed("delete")]
    assert runs.again["manifests"] == runs.foreseen_again["manifests"] == [pushed("absent", media_type="", size=0)]
    title = f"{registry.host}/a/b@{IMAGE_DIGEST}"
    shown = {"digest": IMAGE_DIGEST, "media_type": OCI_MANIFEST, "size": len(IMAGE)}
    assert runs.done["diff"] == [{"before_header": title, "before": shown, "after_header": title, "after": {}}]
    assert runs.foreseen["transfer"] == transfer(requests=1)
    # What is deleted is read, to see whether it has a subject, and looked for afterwards.
    assert runs.done["transfer"] == transfer(requests=5)
    assert runs.again["transfer"] == runs.foreseen_again["transfer"] == transfer(requests=2)


def test_many_manifests_are_deleted(registry: RegistryServer) -> None:
    registry.add_image("a/b:1.0")
    registry.add(json.loads(DOCKER), "a/b:docker")
    wanted = [entry(IMAGE), entry(DOCKER), entry(INDEX)]
    options = {**registry.options, "manifests": wanted, "state": "absent"}
    runs = four_runs("manifest", options, writes=lambda: registry.writes)
    assert [one["action"] for one in runs.done["manifests"]] == ["delete", "delete", "absent"]
    assert {one["action"] for one in runs.again["manifests"]} == {"absent"}
    assert registry.manifests == {}


def test_a_registry_that_deletes_nothing(registry: RegistryServer) -> None:
    registry.add_image("a/b:1.0")
    registry.deletes = False
    refused = fail("manifest", {**registry.options, "repository": "a/b", "digest": IMAGE_DIGEST, "state": "absent"})
    assert refused["msg"] == (
        f"Cannot delete {registry.host}/a/b@{IMAGE_DIGEST}: the registry does not allow it "
        f"(DELETE {registry.url}/v2/a/b/manifests/{IMAGE_DIGEST}, answer 405). "
        "Its configuration may have deletes switched off."
    )
    assert refused["changed"] is False and refused["manifests"] == []
    assert refused["transfer"] == transfer(requests=3)


@pytest.mark.usefixtures("no_patience")
def test_a_manifest_that_is_still_there_is_no_change_and_warned_of(registry: RegistryServer) -> None:
    registry.add_image("a/b:1.0")
    registry.on("DELETE", ".*", answer(202))
    done = succeed("manifest", {**registry.options, "repository": "a/b", "digest": IMAGE_DIGEST, "state": "absent"})
    assert done["changed"] is False and done["manifests"][0]["deletion_pending"] is True
    assert f"manifest a/b@{IMAGE_DIGEST}" in str(done["warnings"])
