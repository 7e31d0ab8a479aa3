#!/usr/bin/python

# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: image_copy
short_description: Copy images from one registry to another, only if digests differ
version_added: 0.9.0
description:
  - Compares images by digest, and copies what is missing at the destination. Tags move last, when the content of all images is in
    place. With O(plan), the module carries out the plan, and compares nothing.
  - Blobs are streamed from registry to registry, and verified on the way. Blobs that another repository of the destination has are
    mounted.
  - Manifests are pushed byte for byte, children first, then artifacts (signatures, attestations, SBOMs), then tags.
  - If a run was interrupted, run it again to finish the work. Content that has already arrived isn't sent again.
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
  - imageops.registry._attributes
  - imageops.registry._attended
  - imageops.registry._attended.progress
attributes:
  check_mode:
    details:
      - The module writes nothing, and asks only for permission to read. A blob that it would try to mount counts as uploaded.
      - No record is written. RV(record.outcome) says what the record would say.
  diff_mode:
    details:
      - The diff has one block for each image of which something changes. Its tags come first, then what they serve before and after, and
        the labels that differ. Then come layers, other content and artifacts, as counts and sums of bytes, and gates and signatures.
      - With C(-v), it also lists the digests of new manifests and blobs.
      - To show what a tag serves before and after, the module reads manifests and at most one config for each image that is promoted, and at
        the destination for each tag that moves.
      - If the task doesn't check gates or signatures of a plan itself, the diff quotes what the plan says about them, as C(by the plan).
options:
  source:
    required: true
  plan:
    description:
      - The registered result of M(imageops.registry.image_diff_info) for the same O(source), O(registry) and O(images). The module does
        exactly what the plan says. So a person, or another task, can review the plan before anything is written. You can keep it in a file.
      - Without a plan, or if it is null, the module compares by itself.
      - The plan consists of C(images), C(blobs), C(manifests), C(artifact_tags) and C(tags). All five are required. An unknown key in one
        of their entries is refused. Other keys of the result, such as C(changed) and C(transfer), are ignored.
      - The module doesn't compare the images again. It checks what may have changed since, and what the plan claims, see O(trust_plan).
        Each tag is checked once more right before it moves. With O(verify), the pushed content is checked, too.
      - The module checks the images in the plan again, with O(gates) and O(signatures) of this task. It doesn't believe what the plan says
        about them.
      - An image is refused if the source now serves another digest, or no longer has the planned one, or if a tag at the destination points to
        another digest than in the plan. RV(images[].reason) says what has changed. Then make a new plan. If a tag already points to the
        planned digest, its action is V(exists).
      - If images in the plan are missing, refused or failed, nothing is written, unless O(on_error=continue).
      - A plan that goes beyond O(images), O(on_conflict) and O(immutable_tags) is refused before anything is written. This applies to a
        plan for other registries or images, and to one that writes other content, tags or repositories.
      - Give the same O(platforms) and O(flatten) as for the plan. With others, the plan or its images are refused.
      - The plan alone decides what depends on O(artifacts), O(compare_artifacts) and O(repair).
    type: dict
  trust_plan:
    description:
      - Whether to believe what O(plan) says about both registries.
      - With V(false), the module checks it before it writes anything. For each image, it asks for the digest at the source, for every tag at
        the destination, and for everything that the plan leaves out because the destination has it. These are HEAD requests. With
        O(platforms), it also reads the index at the source.
      - V(true) saves these requests. Use it only if a task in the same play has made the plan, and nobody could change the plan since. The role
        P(imageops.registry.promote#role) does so for its own comparison, never for a plan that you give it.
      - With V(true), and without O(gates) or O(signatures), the record quotes what the plan says about them.
      - O(images), O(on_conflict), O(immutable_tags), O(gates) and O(signatures) apply to every plan.
    type: bool
    default: false
  on_error:
    description:
      - With V(fail), the module writes nothing if an image is missing at the source, is refused or can't be read. It moves no tag if
        content fails to arrive.
      - With V(fail), tags are all or nothing. If a tag can't be moved, every tag that moved goes back to what it served before, unless
        another client has moved it meanwhile. A tag that was created is removed where the registry can remove a tag alone. What can't go
        back is in RV(not_reverted).
      - A task that is stopped from outside, by a signal, Ctrl-C or a time-out, moves nothing back. Tags that moved stay moved, and running
        the task again moves the rest.
      - With V(continue), the module copies the images that it can copy, and then fails. The message says why it could not copy the others.
    type: str
    choices: [fail, continue]
    default: fail
  record_removed:
    description:
      - Tags that an earlier task has removed from the destination. The record lists them with the action V(reverted).
      - This option is for the role P(imageops.registry.rollback#role), which may remove tags that a promotion has created.
      - Requires O(record.path), and that O(images) is empty.
    type: dict
    suboptions:
      tags:
        description: The tags.
        type: list
        elements: dict
        required: true
        suboptions:
          repository:
            description: The repository at the destination.
            type: str
            required: true
          tag:
            description: The tag.
            type: raw
            required: true
          digest:
            description: The digest that the tag pointed to.
            type: str
            required: true
      into:
        description: The path of the file in O(record.path) to which the tags are added. It must be a record of the same destination. Without
          this option, the tags get a new record.
        type: str
      was_begun:
        description:
          - Whether the record that O(record.reverts) names had the outcome V(begun) before the rollback. If the rollback has finished that
            record, the module updates it. Tags that its promotion created, and that are gone from the registry, get the action V(reverted).
            The outcome becomes V(reverted) if every tag is back.
        type: bool
        default: false
  keep_replaced:
    description:
      - Whether to give a digest another tag before it loses one, so that a garbage collection of the registry doesn't delete it. A rollback
        needs this digest.
      - The new tag is C(replaced-) and the first 12 hexadecimal digits of the digest, in the repository at the destination. It isn't made if
        it exists already, or if another tag of O(images) serves the digest and stays. If it can't be made, the other tag doesn't move.
      - The collection never removes these tags by itself. M(imageops.registry.tag_info) lists them, and M(imageops.registry.tag) removes them.
        No image can be copied to such a tag.
    type: bool
    default: false
seealso:
  - module: imageops.registry.image_diff_info
  - ref: ansible_collections.imageops.registry.docsite.plan_approve
    description: How to compare in one job, approve, and promote exactly that in another.
  - ref: ansible_collections.imageops.registry.docsite.guide_records
    description: What a record contains, key by key, and when it is written.
  - ref: ansible_collections.imageops.registry.docsite.reliability
    description: What happens when requests, registries or runs fail.
"""

EXAMPLES = r"""
- name: Copy two images, each with all its platforms and signatures
  imageops.registry.image_copy:
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
  register: copied

- name: Copy an image for one platform only
  imageops.registry.image_copy:
    registry: prod.example
    auth_file: ~/.docker/config.json
    source:
      registry: dev.example:5000
      auth_file: ~/.docker/config.json
    images:
      - repository: team/app
        tag: "1.4.2"
    platforms: [linux/amd64]

- name: Plan
  imageops.registry.image_diff_info:
    registry: prod.example
    auth_file: ~/.docker/config.json
    source:
      registry: dev.example:5000
      auth_file: ~/.docker/config.json
    images: &images
      - repository: team/app
        tag: "1.4.2"
  register: plan

- name: Check that every image can be copied
  ansible.builtin.assert:
    that: plan.images | rejectattr('action', 'in', ['promote', 'unchanged']) | length == 0

- name: Store the plan in a file, for review
  ansible.builtin.copy:
    content: "{{ plan | to_json }}"
    dest: "{{ playbook_dir }}/plan.json"
    mode: "0600"
  delegate_to: localhost

# This task may be in another playbook, with the same images.
- name: Apply exactly what was reviewed
  imageops.registry.image_copy:
    registry: prod.example
    auth_file: ~/.docker/config.json
    source:
      registry: dev.example:5000
      auth_file: ~/.docker/config.json
    images: *images
    plan: "{{ lookup('ansible.builtin.file', 'plan.json') | from_json }}"

- name: Check all content behind the tag, push missing content again, and limit the rate of requests
  imageops.registry.image_copy:
    registry: prod.example
    auth_file: ~/.docker/config.json
    source:
      registry: dev.example:5000
      auth_file: ~/.docker/config.json
    images:
      - repository: team/app
        tag: "1.4.2"
    verify: blobs
    repair: true
    requests_per_second: 20
    retry_max_wait: 30

- name: Write a record of the promotion, for a rollback
  imageops.registry.image_copy:
    registry: prod.example
    source: {registry: dev.example:5000}
    images:
      - {repository: team/app, tag: "1.4.2", tags: ["1.4.2", stable]}
    record:
      path: /var/lib/promotions
      environment: production
      reason: CHG-1234

- name: Copy images, unless one of them doesn't have the label team=app
  imageops.registry.image_copy:
    registry: prod.example
    source: {registry: dev.example:5000}
    images:
      - {repository: team/app, tag: "1.4.2"}
    gates:
      - name: owner
        that: labels.team == 'app'
        msg: Images need the label team=app

- name: Copy images, unless one of them isn't signed with this key
  imageops.registry.image_copy:
    registry: prod.example
    source: {registry: dev.example:5000}
    images:
      - {repository: team/app, tag: "1.4.2"}
    signatures:
      - keys: [/etc/keys/release.pub]

- name: Never move tags of releases, but move stable
  imageops.registry.image_copy:
    registry: prod.example
    source: {registry: dev.example:5000}
    images:
      - {repository: team/app, tag: "1.4.2", tags: ["1.4.2", stable]}
    immutable_tags: ['[0-9]+\.[0-9]+\.[0-9]+']
"""

RETURN = r"""
images:
  description: The images in the order in which they were given.
  returned: success, and failure of single images
  type: list
  elements: dict
  sample:
    - reference: dev.example:5000/team/app:1.4.2
      destination: prod.example/team/app
      source_digest: sha256:6c3c624b58dbbcd3c0dd82b4c53f04194d1247c6eebdaab7c610cf7d66709b3b
      digest: sha256:6c3c624b58dbbcd3c0dd82b4c53f04194d1247c6eebdaab7c610cf7d66709b3b
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
      blobs_uploaded: 3
      blobs_mounted: 1
      blobs_skipped: 0
      bytes_uploaded: 264216
      bytes_mounted: 1024
      bytes_skipped: 0
      missing: []
      record_attached: true
  contains:
    record_attached:
      description:
        - Whether a record of the promotion is attached to the image, or in check mode, would be. V(false) if that failed. Then the module
          warns.
        - Null if no record had to be attached, because the image was not promoted, or because O(record.attach=false).
      type: bool
      sample: true
    # generated: image_names image_outcome image_plan image_gates image_signatures image_costs
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
    digest:
      description: The digest that the destination serves now, or in check mode, would serve.
      type: str
      sample: sha256:6c3c624b58dbbcd3c0dd82b4c53f04194d1247c6eebdaab7c610cf7d66709b3b
    action:
      description:
        - V(promote) or V(unchanged), or V(skip) if tags point to another digest and stay there.
        - V(missing) if the image isn't at the source, V(refused) if a condition isn't met, V(failed) if something failed.
      type: str
      sample: promote
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
    blobs_uploaded:
      description: How many blobs of the image were uploaded. A blob that several images need counts for the first of them.
      type: int
      sample: 3
    blobs_mounted:
      description: How many blobs of the image were mounted.
      type: int
      sample: 1
    blobs_skipped:
      description: How many blobs of the image were already there.
      type: int
      sample: 0
    bytes_uploaded:
      description: The size of the blobs that C(blobs_uploaded) counts, in bytes.
      type: int
      sample: 264216
    bytes_mounted:
      description: The size of the blobs that C(blobs_mounted) counts, in bytes.
      type: int
      sample: 1024
    bytes_skipped:
      description: The size of the blobs that C(blobs_skipped) counts, in bytes.
      type: int
      sample: 0
    # end of generated
    missing:
      description:
        - Content of the image and its artifacts that O(registry) has lost, as far as O(verify) checks it. With O(repair), it was pushed
          again, except in check mode, or if the action is V(failed).
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
record:
  description:
    - The record of the promotion, with O(record).
    - All keys are null or empty if there is no record to write, because nothing changed, or because something failed before the first tag
      moved.
  returned: success, and failure of single images
  type: dict
  sample:
    path: /var/lib/promotions/20261130T081500Z-4f1d2a90.promotion.json
    outcome: done
    finished: []
  contains:
    path:
      description: The file of the record, on the host of the task. In check mode, it is null, unless an existing record would be finished.
      type: str
      sample: /var/lib/promotions/20261130T081500Z-4f1d2a90.promotion.json
    outcome:
      description:
        - V(done), V(reverted) if every tag that had moved is back, or V(failed).
        - V(begun) if the promotion has ended, but its end could not be written into the record. Then the module warns.
      type: str
      sample: done
    finished:
      description: The files of records of interrupted runs that this run has finished.
      type: list
      elements: str
      sample: []
# generated: image_moves image_replaced image_failures task
tags:
  description:
    - What happened to the tags of the images, or in check mode, what would happen.
    - The list includes tags that moved, but served another digest when they were checked afterwards.
  returned: success, and failure of single images
  type: list
  elements: dict
  sample:
    - repository: team/app
      tag: 1.4.2
      digest: sha256:6c3c624b58dbbcd3c0dd82b4c53f04194d1247c6eebdaab7c610cf7d66709b3b
      previous_digest: ""
      action: create
  contains: &tag
    repository:
      description: The repository.
      type: str
      sample: team/app
    tag:
      description: The tag.
      type: str
      sample: 1.4.2
    digest:
      description: The digest that the tag must point to.
      type: str
      sample: sha256:6c3c624b58dbbcd3c0dd82b4c53f04194d1247c6eebdaab7c610cf7d66709b3b
    previous_digest:
      description: The digest that the tag pointed to before. Empty if there was no such tag.
      type: str
      sample: ""
    action:
      description:
        - V(create) or V(replace), or V(exists) if another client or an earlier run had already moved it.
        - V(reverted) if it moved, and went back because another tag couldn't be moved. It serves C(previous_digest) again. If that is empty,
          the tag was removed.
      type: str
      sample: create
artifact_tags:
  description: The same for the tags under which cosign stores artifacts.
  returned: success, and failure of single images
  type: list
  elements: dict
  sample:
    - repository: team/app
      tag: sha256-6c3c624b58dbbcd3c0dd82b4c53f04194d1247c6eebdaab7c610cf7d66709b3b.sig
      digest: sha256:9d1ae52d4dd6f0c5a4d3f6f2a3bbd2ad70b1c8d5a0ef1b1f8d3cb6e2b7a10c44
      previous_digest: ""
      action: create
  contains: *tag
not_reverted:
  description:
    - Tags that moved, and that could not be moved back after another tag had failed. They stay where they are. O(on_error) says when tags
      are moved back.
  returned: success, and failure of single images
  type: list
  elements: dict
  sample: []
  contains:
    repository:
      description: The repository at the destination.
      type: str
      sample: team/app
    tag:
      description: The tag.
      type: str
      sample: 1.4.2
    digest:
      description: The digest that the task moved it to.
      type: str
      sample: sha256:6c3c624b58dbbcd3c0dd82b4c53f04194d1247c6eebdaab7c610cf7d66709b3b
    previous_digest:
      description: The digest that it pointed to before. Empty if there was no such tag.
      type: str
      sample: ""
    reason:
      description: Why it could not be moved back, in one sentence.
      type: str
      sample: "Cannot delete prod.example/team/app:1.4.2: the registry cannot delete a tag alone."
given_up:
  description: Attempts that failed harmlessly, such as a refused mount. The content arrived another way.
  returned: success, and failure of single images
  type: list
  elements: dict
  sample:
    - repository: team/app
      digest: sha256:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae
      given_up: ["The registry did not mount the blob from team/base."]
  contains:
    repository:
      description: The repository.
      type: str
      sample: team/app
    digest:
      description: The digest of the blob, or of the manifest.
      type: str
      sample: sha256:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae
    given_up:
      description: The attempts, each in a sentence.
      type: list
      elements: str
      sample: ["The registry did not mount the blob from team/base."]
replaced_tags:
  description:
    - With O(keep_replaced), the tags C(replaced-...) that keep a digest after it has lost another tag. They are made before other tags move.
  returned: success, and failure of single images
  type: list
  elements: dict
  sample:
    - repository: team/app
      tag: replaced-9d1ae52d4dd6
      digest: sha256:9d1ae52d4dd6f0c5a4d3f6f2a3bbd2ad70b1c8d5a0ef1b1f8d3cb6e2b7a10c44
      previous_digest: ""
      action: create
  contains:
    repository:
      description: The repository.
      type: str
      sample: team/app
    tag:
      description: The tag.
      type: str
      sample: replaced-9d1ae52d4dd6
    digest:
      description: The digest that it keeps.
      type: str
      sample: sha256:9d1ae52d4dd6f0c5a4d3f6f2a3bbd2ad70b1c8d5a0ef1b1f8d3cb6e2b7a10c44
    previous_digest:
      description: Always empty, or the same digest if the tag existed already.
      type: str
      sample: ""
    action:
      description:
        - V(create), or V(exists) if the digest was kept already. V(reverted) if the tag was removed again, because no tag moved.
      type: str
      sample: create
failures:
  description: What could not be copied, and why. The rest of the result is returned as well.
  returned: failure of single images
  type: list
  elements: dict
  sample:
    - reference: dev.example:5000/team/app:1.4.2
      msg: "dev.example:5000/team/app:1.4.2 is not at the source. Check repository and tag."
  contains:
    reference:
      description: The image at the source.
      type: str
    msg:
      description: What failed, and why.
      type: str
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

from ..module_utils._module._condition_arguments import CONDITIONS
from ..module_utils._module._connection import module_arguments
from ..module_utils._module._copying import copy_images
from ..module_utils._module._image_arguments import IMAGE_OPTIONS, image_items, two_registries
from ..module_utils._module._record_arguments import RECORD
from ..module_utils._module._record_keeping import REMOVED, check_removed, recorded_removals, reverted_is_ended
from ..module_utils._module._task import PROGRESS, Task, create_module, run
from ..module_utils._module._verification_arguments import VERIFICATION, verification


def copy(task: Task) -> dict[str, t.Any]:
    items = image_items(task.params, two_registries(task.params))
    wanted = verification(task.params)
    removed = check_removed(task.params)
    destination = task.registry(writing=True, pushed_to=True)
    plan, trusted = task.params["plan"], task.params["trust_plan"]
    result = copy_images(task, task.source(), destination, items, wanted, plan, trusted=trusted)
    if removed:
        recorded = recorded_removals(task, destination.name, removed)
        result.update(record=recorded.as_plain(), changed=True)
    if reverted_is_ended(task, destination):
        result.update(changed=True)
    return result


ARGUMENTS = module_arguments(
    {
        **IMAGE_OPTIONS,
        **VERIFICATION,
        **CONDITIONS,
        **RECORD,
        **REMOVED,
        **PROGRESS,
        "plan": {"type": "dict"},
        "trust_plan": {"type": "bool", "default": False},
        "on_error": {"type": "str", "choices": ["fail", "continue"], "default": "fail"},
        "keep_replaced": {"type": "bool", "default": False},
    },
    source="required",
)


def main() -> None:
    run(create_module(ARGUMENTS), copy)


if __name__ == "__main__":
    main()
