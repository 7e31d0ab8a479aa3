# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one exception of the harness."""

from __future__ import annotations


class HarnessError(Exception):
    """Something the caller can put right; its text is one sentence for the user."""
