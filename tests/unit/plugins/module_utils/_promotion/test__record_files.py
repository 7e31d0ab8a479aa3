# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import pathlib
import re
import secrets
import threading
import time
import typing as t

import pytest
from ansible_collections.imageops.registry.plugins.module_utils._model._errors import LocalFileError
from ansible_collections.imageops.registry.plugins.module_utils._promotion._record import Record, encode_record
from ansible_collections.imageops.registry.plugins.module_utils._promotion._record_directory import (
    open_record_directory,
)
from ansible_collections.imageops.registry.plugins.module_utils._promotion._record_files import (
    RecordFile,
    Unfinished,
    continue_record,
    prepare_record,
    unfinished_records,
)
from ansible_collections.imageops.registry.plugins.module_utils._promotion._record_reading import parse_record
from ansible_collections.imageops.registry.plugins.module_utils._run._folder import Folder
from ansible_collections.imageops.registry.tests.unit.support.records import APP, BEGUN, DONE

NAME = re.compile(r"20260531T120000Z-[0-9a-f]{8}\.promotion\.json")


@pytest.fixture
def folder(tmp_path: pathlib.Path) -> t.Iterator[Folder]:
    with open_record_directory(str(tmp_path)) as found:
        yield found


def visible(folder: Folder) -> list[str]:
    return [name for name in folder.names() if not name.startswith(".")]


def read(folder: Folder, name: str) -> Record:
    return parse_record(folder.read(name, 1_000_000) or b"")


@contextlib.contextmanager
def prepared(folder: Folder, record: Record = BEGUN) -> t.Iterator[RecordFile]:
    with contextlib.closing(prepare_record(folder, record.begun_at)) as file:
        file.take_room(len(encode_record(record, indent=1)))
        yield file


def leave_begun(folder: Folder, record: Record = BEGUN) -> str:
    """A record as a run leaves it that is killed: the kernel lets go of its locks."""
    with contextlib.closing(prepare_record(folder, record.begun_at)) as file:
        file.take_room(len(encode_record(record, indent=1)))
        file.begin(record)
        rest = folder.read(f".{file.name}.ended", 1_000_000)
    (pathlib.Path(folder.path) / f".{file.name}.ended").write_bytes(rest or b"")
    return file.name


def test_a_record_is_begun_and_ended(folder: Folder) -> None:
    with prepared(folder) as file:
        assert visible(folder) == []
        file.begin(BEGUN)
        assert NAME.fullmatch(file.name) and visible(folder) == [file.name]
        assert file.path == f"{folder.path}/{file.name}"
        assert read(folder, file.name) == BEGUN
        file.end(DONE)
        assert read(folder, file.name) == DONE
    assert folder.names() == [file.name]


def test_what_is_never_begun_leaves_nothing(folder: Folder) -> None:
    with prepared(folder):
        pass
    assert folder.names() == []


def test_a_record_of_what_did_nothing_is_removed(folder: Folder) -> None:
    with prepared(folder) as file:
        file.begin(BEGUN)
        file.remove()
    assert folder.names() == []


def test_all_is_on_disk_before_it_is_told(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[str] = []
    real_fsync, real_replace = os.fsync, os.replace

    def fsync(descriptor: int) -> None:
        steps.append("sync names" if descriptor == folder.descriptor else "sync content")
        real_fsync(descriptor)

    def replace(*arguments: t.Any, **options: t.Any) -> None:
        steps.append("move")
        real_replace(*arguments, **options)

    with prepared(folder) as file:
        monkeypatch.setattr(os, "fsync", fsync)
        monkeypatch.setattr(os, "replace", replace)
        for write in (file.begin, file.end):
            steps.clear()
            write(BEGUN)
            assert steps == ["sync content", "move", "sync names"]


def test_room_is_taken_for_both_and_used_again(folder: Folder) -> None:
    with prepared(folder) as file:
        sizes = [folder.size(name) for name in folder.names()]
        assert len(sizes) == 2 and all(size and size > len(encode_record(DONE)) + 60_000 for size in sizes)
        numbers = {os.stat(folder.below(name)).st_ino for name in folder.names()}
        file.begin(BEGUN)
        assert os.stat(file.path).st_ino in numbers
        file.end(DONE)
        assert os.stat(file.path).st_ino in numbers and os.stat(file.path).st_size == len(encode_record(DONE, indent=1))


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EROFS])
def test_a_full_disk_is_an_error_before_anything_is_begun(
    folder: Folder, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    def fsync(_descriptor: int) -> None:
        raise OSError(code, os.strerror(code))

    with contextlib.closing(prepare_record(folder, BEGUN.begun_at)) as file, monkeypatch.context() as patched:
        patched.setattr(os, "fsync", fsync)
        with pytest.raises(LocalFileError, match=f"cannot be written: {os.strerror(code)}"):
            file.take_room(1000)
    assert folder.names() == []


def test_names_never_collide(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither with a record that is there, nor with one that is prepared."""
    numbers = iter(["00000001"] * 3 + ["00000002"] * 2 + ["00000003"])
    monkeypatch.setattr(secrets, "token_hex", lambda size: next(numbers))
    with prepared(folder) as first:
        first.begin(BEGUN)
        with prepared(folder) as second, prepared(folder) as third:
            second.begin(BEGUN)
            third.begin(BEGUN)
    assert [name[17:25] for name in visible(folder)] == ["00000001", "00000002", "00000003"]
    assert len(folder.names()) == 3


def test_records_that_are_begun_are_unfinished_unless_their_promotion_runs(folder: Folder) -> None:
    left = leave_begun(folder)
    with prepared(folder) as running:
        running.begin(BEGUN)
        assert unfinished_records(folder) == ([Unfinished(left, BEGUN)], [])
        running.end(DONE)
        assert unfinished_records(folder) == ([Unfinished(left, BEGUN)], [])
    assert unfinished_records(folder) == ([Unfinished(left, BEGUN)], [])


def test_where_nobody_can_lock_a_record_that_is_begun_is_unfinished(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def flock(_descriptor: int, _how: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", flock)
    with prepared(folder) as running:
        running.begin(BEGUN)
        assert [one.name for one in unfinished_records(folder)[0]] == [running.name]


def test_what_has_ended_is_read_at_its_end_only(folder: Folder) -> None:
    many = tuple(APP._replace(repository=f"team/app-{number}") for number in range(100))
    for outcome in ("done", "reverted", "failed"):
        content = encode_record(DONE._replace(images=many, outcome=outcome))
        # Were it read, it would be found to be no record.
        (pathlib.Path(folder.path) / f"{outcome}.promotion.json").write_bytes(b"{" + content)
    (pathlib.Path(folder.path) / "begun.promotion.json").write_bytes(encode_record(BEGUN._replace(images=many)))
    found, problems = unfinished_records(folder)
    assert [one.name for one in found] == ["begun.promotion.json"] and problems == []


def test_what_says_begun_in_other_places_has_ended(folder: Folder) -> None:
    told = DONE._replace(reason='"outcome": "begun"', job='{"outcome": "begun"}', reverts='x"outcome":"begun"')
    (pathlib.Path(folder.path) / "a.promotion.json").write_bytes(encode_record(told))
    assert unfinished_records(folder) == ([], [])


def test_what_is_no_record_is_told(folder: Folder) -> None:
    (pathlib.Path(folder.path) / "a.promotion.json").write_bytes(encode_record(BEGUN)[:-200])
    (pathlib.Path(folder.path) / "b.promotion.json").mkdir()
    (pathlib.Path(folder.path) / "c.json").write_bytes(b"something else")
    (pathlib.Path(folder.path) / ".d.promotion.json").write_bytes(b"hidden")
    found, problems = unfinished_records(folder)
    assert found == []
    assert [problem.split(" is not")[0] for problem in problems] == [folder.below(f"{a}.promotion.json") for a in "ab"]
    assert "is not valid JSON" in problems[0] and "is not a regular file" in problems[1]


def test_a_record_is_continued_by_one_run_only(folder: Folder) -> None:
    name = leave_begun(folder)
    file = continue_record(folder, Unfinished(name, BEGUN))
    assert file is not None and file.name == name
    with contextlib.closing(file):
        assert continue_record(folder, Unfinished(name, BEGUN)) is None
        file.take_room(1000)
        file.begin(BEGUN)
        assert continue_record(folder, Unfinished(name, BEGUN)) is None
        file.end(DONE)
        assert continue_record(folder, Unfinished(name, BEGUN)) is None
    assert read(folder, name) == DONE and folder.names() == [name]
    assert continue_record(folder, Unfinished("gone.promotion.json", BEGUN)) is None


def test_a_record_that_was_replaced_meanwhile_is_not_continued(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    name = leave_begun(folder)
    real_flock = fcntl.flock

    def flock(descriptor: int, how: int) -> None:
        monkeypatch.setattr(fcntl, "flock", real_flock)
        folder.put(name, [encode_record(DONE)])
        real_flock(descriptor, how)

    monkeypatch.setattr(fcntl, "flock", flock)
    assert continue_record(folder, Unfinished(name, BEGUN)) is None
    assert read(folder, name) == DONE


def test_what_was_prepared_and_left_is_removed_when_nobody_has_it(folder: Folder) -> None:
    long_ago = 1_700_000_000
    with prepared(folder) as running:
        mine = [f".{running.name}.begun", f".{running.name}.ended"]
        left = [".20260101T000000Z-00000000.promotion.json.begun", ".20260101T000000Z-00000001.promotion.json.ended"]
        others = [".20260101T000000Z-00000000.promotion.json.begun.bak", ".first-seen.lock"]
        for name in (*left, *others):
            (pathlib.Path(folder.path) / name).write_bytes(b" ")
        for name in (*mine, *left, *others):
            os.utime(folder.below(name), (long_ago, long_ago))
        with prepared(folder) as later:
            also_mine = [f".{later.name}.begun", f".{later.name}.ended"]
            assert folder.names() == sorted([*mine, *others, *also_mine])


def test_a_directory_that_is_not_there_is_said_with_what_to_do(tmp_path: pathlib.Path) -> None:
    missing = open_record_directory(str(tmp_path / "none"))
    with pytest.raises(LocalFileError, match="none cannot be opened: No such file or directory. Make it"):
        missing.__enter__()


def test_those_who_look_do_not_hide_a_record_from_one_another(folder: Folder) -> None:
    """Nor from who continues it, who waits for them."""
    name = leave_begun(folder)
    with (pathlib.Path(folder.path) / name).open("rb") as reader:
        fcntl.flock(reader.fileno(), fcntl.LOCK_SH)
        assert [one.name for one in unfinished_records(folder)[0]] == [name]
        timer = threading.Timer(0.05, fcntl.flock, (reader.fileno(), fcntl.LOCK_UN))
        timer.start()
        file = continue_record(folder, Unfinished(name, BEGUN))
        timer.join()
    assert file is not None
    file.close()


def test_a_record_that_another_run_has_is_not_waited_for_long(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    name = leave_begun(folder)
    pauses: list[float] = []
    monkeypatch.setattr(time, "sleep", pauses.append)
    with (pathlib.Path(folder.path) / name).open("rb") as other:
        fcntl.flock(other.fileno(), fcntl.LOCK_EX)
        assert continue_record(folder, Unfinished(name, BEGUN)) is None
    assert 0 < sum(pauses) < 1


@pytest.mark.parametrize("meanwhile", [DONE, BEGUN._replace(actor="another run"), DONE._replace(outcome="reverted")])
def test_a_record_that_another_run_has_written_since_it_was_read_is_not_continued(
    folder: Folder, meanwhile: Record
) -> None:
    name = leave_begun(folder)
    (found,), _problems = unfinished_records(folder)
    folder.put(name, [encode_record(meanwhile)])
    assert continue_record(folder, found) is None
    assert read(folder, name) == meanwhile


def test_a_record_that_is_broken_since_it_was_read_is_not_continued(folder: Folder) -> None:
    name = leave_begun(folder)
    (pathlib.Path(folder.path) / name).write_bytes(b"{")
    assert continue_record(folder, Unfinished(name, BEGUN)) is None


def test_a_record_of_another_user_in_a_sticky_directory_is_not_continued(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = leave_begun(folder)
    before = folder.names()
    os.chmod(folder.path, 0o1777)
    monkeypatch.setattr(os, "geteuid", lambda: os.stat(folder.path).st_uid + 4321)
    assert continue_record(folder, Unfinished(name, BEGUN)) is None
    assert folder.names() == before
    os.chmod(folder.path, 0o777)
    file = continue_record(folder, Unfinished(name, BEGUN))
    assert file is not None
    file.close()


def test_a_record_is_not_continued_where_what_is_left_beside_it_cannot_be_removed(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = leave_begun(folder)

    def unlink(*_arguments: t.Any, **_options: t.Any) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "unlink", unlink)
    assert continue_record(folder, Unfinished(name, BEGUN)) is None
    assert read(folder, name) == BEGUN


def test_names_that_others_have_chosen_are_fit_for_a_screen(folder: Folder) -> None:
    name = os.fsdecode(b"\xff\x1b[31m\n.promotion.json")
    (pathlib.Path(folder.path) / name).write_bytes(b"{}")
    _found, (problem,) = unfinished_records(folder)
    assert problem.startswith(f"{folder.path}/ [31m .promotion.json is not the record")
    (pathlib.Path(folder.path) / name).write_bytes(encode_record(BEGUN))
    ((found,), _problems) = unfinished_records(folder)
    assert found.name == name and folder.below(name) == f"{folder.path}/ [31m .promotion.json"
