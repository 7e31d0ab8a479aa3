# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ..plugin_utils._imported import load_filters
from ..plugin_utils._module_action import ModuleAction

# For the tasks of the role promote, of which this module's is the first.
load_filters("ansible.builtin.default", "imageops.registry.promotion_summary", "imageops.registry.promotion_report")


class ActionModule(ModuleAction):
    """The controller's side of the module ``image_diff_info``."""
