# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Images with the labels, annotations and signed statements that a test asks for."""

from __future__ import annotations

import json
from typing import NamedTuple

from openssl_signatures import BUNDLE, OCI_MANIFEST, Keys, Signatures, b64, digest_of
from runs import Plain, connection, task

CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"
RECORD = "https://github.com/imageops/registry/promotion/v1"
"""The predicate type of a promotion record."""


class Made(NamedTuple):
    """An image, as it is made."""

    repository: str
    labels: Plain = {}
    annotations: Plain = {}
    platform: str = "amd64"
    created: str = "2020-01-01T00:00:00Z"
    layer: int = 10
    """Bytes."""
    tag: str = "1.0"
    statements: tuple[tuple[str, str, Plain], ...] = ()
    """What is attached: key, predicate type and predicate."""

    @property
    def digest(self) -> str:
        return digest_of(self._manifest())

    @property
    def named(self) -> Plain:
        """As an entry of ``images``."""
        return {"repository": self.repository, "tag": self.tag}

    def tasks(self, registry: str, keys: Keys) -> list[Plain]:
        """The tasks that push it."""
        content = self._manifest()
        work = Signatures(keys, content)
        attached = [
            work.holding([work.statement(key, kind=kind, **predicate)], BUNDLE)
            for key, kind, predicate in self.statements
        ]
        there = {**connection(registry), "repository": self.repository}
        pushed = [*self._blobs().values(), *work.blobs.values()]
        tasks = [task("blob", {**there, "content_base64": b64(one)}) for one in pushed]
        manifests = [{"digest": work.digest, "content_base64": b64(content)}, *attached]
        tasks += [task("manifest", {**there, **one}) for one in manifests]
        return [*tasks, task("tag", {**there, "tag": self.tag, "digest": work.digest})]

    def _blobs(self) -> dict[str, bytes]:
        """Config and layer, by media type."""
        config = {"os": "linux", "architecture": self.platform, "created": self.created}
        return {CONFIG: json.dumps({**config, "config": {"Labels": self.labels}}).encode(), LAYER: b"x" * self.layer}

    def _manifest(self) -> bytes:
        descriptors = {kind: _described(kind, content) for kind, content in self._blobs().items()}
        document = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": descriptors[CONFIG]}
        document.update(layers=[descriptors[LAYER]], annotations=self.annotations)
        return json.dumps(document).encode()


def _described(kind: str, content: bytes) -> Plain:
    return {"mediaType": kind, "digest": digest_of(content), "size": len(content)}
