# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This plugin util is PRIVATE to the collection. It can have breaking changes at any time.

"""The shell commands by which the controller renews and ends the bond to a module.

The module makes its directory in the first place that takes it, so that each command tries all places. The names of
directories are quoted already. ``plugins/module_utils/_run/_attachment.py`` has the other side.
"""

from __future__ import annotations

import typing as t

_LOOK = """( for place in {places}; do
if cd "$place" 2>/dev/null; then touch -c lease && {{ cat state 2>/dev/null || :; }}; exit; fi
if [ -d "$place" ]; then echo "$place cannot be entered" >&2; exit 1; fi
done )"""

_CANCEL = """( begun=
for place in {places}; do
if [ -d "$place" ]; then begun=yes; rm -rf "$place" 2>/dev/null || rm -rf "$place"; fi
done
if [ -z "$begun" ]; then for place in {places}; do
mkdir -m 700 "$place" 2>/dev/null || rm -rf "$place" 2>/dev/null || rm -rf "$place"
done; fi )"""


def look_command(places: t.Sequence[str]) -> str:
    """Renews the lease and prints the state. It succeeds without a word where the module hasn't begun, or has ended.

    The lease is never made anew: one that is gone has ended.
    """
    return _LOOK.format(places=" ".join(places))


def cancel_command(places: t.Sequence[str]) -> str:
    """Ends the module. One that hasn't begun finds its directory taken, and ends then.

    A file that the module makes while the directory is being removed makes that fail: so it is done once more.
    """
    return _CANCEL.format(places=" ".join(places))
