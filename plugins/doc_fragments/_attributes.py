# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the modules promise about check mode, diff mode and being run again."""

from __future__ import annotations


class ModuleDocFragment:
    """The attributes of modules that change something, and those of modules that don't."""

    DOCUMENTATION = r"""
attributes:
  check_mode:
    description: Runs without changing anything, and says what would be changed.
    support: full
    details:
      - No writing request is made, and the account is asked for the right to read only.
  diff_mode:
    description: Shows what is changed, before and after.
    support: full
  idempotent:
    description: Run again, it changes nothing.
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
    description: Shows what is changed, before and after.
    support: N/A
    details:
      - This module changes nothing.
  idempotent:
    description: Run again, it changes nothing.
    support: full
    details:
      - This module changes nothing.
"""
