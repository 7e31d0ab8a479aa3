# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pathlib

import pytest
from ansible_collections.imageops.registry.plugins.module_utils._http import _certificate_directories
from ansible_collections.imageops.registry.plugins.module_utils._http._certificate_directories import (
    find_certificate_directory,
)
from ansible_collections.imageops.registry.plugins.module_utils._model._errors import LocalFileError


@pytest.fixture
def places(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> list[pathlib.Path]:
    """The three directories, the user's own one first."""
    monkeypatch.setenv("HOME", str(tmp_path))
    systems = [tmp_path / "containers", tmp_path / "docker"]
    monkeypatch.setattr(_certificate_directories, "SYSTEM_DIRECTORIES", tuple(map(str, systems)))
    return [tmp_path / ".config/containers/certs.d", *systems]


def fill(directory: pathlib.Path, *names: str) -> str:
    directory.mkdir(parents=True)
    for name in names:
        (directory / name).touch()
    return str(directory)


def test_where_there_is_no_directory_nothing_is_found(places: list[pathlib.Path]) -> None:
    fill(places[2] / "r", "ca.crt")
    fill(places[1])
    assert find_certificate_directory("r:5000") is None


@pytest.mark.parametrize("first", [0, 1, 2])
def test_the_first_directory_that_is_there_counts(places: list[pathlib.Path], first: int) -> None:
    paths = [fill(place / "r:5000", f"{number}.crt") for number, place in enumerate(places) if number >= first]
    found = find_certificate_directory("r:5000")
    assert found == (paths[0], (f"{paths[0]}/{first}.crt",), ())


def test_files_are_told_by_their_endings_in_alphabetical_order(places: list[pathlib.Path]) -> None:
    path = fill(places[0] / "r", "b.crt", "a.crt", "z.key", "z.cert", "y.cert", "y.key", "README", "c.pem", ".crt~")
    found = find_certificate_directory("r")
    assert found is not None
    assert found.authorities == (f"{path}/a.crt", f"{path}/b.crt")
    assert found.pairs == ((f"{path}/y.cert", f"{path}/y.key"), (f"{path}/z.cert", f"{path}/z.key"))


@pytest.mark.parametrize(("there", "lacks"), [("client.cert", "client.key"), ("client.key", "client.cert")])
def test_half_a_pair_is_an_error(places: list[pathlib.Path], there: str, lacks: str) -> None:
    path = fill(places[2] / "r", there, "other.cert", "other.key")
    with pytest.raises(LocalFileError, match=f"{path} has {there} without {lacks}"):
        find_certificate_directory("r")


def test_a_directory_that_cannot_be_listed_is_an_error(
    places: list[pathlib.Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = fill(places[2] / "r")

    def refuse(path: str) -> list[str]:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(_certificate_directories.os, "listdir", refuse)
    with pytest.raises(LocalFileError, match=f"{path} cannot be read: Permission denied"):
        find_certificate_directory("r")
