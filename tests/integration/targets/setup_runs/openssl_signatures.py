# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Signatures of a manifest in every form, made with the ``openssl`` command, and such that were tampered with."""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
from pathlib import Path
from typing import Any

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
SIMPLE_SIGNING = "application/vnd.dev.cosign.simplesigning.v1+json"
BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
COSIGN_SIGN = "https://sigstore.dev/cosign/sign/v1"
IN_TOTO = "application/vnd.in-toto+json"
NOTARY, JOSE = "application/vnd.cncf.notary.signature", "application/jose+json"
EXTENSIONS = """
[ca]
basicConstraints = critical, CA:true
keyUsage = critical, keyCertSign
[signer]
basicConstraints = critical, CA:false
keyUsage = critical, digitalSignature
extendedKeyUsage = codeSigning
[server]
basicConstraints = critical, CA:false
keyUsage = critical, digitalSignature
extendedKeyUsage = codeSigning, serverAuth
"""


def openssl(*arguments: object, data: bytes = b"") -> bytes:
    done = subprocess.run(["openssl", *map(str, arguments)], input=data, capture_output=True, check=True)
    return done.stdout


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def b64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def digest_of(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


class Keys:
    """A directory with keys and certificates."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        directory.mkdir(exist_ok=True)
        self.path("extensions").write_text(EXTENSIONS)
        kinds = {
            "p256": ("EC", "ec_paramgen_curve:P-256"),
            "p384": ("EC", "ec_paramgen_curve:P-384"),
            "rsa": ("RSA", "rsa_keygen_bits:2048"),
            "stranger": ("EC", "ec_paramgen_curve:P-256"),
        }
        for name, (algorithm, option) in kinds.items():
            openssl("genpkey", "-algorithm", algorithm, "-pkeyopt", option, "-out", self.path(f"{name}.key"))
        openssl("genpkey", "-algorithm", "ed25519", "-out", self.path("ed25519.key"))
        for name in (*kinds, "ed25519"):
            openssl("pkey", "-in", self.path(f"{name}.key"), "-pubout", "-out", self.path(f"{name}.pub"))
        for name, extensions, issuer in (
            ("root", "ca", ""),
            ("other-root", "ca", ""),
            ("release", "signer", "root"),
            ("server", "server", "root"),
        ):
            self._certify(name, extensions, issuer)

    def path(self, name: str) -> Path:
        return self.directory / name

    def _certify(self, name: str, extensions: str, issuer: str) -> None:
        key, request = self.path(f"{name}.pem"), self.path(f"{name}.csr")
        openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", key)
        openssl("req", "-new", "-key", key, "-subj", f"/C=DE/O=Example/CN={name}", "-out", request)
        by = self.path(f"{issuer}.pem"), self.path(f"{issuer}.crt")
        signing = ["-CA", by[1], "-CAkey", by[0], "-CAcreateserial"] if issuer else ["-signkey", key]
        extra = ["-extfile", self.path("extensions"), "-extensions", extensions, "-days", "2"]
        openssl("x509", "-req", "-in", request, *signing, *extra, "-out", self.path(f"{name}.crt"))

    def sign(self, key: str, data: bytes, kind: str = "key") -> bytes:
        file = self.path("signed")
        file.write_bytes(data)
        if key == "ed25519":
            return openssl("pkeyutl", "-sign", "-inkey", self.path(f"{key}.{kind}"), "-rawin", "-in", file)
        hashed = "-sha384" if key == "p384" else "-sha256"
        return openssl("dgst", hashed, "-sign", self.path(f"{key}.{kind}"), file)

    def der(self, name: str) -> bytes:
        return openssl("x509", "-in", self.path(f"{name}.crt"), "-outform", "DER")


class Signatures:
    """Signatures of one manifest, and what has to be pushed for them."""

    def __init__(self, keys: Keys, manifest: bytes) -> None:
        self._keys = keys
        self.manifest = manifest
        self.digest = digest_of(manifest)
        self.blobs: dict[str, bytes] = {}

    def sign(self, key: str, data: bytes) -> bytes:
        return self._keys.sign(key, data)

    def blob(self, content: bytes, media_type: str, **annotations: str) -> dict[str, Any]:
        """Have a blob pushed. Returns its descriptor."""
        self.blobs[digest_of(content)] = content
        found = {"mediaType": media_type, "digest": digest_of(content), "size": len(content)}
        return {**found, "annotations": annotations} if annotations else found

    def simple(self, key: str, digest: str = "", *, broken: bool = False) -> dict[str, Any]:
        image = {"docker-manifest-digest": digest or self.digest}
        identity, kind = {"docker-reference": "elsewhere.example/app"}, "cosign container image signature"
        critical = {"identity": identity, "image": image, "type": kind}
        payload = json.dumps({"critical": critical, "optional": {"approved": "yes"}}).encode()
        signature = self.sign(key, payload + b" " * broken)
        return self.blob(payload, SIMPLE_SIGNING, **{"dev.cosignproject.cosign/signature": b64(signature)})

    def bundle(self, **content: Any) -> dict[str, Any]:
        material = {"publicKey": {"hint": "aGludA=="}}
        return self.blob(
            json.dumps({"mediaType": BUNDLE, "verificationMaterial": material, **content}).encode(), BUNDLE
        )

    def statement(
        self, key: str, digest: str = "", *, tampered: bool = False, kind: str = COSIGN_SIGN, **predicate: Any
    ) -> dict[str, Any]:
        subject = {"digest": {"sha256": (digest or self.digest)[7:]}}
        document = {"_type": "https://in-toto.io/Statement/v1", "subject": [subject], "predicateType": kind}
        payload = json.dumps({**document, "predicate": predicate}).encode()
        signed = b"DSSEv1 %d %s %d %s" % (len(IN_TOTO), IN_TOTO.encode(), len(payload), payload)
        sent = json.dumps({**document, "predicate": {"more": 1}}).encode() if tampered else payload
        signatures = [{"sig": b64(self.sign(key, signed))}]
        return self.bundle(dsseEnvelope={"payload": b64(sent), "payloadType": IN_TOTO, "signatures": signatures})

    def message(self, key: str, content: bytes = b"") -> dict[str, Any]:
        told = {"algorithm": "SHA2_256", "digest": b64(hashlib.sha256(self.manifest).digest())}
        return self.bundle(
            messageSignature={"messageDigest": told, "signature": b64(self.sign(key, content or self.manifest))}
        )

    def notary(self, signer: str, *, digest: str = "", chain: tuple[str, ...] = ("root",)) -> dict[str, Any]:
        kind = json.loads(self.manifest)["mediaType"]
        target = {"mediaType": kind, "digest": digest or self.digest, "size": len(self.manifest)}
        scheme = "io.cncf.notary.signingScheme"
        header = {"alg": "ES256", "cty": "application/vnd.cncf.notary.payload.v1+json", "crit": [scheme]}
        header[scheme] = "notary.x509"
        parts = [b64url(json.dumps(part).encode()) for part in (header, {"targetArtifact": target})]
        der = self._keys.sign(signer, ".".join(parts).encode(), kind="pem")
        certificates = [self._keys.der(name) for name in (signer, *chain)]
        document = {
            "protected": parts[0],
            "payload": parts[1],
            "header": {"x5c": [b64(one) for one in certificates]},
            "signature": b64url(raw(der)),
        }
        return self.blob(json.dumps(document).encode(), JOSE)

    def holding(self, layers: list[dict[str, Any]], kind: str = "") -> dict[str, str]:
        """The manifest that holds signatures; under the tag of cosign without a ``kind``, else as a referrer."""
        config_type = "application/vnd.oci.empty.v1+json" if kind else "application/vnd.oci.image.config.v1+json"
        document = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": self.blob(b"{}", config_type)}
        document["layers"] = layers
        if kind:
            about = {"mediaType": json.loads(self.manifest)["mediaType"], "digest": self.digest}
            document.update(artifactType=kind, subject={**about, "size": len(self.manifest)})
        content = json.dumps(document).encode()
        return {"digest": digest_of(content), "content_base64": b64(content)}


def raw(der: bytes) -> bytes:
    """An ECDSA signature of P-256 as two numbers of 32 bytes in a row, from the DER that openssl writes."""
    numbers, position = [], 2
    for _number in range(2):
        length = der[position + 1]
        numbers.append(int.from_bytes(der[position + 2 : position + 2 + length], "big"))
        position += 2 + length
    return b"".join(number.to_bytes(32, "big") for number in numbers)
