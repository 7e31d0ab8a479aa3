#!/usr/bin/python

# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: referrer_info
short_description: List what refers to an image, such as signatures and SBOMs
version_added: 0.9.0
description:
  - Lists the referrers of an image, which are the manifests that have it as their subject (GET referrers, end-12 of the OCI distribution
    specification). If the registry has no such API, the module uses the referrers tag schema.
  - The module also looks for the tags that cosign writes for a digest. C(sha256-HEX.sig) has signatures, C(sha256-HEX.att)
    attestations, C(sha256-HEX.sbom) an SBOM.
  - The module returns what the registry lists. It verifies nothing, neither signatures nor sizes.
  - The children of an index have their own referrers, which aren't listed with those of the index.
  - A missing image or repository is not a failure.
author:
  - imageops maintainers (@imageops)
extends_documentation_fragment:
  - imageops.registry._connection
  - imageops.registry._attributes.info
  - imageops.registry._shapes.images
options:
  artifact_type:
    description:
      - List only referrers of this artifact type, such as V(application/vnd.dev.sigstore.bundle.v0.3+json). It has no effect on the tags
        of cosign.
      - If the registry lists a referrer with another type, or with none, the module reads its manifest, and the type there decides.
    type: str
seealso:
  - module: imageops.registry.manifest_info
  - module: imageops.registry.registry_info
  - ref: ansible_collections.imageops.registry.docsite.artifacts_and_signatures
    description: How signatures and other artifacts are found and copied.
"""

EXAMPLES = r"""
- name: List possible signatures of an image
  imageops.registry.referrer_info:
    registry: registry.example:5000
    repository: team/app
    digest: sha256:6c3c624b58dbbcd3c0dd82b4c53f04194d1247c6eebdaab7c610cf7d66709b3b
    artifact_type: application/vnd.dev.sigstore.bundle.v0.3+json
  register: found

- name: Fail if there is none
  ansible.builtin.assert:
    that: found.referrers | length > 0 or found.cosign_tags | selectattr('tag', 'search', '[.]sig$') | length > 0

- name: List everything that refers to the images of two tags
  imageops.registry.referrer_info:
    registry: registry.example:5000
    images:
      - {repository: team/app, tag: "1.4.2"}
      - {repository: team/api, tag: "2.1.0"}
"""

RETURN = r"""
# generated: all_exist of images
exists:
  description:
    - Whether all the images exist.
    - Not returned together with RV(failures), because it is unknown then.
  returned: when known
  type: bool
  sample: true
# end of generated
images:
  # generated: images_asked of images
  description:
    - The images in the order in which they were given.
    - If O(repository) is given, all keys of the only entry are also returned at the top level.
  returned: success
  type: list
  elements: dict
  # end of generated
  sample:
    - repository: team/app
      tag: 1.4.2
      digest: sha256:6c3c624b58dbbcd3c0dd82b4c53f04194d1247c6eebdaab7c610cf7d66709b3b
      exists: true
      found_by: tag_schema
      referrers:
        - digest: sha256:2f3a21a0b3d4dd2d4e0e7c29a1dbb0a2a1a6e0f1bd26cf4a0a1f8f2e0c4a9d11
          media_type: application/vnd.oci.image.manifest.v1+json
          size: 837
          artifact_type: application/vnd.dev.sigstore.bundle.v0.3+json
          annotations: {dev.sigstore.bundle.content: dsse-envelope}
      cosign_tags: []
  contains:
    # generated: image_asked
    repository:
      description: The repository.
      type: str
      sample: team/app
    tag:
      description: The tag that was given. Empty if there was none.
      type: str
      sample: 1.4.2
    # end of generated
    digest:
      description: The digest of the image. Empty if the tag doesn't exist.
      type: str
      sample: sha256:6c3c624b58dbbcd3c0dd82b4c53f04194d1247c6eebdaab7c610cf7d66709b3b
    exists:
      description: Whether the image exists. A referrer can refer to a digest that doesn't exist.
      type: bool
      sample: true
    found_by:
      description: How the referrers were found, V(api) or V(tag_schema). Empty if the registry has neither the API nor a list under the tag of the schema.
      type: str
      sample: tag_schema
    referrers:
      description: The referrers of the image, as the registry describes them.
      type: list
      elements: dict
      sample:
        - digest: sha256:2f3a21a0b3d4dd2d4e0e7c29a1dbb0a2a1a6e0f1bd26cf4a0a1f8f2e0c4a9d11
          media_type: application/vnd.oci.image.manifest.v1+json
          size: 837
          artifact_type: application/vnd.dev.sigstore.bundle.v0.3+json
          annotations: {dev.sigstore.bundle.content: dsse-envelope}
      contains:
        digest:
          description: The digest of the referrer.
          type: str
          sample: sha256:2f3a21a0b3d4dd2d4e0e7c29a1dbb0a2a1a6e0f1bd26cf4a0a1f8f2e0c4a9d11
        media_type:
          description: Its media type.
          type: str
          sample: application/vnd.oci.image.manifest.v1+json
        size:
          description: Its own size in bytes.
          type: int
          sample: 837
        artifact_type:
          description: Its artifact type. If the list has none, the type in its manifest.
          type: str
          sample: application/vnd.dev.sigstore.bundle.v0.3+json
        annotations:
          description: Its annotations.
          type: dict
          sample: {dev.sigstore.bundle.content: dsse-envelope}
    cosign_tags:
      description: The tags of cosign for the digest.
      type: list
      elements: dict
      sample:
        - tag: sha256-6c3c624b58dbbcd3c0dd82b4c53f04194d1247c6eebdaab7c610cf7d66709b3b.sig
          digest: sha256:9d1ae52d4dd6f0c5a4d3f6f2a3bbd2ad70b1c8d5a0ef1b1f8d3cb6e2b7a10c44
          media_type: application/vnd.oci.image.manifest.v1+json
          size: 558
      contains:
        tag:
          description: The tag.
          type: str
          sample: sha256-6c3c624b58dbbcd3c0dd82b4c53f04194d1247c6eebdaab7c610cf7d66709b3b.sig
        digest:
          description: The digest that it serves.
          type: str
          sample: sha256:9d1ae52d4dd6f0c5a4d3f6f2a3bbd2ad70b1c8d5a0ef1b1f8d3cb6e2b7a10c44
        media_type:
          description: Its media type.
          type: str
          sample: application/vnd.oci.image.manifest.v1+json
        size:
          description: Its own size in bytes.
          type: int
          sample: 558
# generated: failures of_tags and_digests each task
failures:
  description: What failed, and why. The rest of the result is returned as well.
  returned: failure of single objects
  type: list
  elements: dict
  sample:
    - repository: team/app
      tag: 1.4.2
      msg: "Cannot read dev.example:5000/team/app:1.4.2: the account may not do this (GET
        https://dev.example:5000/v2/team/app/manifests/1.4.2, answer 403). Check the account's rights and quota."
      error:
        operation: read dev.example:5000/team/app:1.4.2
        reason: the account may not do this
        hint: Check the account's rights and quota
        method: GET
        url: https://dev.example:5000/v2/team/app/manifests/1.4.2
        status: 403
        errors: []
      repository_missing: false
  contains:
    tag:
      description: The tag. Empty if none was given.
      returned: when a single tag or image failed
      type: str
    digest:
      description: The digest. Empty if none was given.
      returned: when known
      type: str
    repository:
      description: The repository.
      type: str
    msg:
      description: What failed, and why, in one sentence.
      type: str
    error:
      description: The details, as in RV(error).
      type: dict
    repository_missing:
      description: Whether it failed because the repository is missing, and the registry doesn't create repositories on push.
      type: bool
error:
  description:
    - Details of the failure, if the task failed as a whole. Unknown values are empty, or null for C(status).
    - C(operation) is what the module wanted to do, C(reason) is why it failed, and C(hint) is what to do. C(method), C(url) and C(status)
      are those of the HTTP request. C(errors) are the errors in the registry's answer.
  returned: failure of the whole task
  type: dict
  sample:
    operation: reach registry.example:5000
    reason: registry.example:5000 refuses the connection
    hint: Check the address, and that the registry runs
    method: ""
    url: https://registry.example:5000
    status:
    errors: []
repository_missing:
  description: Whether the task failed because a repository is missing that the registry doesn't create on push.
  returned: failure
  type: bool
  sample: false
transfer:
  description:
    - How many requests the task made, how many of these were retries, and how many bytes of blobs it transferred.
    - C(bytes_skipped) is the size of blobs that were already there. C(sessions_left_open) counts upload sessions that could not be
      cancelled. The registry removes them later.
  returned: success, and failure of requests to a registry
  type: dict
  sample: {requests: 3, retries: 0, bytes_uploaded: 0, bytes_downloaded: 0, bytes_mounted: 0, bytes_skipped: 0, sessions_left_open: 0}
# end of generated
"""

import typing as t

from ..module_utils._images._referrers import find_referrers, referrers_as_plain
from ..module_utils._model._errors import RegistryError
from ..module_utils._module._connection import module_arguments
from ..module_utils._module._image_names import image_names, images_found
from ..module_utils._module._item_arguments import IMAGE_RULES, NAMED_IMAGES
from ..module_utils._module._task import Task, create_module, run


def look(task: Task) -> dict[str, t.Any]:
    names = image_names(task.params)
    outcomes = find_referrers(task.registry(), names, task.params["artifact_type"] or "")
    plain = [one if isinstance(one, RegistryError) else referrers_as_plain(one) for one in outcomes]
    result = images_found(task.params, names, plain)
    task.check_secrets(result)
    return result


ARGUMENTS = module_arguments(
    {
        **NAMED_IMAGES,
        "artifact_type": {"type": "str"},
    },
    **IMAGE_RULES,
)


def main() -> None:
    run(create_module(ARGUMENTS), look)


if __name__ == "__main__":
    main()
