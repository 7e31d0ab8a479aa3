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
      - The images. The same entry twice is taken once. Two different ones for one tag at the destination are refused.
      - The filter P(imageops.registry.image_entries#filter) makes them of references.
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
        description: The tag at the source. It is resolved once; from then on, the digest is used. Put it in quotes.
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
          - An image with a digest alone, and without tags, is compared and copied by digest, and gets no tag. An empty list beside a tag is
            refused.
        type: list
        elements: raw
      # end of generated
      mount_from:
        description: Repositories of the destination that may have blobs of the image.
        type: list
        elements: str
        default: []
      # generated: image_conflicts image_choice image_expectations
      on_conflict:
        description: Overrides O(on_conflict), for this image.
        type: str
        choices: [replace, fail, skip]
      immutable_tags:
        description: Overrides O(immutable_tags), for this image.
        type: list
        elements: str
      platforms:
        description: Overrides O(platforms), for this image.
        type: list
        elements: str
      flatten:
        description: Overrides O(flatten), for this image.
        type: bool
      artifacts:
        description: Overrides O(artifacts), for this image.
        type: list
        elements: str
      expected_digest:
        description: The digest that the source must serve. If it serves another one, the image is refused.
        type: str
      expected_destination_digest:
        description:
          - The digest that every tag at the destination must point to. If it is empty, there must be no such tag.
          - If a tag points to another digest, the image is refused, unless that is the digest at the source.
        type: str
      # end of generated
  on_conflict:
    description:
      - What is to be done where a tag points to another digest.
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
  platforms:
    description:
      - Take only these platforms of an index, each as V(os/architecture) or V(os/architecture/variant). Without a variant, all
        variants are meant. By default, an index is taken whole.
      - The index is rewritten, so that the same choice always gives the same digest, and names the index that it was made from
        in the annotation C(io.github.imageops.registry.source-index.digest). Where nothing is left out, it stays as it is.
      - Attestations that BuildKit lists beside an image stay with it. An image that is no index is promoted if it is made for one of
        the platforms. Where a platform isn't there, the image is refused.
      - What refers to the whole index (a signature of it) can't come along, and is named in the result. What refers to the images in
        it does.
    type: list
    elements: str
    default: []
  flatten:
    description:
      - Promote the image for the one platform in O(platforms) itself, in place of an index with that image alone.
    type: bool
    default: false
  artifacts:
    description:
      - What is copied with an image from what refers to it or to its children, and in turn to that - signatures, attestations,
        SBOMs. By the referrers API, by the tag schema where a registry lacks it, and by the tags that cosign writes
        (C(sha256-<hex>.sig), C(.att), C(.sbom)).
      - V(all), V(none), or artifact types. A tag of cosign is of the types of its config and layers. Where a list gives a referrer
        another type than those, or none, the type in its manifest decides.
      - What was pushed is looked for where readers look, and pushed again, or listed under the tag of the tag schema, where it isn't
        listed. If it can't be listed, the image fails.
      - Artifacts arrive before the tags of their image. They are not verified.
    type: list
    elements: str
    default: [all]
  compare_artifacts:
    description:
      - Compare artifacts of images that are equal as well, so that an image that was signed after its promotion gets its signature.
      - What is there and isn't listed is pushed again, or listed.
      - This costs four or five requests at the source for each manifest of an image, and one at the destination for each thing
        found.
      - Without it, an equal digest ends the work. Artifacts are then compared only where a tag is to be moved, and for images
        without tags.
    type: bool
    default: false
seealso:
  - ref: ansible_collections.imageops.registry.docsite.whole_images
    description: What is copied with an image, and how to copy only some platforms.
  - ref: ansible_collections.imageops.registry.docsite.artifacts_and_signatures
    description: How signatures and other artifacts are found and copied.
"""
