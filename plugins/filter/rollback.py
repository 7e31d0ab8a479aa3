# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the role rollback makes of a record and of the results of its tasks. The thinking is in ``_promotion``."""

from __future__ import annotations

import base64
import binascii
import re
import typing as t

from ansible.errors import AnsibleFilterError

from ..module_utils._model._errors import InvalidInput
from ..module_utils._promotion._record import Record, RecordTexts
from ..module_utils._promotion._record_reading import parse_record
from ..module_utils._promotion._rollback import Rollback, recorded_where, rollback_of
from ..module_utils._promotion._rollback_summary import rollback_lines, rollback_problem, rollback_summary
from ..plugin_utils._kept import whole

Plain = dict[str, t.Any]
_OPTION = re.compile(r"^(record_to|record|images|destination)\b")


def rollback_plan(
    record: t.Any, images: t.Any = None, registry: str = "", file: t.Any = None, record_to: t.Any = None
) -> Plain:
    """What goes back; ``mistake`` says why nothing can. ``file`` is the result that has read the record's file."""
    try:
        given, name = record, ""
        if isinstance(record, str):
            record, name = _read(record, file or {})
        rollback = rollback_of(record, [] if images is None else images, registry, name)
        return {**_plain(rollback, recorded_where(given, record_to, rollback)), "mistake": ""}
    except InvalidInput as error:
        sentence = _OPTION.sub(r"rollback_\1", str(error))
        return {**_plain(Rollback([], []), {}), "mistake": sentence}


def _plain(rollback: Rollback, record: Plain) -> Plain:
    kept = {name: value for name, value in record.items() if name in ("path", *RecordTexts._fields)}
    removals = kept if "path" in kept else {}
    return {**rollback._asdict(), "to_remove": rollback.to_remove, "record": record, "removals": removals}


def _read(path: str, result: t.Mapping[str, t.Any]) -> tuple[Record, str]:
    content = result.get("content")
    if not isinstance(content, str):
        hint = "" if path.startswith("/") else "Give its absolute path"
        raise InvalidInput(f"record: {path} cannot be read: {result.get('msg') or 'no reason is given'}", hint=hint)
    try:
        return parse_record(base64.b64decode(content)), path.rpartition("/")[2]
    except binascii.Error:
        raise InvalidInput(f"record: {path} is not the record of a promotion: it cannot be decoded") from None
    except InvalidInput as error:
        raise InvalidInput(f"record: {path} is not the record of a promotion: {error.reason}") from None


def rollback_result(plan: Plain, copied: Plain, removed: Plain, recorded: Plain | None = None) -> Plain:
    try:
        return rollback_summary(plan, whole(copied), removed, recorded or {})
    except (KeyError, OSError, TypeError, ValueError) as error:
        raise AnsibleFilterError(f"rollback_result takes what rollback_plan returns: {error}") from error


def rollback_failure(
    summary: Plain, plan: Plain, removed: Plain, looked: Plain | None = None, recorded: Plain | None = None
) -> str:
    try:
        return rollback_problem(plan, summary, removed, looked or {}, recorded or {})
    except (KeyError, TypeError) as error:
        raise AnsibleFilterError(f"rollback_failure takes what rollback_result returns: {error}") from error


def rollback_report(summary: Plain, check_mode: bool = False) -> list[str]:
    try:
        return rollback_lines(summary, check_mode=check_mode)
    except (KeyError, TypeError) as error:
        raise AnsibleFilterError(f"rollback_report takes what rollback_result returns: {error}") from error


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {
            "rollback_failure": rollback_failure,
            "rollback_plan": rollback_plan,
            "rollback_report": rollback_report,
            "rollback_result": rollback_result,
        }
