#!/usr/bin/python

# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: image_diff_info
short_description: Compare images in two registries by digest
version_added: 0.1.0
description:
  - Compares images at O(source) with what their tags serve at O(registry), and returns the plan that makes them equal.
    RV(blobs), RV(manifests) and RV(tags) are in the shapes that the modules take which carry it out.
  - Where nothing differs, that costs one HEAD per image at the source (none for an image given by digest) and one per tag at
    the destination; no manifest is read.
  - A multi-architecture index is taken whole, with all its children.
  - That an image, or its repository, isn't there is no error here. An equal digest proves what the tag says, not that every blob behind it is still whole.
author:
  - imageops maintainers (@imageops)
extends_documentation_fragment:
  - imageops.registry.connection
  - imageops.registry.connection.source
  - imageops.registry.attributes.info
attributes:
  diff_mode:
    details:
      - This module changes nothing.
      - In diff mode RV(tags) also has C(summary), which M(imageops.registry.tag) shows in its diff. This reads manifests and
        configs at the source.
options:
  source:
    required: true
  images:
    description:
      - The images to compare.
    type: list
    elements: dict
    required: true
    suboptions:
      repository:
        description: The repository at the source.
        type: str
        required: true
      tag:
        description: The tag at the source. It is resolved once; what follows goes by digest.
        type: raw
      digest:
        description: The digest at the source, in place of a tag. Where both are given, the digest is what counts.
        type: str
      destination_repository:
        description: The repository at the destination. By default it has the same name.
        type: str
      tags:
        description: The tags at the destination. By default the tag at the source. Without any, the image is compared by digest.
        type: list
        elements: raw
      mount_from:
        description: Repositories of the destination that may have blobs of the image.
        type: list
        elements: str
        default: []
      on_conflict:
        description: In place of O(on_conflict), for this image.
        type: str
        choices: [replace, fail, skip]
      immutable_tags:
        description: In place of O(immutable_tags), for this image.
        type: list
        elements: str
      expected_digest:
        description: The digest that the source must serve. Where it serves another one, the image is refused.
        type: str
      expected_destination_digest:
        description:
          - The digest on which every tag at the destination must stand; empty where there must be no such tag.
          - Where a tag stands on another one, the image is refused, unless it is the source's already.
        type: str
  on_conflict:
    description:
      - What is to be done where a tag stands on another digest.
      - V(replace) moves it, V(skip) leaves it, V(fail) refuses the image.
    type: str
    choices: [replace, fail, skip]
    default: replace
  immutable_tags:
    description:
      - Regular expressions. A tag that one of them matches as a whole is never moved to another digest; the image is refused,
        whatever O(on_conflict) says.
    type: list
    elements: str
    default: []
seealso:
  - module: imageops.registry.blob_info
  - module: imageops.registry.blob
  - module: imageops.registry.manifest
  - module: imageops.registry.tag
"""

EXAMPLES = r"""
- name: What would be promoted?
  imageops.registry.image_diff_info:
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
    immutable_tags: ['[0-9]+\.[0-9]+\.[0-9]+']
  register: comparison

- name: Name them
  ansible.builtin.debug:
    msg: "{{ comparison.images | selectattr('action', 'equalto', 'promote') | map(attribute='reference') }}"
"""

RETURN = r"""
differs:
  description: Whether anything is to be promoted.
  returned: success
  type: bool
  sample: true
images:
  description: The images in the order in which they were given.
  returned: success
  type: list
  elements: dict
  contains:
    reference:
      description: The image at the source.
      type: str
      sample: dev.example:5000/team/app:1.4.2
    destination:
      description: The repository at the destination.
      type: str
      sample: prod.example/team/app
    repository:
      description: The repository at the source.
      type: str
      sample: team/app
    destination_repository:
      description: The repository at the destination, without the registry.
      type: str
      sample: team/app
    exists:
      description: Whether the image is at the source.
      type: bool
      sample: true
    digest:
      description: Its digest.
      type: str
      sample: sha256:6c3c624b58dbbcd3c0dd82b4c53f04194d1247c6eebdaab7c610cf7d66709b3b
    media_type:
      description: Its media type. Empty where it was given by digest and wasn't read.
      type: str
      sample: application/vnd.oci.image.index.v1+json
    action:
      description:
        - V(unchanged), V(promote), or V(skip) where tags stand on another digest and are to be left there.
        - V(missing) where the image isn't at the source, V(refused) where a condition isn't met, V(failed) where it could not be
          compared.
      type: str
      sample: promote
    reason:
      description: Why, where the action is V(missing), V(refused) or V(failed).
      type: str
      sample: ""
    tags:
      description: The tags at the destination.
      type: list
      elements: dict
      contains:
        tag:
          description: The tag.
          type: str
          sample: 1.4.2
        previous_digest:
          description: The digest on which it stands. Empty where there is no such tag.
          type: str
          sample: ""
        action:
          description: V(exists), V(create), V(replace), V(skip) or V(refused).
          type: str
          sample: create
blobs:
  description: The blobs of what is to be promoted, for O(imageops.registry.blob_info#module:blobs).
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
manifests:
  description: The manifests to push, children first, for O(imageops.registry.manifest#module:manifests).
  returned: success
  type: list
  elements: dict
  sample:
    - repository: team/app
      source_repository: team/app
      digest: sha256:6c3c624b58dbbcd3c0dd82b4c53f04194d1247c6eebdaab7c610cf7d66709b3b
      media_type: application/vnd.oci.image.manifest.v1+json
      content_base64: eyJzY2hlbWFWZXJzaW9uIjoyfQ==
tags:
  description: The tags to move, for O(imageops.registry.tag#module:tags).
  returned: success
  type: list
  elements: dict
  sample:
    - repository: team/app
      tag: 1.4.2
      digest: sha256:6c3c624b58dbbcd3c0dd82b4c53f04194d1247c6eebdaab7c610cf7d66709b3b
      previous_digest: ""
      content_base64: eyJzY2hlbWFWZXJzaW9uIjoyfQ==
failures:
  description: What could not be compared, and why. The rest of the result is returned beside it.
  returned: failure of single things
  type: list
  elements: dict
  contains:
    repository:
      description: The repository.
      type: str
    msg:
      description: What failed, and why, in one sentence.
      type: str
error:
  description: The facts of what failed, where the task failed as a whole.
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
  description: Whether a repository isn't there and the registry doesn't create repositories on push.
  returned: failure
  type: bool
  sample: false
transfer:
  description: What the task cost, in requests and bytes of blobs.
  returned: success, and failure of what was asked of a registry
  type: dict
  sample: {requests: 3, retries: 0, bytes_uploaded: 0, bytes_downloaded: 0, bytes_mounted: 0, bytes_skipped: 0, sessions_left_open: 0}
"""

import typing as t

from ..module_utils._arguments import Task, create_module, run
from ..module_utils._digest import check_digest
from ..module_utils._errors import InvalidInput
from ..module_utils._promotion._comparison import compare_images
from ..module_utils._promotion._items import FAILED, ImageItem
from ..module_utils._promotion._plan import plan, summarise_sources
from ..module_utils._reference import check_repository, check_tag


def image_item(entry: dict[str, t.Any], defaults: dict[str, t.Any]) -> ImageItem:
    expected = entry["expected_destination_digest"]
    tag = check_tag(entry["tag"]) if entry["tag"] not in (None, "") else ""
    if not tag and not entry["digest"]:
        raise InvalidInput(f"{entry['repository']}: a tag or a digest is needed beside the repository")
    tags = entry["tags"] if entry["tags"] is not None else [tag] if tag else []
    patterns = entry["immutable_tags"]
    return ImageItem(
        repository=check_repository(entry["repository"]),
        tag=tag,
        digest=check_digest(entry["digest"]) if entry["digest"] else "",
        destination_repository=check_repository(entry["destination_repository"] or entry["repository"]),
        tags=tuple(dict.fromkeys(check_tag(name) for name in tags)),
        mount_from=tuple(check_repository(name) for name in entry["mount_from"] or ()),
        on_conflict=entry["on_conflict"] or defaults["on_conflict"],
        immutable_tags=tuple(patterns if patterns is not None else defaults["immutable_tags"]),
        expected_digest=check_digest(entry["expected_digest"]) if entry["expected_digest"] else "",
        expected_destination_digest=check_digest(expected) if expected else expected,
    )


def checked_items(params: dict[str, t.Any]) -> list[ImageItem]:
    items = []
    for position, entry in enumerate(params["images"]):
        try:
            items.append(image_item(entry, params))
        except InvalidInput as error:
            raise InvalidInput(f"images[{position}]: {error.reason}", hint=error.hint) from error
    return items


def compare(task: Task) -> dict[str, t.Any]:
    items = checked_items(task.params)
    source, destination = task.source(), task.registry()
    comparisons = compare_images(source, destination, items)
    summaries = summarise_sources(comparisons, source) if task.diff_mode else {}
    planned = plan(comparisons, source, destination, summaries)
    result = dict(planned, differs=bool(planned["blobs"] or planned["manifests"] or planned["tags"]))
    result["failures"] = [
        {"repository": image["repository"], "reference": image["reference"], "msg": image["reason"]}
        for image in planned["images"]
        if image["action"] == FAILED
    ]
    task.check_secrets(result)
    return result


def main() -> None:
    conflicts = ["replace", "fail", "skip"]
    options = {
        "repository": {"type": "str", "required": True},
        "tag": {"type": "raw"},
        "digest": {"type": "str"},
        "destination_repository": {"type": "str"},
        "tags": {"type": "list", "elements": "raw"},
        "mount_from": {"type": "list", "elements": "str", "default": []},
        "on_conflict": {"type": "str", "choices": conflicts},
        "immutable_tags": {"type": "list", "elements": "str"},
        "expected_digest": {"type": "str"},
        "expected_destination_digest": {"type": "str"},
    }
    run(
        create_module(
            {
                "images": {
                    "type": "list",
                    "elements": "dict",
                    "required": True,
                    "options": options,
                },
                "on_conflict": {"type": "str", "choices": conflicts, "default": "replace"},
                "immutable_tags": {"type": "list", "elements": "str", "default": []},
            },
            source="required",
        ),
        compare,
    )


if __name__ == "__main__":
    main()
