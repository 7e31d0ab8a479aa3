# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The shapes in which things are handed from task to task. They pair with the argument specs in ``plugins/module_utils/_module``."""

from __future__ import annotations


class ModuleDocFragment:
    """Blobs in groups, by the repository that they belong to; and images, one or many, to look at."""

    BLOBS = r"""
options:
  blobs:
    description:
      - Many blobs, grouped by repository. A blob that occurs twice counts once.
    type: list
    elements: dict
    suboptions:
      repository:
        description: The repository of the blobs.
        type: str
        required: true
      source_repository:
        description:
          - The repository at the source. By default, it has the same name.
          - Modules without a source ignore it, or return it unchanged.
        type: str
      mount_from:
        description:
          - Repositories of the same registry that may already have the blobs, to mount them from.
          - Modules that mount nothing ignore them, or return them unchanged.
        type: list
        elements: str
        default: []
      blobs:
        description: The blobs.
        type: list
        elements: dict
        required: true
        suboptions:
          digest:
            description: The digest of the blob.
            type: str
            required: true
          size:
            description: The size of the blob in bytes, if known.
            type: int
          replace:
            description:
              - Whether to send the blob even if it is already there, because it was found damaged.
              - Modules that send nothing return it unchanged, with the missing blobs.
            type: bool
            default: false
"""

    IMAGES = r"""
options:
  repository:
    description:
      - The repository of the image. Requires O(tag) or O(digest).
    type: str
  tag:
    description:
      - The tag of the image. It is resolved first.
    type: raw
  digest:
    description:
      - The digest of the image. If O(tag) is also given, the digest is used.
    type: str
  images:
    description:
      - Many images, instead of O(repository). An image that occurs twice counts once.
      - You can pass RV(imageops.registry.tag_info#module:images) as it is. You can also pass
        RV(imageops.registry.manifest_info#module:images) of a task without O(imageops.registry.manifest_info#module:include).
    type: list
    elements: dict
    suboptions:
      repository:
        description: The repository of the image.
        type: str
        required: true
      tag:
        description: The tag of the image. It is resolved first.
        type: raw
      digest:
        description: The digest of the image, instead of a tag. If both are given, the digest is used.
        type: str
      exists:
        description: A key in the result of M(imageops.registry.manifest_info). It has no effect here.
        type: bool
      media_type:
        description: A key in the result of M(imageops.registry.manifest_info). It has no effect here.
        type: str
      size:
        description: A key in the result of M(imageops.registry.manifest_info). It has no effect here.
        type: int
"""
