# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The referrers API, in front of a registry that has none."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from errors import HarnessError
from faults.base import Answer, Fault, Request, RequestBody, json_answer

_INDEX = "application/vnd.oci.image.index.v1+json"
_LARGEST_MANIFEST = 4 * 1024 * 1024
_DIGEST = re.compile(r"(sha256|sha512):[a-f0-9]+")


class ReferrersAPI(Fault):
    name = "referrers-api"
    summary = "the referrers API (OCI 1.1) in front of a registry of the distribution family, which has none"
    argument = "unfiltered: artifactType is ignored, as the specification allows"
    choices = ("", "unfiltered")

    def before(self, request: Request) -> Answer | None:
        if request.kind == "manifest" and request.method == "PUT":
            request.notes[self.name] = subject_of_push(request)
            return None
        if request.kind != "referrers" or request.method != "GET":
            return None
        allowed = request.ask("GET", f"/v2/{request.repository}/tags/list")
        if allowed.status in (401, 403):
            return allowed
        request.acted.append(self.name)
        wanted = "" if self.choice else request.parameters.get("artifactType", "")
        found = [entry for entry in self._entries(request) if not wanted or entry.get("artifactType") == wanted]
        answer = index_answer(found)
        if wanted:
            answer.put("OCI-Filters-Applied", "artifactType")
        return answer

    def after(self, request: Request, answer: Answer) -> None:
        subject = request.notes.get(self.name)
        if subject and answer.status == 201:
            answer.put("OCI-Subject", subject)
            request.acted.append(self.name)

    @staticmethod
    def _entries(request: Request) -> Iterator[dict[str, Any]]:
        storage = request.upstream.storage
        if storage is None:
            raise HarnessError("referrers-api needs a registry whose storage is known.")
        for digest, content in _manifests(storage / "docker/registry/v2", request.repository):
            if _subject_of(content) != request.reference:
                continue
            manifest = json.loads(content)
            entry = {"mediaType": manifest["mediaType"], "digest": digest, "size": len(content)}
            kind = manifest.get("artifactType") or manifest.get("config", {}).get("mediaType")
            if kind:
                entry["artifactType"] = kind
            if manifest.get("annotations"):
                entry["annotations"] = manifest["annotations"]
            yield entry


def index_answer(entries: list[dict[str, Any]]) -> Answer:
    answer = json_answer(200, {"schemaVersion": 2, "mediaType": _INDEX, "manifests": entries})
    answer.put("Content-Type", _INDEX)
    return answer


def subject_of_push(request: Request) -> str:
    """The subject of a manifest that is pushed; empty where it has none. The request keeps its body."""
    if (request.body.size or 0) > _LARGEST_MANIFEST:
        return ""
    content = b"".join(request.body.pieces())
    request.body = RequestBody(io.BytesIO(content), len(content))
    return _subject_of(content)


def _manifests(root: Path, repository: str) -> Iterator[tuple[str, bytes]]:
    """All manifests that a repository holds, by digest."""
    for link in sorted((root / "repositories" / repository / "_manifests/revisions").glob("*/*/link")):
        try:
            digest = link.read_text(encoding="ascii")
            algorithm, _colon, encoded = digest.partition(":")
            yield digest, (root / "blobs" / algorithm / encoded[:2] / encoded / "data").read_bytes()
        except FileNotFoundError:
            continue  # deleted meanwhile


def _subject_of(content: bytes) -> str:
    try:
        digest = json.loads(content)["subject"]["digest"]
    except (ValueError, KeyError, TypeError):
        return ""
    return digest if isinstance(digest, str) and _DIGEST.fullmatch(digest) else ""
