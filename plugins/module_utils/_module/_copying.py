# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What modules that copy images have in common: the rules of the task, secrets, the diff, and what failed in words."""

from __future__ import annotations

import typing as t

from .._blobs._deletion import outcome_as_plain
from .._blobs._missing_repositories import MissingRepositories
from .._end._end import End
from .._promotion._change_request import Described, change_request
from .._promotion._copy import CopyRules, Promotion
from .._promotion._descriptions import described
from .._promotion._items import STOPPING, ImageItem
from .._promotion._judging import judge_plan
from .._promotion._make_plan import make_plan
from .._promotion._plan_as_plain import as_plain, from_plain
from .._promotion._plan_claims import check_claims
from .._promotion._plan_conditions import check_conditions
from .._promotion._plan_subjects import check_subjects
from .._promotion._recorded import NOT_RECORDED
from .._promotion._report import problem
from .._promotion._result import result_of
from ._attaching import Attaching
from ._condition_arguments import warn_of_gates
from ._planning import plan_rules
from ._record_keeping import recording
from ._task import Task
from ._verification_arguments import TAGS_ONLY, Verification

Plain = dict[str, t.Any]


def copy_images(
    task: Task,
    source: End,
    destination: End,
    items: t.Sequence[ImageItem],
    verification: Verification = TAGS_ONLY,
    given: Plain | None = None,
    *,
    trusted: bool = False,
) -> Plain:
    """Copy images by the options that a task has for that. Returns its result, what failed included.

    ``given`` is a plan from before, which is carried out. Raises :class:`InvalidInput` where it is none for ``items``.
    Unless it is ``trusted``, what it claims of both registries is looked up.
    """
    missing = MissingRepositories(destination)
    rules, attaching = plan_rules(task, verification), Attaching(task)
    if given is None:
        plan = make_plan(source, destination, items, rules, missing)
    else:
        plan = from_plain(given, items, source.name, destination.name, trusted=trusted)
        check_conditions(plan)
        check_subjects(plan, source, destination)
        if not trusted:
            plan = check_claims(plan, source, destination)
        plan = judge_plan(plan, source, destination, rules.conditions, check=task.check_mode)
        missing.consider(plan.untagged_repositories)
    task.check_secrets(as_plain(plan, contents=False))
    warn_of_gates(task, plan)
    known = described(source, destination, plan) if task.diff_mode else Described({}, {})
    how = CopyRules(task.params["on_error"] == "fail", task.check_mode, verification.depth)
    with recording(task) as record:
        promotion = Promotion(source, destination, plan, how, task.progress, missing, record)
        outcomes = promotion.carry_out()
        attaching.attach(source, destination, plan, outcomes, record)
    result = result_of(plan, outcomes)
    if "keep_replaced" in task.params:
        result["replaced_tags"] = [outcome_as_plain(tag) for tag in outcomes.replaced_tags.done]
    if "record" in task.params:
        result["record"] = NOT_RECORDED if record is None else record.recorded.as_plain()
        result["changed"] = result["changed"] or attaching.changed
        for image, is_attached in zip(result["images"], attaching.told(plan)):
            image["record_attached"] = is_attached
    result.update(_failures(result["images"], promotion))
    if task.diff_mode:
        result["diff"] = change_request(plan, outcomes, known, task.without_secrets, with_digests=task.verbosity > 0)
        result["diff"] += attaching.diff(destination)
    return result


def _failures(images: t.Sequence[Plain], promotion: Promotion) -> Plain:
    """What could not be copied, and why, in words."""
    failed = [image for image in images if image["action"] in STOPPING]
    failures = [{"reference": image["reference"], "msg": image["reason"]} for image in failed]
    if not failed:
        return {"failures": failures}
    not_reverted = [tag._asdict() for tag in promotion.outcomes.not_reverted]
    what = f"{len(failed)} of {len(images)} images {'was' if len(failed) == 1 else 'were'} not copied."
    if promotion.writes_nothing:
        what = "Nothing was written."
    return {
        "failures": failures,
        "msg": f"{what} {problem(images, not_reverted)}",
        "repository_missing": promotion.outcomes.repository_missing,
    }
