# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Public keys that signatures are verified with: which are taken, how each is called, and with which hash it signs."""

from __future__ import annotations

import base64
import hashlib
import re
import typing as t

from .._model._errors import InvalidInput
from . import _cryptography as lib

_LEAST_RSA = 2048
"""Bits. Shorter RSA keys can be broken."""
_PEM = re.compile(rb"-----BEGIN (?:RSA )?PUBLIC KEY-----.*?(?=-----BEGIN |\Z)", re.DOTALL)
_PH = "An Ed25519 key verifies pure Ed25519 only; cosign 3 signs Ed25519ph unless told otherwise"


class PublicKey(t.NamedTuple):
    """A public key of a kind that this collection verifies with: ECDSA, RSA or Ed25519."""

    key: t.Any
    """As ``cryptography`` has it."""
    name: str
    """``key:`` and the base64 SHA-256 of the SubjectPublicKeyInfo: what a Sigstore bundle has as its hint."""

    def verifies(self, signature: bytes, signed: bytes) -> bool:
        """Whether the key has signed these bytes.

        ECDSA is DER, with the hash of the curve or SHA-256. RSA is PKCS#1 v1.5 or PSS, with SHA-256. Ed25519 is pure.
        """
        return any(_holds(self.key, signature, signed, *scheme) for scheme in _schemes(self.key))

    @property
    def advice(self) -> str:
        """What to know where a signature doesn't verify, although it is this key's; empty where there is nothing."""
        return _PH if isinstance(self.key, lib.ed25519.Ed25519PublicKey) else ""


def public_keys(pem: bytes, where: str) -> tuple[PublicKey, ...]:
    """Every public key in a PEM text: one that is replaced by another is in the same file for a while.

    Raises :class:`InvalidInput`, also where only one of them can't be read; ``where`` names the option or the file.
    """
    return tuple(public_key(one, where) for one in _PEM.findall(pem) or [pem])


def public_key(pem: bytes, where: str) -> PublicKey:
    """The one public key in a PEM text. Raises :class:`InvalidInput`; ``where`` names the option or the file."""
    try:
        key = lib.serialization.load_pem_public_key(pem)
    except lib.UNREADABLE:
        raise InvalidInput(
            f"{where}: it is not a public key in PEM",
            hint="Give the text, or the path, of a file that begins with '-----BEGIN PUBLIC KEY-----'",
        ) from None
    problem = weakness(key)
    if problem:
        raise InvalidInput(f"{where}: {problem}")
    return PublicKey(key, name_of(key))


def weakness(key: t.Any) -> str:
    """Why a key isn't taken; empty where it is."""
    if isinstance(key, lib.rsa.RSAPublicKey):
        return "" if key.key_size >= _LEAST_RSA else f"an RSA key of {key.key_size} bits is too short to be trusted"
    if isinstance(key, lib.ec.EllipticCurvePublicKey):
        return "" if curve_hash(key) else f"the curve {key.curve.name} is not supported: P-256, P-384 and P-521 are"
    if isinstance(key, lib.ed25519.Ed25519PublicKey):
        return ""
    return "its type is not supported: ECDSA, RSA and Ed25519 are"


def name_of(key: t.Any) -> str:
    """How results call a key: ``key:`` and the base64 SHA-256 of its SubjectPublicKeyInfo."""
    form = lib.serialization
    spki = key.public_bytes(form.Encoding.DER, form.PublicFormat.SubjectPublicKeyInfo)
    return f"key:{base64.b64encode(hashlib.sha256(spki).digest()).decode('ascii')}"


def curve_hash(key: t.Any) -> t.Any:
    """The hash that belongs to the curve of an ECDSA key (FIPS 186-5 strengths); None for another curve."""
    found = {"secp256r1": lib.hashes.SHA256, "secp384r1": lib.hashes.SHA384, "secp521r1": lib.hashes.SHA512}
    chosen = found.get(key.curve.name)
    return chosen() if chosen else None


def _schemes(key: t.Any) -> list[tuple[t.Any, ...]]:
    """The ways in which a key may have signed, each as the last arguments of its ``verify``."""
    sha256 = lib.hashes.SHA256()
    if isinstance(key, lib.rsa.RSAPublicKey):
        pss = lib.padding.PSS(lib.padding.MGF1(sha256), lib.padding.PSS.AUTO)
        return [(lib.padding.PKCS1v15(), sha256), (pss, sha256)]
    if isinstance(key, lib.ec.EllipticCurvePublicKey):
        # cosign signs with the hash of the curve, and verifies with SHA-256.
        own = curve_hash(key)
        return [(lib.ec.ECDSA(hashed),) for hashed in ([own] if own.name == "sha256" else [own, sha256])]
    return [()]


def _holds(key: t.Any, signature: bytes, signed: bytes, *scheme: t.Any) -> bool:
    try:
        key.verify(signature, signed, *scheme)
    except lib.INVALID:
        return False
    return True
