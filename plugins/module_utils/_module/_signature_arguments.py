# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The rules about signatures as an option. It pairs with the doc fragment ``_signatures``."""

from __future__ import annotations

import typing as t

from .._promotion._signature_rules import MODES, REQUIRED

Plain = dict[str, t.Any]

SIGNATURES: Plain = {
    "type": "list",
    "elements": "dict",
    "options": {
        "repositories": {"type": "list", "elements": "str"},
        "mode": {"type": "str", "choices": list(MODES), "default": REQUIRED},
        # Public keys are no secrets; without no_log, ansible-core warns of such a name.
        "keys": {"type": "list", "elements": "str", "no_log": False},
        "certificates": {"type": "list", "elements": "str"},
        "subjects": {"type": "list", "elements": "str"},
        "annotations": {"type": "dict"},
        "predicate_types": {"type": "list", "elements": "str"},
        "each_image": {"type": "bool", "default": False},
    },
}
