# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the role promote makes of the results of its tasks. The thinking is in ``_promotion``."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError

from ..module_utils._promotion._report import problem, report
from ..module_utils._promotion._summary_of_tasks import stats_of, summary_of_tasks
from ..plugin_utils._kept import whole

Plain = dict[str, t.Any]


def promotion_summary(plan: Plain, copied: Plain) -> Plain:
    try:
        return summary_of_tasks(whole(plan), whole(copied))
    except (KeyError, OSError, TypeError, ValueError) as error:
        raise AnsibleFilterError(f"promotion_summary takes the result of image_diff_info: {error}") from error


def promotion_report(summary: Plain, check_mode: bool = False) -> list[str]:
    try:
        return report(summary, check_mode=check_mode)
    except (KeyError, TypeError) as error:
        raise AnsibleFilterError(f"promotion_report takes what promotion_summary returns: {error}") from error


def promotion_stats(summary: Plain) -> Plain:
    try:
        return stats_of(summary)
    except (KeyError, TypeError) as error:
        raise AnsibleFilterError(f"promotion_stats takes what promotion_summary returns: {error}") from error


def promotion_problem(summary: Plain) -> str:
    try:
        return problem(summary["images"], summary.get("not_reverted", ()))
    except (KeyError, TypeError) as error:
        raise AnsibleFilterError(f"promotion_problem takes what promotion_summary returns: {error}") from error


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {
            "promotion_summary": promotion_summary,
            "promotion_report": promotion_report,
            "promotion_problem": promotion_problem,
            "promotion_stats": promotion_stats,
        }
