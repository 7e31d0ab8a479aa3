# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is kept of promotions. It pairs with ``RECORD`` in ``plugins/module_utils/_module/_record_arguments.py``."""

from __future__ import annotations


class ModuleDocFragment:
    """The directory of records, and what they say of who promotes and why."""

    DOCUMENTATION = r"""
options:
  record:
    description:
      - Where promotions are recorded, and what a record says. All modules with this option take the same dictionary. Each uses the keys
        that it needs.
      - M(imageops.registry.image_copy) writes a record of each promotion that changes something. A record says what was replaced, who
        did it, why, and how it ended. The guide about promotion records describes the format.
    type: dict
    suboptions:
      path:
        description:
          - A directory on the host on which the module runs. It must exist. Several runs can use it at the same time.
          - M(imageops.registry.image_copy) writes each record into a file of its own, before the first tag moves, and replaces the file when
            the promotion has ended. If the record can't be written, the module fails before it writes to a registry.
          - If the record of an earlier promotion has the outcome V(begun), and that run was interrupted, the module warns. A run of
            M(imageops.registry.image_copy) that moves the same tags of the same destination to the same digests finishes the record.
          - The file C(first-seen.json) in the directory records when each digest was first seen at its source. Gates over
            C(first_seen_seconds) need it. Whoever builds images can write any time into C(created), but can't change this file.
        type: path
      attach:
        description:
          - Whether M(imageops.registry.image_copy) attaches a record to every image that it promotes. The record is about that image alone.
            It is a referrer of the promoted digest at the destination, and is copied with the image by later promotions.
          - Records are attached after the tags have moved, to images that the run promotes. Images that are already equal get none.
          - Each digest gets one record for each O(record.environment). Without O(record.environment), the name of the registry is used.
          - If the registry refuses the record, the module warns, and the image stays promoted.
        type: bool
        default: false
      sign_with:
        description:
          - A private key to sign attached records with, as the path of a file on the host on which the module runs, or as text. It must be a
            PKCS#8 key in PEM. ECDSA (P-256, P-384, P-521), RSA (2048 bits or more) and Ed25519 are supported.
          - A signed record is a Sigstore bundle, the format that cosign writes. M(imageops.registry.signature_info) verifies it with the public
            key and the predicate type V(https://github.com/imageops/registry/promotion/v1).
          - With a key, a record that is already attached counts only if this key has signed it.
          - If M(imageops.registry.image_copy) can't use the key, it fails before it sends a request. The role
            P(imageops.registry.promote#role) has compared the images by then, but nothing is written to a registry.
          - Requires O(record.attach=true), and the Python library C(cryptography) where the module runs.
        type: str
      sign_passphrase:
        description: The passphrase of O(record.sign_with), if the key is encrypted.
        type: str
      environment:
        description: The name of the environment that the destination belongs to, such as V(staging). It is in the record.
        type: str
      actor:
        description:
          - Who promotes. It is in the record.
          - A record never has the name of the user or of the machine that runs Ansible, unless you give it here.
        type: str
      job:
        description: What promotes, such as the address of a CI job. It is in the record, without a login in the address.
        type: str
      reason:
        description: Why it is promoted, such as the number of a change request. It is in the record.
        type: str
      reverts:
        description:
          - The record that this promotion reverts, if it is a rollback. Either the name of its file, without the directory, or the digest of
            the attached record. The role P(imageops.registry.rollback#role) sets this option.
        type: str
"""
