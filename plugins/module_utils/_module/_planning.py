# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What modules that make plans have in common."""

from __future__ import annotations

from .._promotion._make_plan import PlanRules
from ._condition_arguments import conditions
from ._task import Task
from ._verification_arguments import Verification


def plan_rules(task: Task, verification: Verification) -> PlanRules:
    """What is looked at for a plan, by the options that a task has for that."""
    return PlanRules(
        artifacts_of_equal=task.params["compare_artifacts"],
        depth=verification.depth,
        repair=verification.repair,
        conditions=conditions(task),
        check=task.check_mode,
        summaries=task.diff_mode,
    )
