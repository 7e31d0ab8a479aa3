# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The plan of a promotion: one value, made by a comparison or given by a user, and carried out as it is."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import typing as t

from .._blobs._blob_group import BlobGroup
from .._images._artifacts import Artifact
from .._images._contents import Missing
from .._images._tagging import TagItem, TagOutcome
from .._model._actions import EXISTS, PROMOTE
from .._model._manifest import Descriptor, Manifest, blobs_of
from ._comparison import TagComparison, is_guarded
from ._gates import GateResult
from ._items import COPYING, MOVING, ImageItem, Plain
from ._signatures import Judgement, Signature

Place = tuple[str, str]
"""A repository at the destination, and a digest or tag in it."""

Way = tuple[str, str, str]
"""Repository and reference at the source, and the repository at the destination."""


class Told(t.NamedTuple):
    """What a plan says of its own judging: by whom it was made, that is, and no reason to promote anything."""

    gates: tuple[GateResult, ...] = ()
    signatures: tuple[Signature, ...] = ()


class PlannedImage(t.NamedTuple):
    """One image: what was found of it, and what was decided and why."""

    item: ImageItem
    action: str
    reason: str = ""
    digest: str = ""
    """What is to be promoted; empty where that isn't known."""
    source_digest: str = ""
    """What the source serves; empty where that isn't known."""
    media_type: str = ""
    tags: tuple[TagComparison, ...] = ()
    layers_left_out: tuple[Descriptor, ...] = ()
    artifacts: tuple[Artifact, ...] = ()
    """What belongs to it, without trees: manifests to push are in the plan."""
    artifacts_compared: bool = False
    missing: tuple[Missing, ...] = ()
    present: Manifest | None = None
    """Its manifest where that is at the destination already, to be pushed again under a tag."""
    gates: tuple[GateResult, ...] = ()
    """What the gates said of it, where it was to be promoted."""
    judgement: Judgement | None = None
    """What its signatures are worth; None where nobody asked, or it wasn't to be promoted."""
    told: Told = Told()
    """What a plan that is trusted says of gates and signatures, where nobody judges again: for the record alone."""
    summary: Plain = {}
    """What it is in the words of people, for a diff; empty where nobody asked for that."""
    claims: tuple[str, ...] = ()
    """What a plan that was given says of gates and signatures, in lines. A diff quotes it, and nothing believes it."""

    @property
    def way(self) -> Way:
        """From where to where it goes."""
        return self.item.repository, self.item.reference, self.item.destination_repository

    @property
    def place(self) -> Place:
        """The repository at the destination, and the digest that is promoted to it."""
        return self.item.destination_repository, self.digest

    @property
    def moving_tags(self) -> list[TagComparison]:
        """Those of its tags that are to be put on its digest."""
        return [tag for tag in self.tags if tag.action in MOVING]

    @property
    def copied_artifacts(self) -> list[Artifact]:
        """Those of its artifacts that are to be copied."""
        return [artifact for artifact in self.artifacts if artifact.action in COPYING]


class PlannedManifest(t.NamedTuple):
    """A manifest to be pushed."""

    repository: str
    source_repository: str
    manifest: Manifest
    replace: bool = False
    """Whether it is pushed although it is there: what is there was seen to be damaged."""
    just_missed: bool = False
    """Whether it was just seen not to be there. Of a plan from before, that can't be said."""

    @property
    def place(self) -> Place:
        """The repository at the destination, and the digest."""
        return self.repository, self.manifest.digest


@dataclasses.dataclass(frozen=True)
class Plan:
    """What to place, which tags to move, and what was found and decided for each image, between two registries."""

    source: str
    destination: str
    images: tuple[PlannedImage, ...]
    blobs: tuple[BlobGroup, ...]
    manifests: tuple[PlannedManifest, ...]
    """Children first; artifacts behind their subjects: some registries refuse them before these are there."""

    @property
    def promoted(self) -> list[PlannedImage]:
        """The images of which something is to be placed, or tags are to move."""
        return [image for image in self.images if image.action == PROMOTE]

    @property
    def untagged_repositories(self) -> set[str]:
        """The repositories at the destination in which none of its tags was found."""
        tags = [(image.item.destination_repository, tag.previous_digest) for image in self.images for tag in image.tags]
        return {repository for repository, _digest in tags} - {repository for repository, digest in tags if digest}

    @functools.cached_property
    def manifests_by_place(self) -> dict[Place, Manifest]:
        """What is to be pushed, by repository and digest."""
        return {planned.place: planned.manifest for planned in self.manifests}

    @functools.cached_property
    def tags(self) -> tuple[TagItem, ...]:
        """The tags to move."""
        return tuple(
            TagItem(
                *(image.item.destination_repository, tag.tag, image.digest, tag.previous_digest),
                content=self.manifests_by_place.get(image.place) or image.present,
                # Only what the user says is a guard: the digests that the comparison has found came along.
                is_guarded=is_guarded(image.item, tag.tag),
            )
            for image in self.promoted
            for tag in image.moving_tags
        )

    @functools.cached_property
    def tags_by_image(self) -> tuple[tuple[TagItem, ...], ...]:
        """The tags to move of each image, in the order in which they are given."""
        tags = iter(self.tags)
        return tuple(tuple(itertools.islice(tags, len(image.moving_tags))) for image in self.promoted)

    @property
    def standing_tags(self) -> t.Iterator[TagOutcome]:
        """The tags of images that point to their digests already."""
        for image in self.images:
            for tag in image.tags:
                if tag.action == EXISTS:
                    yield TagOutcome(image.item.destination_repository, tag.tag, image.digest, image.digest, EXISTS)

    @functools.cached_property
    def artifact_tags(self) -> tuple[TagItem, ...]:
        """The tags of artifacts to move before those, each once."""
        found: dict[Place, TagItem] = {}
        for image in self.promoted:
            for artifact in image.copied_artifacts:
                if artifact.tag:
                    found[image.item.destination_repository, artifact.tag] = TagItem(
                        *(image.item.destination_repository, artifact.tag, artifact.digest, artifact.previous_digest),
                        content=self.manifests_by_place.get((image.item.destination_repository, artifact.digest)),
                        # What was signed at the destination as well must not be taken away.
                        is_guarded=True,
                    )
        return tuple(found.values())

    @functools.cached_property
    def summaries(self) -> dict[Place, Plain]:
        """What the tags to move will serve, in the words of people, as far as somebody asked for that."""
        return {
            (image.item.destination_repository, tag.tag): image.summary
            for image in self.promoted
            for tag in image.moving_tags
            if image.summary
        }

    def reference_of(self, image: PlannedImage) -> str:
        """An image at the source, as people write it."""
        return image.item.at_source(self.source)

    def destination_of(self, image: PlannedImage) -> str:
        """Its repository at the destination, as people write it."""
        return f"{self.destination}/{image.item.destination_repository}"

    def tree_of(self, image: PlannedImage, artifacts: t.Iterable[Artifact]) -> list[Manifest]:
        """What is to be pushed of an image and of these artifacts."""
        digests = [image.digest, *(artifact.digest for artifact in artifacts)]
        found: dict[str, Manifest] = {}
        while digests:
            digest = digests.pop()
            manifest = self.manifests_by_place.get((image.item.destination_repository, digest))
            if manifest is not None and digest not in found:
                found[digest] = manifest
                digests += [child.digest for child in manifest.children()]
        return list(found.values())

    def with_images(self, images: t.Sequence[PlannedImage]) -> Plan:
        """The plan with other decisions about its images, and without the content that only those need which stop."""
        plan = dataclasses.replace(self, images=tuple(images))
        needed = {
            (image.item.destination_repository, manifest.digest): manifest
            for image in plan.promoted
            for manifest in self.tree_of(image, image.copied_artifacts)
        }
        blobs = {(repository, blob.digest) for (repository, _digest), one in needed.items() for blob in blobs_of([one])}
        groups = [
            group._replace(blobs=tuple(blob for blob in group.blobs if (group.repository, blob[0]) in blobs))
            for group in self.blobs
        ]
        return dataclasses.replace(
            plan,
            blobs=tuple(group for group in groups if group.blobs),
            manifests=tuple(planned for planned in self.manifests if planned.place in needed),
        )
