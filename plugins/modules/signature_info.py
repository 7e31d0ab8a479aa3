#!/usr/bin/python

# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: signature_info
short_description: Verify who signed images
version_added: 0.9.0
description:
  - Finds the signatures of images (GET referrers, end-12 of the OCI distribution specification, and the tags of cosign), and
    verifies them with keys and certificates.
  - Signatures are verified against the digest of the image. The module returns every signature that it finds, and the reason if it doesn't
    verify.
  - A signature that doesn't verify is not a failure, and neither is a missing image. Check RV(images[].verified). It is V(false) for both.
  - If the signatures of an image can't be read, the task fails. Unreadable signatures don't count as missing ones.
author:
  - imageops maintainers (@imageops)
extends_documentation_fragment:
  - imageops.registry._connection
  - imageops.registry._attributes.info
  - imageops.registry._shapes.images
  - imageops.registry._signatures
options:
  signatures:
    required: true
seealso:
  - module: imageops.registry.referrer_info
  - module: imageops.registry.image_copy
"""

EXAMPLES = r"""
- name: Verify who signed an image
  imageops.registry.signature_info:
    registry: registry.example:5000
    repository: team/app
    tag: "1.4.2"
    signatures:
      - keys: [/etc/keys/release.pub]
  register: image

- name: Fail if it isn't signed with that key
  ansible.builtin.assert:
    that: image.verified
    fail_msg: "{{ image.reason }}"

- name: Verify several images with rules
  imageops.registry.signature_info:
    registry: registry.example:5000
    images:
      - {repository: team/app, tag: "1.4.2"}
      - {repository: third-party/postgres, tag: "17.2"}
    signatures:
      - repositories: [third-party/*]
        certificates: [/etc/keys/notary-root.crt]
        subjects: ["C=DE, O=Example"]
      - repositories: ["*"]
        keys: [/etc/keys/release.pub]
        annotations: {approved: "yes"}
  register: found

- name: Show the images that don't meet their rule, or don't exist
  ansible.builtin.debug:
    msg: "{{ item.repository }}:{{ item.tag }}: {{ item.reason }}"
  loop: "{{ found.images | selectattr('verified', 'eq', false) }}"
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
      verified: true
      reason: ""
      signatures:
        - form: sigstore_bundle
          digest: sha256:9d1ae52d4dd6f0c5a4d3f6f2a3bbd2ad70b1c8d5a0ef1b1f8d3cb6e2b7a10c44
          subject: sha256:6c3c624b58dbbcd3c0dd82b4c53f04194d1247c6eebdaab7c610cf7d66709b3b
          verified: true
          by: key:Jq5gkTBcRR9FKnPpVZ0jVwDnJwV4sNgyD7cJ1hKJ0kA=
          reason: ""
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
    verified:
      description: Whether the signatures of the image meet its rule. False if the image doesn't exist. Null if the rule exempts the image.
      type: bool
      sample: true
    reason:
      description:
        - Why the signatures don't meet the rule, or that the image doesn't exist.
        - Empty if they meet the rule, and if the rule exempts the image.
      type: str
      sample: ""
    # generated: image_signatures
    signatures:
      description: Every signature that was found, and the reason if it doesn't verify.
      type: list
      elements: dict
      sample:
        - form: sigstore_bundle
          digest: sha256:9d1ae52d4dd6f0c5a4d3f6f2a3bbd2ad70b1c8d5a0ef1b1f8d3cb6e2b7a10c44
          subject: sha256:6c3c624b58dbbcd3c0dd82b4c53f04194d1247c6eebdaab7c610cf7d66709b3b
          verified: true
          by: key:Jq5gkTBcRR9FKnPpVZ0jVwDnJwV4sNgyD7cJ1hKJ0kA=
          reason: ""
      contains:
        form:
          description: Its form, V(cosign_tag), V(sigstore_bundle) or V(notation).
          type: str
          sample: sigstore_bundle
        digest:
          description: The digest of the manifest that holds it.
          type: str
          sample: sha256:9d1ae52d4dd6f0c5a4d3f6f2a3bbd2ad70b1c8d5a0ef1b1f8d3cb6e2b7a10c44
        subject:
          description: The digest of the image that it was found for.
          type: str
          sample: sha256:6c3c624b58dbbcd3c0dd82b4c53f04194d1247c6eebdaab7c610cf7d66709b3b
        verified:
          description: Whether it verifies.
          type: bool
          sample: true
        by:
          description:
            - Who has signed. C(key:) and the base64 SHA-256 of the public key (SubjectPublicKeyInfo), or C(certificate:) and the
              subject of the signer.
            - Empty if it doesn't verify.
          type: str
          sample: key:Jq5gkTBcRR9FKnPpVZ0jVwDnJwV4sNgyD7cJ1hKJ0kA=
        reason:
          description: Why it doesn't verify. Empty if it does.
          type: str
          sample: ""
    # end of generated
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

from ..module_utils._model._times import utc_now
from ..module_utils._module._connection import module_arguments
from ..module_utils._module._image_names import image_names, images_found
from ..module_utils._module._item_arguments import IMAGE_RULES, NAMED_IMAGES
from ..module_utils._module._signature_arguments import SIGNATURES
from ..module_utils._module._task import Task, create_module, run
from ..module_utils._promotion._signature_rules import read_rules
from ..module_utils._promotion._signatures import look_at_signatures


def look(task: Task) -> dict[str, t.Any]:
    names = image_names(task.params)
    rules = read_rules(task.params["signatures"])
    result = images_found(task.params, names, look_at_signatures(task.registry(), names, rules, utc_now()))
    task.check_secrets(result)
    return result


ARGUMENTS = module_arguments({**NAMED_IMAGES, "signatures": {**SIGNATURES, "required": True}}, **IMAGE_RULES)


def main() -> None:
    run(create_module(ARGUMENTS), look)


if __name__ == "__main__":
    main()
