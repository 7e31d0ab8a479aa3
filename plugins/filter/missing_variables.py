# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which variables of a role are missing, in its message. The thinking is in ``_missing_variables``."""

from __future__ import annotations

import typing as t

from ..plugin_utils._missing_variables import sentence


def missing_variables(needed: t.Sequence[str], given: t.Sequence[str]) -> str:
    return sentence(needed, given)


class FilterModule:
    """The filter of this file."""

    def filters(self) -> dict[str, t.Callable[..., str]]:
        return {"missing_variables": missing_variables}
