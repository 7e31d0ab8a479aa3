#!/usr/bin/python

# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: repository_info
short_description: List the repositories of a registry
version_added: 0.9.0
description:
  - Lists repositories with C(/v2/_catalog), which isn't part of the OCI distribution specification. Many public registries, and
    some private ones, don't offer it. That is not a failure, and RV(supported) is V(false).
  - Registries may list repositories without tags, and may leave out repositories that the account can't read. The module leaves out
    invalid repository names, and counts them in RV(malformed_count).
author:
  - imageops maintainers (@imageops)
extends_documentation_fragment:
  - imageops.registry._connection
  - imageops.registry._attributes.info
options:
  match:
    description:
      - Python regular expressions. A repository is selected if one of them matches its whole name. Without any, all repositories are selected.
    type: list
    elements: str
    default: []
  exclude:
    description:
      - Python regular expressions. A repository is left out if one of them matches its whole name.
    type: list
    elements: str
    default: []
seealso:
  - module: imageops.registry.tag_info
  - module: imageops.registry.registry_info
"""

EXAMPLES = r"""
- name: List the repositories of a team
  imageops.registry.repository_info:
    registry: registry.example:5000
    match: ['team/.*']
    exclude: ['team/scratch(/.*)?']
  register: catalog

- name: List their tags
  imageops.registry.tag_info:
    registry: registry.example:5000
    repositories: "{{ catalog.repositories }}"
"""

RETURN = r"""
supported:
  description: Whether the registry offers its catalog to the account.
  returned: success
  type: bool
  sample: true
repositories:
  description: The selected repositories, sorted by name. Empty if the registry doesn't offer the catalog.
  returned: success
  type: list
  elements: str
  sample: [team/api, team/app]
all_count:
  description: How many repositories the registry lists, including those that aren't selected.
  returned: success
  type: int
  sample: 17
malformed_count:
  description: How many of these names are invalid, and so are never selected.
  returned: success
  type: int
  sample: 0
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

from ..module_utils._model._errors import Unsupported
from ..module_utils._model._selection import NameSelection, Patterns, count_malformed_repositories, select_repositories
from ..module_utils._module._connection import module_arguments
from ..module_utils._module._task import Task, create_module, run


def list_repositories(task: Task) -> dict[str, t.Any]:
    selection = NameSelection(Patterns(task.params["match"], "match"), Patterns(task.params["exclude"], "exclude"))
    try:
        names = task.registry().list_repositories()
        supported = True
    except Unsupported:
        names, supported = [], False
    selected = select_repositories(names, selection)
    task.check_secrets(selected)
    return {
        "supported": supported,
        "repositories": selected,
        "all_count": len(names),
        "malformed_count": count_malformed_repositories(names),
    }


_PATTERNS = {"type": "list", "elements": "str", "default": []}
ARGUMENTS = module_arguments({"match": dict(_PATTERNS), "exclude": dict(_PATTERNS)})


def main() -> None:
    run(create_module(ARGUMENTS), list_repositories)


if __name__ == "__main__":
    main()
