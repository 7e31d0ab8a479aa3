# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""All that is reachable from a tag, read from a registry by a small client of its own."""

from __future__ import annotations

import hashlib
import json
from typing import Any
from urllib.parse import quote

import requests
from runs import REGISTRIES, check

from images import DOCKER_LIST, DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST

JSON = dict[str, Any]
COSIGN = (".sig", ".att", ".sbom")
_ACCEPT = ", ".join([OCI_INDEX, OCI_MANIFEST, DOCKER_LIST, DOCKER_MANIFEST])


class Side:
    """A repository of a registry without login."""

    def __init__(self, registry: str, repository: str) -> None:
        entry = REGISTRIES[registry]
        check(entry["login"] == "none" and not entry["tls"], f"{registry} is not open to all")
        self._base = f"http://{entry['address']}/v2/{repository}"
        self.name = f"{registry}/{repository}"

    def manifest(self, reference: str) -> bytes | None:
        """The bytes of a manifest; None where it isn't there."""
        answer = requests.get(f"{self._base}/manifests/{reference}", headers={"Accept": _ACCEPT}, timeout=30)
        if answer.status_code == 404:
            return None
        answer.raise_for_status()
        return answer.content

    def blob(self, digest: str) -> bytes:
        """The bytes of a blob. They have that digest."""
        answer = requests.get(f"{self._base}/blobs/{digest}", timeout=30)
        check(answer.status_code == 200, f"{self.name} has no blob {digest}: {answer.status_code}")
        algorithm, _colon, encoded = digest.partition(":")
        check(hashlib.new(algorithm, answer.content).hexdigest() == encoded, f"{self.name}: {digest} is damaged")
        return answer.content

    def referrers(self, digest: str) -> list[JSON]:
        """What refers to a digest: by the API, else by the tag schema."""
        answer = requests.get(f"{self._base}/referrers/{quote(digest)}", timeout=30)
        if answer.status_code == 200 and answer.headers["Content-Type"] == OCI_INDEX:
            return list(answer.json()["manifests"] or [])
        listed = self.manifest(digest.replace(":", "-"))
        return [] if listed is None else list(json.loads(listed)["manifests"])

    def reachable(self, tag: str) -> dict[str, bytes]:
        """Everything that a tag leads to, artifacts included: bytes by digest, and by cosign's tags."""
        top = self.manifest(tag)
        check(top is not None, f"{self.name} has no tag {tag}")
        found: dict[str, bytes] = {}
        self._walk("sha256:" + hashlib.sha256(top or b"").hexdigest(), found)
        return found

    def _walk(self, digest: str, found: dict[str, bytes]) -> None:
        if digest in found:
            return
        content = self.manifest(digest)
        if content is None:
            found[digest] = self.blob(digest)
            return
        found[digest] = content
        document = json.loads(content)
        for child in document.get("manifests", []):
            self._walk(child["digest"], found)
        for blob in [*([document["config"]] if "config" in document else []), *document.get("layers", [])]:
            if "nondistributable" not in blob["mediaType"]:
                found[blob["digest"]] = self.blob(blob["digest"])
        for referrer in self.referrers(digest):
            self._walk(referrer["digest"], found)
        for suffix in COSIGN:
            tag = digest.replace(":", "-") + suffix
            tagged = self.manifest(tag)
            if tagged is not None:
                found[tag] = tagged
                self._walk("sha256:" + hashlib.sha256(tagged).hexdigest(), found)
