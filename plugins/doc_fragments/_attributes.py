# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the modules promise about check mode, diff mode and being run again."""

from __future__ import annotations


class ModuleDocFragment:
    """The attributes of modules that change something, and those of modules that don't."""

    DOCUMENTATION = r"""
attributes:
  check_mode:
    description: Runs without changing anything, and reports what would change.
    support: full
    details:
      - The module makes no writing request, and asks only for permission to read.
  diff_mode:
    description: Shows what changes, before and after.
    support: full
  idempotent:
    description: Changes nothing when it runs again.
    support: full
"""

    INFO = r"""
attributes:
  check_mode:
    description: Runs without changing anything.
    support: full
    details:
      - This module only reads.
  diff_mode:
    description: Shows what changes, before and after.
    support: N/A
    details:
      - This module changes nothing.
  idempotent:
    description: Changes nothing when it runs again.
    support: full
    details:
      - This module changes nothing.
"""
