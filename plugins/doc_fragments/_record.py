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
      - A directory that keeps when each digest was first seen.
    type: dict
    suboptions:
      path:
        description:
          - A directory on the host on which the module runs. Several runs can use it at the same time.
          - The file C(first-seen.json) in it records when each digest was first seen at its source. Gates over C(first_seen_seconds)
            need it. Whoever builds images can write any time into C(created), but can't change this file.
        type: path
"""
