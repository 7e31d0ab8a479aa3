# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The directories in which podman and Docker keep certificates by registry (containers-certs.d(5))."""

from __future__ import annotations

import os
import typing as t

from .._model._errors import LocalFileError
from .._run._local_path import absolute

HOME_DIRECTORY = "~/.config/containers/certs.d"
SYSTEM_DIRECTORIES = ("/etc/containers/certs.d", "/etc/docker/certs.d")


class CertificateDirectory(t.NamedTuple):
    """What one directory holds, as paths in alphabetical order."""

    path: str
    authorities: tuple[str, ...]
    """``*.crt``: CAs to trust besides those that are trusted anyway."""
    pairs: tuple[tuple[str, str], ...]
    """``*.cert`` and the ``*.key`` of the same name: client certificates."""


def find_certificate_directory(registry: str) -> CertificateDirectory | None:
    """The first directory that is there for ``registry``, written as host[:port]; None where there is none.

    Raises :class:`LocalFileError` where it can't be read, or a certificate lacks its key.
    """
    for parent in (HOME_DIRECTORY, *SYSTEM_DIRECTORIES):
        path = os.path.join(absolute(parent), registry)
        # What another user alone may look into isn't there for this one; podman sees it so, too.
        if os.path.isdir(path):
            return _read(path)
    return None


def _read(path: str) -> CertificateDirectory:
    try:
        names = sorted(os.listdir(path))
    except OSError as error:
        raise LocalFileError(f"the directory of certificates {path} cannot be read: {error.strerror}") from error
    stems: dict[str, list[str]] = {kind: [] for kind in (".crt", ".cert", ".key")}
    for name in names:
        stem, kind = os.path.splitext(name)
        stems.get(kind, []).append(stem)
    for kind, other in ((".cert", ".key"), (".key", ".cert")):
        for stem in stems[kind]:
            if stem not in stems[other]:
                raise LocalFileError(f"the directory of certificates {path} has {stem}{kind} without {stem}{other}")
    return CertificateDirectory(
        path,
        tuple(os.path.join(path, f"{stem}.crt") for stem in stems[".crt"]),
        tuple((os.path.join(path, f"{stem}.cert"), os.path.join(path, f"{stem}.key")) for stem in stems[".cert"]),
    )
