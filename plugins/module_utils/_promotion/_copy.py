# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""A whole promotion in one go: compare, or take a plan from before; then blobs, manifests, and tags last of all."""

from __future__ import annotations

import base64
import typing as t

from .._blobs._blob_diff import blob_diff
from .._blobs._deletion import outcome_as_plain
from .._blobs._missing_repositories import MissingRepositories
from .._blobs._placement import BlobGroup, BlobOutcome, BlobPlacement, outcomes_by_group
from .._blobs._transfer import RegistrySource
from .._end._end import End
from .._images._contents import Depth, verify_pushed
from .._images._manifest_diff import manifest_diff
from .._images._manifest_push import PUSH, ManifestItem, ManifestOutcome, ManifestPush
from .._images._tagging import TagItem, TagOutcome, move_tags, verify_tags
from .._model._actions import CREATE, EXISTS, REPLACE
from .._model._errors import RegistryError, RepositoryMissing
from .._model._manifest import Manifest
from .._run._parallel import StepGraph
from .._run._progress import Progress
from ._comparison import compare_images, is_guarded
from ._given_plan import given_plan
from ._items import STOPPING, ImageItem, Plain
from ._plan import contents, plan, summarise_sources
from ._plan_conditions import check_conditions
from ._summary import summarise
from ._verification import verify_contents
from ._whole import without_failed


class CopyRules(t.NamedTuple):
    """How a set of images is promoted."""

    all_or_nothing: bool
    """Whether nothing is written where an image can't be promoted, and no tag is moved where one has failed."""
    artifacts_of_equal: bool
    """Whether artifacts of images that are equal are compared as well."""
    check: bool
    """Whether to look only."""
    depth: Depth = Depth()
    """How deep is looked whether the destination has what it should."""
    repair: bool = False
    """Whether what is missing there is pushed again, although tags point to what needs it."""
    summaries: bool = False
    """Whether the plan also says what the images are in the words of people, for a diff."""


BeforeWrite = t.Callable[[Plain], None]
"""Called with the plan before anything is written, to raise an error where nothing may be."""


class Promotion:
    """The promotion of a set of images. ``tags`` holds what happened to tags, in the order in which it happened."""

    def __init__(self, source: End, destination: End, rules: CopyRules, progress: Progress) -> None:
        self._source = source
        self._destination = destination
        self._rules = rules
        self._progress = progress
        self._planned: Plain = {}
        self._results: dict[str, Plain] = {}
        self._manifests: dict[str, Manifest] = {}
        self._missing_repositories = MissingRepositories(destination)
        self._missing: dict[tuple[str, str], Manifest] = {}
        """What was just seen to be missing, by repository and digest. A plan from before may be old: none of it is."""
        self.nothing_written = False
        self.tags: list[TagOutcome] = []

    def copy_images(self, items: t.Sequence[ImageItem], before_write: BeforeWrite, given: Plain | None = None) -> Plain:
        """Compare, and bring over what differs. Returns what :func:`summarise` says of it, failures included, and
        ``artifact_tags``, ``tags`` and ``given_up``: what happened to tags, and what was tried in vain for blobs.

        With a plan from before in ``given``, nothing is compared, and what it says is done. Raises
        :class:`InvalidInput` where it is no plan for ``items``.
        """
        if given is None:
            self._planned = self._compare(items)
        else:
            plan_given = given_plan(given)
            check_conditions(plan_given, items, self._source, self._destination)
            self._planned, self._manifests = plan_given
            self._missing_repositories.consider(untagged_repositories(self._planned["images"]))
        before_write(self._planned)
        problems = [image for image in self._planned["images"] if image["action"] in STOPPING]
        if problems and self._rules.all_or_nothing:
            self.nothing_written = True
        else:
            self._place_content()
            self._compare_again(items)
            self._move_tags("artifact_tags", items)
            self._move_tags("tags", items)
        moved = {name: self._results.get(name, {}).get("tags", []) for name in ("artifact_tags", "tags")}
        summary = summarise(self._planned, self._results, parse=self._parse)
        return {**summary, **moved, "given_up": self._given_up()}

    def content_diff(self) -> list[Plain]:
        """The rows of a diff for what was placed beside the tags, or would be."""
        name = self._destination.name
        manifests = self._results.get("manifests", {}).get("manifests", [])
        return [
            *blob_diff(name, self._results.get("blobs", {}).get("blobs", [])),
            *manifest_diff(name, manifests, lambda _repository, digest: self._manifests[digest].content),
        ]

    def _given_up(self) -> list[Plain]:
        """What was tried in vain for blobs and manifests, in words."""
        blobs = [blob for group in self._results.get("blobs", {}).get("blobs", []) for blob in group["blobs"]]
        found = []
        for entry in (*blobs, *self._results.get("manifests", {}).get("manifests", [])):
            told = list(entry["given_up"])
            told += [
                f"The registry said that it has {digest}, and missed it when the manifest came; it was uploaded again."
                for digest in entry.get("uploaded_again", ())
            ]
            if told:
                found.append({"repository": entry["repository"], "digest": entry["digest"], "given_up": told})
        return found

    def _compare(self, items: t.Sequence[ImageItem]) -> Plain:
        comparisons = compare_images(
            self._source,
            self._destination,
            items,
            artifacts_of_equal=self._rules.artifacts_of_equal,
            missing=self._missing_repositories,
        )
        comparisons = verify_contents(
            self._source, self._destination, comparisons, self._rules.depth, repair=self._rules.repair
        )
        self._manifests = {manifest.digest: manifest for comparison in comparisons for manifest in contents(comparison)}
        self._missing = {
            (comparison.item.target, manifest.digest): manifest
            for comparison in comparisons
            for manifest in comparison.tree
            if manifest.digest not in comparison.standing
        }
        summaries = summarise_sources(comparisons, self._source) if self._rules.summaries else {}
        return plan(comparisons, self._source, self._destination, summaries)

    @property
    def repository_missing(self) -> bool:
        """Whether a repository isn't there that the registry doesn't create on push."""
        return any(
            failure["repository_missing"] for result in self._results.values() for failure in result.get("failures", [])
        )

    def _place_content(self) -> None:
        """Blobs and manifests, each as soon as what it needs is there."""
        groups = [
            BlobGroup(
                group["repository"],
                group["source_repository"],
                tuple(group["mount_from"]),
                tuple((blob["digest"], blob["size"]) for blob in group["blobs"]),
                frozenset(blob["digest"] for blob in group["blobs"] if blob.get("replace")),
            )
            for group in self._planned["blobs"]
        ]
        items = [
            ManifestItem(
                entry["repository"],
                entry["digest"],
                entry["source_repository"],
                entry["media_type"],
                self._parse(entry).content,
                known_missing=(entry["repository"], entry["digest"]) in self._missing or bool(entry.get("replace")),
            )
            for entry in self._planned["manifests"]
        ]
        graph = StepGraph()
        placement = BlobPlacement(
            self._destination,
            lambda group, digest: RegistrySource(self._source, group.source_repository, digest),
            check=self._rules.check,
            progress=self._progress,
            missing=self._missing_repositories,
            # A config belongs to one manifest, as good as always, and that isn't there.
            presumed_missing={
                (repository, manifest.config.digest)
                for (repository, _digest), manifest in self._missing.items()
                if manifest.config is not None
            },
        )
        steps = placement.add_to(graph, groups)
        places = [(group.repository, digest) for group in groups for digest, _size in group.blobs]
        push = ManifestPush(
            self._destination, self._source, check=self._rules.check, missing=self._missing_repositories
        )
        push.add_to(graph, items, dict(zip(places, steps)))
        graph.run(self._destination.jobs)
        self._note_blobs(groups, [step.outcome for step in steps])
        self._note_manifests(items, push.outcomes)
        self._look_again(items)
        # A list of referrers is a tag: it moves only where what it is about is whole.
        whole = {(entry["repository"], entry["digest"]) for entry in self._whole()["manifests"]}
        self._note_manifests(items, push.finish(lambda item: (item.repository, item.digest) in whole))

    def _look_again(self, items: t.Sequence[ManifestItem]) -> None:
        """Look whether what was pushed is there, as deep as is asked for."""
        if self._rules.depth.is_deep and not self._rules.check:
            whole = {(entry["repository"], entry["digest"]) for entry in self._results["manifests"]["manifests"]}
            places = [(item.repository, item.digest) for item in items if (item.repository, item.digest) in whole]
            unverified = verify_pushed(self._destination, places, self._rules.depth)
            failures = [_failure(entry.error, repository=entry.repository, digest=entry.digest) for entry in unverified]
            self._results["verified"] = {"failures": failures}

    def _note_blobs(self, groups: t.Sequence[BlobGroup], outcomes: t.Sequence[BlobOutcome | RegistryError]) -> None:
        blobs: list[Plain] = []
        failures: list[Plain] = []
        for group, found in outcomes_by_group(groups, outcomes):
            entries = []
            for digest, outcome in found:
                if isinstance(outcome, RegistryError):
                    failures.append(_failure(outcome, repository=group.repository, digest=digest))
                else:
                    entries.append(outcome_as_plain(outcome))
            blobs.append({"repository": group.repository, "blobs": entries})
        changed = any(entry["action"] != EXISTS for group in blobs for entry in group["blobs"])
        self._results["blobs"] = {"changed": changed, "blobs": blobs, "failures": failures}

    def _note_manifests(
        self, items: t.Sequence[ManifestItem], outcomes: t.Sequence[ManifestOutcome | RegistryError]
    ) -> None:
        pushed, failures, changed = [], [], False
        for item, outcome in zip(items, outcomes):
            if isinstance(outcome, RegistryError):
                failures.append(_failure(outcome, repository=item.repository, digest=item.digest))
            else:
                pushed.append(outcome_as_plain(outcome))
                changed = changed or outcome.action == PUSH or bool(outcome.referrers_tag)
        self._results["manifests"] = {"changed": changed, "manifests": pushed, "failures": failures}

    def _compare_again(self, items: t.Sequence[ImageItem]) -> None:
        """Look again at the digests that the source was expected to serve."""
        expected = [item._replace(artifacts=()) for item in items if item.expected_digest]
        if expected and self._whole()["tags"]:
            compared = compare_images(self._source, self._destination, expected)
            self._results["compared_again"] = plan(compared, self._source, self._destination, {})

    def _move_tags(self, name: str, images: t.Sequence[ImageItem]) -> None:
        # What was signed at the destination as well must not be taken away: all tags of artifacts are.
        guarded = _guarded_tags(images)
        items = [
            TagItem(
                entry["repository"],
                entry["tag"],
                entry["digest"],
                entry["previous_digest"],
                base64.b64decode(entry["content_base64"]) if "content_base64" in entry else None,
                is_guarded=name == "artifact_tags" or (entry["repository"], entry["tag"]) in guarded,
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
        problems = verify_tags(self._destination, [] if self._rules.check else moved)
        failures += [
            _failure(problem, repository=outcome.repository, tag=outcome.tag, digest=outcome.digest)
            for outcome, problem in problems
        ]
        self.tags += moved
        changed = any(outcome.action in (CREATE, REPLACE) for outcome in moved)
        tags = [outcome_as_plain(outcome) for outcome in moved]
        self._results[name] = {"changed": changed, "tags": tags, "failures": failures}

    def _whole(self) -> Plain:
        """What can still go on after what has failed so far."""
        compared_again = self._results.get("compared_again", {})
        others = [result for name, result in self._results.items() if name != "compared_again"]
        return without_failed(
            self._planned, others, compared_again, all_or_nothing=self._rules.all_or_nothing, parse=self._parse
        )

    def _parse(self, entry: Plain) -> Manifest:
        return self._manifests[entry["digest"]]


def untagged_repositories(images: t.Sequence[Plain]) -> set[str]:
    """The repositories of a plan in which none of its tags was found."""
    tags = [(image["destination_repository"], tag["previous_digest"]) for image in images for tag in image["tags"]]
    return {repository for repository, _digest in tags} - {repository for repository, digest in tags if digest}


def _guarded_tags(images: t.Sequence[ImageItem]) -> set[tuple[str, str]]:
    """Repositories and tags that may not move, whatever they point to. Only what the user says is a guard: the digests
    that the comparison has found, which the tags must still point to, came along."""
    return {(image.target, tag) for image in images for tag in image.tags if is_guarded(image, tag)}


def _failure(error: RegistryError, **place: str) -> Plain:
    return {**place, "msg": str(error), "repository_missing": isinstance(error, RepositoryMissing)}
