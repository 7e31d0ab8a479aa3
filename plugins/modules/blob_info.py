#!/usr/bin/python

# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: blob_info
short_description: Check whether blobs exist in a registry
version_added: 0.9.0
description:
  - Asks a registry (HEAD blob, end-2 of the OCI distribution specification) whether blobs exist in a repository, and how large
    they are.
  - A blob belongs to a repository. A blob in another repository of the same registry doesn't count as existing. It may be mounted from
    there, so RV(missing) names that repository.
author:
  - imageops maintainers (@imageops)
extends_documentation_fragment:
  - imageops.registry._connection
  - imageops.registry._shapes.blobs
  - imageops.registry._attributes.info
options:
  repository:
    description:
      - The repository of the blob.
    type: str
  digest:
    description:
      - The digest of the blob.
    type: str
  size:
    description:
      - The expected size of the blob in bytes. The module only returns it in RV(missing).
    type: int
  blobs:
    description:
      - Many blobs, grouped by repository, instead of O(repository) and O(digest).
      - You can pass RV(imageops.registry.image_diff_info#module:blobs) as it is.
seealso:
  - module: imageops.registry.blob
  - module: imageops.registry.image_diff_info
"""

EXAMPLES = r"""
- name: Check whether a layer exists
  imageops.registry.blob_info:
    registry: registry.example:5000
    repository: team/app
    digest: sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a
  register: layer

- name: Show the answer
  ansible.builtin.debug:
    msg: "{{ layer.exists | ternary('there', 'not there') }}"
"""

RETURN = r"""
exists:
  description:
    - Whether all blobs exist. Blobs with C(replace) count as missing.
    - Not returned together with RV(failures), because it is unknown then.
  returned: when known
  type: bool
  sample: true
blobs:
  description: The blobs in the groups in which they were given.
  returned: success
  type: list
  elements: dict
  sample:
    - repository: team/app
      blobs:
        - digest: sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a
          exists: true
          size: 2
  contains:
    repository:
      description: The repository.
      type: str
      sample: team/app
    blobs:
      description: Its blobs.
      type: list
      elements: dict
      sample:
        - digest: sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a
          exists: true
          size: 2
      contains:
        digest:
          description: The digest of the blob.
          type: str
          sample: sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a
        exists:
          description: Whether it exists in the repository.
          type: bool
          sample: true
        size:
          description: Its size in bytes. V(0) if it doesn't exist, V(-1) if the registry doesn't report it.
          type: int
          sample: 2
missing:
  description:
    - The blobs that don't exist, or have C(replace), in groups that you can pass to C(blobs) of M(imageops.registry.blob).
    - C(mount_from) includes the repositories in which the same task found the blob.
  returned: success
  type: list
  elements: dict
  sample:
    - repository: team/app
      source_repository: team/app
      mount_from: [team/base]
      blobs:
        - digest: sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a
          size: 2
# generated: failures of_digests each task
failures:
  description: What failed, and why. The rest of the result is returned as well.
  returned: failure of single objects
  type: list
  elements: dict
  sample:
    - repository: team/app
      digest: sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a
      msg: "Cannot reach dev.example:5000: dev.example:5000 refuses the connection. Check the address, and that the registry runs."
      error:
        operation: reach dev.example:5000
        reason: dev.example:5000 refuses the connection
        hint: Check the address, and that the registry runs
        method: ""
        url: https://dev.example:5000
        status:
        errors: []
      repository_missing: false
  contains:
    digest:
      description: The digest.
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

from ..module_utils._blobs._blob_group import group_as_plain
from ..module_utils._blobs._missing_blobs import look_for_blobs, missing_blobs
from ..module_utils._model._errors import RegistryError
from ..module_utils._module._blob_groups import blob_groups
from ..module_utils._module._connection import module_arguments
from ..module_utils._module._item_arguments import BLOB_GROUPS
from ..module_utils._module._results import failure, unless_failed
from ..module_utils._module._task import Task, create_module, run


def look(task: Task) -> dict[str, t.Any]:
    groups = blob_groups(task.params)
    found = look_for_blobs(task.registry(pushed_to=True), groups)
    outcomes = iter(found)
    failures = []
    blobs = []
    for group in groups:
        entries = []
        for digest, _size in group.blobs:
            outcome = next(outcomes)
            if isinstance(outcome, RegistryError):
                failures.append(failure(outcome, repository=group.repository, digest=digest))
            else:
                entries.append({"digest": digest, "exists": outcome is not None, "size": outcome or 0})
        blobs.append({"repository": group.repository, "blobs": entries})
    missing = [group_as_plain(group) for group in missing_blobs(groups, found)]
    task.check_secrets(blobs)
    return {**unless_failed(failures, exists=not missing), "blobs": blobs, "missing": missing, "failures": failures}


ARGUMENTS = module_arguments(
    {"repository": {"type": "str"}, "digest": {"type": "str"}, "size": {"type": "int"}, "blobs": BLOB_GROUPS},
    required_one_of=[("repository", "blobs")],
    required_together=[("repository", "digest")],
    mutually_exclusive=[("repository", "blobs")],
    required_by={"size": ("repository",)},
)


def main() -> None:
    run(create_module(ARGUMENTS), look)


if __name__ == "__main__":
    main()
