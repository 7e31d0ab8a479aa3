# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Looking deeper than tags: whether all that an image leads to is at the destination, and a plan for what isn't.

What is to be pushed anyway isn't looked at. What is there is read from the destination, so the source is asked for
nothing but what is missing.
"""

from __future__ import annotations

import typing as t

from .._blobs._look import BlobKey, blob_key, is_loss, look_at_blobs
from .._end._end import End
from .._images._artifacts import Artifact
from .._images._contents import Depth, Missing, look_at_manifest, problem_of
from .._images._inspection import MAXIMUM_DEPTH, MAXIMUM_MANIFESTS, MAXIMUM_TREE, children_first, too_large
from .._model._actions import BLOB, COPY, EXISTS, FAILED, MANIFEST, MISSING, PROMOTE, UNCHANGED
from .._model._errors import NotFound, RegistryError
from .._model._manifest import INDEX_TYPES, MANIFEST_TYPES, Descriptor, Manifest, blobs_of
from .._run._parallel import run_all
from ._comparison import Comparison

Place = tuple[str, str]
"""A repository and a digest."""
Look = t.Union[Manifest, Descriptor, RegistryError]
"""What a look at a manifest has found."""


def verify_contents(
    source: End, destination: End, comparisons: t.Sequence[Comparison], depth: Depth, *, repair: bool
) -> list[Comparison]:
    """The comparisons, with what the destination lacks of content that stands there; in their order.

    Of images whose tags point to their digest, or whose digest is there, and of their artifacts, as far as those were
    compared. Each digest of a repository is asked for once. Where something is missing, the image has failed, or with
    ``repair`` is planned to be promoted, with what is missing in its tree.
    """
    if not depth.is_deep:
        return list(comparisons)
    trees = [tree for place, comparison in enumerate(comparisons) for tree in _trees_of(place, comparison)]
    _Walk(source, destination, depth).walk(trees)
    if depth.with_blobs:
        _look_at_blobs(destination, trees, depth)
    found: dict[int, list[_Tree]] = {}
    for tree in trees:
        found.setdefault(tree.place, []).append(tree)
    return [
        _verified(source, destination, comparison, found.get(place, []), depth, repair)
        for place, comparison in enumerate(comparisons)
    ]


class _Tree:
    """An image, or an artifact of one, at the destination, as far as it is known."""

    def __init__(
        self,
        place: int,
        comparison: Comparison,
        top: Descriptor,
        pushed: t.Sequence[Manifest] = (),
        artifact: int | None = None,
        needed_by: str = "",
    ) -> None:
        self.place = place
        self.artifact = artifact
        """Which of the image's artifacts it is; None for the image."""
        self.top = top.digest
        self.repository = comparison.item.repository
        self.destination_repository = comparison.item.destination_repository
        self.rewritten = comparison.rewritten
        self.pushed = {manifest.digest: manifest for manifest in pushed}
        """What is to be pushed anyway."""
        self.manifests: dict[str, Manifest] = {}
        self.missing: list[Missing] = []
        self.error: RegistryError | None = None
        self.beyond_repair: RegistryError | None = None
        """Why the source doesn't have what is missing."""
        self.open = {top.digest: (top, needed_by)}
        """What is to be looked at next, and what needs it."""
        self._seen = {top.digest}

    def advance(self, looks: t.Mapping[Place, Look], at_source: t.Mapping[Place, Manifest | RegistryError]) -> None:
        """Take in what was found of what was open. The children of that are open next."""
        asked, self.open = self.open, {}
        for digest, (descriptor, needed_by) in asked.items():
            manifest = self._take_in(descriptor, needed_by, looks, at_source)
            if self.error is not None:
                self.open = {}
                return
            if manifest is not None:
                self.manifests[digest] = manifest
                self._open_children(manifest)

    def _take_in(
        self,
        descriptor: Descriptor,
        needed_by: str,
        looks: t.Mapping[Place, Look],
        at_source: t.Mapping[Place, Manifest | RegistryError],
    ) -> Manifest | None:
        digest = descriptor.digest
        if digest in self.pushed:
            return self.pushed[digest]
        look = looks[self.destination_repository, digest]
        if not isinstance(look, RegistryError):
            return look if isinstance(look, Manifest) else None
        if not is_loss(look):
            self.error = look
            return None
        self._miss(MANIFEST, descriptor, needed_by, look)
        if digest in self.rewritten:
            return self.rewritten[digest]
        read = at_source[self.repository, digest]
        if isinstance(read, NotFound):
            self.beyond_repair = read
        elif isinstance(read, RegistryError):
            self.error = read
        return read if isinstance(read, Manifest) else None

    def _open_children(self, manifest: Manifest) -> None:
        for child in manifest.children():
            if child.media_type in MANIFEST_TYPES and child.digest not in self._seen:
                self._seen.add(child.digest)
                self.open[child.digest] = (child, manifest.digest)

    def check_size(self, depth: int, source: End) -> None:
        """Give up what is nested too deep, or has too many manifests, or too large ones."""
        size = sum(manifest.size for manifest in self.manifests.values())
        if size > MAXIMUM_TREE or (self.open and (depth > MAXIMUM_DEPTH or len(self._seen) > MAXIMUM_MANIFESTS)):
            self.error = too_large(source, self.repository, self.top)
            self.open = {}

    def blobs(self) -> t.Iterator[tuple[Descriptor, str]]:
        """The blobs of what isn't pushed anyway, and what needs them."""
        if self.error is None:
            for digest, manifest in self.manifests.items():
                if digest not in self.pushed:
                    yield from ((blob, digest) for blob in blobs_of([manifest]))

    def take_in_blobs(self, looks: t.Mapping[BlobKey, RegistryError | None]) -> None:
        """Take in what was found of the blobs."""
        for blob, needed_by in self.blobs():
            error = looks[blob_key((self.destination_repository, blob))]
            if error is not None and not is_loss(error):
                self.error = error
            elif error is not None:
                self._miss(BLOB, blob, needed_by, error)

    def _miss(self, kind: str, lost: Descriptor, needed_by: str, error: RegistryError) -> None:
        problem = problem_of(error)
        self.missing.append(
            Missing(self.destination_repository, lost.digest, kind, lost.size, needed_by, problem, str(error))
        )

    def to_push(self) -> list[Manifest]:
        """What has to be pushed, children first: what is missing, what lacks a blob, and all that lead to it."""
        wanted = {entry.digest for entry in self.missing if entry.kind == MANIFEST} | set(self.pushed)
        wanted.update(entry.needed_by for entry in self.missing if entry.kind == BLOB)
        chosen: dict[str, Manifest] = {}
        for manifest in children_first(self.manifests, self.top):
            if manifest.digest in wanted or any(child.digest in chosen for child in manifest.children()):
                chosen[manifest.digest] = manifest
        return list(chosen.values())

    def standing(self) -> frozenset[str]:
        """The digests of those that are there."""
        lost = {entry.digest for entry in self.missing if entry.kind == MANIFEST}
        return frozenset(digest for digest in self.manifests if digest not in lost and digest not in self.pushed)


def _trees_of(place: int, comparison: Comparison) -> t.Iterator[_Tree]:
    stands = any(tag.action == EXISTS for tag in comparison.tags)
    if comparison.chosen is None or not (comparison.action in (UNCHANGED, PROMOTE) or stands):
        return
    if comparison.reason:
        # Refused or failed for another cause: that is told, and nothing is promoted.
        return
    yield _Tree(place, comparison, comparison.chosen, comparison.tree)
    for number, artifact in enumerate(comparison.artifacts):
        if _is_there(artifact):
            top = Descriptor("", artifact.digest, 0)
            yield _Tree(place, comparison, top, artifact=number, needed_by=artifact.subject)


def _is_there(artifact: Artifact) -> bool:
    """Whether the destination says that it has the artifact. A tag of cosign may point to one with more signatures."""
    return artifact.action == EXISTS and artifact.previous_digest in ("", artifact.digest)


class _Walk:
    """The way through all trees at a time, level by level."""

    def __init__(self, source: End, destination: End, depth: Depth) -> None:
        self._source = source
        self._destination = destination
        self._depth = depth
        self._looks: dict[Place, Look] = {}
        self._at_source: dict[Place, Manifest | RegistryError] = {}

    def walk(self, trees: t.Sequence[_Tree]) -> None:
        """Go through the trees to their ends."""
        level = 1
        while any(tree.open for tree in trees):
            self._look([tree for tree in trees if tree.open])
            self._read_missing([tree for tree in trees if tree.open])
            level += 1
            for tree in trees:
                tree.advance(self._looks, self._at_source)
                tree.check_size(level, self._source)

    def _look(self, trees: t.Sequence[_Tree]) -> None:
        reads: dict[Place, bool] = {}
        types: dict[Place, str] = {}
        for tree in trees:
            for digest, (descriptor, _needed_by) in tree.open.items():
                place = (tree.destination_repository, digest)
                if digest not in tree.pushed and place not in self._looks:
                    is_leaf = descriptor.media_type not in (*INDEX_TYPES, "")
                    reads[place] = reads.get(place, False) or not is_leaf or self._depth.with_blobs
                    types[place] = types.get(place) or descriptor.media_type

        def look(place: Place) -> Manifest | Descriptor:
            return look_at_manifest(self._destination, *place, read=reads[place], media_type=types[place])

        self._looks.update(zip(reads, run_all(look, list(reads), self._destination.jobs)))

    def _read_missing(self, trees: t.Sequence[_Tree]) -> None:
        places = {
            (tree.repository, digest): descriptor.media_type
            for tree in trees
            for digest, (descriptor, _needed_by) in tree.open.items()
            if digest not in tree.pushed
            and digest not in tree.rewritten
            and self._is_lost((tree.destination_repository, digest))
        }
        asked = [place for place in places if place not in self._at_source]
        read = run_all(lambda place: self._source.get_manifest(*place, places[place]), asked, self._source.jobs)
        self._at_source.update(zip(asked, read))

    def _is_lost(self, place: Place) -> bool:
        look = self._looks[place]
        return isinstance(look, RegistryError) and is_loss(look)


def _look_at_blobs(destination: End, trees: t.Sequence[_Tree], depth: Depth) -> None:
    places = [(tree.destination_repository, blob) for tree in trees for blob, _needed_by in tree.blobs()]
    looks = look_at_blobs(destination, places, read=depth.content)
    for tree in trees:
        tree.take_in_blobs(looks)


def _verified(
    source: End, destination: End, comparison: Comparison, trees: t.Sequence[_Tree], depth: Depth, repair: bool
) -> Comparison:
    errors = [tree.error for tree in trees if tree.error is not None]
    if errors:
        return comparison._replace(action=FAILED, tree=(), reason=str(errors[0]))
    missing = tuple({(entry.kind, entry.digest): entry for tree in trees for entry in tree.missing}.values())
    if not missing:
        return comparison
    comparison = comparison._replace(missing=missing)
    beyond_repair = [tree.beyond_repair for tree in trees if tree.beyond_repair is not None]
    if not repair:
        hint = "With repair: true it is pushed again"
    elif beyond_repair:
        hint = f"The source does not have it either: {beyond_repair[0]}"
    else:
        return _with_repair(comparison, trees)
    return comparison._replace(
        action=FAILED, tree=(), reason=_sentence(source, destination, comparison, depth, hint.rstrip("."))
    )


def _with_repair(comparison: Comparison, trees: t.Sequence[_Tree]) -> Comparison:
    artifacts = list(comparison.artifacts)
    for tree in trees:
        if not tree.missing:
            continue
        parts = tuple(tree.to_push())
        if tree.artifact is None:
            comparison = comparison._replace(tree=parts, standing=tree.standing())
        else:
            artifacts[tree.artifact] = artifacts[tree.artifact]._replace(
                action=COPY, tree=parts, reason="the destination does not have it whole"
            )
    return comparison._replace(action=PROMOTE, artifacts=tuple(artifacts))


def _sentence(source: End, destination: End, comparison: Comparison, depth: Depth, hint: str) -> str:
    first, others = comparison.missing[0], len(comparison.missing) - 1
    more = f" and {others} more {'thing' if others == 1 else 'things'}" if others else ""
    what = "is missing" if first.problem == MISSING else "has a damaged"
    return (
        f"{destination.name}/{first.repository} {what} {first.kind} {first.digest}{more}, which "
        f"{comparison.item.at_source(source.name)} needs (verify: {depth.level}). {hint}."
    )
