# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A throw-away certificate authority for registries on loopback."""

from __future__ import annotations

import datetime
import ipaddress
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from files import write_private

_LIFETIME = datetime.timedelta(days=365)


class CertificateAuthority:
    """Signs server and token certificates; kept in two PEM files.

    A ``bare`` one is as companies have them: without keyUsage and key identifiers, and basicConstraints not critical.
    So is what it signs. It breaks rules on the form of certificates (RFC 5280, 4.2.1), which Python has checked since
    3.13.
    """

    def __init__(self, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey, *, bare: bool = False) -> None:
        self._certificate = certificate
        self._key = key
        self._bare = bare

    @classmethod
    def open(cls, certificate_path: Path, key_path: Path, name: str, *, bare: bool = False) -> CertificateAuthority:
        """Load the authority, or create it where it does not exist yet."""
        if certificate_path.exists() and key_path.exists():
            key = serialization.load_pem_private_key(key_path.read_bytes(), password=None)
            assert isinstance(key, ec.EllipticCurvePrivateKey)
            return cls(x509.load_pem_x509_certificate(certificate_path.read_bytes()), key, bare=bare)
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        builder = _builder(subject, subject, key.public_key(), _LIFETIME).add_extension(
            x509.BasicConstraints(ca=True, path_length=0), critical=not bare
        )
        if not bare:
            builder = _well_formed(builder, key.public_key(), key.public_key(), authority=True)
        certificate = builder.sign(key, hashes.SHA256())
        write_private(key_path, _key_pem(key))
        write_private(certificate_path, certificate.public_bytes(serialization.Encoding.PEM))
        return cls(certificate, key, bare=bare)

    def issue(
        self,
        common_name: str,
        certificate_path: Path,
        key_path: Path,
        *,
        client: bool = False,
        lifetime: datetime.timedelta = _LIFETIME,
    ) -> None:
        """Sign a fresh key for ``localhost``, or for a client of it, and write both."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
        builder = _builder(subject, self._certificate.subject, key.public_key(), lifetime)
        if not self._bare:
            constraints = x509.BasicConstraints(ca=False, path_length=None)
            builder = builder.add_extension(constraints, critical=True)
            builder = _well_formed(builder, key.public_key(), self._key.public_key(), authority=False)
        names = [
            x509.DNSName("localhost"),
            x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
            x509.IPAddress(ipaddress.ip_address("::1")),
        ]
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        usage = ExtendedKeyUsageOID.CLIENT_AUTH if client else ExtendedKeyUsageOID.SERVER_AUTH
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        certificate = builder.sign(self._key, hashes.SHA256())
        write_private(key_path, _key_pem(key))
        write_private(certificate_path, certificate.public_bytes(serialization.Encoding.PEM))


def _builder(
    subject: x509.Name, issuer: x509.Name, public_key: ec.EllipticCurvePublicKey, lifetime: datetime.timedelta
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.timezone.utc)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + lifetime)
    )


def _well_formed(
    builder: x509.CertificateBuilder,
    public_key: ec.EllipticCurvePublicKey,
    issuer_key: ec.EllipticCurvePublicKey,
    *,
    authority: bool,
) -> x509.CertificateBuilder:
    """With all that RFC 5280 asks for."""
    usage = x509.KeyUsage(
        digital_signature=not authority,
        key_cert_sign=authority,
        crl_sign=authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
    return (
        builder.add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key), critical=False)
    )


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
