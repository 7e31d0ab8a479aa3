# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every difference between registries that the guide registry_differences names, injected by the fault proxy."""

from __future__ import annotations

import base64

import absence
import moves
from media_types import MEDIA_TYPES, notices_through_the_role
from played import (
    BLOB_DIGEST,
    EMPTY_INDEX,
    IMAGE,
    KIB,
    LARGE,
    OTHER,
    RUN,
    SHA512,
    TAG,
    Row,
    asked,
    both,
    changed,
    check_every_difference,
    copy,
    delete,
    finds_referrers,
    inject,
    read,
    referrer,
    returns,
    run_rows,
    says,
    upload,
    writes,
)
from referrer_lists import ROWS as REFERRER_LISTS
from runs import REGISTRIES, connection, main, task

from faults.tags import ImmutableTags

# The differences -----------------------------------------------------------------------------------------------------

WHOLE = ["POST 202", "PUT 201"]
GIVEN_UP = ["POST 202", "PATCH 201", "PATCH 201", "DELETE 204"]
ROWS: list[Row] = [
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
        says("does not report to this account whether it is there"),
    ),
    Row(
        "denied-password",
        "absent-is-denied=401",
        lambda at: [read("blob_info", at, "faulty-token", digest=BLOB_DIGEST, password="wrong-password")],
        says("does not accept"),
        "faulty-token",
    ),
    Row(
        "denied-anonymous",
        "absent-is-denied=401",
        lambda at: [task("blob_info", connection("faulty-token", None, repository=at.repository, digest=BLOB_DIGEST))],
        says("anonymous access does not include"),
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
    Row(
        "range-taken",
        "range-stands-still=taken",
        lambda at: [upload(at, chunk_size=64 * KIB)],
        writes("POST 202", *["PATCH 201"] * 4, "PUT 201", given_up=0),
    ),
    *(
        Row(
            f"range-{argument}",
            f"range-stands-still={argument}",
            lambda at: [upload(at, chunk_size=64 * KIB)],
            writes(*GIVEN_UP, *WHOLE, given_up=1),
        )
        for argument in ("silent", "dropped")
    ),
    Row(
        "range-too-large",
        "range-stands-still=silent+body-limit=150000",
        lambda at: [upload(at)],
        writes("POST 202", "PUT 413", "DELETE 204", *GIVEN_UP, *GIVEN_UP[:3], "PUT 201", given_up=2),
    ),
    Row(
        "range-lost",
        "range-stands-still=dropped+body-limit=150000",
        lambda at: [upload(at)],
        says("does not take it in chunks", "DIGEST_INVALID"),
    ),
    # Immutable tags. The same digest is no conflict.
    *(
        Row(
            f"immutable-{form}",
            f"immutable-tags={form}",
            lambda at: [
                copy(at),
                copy(at),
                copy(at, OTHER, tag=None, digest=OTHER["digest"]),
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
        says("does not take manifests by their sha512 digest"),
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
    *absence.ROWS,
    *MEDIA_TYPES,
    *moves.ROWS,
    *REFERRER_LISTS,
]


def prepare() -> None:
    inject([*ROWS, *moves.KEPT])


def every_row() -> None:
    run_rows(ROWS)


def kept_rows() -> None:
    run_rows(moves.KEPT, at_a_time=len(moves.KEPT))


def every_difference() -> None:
    check_every_difference([*ROWS, *moves.KEPT])


if __name__ == "__main__":
    main(
        [
            prepare,
            every_difference,
            every_row,
            kept_rows,
            absence.hosts_that_are_no_registry,
            notices_through_the_role,
        ]
    )
