# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a row is: faults that the proxy injects in a repository, tasks that run there, and what must come of them.

Each row works in a repository of its own. Its modules are called one after the other; then what they returned and what
the proxy was asked is checked.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import json
import secrets
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from content import Side
from runs import OUTPUT, REGISTRIES, Failed, Plain, call, check, connection, mark, requests_since, seed, task

from fault_control import FaultControl
from faults import DIFFERENCES, FAULTS
from images import OCI_MANIFEST

KIB = 1024
IMAGE = seed("dev", "single", "differences", images=1)[0]
OTHER = seed("dev", "single", "differences-other", images=1, seed="2")[0]
LARGE = seed("dev", "single", "differences-large", images=1, layers=1, layer_size=300 * KIB)[0]
BLOB = bytes(range(256)) * (200 * KIB // 256)
BLOB_DIGEST = "sha256:" + hashlib.sha256(BLOB).hexdigest()
BLOB_PATH = OUTPUT / "blob"
BLOB_PATH.write_bytes(BLOB)
TAG = IMAGE["tag"]
EMPTY_INDEX = b'{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}'
SHA512 = "sha512:" + hashlib.sha512(EMPTY_INDEX).hexdigest()
RUN = secrets.token_hex(3)
"""In the names of all repositories, so that a second run finds none of them."""
READING = {"GET", "HEAD"}


class Seen(NamedTuple):
    """What came of a row: the results of its tasks, and the requests that the proxy saw in its repository."""

    results: list[Plain]
    requests: list[Plain]

    @property
    def writes(self) -> list[str]:
        return [f"{entry['method']} {entry['status']}" for entry in self.requests if entry["method"] not in READING]

    @property
    def message(self) -> str:
        return str(self.results[-1].get("msg", ""))


class Place(NamedTuple):
    """The repository of a row, and the digest of the image that is in it, if there is one, under the tag of all."""

    repository: str
    digest: str


Judge = Callable[[Seen], None]


class Row(NamedTuple):
    """``tasks`` are given the place of the row; the last of them may fail. ``images`` are pushed there before."""

    name: str
    faults: str
    tasks: Callable[[Place], list[Plain]]
    judge: Judge
    registry: str = "faulty"
    has_image: bool = False

    @property
    def place(self) -> Place:
        repository = f"{self.name}-{RUN}"
        return place_of(repository, self.registry) if self.has_image else Place(repository, "")


@functools.cache
def place_of(name: str, registry: str) -> Place:
    """A repository with an image."""
    image = seed(registry, "single", name, images=1)[0]
    return Place(image["repository"], image["digest"])


# Tasks ---------------------------------------------------------------------------------------------------------------


def read(module: str, at: Place, registry: str = "faulty", **more: Any) -> Plain:
    return task(module, connection(registry, repository=at.repository, **more))


def copy(at: Place, image: Plain = IMAGE, registry: str = "faulty", **more: Any) -> Plain:
    item = {"repository": image["repository"], "tag": image["tag"], "destination_repository": at.repository, **more}
    return task("image_copy", connection(registry, source=connection("dev"), images=[item]))


def upload(at: Place, **more: Any) -> Plain:
    return read("blob", at, digest=BLOB_DIGEST, path=str(BLOB_PATH), **more)


def delete(at: Place) -> Plain:
    return read("manifest", at, digest=at.digest, state="absent")


def referrer(at: Place) -> str:
    """An artifact of the type application/one, of a blob that was uploaded, for the image of a row."""
    image = Side("faulty", at.repository).manifest(TAG) or b""
    blob = {"mediaType": "application/octet-stream", "digest": BLOB_DIGEST, "size": len(BLOB)}
    subject = {"mediaType": OCI_MANIFEST, "digest": at.digest, "size": len(image)}
    body = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "artifactType": "application/one", "config": blob}
    return base64.b64encode(json.dumps({**body, "layers": [blob], "subject": subject}).encode()).decode()


# What must come of them ----------------------------------------------------------------------------------------------


def changed(*expected: bool | None) -> Judge:
    """What the tasks say of it, in their order; None for those that only read."""

    def judge(seen: Seen) -> None:
        found = [result.get("changed") for result in seen.results]
        check(found == list(expected), f"changed: {found}, not {list(expected)}: {seen.message}")

    return judge


def says(*phrases: str, **values: Any) -> Judge:
    """The last task fails with these phrases in its message, and without markup."""

    def judge(seen: Seen) -> None:
        check(seen.results[-1]["failed"], f"it does not fail: {seen.results[-1]}")
        for phrase in phrases:
            check(phrase in seen.message, f"{phrase!r} is not in: {seen.message}")
        check(not set("<>") & set(seen.message), f"markup in: {seen.message}")
        returns(**values)(seen)

    return judge


def returns(**values: Any) -> Judge:
    def judge(seen: Seen) -> None:
        found = {name: seen.results[-1].get(name) for name in values}
        check(found == values, f"it returns {found}, not {values}: {seen.message}")

    return judge


def writes(*expected: str, given_up: int | None = None) -> Judge:
    """A blob arrives by these writing requests, and so many forms or mounts are given up before."""

    def judge(seen: Seen) -> None:
        check(not seen.results[-1]["failed"], f"it fails: {seen.message}")
        check(seen.writes == list(expected), f"the writing requests are {seen.writes}, not {list(expected)}")
        found = seen.results[-1]["blobs"][0]["blobs"][0]["given_up"]
        check(given_up is None or len(found) == given_up, f"given up: {found}")

    return judge


def asked(*expected: str) -> Judge:
    def judge(seen: Seen) -> None:
        found = [f"{entry['method']} {entry['status']}" for entry in seen.requests]
        check(found == list(expected), f"the requests are {found}, not {list(expected)}")

    return judge


def finds_referrers(*numbers: int) -> Judge:
    """The last tasks find so many in the list of the API."""

    def judge(seen: Seen) -> None:
        last = seen.results[-len(numbers) :]
        check([result.get("found_by") for result in last] == ["api"] * len(numbers), f"found by: {last}")
        check([len(result["referrers"]) for result in last] == list(numbers), f"referrers: {last}")

    return judge


def both(*judges: Judge) -> Judge:
    def judge(seen: Seen) -> None:
        for one in judges:
            one(seen)

    return judge


# Running -------------------------------------------------------------------------------------------------------------

REGISTRIES_OF_ROWS = ("faulty", "faulty-token")
TOGETHER = 6
"""Each row has a repository of its own, and much of what it does is to wait."""


def inject(rows: Sequence[Row]) -> None:
    """Switch on the faults of all rows, and push images for those that need one."""
    for registry in REGISTRIES_OF_ROWS:
        played = {row.place.repository: row.faults for row in rows if row.registry == registry}
        FaultControl(REGISTRIES[registry]["faults_path"]).switch({"": "", **played})


def run_rows(rows: Sequence[Row], *, at_a_time: int = TOGETHER) -> None:
    """Run so many rows at a time, the tasks of each one after the other, and judge each.

    Raises :class:`Failed` with the problems of all.
    """
    moment = mark()
    tasks = [
        {**entry, "name": f"{row.name} {number}", "series": row.name, "ignore_errors": True}
        for row in rows
        for number, entry in enumerate(row.tasks(row.place))
    ]
    run = call(tasks, at_a_time=at_a_time)
    seen = {name: requests_since(moment, name, "proxy") for name in REGISTRIES_OF_ROWS}
    problems = []
    for row in rows:
        results = [run.of(f"{row.name} {number}") for number in range(len(row.tasks(row.place)))]
        here = [entry for entry in seen[row.registry] if entry["path"].startswith(f"/v2/{row.place.repository}/")]
        try:
            for result in results[:-1]:
                check(not result["failed"], f"a task before the last fails: {result.get('msg')}")
            row.judge(Seen(results, here))
        except Failed as failure:
            problems.append(f"{row.name} ({row.faults}): {failure}")
    check(not problems, "\n".join(problems))


def check_every_difference(rows: Sequence[Row]) -> None:
    """Check that rows use every fault of a registry, with each of the arguments that it declares."""
    played = {_pair(name) for row in rows for name in row.faults.split("+") if name}
    wanted = {f"{name}={choice}" for name, fault in DIFFERENCES.items() for choice in fault.choices or ("",)}
    check(wanted <= played, f"no row plays {sorted(wanted - played)}")


def _pair(played: str) -> str:
    """A fault as NAME=ARGUMENT, where it has a choice of them, and else as NAME=."""
    name, _equals, argument = played.partition("=")
    choices = FAULTS[name].choices
    return f"{name}={argument or choices[0]}" if choices else f"{name}="
