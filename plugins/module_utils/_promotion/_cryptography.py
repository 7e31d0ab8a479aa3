# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The one place where ``cryptography`` is imported: it may be missing where a module runs, or be too old.

It comes with ansible-core on the controller. Without it nothing is verified, and :data:`PROBLEM` says why.
"""

from __future__ import annotations

import typing as t

PROBLEM = ""
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

try:
    from cryptography import x509 as _x509
    from cryptography.exceptions import InvalidSignature as _InvalidSignature
    from cryptography.exceptions import UnsupportedAlgorithm as _UnsupportedAlgorithm
    from cryptography.hazmat.primitives import hashes as _hashes
    from cryptography.hazmat.primitives import serialization as _serialization
    from cryptography.hazmat.primitives.asymmetric import ec as _ec
    from cryptography.hazmat.primitives.asymmetric import ed25519 as _ed25519
    from cryptography.hazmat.primitives.asymmetric import padding as _padding
    from cryptography.hazmat.primitives.asymmetric import rsa as _rsa
    from cryptography.hazmat.primitives.asymmetric import utils as _utils
except ImportError as _error:
    PROBLEM = f"the Python library cryptography can't be imported ({_error})"
else:
    if not hasattr(_padding.PSS, "AUTO"):
        PROBLEM = "the Python library cryptography is too old: 37.0.0 or newer is needed"
    x509, ec, ed25519, padding, rsa = _x509, _ec, _ed25519, _padding, _rsa
    hashes, serialization, encode_dss_signature = _hashes, _serialization, _utils.encode_dss_signature
    INVALID = (_InvalidSignature, _UnsupportedAlgorithm, ValueError, TypeError)
    UNREADABLE = (
        _UnsupportedAlgorithm,
        _x509.DuplicateExtension,
        _x509.InvalidVersion,
        _x509.UnsupportedGeneralNameType,
        ValueError,
        TypeError,
        KeyError,  # Older versions, for a number in a broken certificate that they have no name for.
    )
