#!/usr/bin/python

# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: blob_download
short_description: Download blobs from a registry into files
version_added: 0.9.0
description:
  - Downloads blobs (GET blob, end-2 of the OCI distribution specification) into files on the host on which the module runs. Files are
    verified by digest and put in place in one step.
  - A file that already has the digest stays unchanged. An interrupted download resumes where it stopped, even in the next run. Until it is
    complete, the content is in a hidden file beside O(dest).
  - If two runs download the same blob to the same file, the later one waits for the other, and then finds the file complete.
author:
  - imageops maintainers (@imageops)
extends_documentation_fragment:
  - imageops.registry._connection
  - imageops.registry._shapes.blobs
  - imageops.registry._attributes
  - ansible.builtin.files
attributes:
  # generated: started
  action:
    description: Has an action plugin on the controller, which ends the module when the play is stopped, except with C(async).
    support: full
  # end of generated
options:
  repository:
    description:
      - The repository of the blob.
    type: str
  digest:
    description:
      - The digest of the blob.
    type: str
  dest:
    description:
      - The file to write. The directory of the file must exist.
      - With O(blobs), a directory. Each blob becomes the file C(algorithm/encoded) of its digest, as in the C(blobs) directory of an OCI
        image layout. Missing directories are created.
    type: path
    required: true
    aliases: [path]
  blobs:
    description:
      - Many blobs, grouped by repository, instead of O(repository) and O(digest).
seealso:
  - module: imageops.registry.blob
  - module: imageops.registry.manifest_info
  - ref: ansible_collections.imageops.registry.docsite.reliability
    description: What happens when requests, registries or runs fail.
"""

EXAMPLES = r"""
# vault_registry_password is your variable, in a file that ansible-vault encrypts.
- name: Download a blob
  imageops.registry.blob_download:
    registry: registry.example:5000
    username: ci
    password: "{{ vault_registry_password }}"
    repository: team/data
    digest: sha256:6c3c624b58dbbcd3c0dd82b4c53f04194d1247c6eebdaab7c610cf7d66709b3b
    dest: /srv/data/model.bin
    mode: '0644'

# An index has no layers. For a multi-architecture image, give the digest of one of its children instead of the tag.
- name: Read the manifest of an image
  imageops.registry.manifest_info:
    registry: registry.example:5000
    username: ci
    password: "{{ vault_registry_password }}"
    repository: team/app
    tag: "1.4.2"
    include: [content]
  register: image

- name: Download its layers, each into a file /srv/app/sha256/HEX
  imageops.registry.blob_download:
    registry: registry.example:5000
    username: ci
    password: "{{ vault_registry_password }}"
    blobs:
      - repository: team/app
        blobs: "{{ image.content | imageops.registry.query('layers[].{digest: digest, size: size}') }}"
    dest: /srv/app
"""

RETURN = r"""
downloads:
  description: What happened to the blobs, or in check mode, what would happen, in the order in which they were given.
  returned: success
  type: list
  elements: dict
  sample:
    - repository: team/data
      digest: sha256:6c3c624b58dbbcd3c0dd82b4c53f04194d1247c6eebdaab7c610cf7d66709b3b
      size: 1048576
      dest: /srv/data/model.bin
      action: download
  contains:
    repository:
      description: The repository.
      type: str
      sample: team/data
    digest:
      description: The digest.
      type: str
      sample: sha256:6c3c624b58dbbcd3c0dd82b4c53f04194d1247c6eebdaab7c610cf7d66709b3b
    size:
      description: The size in bytes.
      type: int
      sample: 1048576
    dest:
      description: The file.
      type: str
      sample: /srv/data/model.bin
    action:
      description: V(exists) or V(download).
      type: str
      sample: download
# generated: failures of_digests each
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
# end of generated
    dest:
      description: The file.
      returned: failure of single objects
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

import os
import typing as t

from ..module_utils._blobs._download import DownloadItem, check_dest, download_blobs, make_directories
from ..module_utils._model._actions import DOWNLOAD
from ..module_utils._module._blob_groups import blob_groups
from ..module_utils._module._connection import module_arguments
from ..module_utils._module._item_arguments import BLOB_GROUPS
from ..module_utils._module._results import divided
from ..module_utils._module._task import Task, create_module, run


def download_items(params: dict[str, t.Any]) -> list[DownloadItem]:
    items = []
    for group in blob_groups(params):
        for digest, size in group.blobs:
            path = params["dest"]
            if params["blobs"] is not None:
                path = os.path.join(path, *digest.split(":"))
            items.append(DownloadItem(group.repository, digest, size, path))
    # In a directory a blob is one file, whatever the number of repositories that have it.
    return list({item.path: item for item in items}.values())


def work(task: Task) -> dict[str, t.Any]:
    check_dest(task.params["dest"])
    items = download_items(task.params)
    registry = task.registry()
    if task.params["blobs"] is not None and not task.check_mode:
        make_directories(os.path.dirname(item.path) for item in items)
    outcomes = download_blobs(registry, items, task.module.atomic_move, check=task.check_mode)
    places = [{"repository": item.repository, "digest": item.digest, "dest": item.path} for item in items]
    pairs, failures = divided(places, outcomes)
    done = [outcome._asdict() for _place, outcome in pairs]
    changed = any(entry["action"] == DOWNLOAD for entry in done)
    attribute_diffs = []
    for entry in done:
        if os.path.exists(entry["dest"]):
            attributes = task.module.load_file_common_arguments(task.params, path=entry["dest"])
            shown: dict[str, t.Any] = {}
            if task.module.set_fs_attributes_if_different(attributes, False, diff=shown):
                changed = True
                if entry["action"] != DOWNLOAD:
                    attribute_diffs.append({"before_header": entry["dest"], "after_header": entry["dest"], **shown})
    result = {"changed": changed, "downloads": done, "failures": failures}
    if task.diff_mode:
        result["diff"] = attribute_diffs + [
            {
                "before_header": entry["dest"],
                "before": "",
                "after_header": entry["dest"],
                "after": entry["digest"] + "\n",
            }
            for entry in done
            if entry["action"] == DOWNLOAD
        ]
    return result


ARGUMENTS = module_arguments(
    {
        "repository": {"type": "str"},
        "digest": {"type": "str"},
        "dest": {"type": "path", "required": True, "aliases": ["path"]},
        "blobs": BLOB_GROUPS,
    },
    add_file_common_args=True,
    required_one_of=[("repository", "blobs")],
    required_together=[("repository", "digest")],
    mutually_exclusive=[("repository", "blobs")],
)


def main() -> None:
    run(create_module(ARGUMENTS), work)


if __name__ == "__main__":
    main()
