# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Signers of every kind, and signatures in every form, made with ``cryptography`` alone."""

from __future__ import annotations

import base64
import datetime
import functools
import hashlib
import json
import typing as t

from ansible_collections.imageops.registry.plugins.module_utils._model._manifest import Descriptor
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, x25519
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

NOW = datetime.datetime(2026, 6, 1, 12)
DAY = datetime.timedelta(days=1)
SIMPLE_SIGNING = "application/vnd.dev.cosign.simplesigning.v1+json"
BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
IN_TOTO = "application/vnd.in-toto+json"
COSIGN_SIGN = "https://sigstore.dev/cosign/sign/v1"
JOSE = "application/jose+json"

Private = t.Any
Sign = t.Callable[[Private, bytes], bytes]


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def b64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode("ascii").rstrip("=")


@functools.cache
def private_key(kind: str, number: int = 0) -> Private:
    """A private key of a kind, such as ``p256`` or ``rsa2048``; another one for every number. RSA takes its time."""
    if kind.startswith("rsa"):
        return rsa.generate_private_key(65537, int(kind[3:]))
    if kind == "ed25519":
        return ed25519.Ed25519PrivateKey.generate()
    if kind == "x25519":
        return x25519.X25519PrivateKey.generate()
    curves: dict[str, ec.EllipticCurve] = {
        "p256": ec.SECP256R1(),
        "p384": ec.SECP384R1(),
        "p521": ec.SECP521R1(),
        "k256": ec.SECP256K1(),
    }
    return ec.generate_private_key(curves[kind])


def public_pem(key: Private) -> bytes:
    pem: bytes = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return pem


def private_pem(key: Private, passphrase: str | None = None, *, traditional: bool = False) -> str:
    """A private key in PKCS#8, encrypted where a passphrase is given; or as OpenSSL wrote them before."""
    form = serialization.PrivateFormat.TraditionalOpenSSL if traditional else serialization.PrivateFormat.PKCS8
    protection: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if passphrase:
        protection = serialization.BestAvailableEncryption(passphrase.encode())
    pem: bytes = key.private_bytes(serialization.Encoding.PEM, form, protection)
    return pem.decode("ascii")


def ecdsa(hashed: hashes.HashAlgorithm) -> Sign:
    return lambda key, data: t.cast(bytes, key.sign(data, ec.ECDSA(hashed)))


def rsa_pkcs1(key: Private, data: bytes) -> bytes:
    return t.cast(bytes, key.sign(data, padding.PKCS1v15(), hashes.SHA256()))


def rsa_pss(key: Private, data: bytes) -> bytes:
    pss = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
    return t.cast(bytes, key.sign(data, pss, hashes.SHA256()))


def pure(key: Private, data: bytes) -> bytes:
    return t.cast(bytes, key.sign(data))


WAYS: dict[str, tuple[str, Sign]] = {
    "P-256 with SHA-256": ("p256", ecdsa(hashes.SHA256())),
    "P-384 with SHA-384": ("p384", ecdsa(hashes.SHA384())),
    "P-384 with SHA-256": ("p384", ecdsa(hashes.SHA256())),
    "P-521 with SHA-512": ("p521", ecdsa(hashes.SHA512())),
    "P-521 with SHA-256": ("p521", ecdsa(hashes.SHA256())),
    "RSA PKCS#1 v1.5": ("rsa2048", rsa_pkcs1),
    "RSA PSS": ("rsa2048", rsa_pss),
    "Ed25519": ("ed25519", pure),
}
"""The ways to sign with a key that are verified: kind of key, and what signs."""


class Made(t.NamedTuple):
    """A signature as a registry has it: the layer, and its bytes."""

    layer: Descriptor
    content: bytes

    def listed(self) -> dict[str, t.Any]:
        """The layer as a manifest lists it, which may be untrue of the bytes."""
        kind, digest, size = self.layer[:3]
        return {"mediaType": kind, "digest": digest, "size": size, "annotations": dict(self.layer.annotations)}


def made(content: bytes, media_type: str, annotations: t.Mapping[str, str] | None = None) -> Made:
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    return Made(Descriptor(media_type, digest, len(content), annotations=annotations or {}), content)


def simple_signing(
    digest: str, key: Private, sign: Sign, *, optional: t.Any = None, kind: str = "cosign container image signature"
) -> Made:
    """A signature under cosign's tag."""
    image = {"docker-manifest-digest": digest}
    critical = {"identity": {"docker-reference": "elsewhere.example/app"}, "image": image, "type": kind}
    payload = json.dumps({"critical": critical, "optional": optional}).encode()
    return made(payload, SIMPLE_SIGNING, {"dev.cosignproject.cosign/signature": b64(sign(key, payload))})


def statement(digest: str, **changes: t.Any) -> dict[str, t.Any]:
    """A statement about a digest."""
    algorithm, _colon, encoded = digest.partition(":")
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"digest": {algorithm: encoded}}],
        "predicateType": COSIGN_SIGN,
        "predicate": {},
        **changes,
    }


def envelope(document: t.Any, key: Private, sign: Sign) -> dict[str, t.Any]:
    """A DSSE envelope around a statement."""
    payload = json.dumps(document).encode()
    signed = b"DSSEv1 %d %s %d %s" % (len(IN_TOTO), IN_TOTO.encode(), len(payload), payload)
    return {"payload": b64(payload), "payloadType": IN_TOTO, "signatures": [{"sig": b64(sign(key, signed))}]}


def bundle(**content: t.Any) -> Made:
    """A bundle with what it signs, such as ``dsseEnvelope``."""
    material = {"publicKey": {"hint": "bm90IGF1dGhlbnRpY2F0ZWQ="}}
    document = {"mediaType": BUNDLE, "verificationMaterial": material, **content}
    return made(json.dumps(document).encode(), BUNDLE)


def signed_statement(digest: str, key: Private, sign: Sign, **changes: t.Any) -> Made:
    """A bundle with a signed statement about a digest."""
    return bundle(dsseEnvelope=envelope(statement(digest, **changes), key, sign))


def signed_manifest(content: bytes, key: Private, sign: Sign) -> Made:
    """A bundle with a signature over a manifest."""
    digest = {"algorithm": "SHA2_256", "digest": b64(hashlib.sha256(content).digest())}
    return bundle(messageSignature={"messageDigest": digest, "signature": b64(sign(key, content))})


class Certified(t.NamedTuple):
    """A private key with its certificate."""

    key: Private
    certificate: x509.Certificate

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.DER)


class Draft(t.NamedTuple):
    """What a certificate is made from; each test changes what it is about."""

    name: str
    kind: str = "p256"
    authority: bool = False
    critical: bool = True
    path_length: int | None = None
    usage: str = "digital_signature"
    extended: tuple[x509.ObjectIdentifier, ...] = (ExtendedKeyUsageOID.CODE_SIGNING,)
    begin: datetime.datetime = NOW - 30 * DAY
    end: datetime.datetime = NOW + 30 * DAY
    hashed: hashes.HashAlgorithm = hashes.SHA256()
    number: int = 0
    more: tuple[tuple[x509.ExtensionType, bool], ...] = ()
    """Further extensions, and whether each is critical."""


def authority(name: str, **changes: t.Any) -> Draft:
    return Draft(name, authority=True, usage="key_cert_sign", extended=(), **changes)


_USAGES = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)


def subject(name: str) -> x509.Name:
    attributes = [(NameOID.COUNTRY_NAME, "DE"), (NameOID.ORGANIZATION_NAME, "Example"), (NameOID.COMMON_NAME, name)]
    return x509.Name([x509.NameAttribute(oid, value) for oid, value in attributes])


def certify(draft: Draft, issuer: Certified | None = None) -> Certified:
    """A certificate, by itself or by an issuer."""
    key = private_key(draft.kind, draft.number)
    signing, name = (key, subject(draft.name)) if issuer is None else (issuer.key, issuer.certificate.subject)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject(draft.name))
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(draft.begin)
        .not_valid_after(draft.end)
        .add_extension(x509.BasicConstraints(draft.authority, draft.path_length), draft.critical)
    )
    if draft.usage:
        usages = draft.usage.split()
        builder = builder.add_extension(x509.KeyUsage(**{use: use in usages for use in _USAGES}), draft.critical)
    if draft.extended:
        builder = builder.add_extension(x509.ExtendedKeyUsage(draft.extended), critical=False)
    for extension, critical in draft.more:
        builder = builder.add_extension(extension, critical)
    hashed = None if isinstance(signing, ed25519.Ed25519PrivateKey) else draft.hashed
    return Certified(key, builder.sign(signing, hashed))  # type: ignore[arg-type]  # keys of any kind


_HASHES: dict[int, hashes.HashAlgorithm] = {
    2048: hashes.SHA256(),
    3072: hashes.SHA384(),
    4096: hashes.SHA512(),
    256: hashes.SHA256(),
    384: hashes.SHA384(),
    521: hashes.SHA512(),
}
"""The hash that belongs to a key of so many bits."""


def jws_signature(key: Private, data: bytes) -> bytes:
    """A signature as JWS has it (RFC 7518, 3.4 and 3.5), by the algorithm that belongs to the key."""
    if isinstance(key, rsa.RSAPrivateKey):
        hashed = _HASHES[key.key_size]
        return key.sign(data, padding.PSS(padding.MGF1(hashed), hashed.digest_size), hashed)
    hashed = _HASHES[key.curve.key_size]
    length = (key.curve.key_size + 7) // 8
    numbers = decode_dss_signature(key.sign(data, ec.ECDSA(hashed)))
    return b"".join(number.to_bytes(length, "big") for number in numbers)


ALGORITHMS = {
    "p256": "ES256",
    "p384": "ES384",
    "p521": "ES512",
    "rsa2048": "PS256",
    "rsa3072": "PS384",
    "rsa4096": "PS512",
}
"""The algorithm of JWS that belongs to a kind of key."""


def notary(
    about: Descriptor,
    signer: Certified,
    chain: t.Sequence[Certified],
    *,
    algorithm: str,
    target: t.Mapping[str, t.Any] | None = None,
    header: t.Mapping[str, t.Any] | None = None,
) -> Made:
    """An envelope of the Notary Project. In ``header``, None takes an entry out."""
    artifact = {"mediaType": about.media_type, "digest": about.digest, "size": about.size, **(target or {})}
    protected = {
        "alg": algorithm,
        "cty": "application/vnd.cncf.notary.payload.v1+json",
        "crit": ["io.cncf.notary.signingScheme"],
        "io.cncf.notary.signingScheme": "notary.x509",
        "io.cncf.notary.signingTime": "2026-06-01T10:00:00Z",
        **(header or {}),
    }
    kept = {name: value for name, value in protected.items() if value is not None}
    parts = [b64url(json.dumps(part).encode()) for part in (kept, {"targetArtifact": artifact})]
    document = {
        "protected": parts[0],
        "payload": parts[1],
        "header": {"x5c": [b64(one.der) for one in chain]},
        "signature": b64url(jws_signature(signer.key, ".".join(parts).encode())),
    }
    return made(json.dumps(document).encode(), JOSE)
