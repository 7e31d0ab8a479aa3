# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The conditions that images have to meet. They pair with ``plugins/module_utils/_module/_condition_arguments.py``."""

from __future__ import annotations


class ModuleDocFragment:
    """Gates over the image document."""

    DOCUMENTATION = r"""
options:
  gates:
    description:
      - Conditions that an image must meet to be promoted. Images that are equal already aren't judged.
      - All gates of all images are evaluated before anything is written, and all that failed are reported at once.
      - Only what an expression names is read from the source. Without gates, nothing is.
      - This needs the Python library C(jmespath) where the module runs.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: What messages call the gate. Each gate has its own name.
        type: str
        required: true
      that:
        description:
          - A JMESPath expression over the image document, such as V(labels.team == 'app'). It must give V(true).
          - Anything else than V(true) and V(false) fails the gate as well, and so does a value of a type that the expression
            can't use.
          - An expression that can't be parsed, and a function that doesn't exist, fail the task before the first request.
        type: str
        required: true
      message:
        description: What to report where the gate fails. By default, the expression.
        type: str
      severity:
        description:
          - V(error) refuses the image.
          - V(warning) warns, and promotes it.
        type: str
        choices: [error, warning]
        default: error
      repositories:
        description:
          - Patterns of repositories at the source in shell style, such as V(team/*). V(*) matches V(/) too.
          - By default, the gate is for all repositories.
        type: list
        elements: str
"""
