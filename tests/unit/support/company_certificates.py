# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A private CA as companies have them: its certificate breaks rules on the form of one (RFC 5280, 4.2.1), which Python
checks since 3.13. And certificates of it that nobody must trust. Made with the ``openssl`` command."""

from __future__ import annotations

import pathlib
import ssl
import typing as t

from .certificates import openssl

_NO_IDENTIFIERS = "subjectKeyIdentifier = none\nauthorityKeyIdentifier = none\n"
_CA = "basicConstraints = CA:TRUE\n"
_LEAF = "subjectAltName = DNS:localhost,IP:127.0.0.1\n"
_DAYS, _PAST = ("-days", "2"), ("-days", "-1")


class CompanyCA(t.NamedTuple):
    """``ca`` has no keyUsage, no key identifiers, and its basicConstraints aren't critical. So has what it signed."""

    folder: pathlib.Path

    @property
    def ca(self) -> str:
        """The file of the CA."""
        return str(self.folder / "ca.pem")

    @property
    def intermediate(self) -> str:
        """The file of a CA that it has signed."""
        return str(self.folder / "intermediate.pem")

    def server_context(self, leaf: str) -> ssl.SSLContext:
        """For a server on localhost with one of the certificates that :func:`make_company_ca` makes."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        # A weak key is the server's own business.
        context.set_ciphers("DEFAULT:@SECLEVEL=0")
        context.load_cert_chain(str(self.folder / f"{leaf}.chain"), str(self.folder / f"{leaf}.key"))
        return context


def make_company_ca(folder: pathlib.Path) -> CompanyCA:
    """Make the CA, and certificates of servers, each with the ones between in a file ``NAME.chain``.

    ``good`` and ``below`` (signed by the intermediate) are to be trusted. These aren't: ``expired``, ``name`` (of
    another host), ``weak`` (RSA, 1024 bits), ``client`` (for clients only), ``no-ca`` (signed by the key of ``good``,
    which is no CA) and ``forged`` (signed by another CA of the same name).
    """
    _self_signed(folder, "ca", "Company CA")
    _self_signed(folder, "forger", "Company CA")
    _signed(folder, "intermediate", "ca", _CA)
    _signed(folder, "good", "ca", _LEAF)
    _signed(folder, "below", "intermediate", _LEAF, between="intermediate")
    _signed(folder, "expired", "ca", _LEAF, dates=_PAST)
    _signed(folder, "name", "ca", "subjectAltName = DNS:other.test\n")
    _signed(folder, "weak", "ca", _LEAF, algorithm=("RSA", "rsa_keygen_bits:1024"))
    _signed(folder, "client", "ca", f"{_LEAF}extendedKeyUsage = clientAuth\n")
    _signed(folder, "no-ca", "good", _LEAF, between="good")
    _signed(folder, "forged", "forger", _LEAF)
    return CompanyCA(folder)


def _new_key(folder: pathlib.Path, name: str, algorithm: tuple[str, str] = ("EC", "ec_paramgen_curve:P-256")) -> None:
    kind, parameter = algorithm
    openssl(folder, "genpkey", "-algorithm", kind, "-pkeyopt", parameter, "-out", f"{name}.key")


def _requested(folder: pathlib.Path, name: str, subject: str) -> None:
    (folder / f"{name}.cnf").write_text(f"[req]\nprompt = no\ndistinguished_name = dn\n[dn]\nCN = {subject}\n")
    openssl(folder, "req", "-new", "-sha256", "-config", f"{name}.cnf", "-key", f"{name}.key", "-out", f"{name}.csr")


def _self_signed(folder: pathlib.Path, name: str, subject: str) -> None:
    _new_key(folder, name)
    _requested(folder, name, subject)
    (folder / f"{name}.ext").write_text(_CA + _NO_IDENTIFIERS)
    own = ("-in", f"{name}.csr", "-signkey", f"{name}.key", "-extfile", f"{name}.ext", "-out", f"{name}.pem")
    openssl(folder, "x509", "-req", "-sha256", *_DAYS, *own)


def _signed(
    folder: pathlib.Path,
    name: str,
    issuer: str,
    extensions: str,
    *,
    algorithm: tuple[str, str] = ("EC", "ec_paramgen_curve:P-256"),
    dates: tuple[str, ...] = _DAYS,
    between: str = "",
) -> None:
    _new_key(folder, name, algorithm)
    _requested(folder, name, name)
    (folder / f"{name}.ext").write_text(extensions + _NO_IDENTIFIERS)
    signer = ("-CA", f"{issuer}.pem", "-CAkey", f"{issuer}.key", "-set_serial", str(1 + len(name)))
    files = ("-in", f"{name}.csr", "-extfile", f"{name}.ext", "-out", f"{name}.pem")
    openssl(folder, "x509", "-req", "-sha256", *dates, *signer, *files)
    chain = [name, between] if between else [name]
    (folder / f"{name}.chain").write_text("".join((folder / f"{link}.pem").read_text() for link in chain))
