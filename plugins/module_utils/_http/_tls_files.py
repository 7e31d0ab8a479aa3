# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The files of TLS: which CAs are trusted, and with which certificate we are known."""

from __future__ import annotations

import functools
import os
import re
import ssl
import typing as t

from .._model._errors import LocalFileError
from .._run._local_path import absolute, check_is_file, check_is_path, relative_hint
from ._certificate_directories import CertificateDirectory, find_certificate_directory
from ._endpoint import Endpoint
from ._requests import requests, urllib3

_HASHED = re.compile(r"[0-9a-f]{8}\.[0-9]+")
_BUNDLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
_PARTIAL_CHAIN = getattr(ssl, "VERIFY_X509_PARTIAL_CHAIN", 0x80000)
"""X509_V_FLAG_PARTIAL_CHAIN of OpenSSL, for which Python 3.9 has no name."""


class TLSFiles(t.NamedTuple):
    """Paths, all of which can be read. The first two are in the form that ``requests`` takes."""

    verify: bool | str
    client_certificate: str | tuple[str, str] | None
    authorities: tuple[str, ...]
    """CAs that are trusted besides those of ``verify``."""
    named_by: str = ""
    """What the user has named CAs in, for messages; empty where only those are trusted that are trusted anyway."""

    @property
    def certificate_path(self) -> str:
        """The file of the client certificate; empty where there is none."""
        certificate = self.client_certificate or ""
        return certificate if isinstance(certificate, str) else certificate[0]

    def context(self, *, with_certificate: bool) -> ssl.SSLContext | None:
        """The context of TLS in which the CAs that the user named are trusted; None where none are named.

        Without RFC 5280's rules on the form of a CA's certificate, which Python has checked since 3.13: the private CAs
        of many companies break them, and curl and the clients that are written in Go don't check them. As with those,
        a CA that is named need not have signed itself. Chain, dates, names and the strength of keys are checked.
        """
        if not self.named_by:
            return None
        context: ssl.SSLContext = urllib3.util.ssl_.create_urllib3_context()
        context.verify_flags = (context.verify_flags & ~ssl.VERIFY_X509_STRICT) | _PARTIAL_CHAIN
        for path in self.authorities:
            context.load_verify_locations(path)
        if with_certificate and self.client_certificate:
            certificate = self.client_certificate
            context.load_cert_chain(*((certificate,) if isinstance(certificate, str) else certificate))
        return context

    def proxy_context(self) -> ssl.SSLContext | None:
        """The same for a proxy that is itself reached with TLS: without client certificate, and with all the CAs."""
        context = self.context(with_certificate=False)
        if context:
            path = requests.certs.where() if self.verify is True else str(self.verify)
            context.load_verify_locations(**{"capath" if os.path.isdir(path) else "cafile": path})
        return context


def tls_files(endpoint: Endpoint) -> TLSFiles:
    """Options first, then the directory that podman or Docker have for the registry, then the environment.

    Raises :class:`LocalFileError` for what can't be read or used.
    """
    directory = None if endpoint.plain_http else find_certificate_directory(endpoint.registry)
    certificate = _client_certificate(endpoint, directory)
    if not endpoint.validate_certs:
        return TLSFiles(False, certificate, ())
    if endpoint.ca_path:
        path = _authorities(endpoint.ca_path, "ca_path")
        return TLSFiles(path, certificate, (), f"{path}, which ca_path names")
    if directory and directory.authorities:
        authorities = tuple(_authorities(path) for path in directory.authorities)
        return TLSFiles(True, certificate, authorities, f"the directory {directory.path}")
    for name in _BUNDLES:
        if os.environ.get(name):
            # A bundle takes long to check, and without TLS few have a use for it: those whose registry redirects
            # elsewhere, or has its token server there.
            check = _readable if endpoint.plain_http else _authorities
            path = check(os.environ[name], variable=name)
            return TLSFiles(path, certificate, (), f"{path}, which {name} names")
    return TLSFiles(True, certificate, ())


def _client_certificate(endpoint: Endpoint, directory: CertificateDirectory | None) -> str | tuple[str, str] | None:
    if endpoint.client_cert:
        certificate = _readable(endpoint.client_cert, "client_cert")
        key = _readable(endpoint.client_key, "client_key") if endpoint.client_key else None
    elif directory and directory.pairs:
        if len(directory.pairs) > 1:
            raise LocalFileError(
                f"the directory of certificates {directory.path} has more than one for clients",
                hint="Name the one to use in client_cert and client_key",
            )
        certificate, key = map(_readable, directory.pairs[0])
    else:
        return None
    try:
        # A key that is encrypted would be asked for on a terminal.
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(certificate, key, password="")
    except (OSError, ValueError) as error:
        named = f"the client certificate {certificate}{f' with the key {key}' if key else ''}"
        unread = "one of them is not a valid PEM file" if key else "it is not PEM, or has no private key in it"
        reason = getattr(error, "reason", None) or unread
        raise LocalFileError(
            f"{named} cannot be used: {reason}",
            hint="The key must be that of the certificate, in PEM and not encrypted"
            + ("" if key or not endpoint.client_cert else ". If it is in another file, name that in client_key"),
        ) from None
    return (certificate, key) if key else certificate


def _authorities(path: str, option: str = "", *, variable: str = "") -> str:
    found = _readable(path, option, variable=variable)
    try:
        if os.path.isdir(found):
            hashed = [name for name in os.listdir(found) if _HASHED.fullmatch(name)]
            for name in hashed:
                # Read in the middle of a handshake.
                check_is_file(os.path.join(found, name))
            if hashed:
                return found
            problem = LocalFileError(
                f"the directory {found}{_named(variable)} has no certificates under the names by which they are found",
                hint=f"Run 'openssl rehash {found}'",
            )
        else:
            _check_pem(found)
            return found
    except LocalFileError as error:
        problem = error
    except ssl.SSLError:
        problem = LocalFileError(f"the file {found}{_named(variable)} holds no valid certificates in PEM")
    raise problem.at_option(option) if option else problem


@functools.cache
def _check_pem(path: str) -> None:
    # Once for both ends of a task, which mostly have the same. A failure isn't kept.
    ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)


def _readable(path: str, option: str = "", *, variable: str = "") -> str:
    try:
        check_is_path(path)
    except LocalFileError as error:
        raise error.at_option(option or variable) from None
    expanded = absolute(path)
    try:
        if os.path.isdir(expanded):
            os.listdir(expanded)
        else:
            check_is_file(expanded)
            with open(expanded, "rb"):
                pass
    except LocalFileError as error:
        raise error.at_option(option or variable) from None
    except OSError as error:
        problem = LocalFileError(
            f"the file {expanded}{_named(variable)} cannot be read: {error.strerror}", hint=relative_hint(path)
        )
        raise (problem.at_option(option) if option else problem) from error
    return expanded


def _named(variable: str) -> str:
    return f" that the environment names in {variable}," if variable else ""
