# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pathlib
import typing as t

import pytest
from ansible_collections.imageops.registry.plugins.module_utils._layout._layout import Layout
from ansible_collections.imageops.registry.plugins.module_utils._layout._opening import format_of, open_layout
from ansible_collections.imageops.registry.plugins.module_utils._model._digest import compute_digest
from ansible_collections.imageops.registry.plugins.module_utils._model._errors import InvalidInput, LocalFileError
from ansible_collections.imageops.registry.plugins.module_utils._model._manifest import Manifest
from ansible_collections.imageops.registry.plugins.module_utils._module._archive_arguments import (
    ARCHIVE_IMAGES,
    all_images,
    names_to_read,
    names_to_write,
)
from ansible_collections.imageops.registry.plugins.module_utils._run._counters import Counters
from ansible_collections.imageops.registry.tests.unit.support.documents import CONFIG, LAYER, encoded, image

DIGEST = compute_digest(LAYER)
IMAGE = Manifest.parse(encoded(image()))


def params(*images: dict[str, t.Any]) -> dict[str, t.Any]:
    nothing = dict.fromkeys(ARCHIVE_IMAGES["options"])
    return {"images": [{**nothing, "repository": "team/app", **given} for given in images]}


@pytest.mark.parametrize(
    "given, names",
    [
        ({"tag": "1"}, {("team/app", "1"): "team/app:1"}),
        ({"tag": 1}, {("team/app", "1"): "team/app:1"}),
        ({"tag": "1", "destination_repository": "prod/app"}, {("prod/app", "1"): "prod/app:1"}),
        ({"tag": "1", "tags": ["1", "2"]}, {("team/app", "1"): "team/app:1", ("team/app", "2"): "team/app:2"}),
        ({"tags": [], "digest": DIGEST}, {("team/app", DIGEST): f"team/app@{DIGEST}"}),
        ({"digest": DIGEST}, {("team/app", DIGEST): f"team/app@{DIGEST}"}),
        ({"tag": "1", "name": "one"}, {("team/app", "1"): "one"}),
        ({"digest": DIGEST, "name": "one"}, {("team/app", DIGEST): "one"}),
    ],
)
def test_names_to_write(given: dict[str, t.Any], names: dict[tuple[str, str], str]) -> None:
    assert names_to_write(params(given)) == names


def test_one_name_for_two_images() -> None:
    with pytest.raises(InvalidInput, match=r"images\[0\] and images\[1\] would both be called team/app:2"):
        names_to_write(params({"tag": "1", "name": "team/app:2"}, {"tag": "2"}))
    same = {"tag": "1", "name": "one"}
    assert names_to_write(params(same, same)) == {("team/app", "1"): "one"}


@pytest.mark.parametrize("name", ["", "../x", "a b", "x/", ":1", "-", "a" * 600, "a\n"])
def test_malformed_names(name: str) -> None:
    with pytest.raises(InvalidInput, match=r"images\[0\]: malformed name"):
        names_to_write(params({"tag": "1", "name": name}))


def test_a_name_is_of_one_image() -> None:
    with pytest.raises(InvalidInput, match="takes an image with one tag, and this has 2"):
        names_to_write(params({"tag": "1", "tags": ["1", "2"], "name": "one"}))


def test_names_to_read() -> None:
    assert names_to_read({"images": None}) == {}
    given = params({"tag": "1"}, {"tag": "2", "name": "two"}, {"tag": "3", "name": ""})
    assert names_to_read(given) == {("team/app", "2"): "two", ("team/app", "3"): ""}
    with pytest.raises(InvalidInput, match="name goes with a tag, not with a digest"):
        names_to_read(params({"tag": "1", "digest": DIGEST, "name": "one"}))
    with pytest.raises(InvalidInput, match="team/app:1 has another name before"):
        names_to_read(params({"tag": "1", "name": "one"}, {"tag": "1", "name": "two"}))


def written(path: pathlib.Path, names: dict[tuple[str, str], str], *references: tuple[str, str]) -> Layout:
    """A layout with one image under names, opened to be read."""
    layout = open_layout(str(path), "directory", Counters(), writing=True, jobs=1, names=names)
    for blob in (CONFIG, LAYER):
        layout.put_upload(layout.start_upload(""), compute_digest(blob), blob)
    for repository, reference in references:
        layout.put_manifest(repository, reference, IMAGE)
        if reference == IMAGE.digest:
            layout.keep(repository, reference)
    layout.commit()
    layout.close()
    return open_layout(str(path), "directory", Counters(), writing=False, jobs=1, names={})


def test_all_images(tmp_path: pathlib.Path) -> None:
    places = [("team/app", "1"), ("team/app", "2"), ("team/api", "1"), ("team/api", IMAGE.digest)]
    layout = written(tmp_path / "layout", {}, *places)
    found = [(entry["repository"], entry["digest"], entry["tags"]) for entry in all_images(layout, "")]
    assert sorted(found) == [("team/api", IMAGE.digest, ["1"]), ("team/app", IMAGE.digest, ["1", "2"])]
    assert all(set(entry) == set(ARCHIVE_IMAGES["options"]) for entry in all_images(layout, ""))
    layout.close()


def test_names_without_a_repository(tmp_path: pathlib.Path) -> None:
    layout = written(tmp_path / "layout", {("team/app", "1"): "1.0"}, ("team/app", "1"))
    with pytest.raises(InvalidInput, match=r"names in .* say no repository: 1\.0\. Give default_repository"):
        all_images(layout, "")
    (found,) = all_images(layout, "team/api")
    assert (found["repository"], found["digest"], found["tags"]) == ("team/api", IMAGE.digest, ["1.0"])
    layout.close()


def test_format_of(tmp_path: pathlib.Path) -> None:
    assert format_of(str(tmp_path / "new")) == "directory"
    assert format_of(str(tmp_path / "new.tar")) == "archive"
    (tmp_path / "directory.tar").mkdir()
    (tmp_path / "file").touch()
    assert format_of(str(tmp_path / "directory.tar")) == "directory"
    assert format_of(str(tmp_path / "file")) == "archive"


def test_a_path_where_nothing_is(tmp_path: pathlib.Path) -> None:
    with pytest.raises(LocalFileError, match=f"Cannot read the image layout {tmp_path}/no: it is not there"):
        open_layout(str(tmp_path / "no"), "directory", Counters(), writing=False, jobs=1, names={})
    with pytest.raises(LocalFileError, match="starts at the working directory"):
        open_layout("no/such/layout", "directory", Counters(), writing=False, jobs=1, names={})


@pytest.mark.parametrize("form", ["directory", "archive"])
def test_a_path_of_the_other_format(tmp_path: pathlib.Path, form: str) -> None:
    path = tmp_path / "layout"
    path.mkdir() if form == "archive" else path.touch()
    with pytest.raises(LocalFileError, match=r"is not a regular file|Not a directory"):
        open_layout(str(path), form, Counters(), writing=True, jobs=1, names={})
