#!/usr/bin/python

# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: manifest
short_description: Push or delete manifests in a registry
version_added: 0.9.0
description:
  - Pushes the exact bytes of manifests and indexes by digest (end-7 of the OCI distribution specification), or deletes them
    (end-9). A manifest that is already there isn't pushed.
  - The module moves no tags. Use M(imageops.registry.tag) for that, when all content is in place.
author:
  - imageops maintainers (@imageops)
extends_documentation_fragment:
  - imageops.registry._connection
  - imageops.registry._connection.source
  - imageops.registry._attributes
  - imageops.registry._attended
attributes:
  check_mode:
    details:
      - The module writes nothing, and asks the registry only for permission to read.
      - Only an attempt can show whether a registry allows deletes. With O(state=absent), check mode assumes that it does.
      - Blobs and child manifests may be missing, because earlier tasks in check mode have not written them.
options:
  source:
    description:
      - The registry from which the module reads manifests without given content.
      - If O(registry) first reported that it has a blob, and then that the blob is missing, the module uploads it again from this source.
  state:
    description:
      - V(present) pushes the manifests. V(absent) deletes them, and with each manifest all tags that point to it.
    type: str
    choices: [present, absent]
    default: present
  repository:
    description:
      - The repository of the manifest.
    type: str
  digest:
    description:
      - The digest of the manifest. If content is given, it must match the digest. If the digest isn't given, the module computes it from
        the content (sha256).
    type: str
  media_type:
    description:
      - The media type of the manifest. By default, the media type in the manifest itself.
    type: str
  content:
    description:
      - The manifest as text. Its digest is the digest of exactly these characters in UTF-8. So don't create the text from a dictionary in a
        template. To pass a manifest from another task, use O(content_base64).
    type: str
  content_base64:
    description:
      - The manifest in base64.
    type: str
  path:
    description:
      - A file with the manifest, on the host on which the module runs.
    type: path
    aliases: [src]
  source_repository:
    description:
      - The repository at O(source). By default, it has the same name.
    type: str
  manifests:
    description:
      - Many manifests, children before parents, instead of O(repository) and O(digest). A manifest that occurs twice counts once.
      - You can pass RV(imageops.registry.image_diff_info#module:manifests) as it is.
    type: list
    elements: dict
    suboptions:
      repository:
        description: The repository of the manifest.
        type: str
        required: true
      source_repository:
        description: The repository at O(source). By default, it has the same name.
        type: str
      digest:
        description: The digest of the manifest.
        type: str
        required: true
      media_type:
        description: The media type of the manifest.
        type: str
      content_base64:
        description: The manifest in base64. If it isn't given, the module reads it from O(source).
        type: str
      replace:
        description: Whether to push the manifest even if it is already there, because it was found damaged.
        type: bool
        default: false
  verify:
    description:
      - With O(state=present), how thoroughly to check the repository after all manifests have been pushed. The task fails if something is
        missing or damaged.
      - V(manifests) checks each manifest by its digest, including manifests that were there before.
      - V(blobs) reads the manifests, and also checks each of their blobs. Its size must be the size in its descriptor.
    type: str
    choices: [none, manifests, blobs]
    default: none
  verify_content:
    description:
      - Whether O(verify=blobs) also downloads every blob from the registry and verifies its digest.
    type: bool
    default: false
seealso:
  - module: imageops.registry.manifest_info
  - module: imageops.registry.tag
  - ref: ansible_collections.imageops.registry.docsite.how_a_push_works
    description: The requests of a push, one by one.
"""

EXAMPLES = r"""
# vault_registry_password is your variable, in a file that ansible-vault encrypts.
- name: Push a manifest from a file
  imageops.registry.manifest:
    registry: registry.example:5000
    username: ci
    password: "{{ vault_registry_password }}"
    repository: team/app
    path: /srv/build/manifest.json
  register: pushed

- name: Tag it
  imageops.registry.tag:
    registry: registry.example:5000
    username: ci
    password: "{{ vault_registry_password }}"
    repository: team/app
    tag: "1.4.2"
    digest: "{{ pushed.digest }}"

- name: Delete a manifest and all tags that point to it
  imageops.registry.manifest:
    registry: registry.example:5000
    username: ci
    password: "{{ vault_registry_password }}"
    repository: team/app
    digest: sha256:6c3c624b58dbbcd3c0dd82b4c53f04194d1247c6eebdaab7c610cf7d66709b3b
    state: absent
"""

RETURN = r"""
digest:
  description: The digest of the manifest, if it was given with O(repository).
  returned: success and O(repository) is given
  type: str
  sample: sha256:6c3c624b58dbbcd3c0dd82b4c53f04194d1247c6eebdaab7c610cf7d66709b3b
manifests:
  description: What happened to the manifests, or in check mode, what would happen, in the order in which they were given.
  returned: success
  type: list
  elements: dict
  sample:
    - repository: team/app
      digest: sha256:6c3c624b58dbbcd3c0dd82b4c53f04194d1247c6eebdaab7c610cf7d66709b3b
      media_type: application/vnd.oci.image.manifest.v1+json
      size: 506
      action: push
      referrers_tag: ""
      given_up: []
      uploaded_again: []
  contains:
    repository:
      description: The repository.
      type: str
      sample: team/app
    digest:
      description: The digest.
      type: str
      sample: sha256:6c3c624b58dbbcd3c0dd82b4c53f04194d1247c6eebdaab7c610cf7d66709b3b
    media_type:
      description: The media type.
      type: str
      sample: application/vnd.oci.image.manifest.v1+json
    size:
      description: The size in bytes.
      type: int
      sample: 506
    action:
      description: V(exists) or V(push). With O(state=absent), V(delete) or V(absent).
      type: str
      sample: push
    referrers_tag:
      description:
        - The tag of the list of referrers to which the manifest was added, or from which it was removed. A registry needs such a list if
          it has no referrers API, or one that lists nothing.
        - Empty if no list had to change.
      type: str
      sample: ""
    given_up:
      description:
        - Attempts that failed harmlessly. One example is an attempt to remove a deleted manifest from the list of referrers. Another is a
          push after which the registry didn't list the manifest.
      type: list
      elements: str
      sample: []
    # generated: deletion_pending of manifest
    deletion_pending:
      description:
        - Whether the registry accepted the delete, but the manifest was still there after 10 seconds. Such a delete doesn't count as C(changed),
          and a warning names the manifest.
        - If the registry accepted the delete, but the module can't check it, the delete counts as C(changed). RV(failures) then says that
          the outcome is unknown.
        - Some registries delete in the background, or keep content that is used elsewhere.
      returned: O(state=absent), and the manifest is still there
      type: bool
      sample: true
    # end of generated
    uploaded_again:
      description: Blobs that were uploaded again, because the registry first reported that it has them, and then that they are missing.
      type: list
      elements: str
      sample: []
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

from ..module_utils._blobs._deletion import is_change, outcome_as_plain, unseen
from ..module_utils._images._contents import verify_pushed
from ..module_utils._images._manifest_deletion import delete_manifests
from ..module_utils._images._manifest_diff import manifest_diff
from ..module_utils._images._manifest_push import ManifestItem, push_manifests
from ..module_utils._model._digest import check_digest
from ..module_utils._model._errors import InvalidInput, at_entry
from ..module_utils._model._manifest import Manifest
from ..module_utils._model._reference import check_repository
from ..module_utils._module._connection import module_arguments
from ..module_utils._module._content import decoded, read_file
from ..module_utils._module._item_arguments import MANIFESTS
from ..module_utils._module._places import own_place, source_place
from ..module_utils._module._results import divided, failure
from ..module_utils._module._task import Task, create_module, run
from ..module_utils._module._verification_arguments import depth_of


def content_of(entry: dict[str, t.Any]) -> bytes | None:
    if entry.get("path") is not None:
        return read_file(entry["path"])
    if entry.get("content") is not None:
        return str(entry["content"]).encode("utf-8")
    if entry.get("content_base64") is not None:
        return decoded(entry["content_base64"], "content_base64")
    return None


def manifest_item(entry: dict[str, t.Any], params: dict[str, t.Any]) -> ManifestItem:
    repository = check_repository(entry["repository"], own_place(params))
    if params["state"] == "absent":
        return ManifestItem(repository, check_digest(entry["digest"] or ""))
    content = content_of(entry)
    digest = check_digest(entry["digest"]) if entry["digest"] else ""
    if content is not None:
        digest = Manifest.parse(content, entry["media_type"] or "", digest).digest
    elif not digest:
        raise InvalidInput("no digest is given, and no content to compute it from")
    source = entry["source_repository"]
    return ManifestItem(
        repository=repository,
        digest=digest,
        source_repository=check_repository(source, source_place(params)) if source else "",
        media_type=entry["media_type"] or "",
        content=content,
        known_missing=bool(entry.get("replace")),
    )


def manifest_items(params: dict[str, t.Any]) -> list[ManifestItem]:
    """The manifests of a task, each once: one digest is one content, wherever it is read."""
    if params["manifests"] is None:
        return [manifest_item(params, params)]
    items: dict[tuple[str, str], ManifestItem] = {}
    for position, entry in enumerate(params["manifests"]):
        with at_entry("manifests", position):
            item = manifest_item(entry, params)
        earlier = items.setdefault((item.repository, item.digest), item)
        items[item.repository, item.digest] = earlier._replace(
            content=item.content if earlier.content is None else earlier.content,
            media_type=earlier.media_type or item.media_type,
            known_missing=earlier.known_missing or item.known_missing,
        )
    return list(items.values())


def work(task: Task) -> dict[str, t.Any]:
    params = task.params
    depth = depth_of(params["verify"], content=params["verify_content"])
    absent = params["state"] == "absent"
    items = manifest_items(params)
    registry = task.registry(writing=True, pushed_to=not absent)
    if absent:
        places = [(item.repository, item.digest) for item in items]
        outcomes = delete_manifests(registry, places, check=task.check_mode)
    else:
        task.check_secrets([(item.digest, item.media_type) for item in items])
        source = task.source() if params["source"] else None
        outcomes = push_manifests(registry, items, source, check=task.check_mode)
    pairs, failures = divided([{"repository": item.repository, "digest": item.digest} for item in items], outcomes)
    failures += [failure(error, **place) for place, error in unseen(pairs)]
    done = [outcome_as_plain(outcome) for _place, outcome in pairs]
    pending = [f"manifest {entry['repository']}@{entry['digest']}" for entry in done if "deletion_pending" in entry]
    task.warn_of_pending(pending)
    if depth.is_deep and not absent and not task.check_mode:
        pushed = [(outcome.repository, outcome.digest) for _place, outcome in pairs]
        failures += [
            failure(entry.error, repository=entry.repository, digest=entry.digest)
            for entry in verify_pushed(registry, pushed, depth)
        ]
    result = {
        "changed": any(is_change(entry) or bool(entry["referrers_tag"]) for entry in done),
        "manifests": done,
        "failures": failures,
    }
    if params["repository"] is not None:
        result["digest"] = items[0].digest
    if task.diff_mode:
        contents = {(item.repository, item.digest): item.content for item in items if isinstance(item.content, bytes)}
        result["diff"] = manifest_diff(params["registry"], done, lambda *place: contents.get(place))
    return result


_CONTENTS = ("path", "content", "content_base64")
ARGUMENTS = module_arguments(
    {
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        "repository": {"type": "str"},
        "digest": {"type": "str"},
        "media_type": {"type": "str"},
        "content": {"type": "str"},
        "content_base64": {"type": "str"},
        "path": {"type": "path", "aliases": ["src"]},
        "source_repository": {"type": "str"},
        "manifests": MANIFESTS,
        "verify": {"type": "str", "choices": ["none", "manifests", "blobs"], "default": "none"},
        "verify_content": {"type": "bool", "default": False},
    },
    source="optional",
    required_one_of=[("repository", "manifests")],
    mutually_exclusive=[_CONTENTS, ("repository", "manifests")],
    required_by={name: ("repository",) for name in (*_CONTENTS, "digest", "media_type", "source_repository")},
)


def main() -> None:
    run(create_module(ARGUMENTS), work)


if __name__ == "__main__":
    main()
