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
      - Rules that say who must have signed images. The first rule whose O(signatures[].repositories) match a repository decides.
      - An image that no rule matches doesn't pass.
      - Three forms are verified. The tag of cosign, Sigstore bundles that are signed with a key, and signatures of the Notary
        Project in JWS. Keyless signatures are found, and never verify.
      - This needs the Python library C(cryptography) where the module runs.
    type: list
    elements: dict
    suboptions:
      repositories:
        description:
          - Patterns of repositories in shell style, such as V(team/*). V(*) matches V(/) too.
          - By default, the rule decides about all repositories.
        type: list
        elements: str
      mode:
        description:
          - V(required) needs at least one signature that verifies. Others are reported and ignored.
          - V(if_present) takes an image without signatures as well. If it has any, at least one must verify.
          - V(none) exempts the repositories. Nothing is read.
        type: str
        choices: [required, if_present, none]
        default: required
      keys:
        description:
          - Public keys in PEM, as texts or as paths of files on the host that runs the module. One of them must have signed.
          - ECDSA (P-256, P-384, P-521), RSA and Ed25519 are supported. Ed25519ph, which cosign 3 uses by default with Ed25519 keys,
            is not.
        type: list
        elements: str
      certificates:
        description:
          - Certificates in PEM, as texts or as paths, that are trusted to issue those of signers (Notary Project).
          - All certificates of a signature must be valid now. Revocation and time stamps aren't checked.
        type: list
        elements: str
      subjects:
        description:
          - Subjects that the certificate of the signer may have, such as V(C=DE, O=Example). It must have all parts of one of them.
          - By default, every signer with a trusted certificate may sign.
        type: list
        elements: str
      annotations:
        description: Annotations that must be in what is signed, with these values.
        type: dict
      predicate_types:
        description:
          - Types of in-toto statements that count as a signature. By default, only V(https://sigstore.dev/cosign/sign/v1) does. A
            key that signs SBOMs doesn't approve images by that.
        type: list
        elements: str
      each_image:
        description: Whether every image of an index needs a signature of its own as well.
        type: bool
        default: false
"""
