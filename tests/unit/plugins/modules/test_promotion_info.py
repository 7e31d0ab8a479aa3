# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import os
import pathlib
import typing as t

import pytest
from ansible_collections.imageops.registry.plugins.module_utils._model._manifest import OCI_MANIFEST
from ansible_collections.imageops.registry.plugins.module_utils._promotion._gates import GateResult
from ansible_collections.imageops.registry.plugins.module_utils._promotion._record import (
    Record,
    encode_record,
    predicate_of,
)
from ansible_collections.imageops.registry.tests.unit.support.documents import (
    DIGEST,
    OTHER_DIGEST,
    descriptor,
    encoded,
    image,
)
from ansible_collections.imageops.registry.tests.unit.support.hostile_server import answer
from ansible_collections.imageops.registry.tests.unit.support.module_runs import NO_TRANSFER, fail, succeed
from ansible_collections.imageops.registry.tests.unit.support.records import APP, BEGUN, DONE, FAILED
from ansible_collections.imageops.registry.tests.unit.support.registry_server import RegistryServer
from ansible_collections.imageops.registry.tests.unit.support.signing import IN_TOTO

IMAGE = descriptor(encoded(image()), OCI_MANIFEST)
OLDER = DONE._replace(begun_at="2026-05-01T12:00:00Z", finished_at="2026-05-01T12:10:00Z", environment="staging")
TAGS = tuple(tag._replace(digest=IMAGE["digest"]) for tag in APP.tags)
PROMOTED = APP._replace(repository="a/b", digest=IMAGE["digest"], source_digest=IMAGE["digest"], tags=TAGS)
ATTACHED = OLDER._replace(images=(PROMOTED,), actor="")


def keep(folder: pathlib.Path, record: Record, number: int = 1) -> str:
    """Have a record in a file. Returns its path."""
    moment = record.begun_at.replace("-", "").replace(":", "")
    path = folder / f"{moment}-{number:08x}.promotion.json"
    path.write_bytes(encode_record(record, indent=2))
    return os.fspath(path)


def attach(registry: RegistryServer, content: bytes, name: str = "a/b") -> str:
    """Have a referrer of the image with this content. Returns how a result calls it."""
    registry.add_blob(content, name)
    digest = registry.add(image(artifactType=IN_TOTO, subject=IMAGE, layers=[descriptor(content, IN_TOTO)]), name)
    return f"{registry.host}/{name}@{digest}"


def entry(record: Record, source: str, *subjects: str) -> dict[str, t.Any]:
    """A record as the module returns it."""
    predicate = json.loads(json.dumps(predicate_of(record)))
    return {**predicate, "subjects": list(subjects), "source_of_record": source}


def in_directory(folder: pathlib.Path, **options: t.Any) -> dict[str, t.Any]:
    return succeed("promotion_info", {"path": os.fspath(folder), **options})


def test_the_records_of_a_directory_newest_first(tmp_path: pathlib.Path) -> None:
    older, done = keep(tmp_path, OLDER), keep(tmp_path, DONE)
    begun = keep(tmp_path, BEGUN._replace(begun_at="2026-05-31T12:00:05Z"))
    failed = keep(tmp_path, FAILED._replace(finished_at="2026-05-31T13:00:00Z"), 2)
    result = in_directory(tmp_path)
    assert result["promotions"] == [
        entry(FAILED._replace(finished_at="2026-05-31T13:00:00Z"), failed, DIGEST),
        entry(DONE, done, DIGEST),
        entry(BEGUN._replace(begun_at="2026-05-31T12:00:05Z"), begun, DIGEST),
        entry(OLDER, older, DIGEST),
    ]
    assert (result["exists"], result["unreadable"], result["transfer"]) == (True, [], NO_TRANSFER)
    assert "warnings" not in result and "changed" not in result
    assert succeed("promotion_info", {"path": os.fspath(tmp_path)}, check=True) == result


def test_of_one_environment_and_only_the_newest(tmp_path: pathlib.Path) -> None:
    keep(tmp_path, OLDER)
    done = keep(tmp_path, DONE)
    newer = DONE._replace(begun_at="2026-06-01T12:00:00Z", finished_at="2026-06-01T12:00:01Z")
    newest = keep(tmp_path, newer)

    def sources(**options: t.Any) -> list[str]:
        return [one["source_of_record"] for one in in_directory(tmp_path, **options)["promotions"]]

    assert sources(environment="production") == [newest, done]
    assert sources(newest=1) == [newest]
    assert sources(environment="staging", newest=5) == [keep(tmp_path, OLDER)]
    assert sources(environment="elsewhere") == []
    # A text with a line's end, as from a file, is the environment that a promotion with that text has recorded.
    assert sources(environment=" staging\n") == [keep(tmp_path, OLDER)]


def test_other_files_are_ignored_and_broken_records_are_told(tmp_path: pathlib.Path) -> None:
    done = keep(tmp_path, DONE)
    (tmp_path / "first-seen.json").write_text("{}")
    (tmp_path / "README").write_text("read me")
    (tmp_path / ".20260531T120000Z-00000001.promotion.json.begun").write_text(" ")
    (tmp_path / "folder").mkdir()
    newer_version = json.loads(encode_record(DONE))
    newer_version["predicateType"] = newer_version["predicateType"].replace("v1", "v2")
    added = json.loads(encode_record(DONE))
    added["predicate"]["added_later"] = {"a": 1}
    broken = {
        "empty": b"",
        "half": encode_record(DONE)[:500],
        "list": b"[]",
        "other": json.dumps(newer_version).encode(),
        "binary": b"\xff\xfe",
        "deep": b"[" * 100000,
    }
    for name, content in broken.items():
        (tmp_path / f"20260101T000000Z-{name}.promotion.json").write_bytes(content)
    (tmp_path / "20260101T000000Z-link.promotion.json").symlink_to("/etc/passwd")
    (tmp_path / "20260101T000000Z-folder.promotion.json").mkdir()
    os.mkfifo(tmp_path / "20260101T000000Z-pipe.promotion.json")
    (tmp_path / "20260101T000000Z-added.promotion.json").write_text(json.dumps(added))
    result = in_directory(tmp_path)
    assert {one["source_of_record"] for one in result["promotions"]} == {
        done,
        os.fspath(tmp_path / "20260101T000000Z-added.promotion.json"),
    }
    names = {os.path.basename(one["source_of_record"])[17:-15] for one in result["unreadable"]}
    assert names == {*broken, "link", "folder", "pipe"}
    assert all(one["reason"] for one in result["unreadable"])
    (warning,) = result["warnings"]
    assert not [name for name in names if f"-{name}.promotion.json" not in str(warning)], warning


def test_a_directory_that_is_not_there_is_no_failure(tmp_path: pathlib.Path) -> None:
    result = in_directory(tmp_path / "none")
    assert (result["exists"], result["promotions"]) == (False, [])
    assert f"The directory of records {tmp_path}/none is not there." in str(result["warnings"])


def test_a_file_in_the_place_of_the_directory_is_a_failure(tmp_path: pathlib.Path) -> None:
    (tmp_path / "file").write_text("")
    assert f"{tmp_path}/file cannot be opened" in fail("promotion_info", {"path": f"{tmp_path}/file"})["msg"]


def test_the_records_of_an_image(registry: RegistryServer) -> None:
    registry.add_image("a/b:1.0")
    source = attach(registry, encode_record(ATTACHED))
    attach(registry, b'{"an": "SBOM"}'.replace(b"SBOM", b"other statement"), "a/c")
    result = succeed("promotion_info", {**registry.options, "repository": "a/b", "tag": "1.0"})
    assert result["promotions"] == [entry(ATTACHED, source, IMAGE["digest"])]
    assert (result["exists"], result["unreadable"]) == (True, [])
    assert not registry.writes


@pytest.mark.parametrize("status", [403, 451])
def test_records_that_may_not_be_listed_are_not_told_as_none(registry: RegistryServer, status: int) -> None:
    registry.add_image("a/b:1.0")
    registry.on("GET", "/v2/a/b/referrers/.*", answer(status))
    told = fail("promotion_info", {**registry.options, "images": [{"repository": "a/b", "tag": "1.0"}]})
    assert f"Cannot list the referrers of {registry.host}/a/b@sha256:" in told["msg"]


def test_many_images_of_which_one_is_not_there_one_fails_and_one_has_what_is_no_record(
    registry: RegistryServer,
) -> None:
    registry.add_image("a/b:1.0", "a/b:latest", "other/c:1", "third/d:1")
    source = attach(registry, encode_record(ATTACHED))
    broken = attach(registry, b"no JSON", "other/c")
    images = [
        {"repository": name, "tag": tag}
        for name, tag in (("a/b", "1.0"), ("a/b", "latest"), ("a/b", "none"), ("other/c", "1"), ("third/d", "1"))
    ]
    options = {**registry.options, "images": images}
    result = succeed("promotion_info", options)
    assert [one["source_of_record"] for one in result["promotions"]] == [source]
    assert result["exists"] is False
    assert [one["source_of_record"] for one in result["unreadable"]] == [broken]
    assert broken in str(result["warnings"])
    registry.on("GET", "/v2/third/d/referrers/.*", answer(500))
    failed = fail("promotion_info", options)
    assert [(one["repository"], one["tag"]) for one in failed["failures"]] == [("third/d", "1")]
    assert [one["source_of_record"] for one in failed["promotions"]] == [source] and "exists" not in failed


def test_a_directory_and_images_are_told_together(tmp_path: pathlib.Path, registry: RegistryServer) -> None:
    registry.add_image("a/b:1.0")
    source = attach(registry, encode_record(ATTACHED))
    done = keep(tmp_path, DONE)
    result = in_directory(tmp_path, **registry.options, repository="a/b", tag="1.0")
    assert [one["source_of_record"] for one in result["promotions"]] == [done, source]


def test_neither_depth_nor_other_images_keep_the_other_records_from_being_returned(registry: RegistryServer) -> None:
    """Whoever may push may attach anything."""
    registry.add_image("a/b:1.0")
    source = attach(registry, encode_record(ATTACHED))
    gated = ATTACHED._replace(images=(PROMOTED._replace(gates=(GateResult("g", True, "error", "@@", ""),)),))
    deep = attach(registry, encode_record(gated).replace(b'"@@"', b"[" * 500 + b"]" * 500))
    foreign = attach(registry, encode_record(ATTACHED._replace(images=(PROMOTED, APP._replace(action="unchanged")))))
    result = succeed("promotion_info", {**registry.options, "repository": "a/b", "tag": "1.0"})
    assert [one["source_of_record"] for one in result["promotions"]] == [source]
    reasons = {one["source_of_record"]: one["reason"] for one in result["unreadable"]}
    assert set(reasons) == {deep, foreign}
    assert "is nested too deeply" in reasons[deep] and f"speaks of {DIGEST} too" in reasons[foreign]


def test_a_directory_needs_no_registry_and_asks_none(tmp_path: pathlib.Path, registry: RegistryServer) -> None:
    keep(tmp_path, DONE)
    assert len(in_directory(tmp_path, **registry.options)["promotions"]) == 1
    assert not registry.requests


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, ["path", "repository", "images"]),
        ({"images": [{"repository": "a/b", "tag": "1"}]}, ["registry"]),
        ({"repository": "a/b", "tag": "1"}, ["registry"]),
        ({"registry": "r.example", "repository": "a/b", "images": []}, ["repository", "images"]),
        ({"path": "/tmp", "newest": 0}, ["newest: 0"]),
        ({"registry": "r.example", "repository": "a/b"}, ["a/b", "tag", "digest"]),
    ],
)
def test_options_that_make_no_sense(options: dict[str, t.Any], words: list[str]) -> None:
    said = fail("promotion_info", options)["msg"]
    assert all(word in said for word in words), said


def test_digests_that_are_no_subjects_are_none_of_the_record(tmp_path: pathlib.Path) -> None:
    keep(tmp_path, DONE)
    (found,) = in_directory(tmp_path)["promotions"]
    assert found["subjects"] == [DIGEST] and OTHER_DIGEST in json.dumps(found["images"])
