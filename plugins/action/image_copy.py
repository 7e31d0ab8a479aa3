# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ..plugin_utils._linted import main_of
from ..plugin_utils._plan_action import PlanAction


class ActionModule(PlanAction):
    """The controller's side of the module ``image_copy``."""


main = main_of(__name__)
