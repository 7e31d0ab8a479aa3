# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import concurrent.futures
import errno
import fcntl
import os
import pathlib
import stat
import threading
import typing as t

import pytest
from ansible_collections.imageops.registry.plugins.module_utils._blobs import _download
from ansible_collections.imageops.registry.plugins.module_utils._blobs._download import (
    DownloadItem,
    DownloadOutcome,
    download_blobs,
)
from ansible_collections.imageops.registry.plugins.module_utils._end._body import PIECE
from ansible_collections.imageops.registry.plugins.module_utils._model._digest import compute_digest
from ansible_collections.imageops.registry.plugins.module_utils._model._errors import (
    ConnectionFailed,
    ContentMismatch,
    LocalFileError,
    NotFound,
    RegistryError,
)
from ansible_collections.imageops.registry.plugins.module_utils._registry._registry import Registry
from ansible_collections.imageops.registry.tests.unit.support.documents import transport
from ansible_collections.imageops.registry.tests.unit.support.scripted_server import ScriptedServer

BLOB = bytes(range(256)) * (10 * PIECE // 1024)
"""Two pieces and a half."""
SIZE = len(BLOB)
DIGEST = compute_digest(BLOB)
TARGET = f"/v2/a/b/blobs/{DIGEST}"
EMPTY = compute_digest(b"")


@pytest.fixture
def dest(tmp_path: pathlib.Path) -> pathlib.Path:
    return tmp_path / "layer.tar"


@pytest.fixture
def part(tmp_path: pathlib.Path) -> pathlib.Path:
    return tmp_path / f".layer.tar.{DIGEST[7:23]}.part"


def ranged(start: int) -> dict[str, str]:
    return {"Content-Range": f"bytes {start}-{SIZE - 1}/{SIZE}"}


def download(
    server: ScriptedServer,
    path: os.PathLike[str],
    *,
    digest: str = DIGEST,
    size: int | None = SIZE,
    check: bool = False,
    move: t.Callable[[str, str], object] = os.replace,
    retries: int = 0,
) -> DownloadOutcome:
    client = Registry(transport(server.host, jobs=1, retries=retries), writing=False)
    (outcome,) = download_blobs(client, [DownloadItem("a/b", digest, size, str(path))], move, check=check)
    if isinstance(outcome, RegistryError):
        raise outcome
    return outcome


def left(folder: pathlib.Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_blob_is_put_in_place_in_one_step(server: ScriptedServer, dest: pathlib.Path, part: pathlib.Path) -> None:
    server.expect("GET", TARGET, 200, BLOB)
    dest.write_bytes(b"before")
    moves: list[tuple[str, str]] = []

    def move(source: str, target: str) -> None:
        # Until then, what was there is there.
        assert pathlib.Path(source).read_bytes() == BLOB and dest.read_bytes() == b"before"
        assert stat.S_IMODE(os.stat(source).st_mode) == 0o600
        moves.append((source, target))
        os.replace(source, target)

    assert download(server, dest, move=move) == DownloadOutcome("a/b", DIGEST, SIZE, str(dest), "download")
    assert moves == [(str(part), str(dest))]
    assert dest.read_bytes() == BLOB
    assert left(dest.parent) == ["layer.tar"]


def test_a_file_that_has_the_digest_costs_no_request(server: ScriptedServer, dest: pathlib.Path) -> None:
    dest.write_bytes(BLOB)
    assert download(server, dest, size=None).action == "exists"


def test_a_size_that_is_not_given_is_asked_for(server: ScriptedServer, dest: pathlib.Path) -> None:
    server.expect("HEAD", TARGET, 200, length=str(SIZE)).expect("GET", TARGET, 200, BLOB)
    assert download(server, dest, size=None).size == SIZE
    assert dest.read_bytes() == BLOB


def test_an_empty_blob_is_an_empty_file(server: ScriptedServer, dest: pathlib.Path) -> None:
    assert download(server, dest, digest=EMPTY, size=0).action == "download"
    assert dest.read_bytes() == b""


@pytest.mark.parametrize("honoured", [True, False])
@pytest.mark.parametrize("had", [1, 1000, PIECE, PIECE + 1, SIZE - 1])
def test_what_an_earlier_run_has_left_is_continued(
    server: ScriptedServer, dest: pathlib.Path, part: pathlib.Path, had: int, honoured: bool
) -> None:
    part.write_bytes(BLOB[:had])
    if honoured:
        server.expect("GET", TARGET, 206, BLOB[had:], ranged(had))
    else:
        server.expect("GET", TARGET, 200, BLOB)
    download(server, dest)
    assert server.requests[0].header("Range") == f"bytes={had}-"
    assert dest.read_bytes() == BLOB
    assert left(dest.parent) == ["layer.tar"]


def test_what_an_earlier_run_has_left_whole_costs_no_request(
    server: ScriptedServer, dest: pathlib.Path, part: pathlib.Path
) -> None:
    part.write_bytes(BLOB)
    download(server, dest)
    assert dest.read_bytes() == BLOB


@pytest.mark.parametrize("corrupt", [b"!" * 1000, BLOB[:999] + b"!", b"!" * (SIZE - 1)])
def test_what_an_earlier_run_has_left_damaged_is_begun_anew(
    server: ScriptedServer, dest: pathlib.Path, part: pathlib.Path, corrupt: bytes
) -> None:
    part.write_bytes(corrupt)
    server.expect("GET", TARGET, 206, BLOB[len(corrupt) :], ranged(len(corrupt))).expect("GET", TARGET, 200, BLOB)
    download(server, dest)
    assert server.requests[1].header("Range") is None
    assert dest.read_bytes() == BLOB


@pytest.mark.parametrize("corrupt", [BLOB[:-1] + b"!", BLOB + b"!"])
def test_what_an_earlier_run_has_left_too_long_or_wrong_is_begun_anew(
    server: ScriptedServer, dest: pathlib.Path, part: pathlib.Path, corrupt: bytes
) -> None:
    part.write_bytes(corrupt)
    server.expect("GET", TARGET, 200, BLOB)
    download(server, dest)
    assert dest.read_bytes() == BLOB


def test_what_breaks_off_in_one_run_is_read_on_from_there(server: ScriptedServer, dest: pathlib.Path) -> None:
    cut = PIECE + 1000
    server.expect("GET", TARGET, 200, BLOB[:cut], length=str(SIZE), cut=True)
    server.expect("GET", TARGET, 206, BLOB[cut:], ranged(cut))
    download(server, dest, retries=1)
    assert dest.read_bytes() == BLOB


def test_what_breaks_off_for_good_stays_for_the_next_run(
    server: ScriptedServer, dest: pathlib.Path, part: pathlib.Path
) -> None:
    server.expect("GET", TARGET, 200, BLOB[: 2 * PIECE], length=str(SIZE), cut=True)
    dest.write_bytes(b"before")
    with pytest.raises(ConnectionFailed):
        download(server, dest)
    assert dest.read_bytes() == b"before"
    had = part.stat().st_size
    assert had >= PIECE and part.read_bytes() == BLOB[:had]
    server.expect("GET", TARGET, 206, BLOB[had:], ranged(had))
    download(server, dest)
    assert dest.read_bytes() == BLOB


@pytest.mark.parametrize("had", [b"", b"!" * 1000])
def test_wrong_bytes_leave_nothing_behind(
    server: ScriptedServer, dest: pathlib.Path, part: pathlib.Path, had: bytes
) -> None:
    if had:
        part.write_bytes(had)
        server.expect("GET", TARGET, 206, BLOB[len(had) :], ranged(len(had)))
    server.expect("GET", TARGET, 200, BLOB[:-1] + b"!")
    dest.write_bytes(b"before")
    with pytest.raises(ContentMismatch):
        download(server, dest)
    assert dest.read_bytes() == b"before"
    assert left(dest.parent) == ["layer.tar"]


def test_of_two_runs_the_later_one_waits_and_finds_the_file(
    server: ScriptedServer, dest: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting, gate = threading.Event(), threading.Barrier(2)
    real = fcntl.flock

    def flock(file: t.Any, operation: int) -> None:
        if not operation & fcntl.LOCK_NB:
            waiting.set()
        real(file, operation)

    monkeypatch.setattr(fcntl, "flock", flock)
    server.expect("GET", TARGET, 200, BLOB, gate=gate)
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        first = pool.submit(download, server, dest)
        server.wait_for(1)
        second = pool.submit(download, server, dest)
        assert waiting.wait(10)
        gate.wait(10)
        assert (first.result().action, second.result().action) == ("download", "exists")
    assert dest.read_bytes() == BLOB
    assert left(dest.parent) == ["layer.tar"]


def test_a_run_that_waited_for_one_that_failed_goes_on_with_what_it_left(
    server: ScriptedServer, dest: pathlib.Path, part: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting = threading.Event()
    real = fcntl.flock

    def flock(file: t.Any, operation: int) -> None:
        if not operation & fcntl.LOCK_NB:
            waiting.set()
        real(file, operation)

    part.write_bytes(BLOB[:1000])
    server.expect("GET", TARGET, 206, BLOB[1000:], ranged(1000))
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        with part.open("rb") as other:
            real(other, fcntl.LOCK_EX)
            monkeypatch.setattr(fcntl, "flock", flock)
            run = pool.submit(download, server, dest)
            assert waiting.wait(10)
        assert run.result().action == "download"
    assert dest.read_bytes() == BLOB
    assert left(dest.parent) == ["layer.tar"]


def test_a_symbolic_link_in_place_of_the_partial_file_is_refused(
    server: ScriptedServer, dest: pathlib.Path, part: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    part.symlink_to(victim)
    with pytest.raises(LocalFileError, match="Cannot download blob .*: the file cannot be written"):
        download(server, dest)
    assert victim.read_bytes() == b"precious"
    assert not dest.exists()


def test_a_directory_is_no_file(server: ScriptedServer, tmp_path: pathlib.Path) -> None:
    with pytest.raises(LocalFileError, match="it is a directory"):
        download(server, tmp_path)


def test_a_device_is_no_file_and_stays(server: ScriptedServer, tmp_path: pathlib.Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(LocalFileError, match="is not a regular file"):
        download(server, pipe)
    assert pipe.is_fifo()


def test_a_missing_directory_is_named_and_not_made(server: ScriptedServer, tmp_path: pathlib.Path) -> None:
    with pytest.raises(LocalFileError, match="absent does not exist"):
        download(server, tmp_path / "absent" / "blob")
    assert left(tmp_path) == []


def test_a_move_that_fails_keeps_what_has_arrived(
    server: ScriptedServer, dest: pathlib.Path, part: pathlib.Path
) -> None:
    def move(source: str, target: str) -> None:
        raise PermissionError(13, "Permission denied")

    server.expect("GET", TARGET, 200, BLOB)
    with pytest.raises(LocalFileError, match="cannot be written: Permission denied"):
        download(server, dest, move=move)
    assert part.read_bytes() == BLOB


def test_check_mode_reads_and_writes_nothing(server: ScriptedServer, dest: pathlib.Path) -> None:
    assert download(server, dest, check=True).action == "download"
    assert download(server, dest.parent / "absent" / "x", check=True).action == "download"
    assert left(dest.parent) == []


@pytest.mark.parametrize("check", [True, False])
def test_a_blob_that_is_not_there_is_an_error(server: ScriptedServer, dest: pathlib.Path, check: bool) -> None:
    server.expect("HEAD", TARGET, 404)
    with pytest.raises(NotFound):
        download(server, dest, size=None, check=check)
    assert left(dest.parent) == []


def test_a_long_name_fits(server: ScriptedServer, tmp_path: pathlib.Path) -> None:
    server.expect("GET", TARGET, 200, BLOB)
    download(server, tmp_path / ("x" * 255))
    assert left(tmp_path) == ["x" * 255]


def test_outcomes_keep_the_order_of_the_items(server: ScriptedServer, tmp_path: pathlib.Path) -> None:
    server.expect("GET", TARGET, 404).expect("GET", TARGET, 200, BLOB)
    client = Registry(transport(server.host, jobs=1, retries=0), writing=False)
    items = [DownloadItem("a/b", DIGEST, SIZE, str(tmp_path / name)) for name in ("one", "two")]
    outcomes = download_blobs(client, items, os.replace, check=False)
    assert isinstance(outcomes[0], NotFound)
    assert isinstance(outcomes[1], DownloadOutcome) and outcomes[1].dest.endswith("two")


@pytest.mark.parametrize("how", ["writable", "linked"])
def test_a_partial_file_that_others_can_write_is_not_gone_on_with(
    server: ScriptedServer, dest: pathlib.Path, part: pathlib.Path, how: str
) -> None:
    part.write_bytes(BLOB[:10])
    part.chmod(0o666 if how == "writable" else 0o600)
    if how == "linked":
        os.link(part, part.with_name("other"))
    with part.open("r+b") as theirs:
        server.expect("GET", TARGET, 200, BLOB)
        download(server, dest)
        theirs.write(b"evil")
    assert dest.read_bytes() == BLOB


def test_a_disk_that_is_full_is_not_left_full(
    server: ScriptedServer, dest: pathlib.Path, part: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_arguments: t.Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(_download, "_fill", full)
    with pytest.raises(LocalFileError, match="No space left"):
        download(server, dest)
    assert not part.exists()


@pytest.mark.parametrize("for_good", [True, False])
def test_a_lock_of_somebody_else_is_not_waited_for_without_end(
    server: ScriptedServer, dest: pathlib.Path, part: pathlib.Path, monkeypatch: pytest.MonkeyPatch, for_good: bool
) -> None:
    monkeypatch.setattr(_download, "_is_own", lambda file: False)
    monkeypatch.setattr(_download, "_PATIENCE", 0.2 if for_good else 60.0)
    looks = threading.Event()
    monkeypatch.setattr(_download.time, "sleep", lambda seconds: looks.set())
    part.touch()
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        with part.open("rb") as other:
            fcntl.flock(other, fcntl.LOCK_EX)
            if not for_good:
                server.expect("GET", TARGET, 200, BLOB)
            run = pool.submit(download, server, dest)
            assert looks.wait(10)
            if for_good:
                with pytest.raises(LocalFileError, match=f"{part} belongs to another user, who keeps it locked"):
                    run.result()
        if not for_good:
            assert run.result().action == "download"
            assert dest.read_bytes() == BLOB


def test_a_file_system_that_gives_files_other_owners_ends_nothing(
    server: ScriptedServer, dest: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_download, "_is_own", lambda file: False)
    server.expect("GET", TARGET, 200, BLOB)
    download(server, dest)
    assert dest.read_bytes() == BLOB and left(dest.parent) == ["layer.tar"]
