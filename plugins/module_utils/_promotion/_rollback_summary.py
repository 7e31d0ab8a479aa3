# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What a rollback did, made of the results of the tasks of its role, and in lines for people."""

from __future__ import annotations

import typing as t

from .._model._actions import DELETE, MISSING, PROMOTE, REPLACE
from ._items import Plain
from ._recorded import NOT_RECORDED
from ._report import problem
from ._summary_of_tasks import sum_of_transfers
from ._words import STILL_SERVED, count, short

_Place = tuple[t.Any, t.Any]
_EXPECTED = (
    " (expected_destination_digest). If that is right, change expected_destination_digest.",
    ". Another client moved it meanwhile; compare again.",
)
"""How image_copy, and tag, end a sentence about a tag that points to another digest than was expected."""
_SINCE = " by the record. It was moved since. To go back with the other tags only, name these in rollback_images."
_DELETE_MANIFEST = " delete_manifest: true"
"""How tag begins what to do where a tag can't be removed alone; the role has no such variable."""


def rollback_summary(plan: Plain, copied: Plain, removed: Plain, recorded: Plain) -> Plain:
    """What a rollback did: ``changed``, ``images``, ``removed``, ``kept``, ``not_reverted``, ``record``, ``transfer``.

    ``plan`` is what was to go back, ``copied`` the result of ``image_copy`` for its images, and ``removed`` that of
    ``tag`` for the tags that the promotion had created, ``recorded`` that of the task that recorded these. Each may be
    of a task that was skipped, or failed as a whole.
    """
    reasons = _reasons(plan, removed)
    gone = [
        {"repository": tag["repository"], "tag": tag["tag"], "digest": tag["previous_digest"]}
        for tag in removed.get("tags", ())
        if tag["action"] == DELETE and _place(tag) not in reasons
    ]
    not_removed = [
        {**tag, "previous_digest": "", "reason": reasons[_place(tag)]}
        for tag in plan["created"]
        if _place(tag) in reasons
    ]
    return {
        "changed": copied.get("changed") is True or removed.get("changed") is True,
        "images": copied.get("images", []),
        "removed": gone,
        # Nobody has asked for these: they are as they were.
        "kept": [] if "tags" in removed or "msg" in removed or "msg" in copied else plan["created"],
        "not_reverted": [*copied.get("not_reverted", ()), *not_removed],
        "record": _record_of(copied, recorded),
        "transfer": sum_of_transfers([copied, removed]),
    }


def _record_of(copied: Plain, recorded: Plain) -> Plain:
    """The record of the rollback. Where only tags were removed, it is that of these."""
    found: Plain = copied.get("record") or NOT_RECORDED
    return found if found["outcome"] else recorded.get("record") or found


def rollback_problem(plan: Plain, summary: Plain, removed: Plain, looked: Plain, recorded: Plain) -> str:
    """Why tags could not go back, in sentences; empty where all could.

    ``looked`` is the result of the look at the tags that would be removed, before anything moved. That a registry can't
    remove a tag alone is no problem: such tags stay, and are listed.
    """
    if "msg" in looked:
        return _as_rollback(str(looked["msg"]))
    images = summary["images"]
    lost = [image["reference"] for image in images if image["action"] == MISSING]
    if not lost:
        return _as_rollback(problem(images)) or _problem_of_removal(removed) or _problem_of_record(recorded)
    others = _as_rollback(problem([image for image in images if image["action"] != MISSING]))
    are, them = ("is", "it") if len(lost) == 1 else ("are", "them")
    again = f"again from {plan['source']}, if it still has {them}" if plan["source"] else "again"
    told = f"{', '.join(lost)} {are} gone. Promote {them} {again}, and then go back."
    return f"{told} | {others}" if others else told


def rollback_lines(summary: Plain, *, check_mode: bool = False) -> list[str]:
    """A line for each tag that went back, was removed, or could not be, and one with the totals."""
    back, gone = ("would go back", "would be removed") if check_mode else ("went back", "removed")
    lines = []
    for image in summary["images"]:
        moved = [tag for tag in image["tags"] if image["action"] == PROMOTE and tag["action"] == REPLACE]
        now = short(image["digest"])
        lines += [
            f"{back}: {image['destination']}:{tag['tag']} to {now} (was {short(tag['previous_digest'])})"
            for tag in moved
        ]
    totals = [f"{count(len(lines), 'tag')} {back}", f"{len(summary['removed'])} {gone}"]
    lines += [f"{gone}: {one['repository']}:{one['tag']}" for one in summary["removed"]]
    lines += [
        f"left alone: {one['repository']}:{one['tag']}, which the promotion created (rollback_created_tags is keep)"
        for one in summary["kept"]
    ]
    lines += [f"not reverted: {one['repository']}:{one['tag']}: {one['reason']}" for one in summary["not_reverted"]]
    if summary["record"].get("path"):
        lines.append(f"recorded ({summary['record']['outcome']}): {summary['record']['path']}")
    return [*lines, f"{', '.join(totals)}; {count(summary['transfer'].get('requests', 0), 'request')}"]


def _as_rollback(sentence: str) -> str:
    """What is said of a digest that was expected, in words of a rollback: the record has named it."""
    for words in _EXPECTED:
        sentence = sentence.replace(words, _SINCE)
    return sentence


def _problem_of_removal(removed: Plain) -> str:
    if removed.get("failures"):
        reasons = [str(one["msg"]) for one in removed["failures"] if one.get("needs_delete_manifest") is not True]
        return " | ".join(dict.fromkeys(reasons))
    return f"The tags that the promotion created were not removed. {removed['msg']}" if "msg" in removed else ""


def _problem_of_record(recorded: Plain) -> str:
    return f"The tags that were removed are not recorded. {recorded['msg']}" if "msg" in recorded else ""


def _reasons(plan: Plain, removed: Plain) -> dict[_Place, str]:
    """Why tags that the promotion had created are still there, or may be."""
    if removed.get("failures"):
        reasons = {_place(one): str(one["msg"]).partition(_DELETE_MANIFEST)[0] for one in removed["failures"]}
    else:
        reasons = {_place(tag): str(removed["msg"]) for tag in plan["created"]} if "msg" in removed else {}
    pending = {_place(tag): STILL_SERVED for tag in removed.get("tags", ()) if tag.get("deletion_pending") is True}
    return {**pending, **reasons}


def _place(tag: Plain) -> _Place:
    return tag.get("repository"), tag.get("tag")
