# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The images of a schedule: from its numbers to manifests, and to what each repository has."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterable

from images import AMD64, ARM64, OCI_INDEX, OCI_LAYER, Blob, Manifest, artifact, content_blob, image, index
from schedule import ARTIFACT, DOCKER, INDEX, Node, Schedule
from seeding import Pusher


def list_tag(digest: str) -> str:
    """The tag of the list of what refers to a manifest."""
    return digest.replace(":", "-")


def list_of(manifests: Iterable[Manifest]) -> Manifest:
    """A list of referrers as clients keep it."""
    entries = [
        {**manifest.descriptor(), "artifactType": json.loads(manifest.body)["artifactType"]} for manifest in manifests
    ]
    body = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}
    return Manifest(OCI_INDEX, json.dumps(body, separators=(",", ":")).encode())


class Graph:
    """The manifests of a schedule by the number of their node."""

    def __init__(self, schedule: Schedule) -> None:
        self._schedule = schedule
        self._blobs = [self._blob(number, size) for number, size in enumerate(schedule.blobs)]
        self.manifests: list[Manifest] = []
        for number, node in enumerate(schedule.nodes):
            self.manifests.append(self._manifest(number, node))

    @staticmethod
    def _blob(number: int, size: int) -> Blob:
        blob = content_blob(OCI_LAYER, hashlib.shake_256(b"blob %d" % number).digest(size))
        return dataclasses.replace(blob, diff_id=blob.digest)

    def _manifest(self, number: int, node: Node) -> Manifest:
        if node.kind == INDEX:
            platforms = (AMD64, ARM64, None)
            return index([(self.manifests[part], platforms[at % 3]) for at, part in enumerate(node.parts)])
        if node.kind == ARTIFACT:
            subject = None if node.subject is None else self.manifests[node.subject]
            content = b"document %d, %d bytes" % (node.parts[0], self._schedule.blobs[node.parts[0]])
            # It leads to its subject, and doesn't have it.
            return dataclasses.replace(artifact(content, subject), manifests=())
        layers = [self._blobs[part] for part in node.parts]
        return image(layers, f"node {number}", docker=node.kind == DOCKER)

    def tree(self, number: int) -> set[int]:
        """The node and all below it."""
        node = self._schedule.nodes[number]
        found = {number}
        for part in node.parts if node.kind == INDEX else ():
            found |= self.tree(part)
        return found

    def with_referrers(self, nodes: set[int], offered: Iterable[int]) -> set[int]:
        """These nodes, and those of ``offered`` that refer to them, or to what refers to them."""
        found = set(nodes)
        for number in sorted(offered):
            if self._schedule.nodes[number].subject in found:
                found.add(number)
        return found

    def at_source(self, repository: int) -> set[int]:
        """All nodes that a repository of the source has."""
        nodes = [tagged.node for tagged in self._schedule.images if tagged.repository == repository]
        trees = set().union(*(self.tree(node) for node in nodes))
        return self.with_referrers(trees, range(len(self.manifests)))

    def referrers(self, nodes: Iterable[int]) -> dict[str, list[Manifest]]:
        """What refers to what, by the digest of the subject, of these nodes."""
        found: dict[str, list[Manifest]] = {}
        for number in sorted(nodes):
            subject = self._schedule.nodes[number].subject
            if subject is not None:
                found.setdefault(self.manifests[subject].digest, []).append(self.manifests[number])
        return found

    def seed(self, source: Pusher, destination: Pusher, names: Names) -> None:
        """Push all that the source has, and what the destination has from before."""
        for position, tagged in enumerate(self._schedule.images):
            source.push_manifest(names.source(tagged.repository), self.manifests[tagged.node], names.tag(position))
            if tagged.standing is not None:
                older = self.manifests[tagged.standing]
                destination.push_manifest(names.destination(tagged.destination), older, names.tag(position))
        for repository in sorted({tagged.repository for tagged in self._schedule.images}):
            nodes = self.at_source(repository)
            name = names.source(repository)
            for number in sorted(nodes):
                source.push_manifest(name, self.manifests[number], self.manifests[number].digest)
            for digest, found in self.referrers(nodes).items():
                source.push_manifest(name, list_of(found), list_tag(digest))
        for repository, node in self._schedule.present:
            manifest = self.manifests[node]
            destination.push_manifest(names.destination(repository), manifest, manifest.digest)


class Names:
    """Repositories and tags of one schedule; no other schedule has them."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix

    def source(self, repository: int) -> str:
        return f"{self._prefix}/app-{repository}"

    def destination(self, repository: int) -> str:
        return f"{self._prefix}/app-{repository}"

    @staticmethod
    def tag(position: int) -> str:
        return f"v{position}"
