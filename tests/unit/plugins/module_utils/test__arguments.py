# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest

pytest.importorskip("ansible", reason="_arguments is the border to Ansible")

from ansible_collections.imageops.registry.plugins.module_utils._arguments import deliverable, image_names
from ansible_collections.imageops.registry.plugins.module_utils._errors import InvalidInput
from ansible_collections.imageops.registry.plugins.module_utils._inspection import ImageName

DIGEST = "sha256:" + "a" * 64


def test_what_a_registry_chooses_reaches_the_play() -> None:
    chosen = {
        "__ansible_type": "_AnsibleTaggedStr",
        "labels": [{"__ansible_unsafe": "caf\u00e9"}, ("\ud800x",)],
        "\ud800": float("nan"),
        "size": 2**70,
        "ratio": 1.5,
        "none": None,
        "true": True,
    }
    assert deliverable(chosen) == {
        "___ansible_type": "_AnsibleTaggedStr",
        "labels": [{"___ansible_unsafe": "caf\u00e9"}, ["?x"]],
        "?": None,
        "size": 2**70,
        "ratio": 1.5,
        "none": None,
        "true": True,
    }


def test_what_is_nested_too_deep_is_refused() -> None:
    nested: list[t.Any] = []
    for _level in range(90):
        nested = [nested]
    assert deliverable(nested) == nested
    for _level in range(20):
        nested = [nested]
    with pytest.raises(RecursionError):
        deliverable(nested)


def params(**given: t.Any) -> dict[str, t.Any]:
    return {"repository": None, "tag": None, "digest": None, "images": None, **given}


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
    with pytest.raises(InvalidInput, match=r"^a tag or a digest is needed beside the repository\.$"):
        image_names(params(repository="a"))
