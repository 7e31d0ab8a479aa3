# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Answers of the referrers API that are no list, or fail, and referrers that are lost or late."""

from __future__ import annotations

import json
import time

from faults.base import Answer, Fault, Request, error_answer
from faults.referrers import index_answer, subject_of_push

_INDEX = "application/vnd.oci.image.index.v1+json"
_ERRORS = b'{"errors":[{"code":"UNKNOWN","message":"unknown"}]}'
_PAGE = b"<!DOCTYPE html><html><head><title>Log in</title></head></html>"
_BODIES = {"empty": b"", "html": _PAGE, "list": b"[]", "errors": _ERRORS, "page": _PAGE}


class MalformedReferrers(Fault):
    name = "referrers-malformed"
    summary = "the referrers API answers 200, and no list"
    argument = (
        "empty (default), html, list or errors, each with the type of an index; page: a login page; or entry: with "
        "referrers-api, a list whose entries have neither type nor size, and one has no digest"
    )
    choices = (*_BODIES, "entry")

    def before(self, request: Request) -> Answer | None:
        if request.kind != "referrers" or request.method != "GET" or self.choice == "entry":
            return None
        request.acted.append(self.name)
        body = _BODIES[self.choice]
        return Answer(200, [("Content-Type", "text/html" if self.choice == "page" else _INDEX)], [body], len(body))

    def after(self, request: Request, answer: Answer) -> None:
        if request.kind != "referrers" or answer.status != 200 or self.choice != "entry":
            return
        entries = [{"digest": entry["digest"]} for entry in json.loads(answer.read())["manifests"]]
        request.acted.append(self.name)
        bare = index_answer([*entries, {"mediaType": _INDEX, "size": 1}])
        answer.replace(bare.read(), bare.header("Content-Type"))


class FailingReferrers(Fault):
    name = "referrers-failing"
    summary = "the referrers API fails with 500"
    argument = "before (default): until a referrer of the subject was pushed; or always"
    choices = ("before", "always")

    def __init__(self, argument: str) -> None:
        super().__init__(argument)
        self._pushed: set[tuple[str, str]] = set()

    def before(self, request: Request) -> Answer | None:
        if request.kind == "manifest" and request.method == "PUT":
            with self.lock:
                self._pushed.add((request.repository, subject_of_push(request)))
        if request.kind != "referrers" or request.method != "GET":
            return None
        with self.lock:
            works = self.choice == "before" and (request.repository, request.reference) in self._pushed
        if works:
            return None
        request.acted.append(self.name)
        return error_answer(500, "UNKNOWN", "no referrers today")


class LateReferrers(Fault):
    name = "referrers-late"
    summary = "with referrers-api: its list has nothing that was pushed less than 4 seconds ago"

    def __init__(self, argument: str) -> None:
        super().__init__(argument)
        self._pushed: dict[tuple[str, str], float] = {}

    def before(self, request: Request) -> Answer | None:
        if request.kind == "manifest" and request.method == "PUT":
            with self.lock:
                self._pushed.setdefault((request.repository, request.reference), time.monotonic())
        return None

    def after(self, request: Request, answer: Answer) -> None:
        if request.kind != "referrers" or answer.status != 200:
            return
        listed = json.loads(answer.read())["manifests"]
        kept = [entry for entry in listed if not self._is_late(request.repository, entry["digest"])]
        if len(kept) < len(listed):
            request.acted.append(self.name)
            left = index_answer(kept)
            answer.replace(left.read(), left.header("Content-Type"))

    def _is_late(self, repository: str, digest: str) -> bool:
        with self.lock:
            return time.monotonic() - self._pushed.get((repository, digest), 0.0) < 4
