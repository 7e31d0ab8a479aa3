# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""A plan carried out: blobs, manifests, and tags last of all."""

from __future__ import annotations

import itertools
import typing as t

from .._blobs._blob_group import BlobOutcome
from .._blobs._missing_repositories import MissingRepositories
from .._blobs._placement import BlobPlacement, outcomes_by_group
from .._blobs._transfer import RegistrySource
from .._end._end import End
from .._images._contents import Depth, verify_pushed
from .._images._manifest_push import ManifestItem, ManifestOutcome, ManifestPush
from .._images._tagging import TagItem, TagOutcome, advise_of_case, move_in_order, verify_tags
from .._model._errors import RegistryError
from .._run._parallel import Step, StepGraph
from .._run._progress import Progress
from ._comparison import compare_images
from ._going_back import go_back
from ._items import STOPPING
from ._outcomes import Failure, Outcomes, Part
from ._plan import Plan, PlannedManifest
from ._recording import Recording
from ._replaced import tags_to_keep
from ._whole import Whole, what_is_whole


class CopyRules(t.NamedTuple):
    """How a plan is carried out."""

    all_or_nothing: bool
    """Whether nothing is written where an image can't be promoted, and no tag is moved where one has failed."""
    check: bool
    """Whether to look only."""
    depth: Depth = Depth()
    """How thoroughly is checked whether the destination has what was pushed."""


class Promotion:
    """A plan that is carried out once. ``outcomes`` holds what has happened."""

    def __init__(
        self,
        source: End,
        destination: End,
        plan: Plan,
        rules: CopyRules,
        progress: Progress,
        missing: MissingRepositories | None = None,
        recording: Recording | None = None,
    ) -> None:
        """``missing`` is what the comparison has learnt of repositories."""
        self._source = source
        self._destination = destination
        self._plan = plan
        self._rules = rules
        self._progress = progress
        self._missing = missing or MissingRepositories(destination)
        self._recording = recording
        self.outcomes = Outcomes()
        problems = any(image.action in STOPPING for image in plan.images)
        self.writes_nothing = problems and rules.all_or_nothing
        """Whether the plan isn't carried out, since an image can't be promoted."""

    def carry_out(self) -> Outcomes:
        """Bring over what the plan says. Nothing is compared, and what fails is an outcome.

        Raises :class:`LocalFileError` where it can't be recorded what is about to be done.
        """
        if not self.writes_nothing:
            if self._recording is not None:
                self._recording.prepare(self._plan)
            self._place_content()
            self._compare_again()
            if self._recording is not None:
                self._recording.begin(self._plan, self.outcomes, self._whole())
            self._move_all_tags()
            if self._recording is not None:
                self._recording.end(self._plan, self.outcomes, all_or_nothing=self._rules.all_or_nothing)
        return self.outcomes

    def _place_content(self) -> None:
        """Blobs and manifests, each as soon as what it needs is there."""
        graph = StepGraph()
        steps = self._blob_placement().add_to(graph, self._plan.blobs)
        places = [(group.repository, digest) for group in self._plan.blobs for digest, _size in group.blobs]
        items = [_manifest_item(planned) for planned in self._plan.manifests]
        push = ManifestPush(self._destination, self._source, check=self._rules.check, missing=self._missing)
        push.add_to(graph, items, dict(zip(places, steps)))
        graph.run(self._destination.jobs)
        self._note_blobs(steps)
        self._note_manifests(items, push.outcomes)
        self._look_again()
        # A list of referrers is a tag: it moves only where what it is about is whole.
        whole = self._whole().manifests
        self._note_manifests(items, push.finish(lambda item: (item.repository, item.digest) in whole))

    def _blob_placement(self) -> BlobPlacement:
        return BlobPlacement(
            self._destination,
            lambda group, digest: RegistrySource(self._source, group.source_repository, digest),
            check=self._rules.check,
            progress=self._progress,
            missing=self._missing,
            # A config belongs to one manifest, as good as always, and that isn't there.
            presumed_missing={
                (planned.repository, planned.manifest.config.digest)
                for planned in self._plan.manifests
                if planned.just_missed and planned.manifest.config is not None
            },
        )

    def _look_again(self) -> None:
        """Look whether what was pushed is there, as thoroughly as is asked for."""
        if self._rules.depth.is_deep and not self._rules.check:
            places = [(outcome.repository, outcome.digest) for outcome in self.outcomes.manifests.done]
            unverified = verify_pushed(self._destination, places, self._rules.depth)
            self.outcomes.unverified = tuple(Failure(*entry) for entry in unverified)

    def _note_blobs(self, steps: t.Sequence[Step[BlobOutcome]]) -> None:
        placed: list[BlobOutcome] = []
        failed: list[Failure] = []
        for group, found in outcomes_by_group(self._plan.blobs, [step.outcome for step in steps]):
            failed += [
                Failure(group.repository, digest, outcome)
                for digest, outcome in found
                if isinstance(outcome, RegistryError)
            ]
            placed += [outcome for _digest, outcome in found if not isinstance(outcome, RegistryError)]
        self.outcomes.blobs = Part(tuple(placed), tuple(failed))

    def _note_manifests(
        self, items: t.Sequence[ManifestItem], outcomes: t.Sequence[ManifestOutcome | RegistryError]
    ) -> None:
        self.outcomes.manifests = Part(
            tuple(outcome for outcome in outcomes if not isinstance(outcome, RegistryError)),
            tuple(
                Failure(item.repository, item.digest, outcome)
                for item, outcome in zip(items, outcomes)
                if isinstance(outcome, RegistryError)
            ),
        )

    def _compare_again(self) -> None:
        """Look again at the digests that the source was expected to serve."""
        expected = [image for image in self._plan.images if image.item.expected_digest]
        if expected and self._whole().tags:
            items = [image.item._replace(artifacts=()) for image in expected]
            compared = compare_images(self._source, self._destination, items)
            self.outcomes.refused = {
                image.way: comparison.reason
                for image, comparison in zip(expected, compared)
                if comparison.action in STOPPING
            }

    def _move_all_tags(self) -> None:
        """The tags of artifacts, those of images in their order, and all of them back where one can't be moved.

        Before, what loses a tag gets another one, where that is asked for.
        """
        whole = self._whole()
        to_keep = tags_to_keep(self._destination, self._plan, [*whole.artifact_tags, *whole.tags])
        self.outcomes.replaced_tags = self._move_tags([(item,) for item in to_keep])
        self.outcomes.artifact_tags = self._move_tags([(item,) for item in self._whole().artifact_tags])
        places = {(item.repository, item.tag) for item in self._whole().tags}
        sequences = [
            list(itertools.takewhile(lambda item: (item.repository, item.tag) in places, of_image))
            for of_image in self._plan.tags_by_image
        ]
        self.outcomes.tags = self._move_tags(sequences)
        if self._rules.all_or_nothing and self.outcomes.failed_tags:
            go_back(self._destination, self._plan, self.outcomes, check=self._rules.check)

    def _move_tags(self, sequences: t.Sequence[t.Sequence[TagItem]]) -> Part[TagOutcome]:
        rules = self._rules
        found = move_in_order(self._destination, sequences, check=rules.check, all_or_nothing=rules.all_or_nothing)
        pairs = [pair for items, outcomes in zip(sequences, found) for pair in zip(items, outcomes)]
        for item, outcome in pairs:
            if isinstance(outcome, RegistryError):
                advise_of_case(outcome, item, itertools.chain(*sequences))
        failed = [
            Failure(item.repository, item.digest, outcome, item.tag)
            for item, outcome in pairs
            if isinstance(outcome, RegistryError)
        ]
        moved = [outcome for _item, outcome in pairs if not isinstance(outcome, RegistryError)]
        problems = verify_tags(self._destination, [] if rules.check else moved, beside=self._plan.standing_tags)
        failed += [Failure(outcome.repository, outcome.digest, problem, outcome.tag) for outcome, problem in problems]
        return Part(tuple(moved), tuple(failed))

    def _whole(self) -> Whole:
        """What can still be done after what has failed so far."""
        return what_is_whole(self._plan, self.outcomes, all_or_nothing=self._rules.all_or_nothing)


def _manifest_item(planned: PlannedManifest) -> ManifestItem:
    manifest = planned.manifest
    return ManifestItem(
        planned.repository,
        manifest.digest,
        planned.source_repository,
        manifest.media_type,
        manifest,
        known_missing=planned.just_missed or planned.replace,
    )
