# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Signatures as cosign makes them, old and new, and their verification against a key."""

from __future__ import annotations

import base64
import json
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from images import OCI_CONFIG, OCI_EMPTY, OCI_MANIFEST, Blob, Manifest, content_blob

SIMPLE_SIGNING = "application/vnd.dev.cosign.simplesigning.v1+json"
BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
IN_TOTO = "application/vnd.in-toto+json"
_SIGNATURE = "dev.cosignproject.cosign/signature"

JSON = dict[str, Any]


def key_of(seed: str) -> Ed25519PrivateKey:
    """A key that is the same for the same seed."""
    return Ed25519PrivateKey.from_private_bytes(seed.encode().ljust(32, b"-")[:32])


def signature_image(key: Ed25519PrivateKey, *digests: str) -> Manifest:
    """What cosign puts under the tag ``sha256-<hex>.sig``: a layer for each signature."""
    layers = []
    blobs: list[Blob] = [content_blob(OCI_CONFIG, b"{}")]
    for digest in digests:
        payload = _encode(
            {
                "critical": {
                    "identity": {"docker-reference": ""},
                    "image": {"docker-manifest-digest": digest},
                    "type": "cosign container image signature",
                },
                "optional": None,
            }
        )
        blob = content_blob(SIMPLE_SIGNING, payload)
        signature = base64.b64encode(key.sign(payload)).decode()
        layers.append({**blob.descriptor(), "annotations": {_SIGNATURE: signature}})
        blobs.append(blob)
    body = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": blobs[0].descriptor(), "layers": layers}
    return Manifest(OCI_MANIFEST, _encode(body), tuple(blobs))


def bundle(key: Ed25519PrivateKey, subject: Manifest) -> Manifest:
    """A signature bundle that refers to its subject."""
    payload = _encode({"subject": [{"digest": {"sha256": subject.digest.partition(":")[2]}}]})
    envelope = {
        "payload": base64.b64encode(payload).decode(),
        "payloadType": IN_TOTO,
        "signatures": [{"sig": base64.b64encode(key.sign(_authenticated(payload))).decode()}],
    }
    return referrer(BUNDLE, _encode({"mediaType": BUNDLE, "dsseEnvelope": envelope}), subject)


def referrer(artifact_type: str, content: bytes, subject: Manifest) -> Manifest:
    """An artifact of that type that refers to its subject."""
    empty, layer = content_blob(OCI_EMPTY, b"{}"), content_blob(artifact_type, content)
    body = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "artifactType": artifact_type,
        "config": empty.descriptor(),
        "layers": [layer.descriptor()],
        "subject": subject.descriptor(),
        "annotations": {"org.opencontainers.image.created": "2026-01-01T00:00:00Z"},
    }
    return Manifest(OCI_MANIFEST, _encode(body), (empty, layer))


def signed_by_tag(key: Ed25519PrivateKey, manifest: JSON, payloads: list[bytes], digest: str) -> bool:
    """Whether a manifest under cosign's tag has a signature of the key for that digest."""
    for layer, payload in zip(manifest["layers"], payloads):
        named = json.loads(payload)["critical"]["image"]["docker-manifest-digest"]
        if named == digest and _verifies(key, base64.b64decode(layer["annotations"][_SIGNATURE]), payload):
            return True
    return False


def signed_by_bundle(key: Ed25519PrivateKey, content: bytes, digest: str) -> bool:
    """Whether a bundle is a signature of the key for that digest."""
    envelope = json.loads(content)["dsseEnvelope"]
    payload = base64.b64decode(envelope["payload"])
    named = json.loads(payload)["subject"][0]["digest"]["sha256"]
    signature = base64.b64decode(envelope["signatures"][0]["sig"])
    return f"sha256:{named}" == digest and _verifies(key, signature, _authenticated(payload))


def _authenticated(payload: bytes) -> bytes:
    """The pre-authentication encoding of DSSE."""
    kind = IN_TOTO.encode()
    return b" ".join([b"DSSEv1", str(len(kind)).encode(), kind, str(len(payload)).encode(), payload])


def _verifies(key: Ed25519PrivateKey, signature: bytes, message: bytes) -> bool:
    try:
        key.public_key().verify(signature, message)
    except InvalidSignature:
        return False
    return True


def _encode(value: JSON) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
