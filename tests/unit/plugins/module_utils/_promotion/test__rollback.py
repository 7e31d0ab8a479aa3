# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import re
import typing as t

import pytest
from ansible_collections.imageops.registry.plugins.module_utils._model._errors import InvalidInput
from ansible_collections.imageops.registry.plugins.module_utils._promotion._record import (
    NotReverted,
    Record,
    RecordedTag,
    predicate_of,
    statement_of,
)
from ansible_collections.imageops.registry.plugins.module_utils._promotion._rollback import (
    Rollback,
    recorded_where,
    rollback_of,
)
from ansible_collections.imageops.registry.tests.unit.support.documents import DIGEST, OTHER_DIGEST
from ansible_collections.imageops.registry.tests.unit.support.records import APP, BEGUN, DONE, EQUAL

Plain = dict[str, t.Any]
NAME = "20260531T120000Z-0123abcd.promotion.json"
THIRD_DIGEST = "sha256:" + "3" * 64
WEB = EQUAL._replace(
    action="promote",
    digest=DIGEST,
    tags=(
        RecordedTag("2", OTHER_DIGEST, DIGEST, "replace"),
        RecordedTag("2.0", THIRD_DIGEST, DIGEST, "replace"),
        RecordedTag("latest", OTHER_DIGEST, DIGEST, "replace"),
    ),
)
BOTH = DONE._replace(images=(APP, WEB))
APP_BACK: Plain = {
    "repository": "prod/app",
    "digest": OTHER_DIGEST,
    "tags": ["stable"],
    "expected_destination_digest": DIGEST,
}
WEB_BACK: Plain = {
    "repository": "team/web",
    "digest": OTHER_DIGEST,
    "tags": ["2", "latest"],
    "expected_destination_digest": DIGEST,
}
WEB_OTHER: Plain = {**WEB_BACK, "digest": THIRD_DIGEST, "tags": ["2.0"]}
WEBS_BACK = [WEB_BACK, WEB_OTHER]
CREATED: Plain = {"repository": "prod/app", "tag": "1.4.2", "digest": DIGEST}


def rolled(record: Record | None, images: t.Any = (), registry: str = "prod.example", name: str = "") -> Rollback:
    return rollback_of(None if record is None else statement_of(record), list(images), registry, name)


def test_all_tags_that_moved_go_back_and_must_be_where_the_record_put_them() -> None:
    rollback = rolled(BOTH, name="a.promotion.json")
    assert rollback.images == [APP_BACK, WEB_BACK, WEB_OTHER]
    assert rollback.created == [CREATED]
    assert rollback.to_remove == [{"repository": "prod/app", "tag": "1.4.2", "previous_digest": DIGEST}]
    assert rollback[2:] == ("dev.example:5000", "production", "a.promotion.json", False)
    assert rolled(BOTH._replace(outcome="begun", finished_at="")).unfinished is True


def test_one_whose_promotion_was_cut_off_goes_back_as_well() -> None:
    assert rolled(BEGUN).images == [APP_BACK]


@pytest.mark.parametrize("action", ["exists", "skip", "refused", "reverted"])
def test_other_tags_stay(action: str) -> None:
    image = APP._replace(tags=(RecordedTag("stable", OTHER_DIGEST, DIGEST, action),))
    assert rolled(DONE._replace(images=(image,)))[:2] == ([], [])


def test_a_tag_that_failed_may_have_moved_and_goes_back_as_well() -> None:
    """It must be where the record was to put it, or be back already: nothing else is touched."""
    image = APP._replace(action="failed", tags=tuple(tag._replace(action="failed") for tag in APP.tags))
    record = DONE._replace(outcome="failed", images=(image,))
    assert rolled(record)[:2] == ([APP_BACK], [CREATED])
    assert rolled(record, [{"repository": "prod/app", "tag": "stable"}]).images == [APP_BACK]


@pytest.mark.parametrize("ended", [BEGUN, DONE._replace(outcome="reverted")])
def test_what_has_not_moved_yet_or_is_back_as_a_whole_stays(ended: Record) -> None:
    tags = (APP.tags[0]._replace(action="reverted"), APP.tags[1]._replace(action="failed"))
    record = ended._replace(images=(APP._replace(action="failed", tags=tags),))
    assert rolled(record)[:2] == ([], [])


def test_a_tag_of_which_no_digest_is_known_stays() -> None:
    tags = (RecordedTag("stable", OTHER_DIGEST, "", "failed"), RecordedTag("1", DIGEST, DIGEST, "failed"))
    record = DONE._replace(outcome="failed", images=(APP._replace(action="failed", digest="", tags=tags),))
    assert rolled(record)[:2] == ([], [])


def test_what_could_not_go_back_goes_back_now() -> None:
    """Also the tags of artifacts, which no image of a record has."""
    signature, created = f"sha256-{DIGEST[7:]}.sig", f"sha256-{OTHER_DIGEST[7:]}.sig"
    left = (
        NotReverted("prod/app", "stable", DIGEST, OTHER_DIGEST, "no"),
        NotReverted("prod/app", signature, DIGEST, THIRD_DIGEST, "no"),
        NotReverted("prod/app", created, DIGEST, "", "no"),
    )
    tags = (APP.tags[0]._replace(action="reverted"), APP.tags[1])
    record = DONE._replace(outcome="failed", images=(APP._replace(action="failed", tags=tags),), not_reverted=left)
    rollback = rolled(record)
    assert rollback.images == [APP_BACK, {**APP_BACK, "digest": THIRD_DIGEST, "tags": [signature]}]
    assert rollback.created == [{**CREATED, "tag": created}]
    assert rolled(record, [{"repository": "prod/app", "tag": signature}]).images == rollback.images[1:]


@pytest.mark.parametrize(
    ("wanted", "images", "created"),
    [
        ([{"repository": "prod/app"}], [APP_BACK], [CREATED]),
        ([{"repository": "prod/app", "tag": "1.4.2"}], [], [CREATED]),
        ([{"repository": "team/web", "tag": "2"}], [{**WEB_BACK, "tags": ["2"]}], []),
        ([{"repository": "team/web", "tag": "2.0", "digest": THIRD_DIGEST}], [WEB_OTHER], []),
        ([{"repository": "team/web", "digest": THIRD_DIGEST}], [WEB_OTHER], []),
        (
            [{"repository": "team/web"}, {"repository": "prod/app", "tag": "stable"}],
            [WEB_BACK, WEB_OTHER, APP_BACK],
            [],
        ),
    ],
)
def test_some_of_a_record(wanted: list[Plain], images: list[Plain], created: list[Plain]) -> None:
    rollback = rolled(BOTH, wanted)
    assert (rollback.images, rollback.created) == (images, created)


def test_without_a_record_tags_go_where_they_are_told_to() -> None:
    rollback = rolled(None, [{"repository": "a/b", "tag": "1.5", "digest": DIGEST}])
    assert rollback.images == [{"repository": "a/b", "digest": DIGEST, "tags": ["1.5"]}]
    assert rollback.created == rollback.to_remove == [] and rollback.reverts == ""


@pytest.mark.parametrize(
    ("source", "reverts"),
    [
        (f"/var/lib/promotions/{NAME}", NAME),
        ("/etc/cron.d/x", "x"),
        ("/etc/\x1b[31ma\nb", " [31ma b"),
        (7, ""),
        (f"prod.example/team/app@{DIGEST}", DIGEST),
        (None, ""),
    ],
)
def test_a_record_of_a_result_says_where_it_is_from(source: t.Any, reverts: str) -> None:
    given = {**predicate_of(DONE), "subjects": [], "source_of_record": source}
    rollback = rollback_of(given, [], "PROD.example")
    assert rollback.images == [APP_BACK] and rollback.reverts == reverts


@pytest.mark.parametrize(
    ("record", "images", "registry", "sentence"),
    [
        (None, [], "prod.example", "images: no tags to move back are named"),
        (
            None,
            [{"repository": "a/b", "tag": "1"}],
            "prod.example",
            "images[0]: without a record, an",
        ),
        (
            None,
            [{"repository": "a/b", "digest": DIGEST}],
            "prod.example",
            "images[0]: without a record, an",
        ),
        (None, [{"repository": "A", "tag": "1", "digest": DIGEST}], "prod.example", "images[0]: "),
        (None, ["a/b"], "prod.example", "images[0]: an entry is a mapping with repository, tag, digest"),
        (None, [{"repository": "a/b", "tags": ["1"]}], "prod.example", "images[0]: an entry is a mapping with"),
        (None, "a/b", "prod.example", "images: it is not a list"),
        (
            DONE,
            [],
            "other.example",
            "record: its promotion was to prod.example, and rollback_destination is other.example",
        ),
        (DONE, [{"repository": "x"}], "prod.example", "images[0]: the record has no tag x that was moved"),
        (
            DONE,
            [{"repository": "prod/app", "tag": "stable", "digest": DIGEST}],
            "prod.example",
            f"images[0]: the record has no tag prod/app:stable that was moved from {DIGEST}",
        ),
    ],
)
def test_what_cannot_go_back_is_said_in_a_sentence(
    record: Record | None, images: t.Any, registry: str, sentence: str
) -> None:
    with pytest.raises(InvalidInput, match=f"^{re.escape(sentence)}"):
        rollback_of(None if record is None else statement_of(record), images, registry)


@pytest.mark.parametrize(
    "record",
    [
        *(7, [], {"predicate": 7}, {}, {**predicate_of(DONE), "outcome": "x"}),
        # A statement is read as everywhere: of our type, and about what it says was promoted.
        {"predicate": predicate_of(DONE)},
        {**statement_of(DONE), "predicateType": "https://slsa.dev/provenance/v1"},
        {**statement_of(DONE), "_type": "https://in-toto.io/Statement/v0.1"},
        {**statement_of(DONE), "subject": []},
        {**statement_of(DONE), "subject": [{"digest": {"sha256": "3" * 64}}]},
        {**predicate_of(DONE), "_type": "https://in-toto.io/Statement/v1"},
    ],
)
def test_what_is_no_record_is_said_in_a_sentence(record: t.Any) -> None:
    with pytest.raises(InvalidInput, match="^record: "):
        rollback_of(record, [], "prod.example")


TEXTS: Plain = {"environment": "production", "reverts": "a.promotion.json"}


@pytest.mark.parametrize(
    ("record", "given", "where"),
    [
        ("/records/a.promotion.json", None, {**TEXTS, "path": "/records"}),
        ("a.promotion.json", None, {**TEXTS, "path": "."}),
        ("/records/a.promotion.json", "/others", {**TEXTS, "path": "/others"}),
        ({}, None, {}),
        ({"source_of_record": f"/records/{NAME}"}, None, {**TEXTS, "path": "/records"}),
        ({"source_of_record": f"/{NAME}"}, None, {**TEXTS, "path": "/"}),
        ("/a.promotion.json", None, {**TEXTS, "path": "/"}),
        # Who made a mapping doesn't decide where a file is made.
        ({"source_of_record": "/etc/cron.d/x"}, None, {}),
        ({"source_of_record": "/etc/cron.d/x.promotion.json"}, None, {}),
        ({"source_of_record": f"/etc/cron.d/.{NAME}"}, None, {}),
        ({"source_of_record": f"/etc/cron.d/{NAME}\n"}, None, {}),
        ({"source_of_record": f"/etc/a\nb/{NAME}"}, None, {}),
        ({"source_of_record": f"etc/{NAME}"}, None, {}),
        ({"source_of_record": [f"/etc/{NAME}"]}, None, {}),
        ({"source_of_record": f"prod.example/team/app@{DIGEST}"}, None, {}),
        (None, "/others", {**TEXTS, "path": "/others"}),
        (
            {},
            {"path": "/o", "environment": "x", "actor": "ci"},
            {**TEXTS, "environment": "x", "path": "/o", "actor": "ci"},
        ),
        ({}, {}, {}),
        ({}, {"attach": True}, {**TEXTS, "attach": True}),
        (
            "/records/a.promotion.json",
            {"actor": "ci", "path": None, "environment": None},
            {**TEXTS, "path": "/records", "actor": "ci"},
        ),
        ("/records/a.promotion.json", {"path": "/o"}, {**TEXTS, "path": "/o"}),
    ],
)
def test_a_rollback_is_recorded_beside_what_it_reverts_or_where_it_is_said(
    record: t.Any, given: t.Any, where: Plain
) -> None:
    rollback = Rollback([], [], environment="production", reverts="a.promotion.json")
    assert recorded_where(record, given, rollback) == where


def test_no_other_place_is_taken_for_a_record() -> None:
    with pytest.raises(InvalidInput, match="^record_to: it is neither a path nor a mapping"):
        recorded_where(None, ["/a"], Rollback([], []))


@pytest.mark.parametrize("registry", [7, None, ["prod.example"], {"registry": "prod.example"}])
@pytest.mark.parametrize("record", [DONE, None])
def test_a_registry_that_is_no_text_is_said_in_a_sentence(record: Record | None, registry: t.Any) -> None:
    with pytest.raises(InvalidInput, match="^destination: the registry .* is not a string"):
        rolled(record, [{"repository": "prod/app", "tag": "stable", "digest": OTHER_DIGEST}], registry)
