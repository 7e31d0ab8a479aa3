# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.imageops.registry.plugins.module_utils._images._listing import ImageName
from ansible_collections.imageops.registry.plugins.module_utils._model._errors import (
    AccessDenied,
    InvalidInput,
    NotFound,
)
from ansible_collections.imageops.registry.plugins.module_utils._module._image_names import image_names, images_found

DIGEST = "sha256:" + "a" * 64


def params(**given: t.Any) -> dict[str, t.Any]:
    return {"registry": "r.example", "repository": None, "tag": None, "digest": None, "images": None, **given}


def test_images_are_given_one_by_one_or_as_a_list() -> None:
    name = ImageName("a/b", "1.0", "")
    assert image_names(params(repository="a/b", tag="1.0")) == [name]
    listed = [{"repository": "a/b", "tag": "1.0", "digest": None}, {"repository": "c", "tag": "", "digest": DIGEST}]
    assert image_names(params(images=listed)) == [name, ImageName("c", "", DIGEST)]
    assert image_names(params(images=[])) == []
    assert ImageName("a", "1.0", DIGEST).reference == DIGEST


def test_a_malformed_image_is_named_by_its_place() -> None:
    good = {"repository": "a", "tag": "1", "digest": None}
    with pytest.raises(InvalidInput, match=r"^images\[1\]: malformed tag 'a b'"):
        image_names(params(images=[good, dict(good, tag="a b")]))
    with pytest.raises(
        InvalidInput,
        match=r"^a: a tag or a digest is needed beside the repository\. Give one with the key tag or digest\.$",
    ):
        image_names(params(repository="a"))
    with pytest.raises(InvalidInput, match=r"^images\[1\]: b: a tag or a digest is needed"):
        image_names(params(images=[good, {"repository": "b", "tag": "", "digest": None}]))


def test_an_image_that_is_given_twice_is_looked_at_once() -> None:
    entry = {"repository": "a", "tag": "1", "digest": None}
    names = image_names(params(images=[entry, dict(entry, tag=1, digest=""), dict(entry, tag="2")]))
    assert names == [ImageName("a", "1", ""), ImageName("a", "2", "")]


def test_a_registry_in_a_repository_is_named_with_its_place() -> None:
    with pytest.raises(
        InvalidInput, match=r"^images\[0\]: .*'r.example/a': it has the registry r.example in it. Give repo"
    ):
        image_names(params(images=[{"repository": "r.example/a", "tag": "1", "digest": None}]))


@pytest.mark.parametrize("repository", [None, "a"])
def test_whether_all_images_exist_is_not_returned_where_one_could_not_be_looked_for(repository: str | None) -> None:
    names = [ImageName("a", "1", ""), ImageName("a", "2", "")]
    there, gone = {"exists": True}, {"exists": False}
    params = {"repository": repository}
    assert images_found(params, names, [there, there])["exists"] is True
    assert images_found(params, names, [there, gone])["exists"] is False
    assert "exists" not in images_found(params, names[:1], [NotFound("no")])
    found = images_found({"repository": None}, names, [there, AccessDenied("no")])
    assert "exists" not in found
    assert [image["exists"] for image in found["images"]] == [True]
