# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""A whole promotion in one go: what the tasks of the role do one after the other."""

from __future__ import annotations

import base64
import typing as t

from .._actions import EXISTS
from .._end import End
from .._errors import RegistryError, RepositoryMissing
from .._inspection import ImageName, head_images
from .._manifest import Descriptor
from .._manifest_push import PUSH, ManifestItem, push_manifests
from .._placement import BlobGroup, place_blobs
from .._tagging import CREATE, REPLACE, TagItem, TagOutcome, move_tags
from .._transfer import RegistrySource
from ._comparison import Comparison, compare_images
from ._items import STOPPING, ImageItem, Plain
from ._plan import plan
from ._summary import summarise
from ._whole import without_failed


class CopyRules(t.NamedTuple):
    """How a set of images is promoted."""

    all_or_nothing: bool
    """Whether nothing is written where an image can't be promoted, and no tag is moved where one has failed."""
    artifacts_of_equal: bool
    """Whether artifacts of images that are equal are compared as well."""
    check: bool
    """Whether to look only."""


BeforeWrite = t.Callable[[Plain, list[Comparison]], None]
"""Called with the plan before anything is written, to raise an error where nothing may be."""


class Promotion:
    """The promotion of a set of images. ``tags`` holds what happened to tags, in the order in which it happened."""

    def __init__(self, source: End, destination: End, rules: CopyRules) -> None:
        self._source = source
        self._destination = destination
        self._rules = rules
        self._planned: Plain = {}
        self._results: dict[str, Plain] = {}
        self.nothing_written = False
        self.tags: list[TagOutcome] = []

    def copy_images(self, items: t.Sequence[ImageItem], before_write: BeforeWrite) -> Plain:
        """Compare, and bring over what differs. Returns what :func:`summarise` says of it, failures included."""
        comparisons = compare_images(
            self._source, self._destination, items, artifacts_of_equal=self._rules.artifacts_of_equal
        )
        self._planned = plan(comparisons, self._source, self._destination, {})
        before_write(self._planned, comparisons)
        problems = [image for image in self._planned["images"] if image["action"] in STOPPING]
        if problems and self._rules.all_or_nothing:
            self.nothing_written = True
        else:
            self._place_blobs()
            self._push_manifests()
            self._compare_again(items)
            self._move_tags("artifact_tags")
            self._move_tags("tags")
            self._verify()
        return summarise(self._planned, self._results)

    @property
    def repository_missing(self) -> bool:
        """Whether a repository isn't there that the registry doesn't create on push."""
        return any(
            failure["repository_missing"] for result in self._results.values() for failure in result.get("failures", [])
        )

    def _place_blobs(self) -> None:
        groups = [
            BlobGroup(
                group["repository"],
                group["source_repository"],
                tuple(group["mount_from"]),
                tuple((blob["digest"], blob["size"]) for blob in group["blobs"]),
            )
            for group in self._planned["blobs"]
        ]
        outcomes = place_blobs(
            self._destination,
            groups,
            lambda group, digest: RegistrySource(self._source, group.source_repository, digest),
            check=self._rules.check,
        )
        remaining = iter(outcomes)
        blobs: list[Plain] = []
        failures: list[Plain] = []
        for group in groups:
            entries = []
            for digest, _size in group.blobs:
                outcome = next(remaining)
                if isinstance(outcome, RegistryError):
                    failures.append(_failure(outcome, repository=group.repository, digest=digest))
                else:
                    entries.append({"digest": outcome.digest, "size": outcome.size, "action": outcome.action})
            blobs.append({"repository": group.repository, "blobs": entries})
        changed = any(entry["action"] != EXISTS for group in blobs for entry in group["blobs"])
        self._results["blobs"] = {"changed": changed, "blobs": blobs, "failures": failures}

    def _push_manifests(self) -> None:
        items = [
            ManifestItem(
                entry["repository"],
                entry["digest"],
                entry["source_repository"],
                entry["media_type"],
                base64.b64decode(entry["content_base64"]),
            )
            for entry in self._whole()["manifests"]
        ]
        outcomes = push_manifests(self._destination, items, self._source, check=self._rules.check)
        pushed, failures, changed = [], [], False
        for item, outcome in zip(items, outcomes):
            if isinstance(outcome, RegistryError):
                failures.append(_failure(outcome, repository=item.repository, digest=item.digest))
            else:
                pushed.append({"repository": item.repository, "digest": item.digest})
                changed = changed or outcome.action == PUSH or bool(outcome.referrers_tag)
        self._results["manifests"] = {"changed": changed, "manifests": pushed, "failures": failures}

    def _compare_again(self, items: t.Sequence[ImageItem]) -> None:
        """Look again at the digests that the source was expected to serve."""
        expected = [item._replace(artifacts=()) for item in items if item.expected_digest]
        if expected and self._whole()["tags"]:
            compared = compare_images(self._source, self._destination, expected)
            self._results["compared_again"] = plan(compared, self._source, self._destination, {})

    def _move_tags(self, name: str) -> None:
        items = [
            TagItem(
                entry["repository"],
                entry["tag"],
                entry["digest"],
                entry["previous_digest"],
                base64.b64decode(entry["content_base64"]) if "content_base64" in entry else None,
            )
            for entry in self._whole()[name]
        ]
        outcomes = move_tags(self._destination, items, check=self._rules.check)
        moved, failures = [], []
        for item, outcome in zip(items, outcomes):
            if isinstance(outcome, RegistryError):
                failures.append(_failure(outcome, repository=item.repository, tag=item.tag, digest=item.digest))
            else:
                moved.append(outcome)
        self.tags += moved
        changed = any(outcome.action in (CREATE, REPLACE) for outcome in moved)
        tags = [outcome._asdict() for outcome in moved]
        self._results[name] = {"changed": changed, "tags": tags, "failures": failures}

    def _verify(self) -> None:
        """See that every tag that has moved serves the promised digest."""
        if self._rules.check:
            return
        names = [ImageName(entry["repository"], entry["tag"], "") for entry in self._results["tags"]["tags"]]
        found = head_images(self._destination, names)
        images = [
            {
                "repository": name.repository,
                "tag": name.tag,
                "digest": head.digest if isinstance(head, Descriptor) else "",
            }
            for name, head in zip(names, found)
            if not isinstance(head, RegistryError)
        ]
        failures = [
            _failure(head, repository=name.repository, tag=name.tag)
            for name, head in zip(names, found)
            if isinstance(head, RegistryError)
        ]
        self._results["verified"] = {"images": images, "failures": failures}

    def _whole(self) -> Plain:
        """What can still go on after what has failed so far."""
        compared_again = self._results.get("compared_again", {})
        others = [result for name, result in self._results.items() if name != "compared_again"]
        return without_failed(self._planned, others, compared_again, all_or_nothing=self._rules.all_or_nothing)


def _failure(error: RegistryError, **place: str) -> Plain:
    return {**place, "msg": str(error), "repository_missing": isinstance(error, RepositoryMissing)}
