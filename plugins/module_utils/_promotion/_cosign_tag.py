# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Signatures under cosign's tag: simple signing (cosign's SIGNATURE_SPEC).

The manifest under ``sha256-<hex>.sig`` has a layer for each signature: the payload, and the signature over it in an
annotation.
"""

from __future__ import annotations

from .._model._errors import Unverified
from .._model._manifest import Descriptor, Manifest
from ._signed_content import annotations_of, decode, member, parse_object, shown
from ._trust import Subject, Trust, check_digest

ARTIFACT_TYPE = "application/vnd.dev.cosign.artifact.sig.v1+json"
"""What a version of cosign attached in place of the tag, with the same content."""
PAYLOAD_TYPE = "application/vnd.dev.cosign.simplesigning.v1+json"
_SIGNATURE = "dev.cosignproject.cosign/signature"
_CERTIFICATE = "dev.sigstore.cosign/certificate"
_TYPE = "cosign container image signature"
KEYLESS = "it is made with a certificate for one signature (keyless), which is not verified here"
"""Why such a signature is none of a key."""


def payloads(manifest: Manifest) -> list[Descriptor]:
    """The layers of cosign's tag, each of which is the payload of one signature."""
    return [layer for layer in manifest.layers() if layer.media_type == PAYLOAD_TYPE]


def verify(layer: Descriptor, payload: bytes, subject: Subject, trust: Trust) -> str:
    """Who has signed a payload about ``subject``. Raises :class:`Unverified`.

    ``docker-reference`` in it is passed over, as cosign does: an image is promoted to other names.
    """
    document = parse_object(payload, "the payload")
    critical = member(document, "critical", dict, "the payload")
    if critical.get("type") != _TYPE:
        raise Unverified(f"the payload is of the type {shown(critical.get('type'))}, not {_TYPE!r}")
    image = member(critical, "image", dict, "the payload")
    check_digest(image.get("docker-manifest-digest"), subject)
    trust.check_annotations(annotations_of(document.get("optional"), "the payload"))
    if _SIGNATURE not in layer.annotations:
        raise Unverified("the layer has no signature in its annotations")
    signature = decode(layer.annotations[_SIGNATURE], "the signature")
    try:
        return trust.signer(signature, payload)
    except Unverified as error:
        if _CERTIFICATE in layer.annotations:
            raise Unverified(KEYLESS) from error
        raise
