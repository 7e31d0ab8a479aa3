# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import typing as t

import pytest
from ansible_collections.imageops.registry.plugins.module_utils._model._errors import InvalidInput
from ansible_collections.imageops.registry.plugins.module_utils._promotion._record import (
    PREDICATE_TYPE,
    Record,
    encode_record,
    predicate_of,
    statement_of,
)
from ansible_collections.imageops.registry.plugins.module_utils._promotion._record_reading import (
    parse_record,
    record_in,
    record_of,
)
from ansible_collections.imageops.registry.plugins.module_utils._promotion._statement import Statement
from ansible_collections.imageops.registry.tests.unit.support.documents import DIGEST, OTHER_DIGEST
from ansible_collections.imageops.registry.tests.unit.support.records import (
    APP,
    BEGUN,
    DONE,
    EQUAL,
    FAILED,
    Place,
    keys_of,
    with_value,
    without,
)

Plain = dict[str, t.Any]
ALL_KEYS = [place for place in keys_of(FAILED) if place[0] == "predicate" and len(place) > 1]


def encoded(statement: Plain) -> bytes:
    return json.dumps(statement).encode()


@pytest.mark.parametrize("record", [DONE, BEGUN, FAILED, DONE._replace(outcome="reverted", reverts="a.promotion.json")])
@pytest.mark.parametrize("indent", [None, 1])
def test_what_was_written_is_read(record: Record, indent: int | None) -> None:
    assert parse_record(encode_record(record, indent=indent)) == record


def test_a_predicate_among_other_keys_is_a_record() -> None:
    told = {**predicate_of(DONE), "subjects": [], "source_of_record": {"path": "x"}, "verified": None}
    assert record_of(told) == DONE


def test_keys_of_a_newer_version_are_left_out() -> None:
    statement: t.Any = statement_of(FAILED)
    image = statement["predicate"]["images"][0]
    places = [statement, statement["predicate"], statement["predicate"]["source"], image, image["bytes"]]
    for place in [*places, image["tags"][0], image["gates"][0], image["signatures"][0]]:
        place["added_in_1_1"] = {"a": 1}
    assert parse_record(encoded(statement)) == FAILED


@pytest.mark.parametrize("place", ALL_KEYS, ids=lambda place: ".".join(map(str, place)))
def test_each_key_is_needed_but_to_show_a_record(place: Place) -> None:
    statement = without(FAILED, place)
    with pytest.raises(InvalidInput, match=f"has no {place[-1]}"):
        parse_record(encoded(statement))
    shown = record_in(Statement((), PREDICATE_TYPE, statement["predicate"]), partly=True)
    assert without(shown, place)["predicate"] == statement["predicate"]


@pytest.mark.parametrize(
    "place", [place for place in ALL_KEYS if place[-1] != "value"], ids=lambda place: ".".join(map(str, place))
)
def test_another_type_is_refused_also_when_shown(place: Place) -> None:
    statement = with_value(FAILED, place, 1.5)
    for partly in (False, True):
        with pytest.raises(InvalidInput, match=str(place[-1])):
            record_in(Statement((), PREDICATE_TYPE, statement["predicate"]), partly=partly)


IMAGE: Place = ("predicate", "images", 0)


@pytest.mark.parametrize(
    ("place", "value", "reason"),
    [
        (("_type",), "https://in-toto.io/Statement/v0.1", "the statement is of the type"),
        (("predicateType",), PREDICATE_TYPE[:-1] + "2", "the predicate type is '.*/v2', not .*/v1"),
        (("subject",), [], "its subjects are not the digests"),
        (("subject", 0, "digest"), {"sha256": OTHER_DIGEST[7:]}, "its subjects are not the digests"),
        (("predicate",), [], "the predicate has no outcome"),
        (
            ("predicate", "outcome"),
            "finished",
            "the outcome 'finished', which is not one of begun, done, reverted, fai",
        ),
        (("predicate", "outcome"), ["done"], "the outcome .*, which is not one of"),
        (
            ("predicate", "begun_at"),
            "yesterday",
            "the predicate has a wrong begun_at: 'yesterday' is not a time of RFC",
        ),
        (("predicate", "begun_at"), None, "wrong begun_at"),
        (("predicate", "finished_at"), None, "its outcome is failed, and its finished_at is null"),
        (("predicate", "outcome"), "begun", "its outcome is begun, and its finished_at is 2026-05-31T12:00:09Z"),
        (("predicate", "source"), "dev.example", "source of the predicate is not an object"),
        (("predicate", "images"), {}, "wrong images: '{}' is not a list"),
        (("predicate", "images", 1), 7, r"images\[1\] of the predicate is not an object"),
        ((*IMAGE, "action"), "moved", r"images\[0\] of the predicate has the action 'moved'"),
        ((*IMAGE, "repository"), "Team/App", r"images\[0\] of the predicate has a wrong repository: malformed"),
        ((*IMAGE, "repository"), "../app", "wrong repository"),
        ((*IMAGE, "digest"), "sha256:abc", "wrong digest: 'sha256:abc' is not a digest"),
        ((*IMAGE, "tags", 1, "tag"), "a b", r"tags\[1\] of images\[0\] of the predicate has a wrong tag: malformed"),
        ((*IMAGE, "tags", 1, "digest"), "", r"tags\[1\] of images\[0\] of the predicate has no digest"),
        ((*IMAGE, "tags", 1, "previous_digest"), "latest", "wrong previous_digest"),
        ((*IMAGE, "tags", 1, "action"), "moved", "the action 'moved', which is not one of create, replace, exists"),
        ((*IMAGE, "bytes", "mounted"), -1, "wrong mounted: '-1' is not a number of bytes"),
        ((*IMAGE, "bytes", "mounted"), True, "wrong mounted: 'True' is not a number of bytes"),
        ((*IMAGE, "gates", 0, "severity"), "fatal", "the severity 'fatal', which is not one of error, warning"),
        ((*IMAGE, "gates", 0, "passed"), "yes", "wrong passed: 'yes' is not a boolean"),
        (("predicate", "not_reverted", 0, "tag"), "", r"not_reverted\[0\] of the predicate has a wrong tag"),
    ],
)
def test_what_is_malformed_is_said_in_a_sentence(place: Place, value: t.Any, reason: str) -> None:
    with pytest.raises(InvalidInput, match=reason):
        parse_record(encoded(with_value(FAILED, place, value)))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is not valid JSON"),
        (encode_record(DONE)[:-9], "is not valid JSON"),
        (b"[]", "is not a JSON object"),
        (b"[" * 100_000, "is not valid JSON"),
        (b'{"_type": 1, "_type": 2}', "a key twice"),
        (b"\xff", "is not valid JSON"),
    ],
)
def test_what_is_no_statement_is_said_in_a_sentence(content: bytes, reason: str) -> None:
    with pytest.raises(InvalidInput, match=reason):
        parse_record(content)


def test_texts_are_fit_for_a_screen() -> None:
    record = DONE._replace(actor="a\x1b[31m\nb", reason="line\u2028break")
    found = parse_record(encode_record(record))
    assert (found.actor, found.reason) == ("a [31m b", "line break")


def test_a_tag_that_failed_may_have_no_digest() -> None:
    failed = APP._replace(action="missing", digest="", tags=(APP.tags[0]._replace(digest="", action="failed"),))
    record = DONE._replace(outcome="failed", images=(failed, APP, EQUAL))
    assert parse_record(encode_record(record)) == record


def test_a_record_of_many_images_may_be_larger_than_a_manifest() -> None:
    images = tuple(APP._replace(repository=f"team/app-{number}") for number in range(4000))
    content = encode_record(DONE._replace(images=images), indent=1)
    assert len(content) > 4 * 1024 * 1024
    assert len(parse_record(content).images) == 4000


def test_what_hides_behind_a_missing_key_is_empty_when_shown() -> None:
    statement = Statement(
        (), PREDICATE_TYPE, {"outcome": "done", "images": [{"tags": [{"tag": "1", "digest": DIGEST}]}]}
    )
    shown = record_in(statement, partly=True)
    assert (shown.begun_at, shown.source, shown.images[0].tags[0]) == ("", "", ("1", "", DIGEST, ""))


def nested(depth: int) -> t.Any:
    value: t.Any = []
    for _level in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize("partly", [False, True])
@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (nested(500), "is nested too deeply"),
        (nested(91), "is nested too deeply"),
        ({"a": [nested(90)]}, "is nested too deeply"),
        (float("inf"), "has a number in it that is too large"),
        ([-float("inf")], "has a number in it that is too large"),
        (10**4000, "has a number in it that is too large"),
        (float("nan"), "has a number in it that is too large"),
        ("\ud800", "has half of a character in it"),
        ({"\udfff": 1}, "has half of a character in it"),
    ],
)
def test_values_that_others_cannot_read_are_refused(value: t.Any, reason: str, partly: bool) -> None:
    statement = with_value(DONE, (*IMAGE, "gates", 0, "value"), value)
    with pytest.raises(InvalidInput, match=rf"value of gates\[0\] of images\[0\] of the predicate {reason}"):
        record_in(Statement((), PREDICATE_TYPE, statement["predicate"]), partly=partly)


@pytest.mark.parametrize("value", [nested(90), 1.5, 10**20, -3, True, None, "\U0001f600", {"a": {"b": [1]}}])
def test_other_values_are_kept(value: t.Any) -> None:
    statement = with_value(DONE, (*IMAGE, "gates", 0, "value"), value)
    assert parse_record(encoded(statement)).images[0].gates[0].value == value


@pytest.mark.parametrize(
    "place",
    [("predicate", "outcome"), ("predicate", "actor"), (*IMAGE, "bytes", "mounted"), ("subject", 0, "digest", "x")],
)
@pytest.mark.parametrize("depth", [500, 990])
def test_depth_in_the_place_of_something_else_is_said_in_a_sentence(place: Place, depth: int) -> None:
    content = encoded(with_value(DONE, place, "@@")).replace(b'"@@"', b"[" * depth + b"]" * depth)
    with pytest.raises(InvalidInput):
        parse_record(content)


def test_numbers_of_bytes_are_those_of_registries() -> None:
    for number in (2**63, 10**4000):
        with pytest.raises(InvalidInput, match="wrong mounted"):
            record_of(with_value(DONE, (*IMAGE, "bytes", "mounted"), number)["predicate"])
