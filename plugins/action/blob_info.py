# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ..plugin_utils._attended_module import AttendedModule
from ..plugin_utils._linted import main_of


class ActionModule(AttendedModule):
    """The controller's side of the module ``blob_info``."""


main = main_of(__name__)
