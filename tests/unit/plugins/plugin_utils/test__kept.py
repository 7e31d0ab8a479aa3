# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import contextlib
import json
import pathlib
import typing as t

import pytest
from ansible import constants
from ansible_collections.imageops.registry.plugins.plugin_utils import _kept
from ansible_collections.imageops.registry.plugins.plugin_utils._kept import KEPT, LIMIT, kept, whole
from ansible_collections.imageops.registry.tests.unit.support.hostile_server import answer
from ansible_collections.imageops.registry.tests.unit.support.module_runs import run_module
from ansible_collections.imageops.registry.tests.unit.support.registry_server import RegistryServer

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


@pytest.fixture
def ends() -> t.Iterator[tuple[RegistryServer, RegistryServer]]:
    """A source and a destination."""
    with contextlib.closing(RegistryServer()) as source, contextlib.closing(RegistryServer()) as destination:
        yield source, destination


def copied(ends: tuple[RegistryServer, RegistryServer], names: t.Sequence[str], **options: t.Any) -> Plain:
    """The result of image_copy for images that replace others, each in a repository of its own."""
    source, destination = ends
    for name in names:
        source.add_image(f"{name}:1", layer=b"new")
        destination.add_image(f"{name}:1", layer=f"old {name}".encode())
    images = [{"repository": name, "tag": "1", "tags": ["created", "1", "last"]} for name in names]
    given = {**destination.options, "source": {"registry": source.host, "plain_http": True}, "images": images}
    return run_module("image_copy", {**given, **options})


def assert_no_list_stays(result: Plain, grown: t.Iterable[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert all(len(result[name]) > 1 for name in grown), result
    monkeypatch.setattr(_kept, "LIMIT", 0)
    registered = kept(result)
    assert [name for name, value in registered.items() if isinstance(value, list)] == []
    assert whole(registered) == result


def test_everything_that_grows_with_the_number_of_images_is_kept(
    ends: tuple[RegistryServer, RegistryServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    result = copied(ends, ["a", "b", "c"], keep_replaced=True)
    assert_no_list_stays(result, ("images", "tags", "replaced_tags"), monkeypatch)


def test_tags_that_could_not_go_back_are_kept(
    ends: tuple[RegistryServer, RegistryServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    ends[1].on("PUT", "/v2/c/manifests/last", answer(403))
    ends[1].on("DELETE", ".*", answer(405))
    result = copied(ends, ["a", "b", "c"], jobs=1)
    assert_no_list_stays(result, ("images", "tags", "failures", "not_reverted"), monkeypatch)


@pytest.mark.parametrize("name", ["../secret", "/etc/passwd", "", "imageops-registry-../x", "imageops-registry-1\n"])
def test_a_name_leads_nowhere_else(name: str) -> None:
    with pytest.raises(ValueError, match="nothing is kept under the name"):
        whole({KEPT: name})


def test_a_file_that_is_gone_is_an_error() -> None:
    with pytest.raises(OSError, match="imageops-registry-1"):
        whole({KEPT: "imageops-registry-1"})
