#!/usr/bin/python

# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: tag_info
short_description: List and select the tags of repositories
version_added: 0.9.0
description:
  - Lists the tags of repositories (GET tags/list, end-8 of the OCI distribution specification), and selects some of them by name
    and by version.
  - The result has versions first, from the newest to the oldest by the precedence of Semantic Versioning 2.0.0. The other tags follow,
    sorted by name.
  - A tag is a version if it has all three numbers, with or without a leading V(v). V(1.4) and V(latest) are not versions. V(2024.01.15)
    isn't one either, because numbers in versions have no leading zeros. Text after V(_), which Helm writes instead of C(+), is ignored.
  - To check whether a single tag exists, use M(imageops.registry.manifest_info), which is faster than a list.
  - A missing repository is not a failure.
author:
  - imageops maintainers (@imageops)
extends_documentation_fragment:
  - imageops.registry._connection
  - imageops.registry._attributes.info
options:
  repository:
    description:
      - The repository whose tags are listed.
    type: str
  repositories:
    description:
      - Many repositories, instead of O(repository). The selection applies to each of them.
    type: list
    elements: str
  match:
    description:
      - Python regular expressions. A tag is selected if one of them matches the whole tag. Without any, all tags are selected.
      - If C(module_defaults) and a task both set this option, use the same name for it in both. The alias overrides the name.
    type: list
    elements: str
    aliases: [pattern]
    default: []
  exclude:
    description:
      - Python regular expressions. A tag is left out if one of them matches the whole tag.
    type: list
    elements: str
    default: []
  semver:
    description:
      - A range of versions, such as V(>=1.2 <2), V(^1.4), V(~1.4.2), V(1.x), V(1.2 - 1.4) or V(1.x || 3.x), with the same meaning as in
        node-semver. Tags that aren't versions are left out.
      - A pre-release is selected only if the range names a pre-release of the same version. For example, V(>=1.4.0-rc.1) selects
        V(1.4.0-rc.2), but no pre-release of V(1.5.0). V(*) selects all versions, but no pre-releases.
    type: str
  newest:
    description:
      - Select only this many versions, the newest of those that all other options select. Tags that aren't versions are left out,
        because their order is unknown.
      - Pre-releases count as versions, unless O(semver) leaves them out.
    type: int
  digest_tags:
    description:
      - Whether to include tags that contain a digest. V(sha256-HEX) lists the referrers of an image if a registry has no referrers API. Tags
        such as V(sha256-HEX.sig) are written by cosign.
    type: bool
    default: false
  resolve:
    description:
      - Whether to resolve the digest of every selected tag (HEAD manifest). A tag that is gone by then is left out.
    type: bool
    default: false
seealso:
  - module: imageops.registry.repository_info
  - module: imageops.registry.manifest_info
  - module: imageops.registry.image_diff_info
"""

EXAMPLES = r"""
- name: Select the newest release of version 1
  imageops.registry.tag_info:
    registry: registry.example:5000
    repository: team/app
    semver: ^1.0
    newest: 1
  register: release

- name: Show it, if there is one
  ansible.builtin.debug:
    msg: "{{ release.tags | first | default('none') }}"

- name: Select the three newest releases of two repositories
  imageops.registry.tag_info:
    registry: dev.example:5000
    repositories: [team/app, team/api]
    semver: '*'
    newest: 3
    exclude: ['.*-debug']
  register: releases

- name: Compare them with the images in production
  imageops.registry.image_diff_info:
    registry: prod.example
    source:
      registry: dev.example:5000
    images: "{{ releases.images }}"
"""

RETURN = r"""
exists:
  description:
    - Whether all the repositories exist.
    - A repository can exist and have no tag, or no selected tag.
    - Not returned together with RV(failures). RV(repositories) says for each repository whether it exists, if known.
  returned: when known
  type: bool
  sample: true
tags:
  description:
    - The selected tags. Versions come first, from the newest to the oldest, then the other tags, sorted by name.
    - Also empty if the repository doesn't exist.
    - With O(resolve), a tag that is gone by then is left out. A tag that could not be resolved stays, and is in RV(failures).
  returned: when O(repository) is given and could be listed
  type: list
  elements: str
  sample: [1.10.0, 1.9.3, latest]
all_count:
  description: How many tags the registry lists, including those that aren't selected.
  returned: when all repositories could be listed
  type: int
  sample: 42
malformed_count:
  description: How many of these are invalid as tags, and so are never selected.
  returned: when all repositories could be listed
  type: int
  sample: 0
repositories:
  description: The repositories in the order in which they were given, without those that could not be listed.
  returned: success
  type: list
  elements: dict
  sample:
    - repository: team/app
      exists: true
      tags: [1.10.0, 1.9.3, latest]
      all_count: 42
      malformed_count: 0
  contains:
    repository:
      description: The repository.
      type: str
      sample: team/app
    exists:
      description: Whether it exists.
      type: bool
      sample: true
    tags:
      description: Its selected tags, in the same order as RV(tags). O(resolve) has the same effect as there.
      type: list
      elements: str
      sample: [1.10.0, 1.9.3, latest]
    all_count:
      description: How many tags the registry lists in it.
      type: int
      sample: 42
    malformed_count:
      description: How many of these are invalid as tags.
      type: int
      sample: 0
images:
  description:
    - The selected tags of all repositories. You can pass this list to M(imageops.registry.image_diff_info) and
      M(imageops.registry.manifest_info) as C(images).
    - With O(resolve), each entry has a C(digest), and tags that could not be resolved are left out.
  returned: success
  type: list
  elements: dict
  sample:
    - repository: team/app
      tag: 1.10.0
      digest: sha256:6c3c624b58dbbcd3c0dd82b4c53f04194d1247c6eebdaab7c610cf7d66709b3b
resolved:
  description: What the selected tags of all repositories serve.
  returned: when O(resolve) is set
  type: list
  elements: dict
  sample:
    - repository: team/app
      tag: 1.10.0
      digest: sha256:6c3c624b58dbbcd3c0dd82b4c53f04194d1247c6eebdaab7c610cf7d66709b3b
      media_type: application/vnd.oci.image.index.v1+json
      size: 743
  contains:
    repository:
      description: The repository.
      type: str
      sample: team/app
    tag:
      description: The tag.
      type: str
      sample: 1.10.0
    digest:
      description: The digest of the manifest or index.
      type: str
      sample: sha256:6c3c624b58dbbcd3c0dd82b4c53f04194d1247c6eebdaab7c610cf7d66709b3b
    media_type:
      description: Its media type.
      type: str
      sample: application/vnd.oci.image.index.v1+json
    size:
      description: The size of the manifest in bytes, without the content that it refers to.
      type: int
      sample: 743
# generated: failures of_tags each task
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

from ..module_utils._images._listing import list_tags, resolve_tags
from ..module_utils._model._errors import RegistryError
from ..module_utils._model._reference import check_repository
from ..module_utils._model._selection import TagSelection, count_malformed_tags, tag_selection
from ..module_utils._module._connection import module_arguments
from ..module_utils._module._places import own_place
from ..module_utils._module._results import failure, unless_failed
from ..module_utils._module._task import Task, create_module, run

_COUNTS = ("all_count", "malformed_count")


def list_selected(task: Task) -> dict[str, t.Any]:
    params = task.params
    option = "repository" if params["repositories"] is None else "repositories"
    given = params["repositories"] if params["repositories"] is not None else [params["repository"]]
    repositories = list(dict.fromkeys(check_repository(name, own_place(params, option)) for name in given))
    selection = tag_selection(
        params["match"], params["exclude"], params["semver"] or "", params["newest"], params["digest_tags"]
    )
    result = listed(task, repositories, selection)
    if params["repository"] is not None and result["repositories"]:
        result["tags"] = result["repositories"][0]["tags"]
    task.check_secrets(result)
    return result


def listed(task: Task, repositories: list[str], selection: TagSelection) -> dict[str, t.Any]:
    registry = task.registry()
    failures = []
    entries: list[dict[str, t.Any]] = []
    for repository, found in zip(repositories, list_tags(registry, repositories)):
        if isinstance(found, RegistryError):
            failures.append(failure(found, repository=repository))
        else:
            entries.append(
                {
                    "repository": repository,
                    "exists": found is not None,
                    "tags": selection.select(found or ()),
                    "all_count": len(found or ()),
                    "malformed_count": count_malformed_tags(found or ()),
                }
            )
    counts = unless_failed(failures, **{name: sum(entry[name] for entry in entries) for name in _COUNTS})
    images = [(entry["repository"], tag) for entry in entries for tag in entry["tags"]]
    result: dict[str, t.Any] = {}
    if task.params["resolve"]:
        result["resolved"] = []
        gone: set[tuple[str, str]] = set()
        for (repository, tag), outcome in zip(images, resolve_tags(registry, images)):
            if isinstance(outcome, RegistryError):
                failures.append(failure(outcome, repository=repository, tag=tag))
            elif outcome is None:
                gone.add((repository, tag))
            else:
                result["resolved"].append({"repository": repository, "tag": tag, **outcome})
        names = ("repository", "tag", "digest")
        result["images"] = [{name: image[name] for name in names} for image in result["resolved"]]
        for entry in entries:
            entry["tags"] = [tag for tag in entry["tags"] if (entry["repository"], tag) not in gone]
    else:
        result["images"] = [{"repository": repository, "tag": tag} for repository, tag in images]
    return {
        **result,
        **counts,
        **unless_failed(failures, exists=all(entry["exists"] for entry in entries)),
        "repositories": entries,
        "failures": failures,
    }


_PATTERNS = {"type": "list", "elements": "str", "default": []}
ARGUMENTS = module_arguments(
    {
        "repository": {"type": "str"},
        "repositories": {"type": "list", "elements": "str"},
        "match": {**_PATTERNS, "aliases": ["pattern"]},
        "exclude": dict(_PATTERNS),
        "semver": {"type": "str"},
        "newest": {"type": "int"},
        "digest_tags": {"type": "bool", "default": False},
        "resolve": {"type": "bool", "default": False},
    },
    required_one_of=[("repository", "repositories")],
    mutually_exclusive=[("repository", "repositories")],
)


def main() -> None:
    run(create_module(ARGUMENTS), list_selected)


if __name__ == "__main__":
    main()
