# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Answers that something isn't there, or is, from who doesn't know: HEAD, storages, hosts that are no registry."""

from __future__ import annotations

from collections import Counter
from typing import Any

from played import (
    BLOB_DIGEST,
    IMAGE,
    OTHER,
    RUN,
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
)
from runs import REGISTRIES, Plain, call, check, connection, mark, requests_since, task

from fault_control import FaultControl


def untouched(seen: Seen) -> None:
    check(not seen.writes, f"it writes: {seen.writes}")


def refused(*phrases: str) -> Judge:
    return both(says(*phrases), untouched)


def times(number: int, kind: str, answer: str) -> Judge:
    """So many requests for manifests or blobs are answered so, as ``METHOD STATUS``."""

    def judge(seen: Seen) -> None:
        found = Counter(
            f"{entry['method']} {entry['status']}" for entry in seen.requests if f"/{kind}/" in entry["path"]
        )
        check(found[answer] == number, f"{kind}: {found}, and {answer} was expected {number} times")

    return judge


def tagged(at: Place, **more: Any) -> Plain:
    """Move the tag of an image that is there to another one. That one needn't be there: the task looks only."""
    return {**read("tag", at, tag=TAG, digest=OTHER["digest"], **more), "check_mode": True}


def deeper(at: Place) -> Plain:
    """A copy that looks at every blob, before and afterwards."""
    item = {"repository": IMAGE["repository"], "tag": TAG, "destination_repository": at.repository}
    return task("image_copy", connection("faulty", source=connection("dev"), images=[item], verify="blobs"))


def difference(at: Place) -> Plain:
    item = {"repository": at.repository, "tag": TAG}
    return task("image_diff_info", connection("prod", source=connection("faulty"), images=[item]))


def claims_nothing(seen: Seen) -> None:
    keys = [name for found in (seen.results[-1], *seen.results[-1].get("images", [])) for name in found]
    check("exists" not in keys and "differs" not in keys, f"it claims: {keys}")


def copy_from(at: Place, name: str) -> Plain:
    item = {"repository": at.repository, "tag": TAG, "destination_repository": f"{name}-{RUN}"}
    return task("image_copy", connection("prod", source=connection("faulty"), images=[item]))


def blobs_of_two(at: Place) -> Plain:
    """A blob that storage has lost, in a repository of faults, and one that is there in another."""
    there = IMAGE["blobs"][0]["digest"]
    groups = [{"repository": at.repository, "blobs": [{"digest": there}]}]
    return task("blob_info", connection("faulty", blobs=groups))


STANDS = f"{TAG} points to sha256:"
ROWS: list[Row] = [
    # HEAD says 404, GET has it. A guard isn't passed, whatever it is.
    *(
        Row(
            f"head-absent-{name}",
            "head-absent",
            lambda at, options=options: [copy(at, OTHER, tags=[TAG], **options)],
            judge,
            has_image=True,
        )
        for name, options, judge in (
            ("immutable", {"immutable_tags": [".*"]}, refused(STANDS, "is immutable (immutable_tags)")),
            ("fail", {"on_conflict": "fail"}, refused(STANDS, "(on_conflict: fail)")),
            ("skip", {"on_conflict": "skip"}, both(changed(False), untouched)),
            ("expected", {"expected_destination_digest": ""}, refused(STANDS, "no tag was expected")),
        )
    ),
    Row(
        "head-absent-previous",
        "head-absent",
        lambda at: [tagged(at, previous_digest="")],
        refused("it points to sha256:", "no tag was expected"),
        has_image=True,
    ),
    Row("head-absent-copy", "head-absent", lambda at: [copy(at), copy(at), copy(at)], changed(True, False, False)),
    Row(
        "head-absent-replaced",
        "head-absent=manifest",
        lambda at: [copy(at, OTHER, tags=[TAG]), copy(at, OTHER, tags=[TAG])],
        changed(True, False),
        has_image=True,
    ),
    Row("head-absent-blob", "head-absent=blob", lambda at: [upload(at), upload(at)], changed(True, False)),
    Row(
        "head-absent-source",
        "head-absent",
        lambda at: [copy_from(at, "absence-1"), copy_from(at, "absence-1")],
        changed(True, False),
        has_image=True,
    ),
    Row(
        "head-absent-info",
        "head-absent",
        lambda at: [read("manifest_info", at, tag=TAG), read("referrer_info", at, tag=TAG)],
        returns(exists=True, failed=False),
        has_image=True,
    ),
    Row("head-absent-delete", "head-absent", lambda at: [delete(at), delete(at)], changed(True, False), has_image=True),
    Row(
        "head-absent-deeper",
        "head-absent",
        lambda at: [deeper(at), deeper(at)],
        changed(True, False),
    ),
    # What that costs where HEAD tells the truth: one GET of each kind, and one more for each tag with a guard.
    Row(
        "head-true",
        "",
        lambda at: [copy(at, tags=["1", "2", "3"]), copy(at, tags=["1", "2", "3"])],
        # The other manifest that is read is that of the image, before it is pushed.
        both(changed(True, False), times(2, "manifests", "GET 404"), times(1, "blobs", "GET 404")),
    ),
    Row(
        "head-true-guarded",
        "",
        lambda at: [copy(at, tags=["1", "2", "3"], on_conflict="fail"), copy(at, tags=["1", "2", "3"])],
        # Each tag when it is compared, and again right before it moves.
        both(changed(True, False), times(7, "manifests", "GET 404"), times(1, "blobs", "GET 404")),
    ),
    # HEAD is refused, GET isn't.
    *(
        Row(
            f"head-refused-{status}",
            f"head-refused={status}",
            lambda at: [copy(at), copy(at), read("manifest_info", at, tag=TAG)],
            both(changed(True, False, None), returns(exists=True)),
        )
        for status in (400, 403, 405, 406, 412, 501)
    ),
    # What failed claims nothing.
    Row(
        "claims-tags",
        "policy",
        lambda at: [read("tag_info", at, resolve=True)],
        both(says("PROJECTPOLICYVIOLATION", tags=[TAG], resolved=[]), claims_nothing),
        has_image=True,
    ),
    Row(
        "claims-difference",
        "policy",
        lambda at: [difference(at)],
        both(says("PROJECTPOLICYVIOLATION"), claims_nothing),
        has_image=True,
    ),
    # A storage that is signed for GET only.
    *(
        Row(
            f"signed-{status}",
            f"signed-for-get={status}",
            lambda at: [copy(at), copy(at), deeper(at), copy_from(at, at.repository)],
            changed(True, False, False, True),
        )
        for status in (400, 401, 403, 404, 405)
    ),
    Row(
        "signed-size",
        "signed-for-get",
        lambda at: [copy(at), blobs_of_two(at)],
        lambda seen: check(
            seen.results[-1]["blobs"][0]["blobs"][0]["size"] == IMAGE["blobs"][0]["size"],
            f"another size: {seen.results[-1]}",
        ),
    ),
    Row(
        "storage-lost",
        "signed-for-get=lost",
        lambda at: [blobs_of_two(at)],
        both(says("127.0.0.1, to which the registry redirects, answers 'NoSuchKey'"), claims_nothing),
    ),
]


def hosts_that_are_no_registry() -> None:
    """404 in plain text, or a page, to everything: nothing is there, absent, deleted, or to be created first."""
    at = Place(f"no-registry-{RUN}", IMAGE["digest"])
    names = {"state": "absent", "tag": TAG}
    tasks = [
        read("tag_info", at),
        read("manifest_info", at, tag=TAG),
        read("blob_info", at, digest=BLOB_DIGEST),
        read("referrer_info", at, digest=at.digest),
        read("tag", at, **names),
        read("blob", at, digest=BLOB_DIGEST, state="absent"),
        delete(at),
        upload(at),
        {**copy(at), "check_mode": True},
        copy(at),
        copy_from(at, "no-registry"),
    ]
    control = FaultControl(REGISTRIES["faulty"]["faults_path"])
    try:
        for answer in ("plain", "html"):
            control.switch({"": f"no-registry={answer}"})
            moment = mark()
            run = call([{**entry, "name": f"{number}", "ignore_errors": True} for number, entry in enumerate(tasks)])
            for number, entry in enumerate(tasks):
                result = run.of(f"{number}")
                told = result.get("msg", "")
                check(result["failed"], f"{answer}: {entry} does not fail: {result}")
                check("does not answer as a registry" in told or "in HTML was answered" in told, f"{answer}: {told}")
                check("exists" not in result and not result.get("repository_missing"), f"it claims: {result}")
            seen = requests_since(moment, "faulty", "proxy")
            asked = sum(entry["path"] == "/v2/" for entry in seen)
            check(asked <= len(tasks), f"GET /v2/ came {asked} times, for {len(tasks)} tasks")
            moment = mark()
            many = [{"repository": f"{at.repository}/{number}", "tag": TAG} for number in range(20)]
            call([{**task("manifest_info", connection("faulty", images=many)), "name": "many", "ignore_errors": True}])
            paths = [entry["path"] for entry in requests_since(moment, "faulty", "proxy")]
            check(paths.count("/v2/") <= 1, f"GET /v2/ came {paths.count('/v2/')} times")
    finally:
        control.switch({"": ""})
