# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ..plugin_utils._imported import load_filters
from ..plugin_utils._linted import main_of
from ..plugin_utils._plan_action import PlanAction

FILTERS = (
    "ansible.builtin.default",
    "imageops.registry.promotion_summary",
    "imageops.registry.promotion_report",
    "imageops.registry.promotion_stats",
)
"""Of the tasks of the role promote, the first of which runs this module."""

load_filters(*FILTERS)


class ActionModule(PlanAction):
    """The controller's side of the module ``image_diff_info``."""


main = main_of(__name__)
