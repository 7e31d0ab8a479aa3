#!/usr/bin/python

# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: blob
short_description: Upload, mount or delete blobs in a registry
version_added: 0.9.0
description:
  - Puts blobs into a repository from a file, from content, from another registry, or from another repository of the same
    registry (end-2, end-4a, end-6, end-10 and end-11 of the OCI distribution specification).
  - A blob that is already there isn't sent. Otherwise, if there is a repository to mount from, the module tries to mount the blob. If that
    fails for any reason, it uploads the blob in its own upload session (POST, then PUT).
  - Blobs of any size are streamed, and verified by digest on the way. A blob that several repositories need is sent once, and mounted into
    the others.
author:
  - imageops maintainers (@imageops)
extends_documentation_fragment:
  - imageops.registry._connection
  - imageops.registry._connection.source
  - imageops.registry._shapes.blobs
  - imageops.registry._attributes
  - imageops.registry._attended
  - imageops.registry._attended.progress
attributes:
  check_mode:
    details:
      - The module writes nothing, and asks the registry only for permission to read.
      - Only an attempt can show whether a registry allows deletes. With O(state=absent), check mode assumes that it does.
      - Only an attempt can show whether a mount succeeds. Check mode reports V(mount_or_upload).
options:
  source:
    description:
      - The registry to read blobs from, instead of O(path) and O(content).
  state:
    description:
      - V(present) makes sure that the repository has the blobs. V(absent) deletes them, which breaks images in the repository that use them.
    type: str
    choices: [present, absent]
    default: present
  repository:
    description:
      - The repository of the blob.
    type: str
  digest:
    description:
      - The digest of the blob. If it is given, O(path), O(content) or O(content_base64) must match it. If it isn't given, the module computes
        it from them (sha256).
    type: str
  size:
    description:
      - The size of the blob in bytes, if known. It saves a request to the source.
    type: int
  path:
    description:
      - The file to upload, on the host on which the module runs.
    type: path
    aliases: [src]
  content:
    description:
      - The text to upload, in UTF-8.
    type: str
  content_base64:
    description:
      - The bytes to upload, in base64.
    type: str
  source_repository:
    description:
      - The repository at O(source). By default, it has the same name.
    type: str
  mount_from:
    description:
      - Repositories of O(registry) that may already have the blob, to mount it from. At most three are tried, in this order.
    type: list
    elements: str
  blobs:
    description:
      - Many blobs, grouped by repository, instead of O(repository) and O(digest).
      - You can pass RV(imageops.registry.blob_info#module:missing) as it is.
seealso:
  - module: imageops.registry.blob_info
  - module: imageops.registry.blob_download
  - ref: ansible_collections.imageops.registry.docsite.how_a_push_works
    description: The requests of a push, one by one.
"""

EXAMPLES = r"""
# vault_registry_password is your variable, in a file that ansible-vault encrypts.
- name: Upload a file
  imageops.registry.blob:
    registry: registry.example:5000
    username: ci
    password: "{{ vault_registry_password }}"
    repository: team/data
    path: /srv/data/model.bin

- name: Copy a blob from another registry
  imageops.registry.blob:
    registry: prod.example
    auth_file: ~/.docker/config.json
    source:
      registry: dev.example:5000
      auth_file: ~/.docker/config.json
    repository: team/app
    digest: sha256:6c3c624b58dbbcd3c0dd82b4c53f04194d1247c6eebdaab7c610cf7d66709b3b

- name: Mount a blob from another repository of the same registry, or upload it again if the registry can't mount it
  imageops.registry.blob:
    registry: registry.example:5000
    username: ci
    password: "{{ vault_registry_password }}"
    repository: team/app
    digest: sha256:6c3c624b58dbbcd3c0dd82b4c53f04194d1247c6eebdaab7c610cf7d66709b3b
    source:
      registry: registry.example:5000
      username: ci
      password: "{{ vault_registry_password }}"
    source_repository: team/base
    mount_from: [team/base]
"""

RETURN = r"""
digest:
  description: The digest of the blob, if it was given with O(repository).
  returned: success and O(repository) is given
  type: str
  sample: sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a
blobs:
  description: What happened to the blobs, or in check mode, what would happen, in the groups in which they were given.
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
          action: upload
          given_up: []
  contains:
    repository:
      description: The repository.
      type: str
      sample: team/app
    source_repository:
      description: The repository at the source.
      type: str
      sample: team/app
    mount_from:
      description: The repositories to mount from.
      type: list
      elements: str
      sample: []
    blobs:
      description: Its blobs.
      type: list
      elements: dict
      sample:
        - digest: sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a
          size: 2
          action: upload
          given_up: []
      contains:
        digest:
          description: The digest of the blob.
          type: str
          sample: sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a
        size:
          description: Its size in bytes.
          type: int
          sample: 2
        action:
          description:
            - V(exists), V(upload) or V(mount). In check mode, V(mount_or_upload) if a mount would be tried.
            - With O(state=absent), V(delete) or V(absent).
          type: str
          sample: upload
        given_up:
          description: Mounts and forms of upload that failed harmlessly, and why. The content arrived another way.
          type: list
          elements: str
          sample: []
        # generated: deletion_pending of blob
        deletion_pending:
          description:
            - Whether the registry accepted the delete, but the blob was still there after 10 seconds. Such a delete doesn't count as C(changed),
              and a warning names the blob.
            - If the registry accepted the delete, but the module can't check it, the delete counts as C(changed). RV(failures) then says that
              the outcome is unknown.
            - Some registries delete in the background, or keep content that is used elsewhere.
          returned: O(state=absent), and the blob is still there
          type: bool
          sample: true
        # end of generated
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

from ..module_utils._blobs._blob_deletion import delete_blobs
from ..module_utils._blobs._blob_diff import blob_diff
from ..module_utils._blobs._blob_group import BlobGroup, BlobOutcome, group_as_plain
from ..module_utils._blobs._deletion import is_change
from ..module_utils._blobs._placement import (
    SourceOf,
    outcomes_by_group,
    place_blobs,
)
from ..module_utils._blobs._transfer import BlobSource, ContentSource, FileSource, RegistrySource
from ..module_utils._model._digest import algorithm_of, check_digest
from ..module_utils._model._errors import ContentMismatch, InvalidInput, RegistryError
from ..module_utils._module._blob_groups import blob_as_plain, blob_groups
from ..module_utils._module._connection import module_arguments
from ..module_utils._module._content import decoded
from ..module_utils._module._item_arguments import BLOB_GROUPS
from ..module_utils._module._results import failure
from ..module_utils._module._task import PROGRESS, Task, create_module, run


def local_source(params: dict[str, t.Any]) -> ContentSource | FileSource | None:
    if params["path"] is not None:
        return FileSource(params["path"])
    if params["content"] is not None:
        return ContentSource(params["content"].encode("utf-8"))
    if params["content_base64"] is not None:
        return ContentSource(decoded(params["content_base64"], "content_base64"))
    return None


def measured(params: dict[str, t.Any], source: ContentSource | FileSource) -> dict[str, t.Any]:
    wanted = params["digest"]
    digest, size = source.measure(algorithm_of(check_digest(wanted)) if wanted else "sha256")
    if wanted and digest != wanted:
        raise ContentMismatch(f"what is to be uploaded has the digest {digest}, not {wanted}")
    return dict(params, digest=digest, size=size)


def source_finder(task: Task, local: BlobSource | None) -> SourceOf:
    if local is not None:
        return lambda group, digest: local
    if task.params["source"]:
        registry = task.source()
        return lambda group, digest: RegistrySource(registry, group.source_repository or group.repository, digest)

    def no_source(group: BlobGroup, digest: str) -> BlobSource:
        raise InvalidInput(
            "it is not there, and nothing is given to upload it from",
            hint="Give source, path, content or content_base64",
        ).within(f"upload blob {digest} to {task.params['registry']}/{group.repository}")

    return no_source


def work(task: Task) -> dict[str, t.Any]:
    params = task.params
    absent = params["state"] == "absent"
    local = local_source(params)
    if local is not None and not absent:
        params = measured(params, local)
    elif params["repository"] is not None and not params["digest"]:
        raise InvalidInput("no digest is given, and nothing to compute it from")
    groups = blob_groups(params)
    task.check_secrets([group.blobs for group in groups])
    outcomes: t.Sequence[BlobOutcome | RegistryError]
    if absent:
        outcomes = delete_blobs(task.registry(writing=True), groups, check=task.check_mode)
    else:
        finder = source_finder(task, local)
        registry = task.registry(writing=True, pushed_to=True)
        outcomes = place_blobs(registry, groups, finder, check=task.check_mode, progress=task.progress)
    result = report(groups, outcomes)
    task.warn_of_pending(
        [
            f"blob {blob['digest']} from {group['repository']}"
            for group in result["blobs"]
            for blob in group["blobs"]
            if "deletion_pending" in blob
        ]
    )
    if params["repository"] is not None:
        result["digest"] = params["digest"]
    if task.diff_mode:
        result["diff"] = blob_diff(params["registry"], result["blobs"], absent=absent)
    return result


def report(groups: t.Sequence[BlobGroup], outcomes: t.Sequence[BlobOutcome | RegistryError]) -> dict[str, t.Any]:
    blobs, failures = [], []
    for group, found in outcomes_by_group(groups, outcomes):
        entries = []
        for digest, outcome in found:
            if isinstance(outcome, RegistryError):
                failures.append(failure(outcome, repository=group.repository, digest=digest))
            else:
                entries.append(blob_as_plain(outcome))
                if outcome.unseen is not None:
                    failures.append(failure(outcome.unseen, repository=group.repository, digest=digest))
        blobs.append({**group_as_plain(group), "blobs": entries})
    changed = any(is_change(entry) for group in blobs for entry in group["blobs"])
    return {"changed": changed, "blobs": blobs, "failures": failures}


_CONTENTS = ("path", "content", "content_base64", "source")
ARGUMENTS = module_arguments(
    {
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        "repository": {"type": "str"},
        "digest": {"type": "str"},
        "size": {"type": "int"},
        "path": {"type": "path", "aliases": ["src"]},
        "content": {"type": "str"},
        "content_base64": {"type": "str"},
        "source_repository": {"type": "str"},
        "mount_from": {"type": "list", "elements": "str"},
        "blobs": BLOB_GROUPS,
        **PROGRESS,
    },
    source="optional",
    required_one_of=[("repository", "blobs")],
    mutually_exclusive=[_CONTENTS, ("repository", "blobs")],
    required_by={
        name: ("repository",) for name in (*_CONTENTS[:3], "digest", "size", "source_repository", "mount_from")
    },
)


def main() -> None:
    run(create_module(ARGUMENTS), work)


if __name__ == "__main__":
    main()
