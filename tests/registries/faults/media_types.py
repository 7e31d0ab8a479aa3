# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Registries with manifests of types that others don't take, or that call or refuse manifests by their types."""

from __future__ import annotations

import hashlib
import io
import json
import re

from faults.base import Answer, Fault, FirstTries, Request, RequestBody, error_answer, json_answer

_INDEX = "application/vnd.oci.image.index.v1+json"
_DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
_DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
_INDEX_TYPES = (_INDEX, _DOCKER_LIST)
_COSIGN_TAG = re.compile(r"sha256-(?P<encoded>[a-f0-9]{64})\.sig")


class ForeignReferrer(Fault):
    name = "foreign-referrer"
    summary = "every manifest has a referrer of a type that cannot be pushed; it is 404 unless Accept names that type"
    argument = "oci (default) or oras: a withdrawn type; other: an unknown one; or cosign: withdrawn, under a tag .sig"
    choices = ("oci", "oras", "other", "cosign")
    types = {
        "oci": "application/vnd.oci.artifact.manifest.v1+json",
        "oras": "application/vnd.cncf.oras.artifact.manifest.v1+json",
        "other": "application/vnd.imageops.example.manifest.v9+json",
        "cosign": "application/vnd.oci.artifact.manifest.v1+json",
    }

    def __init__(self, argument: str) -> None:
        super().__init__(argument)
        self._type = self.types[self.choice]
        self._made: dict[str, bytes] = {}

    def before(self, request: Request) -> Answer | None:
        if request.method not in ("GET", "HEAD"):
            return None
        if request.kind == "referrers" and self.choice != "cosign":
            return self._list(request)
        tagged = _COSIGN_TAG.fullmatch(request.tag) if self.choice == "cosign" else None
        if request.kind == "manifest" and tagged is not None:
            subject = f"sha256:{tagged['encoded']}"
            return None if subject in self._made else self._serve(request, self._make(subject))
        if request.kind == "manifest" and request.reference in self._made:
            return self._serve(request, request.reference)
        return None

    def _make(self, subject: str) -> str:
        """A manifest that refers to another one. Returns its digest."""
        content = json.dumps({"mediaType": self._type, "blobs": [], "subject": {"digest": subject}}).encode()
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        self._made[digest] = content
        return digest

    def _list(self, request: Request) -> Answer:
        request.acted.append(self.name)
        entries = []
        # Nothing refers to the referrer itself.
        if request.reference not in self._made:
            digest = self._make(request.reference)
            entries = [{"mediaType": self._type, "digest": digest, "size": len(self._made[digest])}]
        answer = json_answer(200, {"schemaVersion": 2, "mediaType": _INDEX, "manifests": entries})
        answer.put("Content-Type", _INDEX)
        return answer

    def _serve(self, request: Request, digest: str) -> Answer:
        request.acted.append(self.name)
        if self._type not in request.header("Accept").split(", "):
            return error_answer(404, "MANIFEST_UNKNOWN", "manifest unknown")
        content = self._made[digest]
        headers = [("Content-Type", self._type), ("Docker-Content-Digest", digest)]
        return Answer(200, headers, [content], len(content))


class WrongType(Fault):
    name = "wrong-type"
    summary = "manifests that are read have the Content-Type of Docker's manifest, as from a cache"
    argument = "digest (default): those that are read by digest; or all: all of them, HEAD included"
    choices = ("digest", "all")

    def after(self, request: Request, answer: Answer) -> None:
        if request.kind != "manifest" or request.method not in ("GET", "HEAD") or answer.status != 200:
            return
        if self.choice == "all" or (request.method == "GET" and not request.tag):
            request.acted.append(self.name)
            answer.put("Content-Type", _DOCKER_MANIFEST)


class TypeRefused(Fault):
    name = "type-refused"
    summary = "manifests of some types are refused"
    argument = "docker-list (default): Docker's, with 415; or nested: an index that has indexes in it, with 400"
    choices = ("docker-list", "nested")

    def before(self, request: Request) -> Answer | None:
        media_type = request.header("Content-Type")
        if request.kind != "manifest" or request.method != "PUT" or media_type not in _INDEX_TYPES:
            return None
        content = b"".join(request.body.pieces())
        request.body = RequestBody(io.BytesIO(content), len(content))
        entries = json.loads(content)["manifests"]
        if self.choice == "nested" and any(entry["mediaType"] in _INDEX_TYPES for entry in entries):
            request.acted.append(self.name)
            return error_answer(400, "MANIFEST_INVALID", "manifest invalid")
        if self.choice == "docker-list" and media_type == _DOCKER_LIST:
            request.acted.append(self.name)
            detail = {"mediaType": media_type}
            error = {"code": "MANIFEST_INVALID", "message": "manifest invalid", "detail": detail}
            return json_answer(415, {"errors": [error]})
        return None


class Policy(Fault):
    name = "policy"
    summary = "a policy forbids manifests: 412 and PROJECTPOLICYVIOLATION, which an answer to HEAD cannot say"
    argument = "pull (default): they cannot be read; or push: they cannot be pushed"
    choices = ("pull", "push")

    def before(self, request: Request) -> Answer | None:
        methods = ("GET", "HEAD") if self.choice == "pull" else ("PUT",)
        if request.kind != "manifest" or request.method not in methods:
            return None
        request.acted.append(self.name)
        return error_answer(412, "PROJECTPOLICYVIOLATION", "current image is not scanned")


class Throttled(Fault):
    name = "throttled"
    summary = "the first push of each manifest and tag is throttled: 429 with a code that says something else"
    argument = "pulp (default): UNSUPPORTED; or harbor: TOO_MANY_REQUEST"
    choices = ("pulp", "harbor")

    def __init__(self, argument: str) -> None:
        super().__init__(argument)
        self._tries = FirstTries()

    def before(self, request: Request) -> Answer | None:
        if request.kind != "manifest" or request.method != "PUT" or not self._tries.is_first(request):
            return None
        request.acted.append(self.name)
        code = "UNSUPPORTED" if self.choice == "pulp" else "TOO_MANY_REQUEST"
        return error_answer(429, code, "Request was throttled.")


class Notice(Fault):
    name = "notice"
    summary = "every answer has a header Warning, by which the registry tells its users something"

    def after(self, request: Request, answer: Answer) -> None:
        request.acted.append(self.name)
        answer.headers.append(("Warning", '299 - "This repository is going to be removed"'))
