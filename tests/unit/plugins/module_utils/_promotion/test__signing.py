# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import base64
import json
import typing as t
from pathlib import Path

import pytest
from ansible_collections.imageops.registry.plugins.module_utils._model._digest import compute_digest
from ansible_collections.imageops.registry.plugins.module_utils._model._errors import (
    InvalidInput,
    LocalFileError,
    RegistryError,
    Unverified,
)
from ansible_collections.imageops.registry.plugins.module_utils._model._manifest import OCI_MANIFEST, Descriptor
from ansible_collections.imageops.registry.plugins.module_utils._promotion import _cryptography, _sigstore_bundle
from ansible_collections.imageops.registry.plugins.module_utils._promotion._public_keys import public_key
from ansible_collections.imageops.registry.plugins.module_utils._promotion._signing import Signer, read_signer
from ansible_collections.imageops.registry.plugins.module_utils._promotion._statement import signed_bytes
from ansible_collections.imageops.registry.plugins.module_utils._promotion._trust import Subject, Trust
from ansible_collections.imageops.registry.tests.unit.support.documents import OTHER_DIGEST, encoded, image
from ansible_collections.imageops.registry.tests.unit.support.signing import (
    BUNDLE,
    COSIGN_SIGN,
    IN_TOTO,
    private_key,
    private_pem,
    public_pem,
    statement,
)
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

CONTENT = encoded(image())
SUBJECT = Subject(Descriptor(OCI_MANIFEST, compute_digest(CONTENT), len(CONTENT)), CONTENT)
STATEMENT = json.dumps(statement(SUBJECT.descriptor.digest)).encode()
KINDS = ("p256", "p384", "p521", "rsa2048", "rsa3072", "ed25519")


def signer(pem: str, passphrase: str | None = None) -> Signer:
    return read_signer(pem, passphrase, "record.sign_with", "record.sign_passphrase")


def refusal(text: str, passphrase: str | None = None) -> str:
    with pytest.raises(RegistryError) as caught:
        signer(text, passphrase)
    assert isinstance(caught.value, (InvalidInput, LocalFileError))
    return str(caught.value)


def trusting(key: t.Any) -> Trust:
    return Trust((public_key(public_pem(key), "keys"),))


@pytest.mark.parametrize("passphrase", [None, "correct horse", "pässwörd"])
@pytest.mark.parametrize("kind", KINDS)
def test_what_every_kind_of_key_signs_verifies_with_its_public_key_alone(kind: str, passphrase: str | None) -> None:
    key = private_key(kind)
    bundle = signer(private_pem(key, passphrase), passphrase).bundle(STATEMENT)
    trust = trusting(key)
    assert _sigstore_bundle.verify(bundle, SUBJECT, trust) == trust.keys[0].name
    with pytest.raises(Unverified, match="does not verify"):
        _sigstore_bundle.verify(bundle, SUBJECT, trusting(private_key(kind, 1)))


@pytest.mark.parametrize("kind", ["p256", "p384", "p521"])
def test_every_curve_signs_with_the_hash_that_cosign_verifies(kind: str) -> None:
    key = private_key(kind)
    envelope = json.loads(signer(private_pem(key)).bundle(STATEMENT))["dsseEnvelope"]
    made = base64.b64decode(envelope["signatures"][0]["sig"])
    key.public_key().verify(made, signed_bytes(STATEMENT), ec.ECDSA(hashes.SHA256()))


@pytest.mark.parametrize("kind", ["p256", "ed25519", "rsa2048"])
def test_a_key_is_read_from_a_file(kind: str, tmp_path: Path) -> None:
    key = private_key(kind)
    path = tmp_path / "release.key"
    path.write_text(f"Made by openssl\n{private_pem(key)}")
    assert _sigstore_bundle.verify(signer(str(path)).bundle(STATEMENT), SUBJECT, trusting(key))


def test_a_bundle_has_the_fields_that_cosign_writes_and_no_other() -> None:
    key = private_key("p256")
    document = json.loads(signer(private_pem(key)).bundle(STATEMENT))
    (signature,) = document["dsseEnvelope"].pop("signatures")
    assert document == {
        "mediaType": BUNDLE,
        "verificationMaterial": {"publicKey": {"hint": public_key(public_pem(key), "").name.removeprefix("key:")}},
        "dsseEnvelope": {"payload": base64.b64encode(STATEMENT).decode(), "payloadType": IN_TOTO},
    }
    assert list(signature) == ["sig"] and base64.b64decode(signature["sig"], validate=True)


@pytest.mark.parametrize(
    "tamper",
    [
        lambda document: document["dsseEnvelope"].update(payload=_other_payload()),
        lambda document: document["dsseEnvelope"].update(payloadType="application/json"),
        lambda document: document["dsseEnvelope"]["signatures"].append(document["dsseEnvelope"]["signatures"][0]),
        lambda document: document["dsseEnvelope"]["signatures"].clear(),
        lambda document: document["dsseEnvelope"]["signatures"][0].update(sig=_other_signature(document)),
        lambda document: document["verificationMaterial"].pop("publicKey"),
        lambda document: document.update(mediaType="application/json"),
    ],
)
@pytest.mark.parametrize("kind", KINDS)
def test_what_was_tampered_with_does_not_verify(kind: str, tamper: t.Callable[[dict[str, t.Any]], object]) -> None:
    key = private_key(kind)
    document = json.loads(signer(private_pem(key)).bundle(STATEMENT))
    tamper(document)
    with pytest.raises(Unverified):
        _sigstore_bundle.verify(json.dumps(document).encode(), SUBJECT, trusting(key))


def _other_payload() -> str:
    told = statement(SUBJECT.descriptor.digest, predicateType=COSIGN_SIGN, predicate={"a": 1})
    return base64.b64encode(json.dumps(told).encode()).decode()


def _other_signature(document: dict[str, t.Any]) -> str:
    signature = bytearray(base64.b64decode(document["dsseEnvelope"]["signatures"][0]["sig"]))
    signature[-1] ^= 1
    return base64.b64encode(signature).decode()


def test_a_statement_about_another_image_does_not_verify() -> None:
    key = private_key("p256")
    about_another = json.dumps(statement(OTHER_DIGEST)).encode()
    with pytest.raises(Unverified, match="it is about"):
        _sigstore_bundle.verify(signer(private_pem(key)).bundle(about_another), SUBJECT, trusting(key))


UNUSABLE: dict[str, tuple[str, str | None, str]] = {
    "no such file": ("/nowhere/release.key", None, "record.sign_with: the file /nowhere/release.key cannot be read"),
    "a directory": ("/", None, "record.sign_with: / is not a file"),
    "public": (public_pem(private_key("p256")).decode(), None, "is not a private key in PKCS#8 PEM"),
    "PKCS#1": (private_pem(private_key("rsa2048"), traditional=True), None, "openssl pkcs8 -topk8"),
    "SEC 1": (private_pem(private_key("p256"), traditional=True), None, "is not a private key in PKCS#8 PEM"),
    "cosign": (
        "-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\neyJ\n-----END ENCRYPTED SIGSTORE PRIVATE KEY-----\n",
        None,
        "is not a private key in PKCS#8 PEM",
    ),
    "damaged": ("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", None, "cannot be read"),
    "no passphrase": (private_pem(private_key("p256"), "secret"), None, "no record.sign_passphrase is given"),
    "empty passphrase": (private_pem(private_key("p256"), "secret"), "", "no record.sign_passphrase is given"),
    "wrong passphrase": (private_pem(private_key("p256"), "secret"), "other", "record.sign_passphrase is wrong"),
    "needless passphrase": (
        private_pem(private_key("p256")),
        "secret",
        "record.sign_passphrase: the private key is not",
    ),
    "short RSA": (private_pem(private_key("rsa1024")), None, "an RSA key of 1024 bits is too short"),
    "another curve": (private_pem(private_key("k256")), None, "the curve secp256k1 is not supported"),
    "another type": (private_pem(private_key("x25519")), None, "its type is not supported: ECDSA, RSA and Ed25519 are"),
    "DER in base64": (
        "".join(private_pem(private_key("ed25519")).splitlines()[1:-1]),
        None,
        "is not a private key in PKCS#8 PEM",
    ),
}


@pytest.mark.parametrize("what", UNUSABLE)
def test_a_key_that_can_not_be_used_is_named_with_its_option_and_never_quoted(what: str) -> None:
    text, passphrase, words = UNUSABLE[what]
    said = refusal(text, passphrase)
    assert words in said and said.startswith("record.sign_")
    secrets = [line for line in text.splitlines() if len(line) > 16 and not line.startswith(("-", "/"))]
    assert not [secret for secret in [*secrets, passphrase] if secret and secret in said]


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "large"
    path.write_bytes(b" " * (1024 * 1024 + 1))
    assert "is larger than 1048576 bytes" in refusal(str(path))


def test_without_cryptography_nothing_is_signed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_cryptography, "PROBLEM", "it is missing")
    assert "nothing can be signed, since it is missing" in refusal(private_pem(private_key("p256")))
