# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import base64
import json
import typing as t

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.imageops.registry.plugins.filter.rollback import FilterModule
from ansible_collections.imageops.registry.plugins.module_utils._promotion._record import encode_record, statement_of
from ansible_collections.imageops.registry.tests.unit.support.records import DONE

Plain = dict[str, t.Any]
FILTERS = FilterModule().filters()
PATH = "/records/a.promotion.json"
READ = {"content": base64.b64encode(encode_record(DONE)).decode()}

TWICE = base64.b64encode(encode_record(DONE)[:-1] + b', "predicate": {}}').decode()


def said(statement: Plain) -> Plain:
    """The result that has read a file with this in it."""
    return {"content": base64.b64encode(json.dumps(statement).encode()).decode()}


def test_a_record_in_a_file_and_as_a_result_say_the_same() -> None:
    of_file = FILTERS["rollback_plan"](PATH, [], "prod.example", READ)
    assert of_file["mistake"] == "" and of_file["images"] and of_file["created"]
    assert of_file["record"] == {"path": "/records", "environment": "production", "reverts": "a.promotion.json"}
    as_result = FILTERS["rollback_plan"](statement_of(DONE), [], "prod.example")
    assert of_file["removals"] == of_file["record"]
    assert as_result == {**of_file, "record": {}, "removals": {}, "reverts": ""}
    assert FILTERS["rollback_plan"](statement_of(DONE)) == as_result


@pytest.mark.parametrize(
    ("record", "more", "sentence"),
    [
        (PATH, {"file": {"msg": "File not found: x"}}, f"rollback_record: {PATH} cannot be read: File not found: x"),
        (PATH, {}, f"rollback_record: {PATH} cannot be read: no reason is given"),
        (PATH, {"file": {"content": "eA=="}}, f"rollback_record: {PATH} is not the record of a promotion"),
        (PATH, {"file": {"content": "?"}}, f"rollback_record: {PATH} is not the record of a promotion"),
        (PATH, {"file": said({**statement_of(DONE), "subject": []})}, f"rollback_record: {PATH} is not the record"),
        (PATH, {"file": said(statement_of(DONE)["predicate"])}, f"rollback_record: {PATH} is not the record"),
        (
            PATH,
            {"file": {"content": TWICE}},
            f"rollback_record: {PATH} is not the record of a promotion: the statement",
        ),
        (PATH, {"file": READ, "registry": 7}, "rollback_destination: the registry 7 is not a string"),
        (7, {}, "rollback_record: it is neither a path nor a record"),
        (None, {"images": []}, "rollback_images: no tags to move back are named"),
        (PATH, {"file": READ, "record_to": 7}, "rollback_record_to: it is neither a path nor a mapping"),
        (statement_of(DONE), {"record_to": {"actor": "ci"}}, "rollback_record_to: it names no path, and "),
        (PATH, {"file": READ, "registry": "x.example"}, "rollback_record: its promotion was to prod.example"),
    ],
)
def test_why_nothing_can_go_back_is_a_sentence_with_the_roles_variable(
    record: t.Any, more: Plain, sentence: str
) -> None:
    plan = FILTERS["rollback_plan"](record, **{"images": [], **more})
    assert plan["mistake"].startswith(sentence) and plan["images"] == plan["created"] == []


def test_each_filter_takes_what_the_one_before_returns() -> None:
    plan = FILTERS["rollback_plan"](PATH, [], "prod.example", READ)
    result = FILTERS["rollback_result"](plan, {"skipped": True}, {})
    assert FILTERS["rollback_failure"](result, plan, {}) == ""
    assert FILTERS["rollback_report"](result, check_mode=True) == [
        "left alone: prod/app:1.4.2, which the promotion created (rollback_created_tags is keep)",
        "0 tags would go back, 0 would be removed; 0 requests",
    ]


@pytest.mark.parametrize(
    ("name", "given"),
    [("rollback_result", ({}, {}, {"failures": [{}]})), ("rollback_failure", ({}, {}, {})), ("rollback_report", ({},))],
)
def test_something_else_is_refused_by_the_name_of_the_filter(name: str, given: tuple[t.Any, ...]) -> None:
    with pytest.raises(AnsibleFilterError, match=f"^{name} takes "):
        FILTERS[name](*given)
