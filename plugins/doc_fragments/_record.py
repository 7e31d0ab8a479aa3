# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is kept of promotions. It pairs with ``RECORD`` in ``plugins/module_utils/_module/_condition_arguments.py``."""

from __future__ import annotations


class ModuleDocFragment:
    """The directory of records."""

    DOCUMENTATION = r"""
options:
  record:
    description:
      - What is kept of promotions.
    type: dict
    suboptions:
      path:
        description:
          - A directory on the host that runs the module. Runs at the same time may share it.
          - The file C(first-seen.json) in it keeps when each digest was first met at its source. Gates over C(first_seen_seconds)
            need it. Nobody who builds images can change it, while C(created) is whatever the builder wrote.
        type: path
"""
