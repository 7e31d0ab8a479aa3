# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Times as documents have them (RFC 3339), and as results tell them."""

from __future__ import annotations

import datetime
import re
import typing as t

_RFC3339 = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt]([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]{1,18}))?"
    r"(?:[Zz]|([+-])([0-9]{2}):([0-9]{2}))",
    re.ASCII,
)


def parse_time(text: t.Any) -> datetime.datetime | None:
    """A time of RFC 3339 in UTC, without its zone; parts of a second are dropped. None where it is no such time."""
    found = _RFC3339.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        return None
    *parts, _fraction, sign, hours, minutes = found.groups()
    offset = datetime.timedelta(hours=int(hours or 0), minutes=int(minutes or 0))
    try:
        year, month, day, hour, minute, second = map(int, parts)
        moment = datetime.datetime(year, month, day, hour, minute, second)
        return moment + offset if sign == "-" else moment - offset
    except (ValueError, OverflowError):
        return None


def age_of(moment: str, now: datetime.datetime) -> int | None:
    """Whole seconds since a time of RFC 3339; None where it is no such time. ``now`` is in UTC."""
    found = parse_time(moment)
    return None if found is None else int((now - found).total_seconds())


def format_time(moment: datetime.datetime) -> str:
    """A time in UTC, without its zone, as RFC 3339 has it, to the second."""
    return f"{moment.replace(microsecond=0).isoformat()}Z"


def utc_now() -> datetime.datetime:
    """The time in UTC, without its zone."""
    return datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None)
