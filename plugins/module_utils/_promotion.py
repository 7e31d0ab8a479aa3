# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Promotion: making a destination repository serve the same digest as a source repository under given tags.

Compares and plans; what a plan leads to is done by the layers below. Plans are plain values, in the shapes in which
they are handed from task to task.
"""

from __future__ import annotations

import base64
import re
import typing as t

from ._errors import InvalidInput, NotFound, RegistryError
from ._inspection import blobs_of, describe, read_tree
from ._manifest import Descriptor, Manifest
from ._parallel import run_all
from ._registry import Registry
from ._tagging import CREATE, REPLACE
from ._transfer import EXISTS, MOUNT, MOUNT_OR_UPLOAD, UPLOAD

UNCHANGED = "unchanged"
PROMOTE = "promote"
SKIP = "skip"
MISSING = "missing"
REFUSED = "refused"
FAILED = "failed"
STOPPING = (MISSING, REFUSED, FAILED)
"""What keeps an image from being promoted."""

Plain = dict[str, t.Any]


class ImageItem(t.NamedTuple):
    """One image to be promoted, and under which conditions."""

    repository: str
    tag: str = ""
    digest: str = ""
    destination_repository: str = ""
    tags: tuple[str, ...] = ()
    mount_from: tuple[str, ...] = ()
    on_conflict: str = "replace"
    immutable_tags: tuple[str, ...] = ()
    expected_digest: str = ""
    expected_destination_digest: str | None = None
    """The digest on which every tag must still stand; empty where there must be no tag, None where any will do."""

    @property
    def target(self) -> str:
        """The repository at the destination."""
        return self.destination_repository or self.repository

    @property
    def reference(self) -> str:
        """What is asked for at the source: the digest where there is one."""
        return self.digest or self.tag

    def at_source(self, registry: Registry) -> str:
        """The reference at the source, as people write it."""
        return f"{registry.name}/{self.repository}{'@' if self.digest else ':'}{self.reference}"


class TagComparison(t.NamedTuple):
    """A tag at the destination: where it stands (empty: nowhere), and what is to be done about it."""

    tag: str
    previous_digest: str
    action: str


class Comparison(t.NamedTuple):
    """One image compared: the digest at the source, and what stands at the destination."""

    item: ImageItem
    action: str
    source: Descriptor | None = None
    tags: tuple[TagComparison, ...] = ()
    tree: tuple[Manifest, ...] = ()
    """What has to be pushed, children first; empty where the destination has the digest already."""
    reason: str = ""


def check_images(items: t.Sequence[ImageItem]) -> None:
    """Raise :class:`InvalidInput` where two items want the same tag at the destination, or a pattern is none."""
    seen: set[tuple[str, str]] = set()
    for item in items:
        for tag in item.tags:
            if (item.target, tag) in seen:
                raise InvalidInput(f"two images are to be promoted to {item.target}:{tag}")
            seen.add((item.target, tag))
        for pattern in item.immutable_tags:
            try:
                re.compile(pattern)
            except re.error as error:
                raise InvalidInput(f"immutable_tags: {pattern!r} is no regular expression: {error}") from error


def compare_images(source: Registry, destination: Registry, items: t.Sequence[ImageItem]) -> list[Comparison]:
    """Compare images by digest and read what the plan needs; results in the items' order.

    An image that isn't there, or can't be read, is a result and no error. Where nothing is to be done, that costs one
    HEAD at the source (none for an image given by digest) and one per tag at the destination.
    """
    check_images(items)
    outcomes = run_all(lambda item: _compare(source, destination, item), items, max(source.jobs, destination.jobs))
    return [
        Comparison(item, FAILED, reason=str(outcome)) if isinstance(outcome, RegistryError) else outcome
        for item, outcome in zip(items, outcomes)
    ]


def _compare(source: Registry, destination: Registry, item: ImageItem) -> Comparison:
    found = Descriptor("", item.digest, 0) if item.digest else source.head_manifest(item.repository, item.tag)
    if found is None:
        return _missing(source, item)
    if item.expected_digest and found.digest != item.expected_digest:
        return Comparison(
            item,
            REFUSED,
            found,
            reason=f"{item.at_source(source)} is {found.digest}, and {item.expected_digest} was expected",
        )
    tags = tuple(_compare_tag(destination, item, tag, found.digest) for tag in item.tags)
    refused = [tag for tag in tags if tag.action == REFUSED]
    if refused:
        return Comparison(item, REFUSED, found, tags, reason=_why_refused(destination, item, refused[0]))
    moving = [tag for tag in tags if tag.action in (CREATE, REPLACE)]
    if tags and not moving:
        action = SKIP if any(tag.action == SKIP for tag in tags) else UNCHANGED
        return Comparison(item, action, found, tags)
    has_it = any(tag.action == EXISTS for tag in tags)
    if has_it or destination.head_manifest(item.target, found.digest) is not None:
        return Comparison(item, PROMOTE if moving else UNCHANGED, found, tags)
    try:
        tree = tuple(read_tree(source, item.repository, found.digest))
    except NotFound as error:
        return _missing(source, item) if item.digest else Comparison(item, FAILED, found, tags, reason=str(error))
    return Comparison(item, PROMOTE, tree[-1].descriptor, tags, tree)


def _missing(source: Registry, item: ImageItem) -> Comparison:
    return Comparison(item, MISSING, reason=f"{item.at_source(source)} isn't there")


def _compare_tag(destination: Registry, item: ImageItem, tag: str, digest: str) -> TagComparison:
    standing = destination.head_manifest(item.target, tag)
    previous = "" if standing is None else standing.digest
    if previous == digest:
        return TagComparison(tag, previous, EXISTS)
    expected = item.expected_destination_digest
    if expected is not None and previous != expected:
        return TagComparison(tag, previous, REFUSED)
    if not previous:
        return TagComparison(tag, previous, CREATE)
    if any(re.fullmatch(pattern, tag) for pattern in item.immutable_tags) or item.on_conflict == "fail":
        return TagComparison(tag, previous, REFUSED)
    return TagComparison(tag, previous, SKIP if item.on_conflict == "skip" else REPLACE)


def _why_refused(destination: Registry, item: ImageItem, tag: TagComparison) -> str:
    stands = f"{destination.name}/{item.target}:{tag.tag} stands on {tag.previous_digest or 'nothing'}"
    expected = item.expected_destination_digest
    if expected is not None and tag.previous_digest != expected:
        return f"{stands}, and {expected or 'nothing'} was expected"
    if any(re.fullmatch(pattern, tag.tag) for pattern in item.immutable_tags):
        return f"{stands} and is immutable (immutable_tags)"
    return f"{stands} (on_conflict: fail)"


Summaries = dict[tuple[str, str], Plain]
"""What images are in the words of people, by repository and digest at the source."""


def plan(comparisons: t.Sequence[Comparison], source: Registry, destination: Registry, summaries: Summaries) -> Plain:
    """The plan as plain values: ``images`` with what is to be done for each, ``blobs``, ``manifests`` and ``tags``.

    Nothing but a line in ``images`` is said about images that are equal.
    """
    blobs: dict[tuple[str, str, tuple[str, ...]], dict[str, int]] = {}
    manifests: dict[tuple[str, str], Plain] = {}
    tags: list[Plain] = []
    for comparison in comparisons:
        if comparison.action != PROMOTE:
            continue
        item = comparison.item
        # On one and the same registry, the repository of the source is the first to mount from.
        own = (item.repository,) if source.name == destination.name and item.repository != item.target else ()
        key = (item.target, item.repository, tuple(dict.fromkeys([*own, *item.mount_from])))
        for blob in blobs_of(comparison.tree):
            blobs.setdefault(key, {})[blob.digest] = blob.size
        for manifest in comparison.tree:
            manifests[item.target, manifest.digest] = {
                "repository": item.target,
                "source_repository": item.repository,
                "digest": manifest.digest,
                "media_type": manifest.media_type,
                "content_base64": base64.b64encode(manifest.content).decode("ascii"),
            }
        digest = t.cast(Descriptor, comparison.source).digest
        top = manifests.get((item.target, digest))
        for tag in comparison.tags:
            if tag.action in (CREATE, REPLACE):
                entry: Plain = {
                    "repository": item.target,
                    "tag": tag.tag,
                    "digest": digest,
                    "previous_digest": tag.previous_digest,
                }
                if top:
                    entry["content_base64"] = top["content_base64"]
                if (item.repository, digest) in summaries:
                    entry["summary"] = summaries[item.repository, digest]
                tags.append(entry)
    return {
        "images": [_image(comparison, source, destination) for comparison in comparisons],
        "blobs": [
            {
                "repository": repository,
                "source_repository": source_repository,
                "mount_from": list(mount_from),
                "blobs": [{"digest": digest, "size": size} for digest, size in found.items()],
            }
            for (repository, source_repository, mount_from), found in blobs.items()
        ],
        "manifests": list(manifests.values()),
        "tags": tags,
    }


def _image(comparison: Comparison, source: Registry, destination: Registry) -> Plain:
    item, found = comparison.item, comparison.source
    return {
        "reference": item.at_source(source),
        "destination": f"{destination.name}/{item.target}",
        "repository": item.repository,
        "destination_repository": item.target,
        "exists": comparison.action != MISSING and found is not None,
        "digest": "" if found is None else found.digest,
        "media_type": "" if found is None else found.media_type,
        "action": comparison.action,
        "reason": comparison.reason,
        "tags": [tag._asdict() for tag in comparison.tags],
    }


def summarise_sources(comparisons: t.Sequence[Comparison], source: Registry) -> Summaries:
    """For a diff: what each image that is to be promoted is, in the words of people. This reads configs."""

    def show(place: tuple[str, str]) -> Plain:
        return describe(source, *place)

    places = [
        (comparison.item.repository, t.cast(Descriptor, comparison.source).digest)
        for comparison in comparisons
        if comparison.action == PROMOTE
    ]
    summaries: Summaries = {}
    for place, outcome in zip(places, run_all(show, places, source.jobs)):
        if isinstance(outcome, RegistryError):
            raise outcome
        summaries[place] = outcome
    return summaries


def without_failed(
    planned: Plain, results: t.Sequence[Plain], compared_again: Plain, *, all_or_nothing: bool = False
) -> Plain:
    """What of a plan is still whole: its ``manifests`` and ``tags``.

    ``results`` are those of the tasks so far; what they name in ``failures`` has failed, and with it each manifest that
    refers to it. What a second comparison refuses is left out as well. Nothing is left where a task has failed as a
    whole, or with ``all_or_nothing`` where anything has.
    """
    failed = {(entry.get("repository"), entry.get("digest")) for entry in _failures(results)}
    refused = _refused(compared_again)
    if _broken([*results, compared_again]) or (all_or_nothing and (failed or refused)):
        return {"manifests": [], "tags": []}
    stopped = [image for image in planned["images"] if _end_to_end(image) in refused]
    going_on = [image for image in planned["images"] if _end_to_end(image) not in refused]
    # Two images may be one digest in one repository, under different tags.
    wanted = {(image["destination_repository"], image["digest"]) for image in going_on if image["action"] == PROMOTE}
    failed |= {(image["destination_repository"], image["digest"]) for image in stopped} - wanted
    stopped_tags = {(image["destination_repository"], tag["tag"]) for image in stopped for tag in image["tags"]}
    whole: list[Plain] = []
    for entry in planned["manifests"]:
        manifest = _parsed(entry)
        parts = [manifest.digest, *(descriptor.digest for descriptor in manifest.descriptors())]
        if any((entry["repository"], digest) in failed for digest in parts):
            failed.add((entry["repository"], manifest.digest))
        else:
            whole.append(entry)
    tags = [
        tag
        for tag in planned["tags"]
        if (tag["repository"], tag["digest"]) not in failed and (tag["repository"], tag["tag"]) not in stopped_tags
    ]
    return {"manifests": whole, "tags": tags}


def _end_to_end(image: Plain) -> tuple[str, str]:
    """What tells the images of a comparison apart: one at the source may go to several repositories."""
    return image["reference"], image["destination_repository"]


def _refused(compared_again: Plain) -> dict[tuple[str, str], str]:
    images = compared_again.get("images", [])
    return {_end_to_end(image): str(image["reason"]) for image in images if image["action"] in STOPPING}


def _broken(results: t.Iterable[Plain]) -> str:
    """Why a task has failed as a whole; empty where none has. Tasks that were skipped or succeeded say nothing."""
    for result in results:
        if result.get("msg") and "failures" not in result and result.get("skipped") is not True:
            return str(result["msg"])
    return ""


def _failures(results: t.Iterable[Plain]) -> list[Plain]:
    return [failure for result in results for failure in result.get("failures", [])]


def _parsed(entry: Plain) -> Manifest:
    return Manifest.parse(base64.b64decode(entry["content_base64"]), entry["media_type"], entry["digest"])


def summarise(planned: Plain, results: t.Mapping[str, Plain]) -> Plain:
    """What a promotion did: ``changed``, one entry per image in ``images``, and the sum of ``transfer``.

    ``planned`` is the comparison; ``results`` holds the results of the tasks that carried it out, by the names
    ``blobs_missing``, ``blobs``, ``manifests``, ``compared_again``, ``tags`` and ``verified``. A blob that several
    images need counts for the first of them.
    """
    done = _Done(planned, results)
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

    def __init__(self, planned: Plain, results: t.Mapping[str, Plain]) -> None:
        self._manifests = {(entry["repository"], entry["digest"]): _parsed(entry) for entry in planned["manifests"]}
        self._blobs = {
            (group["repository"], blob["digest"]): blob["action"]
            for group in results.get("blobs", {}).get("blobs", [])
            for blob in group["blobs"]
        }
        self._there = {
            (group["repository"], blob["digest"])
            for group in results.get("blobs_missing", {}).get("blobs", [])
            for blob in group["blobs"]
            if blob["exists"]
        }
        self._moved = {(tag["repository"], tag["tag"]) for tag in results.get("tags", {}).get("tags", [])}
        self._serving = {
            (image["repository"], image["tag"]): image["digest"]
            for image in results.get("verified", {}).get("images", [])
        }
        self._refused = _refused(results.get("compared_again", {}))
        self._failures = _failures(results.values())
        self._broken = _broken(results.values())
        self._counted: set[tuple[str, str]] = set()

    def image(self, image: Plain) -> Plain:
        """What became of one image of the plan."""
        repository = image["destination_repository"]
        tree = _tree_of(image["digest"], repository, self._manifests)
        reason = image["reason"] or (self._why_not_promoted(image, tree) if image["action"] == PROMOTE else "")
        return {
            "reference": image["reference"],
            "destination": image["destination"],
            "digest": image["digest"],
            "action": FAILED if image["action"] == PROMOTE and reason else image["action"],
            "reason": reason,
            "tags": image["tags"],
            **self._sums(repository, tree),
        }

    def _sums(self, repository: str, tree: t.Sequence[Manifest]) -> dict[str, int]:
        ways = ("uploaded", "mounted", "skipped")
        sums = {f"{unit}_{way}": 0 for unit in ("blobs", "bytes") for way in ways}
        for blob in blobs_of(tree):
            place = (repository, blob.digest)
            way = self._NAMES.get(self._blobs.get(place, EXISTS), "skipped")
            if place in self._counted:
                way = "skipped"
            elif place not in self._blobs and place not in self._there:
                # It was never dealt with: something failed before.
                continue
            self._counted.add(place)
            sums[f"blobs_{way}"] += 1
            sums[f"bytes_{way}"] += blob.size
        return sums

    def _why_not_promoted(self, image: Plain, tree: t.Sequence[Manifest]) -> str:
        repository = image["destination_repository"]
        parts = {image["digest"], *(part.digest for part in tree), *(blob.digest for blob in blobs_of(tree))}
        wanted = {tag["tag"] for tag in image["tags"] if tag["action"] in (CREATE, REPLACE)}
        if _end_to_end(image) in self._refused:
            return self._refused[_end_to_end(image)]
        for entry in self._failures:
            if entry.get("repository") == repository and (
                entry.get("tag") in wanted or ("tag" not in entry and entry.get("digest") in parts)
            ):
                return str(entry.get("msg", ""))
        if self._broken:
            return self._broken
        for tag in sorted(wanted):
            if (repository, tag) not in self._moved:
                return f"{image['destination']}:{tag} was not moved"
            serving = self._serving.get((repository, tag), image["digest"])
            if serving != image["digest"]:
                return f"{image['destination']}:{tag} serves {serving or 'nothing'}, and {image['digest']} was promised"
        return ""


def _tree_of(digest: str, repository: str, manifests: t.Mapping[tuple[str, str], Manifest]) -> list[Manifest]:
    found: dict[str, Manifest] = {}
    waiting = [digest]
    while waiting:
        current = waiting.pop()
        manifest = manifests.get((repository, current))
        if manifest is not None and current not in found:
            found[current] = manifest
            waiting += [child.digest for child in manifest.children()]
    return list(found.values())
