#!/usr/bin/python

# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: registry_info
short_description: Check whether a host is a registry, how it authenticates, and whether it accepts the credential
version_added: 0.9.0
description:
  - Asks a host (GET C(/v2/), end-1 of the OCI distribution specification) whether it is a registry, whether it requires authentication,
    and whether it accepts the credential.
  - A host that isn't a registry is not a failure. The task fails if the host refuses the credential or doesn't answer, or if its
    certificate can't be verified.
author:
  - imageops maintainers (@imageops)
extends_documentation_fragment:
  - imageops.registry._connection
  - imageops.registry._attributes.info
options:
  repository:
    description:
      - A repository in which to check whether the account can read, and whether the registry has the referrers API.
      - Permission to push or delete isn't checked, because only writing would show it.
    type: str
seealso:
  - module: imageops.registry.repository_info
  - module: imageops.registry.tag_info
  - ref: ansible_collections.imageops.registry.docsite.security
    description: Security properties, and the trust model.
"""

EXAMPLES = r"""
- name: Check the credential
  imageops.registry.registry_info:
    registry: registry.example:5000
    auth_file: ~/.docker/config.json
  register: answer

- name: Fail if the host isn't a registry
  ansible.builtin.assert:
    that: answer.is_registry

- name: Check for the referrers API in a repository
  imageops.registry.registry_info:
    registry: registry.example:5000
    repository: team/app
  register: answer

- name: Show how referrers are listed
  ansible.builtin.debug:
    msg: "{{ answer.repository.referrers_api | ternary('by the API', 'by the tag schema', 'unknown') }}"
  when: answer.is_registry
"""

RETURN = r"""
is_registry:
  description: Whether the host has the registry API.
  returned: success
  type: bool
  sample: true
needs_login:
  description: Whether the registry as a whole requires authentication. Even if it doesn't, single repositories may.
  returned: success
  type: bool
  sample: true
logged_in:
  description: Whether the registry accepted the credential. V(false) if there is no credential, or none is needed.
  returned: success
  type: bool
  sample: true
credential_source:
  description:
    - The file or credential helper from which the accepted credential came. Empty if it came from an option, or if none was needed.
  returned: success
  type: str
  sample: the entry 'registry.example:5000/team' of the auth file /home/ci/.docker/config.json
schemes:
  description: The authentication schemes that the registry offers, V(basic) or V(bearer), in its order. Empty if it requires no authentication.
  returned: success
  type: list
  elements: str
  sample: [bearer]
api_version:
  description: The header C(Docker-Distribution-Api-Version) of the answer. Empty if there is none.
  returned: success
  type: str
  sample: registry/2.0
repository:
  description: What the module found in O(repository).
  returned: when O(repository) is given and the host is a registry
  type: dict
  contains:
    repository:
      description: The repository.
      type: str
      sample: team/app
    exists:
      description:
        - Whether the repository exists, as far as the account can see. Some registries hide repositories that an account may not read.
      type: bool
      sample: true
    readable:
      description: Whether the account may read in the repository. V(false) if the registry refuses it.
      type: bool
      sample: true
    referrers_api:
      description:
        - Whether the registry has the referrers API (end-12) there. If it doesn't, tags list the referrers.
        - V(null) if unknown, because the repository doesn't exist, the account may not read in it, or the request failed.
      type: bool
      sample: false
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

from ..module_utils._model._reference import check_repository
from ..module_utils._module._connection import module_arguments
from ..module_utils._module._places import own_place
from ..module_utils._module._task import Task, create_module, run
from ..module_utils._registry._probe import probe_repository


def ask(task: Task) -> dict[str, t.Any]:
    repository = (
        check_repository(task.params["repository"], own_place(task.params)) if task.params["repository"] else ""
    )
    registry = task.registry()
    answer = registry.check_api(repository)
    result: dict[str, t.Any] = {
        "is_registry": answer.is_registry,
        "needs_login": answer.needs_login,
        "logged_in": answer.logged_in,
        "credential_source": answer.credential_source,
        "schemes": list(answer.schemes),
        "api_version": answer.version_header,
    }
    if repository and answer.is_registry:
        anonymous = answer.needs_login and not answer.logged_in
        result["repository"] = probe_repository(registry, repository, anonymous=anonymous)._asdict()
    task.check_secrets(result)
    return result


ARGUMENTS = module_arguments({"repository": {"type": "str"}})


def main() -> None:
    run(create_module(ARGUMENTS), ask)


if __name__ == "__main__":
    main()
