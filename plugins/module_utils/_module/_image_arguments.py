# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The options of modules that compare or copy images. They pair with the doc fragment ``_images``."""

from __future__ import annotations

import typing as t

from .._images._artifacts import ALL, NONE
from .._model._digest import check_digest
from .._model._errors import InvalidInput, at_entry
from .._model._platform import check_platform
from .._model._reference import Place, check_repository, check_tag
from .._model._shown import quoted
from .._promotion._items import ImageItem, distinct_images
from .._promotion._replaced import check_not_replaced

Plain = dict[str, t.Any]

_CONFLICTS = ["replace", "fail", "skip"]

_CHOICES: Plain = {
    "on_conflict": {"type": "str", "choices": _CONFLICTS},
    "immutable_tags": {"type": "list", "elements": "str"},
    "platforms": {"type": "list", "elements": "str"},
    "flatten": {"type": "bool"},
    "artifacts": {"type": "list", "elements": "str"},
}

IMAGE_OPTIONS: Plain = {
    "images": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": {
            "repository": {"type": "str", "required": True},
            "tag": {"type": "raw"},
            "digest": {"type": "str"},
            "destination_repository": {"type": "str"},
            "tags": {"type": "list", "elements": "raw"},
            "mount_from": {"type": "list", "elements": "str", "default": []},
            "expected_digest": {"type": "str"},
            "expected_destination_digest": {"type": "str"},
            **_CHOICES,
        },
    },
    "on_conflict": {"type": "str", "choices": _CONFLICTS, "default": "replace"},
    "immutable_tags": {"type": "list", "elements": "str", "default": []},
    "platforms": {"type": "list", "elements": "str", "default": []},
    "flatten": {"type": "bool", "default": False},
    "artifacts": {"type": "list", "elements": "str", "default": [ALL]},
    "compare_artifacts": {"type": "bool", "default": False},
}


class Ends(t.NamedTuple):
    """What the two ends of a task are called, for messages."""

    source: Place
    destination: Place
    destination_name: str
    """The registry, or the path of a layout."""


def two_registries(params: Plain) -> Ends:
    """The ends of a module with ``source``."""
    return Ends(
        Place("repository", params["source"]["registry"], "source.registry", "source"),
        Place("destination_repository", params["registry"], "registry", "destination"),
        params["registry"],
    )


def image_items(params: Plain, ends: Ends) -> list[ImageItem]:
    """The images of a task, each once, all names checked.

    Raises :class:`InvalidInput`, with the place in the list, also where two images want the same tag.
    """
    items = []
    for position, entry in enumerate(params["images"]):
        with at_entry("images", position):
            item = _image_item({**entry, **{name: _chosen(name, entry, params) for name in _CHOICES}}, ends)
            check_not_replaced(item)
            items.append(item._replace(keep_replaced=params.get("keep_replaced", False)))
    return distinct_images(items, ends.destination_name)


def _chosen(name: str, entry: Plain, defaults: Plain) -> t.Any:
    return defaults[name] if entry[name] is None else entry[name]


def _image_item(entry: Plain, ends: Ends) -> ImageItem:
    repository = check_repository(entry["repository"], ends.source)
    tag = check_tag(entry["tag"]) if entry["tag"] not in (None, "") else ""
    if not tag and not entry["digest"]:
        raise InvalidInput(
            "a tag or a digest is needed beside the repository", hint="Give one with the key tag or digest"
        )
    platforms = tuple(dict.fromkeys(check_platform(name) for name in entry["platforms"]))
    if entry["flatten"] and len(platforms) != 1:
        raise InvalidInput(f"flatten takes one platform, and platforms has {len(platforms)}")
    mount_from = ends.destination._replace(option="mount_from")
    expected = entry["expected_destination_digest"]
    return ImageItem(
        repository=repository,
        tag=tag,
        digest=check_digest(entry["digest"]) if entry["digest"] else "",
        destination_repository=check_repository(entry["destination_repository"] or repository, ends.destination),
        tags=_tags(entry["tags"], tag),
        mount_from=tuple(dict.fromkeys(check_repository(name, mount_from) for name in entry["mount_from"] or ())),
        on_conflict=entry["on_conflict"],
        immutable_tags=tuple(entry["immutable_tags"]),
        platforms=platforms,
        flatten=entry["flatten"],
        artifacts=_artifacts(entry["artifacts"]),
        expected_digest=check_digest(entry["expected_digest"], "expected_digest") if entry["expected_digest"] else "",
        expected_destination_digest=check_digest(expected, "expected_destination_digest") if expected else expected,
    )


def _tags(given: t.Sequence[t.Any] | None, tag: str) -> tuple[str, ...]:
    """The tags at the destination. An empty list, as a template may give it, isn't taken for 'no tag at all'."""
    if given is None:
        return (tag,) if tag else ()
    if not given and tag:
        raise InvalidInput(
            f"tags is empty beside the tag {tag}, so that the image would get no tag",
            hint=f"Leave tags out to give it the tag {tag}, or name it by its digest alone to copy it without a tag",
        )
    return tuple(dict.fromkeys(check_tag(name) for name in given))


def _artifacts(names: t.Sequence[str]) -> tuple[str, ...]:
    distinct = tuple(dict.fromkeys(names))
    if len(distinct) > 1 and (ALL in distinct or NONE in distinct):
        raise InvalidInput("artifacts is all, none, or a list of artifact types")
    for name in distinct:
        if name not in (ALL, NONE) and "/" not in name:
            raise InvalidInput(
                f"artifacts: {quoted(name)} is neither all, none nor an artifact type, such as application/spdx+json"
            )
    return () if distinct == (NONE,) else distinct
