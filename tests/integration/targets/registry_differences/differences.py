# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every difference between registries that docs/registry-differences.md names, played by the fault proxy.

Each row works in a repository of its own, in which the proxy plays the faults of the row. Their modules are called
one after the other; then is looked at what they returned and what the proxy was asked.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import json
import secrets
from collections.abc import Callable
from typing import Any, NamedTuple

from content import Side
from runs import (
    OUTPUT,
    REGISTRIES,
    Failed,
    Plain,
    call,
    check,
    connection,
    main,
    mark,
    requests_since,
    seed,
    task,
)

from fault_control import FaultControl
from faults import DIFFERENCES, FAULTS
from faults.tags import ImmutableTags
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


def changed(*expected: bool) -> Judge:
    def judge(seen: Seen) -> None:
        found = [result.get("changed") for result in seen.results]
        check(found == list(expected), f"changed: {found}, not {list(expected)}: {seen.message}")

    return judge


def says(*phrases: str, **values: Any) -> Judge:
    """The last task fails with these phrases in its message, and without markup."""

    def judge(seen: Seen) -> None:
        check(seen.results[-1]["failed"], f"it doesn't fail: {seen.results[-1]}")
        for phrase in phrases:
            check(phrase in seen.message, f"{phrase!r} isn't in: {seen.message}")
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


# The differences -----------------------------------------------------------------------------------------------------

WHOLE = ["POST 202", "PUT 201"]
GIVEN_UP = ["POST 202", "PATCH 201", "PATCH 201", "DELETE 204"]
ROWS = [
    # Missing Docker-Content-Digest: a tag has to be read then, a digest is known.
    Row("no-digest", "no-digest-header", lambda at: [copy(at), copy(at)], changed(True, False)),
    Row(
        "no-digest-of-tag",
        "no-digest-header",
        lambda at: [read("manifest_info", at, tag=TAG)],
        both(asked("HEAD 200", "GET 200"), returns(exists=True)),
        has_image=True,
    ),
    Row(
        "no-digest-of-digest",
        "no-digest-header",
        lambda at: [read("manifest_info", at, digest=at.digest)],
        both(asked("HEAD 200"), returns(exists=True)),
        has_image=True,
    ),
    # 403 and 401 for what isn't there, and for nothing else.
    Row("denied", "absent-is-denied", lambda at: [copy(at), copy(at)], changed(True, False)),
    Row(
        "denied-by-401",
        "absent-is-denied=401",
        lambda at: [copy(at, registry="faulty-token"), copy(at, registry="faulty-token")],
        changed(True, False),
        "faulty-token",
    ),
    Row(
        "denied-tag",
        "absent-is-denied",
        lambda at: [read("manifest_info", at, tag="none")],
        returns(exists=False, failed=False),
        has_image=True,
    ),
    Row(
        "denied-all",
        "absent-is-denied",
        lambda at: [read("manifest_info", at, tag="none")],
        says("DENIED", "Check the account's rights"),
    ),
    Row(
        "denied-conflict",
        "absent-is-denied",
        lambda at: [copy(at, on_conflict="fail")],
        says("doesn't tell this account whether it is there"),
    ),
    Row(
        "denied-password",
        "absent-is-denied=401",
        lambda at: [read("blob_info", at, "faulty-token", digest=BLOB_DIGEST, password="wrong-password")],
        says("doesn't accept"),
        "faulty-token",
    ),
    Row(
        "denied-anonymous",
        "absent-is-denied=401",
        lambda at: [task("blob_info", connection("faulty-token", None, repository=at.repository, digest=BLOB_DIGEST))],
        says("anonymous access isn't granted"),
        "faulty-token",
    ),
    # Pages in HTML.
    Row(
        "html-error",
        "html-errors+no-chunks=400+body-limit=100000",
        lambda at: [upload(at)],
        says("the page '400 Bad Request' in HTML was answered", "in front of the registry"),
    ),
    Row(
        "html-success",
        "html-pages",
        lambda at: [read("tag_info", at)],
        says("the page 'Sign in' in HTML was answered", "login in the browser"),
    ),
    # Repositories that must exist first.
    Row(
        "no-repository",
        "repository-must-exist",
        lambda at: [upload(at)],
        says("create it first", repository_missing=True),
    ),
    Row(
        "no-repository-in-html",
        "html-errors+repository-must-exist",
        lambda at: [copy(at)],
        says("create it first", repository_missing=True),
    ),
    Row(
        "no-repository-denied",
        "repository-must-exist=403",
        lambda at: [upload(at)],
        says("DENIED", "Check the account's rights", repository_missing=False),
    ),
    # Mounts.
    *(
        Row(
            f"mount-{status}",
            f"mount-refused={status}",
            lambda at: [upload(at, mount_from=["differences/other"])],
            writes(*([] if status == 202 else [f"POST {status}"]), *WHOLE, given_up=1),
        )
        for status in (202, 401, 404, 500)
    ),
    # Uploads whole and in chunks.
    Row("too-large", "body-limit=100000", lambda at: [copy(at, LARGE), copy(at, LARGE)], changed(True, False)),
    Row(
        "chunks",
        "",
        lambda at: [upload(at, chunk_size=64 * KIB)],
        writes("POST 202", *["PATCH 202"] * 4, "PUT 201", given_up=0),
    ),
    Row(
        "least-chunk",
        "chunk-minimum=90000",
        lambda at: [upload(at, chunk_size=64 * KIB)],
        writes("POST 202", *["PATCH 202"] * 3, "PUT 201", given_up=0),
    ),
    Row(
        "largest-chunk",
        "chunk-maximum=90000",
        lambda at: [upload(at, chunk_size=160 * KIB)],
        writes("POST 202", "PATCH 416", "DELETE 204", "POST 202", *["PATCH 202"] * 3, "PUT 201", given_up=1),
    ),
    Row(
        "no-chunks",
        "no-chunks",
        lambda at: [upload(at, chunk_size=64 * KIB)],
        writes("POST 202", "PATCH 405", "DELETE 204", *WHOLE, given_up=1),
    ),
    *(
        Row(
            f"range-{argument}",
            f"range-stands-still={argument}",
            lambda at: [upload(at, chunk_size=64 * KIB)],
            writes(*GIVEN_UP, *WHOLE, given_up=1),
        )
        for argument in ("taken", "dropped")
    ),
    Row(
        "range-too-large",
        "range-stands-still=taken+body-limit=150000",
        lambda at: [upload(at)],
        writes("POST 202", "PUT 413", "DELETE 204", *GIVEN_UP, *GIVEN_UP[:3], "PUT 201", given_up=2),
    ),
    Row(
        "range-lost",
        "range-stands-still=dropped+body-limit=150000",
        lambda at: [upload(at)],
        says("doesn't take it in chunks", "DIGEST_INVALID"),
    ),
    # Immutable tags. The same digest is no conflict.
    *(
        Row(
            f"immutable-{form}",
            f"immutable-tags={form}",
            lambda at: [
                copy(at),
                copy(at),
                copy(at, OTHER, tags=[]),
                read("tag", at, tag=TAG, digest=OTHER["digest"]),
            ],
            both(
                says(
                    f"{REGISTRIES['faulty']['address']}/immutable-{form}-{RUN}:{TAG}: ",
                    f"refuses to move it from {IMAGE['digest']} to {OTHER['digest']}",
                    "use another tag",
                ),
                changed(True, False, True, False),
            ),
        )
        for form in ImmutableTags.choices
    ),
    # Lists.
    *(
        Row(
            f"pages-{form}",
            f"opaque-pages={form}",
            lambda at: [copy(at, tags=list("edcba")), read("tag_info", at)],
            returns(tags=list("abcde"), all_count=5),
        )
        for form in ("relative", "absolute", "query")
    ),
    Row("pages-new", "endless-pages", lambda at: [read("tag_info", at)], says("goes in circles"), has_image=True),
    Row(
        "pages-same",
        "endless-pages=same",
        lambda at: [read("tag_info", at)],
        returns(exists=True, tags=[TAG]),
        has_image=True,
    ),
    Row("no-tags", "null-tags", lambda at: [read("tag_info", at)], returns(exists=True, tags=[])),
    # Deletes.
    *(
        Row(
            f"delete-{status}",
            f"deletes-off={status}",
            lambda at: [delete(at)],
            says(f"Cannot delete {REGISTRIES['faulty']['address']}/delete-{status}-{RUN}/single@sha256:", phrase),
            has_image=True,
        )
        for status, phrase in (
            (405, "deletes switched off"),
            (400, "deletes switched off"),
            (501, "deletes switched off"),
            (404, "although it is"),
            (403, "Check the account's rights"),
        )
    ),
    Row(
        "delete-tagged",
        "delete-untagged-only",
        lambda at: [delete(at)],
        says(f"still referenced by tag: {TAG}", "delete those first"),
        has_image=True,
    ),
    Row(
        "sha512",
        "",
        lambda at: [read("manifest", at, digest=SHA512, content_base64=base64.b64encode(EMPTY_INDEX).decode())],
        says("doesn't take manifests by their sha512 digest"),
    ),
    # What the registry behind the proxy hasn't.
    Row(
        "referrers",
        "referrers-api",
        lambda at: [read("referrer_info", at, tag=TAG)],
        returns(found_by="api"),
        has_image=True,
    ),
    Row(
        "referrers-of-all-types",
        "referrers-api=unfiltered",
        lambda at: [
            upload(at),
            read("manifest", at, content_base64=referrer(at)),
            *(read("referrer_info", at, tag=TAG, artifact_type=f"application/{kind}") for kind in ("one", "other")),
        ],
        finds_referrers(1, 0),
        has_image=True,
    ),
]


# Running -------------------------------------------------------------------------------------------------------------


def prepare() -> None:
    """Faults for all rows, and images for those that find one."""
    for registry in ("faulty", "faulty-token"):
        played = {row.place.repository: row.faults for row in ROWS if row.registry == registry}
        FaultControl(REGISTRIES[registry]["faults_path"]).switch({"": "", **played})


def every_row() -> None:
    moment = mark()
    tasks = [
        {**entry, "name": f"{row.name} {number}", "ignore_errors": True}
        for row in ROWS
        for number, entry in enumerate(row.tasks(row.place))
    ]
    run = call(tasks)
    seen = {name: requests_since(moment, name, "proxy") for name in ("faulty", "faulty-token")}
    problems = []
    for row in ROWS:
        results = [run.of(f"{row.name} {number}") for number in range(len(row.tasks(row.place)))]
        here = [entry for entry in seen[row.registry] if entry["path"].startswith(f"/v2/{row.place.repository}/")]
        try:
            for result in results[:-1]:
                check(not result["failed"], f"a task before the last fails: {result.get('msg')}")
            row.judge(Seen(results, here))
        except Failed as failure:
            problems.append(f"{row.name} ({row.faults}): {failure}")
    check(not problems, "\n".join(problems))


def every_difference() -> None:
    """Every fault of a registry is played by a row, with each of the arguments that it declares."""
    played = {_pair(name) for row in ROWS for name in row.faults.split("+") if name}
    wanted = {f"{name}={choice}" for name, fault in DIFFERENCES.items() for choice in fault.choices or ("",)}
    check(wanted <= played, f"no row plays {sorted(wanted - played)}")


def _pair(played: str) -> str:
    """A fault as NAME=ARGUMENT, where it has a choice of them, and else as NAME=."""
    name, _equals, argument = played.partition("=")
    choices = FAULTS[name].choices
    return f"{name}={argument or choices[0]}" if choices else f"{name}="


if __name__ == "__main__":
    main([prepare, every_difference, every_row])
