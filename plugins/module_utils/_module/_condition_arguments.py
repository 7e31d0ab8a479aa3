# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What images have to meet to be promoted, as options: they pair with the fragments ``_gates`` and ``_signatures``."""

from __future__ import annotations

import typing as t

from .._promotion._document import PARTS
from .._promotion._gates import ERROR, SEVERITIES, of_unknown_keys, read_gates
from .._promotion._judging import Conditions
from .._promotion._plan import Plan
from .._promotion._signature_rules import read_rules
from ._record_arguments import first_sights
from ._signature_arguments import SIGNATURES
from ._task import Task

Plain = dict[str, t.Any]

CONDITIONS: Plain = {
    "gates": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "name": {"type": "str", "required": True},
            "that": {"type": "str", "required": True},
            # Given as "message" too: with_declared_names.
            "msg": {"type": "str"},
            "severity": {"type": "str", "choices": list(SEVERITIES), "default": ERROR},
            "repositories": {"type": "list", "elements": "str"},
        },
    },
    "signatures": SIGNATURES,
}


def conditions(task: Task) -> Conditions:
    """The conditions of a task. Raises :class:`InvalidInput` and :class:`LocalFileError`; nothing is requested."""
    params = task.params
    gates = read_gates(params["gates"])
    for sentence in of_unknown_keys(gates, PARTS):
        task.module.warn(f"The {sentence}")
    return Conditions(gates, read_rules(params["signatures"] or []), first_sights(params))


def warn_of_gates(task: Task, plan: Plan) -> None:
    """Warn of gates that failed, and only warn."""
    for image in plan.images:
        for result in image.gates:
            if not result.passed and not result.refuses:
                task.module.warn(f"{plan.reference_of(image)}: {result.sentence}.")
