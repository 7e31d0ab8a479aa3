# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What modules that write have in common: what happens when they are stopped, and how their progress is shown."""

from __future__ import annotations


class ModuleDocFragment:
    """The attributes of these modules, and the option of those of them that send blobs."""

    DOCUMENTATION = r"""
attributes:
  action:
    description: Has an action plugin on the controller, which ends the module when the play is stopped.
    support: full
    details:
      - The module then moves no further tag. Content that has arrived by then stays in the registry.
  async:
    description: Supports being run with the C(async) keyword.
    support: full
    details:
      - With C(async), the module isn't ended when the play is stopped, and no progress is shown.
seealso:
  - ref: ansible_collections.imageops.registry.docsite.progress_and_cancelling
    description: What is shown while a task runs, and what happens when a play is stopped.
"""

    PROGRESS = r"""
options:
  progress:
    description:
      - Whether to show the progress of the task if it sends blobs for more than a few seconds.
      - The lines go to standard error, and to the file that E(ANSIBLE_LOG_PATH) names.
      - Nothing is shown in check mode, with C(async), or with C(no_log).
    type: bool
    default: true
"""
