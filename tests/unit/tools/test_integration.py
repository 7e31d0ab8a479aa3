# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""On which release, and in which stream, each integration target runs."""

from __future__ import annotations

import pathlib
import sys

import pytest

COLLECTION = pathlib.Path(__file__).resolve().parents[3]
sys.path.insert(0, str(COLLECTION / "tools"))

import integration  # noqa: E402
from common import Failed  # noqa: E402
from pythons import Environment  # noqa: E402

del sys.path[0]

OLDEST, NEWEST = (Environment(name, "", (3, 11), (3, 13)) for name in ("2.19", "2.22"))


@pytest.fixture(autouse=True)
def targets(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Five targets, of which one runs on both releases, and a helper that is none."""
    monkeypatch.setattr(integration, "COPY", tmp_path)
    for name in ("both", "first", "second", "third", "fourth", "setup"):
        directory = tmp_path / "tests" / "integration" / "targets" / name
        directory.mkdir(parents=True)
        (directory / "aliases").write_text("hidden\n" if name == "setup" else "azp/1\n")
    lines = ["first oldest", "second oldest, second stream", "third newest", "fourth newest, second stream"]
    (tmp_path / integration.ONE_RELEASE).write_text("\n".join(["# where", *lines]))


def streams(*named: str, cores: tuple[Environment, ...] = (OLDEST, NEWEST)) -> dict[str, list[str]]:
    return {stream.name: stream.targets for stream in integration.streams(cores, named)}


def test_each_release_has_two_streams() -> None:
    assert streams() == {
        "2.19": ["both", "first"],
        "2.22": ["both", "third"],
        "2.19-second": ["second"],
        "2.22-second": ["fourth"],
    }


def test_streams_without_targets_do_not_run() -> None:
    assert streams("second", "both") == {"2.19": ["both"], "2.22": ["both"], "2.19-second": ["second"]}


def test_with_one_release_every_target_runs_on_it_once() -> None:
    found = streams(cores=(NEWEST,))
    assert sorted(sum(found.values(), [])) == ["both", "first", "fourth", "second", "third"]
    assert set(found) == {"2.22", "2.22-second"}


def test_what_is_no_target_is_refused(tmp_path: pathlib.Path) -> None:
    with pytest.raises(Failed, match="There is no target fifth. There are: both first"):
        streams("fifth")
    (tmp_path / integration.ONE_RELEASE).write_text("first newest, third stream")
    with pytest.raises(Failed, match="a release is one of"):
        streams()
