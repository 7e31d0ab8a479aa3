# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Whether the artifacts of a plan that was given belong to its images.

A plan may claim any subject. Without this look, one that names an image of a repository could put another signature
on everything else there.
"""

from __future__ import annotations

import typing as t

from .._end._end import End
from .._images._artifacts import Artifact
from .._model._errors import InvalidInput, RegistryError
from .._model._manifest import INDEX_TYPES, Descriptor, Manifest
from ._plain_shapes import HINT
from ._plan import Plan, PlannedImage

_MAXIMUM_INDEXES = 100


def check_subjects(plan: Plan, destination: End) -> None:
    """Raise :class:`InvalidInput` where an artifact to be copied is about none of its image's digests.

    Nothing is asked for what the plan's own manifests show. An index that isn't among them is read at the destination.
    """
    for image in plan.promoted:
        strangers = _strangers(plan, image, {image.digest})
        if strangers:
            tree = _Tree(plan, image, destination)
            strangers = _strangers(plan, image, tree.digests())
        for artifact in strangers:
            name = f"{plan.destination_of(image)}@{artifact.digest}"
            problem = f"it is about {artifact.subject}, which isn't {image.digest} and not in it"
            raise InvalidInput(f"plan.images: the artifact {name} goes with no image: {problem}", hint=HINT)


def _strangers(plan: Plan, image: PlannedImage, digests: t.Iterable[str]) -> list[Artifact]:
    """The artifacts that are about none of these digests, and about no artifact of them."""
    known = set(digests)
    left = image.copied_artifacts
    while left:
        belonging = [artifact for artifact in left if artifact.subject in known]
        if not belonging:
            break
        for artifact in belonging:
            known.add(artifact.digest)
            manifest = plan.manifests_by_place.get((image.item.destination_repository, artifact.digest))
            if manifest is not None:
                known.update(child.digest for child in manifest.children())
        left = [artifact for artifact in left if artifact not in belonging]
    return left


class _Tree:
    """The digests of an image: its own, and those of all manifests below it."""

    def __init__(self, plan: Plan, image: PlannedImage, destination: End) -> None:
        self._plan = plan
        self._image = image
        self._destination = destination

    def digests(self) -> set[str]:
        """Raises :class:`InvalidInput` where an index of it can't be read."""
        found: set[str] = set()
        open_ = [Descriptor(self._image.media_type, self._image.digest, 0)]
        indexes = 0
        while open_:
            descriptor = open_.pop()
            if descriptor.digest in found:
                continue
            found.add(descriptor.digest)
            if descriptor.media_type in INDEX_TYPES:
                indexes += 1
                if indexes > _MAXIMUM_INDEXES:
                    raise InvalidInput(f"plan.images: {self._image.digest} has too many indexes in it", hint=HINT)
                open_ += self._read(descriptor.digest).children()
        return found

    def _read(self, digest: str) -> Manifest:
        item = self._image.item
        planned = self._plan.manifests_by_place.get((item.destination_repository, digest))
        if planned is not None:
            return planned
        # What isn't to be pushed is there already.
        try:
            return self._destination.get_manifest(item.destination_repository, digest)
        except RegistryError as error:
            name = f"{self._plan.destination_of(self._image)}@{digest}"
            problem = "can't be read, and only it shows which artifacts go with it"
            raise InvalidInput(f"plan.images: {name} {problem}: {error}", hint=HINT) from error
