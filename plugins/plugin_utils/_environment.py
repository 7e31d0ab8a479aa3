# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This plugin util is PRIVATE to the collection. It can have breaking changes at any time.

"""The variables that ``environment`` sets for a task."""

from __future__ import annotations

import typing as t

from ansible.plugins.action import ActionBase


def environment_of(action: ActionBase) -> dict[str, str]:
    """The variables by their names, templated, as the module will have them.

    Raises :class:`AnsibleError` where they can't be templated.
    """
    found: dict[str, t.Any] = {}
    action._compute_environment_string(found)
    return {str(name): str(value) for name, value in found.items()}
