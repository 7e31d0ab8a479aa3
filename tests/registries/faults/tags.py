# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Registries that keep or list tags in a way of their own, and those that delete nothing."""

from __future__ import annotations

import base64
import io
import json
import secrets

from faults.base import (
    MANIFEST_TYPES,
    Answer,
    Fault,
    FirstTries,
    Request,
    RequestBody,
    error_answer,
    json_answer,
    whole_number,
)

_IMMUTABLE = {
    "ecr": (
        400,
        "TAG_INVALID",
        "The image tag '{0}' already exists in the '{1}' repository and cannot be overwritten.",
    ),
    "harbor": (412, "PRECONDITION", "Failed to process request due to '{0}' configured as immutable."),
    "gar": (400, "DENIED", "cannot update tag {0}. The repository has enabled tag immutability"),
    "quay": (409, "TAG_IMMUTABLE", "tag is immutable: {0}"),
    "acr": (405, "UNSUPPORTED", "The operation is unsupported."),
    "artifactory": (403, "DENIED", "Not enough permissions to overwrite artifact."),
}


class ImmutableTags(Fault):
    name = "immutable-tags"
    summary = "a tag that is there cannot be pushed again, not even to the same digest"
    argument = "in whose words: ecr (default), harbor, gar, quay, acr, artifactory"
    choices = tuple(_IMMUTABLE)

    def __init__(self, argument: str) -> None:
        super().__init__(argument)
        self._status, self._code, self._message = _IMMUTABLE[self.choice]

    def before(self, request: Request) -> Answer | None:
        if request.method != "PUT" or not request.tag:
            return None
        if request.ask("HEAD", request.path, ("Accept", MANIFEST_TYPES)).status == 404:
            return None
        request.acted.append(self.name)
        return error_answer(self._status, self._code, self._message.format(request.reference, request.repository))


class OpaquePages(Fault):
    name = "opaque-pages"
    summary = "lists come in pages, each with a Link to the next that cannot be guessed"
    argument = "the form of the link: relative (default), absolute, or query"
    choices = ("relative", "absolute", "query")

    _SIZE = 2

    def __init__(self, argument: str) -> None:
        super().__init__(argument)
        self._begins: dict[str, int] = {}

    def before(self, request: Request) -> Answer | None:
        if request.kind not in ("tags", "catalog") or request.method != "GET":
            return None
        begin = 0
        if request.query:
            token = request.parameters.get("next_page", "")
            if list(request.parameters) != ["next_page"] or token not in self._begins:
                return error_answer(400, "PAGINATION_NUMBER_INVALID", "unknown page")
            begin = self._begins[token]
        answer = request.ask("GET", request.path)
        if answer.status != 200:
            return answer
        value = json.loads(answer.read())
        key = "tags" if request.kind == "tags" else "repositories"
        names = value[key] or []
        request.acted.append(self.name)
        page = json_answer(200, {**value, key: names[begin : begin + self._SIZE]})
        if begin + self._SIZE < len(names):
            page.put("Link", f'<{self._link(request, begin + self._SIZE)}>; rel="next"')
        return page

    def _link(self, request: Request, begin: int) -> str:
        # As Quay and ECR make them: characters that a client may be tempted to escape once more.
        token = base64.b64encode(secrets.token_bytes(32)).decode()
        with self.lock:
            self._begins[token] = begin
        query = "?next_page=" + token.replace("+", "%2B").replace("=", "%3D")
        return {"relative": request.path + query, "absolute": request.origin + request.path + query}.get(
            self.choice, query
        )


class EndlessPages(Fault):
    name = "endless-pages"
    summary = "every page of a list has a Link to another one, with the same names"
    argument = "new (default): always another link; or same: always the same"
    choices = ("new", "same")

    def before(self, request: Request) -> Answer | None:
        if request.kind not in ("tags", "catalog"):
            return None
        request.acted.append(self.name)
        answer = request.ask("GET", request.path)
        token = "again" if self.choice == "same" else secrets.token_urlsafe()
        answer.put("Link", f'<{request.path}?next_page={token}>; rel="next"')
        return answer


class NullTags(Fault):
    name = "null-tags"
    summary = "the tags of a repository without any are null"

    def after(self, request: Request, answer: Answer) -> None:
        if request.kind != "tags" or request.method != "GET" or answer.status not in (200, 404):
            return
        if answer.status == 200 and json.loads(answer.read())["tags"]:
            return
        answer.status = 200
        answer.replace(json.dumps({"name": request.repository, "tags": None}).encode(), "application/json")
        request.acted.append(self.name)


class DeletesOff(Fault):
    name = "deletes-off"
    summary = "manifests, tags and blobs cannot be deleted"
    argument = "the status, 405 (default), 400, 403, 404 or 501"
    choices = ("405", "400", "403", "404", "501")

    def before(self, request: Request) -> Answer | None:
        if request.method != "DELETE" or request.kind not in ("manifest", "blob"):
            return None
        request.acted.append(self.name)
        code = "DENIED" if self.choice == "403" else "UNSUPPORTED"
        return error_answer(int(self.choice), code, "The operation is unsupported.")


class DeleteUntaggedOnly(Fault):
    name = "delete-untagged-only"
    summary = "a manifest that has tags cannot be deleted"

    def before(self, request: Request) -> Answer | None:
        if request.method != "DELETE" or request.kind != "manifest" or request.tag:
            return None
        listed = request.ask("GET", f"/v2/{request.repository}/tags/list")
        names = json.loads(listed.read())["tags"] if listed.status == 200 else None
        for name in names or []:
            found = request.ask("HEAD", f"/v2/{request.repository}/manifests/{name}", ("Accept", MANIFEST_TYPES))
            if found.header("Docker-Content-Digest") == request.reference:
                request.acted.append(self.name)
                return error_answer(400, "GOOGLE_MANIFEST_DANGLING_TAG", f"Manifest is still referenced by tag: {name}")
        return None


class TagRefused(Fault):
    name = "tag-refused"
    summary = "one push of a tag is refused with 403"
    argument = "which of them, counted over all tags (default 1)"

    def __init__(self, argument: str) -> None:
        super().__init__(argument)
        self._left = whole_number(argument, 1)

    def before(self, request: Request) -> Answer | None:
        if request.method != "PUT" or not request.tag:
            return None
        with self.lock:
            self._left -= 1
            refused = self._left == 0
        if not refused:
            return None
        request.acted.append(self.name)
        return error_answer(403, "DENIED", f"the tag {request.tag} is refused")


class TagTaken(Fault):
    name = "tag-taken"
    summary = (
        "the first push of each tag is answered with 429, and meanwhile another client moves that tag to what the tag "
        "taken serves"
    )

    def __init__(self, argument: str) -> None:
        super().__init__(argument)
        self._tries = FirstTries()

    def before(self, request: Request) -> Answer | None:
        if request.method != "PUT" or not request.tag or not self._tries.is_first(request):
            return None
        taken = request.ask("GET", f"/v2/{request.repository}/manifests/taken", ("Accept", MANIFEST_TYPES))
        content = taken.read()
        headers = [(key, value) for key, value in request.headers if key.lower() in ("host", "authorization")]
        headers.append(("Content-Type", taken.header("Content-Type")))
        body = RequestBody(io.BytesIO(content), len(content))
        request.upstream.exchange("PUT", request.path, headers, body).read()
        request.acted.append(self.name)
        return error_answer(429, "TOOMANYREQUESTS", "too many requests", ("Retry-After", "1"))
