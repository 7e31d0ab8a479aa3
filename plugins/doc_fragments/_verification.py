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
      - How thoroughly to check that O(registry) holds what its tags promise. A registry may have lost content that a tag still needs.
        For example, a garbage collection that deletes manifests without a tag may have deleted the children of a tagged index.
      - V(tag) checks tags only. If the digests are equal, nothing else is checked.
      - V(manifests) also checks, by digest and at all levels, every manifest of every image that is promoted or unchanged.
      - V(blobs) also checks every blob of these manifests. Its size must be the size in its descriptor. Layers that may not be distributed
        are not checked.
      - Artifacts (signatures) are checked only if they are compared, see O(compare_artifacts).
      - RV(images[].missing) names the missing content. Without O(repair), the image fails.
    type: str
    choices: [tag, manifests, blobs]
    default: tag
  verify_content:
    description:
      - Whether O(verify=blobs) also downloads every blob from O(registry) and verifies its digest. This takes as long as a download of all
        blobs.
    type: bool
    default: false
  repair:
    description:
      - Whether to push again, from the source, whatever O(verify) finds missing or damaged, even if the tags are right.
      - Not every registry replaces damaged content when it is pushed again. If the registry doesn't, the task fails.
    type: bool
    default: false
seealso:
  - ref: ansible_collections.imageops.registry.docsite.verify
    description: How to find content that a destination has lost, and to push it again.
"""
