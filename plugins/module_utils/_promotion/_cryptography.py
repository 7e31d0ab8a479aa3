# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The one place where ``cryptography`` is imported: when it is first needed, since few tasks sign or verify.

It comes with ansible-core on the controller, and may be missing where a module runs, or be too old. Without it nothing
is verified, and ``PROBLEM`` says why.
"""

from __future__ import annotations

import typing as t


class _Library(t.NamedTuple):
    """What this collection uses of it; nothing where it is missing."""

    PROBLEM: str = ""
    """Why signatures can't be verified here; empty where they can."""
    x509: t.Any = None
    ec: t.Any = None
    ed25519: t.Any = None
    padding: t.Any = None
    rsa: t.Any = None
    hashes: t.Any = None
    serialization: t.Any = None
    encode_dss_signature: t.Any = None
    INVALID: tuple[type[Exception], ...] = ()
    """What is raised for a signature that doesn't verify, and for one that can't be one."""
    UNREADABLE: tuple[type[Exception], ...] = ()
    """What is raised for a key or certificate that can't be read."""


def __getattr__(name: str) -> t.Any:
    """The parts of :class:`_Library`, imported when one of them is asked for."""
    if name not in _Library._fields:
        raise AttributeError(name)
    globals().update(_imported()._asdict())
    return globals()[name]


def _imported() -> _Library:
    try:
        from cryptography import x509
        from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils
    except ImportError as error:
        return _Library(f"the Python library cryptography cannot be imported ({error})")
    old = "the Python library cryptography is too old: 37.0.0 or newer is needed"
    return _Library(
        "" if hasattr(padding.PSS, "AUTO") else old,
        x509,
        ec,
        ed25519,
        padding,
        rsa,
        hashes,
        serialization,
        utils.encode_dss_signature,
        INVALID=(InvalidSignature, UnsupportedAlgorithm, ValueError, TypeError),
        UNREADABLE=(
            UnsupportedAlgorithm,
            x509.DuplicateExtension,
            x509.InvalidVersion,
            x509.UnsupportedGeneralNameType,
            ValueError,
            TypeError,
            KeyError,  # Older versions, for a number in a broken certificate that they have no name for.
        ),
    )
