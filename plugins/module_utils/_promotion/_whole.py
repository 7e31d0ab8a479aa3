# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What of a plan is still whole after something has failed."""

from __future__ import annotations

import base64
import typing as t

from .._model._manifest import Manifest
from ._items import PROMOTE, STOPPING, Plain


def parsed(entry: Plain) -> Manifest:
    """A manifest of a plan."""
    return Manifest.parse(base64.b64decode(entry["content_base64"]), entry["media_type"], entry["digest"])


def without_failed(
    planned: Plain,
    results: t.Sequence[Plain],
    compared_again: Plain,
    *,
    all_or_nothing: bool = False,
    parse: t.Callable[[Plain], Manifest] = parsed,
) -> Plain:
    """What of a plan is still whole: its ``manifests``, ``artifact_tags`` and ``tags``.

    ``results`` are those of the tasks so far; what they name in ``failures`` has failed, and with it each manifest that
    refers to it. What a second comparison refuses is left out as well. Nothing is left where a task has failed as a
    whole, or with ``all_or_nothing`` where anything has. An image whose artifacts failed isn't tagged. ``parse`` gives
    the manifest of an entry of the plan.
    """
    failed = {(entry.get("repository"), entry.get("digest")) for entry in failures_of(results)}
    refused = refused_again(compared_again)
    if broken([*results, compared_again]) or (all_or_nothing and (failed or refused)):
        return {"manifests": [], "artifact_tags": [], "tags": []}
    stopped = [image for image in planned["images"] if end_to_end(image) in refused]
    going_on = [image for image in planned["images"] if end_to_end(image) not in refused]
    # Two images may be one digest in one repository, under different tags.
    wanted = {(image["destination_repository"], image["digest"]) for image in going_on if image["action"] == PROMOTE}
    failed |= {(image["destination_repository"], image["digest"]) for image in stopped} - wanted
    stopped_tags = {(image["destination_repository"], tag["tag"]) for image in stopped for tag in image["tags"]}
    whole: list[Plain] = []
    for entry in planned["manifests"]:
        manifest = parse(entry)
        parts = [manifest.digest, *(descriptor.digest for descriptor in manifest.descriptors())]
        if manifest.subject is not None:
            parts.append(manifest.subject.digest)
        if any((entry["repository"], digest) in failed for digest in parts):
            failed.add((entry["repository"], manifest.digest))
        else:
            whole.append(entry)
    subjects = {
        (image["destination_repository"], artifact["tag"]): artifact["subject"]
        for image in planned["images"]
        for artifact in image["artifacts"]
        if artifact["tag"]
    }
    artifact_tags = [
        tag
        for tag in planned["artifact_tags"]
        if (tag["repository"], tag["digest"]) not in failed
        and (tag["repository"], subjects[tag["repository"], tag["tag"]]) not in failed
    ]
    failed |= {
        (image["destination_repository"], image["digest"])
        for image in planned["images"]
        if any((image["destination_repository"], artifact["digest"]) in failed for artifact in image["artifacts"])
    }
    tags = [
        tag
        for tag in planned["tags"]
        if (tag["repository"], tag["digest"]) not in failed and (tag["repository"], tag["tag"]) not in stopped_tags
    ]
    return {"manifests": whole, "artifact_tags": artifact_tags, "tags": tags}


def tree_of(
    digests: t.Sequence[str], repository: str, manifests: t.Mapping[tuple[str, str], Manifest]
) -> list[Manifest]:
    """The manifests with these digests, and those below them, as far as they are among the ``manifests`` of a plan."""
    found: dict[str, Manifest] = {}
    waiting = list(digests)
    while waiting:
        current = waiting.pop()
        manifest = manifests.get((repository, current))
        if manifest is not None and current not in found:
            found[current] = manifest
            waiting += [child.digest for child in manifest.children()]
    return list(found.values())


def end_to_end(image: Plain) -> tuple[str, str]:
    """What tells the images of a comparison apart: one at the source may go to several repositories."""
    return image["reference"], image["destination_repository"]


def refused_again(compared_again: Plain) -> dict[tuple[str, str], str]:
    """What a second comparison refuses, and why."""
    images = compared_again.get("images", [])
    return {end_to_end(image): str(image["reason"]) for image in images if image["action"] in STOPPING}


def broken(results: t.Iterable[Plain]) -> str:
    """Why a task has failed as a whole; empty where none has. Tasks that were skipped or succeeded say nothing."""
    for result in results:
        if result.get("msg") and "failures" not in result and result.get("skipped") is not True:
            return str(result["msg"])
    return ""


def failures_of(results: t.Iterable[Plain]) -> list[Plain]:
    """All single things that failed."""
    return [failure for result in results for failure in result.get("failures", [])]
