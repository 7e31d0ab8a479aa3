# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import gzip
import io
import json
import os
import pathlib
import tarfile
import tracemalloc
import typing as t

import pytest
from ansible_collections.imageops.registry.plugins.module_utils._layout import _tar
from ansible_collections.imageops.registry.plugins.module_utils._layout._archive import ArchiveStore
from ansible_collections.imageops.registry.plugins.module_utils._layout._directory import DirectoryStore
from ansible_collections.imageops.registry.plugins.module_utils._layout._store import Store
from ansible_collections.imageops.registry.plugins.module_utils._model._digest import compute_digest
from ansible_collections.imageops.registry.plugins.module_utils._model._errors import (
    Conflict,
    ConnectionFailed,
    ContentMismatch,
    LocalFileError,
)

BLOB = b"some bytes of a blob"
DIGEST = compute_digest(BLOB)
DIGEST_512 = compute_digest(BLOB, "sha512")
ENCODED = DIGEST.partition(":")[2]
FILES = {"oci-layout": b"{}", "index.json": b"[]"}
STORES: dict[str, t.Callable[[str], Store]] = {"layout": DirectoryStore, "layout.tar": ArchiveStore}


@pytest.fixture(params=list(STORES))
def path(request: pytest.FixtureRequest, tmp_path: pathlib.Path) -> pathlib.Path:
    return tmp_path / str(request.param)


def opened(path: pathlib.Path) -> Store:
    return STORES[path.name](str(path))


def content(store: Store, digest: str = DIGEST, offset: int = 0) -> bytes:
    pieces = store.open(digest, offset)
    assert pieces is not None
    return b"".join(pieces)


def snapshot(path: pathlib.Path) -> dict[str, tuple[int, bytes]]:
    """Everything beside the path and below it, with the times at which it was written."""
    files = sorted(file for file in path.parent.rglob("*"))
    return {str(file): (file.stat().st_mtime_ns, file.read_bytes() if file.is_file() else b"") for file in files}


def write(path: pathlib.Path, *blobs: bytes) -> None:
    store = opened(path)
    for blob in blobs:
        store.add(compute_digest(blob), len(blob), [blob])
    store.commit(FILES)
    store.close()


# Both ---------------------------------------------------------------------------------------------------------------


def test_nothing_is_there_and_nothing_is_made_by_looking(path: pathlib.Path) -> None:
    store = opened(path)
    assert store.read("index.json", 10) is None
    assert store.size(DIGEST) is None
    assert store.open(DIGEST, 0) is None
    assert store.others() == []
    store.close()
    assert list(path.parent.iterdir()) == []


def test_what_was_written_is_read_from_any_offset(path: pathlib.Path) -> None:
    write(path, BLOB)
    store = opened(path)
    assert store.read("oci-layout", 10) == b"{}"
    assert store.size(DIGEST) == len(BLOB)
    assert content(store) == BLOB
    assert content(store, offset=5) == BLOB[5:]
    store.close()


def test_a_sha512_blob(path: pathlib.Path) -> None:
    store = opened(path)
    store.add(DIGEST_512, len(BLOB), [BLOB[:3], BLOB[3:]])
    store.commit(FILES)
    store.close()
    again = opened(path)
    assert content(again, DIGEST_512) == BLOB
    again.close()


def test_reading_writes_nothing(path: pathlib.Path) -> None:
    write(path, BLOB)
    before = snapshot(path)
    store = opened(path)
    content(store)
    store.close()
    assert snapshot(path) == before


def test_nothing_is_left_beside_what_was_written(path: pathlib.Path) -> None:
    write(path, BLOB)
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    if path.is_dir():
        assert sorted(file.name for file in path.iterdir()) == ["blobs", "index.json", "oci-layout"]


@pytest.mark.parametrize("wrong", [b"other bytes of a blob!", BLOB[:-1], BLOB + b"!"])
def test_what_is_not_the_blob_is_not_taken(path: pathlib.Path, wrong: bytes) -> None:
    store = opened(path)
    with pytest.raises(ContentMismatch):
        store.add(DIGEST, len(BLOB), [wrong])
    assert store.size(DIGEST) is None
    store.close()
    assert [file for file in path.parent.rglob("*") if file.is_file()] == []


def test_a_source_that_breaks_off_leaves_no_blob(path: pathlib.Path) -> None:
    def pieces() -> t.Iterator[bytes]:
        yield BLOB[:5]
        raise ConnectionFailed("cut")

    store = opened(path)
    with pytest.raises(ConnectionFailed):
        store.add(DIGEST, len(BLOB), pieces())
    assert store.size(DIGEST) is None
    store.close()


def test_only_one_writer_at_a_time(path: pathlib.Path) -> None:
    first, second = opened(path), opened(path)
    assert second.read("index.json", 10) is None
    first.add(DIGEST, len(BLOB), [BLOB])
    with pytest.raises(Conflict, match="another task is writing there"):
        second.add(DIGEST, len(BLOB), [BLOB])
    first.commit(FILES)
    first.close()
    with pytest.raises(Conflict, match="meanwhile"):
        second.commit(FILES)
    second.close()
    write(path, BLOB, b"more")


def test_a_writer_goes_on_with_what_another_has_added_and_not_committed(path: pathlib.Path) -> None:
    killed = opened(path)
    killed.add(DIGEST, len(BLOB), [BLOB])
    killed.close()
    assert not (path / "index.json").exists()
    assert path.name == "layout" or not path.exists()
    store = opened(path)
    assert store.others() == []
    assert store.size(DIGEST) == len(BLOB)
    assert content(store) == BLOB
    store.commit(FILES)
    store.close()
    again = opened(path)
    assert content(again) == BLOB
    again.close()


def workplace(path: pathlib.Path, mode: int = 0o700) -> pathlib.Path:
    """A place to write in, as a killed writer leaves it."""
    place = path / ".partial" if path.name == "layout" else path.parent / f".{path.name}.partial"
    place.mkdir(parents=True)
    place.chmod(mode)
    return place


def test_what_a_killed_writer_had_half_written_is_removed(path: pathlib.Path) -> None:
    place = workplace(path)
    (place / "lock").touch()
    (place / f"sha256-{ENCODED}.1").write_bytes(BLOB[:3])
    store = opened(path)
    assert store.others() == []
    assert store.size(DIGEST) is None
    store.commit(FILES)
    store.close()
    assert not place.exists()


@pytest.mark.parametrize("mode", [0o770, 0o707])
def test_a_place_to_write_in_that_others_can_write_to_is_refused(path: pathlib.Path, mode: int) -> None:
    place = workplace(path, mode)
    (place / f"sha256-{ENCODED}").write_bytes(BLOB)
    store = opened(path)
    assert store.size(DIGEST) is None
    with pytest.raises(LocalFileError, match=r"\.partial belongs to another user, or others can write to it"):
        store.add(DIGEST, len(BLOB), [BLOB])
    store.close()
    assert (place / f"sha256-{ENCODED}").exists()


def test_the_place_to_write_in_of_another_user_is_refused(path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    workplace(path)
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    store = opened(path)
    with pytest.raises(LocalFileError, match="belongs to another user"):
        store.commit(FILES)
    store.close()


def test_a_place_to_write_in_is_for_our_user_alone(path: pathlib.Path) -> None:
    before = os.umask(0)
    try:
        store = opened(path)
        store.add(DIGEST, len(BLOB), [BLOB])
    finally:
        os.umask(before)
    assert [place.stat().st_mode & 0o777 for place in path.parent.rglob("*.partial")] == [0o700]
    store.close()


def test_a_blob_is_replaced(path: pathlib.Path) -> None:
    write(path, BLOB)
    if path.is_dir():
        (path / "blobs" / "sha256" / ENCODED).write_bytes(b"damaged")
    else:
        path.write_bytes(path.read_bytes().replace(BLOB, BLOB.upper()))
    store = opened(path)
    assert content(store) != BLOB
    store.add(DIGEST, len(BLOB), [BLOB])
    assert content(store) == BLOB
    store.commit(FILES)
    store.close()
    again = opened(path)
    assert content(again) == BLOB
    again.close()


def test_a_large_index_is_refused(path: pathlib.Path) -> None:
    write(path)
    store = opened(path)
    with pytest.raises(LocalFileError, match="larger than 1 bytes"):
        store.read("index.json", 1)
    store.close()


# Directories --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("link", ["index.json", "blobs", "blobs/sha256", f"blobs/sha256/{ENCODED}"])
def test_links_in_a_layout_are_not_followed(tmp_path: pathlib.Path, link: str) -> None:
    outside, inside = tmp_path / "outside", tmp_path / "layout"
    write(outside.parent / "layout", BLOB)
    inside.rename(outside)
    write(inside, BLOB)
    if (inside / link).is_dir():
        (inside / link).rename(tmp_path / "elsewhere")
    else:
        (inside / link).unlink()
    (inside / link).symlink_to(outside / link)
    store = DirectoryStore(str(inside))
    with pytest.raises(LocalFileError, match=r"symbolic link|Not a directory|levels of symbolic"):
        assert store.read("index.json", 10) and content(store)
    store.close()


def test_a_writer_does_not_follow_a_link(tmp_path: pathlib.Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "layout").mkdir()
    (tmp_path / "layout" / "blobs").symlink_to(tmp_path / "outside")
    store = DirectoryStore(str(tmp_path / "layout"))
    with pytest.raises(LocalFileError):
        store.add(DIGEST, len(BLOB), [BLOB])
    store.close()
    assert list((tmp_path / "outside").iterdir()) == []


def test_a_pipe_is_not_waited_for(tmp_path: pathlib.Path) -> None:
    (tmp_path / "layout").mkdir()
    os.mkfifo(tmp_path / "layout" / "index.json")
    store = DirectoryStore(str(tmp_path / "layout"))
    with pytest.raises(LocalFileError, match="is not a regular file"):
        store.read("index.json", 10)
    store.close()


def test_other_files_in_a_directory(tmp_path: pathlib.Path) -> None:
    (tmp_path / "notes.txt").touch()
    store = DirectoryStore(str(tmp_path))
    assert store.others() == ["notes.txt"]
    store.close()


def test_a_directory_that_cannot_be_made(tmp_path: pathlib.Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(LocalFileError, match="Not a directory"):
        DirectoryStore(str(tmp_path / "file"))
    store = DirectoryStore(str(tmp_path / "new" / "layout"))
    (tmp_path / "new").touch()
    with pytest.raises(LocalFileError, match="cannot be made"):
        store.commit(FILES)
    store.close()


# Archives -----------------------------------------------------------------------------------------------------------


def tar(path: pathlib.Path, *members: tuple[str, bytes], form: int = tarfile.PAX_FORMAT, mode: str = "w") -> None:
    with tarfile.open(path, mode, format=form) as archive:
        for name, data in members:
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))


def test_the_same_archive_whenever_and_in_whatever_order_it_is_written(tmp_path: pathlib.Path) -> None:
    for name, blobs in {"one": (BLOB, b"more", b""), "two": (b"", b"more", BLOB)}.items():
        (tmp_path / name).mkdir()
        write(tmp_path / name / "layout.tar", *blobs)
    one, two = ((tmp_path / name / "layout.tar").read_bytes() for name in ("one", "two"))
    assert one == two
    with tarfile.open(tmp_path / "one" / "layout.tar") as archive:
        members = archive.getmembers()
        assert {(member.mtime, member.uid, member.gid) for member in members} == {(0, 0, 0)}
        assert {(member.isdir(), member.mode) for member in members} == {(False, 0o644), (True, 0o755)}
        names = [member.name for member in members]
    # skopeo makes directories that aren't there for root, which no other user may.
    assert names[:4] == ["oci-layout", "index.json", "blobs", "blobs/sha256"]
    assert names[4:] == sorted(names[4:]) and all(name.startswith("blobs/sha256/") for name in names[4:])


def test_members_of_the_old_archive_are_in_the_new_one(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "layout.tar"
    write(path, BLOB)
    path.chmod(0o600)
    write(path, b"more")
    assert path.stat().st_mode & 0o777 == 0o600
    store = ArchiveStore(str(path))
    assert content(store) == BLOB
    assert content(store, compute_digest(b"more")) == b"more"
    store.close()


def test_what_a_killed_writer_left_and_nobody_wants_is_not_taken_along(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "layout.tar"
    killed = ArchiveStore(str(path))
    killed.add(DIGEST, len(BLOB), [BLOB])
    killed.close()
    write(path, b"more")
    store = ArchiveStore(str(path))
    assert store.size(DIGEST) is None
    store.close()


def test_what_is_left_under_the_name_of_a_blob_and_is_not_it_is_not_taken(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "layout.tar"
    (workplace(path) / f"sha256-{ENCODED}").write_bytes(BLOB.upper())
    store = ArchiveStore(str(path))
    assert store.size(DIGEST) is None
    assert store.open(DIGEST, 0) is None
    store.add(DIGEST, len(BLOB), [BLOB])
    assert store.size(DIGEST) == len(BLOB)
    store.commit(FILES)
    store.close()
    again = ArchiveStore(str(path))
    assert content(again) == BLOB
    again.close()
    (workplace(path) / f"sha256-{ENCODED}").write_bytes(BLOB.upper())
    again = ArchiveStore(str(path))
    assert content(again) == BLOB
    again.commit(FILES)
    again.close()
    again = ArchiveStore(str(path))
    assert content(again) == BLOB
    again.close()


@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
@pytest.mark.parametrize("prefix", ["", "./"])
def test_archives_of_other_tools(tmp_path: pathlib.Path, form: int, prefix: str) -> None:
    path = tmp_path / "layout.tar"
    blob_512 = f"blobs/sha512/{DIGEST_512.partition(':')[2]}"
    tar(
        path,
        (f"{prefix}index.json", b"old"),
        (f"{prefix}{blob_512}", BLOB),
        (f"{prefix}index.json", b"new"),
        form=form,
    )
    store = ArchiveStore(str(path))
    assert store.read("index.json", 10) == b"new"
    assert content(store, DIGEST_512, 3) == BLOB[3:]
    store.close()


def test_other_files_of_an_archive_are_not_lost(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "layout.tar"
    tar(path, ("manifest.json", b"[]"), ("blobs/sha256/../../passwd", b""))
    store = ArchiveStore(str(path))
    assert store.others() == ["blobs/sha256/../../passwd", "manifest.json"]
    with pytest.raises(LocalFileError, match=r"would be lost: .*manifest\.json"):
        store.add(DIGEST, len(BLOB), [BLOB])
    store.close()


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.GNUTYPE_SPARSE]
)
def test_odd_members_are_not_read(tmp_path: pathlib.Path, kind: bytes) -> None:
    path = tmp_path / "layout.tar"
    with tarfile.open(path, "w", format=tarfile.GNU_FORMAT) as archive:
        for name in ("index.json", f"blobs/sha256/{ENCODED}"):
            member = tarfile.TarInfo(name)
            member.type = kind
            member.linkname = "/etc/passwd"
            archive.addfile(member)
    store = ArchiveStore(str(path))
    for ask in (lambda: store.read("index.json", 10), lambda: store.size(DIGEST), lambda: store.open(DIGEST, 0)):
        with pytest.raises(LocalFileError, match="is not a regular file"):
            ask()
    store.close()


def test_a_compressed_archive_is_refused(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "layout.tar"
    write(path, BLOB)
    path.write_bytes(gzip.compress(path.read_bytes()))
    with pytest.raises(LocalFileError, match=r"compressed with gzip.*Uncompress it first"):
        ArchiveStore(str(path))


def damaged(path: pathlib.Path) -> dict[str, bytes]:
    """Archives that no tool writes."""
    write(path, BLOB)
    whole = path.read_bytes()
    size = whole.index(b"0000000002")
    long_name = tarfile.TarInfo("name")
    long_name.type, long_name.size = tarfile.GNUTYPE_LONGNAME, 2**40
    chain = tarfile.TarInfo("name")
    chain.type, chain.size = tarfile.GNUTYPE_LONGNAME, 1
    common = tarfile.TarInfo("common")
    common.type, common.size = tarfile.XGLTYPE, 65 * 1024
    third = whole.index(b"blobs/sha256")
    return {
        "text": b"not an archive at all" * 50,
        "cut within a header": whole[:100],
        "cut within a member": whole[: whole.index(BLOB) + 5],
        "a header with a wrong sum": whole[:size] + b"7" + whole[size + 1 :],
        "a later header with a wrong sum": whole[: third + 148] + b"7" + whole[third + 149 :],
        "a later header of zeros": whole[:third] + bytes(512) + whole[third + 512 :],
        "a later header that is cut off": whole[: third + 100],
        "a global header of much": common.tobuf(tarfile.USTAR_FORMAT) + b"9 a=long\n".ljust(66 * 1024, b"\0") + whole,
        "a name of a terabyte": long_name.tobuf(tarfile.GNU_FORMAT) + whole,
        "names without end": (chain.tobuf(tarfile.GNU_FORMAT) + b"n".ljust(512, b"\0")) * 5000,
    }


@pytest.mark.parametrize(
    "kind",
    [
        "text",
        "cut within a header",
        "cut within a member",
        "a header with a wrong sum",
        "a later header with a wrong sum",
        "a later header of zeros",
        "a later header that is cut off",
        "a global header of much",
        "a name of a terabyte",
        "names without end",
    ],
)
def test_damaged_archives(tmp_path: pathlib.Path, kind: str) -> None:
    path = tmp_path / "layout.tar"
    path.write_bytes(damaged(path)[kind])
    with pytest.raises(LocalFileError, match=r"is not a tar archive, or is damaged|is cut off|is damaged"):
        ArchiveStore(str(path))


@pytest.mark.parametrize("blocks", [0, 1, 2, 20])
def test_an_archive_may_end_in_any_number_of_zeros(tmp_path: pathlib.Path, blocks: int) -> None:
    path = tmp_path / "layout.tar"
    write(path, BLOB)
    path.write_bytes(path.read_bytes()[:-1024] + bytes(512 * blocks))
    store = ArchiveStore(str(path))
    assert content(store) == BLOB
    store.close()


def common_records(path: pathlib.Path, records: int, members: int) -> None:
    with tarfile.open(path, "w", pax_headers={f"k{number}": "" for number in range(records)}) as archive:
        for number in range(members):
            archive.addfile(tarfile.TarInfo(f"f{number}"))


def test_what_is_said_of_all_members_is_not_kept_for_each(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "layout.tar"
    common_records(path, 100, 2000)
    tracemalloc.start()
    try:
        with path.open("rb") as file:
            assert len(_tar.read_members(file, str(path))) == 2000
        assert tracemalloc.get_traced_memory()[1] < 2 * 1024 * 1024
    finally:
        tracemalloc.stop()


def test_too_much_that_is_said_of_all_members(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "layout.tar"
    common_records(path, 101, 1)
    with pytest.raises(LocalFileError, match="global headers of more than 100 records"):
        ArchiveStore(str(path))


def test_too_many_members(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "layout.tar"
    write(path, BLOB)
    monkeypatch.setattr(_tar, "_MAXIMUM_MEMBERS", 2)
    with pytest.raises(LocalFileError, match="more than 2 members"):
        ArchiveStore(str(path))


def test_the_directory_of_an_archive_must_be_there(tmp_path: pathlib.Path) -> None:
    with pytest.raises(LocalFileError, match="is not there"):
        ArchiveStore(str(tmp_path / "no" / "layout.tar"))


def test_a_link_to_an_archive_stays_one(tmp_path: pathlib.Path) -> None:
    (tmp_path / "link.tar").symlink_to(tmp_path / "layout.tar")
    write(tmp_path / "layout.tar", BLOB)
    store = ArchiveStore(str(tmp_path / "link.tar"))
    store.add(compute_digest(b"more"), 4, [b"more"])
    store.commit({"oci-layout": b"{}", "index.json": json.dumps(["new"]).encode()})
    store.close()
    assert (tmp_path / "link.tar").is_symlink()
    again = ArchiveStore(str(tmp_path / "layout.tar"))
    assert again.read("index.json", 100) == b'["new"]'
    again.close()
