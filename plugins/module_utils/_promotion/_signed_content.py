# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What is signed, read out of the forms in which it comes: JSON without riddles, and base64 to the letter.

Two programs must not read two things in one signed text: a key that occurs twice is refused, and so is base64 with
anything else in it.
"""

from __future__ import annotations

import base64
import json
import typing as t

from .._blobs._transfer import RegistrySource, verified_pieces
from .._end._end import End
from .._model._errors import Unverified
from .._model._manifest import MAXIMUM_SIZE, Descriptor

_LONGEST_SHOWN = 120
_URL_ALPHABET = str.maketrans("-_", "+/")


def read_signed(registry: End, repository: str, layer: Descriptor) -> bytes:
    """The bytes of a payload, an envelope or a bundle, verified. Raises :class:`Unverified` for what is too large."""
    if layer.size > MAXIMUM_SIZE:
        raise Unverified(f"it has {layer.size} bytes, and at most {MAXIMUM_SIZE} are read")
    source = RegistrySource(registry, repository, layer.digest)
    return b"".join(verified_pieces(source, layer.digest, layer.size))


def parse_object(content: bytes, what: str, limit: int = MAXIMUM_SIZE) -> dict[str, t.Any]:
    """The JSON object in these bytes, at most ``limit``. Raises :class:`Unverified`."""
    if len(content) > limit:
        raise Unverified(f"{what} is larger than {limit} bytes")
    try:
        document = json.loads(content.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise Unverified(f"{what} is not valid JSON, or has a key twice") from None
    if not isinstance(document, dict):
        raise Unverified(f"{what} is not a JSON object")
    return document


def member(document: t.Mapping[str, t.Any], name: str, kind: type[t.Any], what: str) -> t.Any:
    """A member of an object that must be there, and be a ``dict``, ``list`` or ``str``. Raises :class:`Unverified`."""
    found = document.get(name)
    if not isinstance(found, kind):
        raise Unverified(f"{what} has no valid {name}")
    return found


def decode(text: t.Any, what: str) -> bytes:
    """The bytes of a text in standard base64 (RFC 4648, 4). Raises :class:`Unverified`."""
    try:
        if isinstance(text, str):
            return base64.b64decode(text, validate=True)
    except ValueError:
        pass
    raise Unverified(f"{what} is not valid base64")


def decode_url(text: t.Any, what: str) -> bytes:
    """The bytes of a text in base64url without padding (RFC 7515, 2). Raises :class:`Unverified`."""
    if isinstance(text, str) and not set(text) & set("+/="):
        return decode(text.translate(_URL_ALPHABET) + -len(text) % 4 * "=", what)
    raise Unverified(f"{what} is not valid base64url")


def shown(value: t.Any) -> str:
    """A value that whoever signed has chosen, in quotes and cut."""
    return repr(value)[:_LONGEST_SHOWN]


def annotations_of(value: t.Any, what: str) -> dict[str, str]:
    """Annotations in what is signed: an object of texts, or nothing. Raises :class:`Unverified`."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise Unverified(f"{what} has no valid annotations")
    return {name: text for name, text in value.items() if isinstance(text, str)}


def _unique(pairs: list[tuple[str, t.Any]]) -> dict[str, t.Any]:
    document = dict(pairs)
    if len(document) != len(pairs):
        raise ValueError("a key occurs twice")
    return document


def _no_constant(name: str) -> t.NoReturn:
    raise ValueError(f"{name} is not a JSON number")
