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
      - Many blobs, grouped by repository. A blob that is given twice is taken once.
    type: list
    elements: dict
    suboptions:
      repository:
        description: The repository of the blobs.
        type: str
        required: true
      source_repository:
        description:
          - The repository at the source. By default it has the same name.
          - Modules that read from no source hand it on or pass it over.
        type: str
      mount_from:
        description:
          - Repositories of the same registry that may have the blobs, to mount from.
          - Modules that mount nothing hand them on or pass them over.
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
            description: The size of the blob in bytes, if it is known.
            type: int
          replace:
            description:
              - Send it although it is there. For what was seen to be damaged.
              - Where nothing is sent, it is only handed on, with what is missing.
            type: bool
            default: false
"""

    IMAGES = r"""
options:
  repository:
    description:
      - The repository to look in. Needs O(tag) or O(digest).
    type: str
  tag:
    description:
      - The tag of the image. It is resolved first.
    type: raw
  digest:
    description:
      - The digest of the image. Where O(tag) is given as well, the digest is what counts.
    type: str
  images:
    description:
      - Many images, in place of O(repository). One that is given twice is taken once.
      - RV(imageops.registry.tag_info#module:images) can be given as it is. So can RV(imageops.registry.manifest_info#module:images),
        from a task without O(imageops.registry.manifest_info#module:include).
    type: list
    elements: dict
    suboptions:
      repository:
        description: The repository to look in.
        type: str
        required: true
      tag:
        description: The tag of the image. It is resolved first.
        type: raw
      digest:
        description: The digest of the image, in place of a tag. Where both are given, the digest is what counts.
        type: str
      exists:
        description: What M(imageops.registry.manifest_info) returns. It makes no difference here.
        type: bool
      media_type:
        description: What M(imageops.registry.manifest_info) returns. It makes no difference here.
        type: str
      size:
        description: What M(imageops.registry.manifest_info) returns. It makes no difference here.
        type: int
"""
