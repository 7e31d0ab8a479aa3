# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the modules promise about check mode, diff mode and being run again, and where and how they run."""

from __future__ import annotations


class ModuleDocFragment:
    """The attributes of modules that change something, and those of modules that don't."""

    DOCUMENTATION = r"""
attributes:
  check_mode:
    description: Runs without changing anything, and reports what would change.
    support: full
    details:
      - The module writes nothing, and asks the registry only for permission to read.
  diff_mode:
    description: Shows what changes, before and after.
    support: full
  idempotent:
    description: Changes nothing when it runs again.
    support: full
  # generated: every_module
  action_group:
    description: Takes options from C(module_defaults) of the group C(group/imageops.registry.registry).
    support: full
    membership: [imageops.registry.registry]
    details:
      - C(ansible-lint) checks the options of tasks, but doesn't read C(module_defaults). It reports no missing option if all modules have
        that option, such as O(registry).
      - By default, C(ansible-lint) reports what it finds in options as a warning, and exits with 0. With C(--strict), it fails.
      - "If C(module_defaults) sets another option that the module requires, add C(# noqa: args[module]) to the task."
  platform:
    description: The operating systems of the hosts on which the module runs.
    support: full
    platforms: posix
  # end of generated
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
  # generated: every_module started
  action_group:
    description: Takes options from C(module_defaults) of the group C(group/imageops.registry.registry).
    support: full
    membership: [imageops.registry.registry]
    details:
      - C(ansible-lint) checks the options of tasks, but doesn't read C(module_defaults). It reports no missing option if all modules have
        that option, such as O(registry).
      - By default, C(ansible-lint) reports what it finds in options as a warning, and exits with 0. With C(--strict), it fails.
      - "If C(module_defaults) sets another option that the module requires, add C(# noqa: args[module]) to the task."
  platform:
    description: The operating systems of the hosts on which the module runs.
    support: full
    platforms: posix
  action:
    description: Has an action plugin on the controller, which ends the module when the play is stopped, except with C(async).
    support: full
  # end of generated
"""
