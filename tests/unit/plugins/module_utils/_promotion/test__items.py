# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.imageops.registry.plugins.module_utils._model._errors import InvalidInput
from ansible_collections.imageops.registry.plugins.module_utils._promotion._items import counts, distinct_images
from ansible_collections.imageops.registry.tests.unit.support.promotions import (
    BY_TAG,
    IMAGE_DIGEST,
    OTHER_DIGEST,
    image_item,
)


def test_two_images_for_one_tag_are_refused() -> None:
    items = [BY_TAG, image_item("other", tag="1", destination_repository="team/app", tags=("x", "stable"))]
    with pytest.raises(
        InvalidInput, match=r"images\[0\] and images\[1\] are both .* to prod.example/team/app:stable\."
    ):
        distinct_images(items, "prod.example")
    others = [BY_TAG._replace(destination_repository="elsewhere"), BY_TAG._replace(tags=("other",))]
    assert distinct_images([BY_TAG, *others], "prod.example") == [BY_TAG, *others]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"digest": OTHER_DIGEST}, "images[0] and images[2] are both to be promoted to prod.example/team/app:"),
        ({"on_conflict": "fail"}, "images[0] and images[2] promote the same image to prod.example/team/app:"),
        ({"platforms": ("linux/amd64",), "flatten": True}, "and differ in platforms, flatten. Keep one of them."),
    ],
)
def test_an_image_that_is_wanted_in_two_ways_is_refused(change: dict[str, t.Any], sentence: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        distinct_images([BY_TAG, BY_TAG, BY_TAG._replace(**change)], "prod.example")
    assert sentence in str(caught.value)


def test_an_image_that_is_given_twice_is_taken_once() -> None:
    assert BY_TAG.tags == ("1", "stable")
    more = BY_TAG._replace(tags=("stable", "new"))
    assert distinct_images([BY_TAG, BY_TAG, more, BY_TAG._replace(tags=("1",))], "prod.example") == [
        BY_TAG,
        BY_TAG._replace(tags=("new",)),
    ]
    content = image_item("team/app", digest=IMAGE_DIGEST)
    assert distinct_images([content, content, content._replace(tags=("1",))], "prod.example") == [
        content,
        content._replace(tags=("1",)),
    ]


def test_an_immutable_tag_that_is_no_pattern_is_named() -> None:
    with pytest.raises(InvalidInput, match=r"immutable_tags: '\(' is not a regular expression"):
        distinct_images([BY_TAG._replace(immutable_tags=("a", "("))], "prod.example")


def test_images_are_counted_by_their_action() -> None:
    found = counts(["promote", "missing", "promote"])
    assert found == {"unchanged": 0, "promote": 2, "skip": 0, "missing": 1, "refused": 0, "failed": 0}
