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
from .._model._errors import InvalidInput, NotFound, RegistryError
from .._model._manifest import INDEX_TYPES, Descriptor, Manifest
from ._plain_shapes import HINT
from ._plan import Plan, PlannedImage

_MAXIMUM_INDEXES = 100


def check_subjects(plan: Plan, source: End, destination: End) -> None:
    """Raise :class:`InvalidInput` where an artifact to be copied is about none of its image's digests.

    Nothing is asked for what the plan's own manifests show. An index that isn't among them is read at the destination.
    What leads from one artifact to another is believed where a manifest, or the source, shows it.
    """
    for image in plan.promoted:
        strangers = _Belonging(plan, image, source, {image.digest}).all_strangers()
        if strangers:
            digests = _digests_of(plan, image, destination)
            strangers = _Belonging(plan, image, source, digests).all_strangers()
        for digest, subject in strangers:
            name = f"{plan.destination_of(image)}@{digest}"
            problem = f"it is about {subject}, which is neither {image.digest} nor in it"
            raise InvalidInput(f"plan.images: the artifact {name} belongs to no image: {problem}", hint=HINT)


class _Belonging:
    """Follows the artifacts of an image from digests that are its own."""

    def __init__(self, plan: Plan, image: PlannedImage, source: End, digests: t.Iterable[str]) -> None:
        self._plan = plan
        self._image = image
        self._source = source
        self._known = set(digests)

    def all_strangers(self) -> list[tuple[str, str]]:
        """What is to be pushed for artifacts, and is about something else: each with what it is about.

        A registry lists a manifest under its own subject, whatever the plan calls it, and wherever it stands in it.
        """
        found = [(artifact.digest, artifact.subject) for artifact in self._strangers()]
        known = self._known | {artifact.digest for artifact in self._image.copied_artifacts}
        of_image = {manifest.digest for manifest in self._plan.tree_of(self._image, ())}
        for manifest in self._plan.tree_of(self._image, self._image.copied_artifacts):
            subject = manifest.subject
            if manifest.digest not in of_image and subject is not None and subject.digest not in known:
                found.append((manifest.digest, subject.digest))
        return found

    def _strangers(self) -> list[Artifact]:
        """The artifacts to be copied that are about none of the digests, and about no artifact of them."""
        open_ = list(self._image.artifacts)
        while True:
            strangers = [one for one in self._image.copied_artifacts if one.subject not in self._known]
            wanted = {one.subject for one in strangers}
            led = [one for one in open_ if one.subject in self._known and wanted & self._digests_in(one)]
            if not led:
                return strangers
            open_ = [one for one in open_ if one not in led]
            for artifact in led:
                if self._is_proven(artifact):
                    self._known |= self._digests_in(artifact)

    def _digests_in(self, artifact: Artifact) -> set[str]:
        manifest = self._manifest_of(artifact)
        children = manifest.children() if manifest else []
        return {artifact.digest, *(child.digest for child in children)}

    def _is_proven(self, artifact: Artifact) -> bool:
        """Whether an artifact is about its subject, as its manifest or, for a tag, the source shows it.

        Else a plan could call any image an artifact, and put signatures on it.
        """
        repository = self._image.item.repository
        if artifact.tag:
            found = self._source.head_manifest(repository, artifact.tag)
            return found is not None and found.digest == artifact.digest
        try:
            manifest = self._manifest_of(artifact) or self._source.get_manifest(repository, artifact.digest)
        except (InvalidInput, NotFound):
            return False
        return manifest.subject is not None and manifest.subject.digest == artifact.subject

    def _manifest_of(self, artifact: Artifact) -> Manifest | None:
        return self._plan.manifests_by_place.get((self._image.item.destination_repository, artifact.digest))


def _digests_of(plan: Plan, image: PlannedImage, destination: End) -> set[str]:
    """The digests of an image: its own, and those of all manifests below it.

    Raises :class:`InvalidInput` where an index of it can't be read.
    """

    def read(digest: str) -> Manifest:
        planned = plan.manifests_by_place.get((image.item.destination_repository, digest))
        if planned is not None:
            return planned
        # What isn't to be pushed is there already.
        try:
            return destination.get_manifest(image.item.destination_repository, digest)
        except RegistryError as error:
            name = f"{plan.destination_of(image)}@{digest}"
            problem = "cannot be read, and only it shows which artifacts go with it"
            raise InvalidInput(f"plan.images: {name} {problem}: {error}", hint=HINT) from error

    found: set[str] = set()
    open_ = [Descriptor(image.media_type, image.digest, 0)]
    indexes = 0
    while open_:
        descriptor = open_.pop()
        if descriptor.digest in found:
            continue
        found.add(descriptor.digest)
        if descriptor.media_type in INDEX_TYPES:
            indexes += 1
            if indexes > _MAXIMUM_INDEXES:
                raise InvalidInput(f"plan.images: {image.digest} has too many indexes in it", hint=HINT)
            open_ += read(descriptor.digest).children()
    return found
