# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Signatures of the Notary Project: a referrer with a JWS (its specifications of signatures and of JWS envelopes).

Revocation isn't looked at, and neither are time stamps. An envelope in COSE isn't read.
"""

from __future__ import annotations

import datetime
import typing as t

from .._model._errors import Unverified
from .._model._manifest import Descriptor, Manifest
from .._model._times import parse_time
from . import _cryptography as lib
from ._certificate_chain import subject_of
from ._public_keys import curve_hash
from ._signed_content import annotations_of, decode, decode_url, member, parse_object, shown
from ._trust import Subject, Trust, check_digest

ARTIFACT_TYPE = "application/vnd.cncf.notary.signature"
_JWS = "application/jose+json"
_PAYLOAD_TYPE = "application/vnd.cncf.notary.payload.v1+json"
_SCHEME, _EXPIRY = "io.cncf.notary.signingScheme", "io.cncf.notary.expiry"
_SCHEMES = ("notary.x509", "notary.x509.signingAuthority")
_CRITICAL = (_SCHEME, _EXPIRY, "io.cncf.notary.authenticSigningTime")
"""What is known of the entries that must be understood."""
_RSA_HASHES = {2048: "SHA256", 3072: "SHA384", 4096: "SHA512"}


def envelopes(manifest: Manifest) -> list[Descriptor]:
    """The layers of a referrer that are envelopes of signatures, in whatever form."""
    return manifest.layers() if manifest.artifact_type == ARTIFACT_TYPE else []


def verify(layer: Descriptor, content: bytes, subject: Subject, trust: Trust, now: datetime.datetime) -> str:
    """Who has signed an envelope about ``subject``. Raises :class:`Unverified`."""
    if layer.media_type != _JWS:
        raise Unverified(f"the envelope is of the type {shown(layer.media_type)}; only {_JWS} is verified")
    document = parse_object(content, "the envelope")
    protected, payload = document.get("protected"), document.get("payload")
    header = parse_object(decode_url(protected, "the protected header"), "the protected header")
    _check_header(header, now)
    _check_payload(parse_object(decode_url(payload, "the payload"), "the payload"), subject, trust)
    chain = member(member(document, "header", dict, "the envelope"), "x5c", list, "the envelope")
    signer = trust.roots.check_chain([decode(one, "a certificate") for one in chain], now)
    signed = f"{protected}.{payload}".encode("ascii")
    _check_signature(signer.public_key(), header.get("alg"), decode_url(document.get("signature"), "it"), signed)
    return f"certificate:{subject_of(signer)}"


def _check_header(header: t.Mapping[str, t.Any], now: datetime.datetime) -> None:
    critical = header.get("crit")
    if not isinstance(critical, list) or _SCHEME not in critical:
        raise Unverified("the protected header does not have its scheme among what must be understood (crit)")
    unknown = [name for name in critical if name not in _CRITICAL]
    if unknown:
        raise Unverified(f"the protected header has what must be understood, and is not: {shown(unknown[0])}")
    if header.get(_SCHEME) not in _SCHEMES:
        raise Unverified(f"the scheme {shown(header.get(_SCHEME))} is not known")
    if header.get("cty") != _PAYLOAD_TYPE:
        raise Unverified(f"the payload is of the type {shown(header.get('cty'))}, not {_PAYLOAD_TYPE}")
    if _EXPIRY in header:
        expiry = parse_time(header[_EXPIRY])
        if expiry is None:
            raise Unverified(f"its expiry {shown(header[_EXPIRY])} is not a time")
        if expiry <= now:
            raise Unverified(f"it has expired, at {header[_EXPIRY]}")


def _check_payload(payload: t.Mapping[str, t.Any], subject: Subject, trust: Trust) -> None:
    target = member(payload, "targetArtifact", dict, "the payload")
    check_digest(target.get("digest"), subject)
    wanted = {"mediaType": subject.descriptor.media_type, "size": subject.descriptor.size}
    for name, value in wanted.items():
        if target.get(name) != value or isinstance(target.get(name), bool):
            raise Unverified(f"it is about {name} {shown(target.get(name))}, not {shown(value)}")
    trust.check_annotations(annotations_of(target.get("annotations"), "the payload"))


def _check_signature(key: t.Any, algorithm: t.Any, signature: bytes, signed: bytes) -> None:
    """Raise :class:`Unverified` where the key hasn't signed this, in the one way that belongs to it."""
    wanted, *arguments = _way(key)
    if algorithm != wanted:
        raise Unverified(f"the algorithm is {shown(algorithm)}, and the signer's key has {wanted or 'none'}")
    try:
        if isinstance(key, lib.ec.EllipticCurvePublicKey):
            signature = _as_der(signature, key)
        key.verify(signature, signed, *arguments)
    except lib.INVALID:
        raise Unverified("the key in the signer's certificate does not verify it") from None


def _way(key: t.Any) -> tuple[t.Any, ...]:
    """The algorithm that belongs to a key, and the arguments of its ``verify``; nothing but "" where there is none."""
    if isinstance(key, lib.ec.EllipticCurvePublicKey):
        hashed = curve_hash(key)
        return (f"ES{hashed.digest_size * 8}", lib.ec.ECDSA(hashed)) if hashed else ("",)
    if isinstance(key, lib.rsa.RSAPublicKey) and key.key_size in _RSA_HASHES:
        hashed = getattr(lib.hashes, _RSA_HASHES[key.key_size])()
        pss = lib.padding.PSS(lib.padding.MGF1(hashed), hashed.digest_size)
        return f"PS{hashed.digest_size * 8}", pss, hashed
    return ("",)


def _as_der(signature: bytes, key: t.Any) -> bytes:
    """An ECDSA signature as two numbers in a row (RFC 7518, 3.4), in the form that is verified."""
    length = (key.curve.key_size + 7) // 8
    if len(signature) != 2 * length:
        raise ValueError
    numbers = (int.from_bytes(part, "big") for part in (signature[:length], signature[length:]))
    return t.cast(bytes, lib.encode_dss_signature(*numbers))
