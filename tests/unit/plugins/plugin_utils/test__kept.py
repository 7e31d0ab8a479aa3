# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import pathlib
import typing as t

import pytest
from ansible import constants
from ansible_collections.imageops.registry.plugins.plugin_utils._kept import KEPT, LIMIT, PARTS, kept, whole

Plain = dict[str, t.Any]
SMALL: Plain = {"changed": True, "images": [{"digest": "sha256:1"}], "transfer": {"requests": 1}}
LARGE: Plain = {**SMALL, "images": [{"digest": "x" * 100}] * 1000, "invocation": {"module_args": {}}, "msg": "why"}


@pytest.fixture(autouse=True)
def directory(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    monkeypatch.setattr(constants, "DEFAULT_LOCAL_TMP", str(tmp_path))
    return tmp_path


def test_a_small_result_is_registered_as_it_is(directory: pathlib.Path) -> None:
    assert kept(SMALL) is SMALL and whole(SMALL) == SMALL
    assert list(directory.iterdir()) == []


def test_a_large_result_is_kept_in_a_private_file_and_comes_back_whole(directory: pathlib.Path) -> None:
    registered = kept(LARGE)
    assert set(registered) == {"changed", "transfer", "msg", KEPT} and len(json.dumps(registered)) < LIMIT / 100
    (file,) = directory.iterdir()
    assert file.name == registered[KEPT] and file.stat().st_mode & 0o077 == 0
    # More than once: several tasks want it.
    assert whole(registered) == whole(registered) == LARGE


def test_everything_that_grows_with_the_number_of_images_is_kept() -> None:
    registered = kept({name: ["x" * 100] * 1000 for name in PARTS})
    assert set(registered) == {KEPT}


@pytest.mark.parametrize("name", ["../secret", "/etc/passwd", "", "imageops-registry-../x", "imageops-registry-1\n"])
def test_a_name_leads_nowhere_else(name: str) -> None:
    with pytest.raises(ValueError, match="nothing is kept under the name"):
        whole({KEPT: name})


def test_a_file_that_is_gone_is_an_error() -> None:
    with pytest.raises(OSError, match="imageops-registry-1"):
        whole({KEPT: "imageops-registry-1"})
