# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import errno
import json
import os
import pathlib
import stat
import subprocess
import sys
import time
import typing as t

import pytest
from ansible_collections.imageops.registry.plugins.module_utils._model._errors import Detached, LocalFileError
from ansible_collections.imageops.registry.plugins.module_utils._run import _attachment
from ansible_collections.imageops.registry.plugins.module_utils._run._attachment import (
    VARIABLE,
    Attachment,
    Tie,
    take_directory,
    tie,
)
from ansible_collections.imageops.registry.plugins.module_utils._run._progress import Progress

# A task that works for ever, in a process of its own since it is to be ended.
ENDLESS = """
import sys, time
from ansible_collections.imageops.registry.plugins.module_utils._run._attachment import Attachment
from ansible_collections.imageops.registry.plugins.module_utils._run._progress import Progress
progress = Progress()
progress.begin("a/b", "sha256:1", 20)
Attachment(sys.argv[1], progress, show=sys.argv[2] == "show", say=print).open()
print("open", flush=True)
time.sleep(600)
"""


def attachment(directory: pathlib.Path | str) -> Attachment:
    return Attachment(str(directory), Progress(), show=True, say=print)


def start(directory: pathlib.Path, show: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", ENDLESS, str(directory), show]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    assert process.stdout is not None and process.stdout.readline() == "open\n"
    return process


def test_the_directory_is_private_and_gone_in_the_end(tmp_path: pathlib.Path) -> None:
    directory = tmp_path / "bond"
    bond = attachment(directory)
    bond.open()
    bond.require()
    bond.check()
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700 and (directory / "lease").is_file()
    bond.close()
    assert not directory.exists()


def test_a_task_that_was_cancelled_before_does_not_begin(tmp_path: pathlib.Path) -> None:
    (tmp_path / "bond").mkdir()
    bond = attachment(tmp_path / "bond")
    with pytest.raises(Detached, match="Ansible has cancelled the task"):
        bond.open()
    bond.close()
    assert not (tmp_path / "bond").exists()


def test_a_task_that_is_cancelled_as_it_begins_does_not_begin(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.mkdir

    def make_and_lose(path: str, mode: int) -> None:
        real(path, mode)
        os.rmdir(path)

    monkeypatch.setattr(os, "mkdir", make_and_lose)
    with pytest.raises(Detached, match="Ansible has cancelled the task"):
        attachment(f"{tmp_path}/first/bond:{tmp_path}/bond").open()


def test_a_directory_of_another_task_is_left_alone(tmp_path: pathlib.Path) -> None:
    (tmp_path / "bond").mkdir()
    (tmp_path / "bond" / "lease").touch()
    bond = attachment(tmp_path / "bond")
    with pytest.raises(Detached):
        bond.open()
    bond.close()
    assert (tmp_path / "bond" / "lease").exists()


def test_the_first_place_that_takes_the_directory_is_taken(tmp_path: pathlib.Path) -> None:
    (tmp_path / "last").mkdir()
    bond = attachment(f"{tmp_path}/missing/bond:{tmp_path}/bond:{tmp_path}/last/bond")
    bond.open()
    bond.check()
    assert (tmp_path / "bond" / "lease").is_file() and not (tmp_path / "last" / "bond").exists()
    bond.close()
    assert [path.name for path in tmp_path.iterdir()] == ["last"]


def test_a_place_that_takes_no_file_is_passed_over(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.open

    def full(path: str, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        if "first" in path and flags & os.O_CREAT:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(path, flags, mode, dir_fd=dir_fd)

    (tmp_path / "first").mkdir()
    monkeypatch.setattr(os, "open", full)
    bond = attachment(f"{tmp_path}/first/bond:{tmp_path}/bond")
    bond.open()
    monkeypatch.undo()
    assert (tmp_path / "bond" / "lease").is_file() and not (tmp_path / "first" / "bond").exists()
    bond.close()


def test_where_no_place_takes_the_directory_only_what_writes_is_refused(tmp_path: pathlib.Path) -> None:
    bond = attachment(f"{tmp_path}/a/bond:{tmp_path}/b/bond")
    bond.open()
    bond.check()
    with pytest.raises(LocalFileError, match="a/bond: No such file or directory; .*/b/bond: No such file"):
        bond.require()
    bond.close()


def test_without_a_directory_there_is_no_bond() -> None:
    bond = attachment("")
    bond.open()
    bond.require()
    bond.check()
    bond.close()


def test_no_tag_is_written_without_the_lease(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_attachment, "_PAUSE", 600.0)
    bond = attachment(tmp_path / "bond")
    bond.open()
    (tmp_path / "bond" / "lease").unlink()
    with pytest.raises(Detached, match="Ansible has cancelled the task"):
        bond.check()
    bond.close()


def test_no_tag_is_written_with_a_lease_that_has_run_out(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_attachment, "_PAUSE", 600.0)
    now = time.monotonic()
    monkeypatch.setattr(_attachment.time, "monotonic", lambda: now)
    bond = attachment(tmp_path / "bond")
    bond.open()
    now += _attachment.LEASE_SECONDS - 1
    os.utime(tmp_path / "bond" / "lease", ns=(1, 1))
    bond.check()
    os.utime(tmp_path / "bond" / "lease", ns=(2, 2))
    bond.check()
    now += _attachment.LEASE_SECONDS
    bond.check()
    now += 1
    with pytest.raises(Detached, match="has not been heard of for 15 seconds"):
        bond.check()
    bond.close()


def test_a_task_ends_when_its_lease_is_removed(tmp_path: pathlib.Path) -> None:
    process = start(tmp_path / "bond", "show")
    (tmp_path / "bond" / "lease").unlink()
    said, _errors = process.communicate(timeout=60)
    assert process.returncode == 1 and "Ansible has cancelled the task" in said
    assert not (tmp_path / "bond").exists()


def test_the_state_is_written_while_bytes_move(tmp_path: pathlib.Path) -> None:
    process = start(tmp_path / "bond", "show")
    try:
        while not (tmp_path / "bond" / "state").exists():
            time.sleep(0.05)
        state = json.loads((tmp_path / "bond" / "state").read_text())
        assert state["in_flight"] == [{"repository": "a/b", "digest": "sha256:1", "size": 20, "bytes": 0}]
    finally:
        process.kill()
        process.communicate()


def test_the_state_is_written_anew_where_it_has_changed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    monkeypatch.setattr(_attachment, "_PAUSE", 0.01)
    progress = Progress()
    moving = progress.begin("team/app", "sha256:1", 20)
    bond = Attachment(str(tmp_path / "bond"), progress, show=True, say=print)
    bond.open()
    state = tmp_path / "bond" / "state"
    wait_for(state.exists)
    moving.add(5)
    wait_for(lambda: bool(json.loads(state.read_text())["bytes_moved"] == 5))
    written = state.stat().st_ino
    time.sleep(0.1)
    assert state.stat().st_ino == written
    bond.close()


def test_a_state_that_cannot_be_written_stops_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> None:
    monkeypatch.setattr(_attachment, "_PAUSE", 0.01)
    progress = Progress()
    progress.begin("team/app", "sha256:1", 20)
    bond = Attachment(str(tmp_path / "bond"), progress, show=True, say=print)
    bond.open()
    (tmp_path / "bond" / "state.new").mkdir()
    time.sleep(0.1)
    bond.check()
    assert not (tmp_path / "bond" / "state").exists()
    bond.close()


def wait_for(condition: t.Callable[[], bool]) -> None:
    until = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.01)


def test_helpers_do_not_see_the_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "/somewhere")
    assert take_directory() == "/somewhere"
    assert VARIABLE not in os.environ and take_directory() == ""


@pytest.fixture
def _tied_to_nobody() -> t.Iterator[None]:
    yield
    _attachment._tie = None


@pytest.mark.usefixtures("_tied_to_nobody")
def test_in_place_a_tag_moves_while_the_tie_holds() -> None:
    holds = [True, False]
    tie(Tie(lambda: holds.pop(0), lambda _state: None))
    bond = attachment("")
    bond.open()
    bond.check()
    with pytest.raises(Detached, match="the Ansible that started the task has ended"):
        bond.check()
    bond.close()


@pytest.mark.usefixtures("_tied_to_nobody")
@pytest.mark.parametrize("show", [True, False])
def test_in_place_every_new_state_is_handed_over_once(monkeypatch: pytest.MonkeyPatch, show: bool) -> None:
    monkeypatch.setattr(_attachment, "_PAUSE", 0.01)
    states: list[dict[str, t.Any]] = []
    tie(Tie(lambda: True, states.append))
    progress = Progress()
    bond = Attachment("", progress, show=show, say=print)
    bond.open()
    time.sleep(0.1)
    assert states == []
    moving = progress.begin("team/app", "sha256:1", 20)
    time.sleep(0.2)
    moving.add(5)
    time.sleep(0.2)
    bond.close()
    assert [state["bytes_moved"] for state in states] == ([0, 5] if show else [])


@pytest.mark.usefixtures("_tied_to_nobody")
def test_in_place_nothing_fails_where_nobody_takes_the_state(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_attachment, "_PAUSE", 0.01)
    told: list[object] = []

    def fail(state: object) -> None:
        told.append(state)
        raise BrokenPipeError

    tie(Tie(lambda: True, fail))
    progress = Progress()
    progress.begin("team/app", "sha256:1", 20).add(5)
    bond = Attachment("", progress, show=True, say=print)
    bond.open()
    time.sleep(0.2)
    bond.close()
    assert len(told) == 1


def test_a_task_ends_where_nobody_reads_its_last_words(tmp_path: pathlib.Path) -> None:
    code = ENDLESS.replace("say=print", 'say=lambda text: print(text + "x" * 1_000_000)').replace(
        "from ansible_collections.imageops.registry.plugins.module_utils._run._progress",
        "from ansible_collections.imageops.registry.plugins.module_utils._run import _attachment\n"
        "_attachment._LAST_WORDS_SECONDS = 0.1\n"
        "from ansible_collections.imageops.registry.plugins.module_utils._run._progress",
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", code, str(tmp_path / "bond"), "show"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None and process.stdout.readline() == "open\n"
        (tmp_path / "bond" / "lease").unlink()
        assert process.wait(timeout=60) == 1
