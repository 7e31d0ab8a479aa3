# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Statements signed with a private key: a Sigstore bundle around each, as cosign writes it without a log.

What verifies them is in :mod:`._sigstore_bundle`.
"""

from __future__ import annotations

import base64
import json
import typing as t

from .._model._errors import InvalidInput
from . import _cryptography as lib
from ._pem import read_pem
from ._public_keys import PublicKey, name_of, weakness
from ._sigstore_bundle import MEDIA_TYPE
from ._statement import PAYLOAD_TYPE, signed_bytes

_KEY, _ENCRYPTED = b"-----BEGIN PRIVATE KEY-----", b"-----BEGIN ENCRYPTED PRIVATE KEY-----"


class Signer(t.NamedTuple):
    """A private key that signs statements."""

    key: t.Any
    """As ``cryptography`` has it: ECDSA, RSA or Ed25519."""
    public: PublicKey
    """What verifies its signatures."""

    def bundle(self, statement: bytes) -> bytes:
        """A Sigstore bundle v0.3 around the bytes of a statement: a DSSE envelope with one signature."""
        envelope = {
            "payload": _base64(statement),
            "payloadType": PAYLOAD_TYPE,
            "signatures": [{"sig": _base64(self._signature(signed_bytes(statement)))}],
        }
        material = {"publicKey": {"hint": self.public.name.partition(":")[2]}}
        document = {"mediaType": MEDIA_TYPE, "verificationMaterial": material, "dsseEnvelope": envelope}
        return json.dumps(document, separators=(",", ":")).encode("ascii")

    def _signature(self, signed: bytes) -> bytes:
        """ECDSA with SHA-256, in DER; RSA as PKCS#1 v1.5 with SHA-256; Ed25519 pure.

        On every curve SHA-256: with the curve's own, cosign 3 doesn't verify it.
        """
        public = self.public.key
        if isinstance(public, lib.rsa.RSAPublicKey):
            return t.cast(bytes, self.key.sign(signed, lib.padding.PKCS1v15(), lib.hashes.SHA256()))
        if isinstance(public, lib.ec.EllipticCurvePublicKey):
            return t.cast(bytes, self.key.sign(signed, lib.ec.ECDSA(lib.hashes.SHA256())))
        return t.cast(bytes, self.key.sign(signed))


def read_signer(text: str, passphrase: str | None, option: str, passphrase_option: str) -> Signer:
    """The private key in a PEM text (PKCS#8), or in the file of that path. No message quotes the text.

    Raises :class:`InvalidInput` and :class:`LocalFileError` with the option that is wrong.
    """
    if lib.PROBLEM:
        raise InvalidInput(
            f"{option}: nothing can be signed, since {lib.PROBLEM}",
            hint="Install cryptography for the Python that runs the module",
        )
    pem, where = read_pem(text, option)
    encrypted = _ENCRYPTED in pem
    if not encrypted and _KEY not in pem:
        raise InvalidInput(
            f"{where}: it is not a private key in PKCS#8 PEM",
            hint="Give one that begins with '-----BEGIN PRIVATE KEY-----' or '-----BEGIN ENCRYPTED PRIVATE KEY-----'. "
            "'openssl pkcs8 -topk8' makes one of most others",
        )
    if encrypted and not passphrase:
        raise InvalidInput(f"{where}: the private key is encrypted, and no {passphrase_option} is given")
    if passphrase and not encrypted:
        raise InvalidInput(
            f"{passphrase_option}: the private key is not encrypted", hint=f"Leave {passphrase_option} out"
        )
    return _signer(_load(pem, passphrase, where, passphrase_option), where)


def _load(pem: bytes, passphrase: str | None, where: str, passphrase_option: str) -> t.Any:
    try:
        secret = passphrase.encode("utf-8", "surrogateescape") if passphrase else None
        return lib.serialization.load_pem_private_key(pem, secret)
    except lib.UNREADABLE:
        why = f", or {passphrase_option} is wrong" if passphrase else ""
        raise InvalidInput(f"{where}: the private key cannot be read: it is damaged, of an unknown kind{why}") from None


def _signer(key: t.Any, where: str) -> Signer:
    public = key.public_key()
    problem = weakness(public)
    if problem:
        raise InvalidInput(f"{where}: {problem}")
    return Signer(key, PublicKey(public, name_of(public)))


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")
