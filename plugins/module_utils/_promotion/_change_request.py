# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The diff of a promotion, as a reviewer reads a change: one block for each image, its tags first, content as sums.

Nothing is asked of a registry here: what is said is what was done, or in check mode what would be.
"""

from __future__ import annotations

import collections
import typing as t

from .._model._actions import EXISTS, LEFT_OUT, MISSING, PUSH, REPLACE
from .._model._errors import printable
from .._model._manifest import Descriptor, Manifest, blobs_of
from ._items import MOVING, Plain
from ._outcomes import Outcomes
from ._plan import Place, Plan, PlannedImage
from ._plan_as_plain import judged_as_plain
from ._words import about_judgement, count, size

Hide = t.Callable[[str], str]
"""Takes the secrets of a task out of a text that others have chosen."""

_LONGEST = 200
"""Characters of a text that others have chosen. It is cut after secrets were taken out of it."""


class Described(t.NamedTuple):
    """What images are in the words of people, as :func:`.describe` says it; empty where that isn't known."""

    before: t.Mapping[Place, Plain]
    """What the tags that move served, by repository and tag."""
    after: t.Mapping[Place, Plain]
    """What is promoted, by repository at the destination and digest."""


def change_request(
    plan: Plan, outcomes: Outcomes, described: Described, hide: Hide, *, with_digests: bool = False
) -> list[Plain]:
    """A row of a diff for each image of which something was changed at the destination.

    A blob or manifest that several images need is new with the first of them, and kept by the others. ``with_digests``
    lists what is new by digest, too.
    """
    done = _Done(outcomes)
    blocks = [_Block(plan, image, done, described, hide) for image in plan.promoted]
    return [block.row(with_digests) for block in blocks if block.is_change]


class _Done:
    """What was done, by the things that it was done to. What one image has taken is there for the next."""

    def __init__(self, outcomes: Outcomes) -> None:
        self._new_blobs = {(one.repository, one.digest): one.action != EXISTS for one in outcomes.blobs.done}
        self._new_manifests = {(one.repository, one.digest): one.action == PUSH for one in outcomes.manifests.done}
        self.tags = {(one.repository, one.tag): one for one in outcomes.moved}

    def take_blobs(self, repository: str, blobs: t.Iterable[Descriptor]) -> tuple[list[Descriptor], list[Descriptor]]:
        """Those of the blobs that are new, and those that are kept; without what was never dealt with."""
        new: list[Descriptor] = []
        kept: list[Descriptor] = []
        for blob in blobs:
            place = (repository, blob.digest)
            if place in self._new_blobs:
                (new if self._new_blobs[place] else kept).append(blob)
                self._new_blobs[place] = False
        return new, kept

    def take_manifests(self, repository: str, manifests: t.Iterable[Manifest]) -> list[Manifest]:
        """Those of the manifests that are new."""
        new = []
        for manifest in manifests:
            place = (repository, manifest.digest)
            if self._new_manifests.get(place):
                new.append(manifest)
                self._new_manifests[place] = False
        return new


class _Block:
    """What was changed of one image."""

    def __init__(self, plan: Plan, image: PlannedImage, done: _Done, described: Described, hide: Hide) -> None:
        self._plan = plan
        self._image = image
        self._described = described
        self._hide = hide
        self._repository = image.item.destination_repository
        self._tags = [(tag.tag, done.tags.get((self._repository, tag.tag))) for tag in image.tags]
        self._artifact_tags = [
            done.tags[self._repository, artifact.tag]
            for artifact in image.copied_artifacts
            if (self._repository, artifact.tag) in done.tags
        ]
        layers = {layer.digest for manifest in plan.tree_of(image, ()) for layer in manifest.layers()}
        tree = plan.tree_of(image, image.copied_artifacts)
        self._manifests = done.take_manifests(self._repository, tree)
        self._blobs, kept = done.take_blobs(self._repository, blobs_of(tree))
        self._new_layers = [blob for blob in self._blobs if blob.digest in layers]
        self._kept_layers = [blob for blob in kept if blob.digest in layers]
        pushed = {manifest.digest for manifest in self._manifests}
        self._new_artifacts = [artifact for artifact in image.copied_artifacts if artifact.digest in pushed]

    @property
    def is_change(self) -> bool:
        """Whether anything was changed of the image itself."""
        moved = [*(outcome for _tag, outcome in self._tags if outcome), *self._artifact_tags]
        return bool(self._blobs or self._manifests) or any(one.action in MOVING for one in moved)

    def row(self, with_digests: bool) -> Plain:
        """The block as a row of a diff."""
        place = self._plan.destination_of(self._image)
        tags_before, tags_after = self._tag_lines()
        known_before, known_after = self._described_lines()
        after = [*tags_after, *known_after, *self._content_lines(with_digests), *self._judgement_lines()]
        return {
            "before_header": place,
            "before": _text([*tags_before, *known_before]),
            "after_header": f"{place} from {self._plan.reference_of(self._image)}",
            "after": _text(after),
        }

    def _tag_lines(self) -> tuple[list[str], list[str]]:
        """Every tag of the image, and those of artifacts that served something else."""
        before, after = [], []
        for planned, (tag, outcome) in zip(self._image.tags, self._tags):
            previous = planned.previous_digest if outcome is None else outcome.previous_digest
            moved = outcome is not None and outcome.action in MOVING
            if previous:
                before.append(f"tag {tag}: {self._served(tag, previous)}")
            if moved:
                made = self._made(self._described.after.get(self._image.place, {}))
                after.append(f"tag {tag}: {self._image.digest}{made}")
            elif previous:
                after.append(f"tag {tag}: {self._served(tag, previous)}")
        if not self._tags:
            after.append(f"without a tag: {self._image.digest}")
        for one in self._artifact_tags:
            if one.action == REPLACE:
                before.append(f"tag {one.tag} (artifact): {one.previous_digest}")
                after.append(f"tag {one.tag} (artifact): {one.digest}")
        return before, after

    def _served(self, tag: str, digest: str) -> str:
        """What a tag served, and when that was made."""
        place = (self._repository, tag)
        found = self._described.before.get(place, {})
        if digest == self._image.digest:
            found = self._described.after.get(self._image.place, {})
        return f"{digest}{self._made(found) if found.get('digest') == digest else ''}"

    def _made(self, found: Plain) -> str:
        return f", made {self._shown(found['created'])}" if found.get("created") else ""

    def _described_lines(self) -> tuple[list[str], list[str]]:
        """Platforms, size, and the labels that differ. Where the tags served several images, those of each."""
        after = self._described.after.get(self._image.place, {})
        replaced = [outcome for _tag, outcome in self._tags if outcome is not None and outcome.action == REPLACE]
        found = {one.previous_digest: self._described.before.get((one.repository, one.tag), {}) for one in replaced}
        before = [known for digest, known in found.items() if known.get("digest") == digest]
        if not after or not self._is_tagged:
            return [], []
        differing = self._differing_labels(before, after)
        return self._lines_of(before, differing), self._lines_of([after], differing)

    @property
    def _is_tagged(self) -> bool:
        """Whether something that wasn't served before is now, so that what it is matters."""
        return not self._tags or any(outcome is not None and outcome.action in MOVING for _tag, outcome in self._tags)

    def _differing_labels(self, before: t.Sequence[Plain], after: Plain) -> list[str]:
        names = sorted({name for known in (*before, after) for name in _labels(known)})
        values = {name: [_labels(known).get(name) for known in before] for name in names}
        return [name for name in names if not values[name] or set(values[name]) != {_labels(after).get(name)}]

    def _lines_of(self, known: t.Sequence[Plain], labels: t.Sequence[str]) -> list[str]:
        lines = [f"platforms: {self._shown(', '.join(one['platforms']))}" for one in known if one.get("platforms")]
        lines += [f"size: {size(one['total_size'])}" for one in known if "total_size" in one]
        lines += [
            f"label {self._shown(name)}: {self._shown(_labels(one)[name])}"
            for name in labels
            for one in known
            if name in _labels(one)
        ]
        return list(dict.fromkeys(lines))

    def _content_lines(self, with_digests: bool) -> list[str]:
        lines = []
        if self._new_layers or self._kept_layers:
            lines.append(f"layers: {_sum(self._new_layers)} new, {_sum(self._kept_layers)} kept")
        whole = sum(blob.size for blob in self._blobs) + sum(one.size for one in self._manifests)
        parts = [count(len(self._manifests), "manifest"), count(len(self._blobs), "blob")]
        lines.append(f"content: {' and '.join(parts)} new ({size(whole)})" if whole else "content: nothing new")
        if with_digests:
            lines += [f"  manifest {one.digest} ({size(one.size)})" for one in self._manifests]
            lines += [f"  blob {one.digest} ({size(one.size)})" for one in self._blobs]
        return [*lines, *self._artifact_lines()]

    def _artifact_lines(self) -> list[str]:
        lines = []
        if self._new_artifacts:
            kinds = collections.Counter(one.artifact_type or "of no type" for one in self._new_artifacts)
            told = ", ".join(f"{number} {self._shown(kind)}" for kind, number in sorted(kinds.items()))
            lines.append(f"artifacts: {told}")
        left = [artifact for artifact in self._image.artifacts if artifact.action in (LEFT_OUT, MISSING)]
        if left:
            reasons = "; ".join(dict.fromkeys(self._shown(artifact.reason) for artifact in left))
            lines.append(f"artifacts left behind: {len(left)} ({reasons})")
        if self._image.layers_left_out:
            lines.append(f"layers left out: {len(self._image.layers_left_out)} (non-distributable)")
        return lines

    def _judgement_lines(self) -> list[str]:
        lines = about_judgement(judged_as_plain(self._image))
        return list(map(self._shown, lines or [f"according to the plan, {line}" for line in self._image.claims]))

    def _shown(self, text: str) -> str:
        """A text that others have chosen, on one line."""
        shown = printable(self._hide(str(text)))
        return shown if len(shown) <= _LONGEST else f"{shown[:_LONGEST]}..."


def _labels(known: Plain) -> t.Mapping[str, str]:
    """The labels of what is described. A plan that was given may leave out any part of it."""
    labels: t.Mapping[str, str] = known.get("labels", {})
    return labels


def _sum(blobs: t.Sequence[Descriptor]) -> str:
    return f"{len(blobs)} ({size(sum(blob.size for blob in blobs))})" if blobs else "0"


def _text(lines: t.Sequence[str]) -> str:
    return "".join(f"{line}\n" for line in lines)
