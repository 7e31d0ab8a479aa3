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
      - Conditions that an image must meet to be promoted. Images that are already equal aren't checked.
      - The module evaluates all gates of all images before it writes anything, and reports all failed gates at once.
      - The module reads from the source only what the expressions name. Without gates, it reads nothing for them.
      - Gates require the Python library C(jmespath) where the module runs.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: The name of the gate in messages. It must be unique.
        type: str
        required: true
      that:
        description:
          - A JMESPath expression over the image document, such as V(labels.team == 'app'). The gate passes if the result is V(true).
          - The keys of the image document are those of RV(imageops.registry.image_info#module:images[].document).
          - With any other result, the gate fails. It also fails if a value has a type that the expression can't use.
          - If an expression can't be parsed, or uses an unknown function, the task fails before the first request.
        type: str
        required: true
      msg:
        description: What to report if the gate fails. By default, the expression. Can also be given as C(message).
        type: str
      severity:
        description:
          - With V(error), the image is refused.
          - With V(warning), the module warns, and promotes the image.
        type: str
        choices: [error, warning]
        default: error
      repositories:
        description:
          - Shell-style patterns of repositories at the source, such as V(team/*). V(*) also matches V(/).
          - By default, the gate applies to all repositories.
          - The task fails if the list is empty, or if a pattern can't match a repository, such as a pattern with a port or a tag.
        type: list
        elements: str
requirements:
  - jmespath, for O(gates)
seealso:
  - ref: ansible_collections.imageops.registry.docsite.gates
    description: How gates are evaluated, and examples.
"""
