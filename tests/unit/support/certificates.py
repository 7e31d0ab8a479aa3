# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Throw-away certificate authorities, made with the ``openssl`` command."""

from __future__ import annotations

import pathlib
import ssl
import subprocess
import typing as t


class Certificates(t.NamedTuple):
    """Two authorities, of which only ``good_ca`` has signed the certificates of localhost and of the client."""

    good_ca: str
    bad_ca: str
    certificate: str
    key: str
    client_certificate: str
    client_key: str

    def server_context(self, *, ask_client: bool = False) -> ssl.SSLContext:
        """For a server on localhost; ``ask_client`` makes it ask for a client certificate, without insisting."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, self.key)
        if ask_client:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(self.good_ca)
        return context

    def curious_context(self) -> ssl.SSLContext:
        """For a server on localhost that takes a client certificate where it is offered one."""
        context = self.server_context(ask_client=True)
        context.verify_mode = ssl.CERT_OPTIONAL
        return context


def openssl(folder: pathlib.Path, *arguments: str) -> None:
    """Run the command in the folder."""
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True, timeout=60)


def _new_key(folder: pathlib.Path, name: str) -> None:
    openssl(folder, "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", f"{name}.key")


def _new_ca(folder: pathlib.Path, name: str) -> None:
    (folder / f"{name}.cnf").write_text(
        "[req]\nprompt = no\ndistinguished_name = dn\nx509_extensions = ext\n"
        f"[dn]\nCN = {name}\n"
        "[ext]\nbasicConstraints = critical,CA:TRUE\nkeyUsage = critical,keyCertSign,cRLSign\n"
        "subjectKeyIdentifier = hash\n"
    )
    _new_key(folder, name)
    openssl(
        folder,
        "req",
        "-x509",
        "-new",
        "-sha256",
        "-days",
        "2",
        "-config",
        f"{name}.cnf",
        "-key",
        f"{name}.key",
        "-out",
        f"{name}.pem",
    )


def _new_leaf(folder: pathlib.Path, name: str, ca: str) -> None:
    (folder / f"{name}.ext").write_text(
        "subjectAltName = DNS:localhost,IP:127.0.0.1\nextendedKeyUsage = serverAuth,clientAuth\n"
        "authorityKeyIdentifier = keyid\nsubjectKeyIdentifier = hash\n"
        "basicConstraints = critical,CA:FALSE\nkeyUsage = critical,digitalSignature\n"
    )
    (folder / f"{name}.cnf").write_text(f"[req]\nprompt = no\ndistinguished_name = dn\n[dn]\nCN = {name}\n")
    _new_key(folder, name)
    openssl(folder, "req", "-new", "-sha256", "-config", f"{name}.cnf", "-key", f"{name}.key", "-out", f"{name}.csr")
    openssl(
        folder,
        "x509",
        "-req",
        "-sha256",
        "-days",
        "2",
        "-in",
        f"{name}.csr",
        "-CA",
        f"{ca}.pem",
        "-CAkey",
        f"{ca}.key",
        "-set_serial",
        str(1 + len(name)),
        "-extfile",
        f"{name}.ext",
        "-out",
        f"{name}.pem",
    )


def make_certificates(folder: pathlib.Path) -> Certificates:
    """Make two authorities, a certificate for localhost and one for a client."""
    _new_ca(folder, "good-ca")
    _new_ca(folder, "bad-ca")
    _new_leaf(folder, "localhost", "good-ca")
    _new_leaf(folder, "client", "good-ca")
    paths = ("good-ca.pem", "bad-ca.pem", "localhost.pem", "localhost.key", "client.pem", "client.key")
    return Certificates(*(str(folder / path) for path in paths))
