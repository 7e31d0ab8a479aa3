#!/usr/bin/python

# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: promotion_info
short_description: Read records of promotions
version_added: 0.9.0
description:
  - Reads the records of promotions that were written to a directory, and those that are attached to images (GET referrers, end-12 of the OCI
    distribution specification).
  - Returns the records of both in the same form, newest first.
  - The module doesn't verify records. Anyone who may push to a repository can attach one. To find out who signed it, use
    M(imageops.registry.signature_info).
  - A missing directory or image is not a failure. A record that can't be read isn't either. The task warns of it, and returns it in
    RV(unreadable).
  - Other files in the directory, and other referrers of an image, are ignored.
author:
  - imageops maintainers (@imageops)
extends_documentation_fragment:
  - imageops.registry._connection
  - imageops.registry._attributes.info
  - imageops.registry._shapes.images
options:
  registry:
    description:
      - The registry that has the images, as V(host) or V(host:port), without a scheme and without a login.
      - Required with O(repository) and O(images).
    required: false
  path:
    description:
      - The directory with the records, on the host on which the module runs. It is O(imageops.registry.image_copy#module:record.path) of the
        promotions.
      - One of O(path), O(repository) and O(images) is required. With a directory and images, the records of both are returned.
    type: path
  environment:
    description: Return only records of promotions to this environment. By default, those of all environments.
    type: str
  newest:
    description: Return only this many records, the newest. By default, all of them.
    type: int
seealso:
  - module: imageops.registry.image_copy
  - module: imageops.registry.signature_info
  - ref: ansible_collections.imageops.registry.docsite.guide_records
    description: What a record contains, and how records are attached, signed and read.
"""

EXAMPLES = r"""
- name: Find the last five promotions to production
  imageops.registry.promotion_info:
    path: /var/lib/promotions
    environment: production
    newest: 5
  register: history

- name: Show them
  ansible.builtin.debug:
    msg: >-
      {{ item.0.finished_at or item.0.begun_at }} {{ item.0.outcome }}: {{ item.1.repository }}
      {{ moved | map(attribute='tag') | join(', ') }} to {{ item.1.digest[:19] }}
      (was {{ moved | map(attribute='previous_digest') | map('truncate', 19, true, '') | map('default', 'new', true) | join(', ') }}),
      by {{ item.0.actor or 'unknown' }}:
      {{ 'rollback of ' ~ item.0.reverts if item.0.reverts else item.0.reason or 'no reason given' }}
  vars:
    moved: "{{ item.1.tags | selectattr('action', 'in', ['create', 'replace']) }}"
  loop: "{{ history.promotions | subelements('images') }}"
  loop_control:
    label: "{{ item.1.reference }}"
  when: moved != []

- name: Find where an image has been promoted to
  imageops.registry.promotion_info:
    registry: prod.example
    repository: team/app
    tag: "1.4.2"
  register: image
"""

RETURN = r"""
exists:
  description:
    - Whether the directory and all the images exist. A directory that doesn't exist is named in a warning.
    - Not returned together with RV(failures), because it is unknown then.
  returned: when known
  type: bool
  sample: true
promotions:
  description:
    - The records, newest first. They are sorted by the time at which the promotion ended. If the outcome is V(begun), it is the time at which
      the promotion began.
  returned: success
  type: list
  elements: dict
  sample:
    - source: {registry: "dev.example:5000"}
      destination: {registry: prod.example}
      environment: production
      images:
        - reference: dev.example:5000/team/app:1.4.2
          repository: team/app
          digest: sha256:6c3c624b58dbbcd3c0dd82b4c53f04194d1247c6eebdaab7c610cf7d66709b3b
          source_digest: sha256:6c3c624b58dbbcd3c0dd82b4c53f04194d1247c6eebdaab7c610cf7d66709b3b
          tags:
            - tag: 1.4.2
              previous_digest: ""
              digest: sha256:6c3c624b58dbbcd3c0dd82b4c53f04194d1247c6eebdaab7c610cf7d66709b3b
              action: create
          action: promote
          bytes: {uploaded: 264216, mounted: 0, skipped: 0}
          gates: []
          signatures: []
      actor: ci
      job: https://ci.example/jobs/7
      reason: CHG-1234
      begun_at: "2026-05-31T12:00:00Z"
      finished_at: "2026-05-31T12:00:09Z"
      outcome: done
      collection_version: 0.9.0
      reverts:
      not_reverted: []
      subjects: ["sha256:6c3c624b58dbbcd3c0dd82b4c53f04194d1247c6eebdaab7c610cf7d66709b3b"]
      source_of_record: /var/lib/promotions/20260531T120000Z-5f3c9a10.promotion.json
  contains:
    source:
      description: The registry that the images came from.
      type: dict
      contains:
        registry:
          description: The registry, as V(host) or V(host:port).
          type: str
          sample: dev.example:5000
    destination:
      description: The registry that the images were promoted to.
      type: dict
      contains:
        registry:
          description: The registry, as V(host) or V(host:port).
          type: str
          sample: prod.example
    environment:
      description: The environment that the caller named. Null if there was none.
      type: str
      sample: production
    images:
      description: The images of the promotion. A record that is attached to an image has that image only.
      type: list
      elements: dict
      sample:
        - reference: dev.example:5000/team/app:1.4.2
          repository: team/app
          digest: sha256:6c3c624b58dbbcd3c0dd82b4c53f04194d1247c6eebdaab7c610cf7d66709b3b
          source_digest: sha256:6c3c624b58dbbcd3c0dd82b4c53f04194d1247c6eebdaab7c610cf7d66709b3b
          tags:
            - tag: 1.4.2
              previous_digest: ""
              digest: sha256:6c3c624b58dbbcd3c0dd82b4c53f04194d1247c6eebdaab7c610cf7d66709b3b
              action: create
          action: promote
          bytes: {uploaded: 264216, mounted: 0, skipped: 0}
          gates: []
          signatures: []
      contains:
        reference:
          description: The image at the source.
          type: str
          sample: dev.example:5000/team/app:1.4.2
        repository:
          description: The repository at the destination.
          type: str
          sample: team/app
        digest:
          description: The digest that was promoted. Empty if it isn't known.
          type: str
          sample: sha256:6c3c624b58dbbcd3c0dd82b4c53f04194d1247c6eebdaab7c610cf7d66709b3b
        source_digest:
          description: The digest at the source. It differs from RV(promotions[].images[].digest) if only some platforms were promoted.
          type: str
          sample: sha256:6c3c624b58dbbcd3c0dd82b4c53f04194d1247c6eebdaab7c610cf7d66709b3b
        tags:
          description: The tags at the destination.
          type: list
          elements: dict
          sample:
            - tag: 1.4.2
              previous_digest: ""
              digest: sha256:6c3c624b58dbbcd3c0dd82b4c53f04194d1247c6eebdaab7c610cf7d66709b3b
              action: create
          contains:
            tag:
              description: The tag.
              type: str
              sample: 1.4.2
            previous_digest:
              description: The digest that the tag pointed to before. Empty if there was no such tag.
              type: str
              sample: ""
            digest:
              description: The digest that the tag had to point to.
              type: str
              sample: sha256:6c3c624b58dbbcd3c0dd82b4c53f04194d1247c6eebdaab7c610cf7d66709b3b
            action:
              description:
                - V(create), V(replace), V(exists), V(skip), V(refused), V(failed) or V(reverted).
                - In a record whose outcome is C(begun), what was about to be done.
              type: str
              sample: create
        action:
          description: What was done with the image, as in RV(imageops.registry.image_copy#module:images[].action).
          type: str
          sample: promote
        bytes:
          description: How many bytes of blobs were uploaded, mounted, and skipped because they were there.
          type: dict
          sample: {uploaded: 264216, mounted: 0, skipped: 0}
        gates:
          description: What the gates said, as in RV(imageops.registry.image_copy#module:images[].gates).
          type: list
          elements: dict
          sample: []
        signatures:
          description: The signatures that were found, as in RV(imageops.registry.image_copy#module:images[].signatures).
          type: list
          elements: dict
          sample: []
    actor:
      description: Who promoted, as the caller of the promotion said. Null if nothing was given.
      type: str
      sample: ci
    job:
      description: The job that promoted, as the caller said. Null if nothing was given.
      type: str
      sample: https://ci.example/jobs/7
    reason:
      description: The reason, as the caller said. Null if nothing was given.
      type: str
      sample: CHG-1234
    begun_at:
      description: When the promotion began (RFC 3339, UTC).
      type: str
      sample: "2026-05-31T12:00:00Z"
    finished_at:
      description: When it ended. Null if the outcome is V(begun).
      type: str
      sample: "2026-05-31T12:00:09Z"
    outcome:
      description:
        - V(done), V(reverted) if every tag that had moved is back, or V(failed).
        - V(begun) if the promotion is still running, or was interrupted.
      type: str
      sample: done
    collection_version:
      description: The version of the collection that wrote the record.
      type: str
      sample: 0.9.0
    reverts:
      description: The record that a rollback reverts. The name of its file, or the digest of an attached record. Null for promotions.
      type: str
      sample:
    not_reverted:
      description: Tags that could not go back, with RV(ignore:repository), RV(ignore:tag), RV(ignore:digest), RV(ignore:previous_digest) and RV(ignore:reason).
      type: list
      elements: dict
      sample: []
    subjects:
      description: The digests that the record is about.
      type: list
      elements: str
      sample: ["sha256:6c3c624b58dbbcd3c0dd82b4c53f04194d1247c6eebdaab7c610cf7d66709b3b"]
    source_of_record:
      description: Where the record was read. The path of the file, or the reference of the attached manifest.
      type: str
      sample: /var/lib/promotions/20260531T120000Z-5f3c9a10.promotion.json
unreadable:
  description: Files and referrers that should be records but can't be read.
  returned: success
  type: list
  elements: dict
  sample:
    - source_of_record: /var/lib/promotions/20260531T120000Z-5f3c9a10.promotion.json
      reason: the statement is not valid JSON, or has a key twice
  contains:
    source_of_record:
      description: Where it is. The path of the file, or the reference of the attached manifest.
      type: str
      sample: /var/lib/promotions/20260531T120000Z-5f3c9a10.promotion.json
    reason:
      description: Why it can't be read.
      type: str
      sample: the statement is not valid JSON, or has a key twice
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

from ..module_utils._model._errors import InvalidInput
from ..module_utils._module._connection import module_arguments
from ..module_utils._module._image_names import image_names
from ..module_utils._module._item_arguments import IMAGE_RULES, NAMED_IMAGES
from ..module_utils._module._record_arguments import recorded_text
from ..module_utils._module._results import divided, unless_failed
from ..module_utils._module._task import Task, create_module, run
from ..module_utils._promotion._history import attached_to, history_of, in_directory


def look(task: Task) -> dict[str, t.Any]:
    params = task.params
    if params["newest"] is not None and params["newest"] < 1:
        raise InvalidInput(
            f"newest: {params['newest']} is not a number of records", hint="Give 1 or more, or leave it out"
        )
    looks = [] if params["path"] is None else [in_directory(params["path"])]
    if looks and not looks[0].exists:
        task.module.warn(f"The directory of records {params['path']} is not there.")
    failures: list[dict[str, t.Any]] = []
    if params["repository"] is not None or params["images"] is not None:
        names = image_names(params)
        done, failures = divided([name._asdict() for name in names], attached_to(task.registry(), names))
        looks += [found for _place, found in done]
    environment = params["environment"]
    # As it was given to the promotion. Its record has it on one line.
    wanted = None if environment is None else recorded_text(environment)
    history = history_of(looks, wanted, params["newest"])
    result = {
        **unless_failed(failures, exists=all(found.exists for found in looks)),
        "promotions": [found.as_plain() for found in history.promotions],
        "unreadable": [{"source_of_record": found.source, "reason": found.reason} for found in history.unreadable],
        "failures": failures,
    }
    task.check_secrets(result)
    task.warn_of_unreadable([f"{found.source} ({found.reason})" for found in history.unreadable])
    return result


ARGUMENTS = module_arguments(
    {
        **NAMED_IMAGES,
        "registry": {"type": "str"},
        "path": {"type": "path"},
        "environment": {"type": "str"},
        "newest": {"type": "int"},
    },
    required_one_of=[("path", "repository", "images")],
    mutually_exclusive=[("repository", "images")],
    required_by={
        **IMAGE_RULES["required_by"],
        "repository": ("registry",),
        "images": ("registry",),
    },
)


def main() -> None:
    run(create_module(ARGUMENTS), look)


if __name__ == "__main__":
    main()
