# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The plan of a promotion as plain values, in the shapes in which they are handed from task to task."""

from __future__ import annotations

import base64
import typing as t

from .._end._end import End
from .._images._contents import DAMAGED
from .._images._inspection import describe, describe_tree
from .._model._actions import CREATE, REPLACE
from .._model._errors import RegistryError
from .._model._manifest import Descriptor, Manifest, blobs_of
from .._run._parallel import run_all
from ._comparison import Comparison
from ._items import FAILED, PROMOTE, ImageItem, Plain

Summaries = dict[tuple[str, str], Plain]
"""What images are in the words of people, by repository at the source and digest."""


def plan(comparisons: t.Sequence[Comparison], source: End, destination: End, summaries: Summaries) -> Plain:
    """The plan as plain values: ``images`` with what is to be done for each, ``blobs``, ``manifests``, then
    ``artifact_tags`` and ``tags``.

    Nothing but a line in ``images`` is said about images that are equal.
    """
    blobs: dict[tuple[str, str, tuple[str, ...]], dict[str, Plain]] = {}
    manifests: dict[tuple[str, str], Plain] = {}
    artifact_tags: dict[tuple[str, str], Plain] = {}
    tags: list[Plain] = []
    for comparison in comparisons:
        if comparison.action != PROMOTE:
            continue
        item = comparison.item
        key = group_of(item, source, destination)
        content = contents(comparison)
        damaged = {entry.digest for entry in comparison.missing if entry.problem == DAMAGED}
        for blob in blobs_of(content):
            blobs.setdefault(key, {})[blob.digest] = {
                "digest": blob.digest,
                "size": blob.size,
                **_replaced(blob.digest, damaged),
            }
        for manifest in content:
            manifests[item.target, manifest.digest] = {
                "repository": item.target,
                "source_repository": item.repository,
                "digest": manifest.digest,
                "media_type": manifest.media_type,
                "content_base64": _base64(manifest),
                **_replaced(manifest.digest, damaged),
            }
        for artifact in comparison.artifacts:
            if artifact.tag and artifact.tree:
                artifact_tags[item.target, artifact.tag] = {
                    "repository": item.target,
                    "tag": artifact.tag,
                    "digest": artifact.digest,
                    "previous_digest": artifact.previous_digest,
                    "content_base64": manifests[item.target, artifact.digest]["content_base64"],
                }
        digest = t.cast(Descriptor, comparison.chosen).digest
        tops = [manifest for manifest in comparison.known if manifest.digest == digest]
        for tag in comparison.tags:
            if tag.action in (CREATE, REPLACE):
                entry: Plain = {
                    "repository": item.target,
                    "tag": tag.tag,
                    "digest": digest,
                    "previous_digest": tag.previous_digest,
                }
                if tops:
                    entry["content_base64"] = _base64(tops[0])
                if (item.repository, digest) in summaries:
                    entry["summary"] = summaries[item.repository, digest]
                tags.append(entry)
    return {
        "images": [_image(comparison, source, destination) for comparison in comparisons],
        "blobs": [
            {
                "repository": repository,
                "source_repository": source_repository,
                "mount_from": list(mount_from),
                "blobs": list(found.values()),
            }
            for (repository, source_repository, mount_from), found in blobs.items()
        ],
        "manifests": list(manifests.values()),
        "artifact_tags": list(artifact_tags.values()),
        "tags": tags,
    }


def group_of(item: ImageItem, source: End, destination: End) -> tuple[str, str, tuple[str, ...]]:
    """Under what the blobs of an image are grouped: repository, that at the source, and those to mount from."""
    # On one and the same registry, the repository of the source is the first to mount from.
    own = (item.repository,) if source.name == destination.name and item.repository != item.target else ()
    return item.target, item.repository, tuple(dict.fromkeys([*own, *item.mount_from]))


def _base64(manifest: Manifest) -> str:
    return base64.b64encode(manifest.content).decode("ascii")


def _replaced(digest: str, damaged: t.Container[str]) -> Plain:
    """The key of what is sent although it is there."""
    return {"replace": True} if digest in damaged else {}


def contents(comparison: Comparison) -> list[Manifest]:
    """The manifests that have to be pushed, children first.

    Artifacts are behind their subject: some registries refuse them before it is there.
    """
    return [*comparison.tree, *(part for artifact in comparison.artifacts for part in artifact.tree)]


def _image(comparison: Comparison, source: End, destination: End) -> Plain:
    item, found, chosen = comparison.item, comparison.source, comparison.chosen
    # What failed claims nothing: not that the image isn't there, either.
    existence = {} if comparison.action == FAILED and found is None else {"exists": found is not None}
    return {
        "reference": item.at_source(source),
        "destination": f"{destination.name}/{item.target}",
        "repository": item.repository,
        "destination_repository": item.target,
        **existence,
        "digest": "" if chosen is None else chosen.digest,
        "source_digest": "" if found is None else found.digest,
        "media_type": "" if chosen is None else chosen.media_type,
        "action": comparison.action,
        "reason": comparison.reason,
        "tags": [tag._asdict() for tag in comparison.tags],
        "layers_left_out": [
            {"digest": layer.digest, "media_type": layer.media_type, "size": layer.size}
            for layer in {
                layer.digest: layer for manifest in comparison.tree for layer in manifest.nondistributable_layers()
            }.values()
        ],
        "artifacts": [artifact.as_plain() for artifact in comparison.artifacts],
        "artifacts_compared": comparison.artifacts_compared,
        "missing": [entry._asdict() for entry in comparison.missing],
    }


def summarise_sources(comparisons: t.Sequence[Comparison], source: End) -> Summaries:
    """For a diff: what each image that is to be promoted is, in the words of people. This reads configs.

    Nothing is said about what was chosen of an index and is at the destination already: it isn't at the source.
    """

    def show(comparison: Comparison) -> Plain:
        chosen = t.cast(Descriptor, comparison.chosen)
        if comparison.tree:
            return describe_tree(source, comparison.item.repository, comparison.tree)
        return describe(source, comparison.item.repository, chosen.digest)

    shown = [
        comparison
        for comparison in comparisons
        if comparison.action == PROMOTE and (comparison.tree or not comparison.rewritten)
    ]
    summaries: Summaries = {}
    for comparison, outcome in zip(shown, run_all(show, shown, source.jobs)):
        if isinstance(outcome, RegistryError):
            raise outcome
        summaries[comparison.item.repository, t.cast(Descriptor, comparison.chosen).digest] = outcome
    return summaries
