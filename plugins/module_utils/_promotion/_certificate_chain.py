# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Chains of X.509 certificates that sign images (Notary Project, "Certificate Requirements"), up to a trusted one.

Nothing here is a TLS certificate: there is no host name, and the rules are those for signing. Revocation isn't looked
at, and time stamps aren't: every certificate must be valid now.
"""

from __future__ import annotations

import datetime
import re
import typing as t

from .._model._errors import InvalidInput, Unverified
from . import _cryptography as lib
from ._public_keys import weakness
from ._signed_content import shown

_LONGEST_CHAIN = 10
_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----.*?(?=-----BEGIN |\Z)", re.DOTALL)
_RDN = re.compile(r"(?:[^,+\\]|\\.)+")
_ATTRIBUTE_NAMES = {
    "CN": "2.5.4.3",
    "SERIALNUMBER": "2.5.4.5",
    "C": "2.5.4.6",
    "L": "2.5.4.7",
    "ST": "2.5.4.8",
    "S": "2.5.4.8",
    "STREET": "2.5.4.9",
    "O": "2.5.4.10",
    "OU": "2.5.4.11",
    "POSTALCODE": "2.5.4.17",
    "UID": "0.9.2342.19200300.100.1.1",
    "DC": "0.9.2342.19200300.100.1.25",
}
"""Object identifiers of what stands in a subject (RFC 4514, 3, and RFC 5280, A.1)."""
_OTHER_USAGES = {
    "2.5.29.37.0": "any",
    "1.3.6.1.5.5.7.3.1": "serverAuth",
    "1.3.6.1.5.5.7.3.2": "clientAuth",
    "1.3.6.1.5.5.7.3.4": "emailProtection",
    "1.3.6.1.5.5.7.3.8": "timeStamping",
}
"""Extended key usages that a certificate for signing must not have."""
_MAY_SIGN_CODE = ("1.3.6.1.5.5.7.3.3", "2.5.29.37.0")
"""Extended key usages of which an authority has one that may have signers below it, if it has any: codeSigning, any."""
_UNDERSTOOD = ("2.5.29.19", "2.5.29.15", "2.5.29.37")
"""The extensions that are looked at: basicConstraints, keyUsage, extendedKeyUsage."""

Names = frozenset[tuple[str, str]]
"""Attributes of a subject: object identifier, and value."""


class Roots(t.NamedTuple):
    """Certificates that are trusted, and the subjects that a signer may have; without any, every one."""

    certificates: tuple[t.Any, ...] = ()
    subjects: tuple[Names, ...] = ()

    def check_chain(self, encoded: t.Sequence[bytes], now: datetime.datetime) -> t.Any:
        """The first certificate of a chain, that of the signer, if a trusted one leads to it. DER, the signer first.

        Raises :class:`Unverified`.
        """
        if not self.certificates:
            raise Unverified("it is made with a certificate, and no certificates are given")
        if not 0 < len(encoded) <= _LONGEST_CHAIN:
            raise Unverified(f"it has {len(encoded)} certificates, and must have 1 to {_LONGEST_CHAIN}")
        chain = [_from_der(one) for one in encoded]
        anchor = next((place for place, one in enumerate(chain) if one in self.certificates), None)
        if anchor is None:
            raise Unverified(f"none of the trusted certificates leads to {shown(subject_of(chain[0]))}")
        for place, certificate in enumerate(chain):
            _check_validity(certificate, now)
            _check_strength(certificate)
            _check_critical(certificate)
            if place:
                _check_authority(certificate, below=place - 1)
                _check_issued(chain[place - 1], certificate)
        if len(chain) == 1:
            _check_issued(chain[0], chain[0])
        _check_signer(chain[0])
        self._check_subject(chain[0])
        return chain[0]

    def _check_subject(self, signer: t.Any) -> None:
        names = frozenset((one.oid.dotted_string, str(one.value)) for one in signer.subject)
        if self.subjects and not any(wanted <= names for wanted in self.subjects):
            raise Unverified(f"the signer is {shown(subject_of(signer))}, which is none of the subjects that may sign")


def read_certificates(pem: bytes, where: str) -> tuple[t.Any, ...]:
    """The certificates in a PEM text. Raises :class:`InvalidInput`; ``where`` names the option or the file."""
    try:
        found = tuple(lib.x509.load_pem_x509_certificate(one) for one in _PEM.findall(pem))
    except lib.UNREADABLE:
        found = ()
    if not found:
        raise InvalidInput(
            f"{where}: there is no certificate in PEM that can be read",
            hint="Give the text, or the path, of a file that begins with '-----BEGIN CERTIFICATE-----'",
        )
    return found


def read_subject(text: str, where: str) -> Names:
    """What a subject must have, from a text such as ``C=DE, O=Example, CN=release`` (RFC 4514).

    Raises :class:`InvalidInput`.
    """
    found = set()
    for part in _RDN.findall(text):
        name, equals, value = part.partition("=")
        oid = _ATTRIBUTE_NAMES.get(name.strip().upper())
        if not equals or oid is None or not value.strip():
            raise InvalidInput(
                f"{where}: {part.strip()!r} is not part of a subject",
                hint=f"Write it as 'C=DE, O=Example, CN=release', with {', '.join(_ATTRIBUTE_NAMES)}",
            )
        found.add((oid, re.sub(r"\\(.)", r"\1", value.strip())))
    if not found:
        raise InvalidInput(f"{where}: it is empty")
    return frozenset(found)


def subject_of(certificate: t.Any) -> str:
    """The subject of a certificate as a text (RFC 4514)."""
    return str(certificate.subject.rfc4514_string())


def _from_der(encoded: bytes) -> t.Any:
    try:
        certificate = lib.x509.load_der_x509_certificate(encoded)
        # What is wrong in them is found out when they are looked at first.
        for part in ("extensions", "subject", "issuer", "signature_hash_algorithm"):
            getattr(certificate, part)
        certificate.public_key()
    except lib.UNREADABLE:
        raise Unverified("it has a certificate that cannot be read") from None
    return certificate


def _check_validity(certificate: t.Any, now: datetime.datetime) -> None:
    begin, end = (_bound(certificate, name) for name in ("not_valid_before", "not_valid_after"))
    if not begin <= now <= end:
        raise Unverified(f"the certificate of {shown(subject_of(certificate))} is valid from {begin} to {end} only")


def _bound(certificate: t.Any, name: str) -> datetime.datetime:
    """A time of a certificate in UTC, without its zone, as cryptography before 42.0.0 has it alone."""
    found = getattr(certificate, f"{name}_utc", None) or getattr(certificate, name)
    return t.cast(datetime.datetime, found).replace(tzinfo=None)


def _check_strength(certificate: t.Any) -> None:
    problem = weakness(certificate.public_key())
    hashed = certificate.signature_hash_algorithm
    if hashed is None or hashed.name not in ("sha256", "sha384", "sha512"):
        problem = problem or f"it is signed with {'no known hash' if hashed is None else hashed.name}"
    if problem:
        raise Unverified(f"the certificate of {shown(subject_of(certificate))} is not safe: {problem}")


def _check_critical(certificate: t.Any) -> None:
    """Raise for what must be understood and isn't, such as constraints of names (RFC 5280, 4.2)."""
    for extension in certificate.extensions:
        oid = extension.oid.dotted_string
        if extension.critical and oid not in _UNDERSTOOD:
            problem = f"it has the critical extension {oid}, which is not looked at"
            raise Unverified(f"the certificate of {shown(subject_of(certificate))} cannot be judged: {problem}")


def _check_authority(certificate: t.Any, *, below: int) -> None:
    """Raise where a certificate may issue none. ``below`` is the number of authorities between it and the signer."""
    constraints, usage = _extension(certificate, "BasicConstraints"), _extension(certificate, "KeyUsage")
    extended = _extension(certificate, "ExtendedKeyUsage")
    problem = ""
    if constraints is None or not (constraints.critical and constraints.value.ca):
        problem = "it is not a CA certificate (critical basicConstraints CA)"
    elif constraints.value.path_length is not None and constraints.value.path_length < below:
        problem = f"{below} authorities are below it, and it allows {constraints.value.path_length}"
    elif usage is None or not (usage.critical and usage.value.key_cert_sign):
        problem = "its key may not sign certificates (critical keyUsage keyCertSign)"
    elif extended is not None and not any(one.dotted_string in _MAY_SIGN_CODE for one in extended.value):
        problem = "it is for other uses (extendedKeyUsage without codeSigning)"
    if problem:
        raise Unverified(f"the certificate of {shown(subject_of(certificate))} cannot issue others: {problem}")


def _check_signer(certificate: t.Any) -> None:
    usage, extended = _extension(certificate, "KeyUsage"), _extension(certificate, "ExtendedKeyUsage")
    constraints = _extension(certificate, "BasicConstraints")
    problem = ""
    if usage is None or not (usage.critical and usage.value.digital_signature):
        problem = "its key may not sign (critical keyUsage digitalSignature)"
    elif usage.value.key_cert_sign or (constraints is not None and constraints.value.ca):
        problem = "it is a CA certificate"
    else:
        others = [_OTHER_USAGES.get(one.dotted_string, "") for one in (extended.value if extended else ())]
        problem = ", ".join(filter(None, others))
        problem = f"it is for other uses as well ({problem})" if problem else ""
    if problem:
        raise Unverified(f"the certificate of {shown(subject_of(certificate))} is not for signing: {problem}")


def _extension(certificate: t.Any, name: str) -> t.Any:
    try:
        return certificate.extensions.get_extension_for_class(getattr(lib.x509, name))
    except lib.x509.ExtensionNotFound:
        return None


def _check_issued(certificate: t.Any, issuer: t.Any) -> None:
    """Raise where a certificate isn't signed by the key of another."""
    key, signature, signed = issuer.public_key(), certificate.signature, certificate.tbs_certificate_bytes
    hashed = certificate.signature_hash_algorithm
    try:
        if certificate.issuer != issuer.subject:
            raise ValueError
        if isinstance(key, lib.rsa.RSAPublicKey):
            key.verify(signature, signed, lib.padding.PKCS1v15(), hashed)
        elif isinstance(key, lib.ec.EllipticCurvePublicKey):
            key.verify(signature, signed, lib.ec.ECDSA(hashed))
        else:
            raise ValueError
    except lib.INVALID:
        names = shown(subject_of(certificate)), shown(subject_of(issuer))
        raise Unverified(f"the certificate of {names[0]} is not issued by {names[1]}") from None
