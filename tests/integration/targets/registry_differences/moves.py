# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Differences in how registries move, take and delete content."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from played import (
    BLOB,
    BLOB_DIGEST,
    KIB,
    TAG,
    Judge,
    Place,
    Row,
    Seen,
    both,
    changed,
    copy,
    delete,
    read,
    returns,
    says,
    upload,
    writes,
)
from runs import OUTPUT, REGISTRIES, Plain, check, connection, seed

ADDRESS = REGISTRIES["faulty"]["address"]
HOST, _colon, PORT = ADDRESS.partition(":")


def download(at: Place, **more: Any) -> Plain:
    return read("blob_download", at, digest=BLOB_DIGEST, dest=str(OUTPUT / at.repository), **more)


def move(at: Place) -> Plain:
    """A blob from the faulty registry to another one, in chunks."""
    return read("blob", at, "dev", digest=BLOB_DIGEST, chunk_size=64 * KIB, source=connection("faulty"))


def delete_tag(at: Place, **more: Any) -> Plain:
    return read("tag", at, tag=TAG, state="absent", **more)


def delete_blob(at: Place) -> Plain:
    image = seed("faulty", "single", at.repository.rpartition("/")[0], images=1)[0]
    return read("blob", at, digest=image["blobs"][0]["digest"], state="absent")


def alone(task: Callable[[Place], Plain], at: Place) -> list[Plain]:
    return [task(at)]


def warns(task: Plain) -> Plain:
    return {**task, "warns": True}


def arrives(*expected: str) -> Judge:
    """The blob is in its file, after these requests for it."""

    def judge(seen: Seen) -> None:
        check(not seen.results[-1]["failed"], f"it fails: {seen.message}")
        content = Path(seen.results[-1]["downloads"][0]["dest"]).read_bytes()
        check(hashlib.sha256(content).hexdigest() == hashlib.sha256(BLOB).hexdigest(), "the bytes in the file")
        reads(*expected)(seen)

    return judge


def reads(*expected: str) -> Judge:
    """The blob is read by these requests."""

    def judge(seen: Seen) -> None:
        check(not seen.results[-1]["failed"], f"it fails: {seen.message}")
        # What is before was asked to upload it.
        begin = max((place for place, entry in enumerate(seen.requests) if entry["method"] == "PUT"), default=-1) + 1
        found = [
            f"{entry['method']} {entry['status']}"
            for entry in seen.requests[begin:]
            if entry["path"].endswith(BLOB_DIGEST) and (entry["method"] == "GET" or entry["status"] != 404)
        ]
        check(found == list(expected), f"it is read by {found}, not {list(expected)}")

    return judge


def gone(*, pending: bool = False) -> Judge:
    """What was deleted is gone; or it is said to be pending, in the result, in ``changed`` and in a warning."""

    def judge(seen: Seen) -> None:
        result = seen.results[-1]
        check(not result["failed"], f"it fails: {seen.message}")
        check(result["changed"] is not pending, f"changed: {result['changed']}")
        groups = result.get("manifests") or result.get("tags") or result["blobs"]
        (item,) = groups[0].get("blobs", groups)
        check(item["action"] == "delete", f"the action is {item['action']}")
        check(item.get("deletion_pending") == (True if pending else None), f"the item is {item}")
        name = item.get("tag") or item["digest"]
        warnings = str(result.get("warnings") or "")
        check((name in warnings and "not all of it is gone" in warnings) is pending, f"the warnings are {warnings}")

    return judge


def accepted(seen: Seen) -> None:
    """A delete that can't be looked for is reported and counted, and beside it is said what isn't known."""
    result = seen.results[-1]
    check(result["changed"], "it is not changed")
    groups = result.get("manifests") or result.get("tags") or result["blobs"]
    (item,) = groups[0].get("blobs", groups)
    check(item["action"] == "delete" and "deletion_pending" not in item, f"the item is {item}")
    (failure,) = result["failures"]
    check("cannot be seen" in failure["msg"], f"the failure is {failure}")


def mounted_otherwise(seen: Seen) -> None:
    """A refused mount is followed by an upload, and says nothing of repositories that have to be created."""
    (reason,) = seen.results[-1]["blobs"][0]["blobs"][0]["given_up"]
    check("could not be mounted" in reason and "create" not in reason, f"given up: {reason}")


ROWS: list[Row] = [
    # Deletes that are carried out later.
    Row("delete-later", "delete-pending", lambda at: [delete(at)], gone(), has_image=True),
    Row("delete-blob-later", "delete-pending", lambda at: [delete_blob(at)], gone(), has_image=True),
    Row(
        "delete-tag-later",
        "delete-pending",
        lambda at: [delete_tag(at, delete_manifest=True)],
        both(gone(), returns(changed=True)),
        has_image=True,
    ),
    # Deletes after which nothing can be seen.
    *(
        Row(
            f"delete-unseen-{name}",
            "delete-pending=unseen",
            functools.partial(alone, task),
            both(says("the registry has accepted the delete, and whether it has happened cannot be seen"), accepted),
            has_image=True,
        )
        for name, task in (("manifest", delete), ("tag", delete_tag), ("blob", delete_blob))
    ),
    # Ranges that are refused: with an end, or from the start.
    *(
        Row(
            f"range-{status}",
            f"cut-download=100000:1+range-refused={status}",
            lambda at: [upload(at), download(at)],
            arrives("HEAD 200", "GET 200", f"GET {status}", *then),
        )
        for status, then in (("416", ("HEAD 200", "GET 206")), ("400", ("GET 200",)), ("403", ("GET 200",)))
    ),
    Row(
        "range-in-mid-stream",
        "cut-download=100000:1+range-refused=403",
        lambda at: [upload(at), move(at)],
        both(reads("HEAD 200", "GET 200", "GET 403", "GET 200"), changed(True, True)),
    ),
    Row(
        "range-resumed",
        "cut-download=100000+range-refused",
        lambda at: [upload(at), download(at, retries=1)],
        arrives("HEAD 200", *["GET 200", *["GET 416", "HEAD 200", "GET 206"] * 2]),
    ),
    # Ranges that say too little: the session is asked.
    Row(
        "range-per-chunk",
        "range-per-chunk",
        lambda at: [upload(at, chunk_size=64 * KIB)],
        writes("POST 202", *["PATCH 202"] * 4, "PUT 201", given_up=0),
    ),
    Row(
        "session-stuck",
        "session-stuck",
        lambda at: [upload(at, chunk_size=64 * KIB)],
        writes("POST 202", "PATCH 0", "PATCH 500", "POST 202", *["PATCH 202"] * 4, "PUT 201", "DELETE 204", given_up=0),
    ),
    # A mount that is refused with the status of a repository that isn't there.
    Row(
        "mount-says-no-repository",
        "mount-refused=404",
        lambda at: [upload(at, mount_from=["differences/other"])],
        mounted_otherwise,
    ),
    # Addresses that lead elsewhere, or leave something out.
    Row(
        "port-lost",
        "port-lost",
        lambda at: [upload(at)],
        says(
            f"The registry is at http://{HOST}:{PORT}, and its answer sends the upload to http://{HOST}:80",
            f"lost the port {PORT}",
            "X-Forwarded-Host and X-Forwarded-Port",
        ),
    ),
    Row(
        "relative-realm",
        "relative-realm",
        lambda at: [copy(at, registry="faulty-token"), copy(at, registry="faulty-token")],
        changed(True, False),
        "faulty-token",
    ),
]

KEPT: list[Row] = [
    Row("delete-kept", "delete-pending=kept", lambda at: [warns(delete(at))], gone(pending=True), has_image=True),
    Row(
        "delete-blob-kept",
        "delete-pending=kept",
        lambda at: [warns(delete_blob(at))],
        gone(pending=True),
        has_image=True,
    ),
    Row(
        "delete-tag-kept", "delete-pending=kept", lambda at: [warns(delete_tag(at))], gone(pending=True), has_image=True
    ),
]
"""Rows of one task each, which takes ten seconds: they run at the same time."""
