# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How thoroughly a destination is checked. These options pair with ``VERIFICATION`` in the argument specs in ``plugins/module_utils/_module``."""

from __future__ import annotations


class ModuleDocFragment:
    """Whether the destination has what its tags promise, and whether what is missing is pushed again."""

    DOCUMENTATION = r"""
options:
  verify:
    description:
      - How thoroughly to check that O(registry) holds what its tags promise. A registry may have lost content that a tag still needs,
        for example by a garbage collection that deletes manifests without a tag, and with them the children of a tagged index.
      - V(tag) looks at tags only. An equal digest ends the work.
      - V(manifests) looks also for every manifest of every image that is promoted or unchanged, by its digest, at all levels.
      - V(blobs) looks also for every blob of those; its size must be that of its descriptor. Layers that may not be distributed
        are left out.
      - Artifacts (signatures) are looked at where they are compared, see O(compare_artifacts).
      - What is missing is in RV(images[].missing). Without O(repair), the image has failed.
    type: str
    choices: [tag, manifests, blobs]
    default: tag
  verify_content:
    description:
      - With O(verify=blobs), read every blob from O(registry), and hash it. That takes as long as a download of all of them.
    type: bool
    default: false
  repair:
    description:
      - Push again what O(verify) finds missing or damaged, from the source, although tags point to it already.
      - What is damaged is sent again as well. Not every registry then replaces its copy; where it doesn't, the task fails.
    type: bool
    default: false
seealso:
  - ref: ansible_collections.imageops.registry.docsite.verify
    description: How to find content that a destination has lost, and to push it again.
"""
