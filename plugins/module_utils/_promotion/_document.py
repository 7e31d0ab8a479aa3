# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The image document: what a gate sees of an image, and what the module ``image_info`` returns.

One shape for images, indexes and artifacts. Each part is read when it is asked for, and once.
"""

from __future__ import annotations

import datetime
import functools
import typing as t

from .._end._end import End
from .._images._inspection import read_tree
from .._images._listing import ImageName
from .._images._runnable_images import RunnableImage, kind_of, runnable_images
from .._model._manifest import Manifest, blobs_of
from .._model._times import age_of, format_time, parse_time
from ._attached_records import AttachedRecord, records_among
from ._referrer_facts import Referrer, find_referrers_of
from ._trust import NOBODY, Trust

Plain = dict[str, t.Any]


class Surroundings(t.NamedTuple):
    """What a document says beside the image itself: by whom it is trusted, where it goes, since when it is known."""

    now: datetime.datetime
    """In UTC, the same for all images of a task."""
    trust: Trust = NOBODY
    """Who may have signed records of promotions."""
    signatures: t.Sequence[Plain] = ()
    """As results have them."""
    destination: Plain | None = None
    """In a promotion: registry, repository and tags."""
    first_seen: datetime.datetime | None = None
    """When its digest was first met, in UTC; None where nobody keeps that."""


class ImageDocument:
    """What is known of one image. Its parts raise what keeps them from being read."""

    def __init__(
        self,
        registry: End,
        name: ImageName,
        manifest: Manifest,
        reference: str,
        surroundings: Surroundings,
        known: t.Iterable[Manifest] = (),
    ) -> None:
        """``reference`` is how people write the image. ``known`` are manifests below it that needn't be read."""
        self._registry = registry
        self._repository = name.repository
        self._tag = name.tag
        self._manifest = manifest
        self._reference = reference
        self._surroundings = surroundings
        self._now = surroundings.now
        self._known = {one.digest: one for one in (*known, manifest)}

    def part(self, name: str) -> t.Any:
        """One part of the document, as a plain value. Raises :class:`KeyError` where there is no such part."""
        return PARTS[name](self)

    def as_plain(self, names: t.Collection[str] | None = None) -> Plain:
        """The document, or these parts of it."""
        return {name: self.part(name) for name in PARTS if names is None or name in names}

    @functools.cached_property
    def tree(self) -> list[Manifest]:
        """All manifests, children before parents."""
        return read_tree(self._registry, self._repository, self._manifest.digest, self._known)

    @functools.cached_property
    def images(self) -> list[RunnableImage]:
        """The images that can be run."""
        return runnable_images(self._registry, self._repository, self.tree)

    @property
    def problem(self) -> str:
        """Why something that :data:`CONFIG_PARTS` are told from couldn't be read; empty where all was."""
        return next((f"{image.manifest.digest}: {image.problem}" for image in self.images if image.problem), "")

    @functools.cached_property
    def referrers(self) -> list[Referrer]:
        """What refers to the digest and to its children."""
        children = [manifest.digest for manifest in self.tree if manifest.digest != self._manifest.digest]
        return find_referrers_of(self._registry, self._repository, [self._manifest.digest, *children])

    @functools.cached_property
    def promotions(self) -> list[AttachedRecord]:
        """The records of promotions that are attached to the digest."""
        return records_among(self._registry, self._repository, self._manifest, self.referrers, self._surroundings.trust)

    @property
    def created(self) -> str:
        """When the youngest of its images was made; empty where none of them says it."""
        return max((image.created for image in self.images), key=_moment, default="")

    @property
    def labels(self) -> dict[str, str]:
        """The labels that all its images have with the same value."""
        first, *others = [image.labels for image in self.images] or [{}]
        return {name: value for name, value in first.items() if all(one.get(name) == value for one in others)}

    def _total_size(self) -> int:
        return sum(manifest.size for manifest in self.tree) + sum(blob.size for blob in blobs_of(self.tree))

    def _first_seen_at(self) -> str | None:
        first = self._surroundings.first_seen
        return None if first is None else format_time(first)

    def _first_seen_seconds(self) -> int | None:
        first = self._surroundings.first_seen
        return None if first is None else max(0, int((self._now - first).total_seconds()))

    def _platforms(self) -> list[str]:
        return sorted({image.platform for image in self.images if image.platform})

    def _image_as_plain(self, image: RunnableImage) -> Plain:
        return {
            "digest": image.manifest.digest,
            "platform": image.platform or None,
            "created": image.created or None,
            "age_seconds": age_of(image.created, self._now),
            "labels": image.labels,
            "annotations": image.manifest.annotations,
            "config": image.config or None,
            "layers": [
                {"digest": layer.digest, "media_type": layer.media_type, "size": layer.size}
                for layer in image.manifest.layers()
            ],
            "total_size": image.total_size,
        }


def _moment(created: str) -> datetime.datetime:
    return parse_time(created) or datetime.datetime.min


def _referrer_as_plain(referrer: Referrer) -> Plain:
    manifest = referrer.manifest
    return {
        "digest": referrer.descriptor.digest,
        "artifact_type": referrer.artifact_type or None,
        "annotations": dict(referrer.descriptor.annotations) if manifest is None else manifest.annotations,
        "size": referrer.descriptor.size if manifest is None else manifest.size,
        "subject": referrer.subject,
        "found_by": referrer.found_by,
        "predicate_types": referrer.predicate_types,
    }


PARTS: t.Mapping[str, t.Callable[[ImageDocument], t.Any]] = {
    "reference": lambda document: document._reference,
    "registry": lambda document: document._registry.name,
    "repository": lambda document: document._repository,
    "tag": lambda document: document._tag or None,
    "digest": lambda document: document._manifest.digest,
    "media_type": lambda document: document._manifest.media_type,
    "artifact_type": lambda document: document._manifest.artifact_type or None,
    "kind": lambda document: kind_of(document._manifest),
    "total_size": ImageDocument._total_size,
    "annotations": lambda document: document._manifest.annotations,
    "manifest": lambda document: document._manifest.document,
    "images": lambda document: [document._image_as_plain(image) for image in document.images],
    "platforms": ImageDocument._platforms,
    "created": lambda document: document.created or None,
    "age_seconds": lambda document: age_of(document.created, document._now),
    "labels": lambda document: document.labels,
    "referrers": lambda document: [_referrer_as_plain(referrer) for referrer in document.referrers],
    "signatures": lambda document: list(document._surroundings.signatures),
    "promotions": lambda document: [record.as_plain(document._now) for record in document.promotions],
    "destination": lambda document: document._surroundings.destination,
    "first_seen_at": ImageDocument._first_seen_at,
    "first_seen_seconds": ImageDocument._first_seen_seconds,
    "now": lambda document: format_time(document._now),
}
"""The keys of the document, in the order in which they are documented, and how each is told."""
CONFIG_PARTS = frozenset(["images", "platforms", "created", "age_seconds", "labels"])
"""Those that are told from the configs of images."""
