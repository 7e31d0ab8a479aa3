# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""A plan that was made before, by another task or at another time, and is to be carried out as it is.

It has been in the user's hands meanwhile, so its shapes are looked at like those of any other input.
"""

from __future__ import annotations

import base64
import binascii
import functools
import typing as t

from .._model._digest import check_digest, compute_digest
from .._model._errors import InvalidInput, RegistryError, printable
from .._model._manifest import MAXIMUM_BLOB_SIZE, Manifest
from .._model._reference import check_repository, check_tag
from .._model._shown import quoted
from ._items import FAILED, MISSING, PROMOTE, REFUSED, SKIP, STOPPING, UNCHANGED, Plain
from ._whole import parsed

HINT = "Give the result of image_diff_info as it was registered, with the same source, registry and images"
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


class GivenPlan(t.NamedTuple):
    """A plan as :func:`plan` returns it, and its manifests by digest."""

    planned: Plain
    manifests: dict[str, Manifest]


def given_plan(given: Plain) -> GivenPlan:
    """A plan from one that a user gives. Raises :class:`InvalidInput` where it is none.

    Texts are made fit for a screen, and what doesn't belong to a plan is left out.
    """
    planned = {name: _each(given.get(name), f"plan.{name}", read) for name, read in _READERS.items()}
    manifests = _each(planned["manifests"], "plan.manifests", parsed)
    return GivenPlan(planned, {manifest.digest: manifest for manifest in manifests})


Entry = t.TypeVar("Entry")


def _each(entries: t.Any, name: str, read: t.Callable[[t.Any], Entry]) -> list[Entry]:
    """All entries of a list, read. What is wrong with one of them is raised with its place."""
    if not isinstance(entries, list):
        raise InvalidInput(f"{name} is no list", hint=HINT)
    found = []
    for number, entry in enumerate(entries):
        try:
            found.append(read(entry))
        except RegistryError as error:
            raise InvalidInput(f"{name}[{number}]: {error.reason}", hint=error.hint or HINT) from error
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
        raise InvalidInput(f"{quoted(image['action'])} is no action of an image")
    if image["action"] not in STOPPING:
        digests = [image["digest"], image["source_digest"]]
        digests += [artifact[name] for artifact in image["artifacts"] for name in ("digest", "subject")]
        for digest in digests:
            check_digest(digest)
    for told in (image, *image["artifacts"], *image["missing"]):
        told["reason"] = printable(told["reason"])
    return image


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
    _decoded(manifest["content_base64"])
    return {**manifest, **_replaced(entry)}


def _tag(entry: t.Any) -> Plain:
    tag = _fields(entry, _TAG)
    check_repository(tag["repository"])
    check_tag(tag["tag"])
    algorithm = check_digest(tag["digest"]).partition(":")[0]
    if tag["previous_digest"]:
        check_digest(tag["previous_digest"])
    if "content_base64" in entry:
        found = compute_digest(_decoded(entry["content_base64"]), algorithm)
        if found != tag["digest"]:
            raise InvalidInput(f"its content has the digest {found}, not {tag['digest']}")
        tag["content_base64"] = entry["content_base64"]
    summary = entry.get("summary")
    if isinstance(summary, dict):
        # For a diff. What it is about isn't left to it.
        shown = {name: summary[name] for name, is_right in _SUMMARY.items() if is_right(summary.get(name))}
        tag["summary"] = {"digest": tag["digest"], **shown}
    return tag


def _is_text(value: t.Any) -> bool:
    return isinstance(value, str)


_SUMMARY: dict[str, t.Callable[[t.Any], bool]] = {
    "media_type": _is_text,
    "platforms": lambda value: isinstance(value, list) and all(map(_is_text, value)),
    "total_size": lambda value: isinstance(value, int),
    "labels": lambda value: isinstance(value, dict) and all(map(_is_text, [*value, *value.values()])),
}
"""What a diff shows of an image beside its digest."""


def _decoded(text: t.Any) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
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
