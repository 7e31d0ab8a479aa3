# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.imageops.registry.plugins.module_utils._promotion._comparison import compare_images
from ansible_collections.imageops.registry.plugins.module_utils._promotion._recorded import NOT_RECORDED
from ansible_collections.imageops.registry.plugins.module_utils._promotion._rollback_summary import (
    rollback_lines,
    rollback_problem,
    rollback_summary,
)
from ansible_collections.imageops.registry.tests.unit.support.documents import DIGEST, OTHER_DIGEST
from ansible_collections.imageops.registry.tests.unit.support.promotions import BY_DIGEST, filled_source

Plain = dict[str, t.Any]
PLAN: Plain = {
    "source": "dev.example",
    "created": [{"repository": "a/b", "tag": name, "digest": DIGEST} for name in ("9", "10")],
}
MOVED: Plain = {
    "reference": f"prod.example/a/b@{OTHER_DIGEST}",
    "destination": "prod.example/a/b",
    "digest": OTHER_DIGEST,
    "action": "promote",
    "reason": "",
    "tags": [
        {"tag": "1", "previous_digest": DIGEST, "action": "replace"},
        {"tag": "2", "previous_digest": OTHER_DIGEST, "action": "exists"},
    ],
}
RECORD: Plain = {"path": "/records/2.promotion.json", "outcome": "done", "finished": []}
COPIED: Plain = {"changed": True, "images": [MOVED], "record": RECORD, "transfer": {"requests": 5}}
HINTED = "Cannot delete: no. delete_manifest: true deletes the manifest, and with it all other tags that point to it."
REMOVED: Plain = {
    "changed": True,
    "tags": [{"repository": "a/b", "tag": "9", "action": "delete", "previous_digest": DIGEST, "digest": ""}],
    "failures": [{"repository": "a/b", "tag": "10", "digest": "", "msg": HINTED, "needs_delete_manifest": True}],
    "msg": HINTED,
    "transfer": {"requests": 3},
}
NOT_REVERTED: Plain = {
    "repository": "a/b",
    "tag": "10",
    "digest": DIGEST,
    "previous_digest": "",
    "reason": "Cannot delete: no.",
}


def test_what_went_back_was_removed_and_could_not_be() -> None:
    summary = rollback_summary(PLAN, COPIED, REMOVED, {})
    assert summary == {
        "changed": True,
        "images": [MOVED],
        "removed": [{"repository": "a/b", "tag": "9", "digest": DIGEST}],
        "kept": [],
        "not_reverted": [NOT_REVERTED],
        "record": RECORD,
        "transfer": {"requests": 8},
    }
    now, before = OTHER_DIGEST[:19], DIGEST[:19]
    assert rollback_lines(summary) == [
        f"went back: prod.example/a/b:1 to {now}... (was {before}...)",
        "removed: a/b:9",
        "not reverted: a/b:10: Cannot delete: no.",
        "recorded (done): /records/2.promotion.json",
        "1 tag went back, 1 removed; 8 requests",
    ]
    assert rollback_lines({**summary, "record": NOT_RECORDED}, check_mode=True) == [
        f"would go back: prod.example/a/b:1 to {now}... (was {before}...)",
        "would be removed: a/b:9",
        "not reverted: a/b:10: Cannot delete: no.",
        "1 tag would go back, 1 would be removed; 8 requests",
    ]


def test_what_the_copy_could_not_put_back_is_among_it() -> None:
    one = {**NOT_REVERTED, "tag": "1", "previous_digest": OTHER_DIGEST}
    assert rollback_summary(PLAN, {**COPIED, "not_reverted": [one]}, {}, {})["not_reverted"] == [one]


def test_a_tag_that_the_registry_cannot_remove_alone_is_no_failure_and_another_one_is() -> None:
    summary = rollback_summary(PLAN, COPIED, REMOVED, {})
    assert rollback_problem(PLAN, summary, REMOVED, {}, {}) == ""
    denied = {"repository": "a/b", "tag": "9", "digest": "", "msg": "Cannot delete: cannot delete a tag alone, denied."}
    removed = {**REMOVED, "tags": [], "changed": False, "failures": [*REMOVED["failures"], denied]}
    assert rollback_problem(PLAN, summary, removed, {}, {}) == denied["msg"]
    assert [one["reason"] for one in rollback_summary(PLAN, COPIED, removed, {})["not_reverted"]] == [
        denied["msg"],
        NOT_REVERTED["reason"],
    ]


def test_a_removal_that_failed_as_a_whole_leaves_every_created_tag() -> None:
    removed = {"failed": True, "changed": False, "msg": "Cannot log in to prod.example: 401."}
    summary = rollback_summary(PLAN, COPIED, removed, {})
    assert summary["removed"] == []
    assert summary["not_reverted"] == [{**NOT_REVERTED, "tag": tag, "reason": removed["msg"]} for tag in ("9", "10")]
    assert rollback_problem(PLAN, summary, removed, {}, {}) == (
        "The tags that the promotion created were not removed. Cannot log in to prod.example: 401."
    )


def test_a_tag_that_is_still_served_or_may_be_is_not_removed() -> None:
    deleted = {"repository": "a/b", "action": "delete", "previous_digest": DIGEST, "digest": DIGEST}
    tags = [{**deleted, "tag": "9", "deletion_pending": True}, {**deleted, "tag": "10", "digest": ""}]
    unknown = {"repository": "a/b", "tag": "10", "digest": "", "msg": "Cannot read: 400."}
    removed = {"changed": True, "tags": tags, "failures": [unknown], "msg": unknown["msg"]}
    summary = rollback_summary(PLAN, {"changed": False, "images": []}, removed, {})
    assert summary["removed"] == [] and summary["changed"] is True
    assert [one["reason"] for one in summary["not_reverted"]] == [
        "The registry has accepted to remove it, and still serves it.",
        unknown["msg"],
    ]
    assert rollback_problem(PLAN, summary, removed, {}, {}) == unknown["msg"]


def test_only_a_removal_is_a_change_too() -> None:
    assert rollback_summary(PLAN, {"changed": False, "images": []}, REMOVED, {})["changed"] is True


@pytest.mark.parametrize("copied", [{}, {"skipped": True, "changed": False}, {"failed": True, "msg": "no login"}])
def test_without_results_nothing_was_done(copied: Plain) -> None:
    summary = rollback_summary(PLAN, copied, {}, {})
    assert summary == {
        "changed": False,
        "images": [],
        "removed": [],
        "kept": [] if "msg" in copied else PLAN["created"],
        "not_reverted": [],
        "record": NOT_RECORDED,
        "transfer": {},
    }
    left = [
        f"left alone: a/b:{tag}, which the promotion created (rollback_created_tags is keep)" for tag in ("9", "10")
    ]
    assert rollback_lines(summary) == [*left * bool(summary["kept"]), "0 tags went back, 0 removed; 0 requests"]
    assert rollback_problem(PLAN, summary, {}, {}, {}) == ""


def test_a_digest_that_is_gone_is_said_with_where_it_could_come_from() -> None:
    gone = {**MOVED, "action": "missing", "reason": "it is not there"}
    summary = {"images": [gone, {**MOVED, "action": "refused", "reason": "another reason"}]}
    assert rollback_problem(PLAN, summary, {}, {}, {}) == (
        f"prod.example/a/b@{OTHER_DIGEST} is gone. Promote it again from dev.example, if it still has it, and then go "
        "back. | another reason"
    )
    two = {"images": [gone, {**gone, "reference": "prod.example/c"}]}
    assert rollback_problem({**PLAN, "source": ""}, two, {}, {}, {}).startswith(
        f"prod.example/a/b@{OTHER_DIGEST}, prod.example/c are gone. Promote them again, and then go back."
    )


def test_a_tag_that_moved_since_is_told_in_words_of_a_rollback() -> None:
    registry = filled_source()
    item = BY_DIGEST._replace(tags=("2",), expected_destination_digest=DIGEST)
    (compared,) = compare_images(registry.client, registry.client, [item])
    refused = {**MOVED, "action": "refused", "reason": compared.reason}
    sentence = rollback_problem(PLAN, {"images": [refused]}, {}, {}, {})
    assert f"and {DIGEST} was expected by the record. It was moved since." in sentence
    assert "expected_destination_digest" not in sentence


def test_a_created_tag_that_moved_since_is_told_in_words_of_a_rollback() -> None:
    conflict = f"Cannot delete prod.example/a/b:9: it points to {OTHER_DIGEST}, and {DIGEST} was expected. "
    looked = {"msg": f"{conflict}Another client moved it meanwhile; compare again.", "failed": True}
    sentence = rollback_problem(PLAN, {"images": []}, {}, looked, {})
    assert (
        sentence.startswith(f"{conflict[:-2]} by the record. It was moved since.") and "compare again" not in sentence
    )


def test_the_record_is_that_of_what_went_back_or_of_what_was_removed() -> None:
    recorded = {"record": {**RECORD, "path": "/records/3.promotion.json"}, "changed": True}
    assert rollback_summary(PLAN, COPIED, REMOVED, recorded)["record"] == RECORD
    nothing = {"changed": False, "images": [], "record": NOT_RECORDED}
    summary = rollback_summary(PLAN, nothing, REMOVED, recorded)
    assert summary["record"] == recorded["record"]
    assert rollback_problem(PLAN, summary, REMOVED, {}, recorded) == ""
    failed = {"failed": True, "msg": "No space left."}
    assert rollback_summary(PLAN, nothing, REMOVED, failed)["record"] == NOT_RECORDED
    told = rollback_problem(PLAN, summary, REMOVED, {}, failed)
    assert told == "The tags that were removed are not recorded. No space left."
