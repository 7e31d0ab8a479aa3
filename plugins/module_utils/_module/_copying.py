# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What modules that copy images have in common: the rules of the task, secrets, the diff, and what failed in words."""

from __future__ import annotations

import typing as t

from .._end._end import End
from .._images._tag_diff import describe_tags, tag_diff
from .._promotion._copy import CopyRules, Promotion
from .._promotion._items import STOPPING, ImageItem
from .._promotion._report import problem
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
) -> Plain:
    """Copy images by the options that a task has for that. Returns its result, what failed included.

    ``given`` is a plan from before, which is followed.
    """
    rules = CopyRules(
        all_or_nothing=task.params["on_error"] == "fail",
        artifacts_of_equal=task.params["compare_artifacts"],
        check=task.check_mode,
        depth=verification.depth,
        repair=verification.repair,
        summaries=task.diff_mode,
    )
    promotion = Promotion(source, destination, rules, task.progress)
    shown: dict[str, t.Any] = {"before": {}, "after": {}}

    def before_write(planned: Plain) -> None:
        task.check_secrets(planned)
        if task.diff_mode:
            moving = [*planned["artifact_tags"], *planned["tags"]]
            shown["before"] = describe_tags(destination, [(tag["repository"], tag["tag"]) for tag in moving])
            shown["after"] = {(tag["repository"], tag["tag"]): tag.get("summary") for tag in moving}

    result = promotion.copy_images(items, before_write, given)
    failed = [image for image in result["images"] if image["action"] in STOPPING]
    result["failures"] = [{"reference": image["reference"], "msg": image["reason"]} for image in failed]
    if failed:
        what = (
            "Nothing was written."
            if promotion.nothing_written
            else f"{len(failed)} of {len(items)} images were not copied."
        )
        result["msg"] = f"{what} {problem(result['images'])}"
        result["repository_missing"] = promotion.repository_missing
    if task.diff_mode:
        tags = tag_diff(destination, promotion.tags, shown["before"], shown["after"])
        result["diff"] = [*promotion.content_diff(), *tags]
    return result
