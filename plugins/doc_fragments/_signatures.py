# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The rules about signatures. They pair with ``plugins/module_utils/_module/_signature_arguments.py``."""

from __future__ import annotations


class ModuleDocFragment:
    """Who has to have signed an image."""

    DOCUMENTATION = r"""
options:
  signatures:
    description:
      - Rules that say who must have signed images. For each image, the first rule whose O(signatures[].repositories) match its repository
        decides.
      - An image that no rule matches doesn't pass.
      - The module verifies three forms - the tag of cosign, Sigstore bundles that are signed with a key, and JWS signatures of the Notary
        Project. It finds keyless signatures, but they never verify.
      - Rules require the Python library C(cryptography) where the module runs.
    type: list
    elements: dict
    suboptions:
      repositories:
        description:
          - Shell-style patterns of repositories, such as V(team/*). V(*) also matches V(/).
          - By default, the rule applies to all repositories.
          - The task fails if the list is empty, or if a pattern can't match a repository, such as a pattern with a port or a tag.
        type: list
        elements: str
      mode:
        description:
          - With V(required), at least one signature must verify. Others are reported and ignored.
          - With V(if_present), an image without signatures also passes. If it has any, at least one must verify.
          - Both need O(signatures[].keys) or O(signatures[].certificates).
          - V(none) exempts the repositories. The module then reads no signatures of images. Keys that are given still verify attached records.
        type: str
        choices: [required, if_present, none]
        default: required
      keys:
        description:
          - Public keys in PEM, as text or as paths of files on the host on which the module runs. One of the keys must have signed.
            A text or file may hold several keys.
          - ECDSA (P-256, P-384, P-521), RSA (2048 bits or more) and Ed25519 are supported. Ed25519ph, which cosign 3 uses by default with Ed25519 keys,
            is not.
        type: list
        elements: str
      certificates:
        description:
          - Certificates in PEM, as text or as paths, that are trusted to issue the certificates of signers (Notary Project).
          - All certificates of a signature must be valid now. Revocation and time stamps aren't checked.
        type: list
        elements: str
      subjects:
        description:
          - Subjects that the certificate of the signer may have, such as V(C=DE, O=Example). Its subject must have all parts of one of these.
          - By default, every signer with a trusted certificate is accepted.
          - Needs O(signatures[].certificates).
        type: list
        elements: str
      annotations:
        description:
          - Annotations that the signed content must have, with these values. Put the values in quotes. Without quotes, YAML reads V(yes) as a
            boolean, which is compared as the text V(true).
        type: dict
      predicate_types:
        description:
          - Types of in-toto statements that count as a signature. By default, only V(https://sigstore.dev/cosign/sign/v1) counts. So a
            signed SBOM alone doesn't approve an image.
        type: list
        elements: str
      each_image:
        description: Whether every image of an index also needs its own signature.
        type: bool
        default: false
requirements:
  - cryptography 37.0.0 or newer, for O(signatures)
seealso:
  - ref: ansible_collections.imageops.registry.docsite.verify_signatures
    description: How to promote only images that a trusted key has signed.
"""
