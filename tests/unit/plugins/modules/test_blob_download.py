# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import pathlib
import typing as t

import pytest
from ansible_collections.imageops.registry.plugins.module_utils._model._digest import compute_digest
from ansible_collections.imageops.registry.tests.unit.support.documents import OTHER_DIGEST
from ansible_collections.imageops.registry.tests.unit.support.hostile_server import Answer, Seen
from ansible_collections.imageops.registry.tests.unit.support.module_runs import (
    NO_TRANSFER,
    Plain,
    fail,
    four_runs,
    succeed,
    transfer,
)
from ansible_collections.imageops.registry.tests.unit.support.registry_server import RegistryServer

CONTENT = b"A blob that is long enough to break off. " * 100
DIGEST = compute_digest(CONTENT)
SIZE = len(CONTENT)
PART = DIGEST[7:23] + ".part"


@pytest.fixture
def options(registry: RegistryServer, tmp_path: pathlib.Path) -> Plain:
    registry.add_blob(CONTENT, "a/b")
    return {**registry.options, "repository": "a/b", "digest": DIGEST, "dest": str(tmp_path / "blob")}


def downloaded(folder: pathlib.Path, action: str) -> Plain:
    return {"repository": "a/b", "digest": DIGEST, "size": SIZE, "dest": str(folder / "blob"), "action": action}


def mode(file: pathlib.Path) -> int:
    return file.stat().st_mode & 0o777


def test_a_blob_is_downloaded_once(tmp_path: pathlib.Path, options: Plain) -> None:
    given = {**options, "mode": "0640"}
    foreseen = succeed("blob_download", given, check=True, diff=True)
    assert os.listdir(tmp_path) == []
    runs = four_runs("blob_download", given, writes=list)
    assert [file.name for file in tmp_path.iterdir()] == ["blob"]
    assert (tmp_path / "blob").read_bytes() == CONTENT and mode(tmp_path / "blob") == 0o640
    assert foreseen["downloads"] == runs.done["downloads"] == [downloaded(tmp_path, "download")]
    assert runs.again["downloads"] == runs.foreseen_again["downloads"] == [downloaded(tmp_path, "exists")]
    (diff,) = runs.done["diff"]
    assert (diff["after_header"], diff["before"], diff["after"]) == (str(tmp_path / "blob"), "", DIGEST + "\n")
    assert runs.foreseen["transfer"] == transfer(requests=1)
    # HEAD for the size, GET.
    assert runs.done["transfer"] == transfer(requests=2, bytes_downloaded=SIZE)
    assert runs.again["transfer"] == runs.foreseen_again["transfer"] == transfer(bytes_skipped=SIZE)


def test_another_mode_is_a_change_of_its_own(tmp_path: pathlib.Path, options: Plain) -> None:
    succeed("blob_download", {**options, "mode": "0640"})
    runs = four_runs("blob_download", {**options, "path": options["dest"], "mode": "0600"}, writes=list)
    assert mode(tmp_path / "blob") == 0o600
    assert runs.done["downloads"] == [downloaded(tmp_path, "exists")]
    assert runs.done["transfer"] == transfer(bytes_skipped=SIZE)
    (diff,) = runs.done["diff"]
    assert diff["before"]["mode"] == "0640" and diff["after"]["mode"] == "0600"


def ranges(seen: Seen) -> Answer | None:
    """A registry that serves the rest of a blob."""
    begin = dict(seen.headers).get("range", "").removeprefix("bytes=").partition("-")[0]
    if not begin or seen.method != "GET":
        return None
    place = int(begin)
    if place >= SIZE:
        return Answer(416, (("Content-Range", f"bytes */{SIZE}"),))
    return Answer(206, (("Content-Range", f"bytes {place}-{SIZE - 1}/{SIZE}"),), (CONTENT[place:],))


@pytest.mark.parametrize(
    ("name", "found", "read"),
    [
        ("blob", CONTENT[:-1] + b"!", SIZE),
        (f".blob.{PART}", CONTENT[:1000], SIZE - 1000),
        (f".blob.{PART}", CONTENT, 0),
        # Read on, found to be wrong, read from the start.
        (f".blob.{PART}", b"x" * 1000, SIZE - 1000 + SIZE),
        (f".blob.{PART}", CONTENT + b"x", SIZE),
    ],
    ids=["a corrupted file", "a part of it", "all of it, in the part", "a corrupted part", "a part that is too long"],
)
def test_what_a_download_finds(
    registry: RegistryServer, tmp_path: pathlib.Path, options: Plain, name: str, found: bytes, read: int
) -> None:
    registry.on("GET", "/v2/a/b/blobs/.*", ranges)
    (tmp_path / name).write_bytes(found)
    foreseen = succeed("blob_download", options, check=True)
    assert foreseen["changed"] is True and foreseen["transfer"] == transfer(requests=1)
    done = succeed("blob_download", options)
    assert done["changed"] is True and done["downloads"] == foreseen["downloads"] == [downloaded(tmp_path, "download")]
    assert (done["transfer"]["bytes_downloaded"], done["transfer"]["retries"]) == (read, 0)
    # The part is gone.
    assert [file.name for file in tmp_path.iterdir()] == ["blob"] and (tmp_path / "blob").read_bytes() == CONTENT


def many(registry: RegistryServer, folder: pathlib.Path, *groups: tuple[str, t.Sequence[Plain]]) -> Plain:
    blobs = [{"repository": repository, "blobs": list(entries)} for repository, entries in groups]
    return {**registry.options, "dest": str(folder / "blobs"), "blobs": blobs}


def test_many_blobs_into_a_directory(registry: RegistryServer, tmp_path: pathlib.Path) -> None:
    digests = [registry.add_blob(content, "a/b", "other") for content in (CONTENT, b"", b"another")]
    entries = [{"digest": digests[0], "size": SIZE}, {"digest": digests[1], "size": 0}, {"digest": digests[2]}]
    # The same blob of another repository becomes the same file.
    given = many(registry, tmp_path, ("a/b", entries), ("other", [{"digest": digests[0]}]))
    succeed("blob_download", given, check=True)
    assert not (tmp_path / "blobs").exists()
    runs = four_runs("blob_download", given, writes=list)
    assert [entry["action"] for entry in runs.done["downloads"]] == ["download"] * 3
    assert {entry["action"] for entry in runs.again["downloads"]} == {"exists"}
    files = {compute_digest(file.read_bytes()) for file in (tmp_path / "blobs" / "sha256").iterdir()}
    assert files == set(digests) == {entry["digest"] for entry in runs.done["downloads"]}
    assert {file.name for file in (tmp_path / "blobs" / "sha256").iterdir()} == {name[7:] for name in digests}
    assert runs.done["transfer"]["bytes_downloaded"] == SIZE + 7
    assert runs.again["transfer"] == transfer(bytes_skipped=SIZE + 7)


# Failures ------------------------------------------------------------------------------------------------------------


def test_a_blob_that_is_not_there(registry: RegistryServer, tmp_path: pathlib.Path, options: Plain) -> None:
    failed = fail("blob_download", {**options, "digest": OTHER_DIGEST})
    assert failed["msg"] == (
        f"Cannot read blob {OTHER_DIGEST} from {registry.host}/a/b: it is not there. Check repository and digest: a "
        "blob belongs to the repositories it was pushed to."
    )
    assert failed["changed"] is False and failed["transfer"] == transfer(requests=2)
    assert os.listdir(tmp_path) == []


def test_places_that_take_no_file(tmp_path: pathlib.Path, options: Plain) -> None:
    nowhere = fail("blob_download", {**options, "dest": str(tmp_path / "nowhere" / "blob")})
    assert nowhere["msg"] == (
        f"Cannot download blob {DIGEST} to {tmp_path}/nowhere/blob: the directory {tmp_path}/nowhere does not exist. "
        "Make it first."
    )
    directory = fail("blob_download", {**options, "dest": str(tmp_path)})
    assert directory["msg"] == f"Cannot download blob {DIGEST} to {tmp_path}: it is a directory. Name the file."
    assert nowhere["transfer"] == directory["transfer"] == NO_TRANSFER
    assert os.listdir(tmp_path) == []


def test_a_blob_that_is_not_as_large_as_it_should_be(registry: RegistryServer, tmp_path: pathlib.Path) -> None:
    registry.add_blob(CONTENT, "a/b")
    failed = fail("blob_download", many(registry, tmp_path, ("a/b", [{"digest": DIGEST, "size": 1}])))
    assert DIGEST in failed["msg"]


def test_what_is_not_there_keeps_nothing_else_back(registry: RegistryServer, tmp_path: pathlib.Path) -> None:
    registry.add_blob(CONTENT, "a/b")
    given = many(registry, tmp_path, ("a/b", [{"digest": OTHER_DIGEST, "size": 1}, {"digest": DIGEST}]))
    failed = fail("blob_download", given)
    assert failed["changed"] is True and OTHER_DIGEST in failed["msg"]
    assert [entry["digest"] for entry in failed["failures"]] == [OTHER_DIGEST]
    assert failed["failures"][0]["error"]["status"] == 404
    assert [(entry["digest"], entry["action"]) for entry in failed["downloads"]] == [(DIGEST, "download")]
    assert [file.name for file in (tmp_path / "blobs" / "sha256").iterdir()] == [DIGEST[7:]]
