# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import pathlib
import shlex
import stat
import subprocess

import pytest
from ansible_collections.imageops.registry.plugins.plugin_utils._bond_commands import cancel_command, look_command


def run(command: str) -> subprocess.CompletedProcess[str]:
    # Ansible adds a command to each.
    return subprocess.run(["/bin/sh", "-c", f"{command} && sleep 0"], capture_output=True, text=True, check=False)


@pytest.fixture
def places(tmp_path: pathlib.Path) -> list[pathlib.Path]:
    """The first can't be made, as on a read-only file system."""
    return [tmp_path / "missing" / "bond", tmp_path / "a 'b'" / "bond", tmp_path / "last" / "bond"]


@pytest.fixture
def names(places: list[pathlib.Path]) -> list[str]:
    for place in places[1:]:
        place.parent.mkdir()
    return [shlex.quote(str(place)) for place in places]


def begin(place: pathlib.Path) -> pathlib.Path:
    place.mkdir()
    (place / "lease").touch()
    os.utime(place / "lease", (1, 1))
    return place / "lease"


def test_a_look_renews_the_lease_and_reads_the_state(places: list[pathlib.Path], names: list[str]) -> None:
    lease = begin(places[1])
    (places[1] / "state").write_text("{}")
    done = run(look_command(names))
    assert (done.returncode, done.stdout, done.stderr) == (0, "{}", "")
    assert lease.stat().st_mtime > 1


def test_there_may_be_no_state(places: list[pathlib.Path], names: list[str]) -> None:
    lease = begin(places[2])
    done = run(look_command(names))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert lease.stat().st_mtime > 1


def test_a_module_that_has_not_begun_is_no_failure(names: list[str]) -> None:
    done = run(look_command(names))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_look_makes_no_lease(places: list[pathlib.Path], names: list[str]) -> None:
    begin(places[1]).unlink()
    assert run(look_command(names)).returncode == 0
    assert list(places[1].iterdir()) == []


def test_a_lease_that_can_not_be_renewed_is_a_failure(places: list[pathlib.Path], names: list[str]) -> None:
    places[1].mkdir()
    (places[1] / "lease").symlink_to("lease")
    done = run(look_command(names))
    assert done.returncode == 1 and "lease" in done.stderr


def test_a_cancelling_removes_the_directory_and_makes_no_other(places: list[pathlib.Path], names: list[str]) -> None:
    begin(places[2])
    done = run(cancel_command(names))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert not any(place.exists() for place in places)


def test_a_cancelling_that_comes_first_takes_every_place(places: list[pathlib.Path], names: list[str]) -> None:
    done = run(cancel_command(names))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert [place.exists() for place in places] == [False, True, True]
    assert stat.S_IMODE(places[1].stat().st_mode) == 0o700
