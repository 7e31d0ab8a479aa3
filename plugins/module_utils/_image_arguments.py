# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The options of modules that compare or copy images. They pair with the doc fragment ``images``."""

from __future__ import annotations

import typing as t

from ._artifacts import ALL, NONE
from ._contents import BLOBS, MANIFESTS, TAG, Depth
from ._digest import check_digest
from ._errors import InvalidInput
from ._platform import check_platform
from ._promotion._items import ImageItem
from ._reference import check_repository, check_tag

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

VERIFICATION: Plain = {
    "verify": {"type": "str", "choices": [TAG, MANIFESTS, BLOBS], "default": TAG},
    "verify_content": {"type": "bool", "default": False},
    "repair": {"type": "bool", "default": False},
}
"""They pair with the doc fragment ``verification``."""


class Verification(t.NamedTuple):
    """How deep is looked whether the destination has what it should, and whether what is missing is pushed again."""

    depth: Depth = Depth()
    repair: bool = False


TAGS_ONLY = Verification()


def verification(params: Plain) -> Verification:
    """The same of a task. Raises :class:`InvalidInput` for what can't go together."""
    depth = depth_of(params["verify"], content=params["verify_content"])
    if params["repair"] and not depth.is_deep:
        raise InvalidInput(
            "repair mends what verify finds, and verify: tag looks for nothing",
            hint="Give verify: manifests or verify: blobs",
        )
    return Verification(depth, params["repair"])


def depth_of(level: str, *, content: bool) -> Depth:
    """How deep a task looks. Raises :class:`InvalidInput` for what can't go together."""
    if content and level != BLOBS:
        raise InvalidInput(f"verify_content goes with verify: blobs, not with verify: {level}")
    return Depth(level, content)


def image_items(params: Plain) -> list[ImageItem]:
    """The images of a task, all names checked. Raises :class:`InvalidInput`, with the place in the list."""
    items = []
    for position, entry in enumerate(params["images"]):
        try:
            items.append(_image_item({**entry, **{name: _chosen(name, entry, params) for name in _CHOICES}}))
        except InvalidInput as error:
            raise InvalidInput(f"images[{position}]: {error.reason}", hint=error.hint) from error
    return items


def _chosen(name: str, entry: Plain, defaults: Plain) -> t.Any:
    return defaults[name] if entry[name] is None else entry[name]


def _image_item(entry: Plain) -> ImageItem:
    expected = entry["expected_destination_digest"]
    tag = check_tag(entry["tag"]) if entry["tag"] not in (None, "") else ""
    if not tag and not entry["digest"]:
        raise InvalidInput("a tag or a digest is needed beside the repository")
    tags = entry["tags"] if entry["tags"] is not None else [tag] if tag else []
    platforms = tuple(dict.fromkeys(check_platform(name) for name in entry["platforms"]))
    if entry["flatten"] and len(platforms) != 1:
        raise InvalidInput(f"flatten takes one platform, and platforms has {len(platforms)}")
    return ImageItem(
        repository=check_repository(entry["repository"]),
        tag=tag,
        digest=check_digest(entry["digest"]) if entry["digest"] else "",
        destination_repository=check_repository(entry["destination_repository"] or entry["repository"]),
        tags=tuple(dict.fromkeys(check_tag(name) for name in tags)),
        mount_from=tuple(check_repository(name) for name in entry["mount_from"] or ()),
        on_conflict=entry["on_conflict"],
        immutable_tags=tuple(entry["immutable_tags"]),
        platforms=platforms,
        flatten=entry["flatten"],
        artifacts=_artifacts(entry["artifacts"]),
        expected_digest=check_digest(entry["expected_digest"]) if entry["expected_digest"] else "",
        expected_destination_digest=check_digest(expected) if expected else expected,
    )


def _artifacts(names: t.Sequence[str]) -> tuple[str, ...]:
    distinct = tuple(dict.fromkeys(names))
    if len(distinct) > 1 and (ALL in distinct or NONE in distinct):
        raise InvalidInput("artifacts is all, none, or a list of artifact types")
    for name in distinct:
        if name not in (ALL, NONE) and "/" not in name:
            raise InvalidInput(
                f"artifacts: {name!r} is neither all, none nor an artifact type, such as application/spdx+json"
            )
    return () if distinct == (NONE,) else distinct
