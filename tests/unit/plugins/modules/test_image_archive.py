# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pathlib

import pytest
from ansible_collections.imageops.registry.plugins.module_utils._model._digest import compute_digest
from ansible_collections.imageops.registry.plugins.module_utils._model._manifest import OCI_MANIFEST
from ansible_collections.imageops.registry.tests.unit.support.documents import (
    CONFIG,
    DIGEST,
    OTHER_DIGEST,
    descriptor,
    encoded,
    image,
)
from ansible_collections.imageops.registry.tests.unit.support.hostile_server import answer, no_mount
from ansible_collections.imageops.registry.tests.unit.support.module_runs import Plain, fail, four_runs, succeed
from ansible_collections.imageops.registry.tests.unit.support.registry_server import RegistryServer
from ansible_collections.imageops.registry.tests.unit.support.signed_images import sign_by_tag

ITEM = {"repository": "a/b", "tag": "1.0"}
FORMATS = {"directory": "layout", "archive": "layout.tar"}


@pytest.fixture(params=sorted(FORMATS))
def form(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def path(tmp_path: pathlib.Path, form: str) -> pathlib.Path:
    return tmp_path / FORMATS[form]


def snapshot(folder: pathlib.Path) -> dict[str, tuple[int, int]]:
    """What is below a directory, and when it was written."""
    return {
        str(file): (file.stat().st_ino, file.stat().st_mtime_ns) for file in sorted(folder.rglob("*")) if file.is_file()
    }


def assert_as_foreseen(foreseen: Plain, done: Plain) -> None:
    """All but what only the copying of blobs tells."""
    for name in ("digest", "action", "tags", "artifacts"):
        assert [found[name] for found in done["images"]] == [found[name] for found in foreseen["images"]]


def exporting(source: RegistryServer, path: pathlib.Path, *images: Plain, **more: object) -> Plain:
    return {**source.options, "state": "exported", "path": str(path), "images": list(images or (ITEM,)), **more}


def importing(registry: RegistryServer, path: pathlib.Path, **more: object) -> Plain:
    return {**registry.options, "state": "imported", "path": str(path), **more}


def test_images_are_exported_and_imported_once(
    source: RegistryServer, registry: RegistryServer, path: pathlib.Path, form: str
) -> None:
    digest = source.add_image("a/b:1.0", "a/b:2.0")
    by_digest = {"repository": "a/b", "digest": digest, "tags": [], "destination_repository": "by-digest"}
    export = exporting(source, path, ITEM, {**ITEM, "tag": "2.0"}, by_digest)
    foreseen = succeed("image_archive", export, check=True, diff=True)
    assert not path.exists() and foreseen["changed"] is True
    done = succeed("image_archive", export, diff=True)
    assert_as_foreseen(foreseen, done)
    assert done["diff"] == foreseen["diff"]
    assert (done["path"], done["format"]) == (str(path), form)
    written = snapshot(path.parent)
    for check in (False, True):
        again = succeed("image_archive", export, check=check, diff=True)
        assert again["changed"] is False and again["diff"] == []
    assert snapshot(path.parent) == written and source.writes == []

    runs = four_runs("image_archive", importing(registry, path), writes=lambda: registry.writes)
    assert_as_foreseen(runs.foreseen, runs.done)
    assert registry.tags == source.tags
    assert f"by-digest@{digest}" in registry.manifests
    assert {found["action"] for found in runs.again["images"]} == {"unchanged"}


def test_what_is_added_stays_beside_what_is_there(source: RegistryServer, tmp_path: pathlib.Path) -> None:
    source.add_image("a/b:1.0")
    source.add_image("a/b:2.0", layer=b"another layer")
    both = [ITEM, {**ITEM, "tag": "2.0"}]
    succeed("image_archive", exporting(source, tmp_path / "whole.tar", *both))
    for one in both:
        succeed("image_archive", exporting(source, tmp_path / "steps.tar", one))
    assert (tmp_path / "whole.tar").read_bytes() == (tmp_path / "steps.tar").read_bytes()


def test_names_of_images(source: RegistryServer, registry: RegistryServer, path: pathlib.Path) -> None:
    digest = source.add_image("a/b:1.0")
    succeed("image_archive", exporting(source, path, {**ITEM, "name": "release"}))
    assert fail("image_archive", importing(registry, path))["msg"]
    succeed("image_archive", importing(registry, path, default_repository="team/app"))
    named = {**ITEM, "name": "release", "destination_repository": "named"}
    succeed("image_archive", importing(registry, path, images=[named]))
    assert registry.tags == {"team/app:release": digest, "named:1.0": digest}


def test_the_format_may_be_given(source: RegistryServer, tmp_path: pathlib.Path) -> None:
    source.add_image("a/b:1.0")
    done = succeed("image_archive", exporting(source, tmp_path / "layout.tar", format="directory"))
    assert done["format"] == "directory" and (tmp_path / "layout.tar" / "index.json").is_file()


def test_artifacts_that_came_later(source: RegistryServer, registry: RegistryServer, path: pathlib.Path) -> None:
    source.add_image("a/b:1.0")
    succeed("image_archive", exporting(source, path))
    sbom = source.add(
        image(artifactType="application/spdx+json", subject=descriptor(encoded(image()), OCI_MANIFEST)), "a/b"
    )
    assert succeed("image_archive", exporting(source, path))["changed"] is False
    added = exporting(source, path, compare_artifacts=True, artifacts=["application/spdx+json"])
    assert succeed("image_archive", added)["changed"] is True
    assert succeed("image_archive", added)["changed"] is False
    succeed("image_archive", importing(registry, path))
    assert f"a/b@{sbom}" in registry.manifests


def test_gates_and_signatures_judge_what_is_exported(source: RegistryServer, path: pathlib.Path) -> None:
    source.add_image("a/b:1.0")
    signature = sign_by_tag(source, "a/b:1.0")
    rules = {"signatures": [{"keys": [signature.key]}], "gates": [{"name": "a gate", "that": "tag == '1.0'"}]}
    done = succeed("image_archive", exporting(source, path, **rules))
    (one,) = done["images"]
    assert one["verified"] is True and one["missing"] == []
    gate = {"name": "a gate", "passed": True, "severity": "error", "value": True}
    assert [{key: found[key] for key in gate} for found in one["gates"]] == [gate]
    (found,) = one["signatures"]
    assert found.pop("by").startswith("key:") and found == signature.in_results
    assert [(found["tag"], found["digest"]) for found in done["artifact_tags"]] == [(signature.tag, signature.digest)]
    refusing = {**rules, "gates": [{"name": "a gate", "that": "tag == '2.0'"}]}
    refused = fail("image_archive", exporting(source, path.with_name("other"), **refusing))
    assert refused["images"][0]["action"] == "refused" and not path.with_name("other").exists()


def test_a_damaged_blob_is_never_imported_and_mended_by_an_export_that_verifies(
    source: RegistryServer, registry: RegistryServer, tmp_path: pathlib.Path
) -> None:
    source.add_image("a/b:1.0")
    path = tmp_path / "layout"
    succeed("image_archive", exporting(source, path))
    blob = path / "blobs" / "sha256" / DIGEST.partition(":")[2]
    blob.write_bytes(bytes(blob.stat().st_size))
    refused = fail("image_archive", importing(registry, path))
    assert "have the digest" in refused["msg"] and registry.tags == {}
    assert succeed("image_archive", exporting(source, path))["changed"] is False
    assert succeed("image_archive", exporting(source, path, verify=True))["changed"] is True
    assert succeed("image_archive", exporting(source, path, verify=True))["changed"] is False
    succeed("image_archive", importing(registry, path))
    assert registry.tags == source.tags


def test_other_images_are_exported_beside_what_fails(source: RegistryServer, path: pathlib.Path) -> None:
    source.add_image("a/b:1.0")
    images = [ITEM, {"repository": "none", "tag": "1.0"}]
    failed = fail("image_archive", exporting(source, path, *images))
    assert failed["msg"].startswith("Nothing was written. ") and not path.exists()
    failed = fail("image_archive", exporting(source, path, *images, on_error="continue"))
    assert failed["msg"].startswith("1 of 2 images was not copied. ") and failed["changed"] is True
    assert path.exists()


def test_tags_are_all_or_nothing(source: RegistryServer, registry: RegistryServer, path: pathlib.Path) -> None:
    for name in ("a/b:1.0", "c:1.0"):
        source.add_image(name)
    succeed("image_archive", exporting(source, path, ITEM, {"repository": "c", "tag": "1.0"}))
    registry.on("PUT", "/v2/c/manifests/1.0", answer(403))
    registry.on("DELETE", "/v2/a/b/manifests/1.0", answer(405))
    images = [ITEM, {"repository": "c", "tag": "1.0"}]
    failed = fail("image_archive", importing(registry, path, images=images, jobs=1))
    (left,) = failed["not_reverted"]
    assert (left["repository"], left["tag"], left["previous_digest"]) == ("a/b", "1.0", "")
    assert left["digest"] == registry.tags["a/b:1.0"] and left["reason"] in failed["msg"]


def test_a_mount_that_is_refused_is_told_and_harmless(
    source: RegistryServer, registry: RegistryServer, path: pathlib.Path
) -> None:
    for name in ("a/b:1.0", "c:1.0"):
        source.add_image(name)
    both = [ITEM, {"repository": "c", "tag": "1.0"}]
    succeed("image_archive", exporting(source, path, *both))
    registry.on("POST", ".*", no_mount)
    done = succeed("image_archive", importing(registry, path))
    assert registry.tags == source.tags
    assert {entry["digest"] for entry in done["given_up"]} == {compute_digest(CONFIG), DIGEST}
    assert all("Cannot mount blob" in str(entry["given_up"]) for entry in done["given_up"])


# Mistakes ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "place", "images", "words"),
    [
        ("imported", "nowhere", None, "image layout {folder}/nowhere: it is not there"),
        ("imported", "no-layout", None, "is not an image layout: it has no oci-layout"),
        ("exported", "no-layout", [ITEM], "is not an image layout (it has no oci-layout), and is not empty"),
        ("imported", "compressed.tar", None, "is compressed with gzip"),
        ("exported", "new", [ITEM], "a/b:1.0 is not at the source"),
        ("exported", "new", None, "images must be given where state is exported"),
        ("exported", "new", [{**ITEM, "name": "../x"}], "malformed name '../x'"),
        ("exported", "new", [ITEM, {**ITEM, "name": "x", "tags": ["a", "b"]}], "name takes an image with one tag"),
        ("imported", "new", [{**ITEM, "digest": OTHER_DIGEST, "name": "x"}], "name goes with a tag"),
    ],
)
def test_mistakes(
    registry: RegistryServer, tmp_path: pathlib.Path, state: str, place: str, images: list[Plain] | None, words: str
) -> None:
    (tmp_path / "no-layout").mkdir()
    (tmp_path / "no-layout" / "notes.txt").touch()
    (tmp_path / "compressed.tar").write_bytes(b"\x1f\x8b\x08\x00")
    given = {} if images is None else {"images": images}
    failed = fail("image_archive", {**registry.options, "state": state, "path": str(tmp_path / place), **given})
    assert words.format(folder=tmp_path) in failed["msg"]
    assert not (tmp_path / "new").exists() and registry.writes == []
