# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Some platforms of an index: rewritten so that the same choice always gives the same digest."""

from __future__ import annotations

import json
import typing as t

from .._end._end import End
from .._model._digest import algorithm_of, compute_digest
from .._model._errors import InvalidInput
from .._model._manifest import INDEX_TYPES, Descriptor, Manifest
from .._model._platform import is_meant_by
from .._model._shown import first_of

SOURCE_ANNOTATION = "io.github.imageops.registry.source-index.digest"
"""Under which annotation a rewritten index names the digest of the index that it was made from."""

ATTESTATION_TYPE = "vnd.docker.reference.type"
"""What BuildKit annotates the children of an index with that are attestations of others."""
_ATTESTATION_SUBJECT = "vnd.docker.reference.digest"
_IMAGES_NAMED = 5
_MAXIMUM_DEPTH = 8
_MAXIMUM_INDEXES = 1000


class PlatformMissing(InvalidInput):
    """An index has no image for a platform that was asked for, or several where one was."""


class PlatformChoice(t.NamedTuple):
    """What some platforms of an index are."""

    chosen: Descriptor
    """What is to be promoted: the rewritten index, the index itself where nothing was left out, or a single image."""
    rewritten: t.Mapping[str, Manifest]
    """Indexes that aren't at the source, by digest."""


def choose_platforms(
    registry: End, repository: str, index: Manifest, wanted: t.Sequence[str], *, flatten: bool
) -> PlatformChoice:
    """Leave the platforms out that aren't wanted, with all that belongs to them, in nested indexes as well.

    Attestations that BuildKit lists beside an image stay with it. What has no platform is left out. With ``flatten``
    the image for the one platform is taken itself. Raises :class:`PlatformMissing`.
    """
    rewriter = _Rewriter(registry, repository, wanted)
    result = rewriter.rewrite(index, 1)
    missing = [platform for platform in wanted if platform not in rewriter.found]
    if missing:
        raise PlatformMissing(
            f"it has no image for {', '.join(missing)}",
            hint=f"It has {', '.join(sorted(rewriter.seen)) or 'no platforms'}",
        )
    if not flatten:
        return PlatformChoice(index.descriptor if result is None else result.descriptor, rewriter.rewritten)
    images = list({image.digest: image for image in rewriter.images}.values())
    if len(images) != 1:
        raise _several(images, wanted, rewriter.versions)
    return PlatformChoice(images[0], {})


def _several(images: t.Sequence[Descriptor], wanted: t.Sequence[str], versions: t.Mapping[str, str]) -> PlatformMissing:
    """Why flatten can't choose, and how to name one of the images: by its platform, or where that is the same, not so.

    ``versions`` are the ``os.version`` of the images' platforms, by digest: Windows has an image for each.
    """
    reason = f"it has {len(images)} images for {', '.join(wanted)}, and flatten takes one"
    platforms = sorted({image.platform for image in images})
    if len(platforms) == len(images):
        return PlatformMissing(reason, hint="Name one platform with its variant: " + ", ".join(platforms))
    named = [
        f"{image.digest} ({image.platform}, os.version {versions[image.digest] or 'not given'})" for image in images
    ]
    differ = "they differ in os.version" if len(set(versions.values())) > 1 else "they have the same platform"
    return PlatformMissing(
        f"{reason}; {differ}",
        hint=f"Give the digest of one of them in place of the tag: {first_of(named, _IMAGES_NAMED)}. Without flatten, "
        "all of them are taken, as an index",
    )


class _Rewriter:
    """Rewrites one index, and remembers on the way what it met."""

    def __init__(self, registry: End, repository: str, wanted: t.Sequence[str]) -> None:
        self._registry = registry
        self._repository = repository
        self._wanted = wanted
        self.found: set[str] = set()
        self.seen: set[str] = set()
        self.images: list[Descriptor] = []
        self.versions: dict[str, str] = {}
        """The ``os.version`` of their platforms, by digest; empty where there is none."""
        self.rewritten: dict[str, Manifest] = {}
        self._nested: dict[str, Manifest | None] = {}

    def rewrite(self, index: Manifest, depth: int) -> Manifest | None:
        """The index with what is wanted; None where that is all of it. It may be empty."""
        if depth > _MAXIMUM_DEPTH:
            raise InvalidInput(f"the index has more than {_MAXIMUM_DEPTH} levels").within(
                f"read {self._registry.name}/{self._repository}@{index.digest}"
            )
        children = index.children()
        entries = [dict(entry) for entry in index.document.get("manifests") or []]
        kept: list[dict[str, t.Any]] = []
        images: set[str] = set()
        changed = False
        for child, entry in zip(children, entries):
            if child.media_type in INDEX_TYPES:
                inner = self._rewrite_nested(child, depth + 1)
                if inner is not None:
                    changed = True
                    if not inner.children():
                        self.rewritten.pop(inner.digest, None)
                        continue
                    entry.update(digest=inner.digest, size=inner.size)
                    # A copy of the bytes that it had.
                    entry.pop("data", None)
                kept.append(entry)
            elif self._is_wanted(child):
                images.add(child.digest)
                self.images.append(child)
                self.versions[child.digest] = str(entry["platform"].get("os.version") or "")
                kept.append(entry)
            elif child.annotations.get(ATTESTATION_TYPE):
                # Decided when all images are known.
                kept.append(entry)
        whole = [entry for entry in kept if _belongs(entry, images)]
        if not changed and len(whole) == len(entries):
            return None
        rewritten = _written(index, whole)
        self.rewritten[rewritten.digest] = rewritten
        return rewritten

    def _rewrite_nested(self, child: Descriptor, depth: int) -> Manifest | None:
        digest = child.digest
        if digest not in self._nested:
            if len(self._nested) >= _MAXIMUM_INDEXES:
                raise InvalidInput(f"the index has more than {_MAXIMUM_INDEXES} indexes within").within(
                    f"read {self._registry.name}/{self._repository}@{digest}"
                )
            index = self._registry.get_manifest(self._repository, digest, child.media_type)
            self._nested[digest] = self.rewrite(index, depth)
        return self._nested[digest]

    def _is_wanted(self, child: Descriptor) -> bool:
        if not child.platform or child.annotations.get(ATTESTATION_TYPE):
            return False
        self.seen.add(child.platform)
        meant = {wanted for wanted in self._wanted if is_meant_by(child.platform, wanted)}
        self.found |= meant
        return bool(meant)


def _belongs(entry: t.Mapping[str, t.Any], images: t.Container[str]) -> bool:
    annotations = entry.get("annotations")
    if not isinstance(annotations, dict) or not annotations.get(ATTESTATION_TYPE):
        return True
    subject = annotations.get(_ATTESTATION_SUBJECT)
    return isinstance(subject, str) and subject in images


def _written(index: Manifest, entries: list[dict[str, t.Any]]) -> Manifest:
    """The index with other entries. Order and spelling of keys are kept, so the same input gives the same digest."""
    annotations = {**index.annotations, SOURCE_ANNOTATION: index.digest}
    document = {**index.document, "manifests": entries, "annotations": annotations}
    content = json.dumps(document, separators=(",", ":")).encode("ascii")
    return Manifest.parse(content, index.media_type, compute_digest(content, algorithm_of(index.digest)))
