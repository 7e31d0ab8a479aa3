# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options of modules that compare or copy images. They pair with the argument specs in ``plugins/module_utils/_module``."""

from __future__ import annotations


class ModuleDocFragment:
    """Which images, under which conditions, and what of them."""

    DOCUMENTATION = r"""
options:
  images:
    description:
      - The images. An entry that occurs twice counts once. Two different images for one tag at the destination are refused.
      - The filter P(imageops.registry.image_entries#filter) turns references into entries.
    type: list
    elements: dict
    required: true
    suboptions:
      repository:
        description: The repository at the source.
        type: str
        required: true
      # generated: image_at_source image_at_destination
      tag:
        description: The tag at the source. It is resolved once; from then on, the digest is used. Put it in quotes, because YAML reads 1.10 as 1.1.
        type: raw
      digest:
        description: The digest at the source, instead of a tag. If both are given, the digest is used.
        type: str
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
        description: Repositories of the destination that may already have blobs of the image, to mount them from.
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
  on_conflict:
    description:
      - What to do with a tag that points to another digest.
      - V(replace) moves it, V(skip) leaves it, V(fail) refuses the image.
    type: str
    choices: [replace, fail, skip]
    default: replace
  immutable_tags:
    description:
      - Regular expressions. A tag never moves to another digest if one of them matches the whole tag. The image is then refused, whatever
        O(on_conflict) is.
      - If the registry has no referrers API, the tag C(sha256-<hex>) of a list of referrers still moves, because the referrers tag schema
        requires it.
    type: list
    elements: str
    default: []
  platforms:
    description:
      - Copy only these platforms of an index, each as V(os/architecture) or V(os/architecture/variant). Without a variant, all
        variants are copied. By default, the whole index is copied.
      - If other platforms are left out, the module creates a new index. The same platforms always give the same digest. The annotation
        C(io.github.imageops.registry.source-index.digest) of the new index names the original index. If nothing is left out, the index stays
        unchanged.
      - Attestations that BuildKit lists beside an image stay with the image.
      - An image without an index is copied if it is built for one of the platforms. If a platform is missing, the image is refused.
      - Artifacts that refer to the whole index, such as its signature, are not copied with a part of it. The result names them. Artifacts
        that refer to the copied images in it are copied.
    type: list
    elements: str
    default: []
  flatten:
    description:
      - Whether to copy the image for the single platform in O(platforms), instead of an index with only that image.
    type: bool
    default: false
  artifacts:
    description:
      - Which artifacts are copied with an image - V(all), V(none), or artifact types. Artifacts are signatures, attestations, SBOMs and
        whatever else refers to the image, to its children, or to another artifact.
      - The module finds them with the referrers API, or with the tag schema if a registry has no such API. It also finds the tags that cosign
        writes (C(sha256-<hex>.sig), C(.att), C(.sbom)).
      - A tag of cosign is selected by the media types of its config and of its layers. Any other artifact is selected by its artifact type. If
        the registry lists it with a type that isn't selected, or with none, the module reads the type in its manifest.
      - After a push, the module checks that the destination lists the artifact. If it doesn't, the module pushes the artifact again, or adds
        it to the list of referrers under the tag of the tag schema. If that fails, too, the image fails.
      - Artifacts arrive before the tags of their image. Signatures are verified only with O(signatures).
    type: list
    elements: str
    default: [all]
  compare_artifacts:
    description:
      - Whether to also compare the artifacts of images that are equal. Then an image that was signed after its promotion gets its signature.
      - An artifact that is at the destination, but isn't listed there, is pushed again or added to the list of referrers.
      - This costs four or five requests at the source for each manifest of an image, and one at the destination for each artifact
        found.
      - Without this option, artifacts are compared only if a tag has to move, and for images without tags.
    type: bool
    default: false
seealso:
  - ref: ansible_collections.imageops.registry.docsite.whole_images
    description: What is copied with an image, and how to copy only some platforms.
  - ref: ansible_collections.imageops.registry.docsite.artifacts_and_signatures
    description: How signatures and other artifacts are found and copied.
"""
