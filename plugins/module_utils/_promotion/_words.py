# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What reports and diffs say in the same words: numbers, sizes, and what gates and signatures said of an image."""

from __future__ import annotations

from ._items import Plain

STILL_SERVED = "The registry has accepted to remove it, and still serves it."
_SHORT_DIGEST = len("sha256:") + 12


def count(number: int, what: str) -> str:
    """So many things of a kind."""
    return f"{number} {what}{'' if number == 1 else 's'}"


def short(digest: str) -> str:
    """The beginning of a digest."""
    return f"{digest[:_SHORT_DIGEST]}..."


def size(number: int) -> str:
    """A number of bytes, in megabytes where there are many."""
    if number < 1000:
        return count(number, "byte")
    unit, name = (1000, "kB") if number < 1_000_000 else (1_000_000, "MB")
    # In whole numbers: one that others have chosen may be too large for a division.
    tenths = (number * 10 + unit // 2) // unit
    return f"{tenths // 10}.{tenths % 10} {name}"


def about_judgement(image: Plain) -> list[str]:
    """What gates and signatures said of an image in a result, in a line each where there are any."""
    lines = []
    if image["gates"]:
        parts = [
            f"{gate['name']} ({'passed' if gate['passed'] else 'warning: ' + gate['message']})"
            for gate in image["gates"]
        ]
        lines.append(f"gates: {', '.join(parts)}")
    verified = [signature for signature in image["signatures"] if signature["verified"]]
    if verified:
        signers = ", ".join(dict.fromkeys(f"{signature['by']} ({signature['form']})" for signature in verified))
        lines.append(f"signatures: verified by {signers}")
    elif image["verified"]:
        lines.append("signatures: none, and none is required")
    return lines
