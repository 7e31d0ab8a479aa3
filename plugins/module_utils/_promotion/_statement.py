# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Statements about digests (in-toto attestation framework, Statement v1 and v0.1), in the envelope DSSE."""

from __future__ import annotations

import typing as t

from .._model._errors import Unverified
from .._model._manifest import MAXIMUM_SIZE
from ._signed_content import decode, member, parse_object, shown

PAYLOAD_TYPE = "application/vnd.in-toto+json"
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
_STATEMENT_TYPES = (STATEMENT_TYPE, "https://in-toto.io/Statement/v0.1")
"""Those that are read. The older one has the same members; ``cosign attest`` and BuildKit write it."""


class Envelope(t.NamedTuple):
    """A DSSE envelope with one signature (DSSE, "Envelope")."""

    payload: bytes
    signature: bytes

    @property
    def signed(self) -> bytes:
        """The bytes that are signed."""
        return signed_bytes(self.payload)


class Statement(t.NamedTuple):
    """A statement about one or more digests."""

    subjects: tuple[t.Mapping[str, t.Any], ...]
    predicate_type: str
    predicate: t.Mapping[str, t.Any]
    type: str = STATEMENT_TYPE

    def about(self, digest: str) -> t.Mapping[str, t.Any]:
        """The subject that has this digest. Subjects match by digest alone. Raises :class:`Unverified`."""
        algorithm, _colon, encoded = digest.partition(":")
        for subject in self.subjects:
            if subject["digest"].get(algorithm) == encoded:
                return subject
        named = [f"{algorithm}:{subject['digest'].get(algorithm)}" for subject in self.subjects]
        raise Unverified(f"it is about {shown(', '.join(named[:3]) or 'nothing')}, not {digest}")


def signed_bytes(payload: bytes) -> bytes:
    """What is signed in an envelope around a statement (DSSE, "PAE")."""
    kind = PAYLOAD_TYPE.encode("ascii")
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)


def parse_envelope(document: t.Mapping[str, t.Any]) -> Envelope:
    """A DSSE envelope. Raises :class:`Unverified`, also for one with several signatures."""
    if document.get("payloadType") != PAYLOAD_TYPE:
        raise Unverified(f"the envelope has a payload of the type {shown(document.get('payloadType'))}")
    signatures = member(document, "signatures", list, "the envelope")
    if len(signatures) != 1 or not isinstance(signatures[0], dict):
        raise Unverified(f"the envelope has {len(signatures)} signatures, and must have exactly one")
    return Envelope(
        decode(document.get("payload"), "the payload of the envelope"),
        decode(signatures[0].get("sig"), "the signature in the envelope"),
    )


def parse_statement(payload: bytes, limit: int = MAXIMUM_SIZE) -> Statement:
    """A statement of at most ``limit`` bytes. Raises :class:`Unverified`."""
    return read_statement(parse_object(payload, "the statement", limit))


def read_statement(document: t.Mapping[str, t.Any]) -> Statement:
    """The statement in plain data. Raises :class:`Unverified`."""
    kind = document.get("_type")
    if kind not in _STATEMENT_TYPES:
        raise Unverified(f"the statement is of the type {shown(kind)}, not {STATEMENT_TYPE!r}")
    subjects = member(document, "subject", list, "the statement")
    for subject in subjects:
        digests = subject.get("digest") if isinstance(subject, dict) else None
        if not isinstance(digests, dict) or not all(isinstance(encoded, str) for encoded in digests.values()):
            raise Unverified("the statement has a subject without a digest")
    predicate = document.get("predicate")
    return Statement(
        tuple(subjects),
        member(document, "predicateType", str, "the statement"),
        predicate if isinstance(predicate, dict) else {},
        kind,
    )
