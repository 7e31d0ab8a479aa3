# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lists of referrers that are empty, wrong, incomplete or denied. Some need ``referrers-api`` behind them."""

from __future__ import annotations

import json
import re
from typing import Any

from faults.base import Answer, Fault, Request, error_answer
from faults.referrers import index_answer, subject_of_push

_LIST = re.compile("sha256-[0-9a-f]{64}")
_EMPTY = "application/vnd.oci.empty.v1+json"


class EmptyReferrers(Fault):
    name = "referrers-empty"
    summary = "the referrers API is there, and its list is always empty"
    argument = "silent (default); or promised: who pushes a referrer is told that it is listed, by OCI-Subject"
    choices = ("silent", "promised")

    def before(self, request: Request) -> Answer | None:
        if request.kind == "manifest" and request.method == "PUT" and self.choice == "promised":
            request.notes[self.name] = subject_of_push(request)
        if request.kind != "referrers" or request.method != "GET":
            return None
        request.acted.append(self.name)
        return index_answer([])

    def after(self, request: Request, answer: Answer) -> None:
        _promise(self, request, answer)


class PromisedReferrers(Fault):
    name = "referrers-promised"
    summary = "who pushes a referrer is told that it is listed, by OCI-Subject, and there is no referrers API"

    def before(self, request: Request) -> Answer | None:
        if request.kind == "manifest" and request.method == "PUT":
            request.notes[self.name] = subject_of_push(request)
        return None

    def after(self, request: Request, answer: Answer) -> None:
        _promise(self, request, answer)


def _promise(fault: Fault, request: Request, answer: Answer) -> None:
    subject = request.notes.get(fault.name)
    if subject and answer.status == 201:
        answer.put("OCI-Subject", subject)
        request.acted.append(fault.name)


class LostReferrers(Fault):
    name = "referrers-lost"
    summary = "with referrers-api: its list is without some of the referrers that are there"
    argument = (
        "racing (default): those that are pushed while another one of the subject is; once: each, until it was pushed "
        "twice; seeded: what the harness has pushed, until it is pushed again; or first: the first that is pushed of "
        "each subject"
    )
    choices = ("racing", "once", "seeded", "first")

    def __init__(self, argument: str) -> None:
        super().__init__(argument)
        self._pushed: dict[tuple[str, str], int] = {}
        self._pushing: dict[tuple[str, str], int] = {}
        self._lost: dict[tuple[str, str], str] = {}
        """By repository and subject, or repository and digest with ``racing``."""

    def before(self, request: Request) -> Answer | None:
        if request.kind == "manifest" and request.method == "PUT" and not request.tag:
            subject = subject_of_push(request)
            if subject:
                request.notes[self.name] = subject
                self._begin(request, subject)
        return None

    def _begin(self, request: Request, subject: str) -> None:
        place, own = (request.repository, subject), (request.repository, request.reference)
        with self.lock:
            self._pushed[own] = self._pushed.get(own, 0) + 1
            self._pushing[place] = self._pushing.get(place, 0) + 1
            if self.choice == "first":
                self._lost.setdefault(place, request.reference)
            if self.choice == "racing":
                if self._pushing[place] > 1:
                    self._lost[own] = request.reference
                else:
                    self._lost.pop(own, None)
        # Whoever pushes several at once has them overlap.
        request.wait(0.1)

    def after(self, request: Request, answer: Answer) -> None:
        subject = request.notes.get(self.name)
        if subject:
            with self.lock:
                self._pushing[request.repository, subject] -= 1
        if request.kind != "referrers" or answer.status != 200:
            return
        listed = json.loads(answer.read())["manifests"]
        kept = [entry for entry in listed if not self._is_lost(request, entry["digest"])]
        if len(kept) < len(listed):
            request.acted.append(self.name)
            left = index_answer(kept)
            answer.replace(left.read(), left.header("Content-Type"))

    def _is_lost(self, request: Request, digest: str) -> bool:
        with self.lock:
            if self.choice in ("once", "seeded"):
                return self._pushed.get((request.repository, digest), 0) < (2 if self.choice == "once" else 1)
            key = digest if self.choice == "racing" else request.reference
            return self._lost.get((request.repository, key)) == digest


class MistypedReferrers(Fault):
    name = "referrers-mistyped"
    summary = "with referrers-api: its list gives no referrer its type, and filters by what it gives"
    argument = "empty (default): all have the type of an empty config; or none"
    choices = ("empty", "none")

    def before(self, request: Request) -> Answer | None:
        if request.kind == "referrers":
            request.notes[self.name] = request.parameters.get("artifactType", "")
            request.query = ""
        return None

    def after(self, request: Request, answer: Answer) -> None:
        if request.kind != "referrers" or answer.status != 200:
            return
        wanted = request.notes[self.name]
        entries = [self._retyped(entry) for entry in json.loads(answer.read())["manifests"]]
        entries = [entry for entry in entries if wanted in ("", entry.get("artifactType", ""))]
        request.acted.append(self.name)
        retyped = index_answer(entries)
        answer.replace(retyped.read(), retyped.header("Content-Type"))
        if wanted:
            answer.put("OCI-Filters-Applied", "artifactType")

    def _retyped(self, entry: dict[str, Any]) -> dict[str, Any]:
        bare = {key: value for key, value in entry.items() if key != "artifactType"}
        return {**bare, "artifactType": _EMPTY} if self.choice == "empty" else bare


class RefusedList(Fault):
    name = "referrers-tag-refused"
    summary = "the tag of a list of referrers cannot be read"
    argument = "the status: 400 (default); or 412"
    choices = ("400", "412")

    def before(self, request: Request) -> Answer | None:
        if request.method not in ("HEAD", "GET") or not _LIST.fullmatch(request.tag):
            return None
        request.acted.append(self.name)
        return error_answer(int(self.choice), "TAG_INVALID", "this tag is not allowed")


class DeniedReferrers(Fault):
    name = "referrers-denied"
    summary = "the referrers API is denied, whoever asks, and nothing else is"
    argument = "the status: 401 (default), without a challenge; or 403"
    choices = ("401", "403")

    def before(self, request: Request) -> Answer | None:
        if request.kind != "referrers":
            return None
        request.acted.append(self.name)
        if self.choice == "401":
            return error_answer(401, "UNAUTHORIZED", "unauthorized")
        return error_answer(403, "DENIED", "requested access to the resource is denied")
