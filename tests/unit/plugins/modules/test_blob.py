# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import base64
import hashlib
import pathlib
import typing as t

import pytest
from ansible_collections.imageops.registry.plugins.module_utils._model._digest import compute_digest
from ansible_collections.imageops.registry.tests.unit.support.documents import OTHER_DIGEST
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

CONTENT = "A blob, größer als ein Byte.\n".encode()
DIGEST = compute_digest(CONTENT)
DIGEST_512 = compute_digest(CONTENT, "sha512")
SIZE = len(CONTENT)
OTHER = b"another blob"


def group(*blobs: Plain, repository: str = "a/b", **given: t.Any) -> Plain:
    return {"repository": repository, "source_repository": "", "mount_from": [], **given, "blobs": list(blobs)}


def blob(action: str, digest: str = DIGEST, size: int = SIZE, given_up: t.Sequence[str] = ()) -> Plain:
    return {"digest": digest, "size": size, "action": action, "given_up": list(given_up)}


@pytest.mark.parametrize(
    ("given", "digest", "content"),
    [
        ({"content": CONTENT.decode()}, DIGEST, CONTENT),
        ({"content": CONTENT.decode(), "digest": DIGEST, "size": SIZE}, DIGEST, CONTENT),
        ({"content_base64": base64.b64encode(b"\0\1\2\xff").decode()}, compute_digest(b"\0\1\2\xff"), b"\0\1\2\xff"),
        ({"content": ""}, compute_digest(b""), b""),
        ({"content": CONTENT.decode(), "digest": DIGEST_512}, DIGEST_512, CONTENT),
    ],
    ids=["text", "text of a known digest", "base64", "the empty blob", "sha512"],
)
def test_a_blob_is_uploaded_once(registry: RegistryServer, given: Plain, digest: str, content: bytes) -> None:
    options = {**registry.options, "repository": "a/b", **given}
    if digest.startswith("sha512"):
        # The registry in memory knows sha256 only.
        registry.on("PUT", "/v2/a/b/blobs/uploads/.*", lambda seen: store(registry, digest, seen.body))
    runs = four_runs("blob", options, writes=lambda: registry.writes)
    size = len(content)
    assert registry.blobs == {f"a/b@{digest}": content}
    assert [run["digest"] for run in runs] == [digest] * 4
    assert runs.foreseen["blobs"] == runs.done["blobs"] == [group(blob("upload", digest, size))]
    assert runs.again["blobs"] == runs.foreseen_again["blobs"] == [group(blob("exists", digest, size))]
    place = f"{registry.host}/a/b"
    assert runs.done["diff"] == [
        {"before_header": place, "before": {}, "after_header": place, "after": {digest: size}},
    ]
    # HEAD, and GET that confirms it; POST and PUT.
    assert runs.foreseen["transfer"] == transfer(requests=2)
    assert runs.done["transfer"] == transfer(requests=4, bytes_uploaded=size)
    assert runs.again["transfer"] == runs.foreseen_again["transfer"] == transfer(requests=1, bytes_skipped=size)


def store(registry: RegistryServer, digest: str, content: bytes) -> t.Any:
    assert hashlib.sha512(content).hexdigest() == digest.partition(":")[2]
    registry.blobs[f"a/b@{digest}"] = content
    return answer(201)(registry.seen[-1])


@pytest.mark.parametrize("option", ["path", "src"])
def test_a_blob_is_uploaded_from_a_file(registry: RegistryServer, tmp_path: pathlib.Path, option: str) -> None:
    (tmp_path / "file").write_bytes(CONTENT)
    options = {**registry.options, "repository": "a/b", option: str(tmp_path / "file")}
    runs = four_runs("blob", options, writes=lambda: registry.writes)
    assert registry.blobs == {f"a/b@{DIGEST}": CONTENT}
    assert runs.done["digest"] == DIGEST


def from_source(source: RegistryServer, **given: t.Any) -> Plain:
    return {"source": {"registry": source.host, "plain_http": True}, "repository": "a/b", "digest": DIGEST, **given}


def test_a_blob_is_copied_from_another_registry(registry: RegistryServer, source: RegistryServer) -> None:
    source.add_blob(CONTENT, "a/b")
    options = {**registry.options, **from_source(source)}
    runs = four_runs("blob", options, writes=lambda: registry.writes)
    assert registry.blobs == {f"a/b@{DIGEST}": CONTENT}
    # The source is asked for the size.
    assert runs.foreseen["blobs"] == runs.done["blobs"] == [group(blob("upload"))]
    assert runs.done["transfer"] == transfer(requests=6, bytes_uploaded=SIZE, bytes_downloaded=SIZE)
    assert runs.again["transfer"] == transfer(requests=1, bytes_skipped=SIZE)


def test_a_blob_has_another_repository_at_the_source(registry: RegistryServer, source: RegistryServer) -> None:
    source.add_blob(CONTENT, "from/here")
    done = succeed("blob", {**registry.options, **from_source(source, source_repository="from/here")})
    assert done["blobs"] == [group(blob("upload"), source_repository="from/here")]
    assert registry.blobs == {f"a/b@{DIGEST}": CONTENT}


@pytest.mark.parametrize("size", [None, SIZE])
def test_a_blob_is_mounted(registry: RegistryServer, size: int | None) -> None:
    registry.add_blob(CONTENT, "base")
    options = {**registry.options, **from_source(registry, source_repository="base", mount_from=["base"], size=size)}
    runs = four_runs("blob", options, writes=lambda: registry.writes)
    named: Plain = {"source_repository": "base", "mount_from": ["base"]}
    assert runs.foreseen["blobs"] == [group(blob("mount_or_upload"), **named)]
    assert runs.done["blobs"] == [group(blob("mount"), **named)]
    asked = 1 if size is None else 0
    assert runs.foreseen["transfer"] == transfer(requests=2 + asked)
    assert runs.done["transfer"] == transfer(requests=3 + asked, bytes_mounted=SIZE)
    assert registry.writes == ["POST /v2/a/b/blobs/uploads/"]


def test_a_blob_is_mounted_although_its_content_is_given(registry: RegistryServer) -> None:
    registry.add_blob(CONTENT, "base")
    given = {"repository": "a/b", "content": CONTENT.decode(), "mount_from": ["base"]}
    done = succeed("blob", {**registry.options, **given})
    assert done["blobs"] == [group(blob("mount"), mount_from=["base"])]
    assert done["transfer"] == transfer(requests=3, bytes_mounted=SIZE)


def test_a_blob_is_uploaded_where_there_is_nothing_to_mount_from(registry: RegistryServer) -> None:
    given = {"repository": "a/b", "content": CONTENT.decode(), "mount_from": ["none", "none-too"]}
    runs = four_runs("blob", {**registry.options, **given}, writes=lambda: registry.writes)
    given_up = [f"The registry did not mount the blob from {name}." for name in ("none", "none-too")]
    assert runs.foreseen["blobs"][0]["blobs"] == [blob("mount_or_upload")]
    assert runs.done["blobs"] == [group(blob("upload", given_up=given_up), mount_from=["none", "none-too"])]
    # HEAD, GET, two POST, DELETE of the first session, PUT to the second.
    assert runs.done["transfer"] == transfer(requests=6, bytes_uploaded=SIZE)
    assert [request.partition(" ")[0] for request in registry.writes] == ["POST", "POST", "DELETE", "PUT"]


def test_many_blobs_are_sent_once_and_mounted_into_the_others(registry: RegistryServer, source: RegistryServer) -> None:
    digests = [source.add_blob(content, "from") for content in (CONTENT, OTHER)]
    entries = [{"digest": digest} for digest in digests]
    wanted = [
        {"repository": name, "source_repository": "from", "blobs": entries[place:]}
        for place, name in enumerate(["a", "b"])
    ]
    options = {**registry.options, "source": {"registry": source.host, "plain_http": True}, "blobs": wanted}
    runs = four_runs("blob", options, writes=lambda: registry.writes)
    actions = [[entry["action"] for found in run["blobs"] for entry in found["blobs"]] for run in runs]
    assert actions == [["upload", "upload", "mount_or_upload"], ["upload", "upload", "mount"], *[["exists"] * 3] * 2]
    assert "digest" not in runs.done
    assert set(registry.blobs) == {f"a@{digests[0]}", f"a@{digests[1]}", f"b@{digests[1]}"}
    assert [part["after_header"] for part in runs.done["diff"]] == [f"{registry.host}/a", f"{registry.host}/b"]


def test_no_blobs_are_nothing_to_do(registry: RegistryServer) -> None:
    done = succeed("blob", {**registry.options, "blobs": []}, diff=True)
    assert done == {"changed": False, "blobs": [], "diff": [], "transfer": NO_TRANSFER}


# Deletes -------------------------------------------------------------------------------------------------------------


def test_a_blob_is_deleted_once(registry: RegistryServer) -> None:
    registry.add_blob(CONTENT, "a/b", "elsewhere")
    options = {**registry.options, "repository": "a/b", "digest": DIGEST, "state": "absent"}
    runs = four_runs("blob", options, writes=lambda: registry.writes)
    assert set(registry.blobs) == {f"elsewhere@{DIGEST}"}
    assert runs.foreseen["blobs"] == runs.done["blobs"] == [group(blob("delete"))]
    assert runs.again["blobs"] == runs.foreseen_again["blobs"] == [group(blob("absent", size=0))]
    place = f"{registry.host}/a/b"
    assert runs.done["diff"] == [{"before_header": place, "before": {DIGEST: SIZE}, "after_header": place, "after": {}}]
    assert runs.foreseen["transfer"] == transfer(requests=1)
    # HEAD, DELETE, then HEAD and GET: it is gone.
    assert runs.done["transfer"] == transfer(requests=4)
    assert runs.again["transfer"] == runs.foreseen_again["transfer"] == transfer(requests=2)


def test_many_blobs_are_deleted(registry: RegistryServer) -> None:
    registry.add_blob(CONTENT, "a", "b")
    wanted = [
        {"repository": "a", "blobs": [{"digest": DIGEST}]},
        {"repository": "b", "blobs": [{"digest": DIGEST}, {"digest": OTHER_DIGEST}]},
    ]
    options = {**registry.options, "blobs": wanted, "state": "absent"}
    runs = four_runs("blob", options, writes=lambda: registry.writes)
    actions = [[entry["action"] for found in run["blobs"] for entry in found["blobs"]] for run in runs]
    assert actions == [["delete", "delete", "absent"]] * 2 + [["absent"] * 3] * 2
    assert registry.blobs == {}


def test_a_registry_that_deletes_nothing(registry: RegistryServer) -> None:
    registry.add_blob(CONTENT, "a/b")
    registry.deletes = False
    refused = fail("blob", {**registry.options, "repository": "a/b", "digest": DIGEST, "state": "absent"})
    assert refused["msg"] == (
        f"Cannot delete blob {DIGEST} from {registry.host}/a/b: the registry does not allow it "
        f"(DELETE {registry.url}/v2/a/b/blobs/{DIGEST}, answer 405). Its configuration may have deletes switched off."
    )
    assert refused["changed"] is False and refused["blobs"] == [group()]
    (entry,) = refused["failures"]
    assert (entry["repository"], entry["digest"], entry["error"]["status"]) == ("a/b", DIGEST, 405)
    assert refused["transfer"] == transfer(requests=2)


@pytest.mark.usefixtures("no_patience")
def test_a_blob_that_is_still_there_is_no_change_and_warned_of(registry: RegistryServer) -> None:
    registry.add_blob(CONTENT, "a/b")
    registry.on("DELETE", "/v2/a/b/blobs/.*", answer(202))
    done = succeed("blob", {**registry.options, "repository": "a/b", "digest": DIGEST, "state": "absent"})
    assert done["changed"] is False
    assert done["blobs"][0]["blobs"][0]["deletion_pending"] is True
    assert f"blob {DIGEST} from a/b" in str(done["warnings"])


def test_a_delete_that_cannot_be_looked_for_is_a_change_and_a_failure(registry: RegistryServer) -> None:
    registry.add_blob(CONTENT, "a/b")
    registry.on("DELETE", "/v2/a/b/blobs/.*", lambda seen: forbid(registry))
    done = fail("blob", {**registry.options, "repository": "a/b", "digest": DIGEST, "state": "absent"})
    assert done["changed"] is True
    assert [entry["digest"] for entry in done["failures"]] == [DIGEST]


def forbid(registry: RegistryServer) -> t.Any:
    registry.on("HEAD|GET", "/v2/a/b/blobs/.*", answer(500))
    return answer(202)(registry.seen[-1])


# Failures ------------------------------------------------------------------------------------------------------------


def test_what_is_uploaded_must_have_its_digest(registry: RegistryServer) -> None:
    given = {"repository": "a/b", "content": CONTENT.decode(), "digest": OTHER_DIGEST}
    failed = fail("blob", {**registry.options, **given})
    assert failed["msg"] == f"what is to be uploaded has the digest {DIGEST}, not {OTHER_DIGEST}."
    assert failed["transfer"] == NO_TRANSFER and registry.requests == []


def test_what_is_missing_must_come_from_somewhere(registry: RegistryServer) -> None:
    failed = fail("blob", {**registry.options, "repository": "a/b", "digest": DIGEST})
    assert failed["msg"] == (
        f"Cannot upload blob {DIGEST} to {registry.host}/a/b: it is not there, and nothing is given to upload it from. "
        "Give source, path, content or content_base64."
    )
    assert failed["transfer"] == transfer(requests=2)
    registry.add_blob(CONTENT, "a/b")
    assert succeed("blob", {**registry.options, "repository": "a/b", "digest": DIGEST})["changed"] is False


def test_what_is_no_base64(registry: RegistryServer) -> None:
    failed = fail("blob", {**registry.options, "repository": "a/b", "content_base64": "!"})
    assert failed["msg"] == "content_base64 is not valid base64."
    assert failed["transfer"] == NO_TRANSFER


def test_what_is_not_at_the_source_keeps_nothing_else_back(registry: RegistryServer, source: RegistryServer) -> None:
    source.add_blob(CONTENT, "a/b")
    given = [{"repository": "a/b", "blobs": [{"digest": OTHER_DIGEST}, {"digest": DIGEST}]}]
    failed = fail("blob", {**registry.options, "source": {"registry": source.host, "plain_http": True}, "blobs": given})
    assert failed["msg"] == (
        f"Cannot read blob {OTHER_DIGEST} from {source.host}/a/b: it is not there. Check repository and digest: a blob "
        "belongs to the repositories it was pushed to."
    )
    assert failed["changed"] is True
    assert failed["blobs"] == [group(blob("upload"))]
    (entry,) = failed["failures"]
    assert (entry["repository"], entry["digest"], entry["repository_missing"]) == ("a/b", OTHER_DIGEST, False)


def test_a_blob_that_is_not_as_large_as_it_should_be(registry: RegistryServer, source: RegistryServer) -> None:
    source.add_blob(CONTENT, "a/b")
    failed = fail("blob", {**registry.options, **from_source(source, size=SIZE + 1)})
    assert failed["changed"] is False and DIGEST in failed["msg"]
    assert failed["transfer"]["bytes_uploaded"] == failed["transfer"]["sessions_left_open"] == 0
    assert registry.blobs == {}


def test_what_may_only_be_pulled_can_be_foreseen(registry: RegistryServer) -> None:
    registry.on("POST", ".*", answer(403))
    options = {**registry.options, "repository": "a/b", "content": CONTENT.decode()}
    assert succeed("blob", options, check=True)["changed"] is True
    refused = fail("blob", options)
    assert "a/b" in refused["msg"] and refused["failures"][0]["error"]["status"] == 403
