#!/usr/bin/python

# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: tag
short_description: Point tags to digests, or remove tags
version_added: 0.9.0
description:
  - Points a tag to a digest that the repository has (end-7 of the OCI distribution specification), or removes a tag (end-9). If a tag
    already points to the digest, the module writes nothing, so a registry with immutable tags has nothing to refuse.
  - Removing a tag never removes other tags of the same manifest. If a registry can only delete the manifest, the task fails, unless
    O(delete_manifest) allows it.
author:
  - imageops maintainers (@imageops)
extends_documentation_fragment:
  - imageops.registry._connection
  - imageops.registry._attributes
  - imageops.registry._attended
attributes:
  check_mode:
    details:
      - The module writes nothing, and asks the registry only for permission to read.
      - Only an attempt can show whether a registry allows deletes. With O(state=absent), check mode assumes that it does.
      - The digest may be missing, because earlier tasks in check mode have not written it.
options:
  state:
    description:
      - V(present) points the tags to their digests. V(absent) removes them.
    type: str
    choices: [present, absent]
    default: present
  repository:
    description:
      - The repository of the tag. Required unless O(tags) is given.
    type: str
  tag:
    description:
      - The tag. Required unless O(tags) is given.
    type: raw
  digest:
    description:
      - The digest that the tag must point to. Required with O(state=present), and ignored with O(state=absent).
    type: str
  previous_digest:
    description:
      - The digest that the tag must still point to. If it is empty, there must be no such tag. If the tag points to another digest, the task
        fails, unless that is O(digest).
      - The module checks it right before the tag moves. Registries offer no way to check and move a tag in one step.
    type: str
  content_base64:
    description:
      - The manifest of O(digest) in base64, if you have it already. If it isn't given, the module reads it from the repository, with one
        request more.
    type: str
  tags:
    description:
      - Many tags, instead of O(repository), O(tag) and O(digest). An entry that occurs twice counts once. A tag with two digests is refused.
      - You can pass RV(imageops.registry.image_diff_info#module:tags) as it is.
    type: list
    elements: dict
    suboptions:
      repository:
        description: The repository of the tag.
        type: str
        required: true
      tag:
        description: The tag.
        type: raw
        required: true
      digest:
        description: The digest that the tag must point to. Required with O(state=present).
        type: str
      previous_digest:
        description: The digest that the tag must still point to. If it is empty, there must be no such tag.
        type: str
      content_base64:
        description: The manifest in base64. If it isn't given, the module reads it from the repository.
        type: str
      summary:
        description: A description of the digest, as M(imageops.registry.image_diff_info) returns it in diff mode. The diff shows it.
        type: dict
  delete_manifest:
    description:
      - With O(state=absent), whether to delete the manifest if the registry cannot delete a tag alone. This also removes B(all other tags) that
        point to the manifest.
    type: bool
    default: false
  verify:
    description:
      - With O(state=present), whether to check, after all tags have moved, that each moved tag serves its digest. RV(failures) lists tags that
        don't.
    type: bool
    default: false
seealso:
  - module: imageops.registry.tag_info
  - module: imageops.registry.manifest
"""

EXAMPLES = r"""
# vault_registry_password is your variable, in a file that ansible-vault encrypts.
- name: Point a tag to a digest
  imageops.registry.tag:
    registry: registry.example:5000
    username: ci
    password: "{{ vault_registry_password }}"
    repository: team/app
    tag: stable
    digest: sha256:6c3c624b58dbbcd3c0dd82b4c53f04194d1247c6eebdaab7c610cf7d66709b3b

- name: Point a tag to a digest, only if it still points to the digest that you expect
  imageops.registry.tag:
    registry: registry.example:5000
    username: ci
    password: "{{ vault_registry_password }}"
    repository: team/app
    tag: stable
    digest: sha256:6c3c624b58dbbcd3c0dd82b4c53f04194d1247c6eebdaab7c610cf7d66709b3b
    previous_digest: sha256:9d1ae52d4dd6f0c5a4d3f6f2a3bbd2ad70b1c8d5a0ef1b1f8d3cb6e2b7a10c44

- name: Point several tags to digests
  imageops.registry.tag:
    registry: registry.example:5000
    username: ci
    password: "{{ vault_registry_password }}"
    tags:
      - repository: team/app
        tag: stable
        digest: sha256:6c3c624b58dbbcd3c0dd82b4c53f04194d1247c6eebdaab7c610cf7d66709b3b
      - repository: team/api
        tag: stable
        digest: sha256:9d1ae52d4dd6f0c5a4d3f6f2a3bbd2ad70b1c8d5a0ef1b1f8d3cb6e2b7a10c44
    verify: true

# Fails if the registry cannot delete a tag alone. One example is distribution 2.8.
- name: Remove a tag
  imageops.registry.tag:
    registry: registry.example:5000
    username: ci
    password: "{{ vault_registry_password }}"
    repository: team/app
    tag: old
    state: absent

# If the registry cannot delete a tag alone, this also removes all other tags of the manifest.
- name: Remove a tag from any registry
  imageops.registry.tag:
    registry: registry.example:5000
    username: ci
    password: "{{ vault_registry_password }}"
    repository: team/app
    tag: old
    state: absent
    delete_manifest: true
"""

RETURN = r"""
tags:
  description: What happened to the tags, or in check mode, what would happen, in the order in which they were given.
  returned: success
  type: list
  elements: dict
  sample:
    - repository: team/app
      tag: stable
      digest: sha256:6c3c624b58dbbcd3c0dd82b4c53f04194d1247c6eebdaab7c610cf7d66709b3b
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
      sample: stable
    digest:
      description: The digest that the tag serves now. Empty if the tag is gone.
      type: str
      sample: sha256:6c3c624b58dbbcd3c0dd82b4c53f04194d1247c6eebdaab7c610cf7d66709b3b
    previous_digest:
      description: The digest that the tag served before. Empty if there was no such tag.
      type: str
      sample: ""
    action:
      description: V(exists), V(create) or V(replace). With O(state=absent), V(delete) or V(absent).
      type: str
      sample: create
    # generated: deletion_pending of tag
    deletion_pending:
      description:
        - Whether the registry accepted the delete, but the tag was still there after 10 seconds. Such a delete doesn't count as C(changed),
          and a warning names the tag.
        - If the registry accepted the delete, but the module can't check it, the delete counts as C(changed). RV(failures) then says that
          the outcome is unknown.
        - Some registries delete in the background, or keep content that is used elsewhere.
      returned: O(state=absent), and the tag is still there
      type: bool
      sample: true
    # end of generated
# generated: failures of_tags and_digests of_removals each task
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
    needs_delete_manifest:
      description: V(true) if only O(delete_manifest=true) can remove the tag, because the registry cannot delete a tag alone.
      returned: O(state=absent), and the registry cannot delete a tag alone
      type: bool
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
from ..module_utils._images._tag_diff import describe_tags, tag_diff
from ..module_utils._images._tagging import TagItem, alike, move_tags, verify_tags
from ..module_utils._images._untagging import delete_tags
from ..module_utils._model._digest import check_digest
from ..module_utils._model._errors import InvalidInput, at_entry
from ..module_utils._model._reference import check_repository, check_tag
from ..module_utils._module._connection import module_arguments
from ..module_utils._module._content import decoded
from ..module_utils._module._item_arguments import TAGS
from ..module_utils._module._places import own_place
from ..module_utils._module._results import divided, failure
from ..module_utils._module._task import Task, create_module, run


def tag_item(entry: dict[str, t.Any], params: dict[str, t.Any]) -> TagItem:
    repository, tag = check_repository(entry["repository"], own_place(params)), check_tag(entry["tag"])
    if params["state"] == "present" and not entry["digest"]:
        raise InvalidInput(
            f"no digest is given for {repository}:{tag}",
            hint="With state: present, give the digest that it must point to",
        )
    previous = entry["previous_digest"]
    return TagItem(
        repository=repository,
        tag=tag,
        digest=check_digest(entry["digest"]) if entry["digest"] else "",
        previous_digest=check_digest(previous, "previous_digest") if previous else previous,
        content=decoded(entry["content_base64"], "content_base64") if entry["content_base64"] else None,
        # What is given here is what the user expects, be it from a comparison before.
        is_guarded=previous is not None,
    )


def tag_items(params: dict[str, t.Any]) -> list[TagItem]:
    """The tags of a task, each once. Raises InvalidInput where one is wanted in two ways."""
    if params["tags"] is None:
        return [tag_item(params, params)]
    items: dict[tuple[str, str], tuple[int, TagItem]] = {}
    for position, entry in enumerate(params["tags"]):
        with at_entry("tags", position):
            item = tag_item(entry, params)
        first, earlier = items.setdefault((item.repository, item.tag), (position, item))
        if earlier._replace(content=None) != item._replace(content=None):
            different = "digest" if earlier.digest != item.digest else "previous_digest"
            raise InvalidInput(
                f"tags[{first}] and tags[{position}] are both {params['registry']}/{item.repository}:{item.tag}, and "
                f"differ in {different}",
                hint="Keep one of them",
            )
        if earlier.content is None:
            items[item.repository, item.tag] = (first, item)
    return [item for _position, item in items.values()]


def work(task: Task) -> dict[str, t.Any]:
    params = task.params
    present = params["state"] == "present"
    items = tag_items(params)
    registry = task.registry(writing=True, pushed_to=present)
    before = describe_tags(registry, [(item.repository, item.tag) for item in items]) if task.diff_mode else {}
    if present:
        outcomes = move_tags(registry, items, check=task.check_mode, before_write=task.check_secrets)
    else:
        outcomes = delete_tags(
            registry,
            items,
            delete_manifest=params["delete_manifest"],
            check=task.check_mode,
            before_write=task.check_secrets,
        )
    places = [{"repository": item.repository, "tag": item.tag, "digest": item.digest} for item in items]
    pairs, failures = divided(places, outcomes)
    failures += [failure(error, **place) for place, error in unseen(pairs)]
    if present and not task.check_mode:
        pointed = [outcome for _place, outcome in pairs]
        for outcome, problem in verify_tags(registry, pointed if params["verify"] else alike(pointed)):
            failures.append(failure(problem, repository=outcome.repository, tag=outcome.tag, digest=outcome.digest))
    done = [outcome_as_plain(outcome) for _place, outcome in pairs]
    pending = [f"tag {entry['repository']}:{entry['tag']}" for entry in done if "deletion_pending" in entry]
    task.warn_of_pending(pending)
    result = {"changed": any(map(is_change, done)), "tags": done, "failures": failures}
    if task.diff_mode:
        summaries = {(entry["repository"], entry["tag"]): entry.get("summary") for entry in params["tags"] or ()}
        result["diff"] = tag_diff(registry, [outcome for _place, outcome in pairs], before, summaries)
    return result


ARGUMENTS = module_arguments(
    {
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        "repository": {"type": "str"},
        "tag": {"type": "raw"},
        "digest": {"type": "str"},
        "previous_digest": {"type": "str"},
        "content_base64": {"type": "str"},
        "tags": TAGS,
        "delete_manifest": {"type": "bool", "default": False},
        "verify": {"type": "bool", "default": False},
    },
    required_one_of=[("repository", "tags")],
    required_together=[("repository", "tag")],
    mutually_exclusive=[("repository", "tags")],
    required_by={name: ("repository",) for name in ("digest", "previous_digest", "content_base64")},
)


def main() -> None:
    run(create_module(ARGUMENTS), work)


if __name__ == "__main__":
    main()
