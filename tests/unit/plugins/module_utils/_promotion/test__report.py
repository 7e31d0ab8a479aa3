# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import dataclasses
import typing as t

import pytest
from ansible_collections.imageops.registry.plugins.module_utils._promotion._outcomes import Outcomes, Part
from ansible_collections.imageops.registry.plugins.module_utils._promotion._plan import Plan
from ansible_collections.imageops.registry.plugins.module_utils._promotion._report import problem, report
from ansible_collections.imageops.registry.tests.unit.support.documents import CONFIG, LAYER
from ansible_collections.imageops.registry.tests.unit.support.fake_registry import FakeRegistry
from ansible_collections.imageops.registry.tests.unit.support.promotions import (
    ANOTHER_LAYER,
    BY_TAG,
    IMAGE,
    IMAGE_DIGEST,
    OTHER,
    OTHER_DIGEST,
    done,
    failing,
    image_item,
    plan_for,
    told,
)

Plain = dict[str, t.Any]


def short(digest: str) -> str:
    return f"{digest[:19]}..."


def test_a_report_says_what_changed_and_counts_the_rest(source: FakeRegistry, destination: FakeRegistry) -> None:
    source.add("team/api", OTHER, "1")
    destination.add("team/api", IMAGE, "stable")
    destination.add("team/same", IMAGE, "1")
    source.add("team/same", IMAGE, "1")
    items = [
        image_item("team/api", tag="1", tags=("1", "stable")),
        image_item("team/same", tag="1", tags=("1",)),
        image_item("team/app", digest=IMAGE_DIGEST),
        image_item("team/app", tag="nothing", tags=("nothing",)),
    ]
    plan = plan_for(source, destination, *items)
    summary = told(plan, done(plan))
    sizes = f"{len(CONFIG) + len(LAYER)} bytes"
    more = f"{len(CONFIG) + len(LAYER) + len(b'another layer')} bytes"
    lines = [
        f"promoted: dev.example/team/api:1 to prod.example/team/api:1 (new), stable (was {short(IMAGE_DIGEST)}); "
        f"3 blobs uploaded ({more})",
        f"promoted: dev.example/team/app@{IMAGE_DIGEST} to prod.example/team/app@{short(IMAGE_DIGEST)}; "
        f"2 blobs uploaded ({sizes})",
        f"missing: {summary['images'][3]['reason']}",
    ]
    total = 2 * (len(CONFIG) + len(LAYER)) + len(b"another layer")
    requests = summary["transfer"]["requests"]
    assert report(summary) == [
        *lines,
        f"2 promoted, 1 unchanged, 1 missing; {requests} requests, {total} bytes uploaded, 0 bytes mounted",
    ]
    planned_lines = report(summary, check_mode=True)
    assert planned_lines[0] == lines[0].replace("promoted", "would be promoted").replace(" uploaded", " to upload")
    assert planned_lines[-1] == (
        f"2 would be promoted, 1 unchanged, 1 missing; {requests} requests, {total} bytes to upload, 0 bytes to mount"
    )


def test_a_report_says_which_tags_stay(source: FakeRegistry, destination: FakeRegistry) -> None:
    destination.add("team/app", OTHER, "stable")
    some = image_item("team/app", tag="1", tags=("1", "stable"), on_conflict="skip")
    none = image_item("team/app", tag="1", tags=("stable",), on_conflict="skip")
    for item, line in (
        (
            some,
            "promoted: dev.example/team/app:1 to prod.example/team/app:1 (new), "
            f"stable (still points to {OTHER_DIGEST[:19]}",
        ),
        (
            none,
            f"skipped: dev.example/team/app:1 to prod.example/team/app:stable (still points to {short(OTHER_DIGEST)})",
        ),
    ):
        plan = plan_for(source, destination, item)
        assert report(told(plan, done(plan)))[0].startswith(line)


def test_a_report_counts_images_that_others_held_up(both: Plan) -> None:
    missing = both.images[0]._replace(action="missing", reason="dev.example/team/app:multi is not there")
    plan = dataclasses.replace(both, images=(missing, *both.images[1:]))
    assert report(told(plan, Outcomes())) == [
        "missing: dev.example/team/app:multi is not there",
        "0 promoted, 0 unchanged, 1 missing, 1 blocked by others; 3 requests, 0 bytes uploaded, 0 bytes mounted",
    ]


def test_a_digest_without_tags_may_be_held_up_as_well(source: FakeRegistry, destination: FakeRegistry) -> None:
    items = [image_item("team/app", digest=IMAGE_DIGEST), image_item("team/app", tag="nothing", tags=("nothing",))]
    summary = told(plan_for(source, destination, *items), Outcomes())
    first = summary["images"][0]
    assert (first["action"], first["reason"]) == ("failed", f"prod.example/team/app@{IMAGE_DIGEST} was not pushed")
    assert report(summary)[-1].startswith("0 promoted, 0 unchanged, 1 missing, 1 blocked by others; ")


def test_a_report_counts_the_artifacts_that_go_along(source: FakeRegistry, destination: FakeRegistry) -> None:
    plan = plan_for(source, destination, BY_TAG)
    summary = told(plan, done(plan))
    artifacts = [{"action": "copy"}, {"action": "exists"}, {"action": "replace"}]
    summary["images"][0]["artifacts"] = artifacts[:2]
    assert ":1 (new), stable (new), with 1 artifact; " in report(summary)[0]
    summary["images"][0]["artifacts"] = artifacts
    assert ":1 (new), stable (new), with 2 artifacts; " in report(summary)[0]


def test_a_report_names_the_image_that_failed(both: Plan) -> None:
    failed = failing("team/api", ANOTHER_LAYER)
    lines = report(told(both, done(both, blobs=Part((), failed))))
    assert f"failed: dev.example/team/api:1: {failed[0].error}" in lines


@pytest.mark.parametrize(("number", "names"), [(2, "r0, r1"), (3, "r0, r1, r2"), (5, "r0, r1, r2 and 2 more")])
def test_a_report_has_one_line_for_all_that_failed_alike(both: Plan, number: int, names: str) -> None:
    summary = told(both, Outcomes())
    image = {**summary["images"][0], "action": "failed", "reason": "Cannot log in to prod.example: no."}
    other = {**image, "reference": "other", "reason": "Something else."}
    summary["images"] = [*({**image, "reference": f"r{place}"} for place in range(number)), other]
    assert report(summary)[:-1] == [f"failed: {names}: {image['reason']}", "failed: other: Something else."]
    assert f", {number + 1} failed;" in report(summary)[-1]


def test_a_report_sizes_what_was_sent(both: Plan) -> None:
    summary = told(both, done(both))
    for size, shown in (
        (1, "1 byte"),
        (999, "999 bytes"),
        (1000, "1.0 kB"),
        (999_949, "999.9 kB"),
        (2_640_000, "2.6 MB"),
    ):
        summary["images"][0].update(blobs_uploaded=0, bytes_uploaded=0, blobs_mounted=1, bytes_mounted=size)
        lines = report(summary)
        assert lines[0].endswith(f"; 1 blob mounted ({shown})")
        assert lines[-1].endswith(f", {shown} mounted")
    summary["images"][0].update(blobs_mounted=0)
    assert report(summary)[0].endswith("; no blobs")


def failed(reason: str, action: str = "failed") -> Plain:
    return {"action": action, "reason": reason}


def test_what_could_be_promoted_is_no_problem() -> None:
    assert problem([failed("", "promote"), failed("", "unchanged")]) == ""


def test_reasons_are_told_once_and_those_held_up_are_counted() -> None:
    images = [
        failed("r/a:1 was not moved"),
        failed("no", "missing"),
        failed("no", "refused"),
        failed("r/b:1 was not moved"),
    ]
    assert problem(images) == "no | 2 others were blocked by that"


def test_of_many_reasons_the_first_are_told() -> None:
    images = [failed(f"reason {number}") for number in range(8)]
    assert problem(images) == " | ".join([*(f"reason {number}" for number in range(5)), "and 3 more"])


def test_a_report_says_what_gates_and_signatures_said_of_what_is_promoted(both: Plan) -> None:
    summary = told(both, done(both))
    gate = {"name": "label", "passed": True, "severity": "error", "value": True, "message": "no label"}
    warning = {**gate, "name": "age", "passed": False, "severity": "warning", "message": "it is old"}
    signature = {"form": "cosign_tag", "digest": "", "subject": "", "verified": True, "by": "key:abc=", "reason": ""}
    other = {**signature, "verified": False, "by": "", "reason": "no"}
    summary["images"][0].update(gates=[gate, warning], verified=True, signatures=[other, signature, signature])
    summary["images"][1].update(verified=True)
    lines = report(summary)
    assert lines[1:3] == [
        "  gates: label (passed), age (warning: it is old)",
        "  signatures: verified by key:abc= (cosign_tag)",
    ]
    assert lines[4] == "  signatures: none, and none is required"


@pytest.mark.parametrize(
    ("record", "check_mode", "lines"),
    [
        ({"path": None, "outcome": None, "finished": []}, False, []),
        ({"path": "/r/a", "outcome": "done", "finished": []}, False, ["recorded (done): /r/a"]),
        ({"path": "/r/a", "outcome": "failed", "finished": []}, False, ["recorded (failed): /r/a"]),
        ({"path": "/r/a", "outcome": "done", "finished": ["/r/a"]}, False, ["finished: /r/a"]),
        (
            {"path": "/r/b", "outcome": "done", "finished": ["/r/a", "/r/b"]},
            False,
            ["finished: /r/b, and with it /r/a"],
        ),
        ({"path": None, "outcome": "done", "finished": []}, True, ["would be recorded"]),
        ({"path": "/r/a", "outcome": "done", "finished": ["/r/a"]}, True, ["would finish the record /r/a"]),
    ],
)
def test_a_report_says_where_the_promotion_is_recorded(
    both: Plan, record: Plain, check_mode: bool, lines: list[str]
) -> None:
    summary = told(both, done(both))
    without = report(summary, check_mode=check_mode)
    assert report({**summary, "record": record}, check_mode=check_mode) == [*without[:-1], *lines, without[-1]]


@pytest.mark.parametrize(
    ("check_mode", "words"), [(False, "attached: 1 record"), (True, "would be attached: 1 record")]
)
def test_a_report_says_how_many_records_are_attached(both: Plan, check_mode: bool, words: str) -> None:
    summary = told(both, done(both))
    assert words not in report(summary, check_mode=check_mode)
    summary["images"][0]["record_attached"] = True
    summary["images"][1]["record_attached"] = False
    assert words in report(summary, check_mode=check_mode)
