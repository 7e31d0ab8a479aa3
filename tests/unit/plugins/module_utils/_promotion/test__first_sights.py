# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import datetime
import json
import os
import pathlib
import threading
import typing as t

import pytest
from ansible_collections.imageops.registry.plugins.module_utils._model._errors import LocalFileError
from ansible_collections.imageops.registry.plugins.module_utils._promotion import _first_sights
from ansible_collections.imageops.registry.plugins.module_utils._promotion._first_sights import FirstSights
from ansible_collections.imageops.registry.tests.unit.support.documents import DIGEST, OTHER_DIGEST

NOW = datetime.datetime(2026, 6, 1, 12)
LATER = NOW + datetime.timedelta(days=1)
ONE = ("dev.example", "team/app", DIGEST)
OTHER = ("dev.example", "team/app", OTHER_DIGEST)


def test_the_first_sight_is_kept_and_no_later_one(tmp_path: pathlib.Path) -> None:
    sights = FirstSights(str(tmp_path))
    assert sights.first(ONE) is None
    assert not list(tmp_path.iterdir())
    sights.note([ONE, ONE], NOW)
    assert sights.first(ONE) == NOW
    FirstSights(str(tmp_path)).note([ONE, OTHER], LATER)
    again = FirstSights(str(tmp_path))
    assert (again.first(ONE), again.first(OTHER)) == (NOW, LATER)
    assert again.first(("other.example", *ONE[1:])) is None
    assert sorted(path.name for path in tmp_path.iterdir()) == [".first-seen.lock", "first-seen.json"]


def test_what_another_run_has_noted_meanwhile_stays(tmp_path: pathlib.Path) -> None:
    first, second = FirstSights(str(tmp_path)), FirstSights(str(tmp_path))
    first.note([ONE], NOW)
    second.note([ONE, OTHER], LATER)
    assert FirstSights(str(tmp_path)).first(ONE) == NOW


def test_runs_at_the_same_time_lose_nothing(tmp_path: pathlib.Path) -> None:
    sights = [("dev.example", "team/app", f"sha256:{number:064x}") for number in range(40)]

    def note(part: int) -> None:
        for sight in sights[part::4]:
            FirstSights(str(tmp_path)).note([sight], NOW)

    threads = [threading.Thread(target=note, args=(part,)) for part in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = FirstSights(str(tmp_path))
    assert all(found.first(sight) == NOW for sight in sights)


def test_what_is_known_already_is_not_written_again(tmp_path: pathlib.Path) -> None:
    FirstSights(str(tmp_path)).note([ONE], NOW)
    before = (tmp_path / "first-seen.json").stat().st_ino
    FirstSights(str(tmp_path)).note([ONE], LATER)
    assert (tmp_path / "first-seen.json").stat().st_ino == before


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"{", b"\xff", b'{"a": "yesterday"}', b'{"a": 1}', b'{"a": []}', b"[" * 100_000]
)
@pytest.mark.usefixtures("no_collection")
def test_a_broken_file_is_an_error_and_stays_as_it_is(tmp_path: pathlib.Path, content: bytes) -> None:
    (tmp_path / "first-seen.json").write_bytes(content)
    with pytest.raises(LocalFileError, match="is not what it was written as"):
        FirstSights(str(tmp_path))
    assert (tmp_path / "first-seen.json").read_bytes() == content


def test_a_directory_that_is_not_there_is_an_error_when_something_is_kept(tmp_path: pathlib.Path) -> None:
    sights = FirstSights(str(tmp_path / "none"))
    assert sights.first(ONE) is None
    with pytest.raises(LocalFileError, match="No such file or directory"):
        sights.note([ONE], NOW)


def test_a_directory_in_its_place_is_an_error(tmp_path: pathlib.Path) -> None:
    (tmp_path / "first-seen.json").mkdir()
    with pytest.raises(LocalFileError, match="is not a file") as caught:
        FirstSights(str(tmp_path))
    assert "record.path" in caught.value.hint


def test_a_full_disk_leaves_the_file_as_it_was(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    FirstSights(str(tmp_path)).note([ONE], NOW)

    def fsync(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(LocalFileError, match="No space left on device") as caught:
        FirstSights(str(tmp_path)).note([OTHER], LATER)
    assert caught.value.hint.startswith("No tag has moved. See that the directory of record.path has room")
    monkeypatch.undo()
    assert FirstSights(str(tmp_path)).first(OTHER) is None
    assert list(json.loads((tmp_path / "first-seen.json").read_text())) == [_first_sights._name(ONE)]
    assert sorted(path.name for path in tmp_path.iterdir()) == [".first-seen.lock", "first-seen.json"]


def test_the_file_is_read_once_unless_another_run_has_written_it(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reading a hundred thousand digests is most of what a run costs."""
    FirstSights(str(tmp_path)).note([ONE], NOW)
    reads = []
    real = json.loads

    def loads(text: str) -> object:
        reads.append(text)
        return real(text)

    monkeypatch.setattr(json, "loads", loads)
    found = FirstSights(str(tmp_path))
    found.note([OTHER], LATER)
    assert len(reads) == 1
    assert FirstSights(str(tmp_path)).first(OTHER) == LATER
    FirstSights(str(tmp_path)).note([("dev.example", "team/web", DIGEST)], LATER)
    reads.clear()
    found.note([("dev.example", "team/api", DIGEST)], LATER)
    assert len(reads) == 1
    assert FirstSights(str(tmp_path)).first(("dev.example", "team/web", DIGEST)) == LATER


def test_accounts_can_share_the_directory(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = os.umask(0o002)
    try:
        FirstSights(str(tmp_path)).note([ONE], NOW)
    finally:
        os.umask(before)
    lock = tmp_path / ".first-seen.lock"
    assert lock.stat().st_mode & 0o777 == 0o664
    real = os.open

    def may_only_read(path: t.Any, flags: int, *more: t.Any, **options: t.Any) -> int:
        if path == lock.name and flags & (os.O_RDWR | os.O_CREAT):
            raise PermissionError(13, "Permission denied")
        return real(path, flags, *more, **options)

    monkeypatch.setattr(os, "open", may_only_read)
    FirstSights(str(tmp_path)).note([OTHER], LATER)
    assert FirstSights(str(tmp_path)).first(OTHER) == LATER
    lock.unlink()
    with pytest.raises(LocalFileError, match="Permission denied"):
        FirstSights(str(tmp_path)).note([("dev.example", "team/web", DIGEST)], LATER)


def test_a_link_in_place_of_the_lock_makes_no_file_elsewhere(tmp_path: pathlib.Path) -> None:
    directory, elsewhere = tmp_path / "records", tmp_path / "elsewhere"
    directory.mkdir()
    (directory / ".first-seen.lock").symlink_to(elsewhere)
    with pytest.raises(LocalFileError, match="cannot be written"):
        FirstSights(str(directory)).note([ONE], NOW)
    assert not elsewhere.exists() and not (directory / "first-seen.json").exists()
