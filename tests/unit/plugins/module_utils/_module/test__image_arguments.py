# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.imageops.registry.plugins.module_utils._model._errors import InvalidInput
from ansible_collections.imageops.registry.plugins.module_utils._model._reference import Place
from ansible_collections.imageops.registry.plugins.module_utils._module._image_arguments import (
    IMAGE_OPTIONS,
    Ends,
    image_items,
    two_registries,
)

DIGEST = "sha256:" + "a" * 64


def params(*images: dict[str, t.Any], **given: t.Any) -> dict[str, t.Any]:
    nothing = dict.fromkeys(IMAGE_OPTIONS["images"]["options"])
    defaults = {name: option.get("default") for name, option in IMAGE_OPTIONS.items()}
    ends = {"registry": "prod.example", "source": {"registry": "dev.example:5000"}}
    entries = [{**nothing, "repository": "team/app", **image} for image in images]
    return {**defaults, **ends, "images": entries, **given}


def refused(*images: dict[str, t.Any], ends: Ends | None = None) -> str:
    given = params(*images)
    with pytest.raises(InvalidInput) as caught:
        image_items(given, ends or two_registries(given))
    return str(caught.value)


def items(*images: dict[str, t.Any]) -> list[t.Any]:
    given = params(*images)
    return image_items(given, two_registries(given))


@pytest.mark.parametrize(
    ("image", "tags"),
    [
        ({"tag": "1"}, ("1",)),
        ({"tag": "1", "tags": None}, ("1",)),
        ({"tag": "1", "tags": ["2", "2", 3]}, ("2", "3")),
        ({"tag": "1", "digest": DIGEST}, ("1",)),
        ({"digest": DIGEST}, ()),
        ({"digest": DIGEST, "tag": "", "tags": []}, ()),
        ({"digest": DIGEST, "tags": ["1"]}, ("1",)),
    ],
)
def test_tags_left_out_are_the_tag_of_the_source(image: dict[str, t.Any], tags: tuple[str, ...]) -> None:
    assert items(image)[0].tags == tags


@pytest.mark.parametrize("more", [{}, {"digest": DIGEST}])
def test_an_empty_list_of_tags_beside_a_tag_is_refused(more: dict[str, t.Any]) -> None:
    said = refused({"tag": "1"}, {"tag": "1.4.2", "tags": [], **more})
    assert said == (
        "images[1]: tags is empty beside the tag 1.4.2, so that the image would get no tag. Leave tags out to give it "
        "the tag 1.4.2, or name it by its digest alone to copy it without a tag."
    )


def test_an_image_that_is_given_twice_is_taken_once() -> None:
    once = items({"tag": "1"})
    same = {"tag": 1, "destination_repository": "team/app", "tags": ["1"], "on_conflict": "replace"}
    assert items({"tag": "1"}, same, {"tag": "1", "immutable_tags": [], "digest": ""}) == once
    said = refused({"tag": "1"}, {"tag": "1"}, {"tag": "2", "tags": ["1"]})
    assert said.startswith("images[0] and images[2] are both to be promoted to prod.example/team/app:1. ")


@pytest.mark.parametrize(
    ("image", "beginning", "advice"),
    [
        (
            {"repository": "dev.example:5000/team/app", "tag": "1"},
            "images[0]: malformed repository name 'dev.example:5000/team/app' at the source: it has the registry ",
            "Give repository: team/app; the registry at the source is dev.example:5000, and is given by "
            "source.registry.",
        ),
        (
            {"repository": "team/app:1"},
            "images[0]: malformed repository name 'team/app:1' at the source: it has the tag 1 in it. ",
            "Give repository: team/app, and put the tag into an option of its own.",
        ),
        (
            {"repository": f"team/app@{DIGEST}"},
            f"images[0]: malformed repository name 'team/app@{DIGEST}' at the source: it has the digest {DIGEST} in it",
            "put the digest into an option of its own.",
        ),
        (
            {"tag": "1", "destination_repository": "prod.example/team/app"},
            "images[0]: malformed repository name 'prod.example/team/app' at the destination: it has the registry ",
            "Give destination_repository: team/app; the registry at the destination is prod.example, and is given by "
            "registry.",
        ),
        (
            {"tag": "1", "mount_from": ["base", "r:1/base"]},
            "images[0]: malformed repository name 'r:1/base' at the destination: it has the registry r:1 in it. ",
            "Give mount_from: base; the registry at the destination is prod.example, and is given by registry.",
        ),
    ],
)
def test_what_is_in_a_repository_is_named_with_its_end(image: dict[str, t.Any], beginning: str, advice: str) -> None:
    said = refused(image)
    assert said.startswith(beginning) and said.endswith(advice)


@pytest.mark.parametrize("option", ["expected_digest", "expected_destination_digest"])
def test_a_digest_that_is_none_is_named_by_its_option(option: str) -> None:
    said = refused({"tag": "1", option: f"team/app@{DIGEST}"})
    assert said.startswith(f"images[0]: {option}: malformed digest 'team/app@sha256:")
    assert said.endswith("it has more than a digest in it, in front of the '@'.")


def test_a_mirror_may_keep_repositories_under_the_names_of_other_registries() -> None:
    (item,) = items({"tag": "1", "destination_repository": "dev.example/team/app"})
    assert item.destination_repository == "dev.example/team/app"


def test_a_layout_has_no_option_that_names_a_registry() -> None:
    ends = Ends(Place(), Place("destination_repository", registry_option="", end="destination"), "/layout")
    said = refused({"tag": "1", "destination_repository": "prod.example:1/app"}, ends=ends)
    assert said.endswith("it has the registry prod.example:1 in it. Give destination_repository: app.")
