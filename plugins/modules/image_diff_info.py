#!/usr/bin/python

# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: image_diff_info
short_description: Compare images in two registries by digest
version_added: 0.9.0
description:
  - Compares images at O(source) with what their tags serve at O(registry), and returns the plan that makes them equal.
  - To carry out the plan, pass the whole result to O(imageops.registry.image_copy#module:plan). You can also pass RV(blobs),
    RV(manifests), RV(artifact_tags) and RV(tags) to the modules for single steps.
  - If nothing differs, the comparison costs one HEAD for each image at the source (none for an image given by digest) and one for each tag
    at the destination. No manifest is read.
  - A multi-architecture index is compared whole, with all its children, unless O(platforms) names some platforms.
  - A missing image or repository is not an error.
  - An equal digest proves what a tag points to. It doesn't prove that all content behind the tag is still there. To check that, use
    O(verify).
author:
  - imageops maintainers (@imageops)
extends_documentation_fragment:
  - imageops.registry._connection
  - imageops.registry._connection.source
  - imageops.registry._images
  - imageops.registry._verification
  - imageops.registry._gates
  - imageops.registry._signatures
  - imageops.registry._record
  - imageops.registry._attributes.info
attributes:
  check_mode:
    details:
      - In check mode, the module writes nothing. Otherwise, with O(record), it writes the file C(first-seen.json), and nothing else.
  idempotent:
    details:
      - The module changes nothing in a registry. With O(record), it adds each digest to C(first-seen.json) once.
  diff_mode:
    details:
      - This module changes nothing in a registry.
      - In diff mode, entries of RV(tags) also have C(summary), a description of the digest. M(imageops.registry.image_copy) and
        M(imageops.registry.tag) show it in their diffs. To make it, the module reads manifests and configs at the source. C(created) is missing
        in it if the image doesn't say when it was made.
options:
  source:
    required: true
seealso:
  - module: imageops.registry.image_copy
  - module: imageops.registry.blob_info
  - module: imageops.registry.blob
  - module: imageops.registry.manifest
  - module: imageops.registry.tag
  - ref: ansible_collections.imageops.registry.docsite.plan_approve
    description: How to compare in one job, approve, and promote exactly that in another.
  - ref: ansible_collections.imageops.registry.docsite.reliability
    description: What happens when requests, registries or runs fail.
"""

EXAMPLES = r"""
- name: Compare images
  imageops.registry.image_diff_info:
    registry: prod.example
    auth_file: ~/.docker/config.json
    source:
      registry: dev.example:5000
      auth_file: ~/.docker/config.json
    images:
      - repository: team/app
        tag: "1.4.2"
      - repository: team/api
        tag: "2.1.0"
        destination_repository: prod/api
        tags: ["2.1.0", stable]
    immutable_tags: ['[0-9]+\.[0-9]+\.[0-9]+']
  register: plan

- name: Show the images that would be promoted
  ansible.builtin.debug:
    msg: "{{ plan.images | selectattr('action', 'equalto', 'promote') | map(attribute='reference') }}"
"""

RETURN = r"""
differs:
  description:
    - Whether there is anything to promote.
    - Not returned if some images could not be compared, and none of the others has to be promoted.
  returned: when known
  type: bool
  sample: true
counts:
  description: How many images have each value of RV(images[].action).
  returned: success
  type: dict
  sample: {unchanged: 1, promote: 1, skip: 0, missing: 0, refused: 0, failed: 0}
unfinished_records:
  description:
    - The files of records in the directory O(record.path) whose promotions were interrupted. M(imageops.registry.image_copy)
      can finish them.
    - Records of promotions that run at this moment aren't in the list.
  returned: success
  type: list
  elements: str
  sample: [/var/lib/promotions/20261130T081500Z-4f1d2a90.promotion.json]
images:
  description: The images in the order in which they were given.
  returned: success
  type: list
  elements: dict
  sample:
    - reference: dev.example:5000/team/app:1.4.2
      destination: prod.example/team/app
      repository: team/app
      destination_repository: team/app
      exists: true
      source_digest: sha256:6c3c624b58dbbcd3c0dd82b4c53f04194d1247c6eebdaab7c610cf7d66709b3b
      digest: sha256:6c3c624b58dbbcd3c0dd82b4c53f04194d1247c6eebdaab7c610cf7d66709b3b
      media_type: application/vnd.oci.image.index.v1+json
      action: promote
      reason: ""
      tags:
        - {tag: 1.4.2, previous_digest: "", action: create}
      layers_left_out: []
      artifacts_compared: true
      artifacts: []
      gates: []
      verified: true
      signatures: []
      missing: []
  contains:
    # generated: image_names image_plan image_gates image_signatures
    reference:
      description: The image at the source.
      type: str
      sample: dev.example:5000/team/app:1.4.2
    destination:
      description: The repository at the destination, with its registry.
      type: str
      sample: prod.example/team/app
    source_digest:
      description: The digest that the source serves. It differs from C(digest) if O(platforms) leaves something out.
      type: str
      sample: sha256:6c3c624b58dbbcd3c0dd82b4c53f04194d1247c6eebdaab7c610cf7d66709b3b
    reason:
      description: The reason, if the action is V(missing), V(refused) or V(failed).
      type: str
      sample: ""
    tags:
      description: The tags at the destination.
      type: list
      elements: dict
      sample:
        - {tag: 1.4.2, previous_digest: "", action: create}
      contains:
        tag:
          description: The tag.
          type: str
          sample: 1.4.2
        previous_digest:
          description: The digest that the tag pointed to when it was compared. Empty if there was no such tag.
          type: str
          sample: ""
        action:
          description:
            - V(exists), V(create), V(replace), V(skip) or V(refused).
            - After a copy also V(failed) if the tag wasn't moved, and V(reverted) if it moved and went back.
          type: str
          sample: create
    layers_left_out:
      description: Layers that aren't copied, because their media type says that they may not be distributed.
      type: list
      elements: dict
      sample: []
    artifacts_compared:
      description: Whether artifacts were compared. If nothing else differs, they are compared only with O(compare_artifacts).
      type: bool
      sample: true
    artifacts:
      description: The artifacts of the image and of its children, and the artifacts of those artifacts.
      type: list
      elements: dict
      sample:
        - subject: sha256:6c3c624b58dbbcd3c0dd82b4c53f04194d1247c6eebdaab7c610cf7d66709b3b
          digest: sha256:024dac1e7eef09668a9674bac1754d522705a39e9c755d7ce056555c45c7584a
          artifact_type: application/vnd.dev.sigstore.bundle.v0.3+json
          tag: ""
          action: copy
          reason: ""
      contains:
        subject:
          description: The digest that the artifact refers to.
          type: str
          sample: sha256:6c3c624b58dbbcd3c0dd82b4c53f04194d1247c6eebdaab7c610cf7d66709b3b
        digest:
          description: The digest of the artifact.
          type: str
          sample: sha256:024dac1e7eef09668a9674bac1754d522705a39e9c755d7ce056555c45c7584a
        artifact_type:
          description: The artifact type. For a tag of cosign, the media type of its last layer, if its manifest was read.
          type: str
          sample: application/vnd.dev.sigstore.bundle.v0.3+json
        tag:
          description: The tag under which cosign stored the artifact. Empty for a referrer.
          type: str
          sample: ""
        action:
          description:
            - V(exists) or V(copy), or V(replace) if the tag of cosign points to another digest.
            - V(skip) or V(refused) if such a tag must not move. V(missing) if the source lists the artifact, but doesn't have it.
            - V(left_out) if the artifact refers to a whole index, and only some platforms of the index are copied. Also if its manifest doesn't
              have the subject for which it was listed, or if its type can't be pushed, such as C(application/vnd.oci.artifact.manifest.v1+json).
          type: str
          sample: copy
        reason:
          description: The reason, if the artifact isn't copied.
          type: str
          sample: ""
    gates:
      description: Every gate that applies to the image, if it had to be promoted. Otherwise empty.
      type: list
      elements: dict
      sample:
        - {name: team label, passed: true, severity: error, value: true, message: Images need the label team}
      contains:
        name:
          description: The name of the gate.
          type: str
          sample: team label
        passed:
          description: Whether the result of its expression is V(true).
          type: bool
          sample: true
        severity:
          description: V(error) or V(warning).
          type: str
          sample: error
        value:
          description: The result of the expression, shortened if it is long, or why it couldn't be evaluated.
          type: raw
          sample: true
        message:
          description: What to report if the gate fails.
          type: str
          sample: Images need the label team
    verified:
      description:
        - Whether the signatures of the image meet its rule.
        - Null if there are no rules, if the rule exempts the image, or if the image did not have to be promoted.
      type: bool
      sample: true
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
    repository:
      description: The repository at the source.
      type: str
      sample: team/app
    destination_repository:
      description: The repository at the destination, without the registry.
      type: str
      sample: team/app
    exists:
      description: Whether the image is at the source.
      returned: when known
      type: bool
      sample: true
    digest:
      description: The digest of the image, or of the part of it, that has to be promoted.
      type: str
      sample: sha256:6c3c624b58dbbcd3c0dd82b4c53f04194d1247c6eebdaab7c610cf7d66709b3b
    media_type:
      description: Its media type. Empty if the image was given by digest and wasn't read.
      type: str
      sample: application/vnd.oci.image.index.v1+json
    action:
      description:
        - V(unchanged) or V(promote), or V(skip) if tags point to another digest and have to stay there.
        - V(missing) if the image isn't at the source, V(refused) if a condition isn't met, V(failed) if the image could not be compared.
      type: str
      sample: promote
    missing:
      description:
        - Content of the image and its artifacts that O(registry) has lost, as far as O(verify) checks it. With O(repair), RV(blobs) and
          RV(manifests) include it.
      # generated: image_missing
      type: list
      elements: dict
      sample:
        - repository: team/app
          digest: sha256:024dac1e7eef09668a9674bac1754d522705a39e9c755d7ce056555c45c7584a
          kind: manifest
          size: 429
          needed_by: sha256:6c3c624b58dbbcd3c0dd82b4c53f04194d1247c6eebdaab7c610cf7d66709b3b
          problem: missing
          reason: The registry has no such manifest.
      contains:
        repository:
          description: The repository at O(registry).
          type: str
          sample: team/app
        digest:
          description: The digest of the missing or damaged content.
          type: str
          sample: sha256:024dac1e7eef09668a9674bac1754d522705a39e9c755d7ce056555c45c7584a
        kind:
          description: V(manifest) or V(blob).
          type: str
          sample: manifest
        size:
          description: Its size in bytes, as the descriptor that refers to it says. V(0) if unknown.
          type: int
          sample: 429
        needed_by:
          description: The digest of the manifest that refers to it. For an artifact, the digest of its subject. Empty for the image itself.
          type: str
          sample: sha256:6c3c624b58dbbcd3c0dd82b4c53f04194d1247c6eebdaab7c610cf7d66709b3b
        problem:
          description: V(missing), or V(damaged) if the content there doesn't match its digest and size.
          type: str
          sample: missing
        reason:
          description: What was found, in one sentence.
          type: str
      # end of generated
blobs:
  description: The blobs of the images to promote, for O(imageops.registry.blob_info#module:blobs).
  returned: success
  type: list
  elements: dict
  sample:
    - repository: team/app
      source_repository: team/app
      mount_from: []
      blobs:
        - digest: sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a
          size: 2
manifests:
  description: The manifests to push, children first, for O(imageops.registry.manifest#module:manifests).
  returned: success
  type: list
  elements: dict
  sample:
    - repository: team/app
      source_repository: team/app
      digest: sha256:6c3c624b58dbbcd3c0dd82b4c53f04194d1247c6eebdaab7c610cf7d66709b3b
      media_type: application/vnd.oci.image.manifest.v1+json
      content_base64: eyJzY2hlbWFWZXJzaW9uIjoyfQ==
artifact_tags:
  description: The tags of artifacts to move before RV(tags), for O(imageops.registry.tag#module:tags).
  returned: success
  type: list
  elements: dict
  sample: []
tags:
  description: The tags to move, for O(imageops.registry.tag#module:tags).
  returned: success
  type: list
  elements: dict
  sample:
    - repository: team/app
      tag: 1.4.2
      digest: sha256:6c3c624b58dbbcd3c0dd82b4c53f04194d1247c6eebdaab7c610cf7d66709b3b
      previous_digest: ""
      content_base64: eyJzY2hlbWFWZXJzaW9uIjoyfQ==
failures:
  description: What could not be compared, and why. The rest of the result is returned as well.
  returned: failure of single images
  type: list
  elements: dict
  sample:
    - repository: team/app
      msg: "Cannot read dev.example:5000/team/app:1.4.2: the account may not do this (GET
        https://dev.example:5000/v2/team/app/manifests/1.4.2, answer 403). Check the account's rights and quota."
      reference: dev.example:5000/team/app:1.4.2
  contains:
    repository:
      description: The repository.
      type: str
    reference:
      description: The image at the source.
      type: str
    msg:
      description: What failed, and why, in one sentence.
      type: str
# generated: task
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

from ..module_utils._model._actions import FAILED
from ..module_utils._module._condition_arguments import CONDITIONS, warn_of_gates
from ..module_utils._module._connection import module_arguments
from ..module_utils._module._image_arguments import IMAGE_OPTIONS, image_items, two_registries
from ..module_utils._module._planning import plan_rules
from ..module_utils._module._record_arguments import RECORD, unfinished
from ..module_utils._module._results import unless_failed
from ..module_utils._module._task import Task, create_module, run
from ..module_utils._module._verification_arguments import VERIFICATION, verification
from ..module_utils._promotion._items import counts
from ..module_utils._promotion._make_plan import make_plan
from ..module_utils._promotion._plan_as_plain import as_plain


def compare(task: Task) -> dict[str, t.Any]:
    items = image_items(task.params, two_registries(task.params))
    rules = plan_rules(task, verification(task.params))
    plan = make_plan(task.source(), task.registry(pushed_to=True), items, rules)
    warn_of_gates(task, plan)
    failures = [
        {"repository": image.item.repository, "reference": plan.reference_of(image), "msg": image.reason}
        for image in plan.images
        if image.action == FAILED
    ]
    differs = bool(plan.promoted)
    known = {"differs": True} if differs else unless_failed(failures, differs=False)
    counted = counts(image.action for image in plan.images)
    result = {**as_plain(plan), **known, "counts": counted, "failures": failures}
    result["unfinished_records"] = unfinished(task)
    task.check_secrets(result)
    return result


ARGUMENTS = module_arguments({**IMAGE_OPTIONS, **VERIFICATION, **CONDITIONS, **RECORD}, source="required")


def main() -> None:
    run(create_module(ARGUMENTS), compare)


if __name__ == "__main__":
    main()
