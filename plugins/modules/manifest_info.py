#!/usr/bin/python

# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: manifest_info
short_description: Resolve tags and digests, and read manifests
version_added: 0.9.0
description:
  - Resolves tags and digests to digest, media type and size (HEAD manifest, end-3 of the OCI distribution specification).
  - With O(include), the module also reads the manifests (GET manifest). Registries may count that as a pull.
  - A missing manifest or repository is not a failure.
author:
  - imageops maintainers (@imageops)
extends_documentation_fragment:
  - imageops.registry._connection
  - imageops.registry._attributes.info
  - imageops.registry._shapes.images
options:
  include:
    description:
      - What to return in addition. Each of these also returns the annotations and the artifact type.
      - V(content) is the manifest itself. V(children) are the manifests of an index. V(platforms) are the platforms of an image, or of all
        children of an index.
      - V(config) is the config of an image, with its labels. An index has no config. Give the digest of one of its children instead.
      - V(config), and V(platforms) of an image, cost one more request, for the config blob.
    type: list
    elements: str
    choices: [content, children, config, platforms]
    default: []
seealso:
  - module: imageops.registry.tag_info
  - module: imageops.registry.manifest
  - module: imageops.registry.referrer_info
"""

EXAMPLES = r"""
- name: Resolve a tag to its digest
  imageops.registry.manifest_info:
    registry: registry.example:5000
    repository: team/app
    tag: "1.4.2"
  register: image

- name: Show the digest
  ansible.builtin.debug:
    msg: "{{ image.exists | ternary(image.digest, 'there is no such tag') }}"

- name: Read the config of an image
  imageops.registry.manifest_info:
    registry: registry.example:5000
    repository: team/app
    tag: "1.4.2"
    include: [config]
  register: image

- name: Show the revision from which it was built
  ansible.builtin.debug:
    msg: "{{ image.labels['org.opencontainers.image.revision'] | default('unknown') }}"
  when: image.exists

- name: Read the platforms of two images
  imageops.registry.manifest_info:
    registry: registry.example:5000
    images:
      - {repository: team/app, tag: "1.4.2"}
      - {repository: team/api, tag: "2.1.0"}
    include: [platforms]
  register: found

- name: Show the platforms
  ansible.builtin.debug:
    msg: "{{ found.images | selectattr('exists') | map(attribute='platforms') }}"
"""

RETURN = r"""
# generated: all_exist of manifests
exists:
  description:
    - Whether all the manifests exist.
    - Not returned together with RV(failures), because it is unknown then.
  returned: when known
  type: bool
  sample: true
# end of generated
images:
  # generated: images_asked of manifests
  description:
    - The manifests in the order in which they were given.
    - If O(repository) is given, all keys of the only entry are also returned at the top level.
  returned: success
  type: list
  elements: dict
  # end of generated
  sample:
    - repository: team/app
      tag: 1.4.2
      exists: true
      digest: sha256:6c3c624b58dbbcd3c0dd82b4c53f04194d1247c6eebdaab7c610cf7d66709b3b
      media_type: application/vnd.oci.image.index.v1+json
      size: 743
  contains:
    # generated: image_asked image_found
    repository:
      description: The repository.
      type: str
      sample: team/app
    tag:
      description: The tag that was given. Empty if there was none.
      type: str
      sample: 1.4.2
    exists:
      description: Whether it exists.
      type: bool
      sample: true
    digest:
      description: Its digest. If it doesn't exist, the digest that was given, or empty.
      type: str
      sample: sha256:6c3c624b58dbbcd3c0dd82b4c53f04194d1247c6eebdaab7c610cf7d66709b3b
    # end of generated
    media_type:
      description: Its media type. Empty if it doesn't exist.
      type: str
      sample: application/vnd.oci.image.index.v1+json
    size:
      description: The size of the manifest in bytes, without the content that it refers to. V(0) if it doesn't exist.
      type: int
      sample: 743
    content:
      description: The manifest as a dictionary. Empty if it doesn't exist.
      returned: when O(include) has V(content)
      type: dict
      sample: {schemaVersion: 2, mediaType: application/vnd.oci.image.index.v1+json, manifests: []}
    content_base64:
      description: The exact bytes of the manifest, which have the digest, in base64. Empty if it doesn't exist.
      returned: when O(include) has V(content)
      type: str
      sample: eyJzY2hlbWFWZXJzaW9uIjoyfQ==
    children:
      description: The manifests of an index, in its order. Empty for an image.
      returned: when O(include) has V(children)
      type: list
      elements: dict
      sample:
        - digest: sha256:2f3a21a0b3d4dd2d4e0e7c29a1dbb0a2a1a6e0f1bd26cf4a0a1f8f2e0c4a9d11
          media_type: application/vnd.oci.image.manifest.v1+json
          size: 480
          platform: linux/amd64
      contains:
        digest:
          description: The digest of the child.
          type: str
          sample: sha256:2f3a21a0b3d4dd2d4e0e7c29a1dbb0a2a1a6e0f1bd26cf4a0a1f8f2e0c4a9d11
        media_type:
          description: Its media type.
          type: str
          sample: application/vnd.oci.image.manifest.v1+json
        size:
          description: Its own size in bytes.
          type: int
          sample: 480
        platform:
          description: Its platform as C(os/architecture[/variant]). Empty if the index names none.
          type: str
          sample: linux/amd64
    config:
      description: The config of an image as a dictionary. Empty for an index, and if the config is not a JSON object.
      returned: when O(include) has V(config)
      type: dict
      sample: {os: linux, architecture: amd64, config: {Labels: {org.opencontainers.image.revision: 5e1c571}}}
    labels:
      description: The labels in the config of an image.
      returned: when O(include) has V(config)
      type: dict
      sample: {org.opencontainers.image.revision: 5e1c571}
    platforms:
      description: The platforms of an index, or of an image, by name.
      returned: when O(include) has V(platforms)
      type: list
      elements: str
      sample: [linux/amd64, linux/arm64/v8]
    annotations:
      description: The annotations of the manifest.
      returned: when O(include) isn't empty
      type: dict
      sample: {org.opencontainers.image.version: 1.4.2}
    artifact_type:
      description:
        - The kind of artifact. This is C(artifactType) of the manifest. Without that, it is the media type of its config, which differs
          between container images and Helm charts, for example.
        - Empty for an index without C(artifactType), and if the manifest doesn't exist.
      returned: when O(include) isn't empty
      type: str
      sample: application/vnd.oci.image.config.v1+json
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

from ..module_utils._images._inspection import look_at_images
from ..module_utils._module._connection import module_arguments
from ..module_utils._module._image_names import image_names, images_found
from ..module_utils._module._item_arguments import IMAGE_RULES, NAMED_IMAGES
from ..module_utils._module._task import Task, create_module, run


def look(task: Task) -> dict[str, t.Any]:
    names = image_names(task.params)
    outcomes = look_at_images(task.registry(), names, task.params["include"])
    result = images_found(task.params, names, outcomes)
    task.check_secrets(result)
    return result


ARGUMENTS = module_arguments(
    {
        **NAMED_IMAGES,
        "include": {
            "type": "list",
            "elements": "str",
            "choices": ["content", "children", "config", "platforms"],
            "default": [],
        },
    },
    **IMAGE_RULES,
)


def main() -> None:
    run(create_module(ARGUMENTS), look)


if __name__ == "__main__":
    main()
