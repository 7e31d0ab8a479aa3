#!/usr/bin/python

# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: image_archive
short_description: Copy images between a registry and an OCI image layout
version_added: 0.9.0
description:
  - For registries that can't reach each other. With O(state=exported), the module copies images from O(registry) into an OCI image layout,
    which is a directory or a tar archive, with their signatures and other artifacts. With O(state=imported), it copies them from the
    layout into O(registry).
  - Both directions compare by digest, and write only what is missing, like M(imageops.registry.image_copy) between registries. An export
    writes nothing if the layout has everything. An import uploads nothing if the registry has everything.
  - Blobs and manifests are verified by digest on the way, in both directions.
  - C(skopeo) (C(oci:), C(oci-archive:)) and C(oras) can read the layouts that this module writes, and this module can read theirs.
author:
  - imageops maintainers (@imageops)
extends_documentation_fragment:
  - imageops.registry._connection
  - imageops.registry._images
  - imageops.registry._gates
  - imageops.registry._signatures
  - imageops.registry._attributes
  - imageops.registry._attended
  - imageops.registry._attended.progress
attributes:
  check_mode:
    details:
      - The module writes nothing, neither to the registry nor to files, and asks only for permission to read.
  diff_mode:
    details:
      - The diff has one block for each image of which something changes. Its tags come first, then what they serve before and after, and
        the labels that differ. Then come layers, other content and artifacts, as counts and sums of bytes, and gates and signatures.
      - With C(-v), it also lists the digests of new manifests and blobs.
      - To show what a tag serves before and after, the module reads manifests and at most one config for each image that is promoted, and at
        the destination for each tag that moves.
options:
  state:
    description:
      - V(exported) makes sure that the layout has the images. V(imported) makes sure that the registry has them.
    type: str
    choices: [exported, imported]
    required: true
  path:
    description:
      - The path of the layout, on the host on which the module runs. With O(state=exported), the layout is created if it is missing.
      - A blob that is in the layout with the right size isn't copied again. An interrupted export continues with the blobs that it has
        already copied. Other programs see none of its changes before all of them are in place.
      - Only one task can write to a layout at a time. A second one fails.
    type: path
    required: true
  format:
    description:
      - V(directory), or V(archive) for a tar archive. Compressed archives aren't supported.
      - By default, the format of the layout at O(path). If nothing is there yet, V(archive) if the name ends in C(.tar), otherwise
        V(directory).
      - To add something to an archive, the module writes a new archive beside the old one. The added blobs are first stored beside it, so
        they need twice their size of disk space.
    type: str
    choices: [directory, archive]
  images:
    description:
      - The images. Required with O(state=exported). Other images in the layout stay there.
      - With O(state=imported), the default is all images in the layout, under the names that they have there.
    type: list
    elements: dict
    required: false
    suboptions:
      repository:
        description: The repository at the source. The source is the registry for an export, and the layout for an import.
        type: str
        required: true
      # generated: image_at_source
      tag:
        description: The tag at the source. It is resolved once; from then on, the digest is used. Put it in quotes, because YAML reads 1.10 as 1.1.
        type: raw
      digest:
        description: The digest at the source, instead of a tag. If both are given, the digest is used.
        type: str
      # end of generated
      name:
        description:
          - The name of the image in the layout (the annotation C(org.opencontainers.image.ref.name)).
          - With O(state=exported), it is written instead of the default, which is C(repository:tag), or C(repository@digest) for an image
            without tags.
          - With O(state=imported), the module looks for exactly this name. By default, it looks for C(repository:tag), then for the same with
            a registry in front, then for the tag alone, as C(oras) and C(regctl) write it. An empty string means the only image of a layout.
        type: str
      # generated: image_at_destination
      destination_repository:
        description: The repository at the destination. By default, it has the same name as at the source.
        type: str
      tags:
        description:
          - The tags at the destination. By default, the tag at the source.
          - An image that is given by digest alone, without tags, is compared and copied by digest, and gets no tag. If a tag is given, an empty
            list is refused.
        type: list
        elements: raw
      # end of generated
      mount_from:
        description: With O(state=imported), repositories of the registry that may already have blobs of the image, to mount them from.
        type: list
        elements: str
        default: []
      # generated: image_conflicts image_choice image_expectations
      on_conflict:
        description: Overrides O(on_conflict) for this image.
        type: str
        choices: [replace, fail, skip]
      immutable_tags:
        description: Overrides O(immutable_tags) for this image.
        type: list
        elements: str
      platforms:
        description: Overrides O(platforms) for this image.
        type: list
        elements: str
      flatten:
        description: Overrides O(flatten) for this image.
        type: bool
      artifacts:
        description: Overrides O(artifacts) for this image.
        type: list
        elements: str
      expected_digest:
        description: The digest that the source must serve. If it serves another one, the image is refused.
        type: str
      expected_destination_digest:
        description:
          - The digest that every tag at the destination must point to before it moves. If it is empty, there must be no such tag.
          - If a tag points to another digest, the image is refused, unless that is the digest at the source.
        type: str
      # end of generated
  default_repository:
    description:
      - With O(state=imported) and without O(images), the repository for images whose names in the layout have no repository.
    type: str
  verify:
    description:
      - With O(state=exported), whether to read the blobs in the layout, and copy those again whose content doesn't match the digest. Without
        it, the module checks only their size.
      - An import always verifies what it reads.
    type: bool
    default: false
  on_error:
    description:
      - With V(fail), the module writes nothing if an image is missing at the source, is refused or can't be read. It moves no tag if content
        fails to arrive. If a tag can't be moved, the tags that moved go back to what they served before. What can't go back is in
        RV(not_reverted).
      - With V(continue), the module copies the images that it can copy, and then fails. The message says why it could not copy the others.
    type: str
    choices: [fail, continue]
    default: fail
seealso:
  - module: imageops.registry.image_copy
  - ref: ansible_collections.imageops.registry.docsite.air_gap
    description: How to bring images to a registry without a connection to the source.
"""

EXAMPLES = r"""
- name: Write two images into an archive, with all their platforms and signatures
  imageops.registry.image_archive:
    state: exported
    registry: dev.example:5000
    auth_file: ~/.docker/config.json
    path: /srv/carry/release.tar
    images:
      - repository: team/app
        tag: "1.4.2"
      - repository: team/api
        tag: "2.1.0"
        destination_repository: prod/api
        tags: ["2.1.0", stable]

- name: Import all images of the archive into a registry, under the names in the archive
  imageops.registry.image_archive:
    state: imported
    registry: prod.example
    auth_file: ~/.docker/config.json
    path: /srv/carry/release.tar

- name: Import one image from a layout that another tool has written
  imageops.registry.image_archive:
    state: imported
    registry: prod.example
    auth_file: ~/.docker/config.json
    path: /srv/carry/from-skopeo
    images:
      - repository: team/app
        tag: "1.4.2"
        name: app-release
"""

RETURN = r"""
path:
  description: The path of the layout.
  returned: success, and failure of single images
  type: str
  sample: /srv/carry/release.tar
format:
  description: V(directory) or V(archive).
  returned: success, and failure of single images
  type: str
  sample: archive
images:
  description:
    - The images in the order in which they were given.
    - With O(state=exported), C(destination) begins with the path of the layout instead of a registry. With O(state=imported), C(reference)
      does.
  returned: success, and failure of single images
  type: list
  elements: dict
  sample:
    - reference: dev.example:5000/team/app:1.4.2
      destination: prod.example/team/app
      source_digest: sha256:6c3c624b58dbbcd3c0dd82b4c53f04194d1247c6eebdaab7c610cf7d66709b3b
      digest: sha256:6c3c624b58dbbcd3c0dd82b4c53f04194d1247c6eebdaab7c610cf7d66709b3b
      action: promote
      reason: ""
      tags:
        - {tag: 1.4.2, previous_digest: "", action: create}
      layers_left_out: []
      artifacts_compared: true
      artifacts: []
      gates: []
      verified: true
      signatures: []
      missing: []
      blobs_uploaded: 3
      blobs_mounted: 1
      blobs_skipped: 0
      bytes_uploaded: 264216
      bytes_mounted: 1024
      bytes_skipped: 0
  contains:
    missing:
      description:
        - Always empty, because this module doesn't check for content that a registry has lost. M(imageops.registry.image_copy) does.
      type: list
      elements: dict
      sample: []
    # generated: image_names image_outcome image_plan image_gates image_signatures image_costs
    reference:
      description: The image at the source.
      type: str
      sample: dev.example:5000/team/app:1.4.2
    destination:
      description: The repository at the destination, with its registry.
      type: str
      sample: prod.example/team/app
    source_digest:
      description: The digest that the source serves. It differs from C(digest) if O(platforms) leaves something out.
      type: str
      sample: sha256:6c3c624b58dbbcd3c0dd82b4c53f04194d1247c6eebdaab7c610cf7d66709b3b
    digest:
      description: The digest that the destination serves now, or in check mode, would serve.
      type: str
      sample: sha256:6c3c624b58dbbcd3c0dd82b4c53f04194d1247c6eebdaab7c610cf7d66709b3b
    action:
      description:
        - V(promote) or V(unchanged), or V(skip) if tags point to another digest and stay there.
        - V(missing) if the image isn't at the source, V(refused) if a condition isn't met, V(failed) if something failed.
      type: str
      sample: promote
    reason:
      description: The reason, if the action is V(missing), V(refused) or V(failed).
      type: str
      sample: ""
    tags:
      description: The tags at the destination.
      type: list
      elements: dict
      sample:
        - {tag: 1.4.2, previous_digest: "", action: create}
      contains:
        tag:
          description: The tag.
          type: str
          sample: 1.4.2
        previous_digest:
          description: The digest that the tag pointed to when it was compared. Empty if there was no such tag.
          type: str
          sample: ""
        action:
          description:
            - V(exists), V(create), V(replace), V(skip) or V(refused).
            - After a copy also V(failed) if the tag wasn't moved, and V(reverted) if it moved and went back.
          type: str
          sample: create
    layers_left_out:
      description: Layers that aren't copied, because their media type says that they may not be distributed.
      type: list
      elements: dict
      sample: []
    artifacts_compared:
      description: Whether artifacts were compared. If nothing else differs, they are compared only with O(compare_artifacts).
      type: bool
      sample: true
    artifacts:
      description: The artifacts of the image and of its children, and the artifacts of those artifacts.
      type: list
      elements: dict
      sample:
        - subject: sha256:6c3c624b58dbbcd3c0dd82b4c53f04194d1247c6eebdaab7c610cf7d66709b3b
          digest: sha256:024dac1e7eef09668a9674bac1754d522705a39e9c755d7ce056555c45c7584a
          artifact_type: application/vnd.dev.sigstore.bundle.v0.3+json
          tag: ""
          action: copy
          reason: ""
      contains:
        subject:
          description: The digest that the artifact refers to.
          type: str
          sample: sha256:6c3c624b58dbbcd3c0dd82b4c53f04194d1247c6eebdaab7c610cf7d66709b3b
        digest:
          description: The digest of the artifact.
          type: str
          sample: sha256:024dac1e7eef09668a9674bac1754d522705a39e9c755d7ce056555c45c7584a
        artifact_type:
          description: The artifact type. For a tag of cosign, the media type of its last layer, if its manifest was read.
          type: str
          sample: application/vnd.dev.sigstore.bundle.v0.3+json
        tag:
          description: The tag under which cosign stored the artifact. Empty for a referrer.
          type: str
          sample: ""
        action:
          description:
            - V(exists) or V(copy), or V(replace) if the tag of cosign points to another digest.
            - V(skip) or V(refused) if such a tag must not move. V(missing) if the source lists the artifact, but doesn't have it.
            - V(left_out) if the artifact refers to a whole index, and only some platforms of the index are copied. Also if its manifest doesn't
              have the subject for which it was listed, or if its type can't be pushed, such as C(application/vnd.oci.artifact.manifest.v1+json).
          type: str
          sample: copy
        reason:
          description: The reason, if the artifact isn't copied.
          type: str
          sample: ""
    gates:
      description: Every gate that applies to the image, if it had to be promoted. Otherwise empty.
      type: list
      elements: dict
      sample:
        - {name: team label, passed: true, severity: error, value: true, message: Images need the label team}
      contains:
        name:
          description: The name of the gate.
          type: str
          sample: team label
        passed:
          description: Whether the result of its expression is V(true).
          type: bool
          sample: true
        severity:
          description: V(error) or V(warning).
          type: str
          sample: error
        value:
          description: The result of the expression, shortened if it is long, or why it couldn't be evaluated.
          type: raw
          sample: true
        message:
          description: What to report if the gate fails.
          type: str
          sample: Images need the label team
    verified:
      description:
        - Whether the signatures of the image meet its rule.
        - Null if there are no rules, if the rule exempts the image, or if the image did not have to be promoted.
      type: bool
      sample: true
    signatures:
      description: Every signature that was found, and the reason if it doesn't verify.
      type: list
      elements: dict
      sample:
        - form: sigstore_bundle
          digest: sha256:9d1ae52d4dd6f0c5a4d3f6f2a3bbd2ad70b1c8d5a0ef1b1f8d3cb6e2b7a10c44
          subject: sha256:6c3c624b58dbbcd3c0dd82b4c53f04194d1247c6eebdaab7c610cf7d66709b3b
          verified: true
          by: key:Jq5gkTBcRR9FKnPpVZ0jVwDnJwV4sNgyD7cJ1hKJ0kA=
          reason: ""
      contains:
        form:
          description: Its form, V(cosign_tag), V(sigstore_bundle) or V(notation).
          type: str
          sample: sigstore_bundle
        digest:
          description: The digest of the manifest that holds it.
          type: str
          sample: sha256:9d1ae52d4dd6f0c5a4d3f6f2a3bbd2ad70b1c8d5a0ef1b1f8d3cb6e2b7a10c44
        subject:
          description: The digest of the image that it was found for.
          type: str
          sample: sha256:6c3c624b58dbbcd3c0dd82b4c53f04194d1247c6eebdaab7c610cf7d66709b3b
        verified:
          description: Whether it verifies.
          type: bool
          sample: true
        by:
          description:
            - Who has signed. C(key:) and the base64 SHA-256 of the public key (SubjectPublicKeyInfo), or C(certificate:) and the
              subject of the signer.
            - Empty if it doesn't verify.
          type: str
          sample: key:Jq5gkTBcRR9FKnPpVZ0jVwDnJwV4sNgyD7cJ1hKJ0kA=
        reason:
          description: Why it doesn't verify. Empty if it does.
          type: str
          sample: ""
    blobs_uploaded:
      description: How many blobs of the image were uploaded. A blob that several images need counts for the first of them.
      type: int
      sample: 3
    blobs_mounted:
      description: How many blobs of the image were mounted.
      type: int
      sample: 1
    blobs_skipped:
      description: How many blobs of the image were already there.
      type: int
      sample: 0
    bytes_uploaded:
      description: The size of the blobs that C(blobs_uploaded) counts, in bytes.
      type: int
      sample: 264216
    bytes_mounted:
      description: The size of the blobs that C(blobs_mounted) counts, in bytes.
      type: int
      sample: 1024
    bytes_skipped:
      description: The size of the blobs that C(blobs_skipped) counts, in bytes.
      type: int
      sample: 0
    # end of generated
# generated: image_moves image_failures task
tags:
  description:
    - What happened to the tags of the images, or in check mode, what would happen.
    - The list includes tags that moved, but served another digest when they were checked afterwards.
  returned: success, and failure of single images
  type: list
  elements: dict
  sample:
    - repository: team/app
      tag: 1.4.2
      digest: sha256:6c3c624b58dbbcd3c0dd82b4c53f04194d1247c6eebdaab7c610cf7d66709b3b
      previous_digest: ""
      action: create
  contains: &tag
    repository:
      description: The repository.
      type: str
      sample: team/app
    tag:
      description: The tag.
      type: str
      sample: 1.4.2
    digest:
      description: The digest that the tag must point to.
      type: str
      sample: sha256:6c3c624b58dbbcd3c0dd82b4c53f04194d1247c6eebdaab7c610cf7d66709b3b
    previous_digest:
      description: The digest that the tag pointed to before. Empty if there was no such tag.
      type: str
      sample: ""
    action:
      description:
        - V(create) or V(replace), or V(exists) if another client or an earlier run had already moved it.
        - V(reverted) if it moved, and went back because another tag couldn't be moved. It serves C(previous_digest) again. If that is empty,
          the tag was removed.
      type: str
      sample: create
artifact_tags:
  description: The same for the tags under which cosign stores artifacts.
  returned: success, and failure of single images
  type: list
  elements: dict
  sample:
    - repository: team/app
      tag: sha256-6c3c624b58dbbcd3c0dd82b4c53f04194d1247c6eebdaab7c610cf7d66709b3b.sig
      digest: sha256:9d1ae52d4dd6f0c5a4d3f6f2a3bbd2ad70b1c8d5a0ef1b1f8d3cb6e2b7a10c44
      previous_digest: ""
      action: create
  contains: *tag
not_reverted:
  description:
    - Tags that moved, and that could not be moved back after another tag had failed. They stay where they are. O(on_error) says when tags
      are moved back.
  returned: success, and failure of single images
  type: list
  elements: dict
  sample: []
  contains:
    repository:
      description: The repository at the destination.
      type: str
      sample: team/app
    tag:
      description: The tag.
      type: str
      sample: 1.4.2
    digest:
      description: The digest that the task moved it to.
      type: str
      sample: sha256:6c3c624b58dbbcd3c0dd82b4c53f04194d1247c6eebdaab7c610cf7d66709b3b
    previous_digest:
      description: The digest that it pointed to before. Empty if there was no such tag.
      type: str
      sample: ""
    reason:
      description: Why it could not be moved back, in one sentence.
      type: str
      sample: "Cannot delete prod.example/team/app:1.4.2: the registry cannot delete a tag alone."
given_up:
  description: Attempts that failed harmlessly, such as a refused mount. The content arrived another way.
  returned: success, and failure of single images
  type: list
  elements: dict
  sample:
    - repository: team/app
      digest: sha256:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae
      given_up: ["The registry did not mount the blob from team/base."]
  contains:
    repository:
      description: The repository.
      type: str
      sample: team/app
    digest:
      description: The digest of the blob, or of the manifest.
      type: str
      sample: sha256:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae
    given_up:
      description: The attempts, each in a sentence.
      type: list
      elements: str
      sample: ["The registry did not mount the blob from team/base."]
failures:
  description: What could not be copied, and why. The rest of the result is returned as well.
  returned: failure of single images
  type: list
  elements: dict
  sample:
    - reference: dev.example:5000/team/app:1.4.2
      msg: "dev.example:5000/team/app:1.4.2 is not at the source. Check repository and tag."
  contains:
    reference:
      description: The image at the source.
      type: str
    msg:
      description: What failed, and why.
      type: str
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

import contextlib
import typing as t

from ..module_utils._layout._opening import format_of, open_layout
from ..module_utils._model._actions import PROMOTE, UNCHANGED
from ..module_utils._model._reference import Place, check_repository
from ..module_utils._module._archive_arguments import ARCHIVE_IMAGES, all_images, names_to_read, names_to_write
from ..module_utils._module._condition_arguments import CONDITIONS
from ..module_utils._module._connection import module_arguments
from ..module_utils._module._copying import copy_images
from ..module_utils._module._image_arguments import IMAGE_OPTIONS, Ends, image_items
from ..module_utils._module._task import PROGRESS, Task, create_module, run

Plain = dict[str, t.Any]


def export(task: Task, path: str, form: str) -> Plain:
    params = task.params
    ends = Ends(
        Place("repository", params["registry"], "registry", "source"),
        Place("destination_repository", registry_option="", end="destination"),
        path,
    )
    items = image_items(params, ends)
    names = names_to_write(params)
    if not task.check_mode:
        task.attachment.require()
    layout = open_layout(
        path, form, task.counters, writing=True, jobs=params["jobs"], names=names, verify=params["verify"]
    )
    with contextlib.closing(layout):
        result = copy_images(task, task.registry(), layout, items)
        for item, image in zip(items, result["images"]):
            if not item.tags and image["action"] in (PROMOTE, UNCHANGED):
                layout.keep(item.destination_repository, image["digest"])
        result["changed"] = result["changed"] or layout.changed
        if not task.check_mode:
            task.attachment.check()
            layout.commit()
    return result


def bring_in(task: Task, path: str, form: str) -> Plain:
    params = task.params
    place = Place("destination_repository", params["registry"], "registry", "destination")
    default = params["default_repository"] or ""
    if default:
        check_repository(default, place._replace(option="default_repository"))
    ends = Ends(Place(registry_option="", end="source"), place, params["registry"])
    items = None if params["images"] is None else image_items(params, ends)
    names = names_to_read(params)
    layout = open_layout(path, form, task.counters, writing=False, jobs=params["jobs"], names=names)
    with contextlib.closing(layout):
        if items is None:
            items = image_items({**params, "images": all_images(layout, default)}, ends)
        return copy_images(task, layout, task.registry(writing=True, pushed_to=True), items)


def work(task: Task) -> Plain:
    path = task.params["path"]
    form = task.params["format"] or format_of(path)
    result = export(task, path, form) if task.params["state"] == "exported" else bring_in(task, path, form)
    return {**result, "path": path, "format": form}


ARGUMENTS = module_arguments(
    {
        **IMAGE_OPTIONS,
        **CONDITIONS,
        **PROGRESS,
        "state": {"type": "str", "choices": ["exported", "imported"], "required": True},
        "path": {"type": "path", "required": True},
        "format": {"type": "str", "choices": ["directory", "archive"]},
        "images": ARCHIVE_IMAGES,
        "default_repository": {"type": "str"},
        "verify": {"type": "bool", "default": False},
        "on_error": {"type": "str", "choices": ["fail", "continue"], "default": "fail"},
    },
    required_if=[("state", "exported", ["images"])],
)


def main() -> None:
    run(create_module(ARGUMENTS), work)


if __name__ == "__main__":
    main()
