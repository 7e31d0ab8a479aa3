# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a schedule finds."""

from __future__ import annotations


class Problem(AssertionError):
    """A promise that was not kept; in words."""
