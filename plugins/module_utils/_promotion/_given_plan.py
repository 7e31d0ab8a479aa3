# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""A plan that was made before, by another task or at another time, and is to be carried out as it is.

It has been in the user's hands meanwhile. So it is looked at like any other input: that it has the shapes of
``_plan``, is about the images that are asked for, and breaks none of their conditions.
"""

from __future__ import annotations

import base64
import binascii
import functools
import typing as t

from .._actions import CREATE, EXISTS, REPLACE
from .._digest import check_digest
from .._end import End
from .._errors import InvalidInput
from .._manifest import MAXIMUM_BLOB_SIZE
from .._reference import check_repository, check_tag
from ._comparison import conflict_action
from ._items import FAILED, MISSING, PROMOTE, REFUSED, SKIP, STOPPING, UNCHANGED, ImageItem, Plain

_HINT = "Give the result of image_diff_info as it was registered, with the same source, registry and images"
_ACTIONS = (UNCHANGED, PROMOTE, SKIP, MISSING, REFUSED, FAILED)
_IMAGE: dict[str, type] = {
    **dict.fromkeys(("reference", "destination", "destination_repository", "digest", "source_digest"), str),
    **dict.fromkeys(("action", "reason"), str),
    **dict.fromkeys(("tags", "layers_left_out", "artifacts", "missing"), list),
    "artifacts_compared": bool,
}
_PARTS: dict[str, dict[str, type]] = {
    "tags": dict.fromkeys(("tag", "previous_digest", "action"), str),
    "layers_left_out": {**dict.fromkeys(("digest", "media_type"), str), "size": int},
    "artifacts": dict.fromkeys(("subject", "digest", "artifact_type", "tag", "action", "reason"), str),
    "missing": {
        **dict.fromkeys(("repository", "digest", "kind", "needed_by", "problem", "reason"), str),
        "size": int,
    },
}
_GROUP: dict[str, type] = {"repository": str, "source_repository": str, "mount_from": list, "blobs": list}
_MANIFEST: dict[str, type] = dict.fromkeys(
    ("repository", "source_repository", "digest", "media_type", "content_base64"), str
)
_TAG: dict[str, type] = dict.fromkeys(("repository", "tag", "digest", "previous_digest"), str)


def given_plan(given: Plain, items: t.Sequence[ImageItem], source: End, destination: End) -> Plain:
    """A plan as :func:`plan` returns it, from one that a user gives. Nothing is asked of a registry.

    Raises :class:`InvalidInput` where it is none, is not about ``items`` at these registries, or goes against what they
    say about digests and tags.
    """
    planned = {name: _each(given.get(name), f"plan.{name}", read) for name, read in _READERS.items()}
    images = planned["images"]
    if len(images) != len(items):
        raise InvalidInput(f"plan is about {len(images)} images, and images has {len(items)}", hint=_HINT)
    pairs = iter(items)
    _each(images, "plan.images", lambda image: _check_image(image, next(pairs), source, destination))
    _check_tags(planned)
    return planned


Entry = t.TypeVar("Entry")


def _each(entries: t.Any, name: str, read: t.Callable[[t.Any], Entry]) -> list[Entry]:
    """All entries of a list, read. What is wrong with one of them is raised with its place."""
    if not isinstance(entries, list):
        raise InvalidInput(f"{name} is no list", hint=_HINT)
    found = []
    for number, entry in enumerate(entries):
        try:
            found.append(read(entry))
        except InvalidInput as error:
            raise InvalidInput(f"{name}[{number}]: {error.reason}", hint=error.hint or _HINT) from error
    return found


def _fields(entry: t.Any, shape: t.Mapping[str, type]) -> Plain:
    """What belongs to an entry. Raises :class:`InvalidInput` where some of it isn't there, or is something else."""
    for name, kind in shape.items():
        value = entry.get(name) if isinstance(entry, dict) else None
        # To Python, true is a number as well.
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise InvalidInput(f"it has no {name}, or another one than image_diff_info returns")
    return {name: entry[name] for name in shape}


def _image(entry: t.Any) -> Plain:
    image = _fields(entry, _IMAGE)
    for name, shape in _PARTS.items():
        image[name] = _each(image[name], name, functools.partial(_fields, shape=shape))
    if image["action"] not in _ACTIONS:
        raise InvalidInput(f"{image['action']!r} is no action of an image")
    return image


def _check_image(image: Plain, item: ImageItem, source: End, destination: End) -> None:
    wanted = (item.at_source(source), f"{destination.name}/{item.target}")
    found = (image["reference"], image["destination"])
    if found != wanted or image["destination_repository"] != item.target:
        raise InvalidInput(f"it is about {' to '.join(found)}, and the task about {' to '.join(wanted)}")
    if image["action"] in STOPPING:
        return
    if tuple(tag["tag"] for tag in image["tags"]) != item.tags:
        raise InvalidInput(f"it has other tags than {', '.join(item.tags) or 'none'}")
    for option, expected in (("expected_digest", item.expected_digest), ("digest", item.digest)):
        if expected and image["source_digest"] != expected:
            raise InvalidInput(f"it promotes {image['source_digest']}, and {option} is {expected}")
    for tag in image["tags"]:
        _check_conditions(tag, item)


def _check_conditions(tag: Plain, item: ImageItem) -> None:
    """Raise :class:`InvalidInput` where the plan moves a tag that the options of the task don't let move."""
    name, previous, action = tag["tag"], tag["previous_digest"], tag["action"]
    expected = item.expected_destination_digest
    if action == EXISTS:
        return
    if expected is not None and previous != expected:
        raise InvalidInput(
            f"it found the tag {name} on {previous or 'nothing'}, and {expected or 'nothing'} is expected "
            "(expected_destination_digest)"
        )
    if action != SKIP and previous and conflict_action(item, name) != REPLACE:
        raise InvalidInput(f"it moves the tag {name}, which on_conflict or immutable_tags doesn't let move")


def _group(entry: t.Any) -> Plain:
    group = _fields(entry, _GROUP)
    for repository in (group["repository"], group["source_repository"], *group["mount_from"]):
        check_repository(repository)
    return {**group, "blobs": _each(group["blobs"], "blobs", _blob)}


def _blob(entry: t.Any) -> Plain:
    blob = _fields(entry, {"digest": str, "size": int})
    if not 0 <= blob["size"] <= MAXIMUM_BLOB_SIZE:
        raise InvalidInput(f"the size of {check_digest(blob['digest'])}, {blob['size']}, is negative or too large")
    return {**blob, "digest": check_digest(blob["digest"]), **_replaced(entry)}


def _manifest(entry: t.Any) -> Plain:
    manifest = _fields(entry, _MANIFEST)
    for repository in (manifest["repository"], manifest["source_repository"]):
        check_repository(repository)
    check_digest(manifest["digest"])
    _check_base64(manifest["content_base64"])
    return {**manifest, **_replaced(entry)}


def _tag(entry: t.Any) -> Plain:
    tag = _fields(entry, _TAG)
    check_repository(tag["repository"])
    check_tag(tag["tag"])
    for digest in filter(None, (tag["digest"], tag["previous_digest"])):
        check_digest(digest)
    if "content_base64" in entry:
        _check_base64(entry["content_base64"])
        tag["content_base64"] = entry["content_base64"]
    if isinstance(entry.get("summary"), dict):
        tag["summary"] = entry["summary"]
    return tag


def _check_base64(text: t.Any) -> None:
    try:
        base64.b64decode(text, validate=True)
    except (binascii.Error, TypeError, ValueError) as error:
        raise InvalidInput("content_base64 is no valid base64") from error


def _replaced(entry: Plain) -> Plain:
    return {"replace": True} if entry.get("replace") is True else {}


_READERS: dict[str, t.Callable[[t.Any], Plain]] = {
    "images": _image,
    "blobs": _group,
    "manifests": _manifest,
    "artifact_tags": _tag,
    "tags": _tag,
}


def _check_tags(planned: Plain) -> None:
    """Raise :class:`InvalidInput` where a tag is to be moved that no image, or none of its artifacts, has."""
    promoted = [image for image in planned["images"] if image["action"] == PROMOTE]
    known = {
        "tags": {
            (image["destination_repository"], tag["tag"], image["digest"])
            for image in promoted
            for tag in image["tags"]
            if tag["action"] in (CREATE, REPLACE)
        },
        "artifact_tags": {
            (image["destination_repository"], artifact["tag"], artifact["digest"])
            for image in promoted
            for artifact in image["artifacts"]
        },
    }
    for name, places in known.items():
        for number, tag in enumerate(planned[name]):
            if (tag["repository"], tag["tag"], tag["digest"]) not in places:
                raise InvalidInput(f"plan.{name}[{number}]: no image of the plan moves that tag", hint=_HINT)
