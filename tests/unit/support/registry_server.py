# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A registry in memory, on a real socket, for tests of whole modules: it does what the specification says.

Each repository has its own content, mounts work, a manifest needs its blobs, and referrers are listed. A test makes it
answer otherwise with rules (:meth:`HostileServer.on`), and looks at ``requests`` and ``tags`` afterwards.
"""

from __future__ import annotations

import json
import re
import typing as t
import urllib.parse

from ansible_collections.imageops.registry.plugins.module_utils._model._digest import compute_digest
from ansible_collections.imageops.registry.plugins.module_utils._model._manifest import OCI_INDEX, OCI_MANIFEST
from ansible_collections.imageops.registry.tests.unit.support.documents import CONFIG, LAYER, errors, image
from ansible_collections.imageops.registry.tests.unit.support.hostile_server import Answer, HostileServer, Seen

_API = re.compile(r"/v2/(?P<repository>.+)/(?P<kind>blobs/uploads|blobs|manifests|referrers|tags)/(?P<last>[^/]*)")


class RegistryServer(HostileServer):
    """A registry without a login unless ``login`` says otherwise.

    ``blobs`` has names such as ``team/app@sha256:...``; ``manifests`` has such names, and ``team/app:1.0``.
    """

    def __init__(self, **options: t.Any) -> None:
        super().__init__(**options)
        self.always = (("Docker-Distribution-Api-Version", "registry/2.0"),)
        self.deletes = True
        """Whether it deletes anything; if not, it answers 405."""

    @property
    def options(self) -> dict[str, t.Any]:
        """The connection options of a module that reach it."""
        return {"registry": self.host, "plain_http": True, "retries": 0}

    @property
    def tags(self) -> dict[str, str]:
        """The digest of each tag, under names such as ``team/app:1.0``."""
        return {name: compute_digest(self.manifests[name]) for name in self.manifests if "@" not in name}

    @property
    def writes(self) -> list[str]:
        """The requests that change something."""
        return [request for request in self.requests if not request.startswith(("GET", "HEAD"))]

    def add(self, document: dict[str, t.Any], *tags: str) -> str:
        """Have a manifest: ``team/app:1.0`` under its digest and that tag, ``team/app`` under its digest alone."""
        content = json.dumps(document).encode()
        digest = compute_digest(content)
        for name in tags:
            self.manifests[name if ":" in name else f"{name}@{digest}"] = content
            self.manifests[f"{name.partition(':')[0]}@{digest}"] = content
        return digest

    def add_blob(self, content: bytes, *repositories: str) -> str:
        """Have a blob in repositories. Returns its digest."""
        digest = compute_digest(content)
        self.blobs.update((f"{repository}@{digest}", content) for repository in repositories)
        return digest

    def add_image(self, *tags: str, layer: bytes = LAYER, config: bytes = CONFIG) -> str:
        """Have an image with one layer, and its blobs, under names such as ``team/app:1.0``. Returns its digest."""
        for name in tags:
            for content in (layer, config):
                self.add_blob(content, name.partition(":")[0])
        return self.add(image(config=_described(config, "config"), layers=[_described(layer, "layer")]), *tags)

    def _honest(self, seen: Seen, path: str) -> Answer:
        found = _API.fullmatch(path)
        if path == "/v2/_catalog":
            return _json({"repositories": sorted({re.split("[@:]", name)[0] for name in self.manifests})})
        if found is None:
            return super()._honest(seen, path)
        repository, kind, last = found["repository"], found["kind"], found["last"]
        if seen.method == "DELETE" and not self.deletes and kind != "blobs/uploads":
            return _error(405, "UNSUPPORTED")
        if kind == "blobs/uploads":
            return self._session(seen, repository, last)
        if kind == "blobs":
            return self._blob(seen, f"{repository}@{last}")
        if kind == "manifests":
            return self._document(seen, repository, last)
        return self._tags(repository) if kind == "tags" else self._referrers(repository, last)

    def _session(self, seen: Seen, repository: str, number: str) -> Answer:
        query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(seen.target).query))
        if not number:
            content = self.blobs.get(f"{query.get('from')}@{query.get('mount')}")
            if content is not None:
                self.add_blob(content, repository)
                return Answer(201, (("Docker-Content-Digest", query["mount"]),))
            return Answer(202, (("Location", f"/v2/{repository}/blobs/uploads/{next(self._uploads)}"),))
        if seen.method != "PUT":
            return Answer(204)
        if compute_digest(seen.body) != query["digest"]:
            return _error(400, "DIGEST_INVALID")
        self.add_blob(seen.body, repository)
        return Answer(201, (("Docker-Content-Digest", query["digest"]),))

    def _blob(self, seen: Seen, name: str) -> Answer:
        content = self.blobs.get(name)
        if content is None:
            return _error(404, "BLOB_UNKNOWN")
        if seen.method == "DELETE":
            del self.blobs[name]
            return Answer(202)
        return Answer(200, (), (content,))

    def _document(self, seen: Seen, repository: str, reference: str) -> Answer:
        name = f"{repository}{'@' if ':' in reference else ':'}{reference}"
        if seen.method == "PUT":
            return self._push(seen.body, repository, name)
        content = self.manifests.get(name)
        if content is None:
            return _error(404, "MANIFEST_UNKNOWN")
        if seen.method == "DELETE":
            for other in [name] if "@" not in name else self._same(repository, content):
                del self.manifests[other]
            return Answer(202)
        headers = (("Content-Type", _media_type(content)), ("Docker-Content-Digest", compute_digest(content)))
        return Answer(200, headers, (content,))

    def _same(self, repository: str, content: bytes) -> list[str]:
        return [name for name, kept in self.manifests.items() if kept == content and _is_in(name, repository)]

    def _push(self, content: bytes, repository: str, name: str) -> Answer:
        document = json.loads(content)
        wanted = [*([document["config"]] if "config" in document else []), *document.get("layers", ())]
        wanted += document.get("manifests", ())
        kept = {**self.blobs, **self.manifests}
        missing = [entry["digest"] for entry in wanted if f"{repository}@{entry['digest']}" not in kept]
        if missing:
            return _missing_content(missing)
        digest = compute_digest(content)
        self.manifests[name] = self.manifests[f"{repository}@{digest}"] = content
        subject = (("OCI-Subject", document["subject"]["digest"]),) if "subject" in document else ()
        return Answer(201, (("Docker-Content-Digest", digest), *subject))

    def _tags(self, repository: str) -> Answer:
        if not any(_is_in(name, repository) for name in (*self.manifests, *self.blobs)):
            return _error(404, "NAME_UNKNOWN")
        found = sorted(name.partition(":")[2] for name in self.tags if _is_in(name, repository))
        return _json({"name": repository, "tags": found})

    def _referrers(self, repository: str, digest: str) -> Answer:
        entries = []
        for name, content in self.manifests.items():
            document = json.loads(content)
            if "@" in name and _is_in(name, repository) and document.get("subject", {}).get("digest") == digest:
                entry = {"mediaType": _media_type(content), "digest": compute_digest(content), "size": len(content)}
                entries.append({**entry, "artifactType": document.get("artifactType", "")})
        return _json({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}, OCI_INDEX)


def _is_in(name: str, repository: str) -> bool:
    return name.startswith((f"{repository}@", f"{repository}:"))


def _described(content: bytes, kind: str) -> dict[str, t.Any]:
    media_type = {
        "config": "application/vnd.oci.image.config.v1+json",
        "layer": "application/vnd.oci.image.layer.v1.tar",
    }[kind]
    return {"mediaType": media_type, "digest": compute_digest(content), "size": len(content)}


def _media_type(content: bytes) -> str:
    return str(json.loads(content).get("mediaType", OCI_MANIFEST))


def _json(content: dict[str, t.Any], media_type: str = "application/json") -> Answer:
    return Answer(200, (("Content-Type", media_type),), (json.dumps(content).encode(),))


def _missing_content(digests: list[str]) -> Answer:
    code = {"code": "MANIFEST_BLOB_UNKNOWN", "message": "blob unknown to registry"}
    body = {"errors": [{**code, "detail": {"digest": digest}} for digest in digests]}
    return _json(body)._replace(status=400)


def _error(status: int, code: str) -> Answer:
    return Answer(status, (("Content-Type", "application/json"),), (json.dumps(errors(code)).encode(),))
