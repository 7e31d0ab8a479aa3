# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What a promotion did, per image."""

from __future__ import annotations

import typing as t

from .._model._actions import COPY, CREATE, MOUNT, MOUNT_OR_UPLOAD, REPLACE, UPLOAD
from .._model._manifest import Manifest, blobs_of
from ._items import FAILED, PROMOTE, Plain
from ._whole import broken, end_to_end, failures_of, parsed, refused_again, tree_of

NOT_TAGGED, NOT_MOVED, NOT_PUSHED = "was not tagged", "was not moved", "was not pushed"
"""How the reason ends where an image was held up by others."""


def summarise(
    planned: Plain, results: t.Mapping[str, Plain], *, parse: t.Callable[[Plain], Manifest] = parsed
) -> Plain:
    """What a promotion did: ``changed``, one entry per image in ``images``, and the sum of ``transfer``.

    ``planned`` is the comparison; ``results`` holds the results of the tasks that carried it out, by the names
    ``blobs``, ``manifests``, ``compared_again``, ``artifact_tags`` and ``tags``. A blob that several images need counts
    for the first of them; blobs of its artifacts count for the image. ``parse`` gives the manifest of an entry of the
    plan. The result of ``image_copy`` that followed the plan, as ``copied``, says all that by itself. Where the
    comparison failed as a whole, or there was none, nothing was done.
    """
    if "images" not in planned and ("failed" in planned or not planned):
        return {"changed": False, "images": [], "transfer": {}}
    copied = results.get("copied", {})
    if "images" in copied:
        transfer = _sum_of_transfers([planned, copied])
        return {"changed": copied.get("changed") is True, "images": copied["images"], "transfer": transfer}
    done = _Done(planned, results, parse)
    return {
        "changed": any(result.get("changed") is True for result in results.values()),
        "images": [done.image(image) for image in planned["images"]],
        "transfer": _sum_of_transfers([planned, *results.values()]),
    }


def _sum_of_transfers(results: t.Iterable[Plain]) -> dict[str, int]:
    total: dict[str, int] = {}
    for result in results:
        for name, amount in result.get("transfer", {}).items():
            # Ansible-core before 2.22 may have replaced a number in which a short secret occurs.
            total[name] = total.get(name, 0) + (amount if isinstance(amount, int) else 0)
    return total


class _Done:
    """What the tasks of a promotion did, by the things that they did it to."""

    _NAMES: t.ClassVar[dict[str, str]] = {UPLOAD: "uploaded", MOUNT_OR_UPLOAD: "uploaded", MOUNT: "mounted"}

    def __init__(self, planned: Plain, results: t.Mapping[str, Plain], parse: t.Callable[[Plain], Manifest]) -> None:
        self._manifests = {(entry["repository"], entry["digest"]): parse(entry) for entry in planned["manifests"]}
        self._blobs = {
            (group["repository"], blob["digest"]): blob["action"]
            for group in results.get("blobs", {}).get("blobs", [])
            for blob in group["blobs"]
        }
        self._pushed = {
            (manifest["repository"], manifest["digest"])
            for manifest in results.get("manifests", {}).get("manifests", [])
        }
        self._moved = {
            (tag["repository"], tag["tag"])
            for name in ("artifact_tags", "tags")
            for tag in results.get(name, {}).get("tags", [])
        }
        self._refused = refused_again(results.get("compared_again", {}))
        self._failures = failures_of(results.values())
        self._broken = broken(results.values())
        self._counted: set[tuple[str, str]] = set()

    def image(self, image: Plain) -> Plain:
        """What became of one image of the plan."""
        repository = image["destination_repository"]
        artifacts = [artifact["digest"] for artifact in image["artifacts"] if artifact["action"] in (COPY, REPLACE)]
        tree = tree_of([image["digest"], *artifacts], repository, self._manifests)
        reason = image["reason"] or (self._why_not_promoted(image, tree) if image["action"] == PROMOTE else "")
        return {
            "reference": image["reference"],
            "destination": image["destination"],
            "digest": image["digest"],
            "source_digest": image["source_digest"],
            "action": FAILED if image["action"] == PROMOTE and reason else image["action"],
            "reason": reason,
            "tags": image["tags"],
            "layers_left_out": image["layers_left_out"],
            "artifacts": image["artifacts"],
            "artifacts_compared": image["artifacts_compared"],
            "missing": image["missing"],
            **self._sums(repository, tree),
        }

    def _sums(self, repository: str, tree: t.Sequence[Manifest]) -> dict[str, int]:
        ways = ("uploaded", "mounted", "skipped")
        sums = {f"{unit}_{way}": 0 for unit in ("blobs", "bytes") for way in ways}
        for blob in blobs_of(tree):
            place = (repository, blob.digest)
            if place not in self._blobs:
                # It was never dealt with: something failed before.
                continue
            way = "skipped" if place in self._counted else self._NAMES.get(self._blobs[place], "skipped")
            self._counted.add(place)
            sums[f"blobs_{way}"] += 1
            sums[f"bytes_{way}"] += blob.size
        return sums

    def _why_not_promoted(self, image: Plain, tree: t.Sequence[Manifest]) -> str:
        repository = image["destination_repository"]
        parts = {image["digest"], *(part.digest for part in tree), *(blob.digest for blob in blobs_of(tree))}
        wanted = {entry["tag"] for entry in image["tags"] if entry["action"] in (CREATE, REPLACE)}
        artifacts = {
            entry["tag"] for entry in image["artifacts"] if entry["tag"] and entry["action"] in (COPY, REPLACE)
        }
        if end_to_end(image) in self._refused:
            return self._refused[end_to_end(image)]
        for entry in self._failures:
            if entry.get("repository") == repository and (
                entry.get("tag") in wanted | artifacts or ("tag" not in entry and entry.get("digest") in parts)
            ):
                return str(entry.get("msg", ""))
        if self._broken:
            return self._broken
        for tag in sorted(artifacts - wanted):
            if (repository, tag) not in self._moved:
                return f"{image['destination']}:{tag} {NOT_TAGGED}"
        for tag in sorted(wanted):
            if (repository, tag) not in self._moved:
                return f"{image['destination']}:{tag} {NOT_MOVED}"
        for manifest in tree:
            if (repository, manifest.digest) not in self._pushed:
                return f"{image['destination']}@{manifest.digest} {NOT_PUSHED}"
        return ""
