# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Registries whose answers lack something, or say it in another way."""

from __future__ import annotations

import http.client

from errors import HarnessError
from faults.base import Answer, Fault, Request, challenge_of, error_answer


class NoDigestHeader(Fault):
    name = "no-digest-header"
    summary = "no answer has Docker-Content-Digest"

    def after(self, request: Request, answer: Answer) -> None:
        if answer.drop("Docker-Content-Digest"):
            request.acted.append(self.name)


class AbsentIsDenied(Fault):
    name = "absent-is-denied"
    summary = "what is not there is answered with 403 DENIED, or with 401 and insufficient_scope"
    argument = "403 (default) or 401"
    choices = ("403", "401")

    def __init__(self, argument: str) -> None:
        super().__init__(argument)
        self._status = int(self.choice)

    def after(self, request: Request, answer: Answer) -> None:
        reads = request.method in ("GET", "HEAD") and request.kind in ("manifest", "blob", "tags", "referrers")
        if answer.status != 404 or not reads:
            return
        answer.status = self._status
        denied = error_answer(self._status, "DENIED", "requested access to the resource is denied")
        answer.replace(b"".join(denied.body), "application/json")
        if self._status == 401:
            answer.put("WWW-Authenticate", challenge_of(request, "insufficient_scope"))
        request.acted.append(self.name)


class HtmlErrors(Fault):
    name = "html-errors"
    summary = "errors have a page in HTML as their body, as proxies in front of registries write them"

    def after(self, request: Request, answer: Answer) -> None:
        if answer.status < 400:
            return
        reason = http.client.responses.get(answer.status, "Error")
        title = f"{answer.status} {reason}"
        page = (
            f"<!DOCTYPE html>\r\n<html><head><title>{title}</title><style>body {{color: #333}}</style></head>\r\n"
            f"<body>\r\n<center><h1>{title}</h1></center>\r\n<hr><center>nginx &amp; friends</center>\r\n"
            "</body></html>\r\n"
        )
        answer.replace(page.encode(), "text/html; charset=utf-8")
        request.acted.append(self.name)


class HtmlPages(Fault):
    name = "html-pages"
    summary = "every read is answered with 200 and a page in HTML, as by a login page in front of a registry"

    def before(self, request: Request) -> Answer | None:
        if request.method not in ("GET", "HEAD"):
            return None
        request.acted.append(self.name)
        page = b"<!DOCTYPE html><html><head><title>Sign in</title></head><body>Please sign in.</body></html>"
        return Answer(200, [("Content-Type", "text/html")], [page], len(page))


class RepositoryMustExist(Fault):
    name = "repository-must-exist"
    summary = "pushes to a repository that is not there are refused (create it by seeding)"
    argument = "the status, 404 (default, NAME_UNKNOWN), or 403 (DENIED)"
    choices = ("404", "403")

    def __init__(self, argument: str) -> None:
        super().__init__(argument)
        self._status = int(self.choice)

    def before(self, request: Request) -> Answer | None:
        starts = (request.method, request.kind) in (("POST", "uploads"), ("PUT", "manifest"))
        if not starts or self._exists(request):
            return None
        request.acted.append(self.name)
        if self._status == 404:
            message = f"The repository with name '{request.repository}' does not exist in the registry"
            return error_answer(404, "NAME_UNKNOWN", message)
        return error_answer(self._status, "DENIED", "requested access to the resource is denied")

    @staticmethod
    def _exists(request: Request) -> bool:
        if request.upstream.storage is None:
            raise HarnessError("repository-must-exist needs a registry whose storage is known.")
        return (request.upstream.storage / "docker/registry/v2/repositories" / request.repository).is_dir()
