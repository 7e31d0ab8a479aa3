# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Sigstore bundles (cosign's BUNDLE_SPEC): a referrer with a signature of the manifest, or a signed statement about it.

What is in a bundle besides, such as entries of a transparency log and the hint at a key, proves nothing here.
"""

from __future__ import annotations

import re
import typing as t

from .._model._errors import NoSignature, Unverified
from .._model._manifest import Descriptor, Manifest
from ._cosign_tag import KEYLESS
from ._signed_content import annotations_of, decode, member, parse_object, shown
from ._statement import Statement, parse_envelope, parse_statement
from ._trust import Subject, Trust

MEDIA_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json"
"""Of the bundles that are written."""
PREDICATE_ANNOTATION = "dev.sigstore.bundle.predicateType"
"""What a referrer says of the statement in it."""
CONTENT_ANNOTATION, DSSE = "dev.sigstore.bundle.content", "dsse-envelope"
"""What a referrer says of the bundle in it, and what that is where it is a statement."""
_MEDIA_TYPES = re.compile(r"application/vnd\.dev\.sigstore\.bundle(?:\.v0\.3\+json|\+json;version=0\.[1-3])", re.ASCII)


def is_bundle_type(media_type: str) -> bool:
    """Whether an artifact type, or the media type of a layer, is that of a bundle."""
    return _MEDIA_TYPES.fullmatch(media_type) is not None


def is_bundle_of_any_version(media_type: str) -> bool:
    """Whether it is the type of a bundle, perhaps of a version that isn't known."""
    return media_type.startswith("application/vnd.dev.sigstore.bundle")


def bundles(manifest: Manifest) -> list[Descriptor]:
    """The layers of a referrer that are bundles."""
    return [layer for layer in manifest.layers() if is_bundle_type(layer.media_type)]


def statement_in(content: bytes) -> Statement:
    """The statement in a bundle, whoever has signed it. Raises :class:`Unverified`, also where there is none."""
    envelope = member(parse_object(content, "the bundle"), "dsseEnvelope", dict, "the bundle")
    return parse_statement(parse_envelope(envelope).payload)


def verify(content: bytes, subject: Subject, trust: Trust) -> str:
    """Who has signed a bundle about ``subject``. Raises :class:`Unverified`."""
    document = parse_object(content, "the bundle")
    if not is_bundle_type(str(document.get("mediaType"))):
        raise Unverified(f"the bundle is of the type {shown(document.get('mediaType'))}, which is not known")
    material = member(document, "verificationMaterial", dict, "the bundle")
    if "publicKey" not in material:
        raise Unverified(KEYLESS)
    if "dsseEnvelope" in document and "messageSignature" in document:
        raise Unverified("the bundle has two signatures, and must have one")
    if "messageSignature" in document:
        message = member(document, "messageSignature", dict, "the bundle")
        return _signer_of_manifest(message, subject, trust)
    return _signed_statement(member(document, "dsseEnvelope", dict, "the bundle"), subject, trust)


def _signer_of_manifest(message: t.Mapping[str, t.Any], subject: Subject, trust: Trust) -> str:
    # Its messageDigest only says what is meant: the signature is over the manifest's bytes, or doesn't verify.
    trust.check_annotations({})
    return trust.signer(decode(message.get("signature"), "the signature"), subject.content)


def _signed_statement(document: t.Mapping[str, t.Any], subject: Subject, trust: Trust) -> str:
    envelope = parse_envelope(document)
    statement = parse_statement(envelope.payload)
    if statement.predicate_type not in trust.predicate_types:
        raise NoSignature(f"the statement is {shown(statement.predicate_type)}, which does not count as a signature")
    signed = statement.about(subject.descriptor.digest)
    trust.check_annotations(annotations_of(signed.get("annotations"), "the statement"))
    return trust.signer(envelope.signature, envelope.signed)
