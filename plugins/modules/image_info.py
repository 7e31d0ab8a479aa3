#!/usr/bin/python

# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: image_info
short_description: Read what a registry knows about images, as gates see it
version_added: 0.9.0
description:
  - Returns everything that a registry knows about an image in one dictionary, the image document. It has the same keys for images, indexes
    and artifacts. The gates of M(imageops.registry.image_diff_info) and M(imageops.registry.image_copy) use the same document.
  - The module reads manifests, the configs of images (up to 4 MiB each), and the referrers of an image. It never reads layers.
  - A missing image or repository is not a failure.
author:
  - imageops maintainers (@imageops)
extends_documentation_fragment:
  - imageops.registry._connection
  - imageops.registry._attributes.info
  - imageops.registry._shapes.images
  - imageops.registry._signatures
  - imageops.registry._record
options:
  signatures:
    default: []
  record:
    description:
      - The directory of O(imageops.registry.image_copy#module:record). The module reads it, and never writes.
seealso:
  - module: imageops.registry.manifest_info
  - module: imageops.registry.signature_info
  - module: imageops.registry.image_diff_info
  - ref: ansible_collections.imageops.registry.docsite.gates
    description: How to promote only images that meet your conditions.
"""

EXAMPLES = r"""
- name: Read the document of an image
  imageops.registry.image_info:
    registry: registry.example:5000
    repository: team/app
    tag: "1.4.2"
  register: image

- name: Show what a gate would see
  ansible.builtin.debug:
    msg: "{{ image.document }}"
  when: image.exists

- name: Read several images, and verify who signed them
  imageops.registry.image_info:
    registry: registry.example:5000
    images:
      - {repository: team/app, tag: "1.4.2"}
      - {repository: team/api, tag: "2.1.0"}
    signatures:
      - keys: [/etc/keys/release.pub]
  register: found

- name: Show the age of each, in days
  ansible.builtin.debug:
    msg: "{{ item.document.reference }}: {{ item.document.age_seconds // 86400 }}"
  loop: "{{ found.images | selectattr('exists') | rejectattr('document.age_seconds', 'none') }}"
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
      exists: true
      digest: sha256:6c3c624b58dbbcd3c0dd82b4c53f04194d1247c6eebdaab7c610cf7d66709b3b
      document:
        reference: registry.example:5000/team/app:1.4.2
        kind: index
        platforms: [linux/amd64, linux/arm64]
        labels: {team: app}
        age_seconds: 86400
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
    document:
      description:
        - The image document. Null if the image doesn't exist.
        - All keys are always there. Unknown values are null, and unknown lists are empty.
      type: dict
      contains:
        reference:
          description: The image, with its registry.
          type: str
          sample: registry.example:5000/team/app:1.4.2
        registry:
          description: The registry.
          type: str
          sample: registry.example:5000
        repository:
          description: The repository.
          type: str
          sample: team/app
        tag:
          description: The tag that was given.
          type: str
          sample: 1.4.2
        digest:
          description: The digest.
          type: str
          sample: sha256:6c3c624b58dbbcd3c0dd82b4c53f04194d1247c6eebdaab7c610cf7d66709b3b
        media_type:
          description: The media type of its manifest.
          type: str
          sample: application/vnd.oci.image.index.v1+json
        artifact_type:
          description: C(artifactType) of its manifest. Without that, the media type of its config, and null for an index.
          type: str
          sample:
        kind:
          description: V(image), V(index) or V(artifact).
          type: str
          sample: index
        total_size:
          description:
            - The size in bytes of its manifest, and of all manifests and blobs below it, each counted once. Referrers aren't counted.
          type: int
          sample: 31457280
        annotations:
          description: The annotations of its manifest.
          type: dict
          sample: {org.opencontainers.image.version: 1.4.2}
        manifest:
          description: Its manifest.
          type: dict
          sample: {schemaVersion: 2, mediaType: application/vnd.oci.image.index.v1+json, manifests: []}
        images:
          description:
            - Each image that can run, which is each manifest with the config of an image. For an index, its children without attestations.
            - C(config) is null if the config has more than 4 MiB or is not a JSON object. The values that come from it are then unknown, and a
              gate that names them fails.
          type: list
          elements: dict
          sample:
            - digest: sha256:2f3a21a0b3d4dd2d4e0e7c29a1dbb0a2a1a6e0f1bd26cf4a0a1f8f2e0c4a9d11
              platform: linux/amd64
              created: "2026-11-03T09:12:44Z"
              age_seconds: 86400
              labels: {team: app}
              annotations: {}
              config: {os: linux, architecture: amd64, config: {Labels: {team: app}}}
              layers:
                - digest: sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a
                  media_type: application/vnd.oci.image.layer.v1.tar+gzip
                  size: 31457000
              total_size: 31457280
        platforms:
          description: The platforms of the images, as C(os/architecture[/variant]).
          type: list
          elements: str
          sample: [linux/amd64, linux/arm64]
        created:
          description: When the newest of the images was built, according to its config. Null if no config says it.
          type: str
          sample: "2026-11-03T09:12:44Z"
        age_seconds:
          description: The same as an age in seconds.
          type: int
          sample: 86400
        labels:
          description: The labels that all images have with the same value.
          type: dict
          sample: {team: app}
        referrers:
          description: The referrers of the digest and of its children, as their manifests describe them. The tags of cosign are included.
          type: list
          elements: dict
          sample:
            - digest: sha256:9d1ae52d4dd6f0c5a4d3f6f2a3bbd2ad70b1c8d5a0ef1b1f8d3cb6e2b7a10c44
              artifact_type: application/vnd.dev.sigstore.bundle.v0.3+json
              annotations: {dev.sigstore.bundle.predicateType: https://spdx.dev/Document}
              size: 837
              subject: sha256:6c3c624b58dbbcd3c0dd82b4c53f04194d1247c6eebdaab7c610cf7d66709b3b
              found_by: api
              predicate_types: [https://spdx.dev/Document]
        signatures:
          description: Every signature that was found, as in RV(imageops.registry.signature_info#module:images[].signatures).
          type: list
          elements: dict
          sample:
            - form: sigstore_bundle
              digest: sha256:9d1ae52d4dd6f0c5a4d3f6f2a3bbd2ad70b1c8d5a0ef1b1f8d3cb6e2b7a10c44
              subject: sha256:6c3c624b58dbbcd3c0dd82b4c53f04194d1247c6eebdaab7c610cf7d66709b3b
              verified: true
              by: key:Jq5gkTBcRR9FKnPpVZ0jVwDnJwV4sNgyD7cJ1hKJ0kA=
              reason: ""
        promotions:
          description:
            - Records of promotions that are attached to the digest, and say that they succeeded.
            - Only if C(verified) is V(true), an owner of the key has certainly made the record.
          type: list
          elements: dict
          sample:
            - environment: staging
              source: dev.example:5000
              destination: staging.example
              tags: [1.4.2]
              finished_at: "2026-11-20T08:00:00Z"
              age_seconds: 172800
              actor: ci
              job: https://ci.example/1234
              reason:
              digest: sha256:024dac1e7eef09668a9674bac1754d522705a39e9c755d7ce056555c45c7584a
              verified: true
        destination:
          description: Null here. In the gates of a promotion, C(registry), C(repository) and C(tags) of the destination.
          type: dict
          sample:
        first_seen_at:
          description: When the digest was first seen at this registry, with O(record). Null without it.
          type: str
          sample: "2026-11-03T10:00:00Z"
        first_seen_seconds:
          description: The same as an age in seconds.
          type: int
          sample: 83000
        now:
          description: The time of the task, in UTC, the same in all documents.
          type: str
          sample: "2026-11-04T09:12:44Z"
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

from ..module_utils._module._connection import module_arguments
from ..module_utils._module._image_names import image_names, images_found
from ..module_utils._module._item_arguments import IMAGE_RULES, NAMED_IMAGES
from ..module_utils._module._record_arguments import RECORD, first_sights
from ..module_utils._module._signature_arguments import SIGNATURES
from ..module_utils._module._task import Task, create_module, run
from ..module_utils._promotion._documents import documents_of
from ..module_utils._promotion._signature_rules import read_rules


def look(task: Task) -> dict[str, t.Any]:
    names = image_names(task.params)
    rules, sights = read_rules(task.params["signatures"]), first_sights(task.params)
    result = images_found(task.params, names, documents_of(task.registry(), names, rules, sights))
    task.check_secrets(result)
    return result


ARGUMENTS = module_arguments(
    {**NAMED_IMAGES, "signatures": {**SIGNATURES, "default": []}, **RECORD},
    **IMAGE_RULES,
)


def main() -> None:
    run(create_module(ARGUMENTS), look)


if __name__ == "__main__":
    main()
