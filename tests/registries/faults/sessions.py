# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Registries that forget an upload, or what was uploaded."""

from __future__ import annotations

import io
import json
from typing import Any

from faults.base import Answer, Fault, FirstUploads, Request, RequestBody, error_answer, json_answer

_LARGEST_MANIFEST = 4 * 1024 * 1024


class SessionGone(Fault):
    name = "session-gone"
    summary = "once for each blob, its upload session is gone: 404 and BLOB_UPLOAD_UNKNOWN"

    def __init__(self, argument: str) -> None:
        super().__init__(argument)
        self._uploads = FirstUploads()

    def before(self, request: Request) -> Answer | None:
        if not self._uploads.is_first(request):
            return None
        request.acted.append(self.name)
        request.ask("DELETE", request.target)
        return error_answer(404, "BLOB_UPLOAD_UNKNOWN", "blob upload unknown to registry")


class BlobForgotten(Fault):
    name = "blob-forgotten"
    summary = "blobs that HEAD has found are unknown when a manifest is pushed, until they are uploaded again"
    argument = "named (default): the error names them; or unnamed: it does not"
    choices = ("named", "unnamed")

    def __init__(self, argument: str) -> None:
        super().__init__(argument)
        self._forgotten: set[tuple[str, str]] = set()
        self._uploaded: set[tuple[str, str]] = set()

    def before(self, request: Request) -> Answer | None:
        if request.kind != "manifest" or request.method != "PUT" or (request.body.size or 0) > _LARGEST_MANIFEST:
            return None
        content = b"".join(request.body.pieces())
        request.body = RequestBody(io.BytesIO(content), len(content))
        with self.lock:
            unknown = [
                digest
                for digest in _blobs_of(content)
                if (request.repository, digest) in self._forgotten - self._uploaded
            ]
        if not unknown:
            return None
        request.acted.append(self.name)
        errors: list[dict[str, Any]] = [{"code": "MANIFEST_BLOB_UNKNOWN", "message": "blob unknown to registry"}]
        if self.choice == "named":
            errors = [{**errors[0], "detail": {"digest": digest}} for digest in unknown]
        return json_answer(400, {"errors": errors})

    def after(self, request: Request, answer: Answer) -> None:
        found = (request.repository, request.reference)
        arrived = request.parameters.get("digest" if request.kind == "session" else "mount", "")
        with self.lock:
            if request.kind == "blob" and request.method == "HEAD" and answer.status == 200:
                if found not in self._uploaded | self._forgotten:
                    request.acted.append(self.name)
                    self._forgotten.add(found)
            elif request.kind in ("session", "uploads") and arrived and answer.status == 201:
                self._uploaded.add((request.repository, arrived))


def _blobs_of(content: bytes) -> list[str]:
    try:
        manifest = json.loads(content)
        described = [manifest["config"], *manifest["layers"]]
        return [str(descriptor["digest"]) for descriptor in described]
    except (ValueError, KeyError, TypeError):
        return []
