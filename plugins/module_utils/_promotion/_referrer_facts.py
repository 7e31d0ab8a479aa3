# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What refers to an image, as a gate sees it: what the manifests themselves say, with the types of their statements."""

from __future__ import annotations

import typing as t

from .._end._end import End
from .._images._referrers import Found, referrers_of
from .._model._actions import API, COSIGN_TAG, TAG_SCHEMA
from .._model._errors import BAD_CONTENT, InvalidInput, RegistryError
from .._model._manifest import MAXIMUM_SIZE, Descriptor, Manifest
from .._run._parallel import run_all
from . import _statement
from ._signed_content import parse_object, read_signed
from ._sigstore_bundle import PREDICATE_ANNOTATION, is_bundle_type, statement_in

_DSSE = "application/vnd.dsse.envelope.v1+json"
_MOST = 1000
"""Referrers of an image, its children included."""


class Referrer(t.NamedTuple):
    """One manifest that refers to an image or to a child of it."""

    subject: str
    found_by: str
    descriptor: Descriptor
    manifest: Manifest | None
    """None where it is listed and can't be had."""
    statements: tuple[_statement.Statement, ...] = ()
    """Those that were read: not where an annotation tells their type."""

    @property
    def artifact_type(self) -> str:
        """As its manifest says it, else as the list does."""
        return self.descriptor.artifact_type if self.manifest is None else self.manifest.artifact_type

    @property
    def predicate_types(self) -> list[str]:
        """The types of its statements."""
        annotated = {} if self.manifest is None else self.manifest.annotations
        if annotated.get(PREDICATE_ANNOTATION):
            return [annotated[PREDICATE_ANNOTATION]]
        return list(dict.fromkeys(statement.predicate_type for statement in self.statements))


def find_referrers_of(registry: End, repository: str, digests: t.Sequence[str]) -> list[Referrer]:
    """What refers to these digests; raises what keeps a list or a tag from being read."""
    found: list[tuple[str, str, Descriptor]] = []
    for digest, answer in zip(digests, referrers_of(registry, [(repository, digest) for digest in digests])):
        if isinstance(answer, RegistryError):
            raise answer
        if answer.unread is not None:
            # A gate may rest on something not being there.
            raise answer.unread
        found += [(digest, *entry) for entry in _entries(answer)]
    refuse_too_many(registry, repository, digests[0], len(found))
    outcomes = run_all(lambda entry: _read(registry, repository, *entry), found, registry.jobs)
    for outcome in outcomes:
        if isinstance(outcome, RegistryError):
            raise outcome
    return t.cast("list[Referrer]", outcomes)


def refuse_too_many(registry: End, repository: str, digest: str, number: int) -> None:
    """Raise :class:`InvalidInput` where more manifests refer to an image than are read."""
    if number > _MOST:
        raise InvalidInput(f"more than {_MOST} manifests refer to the image").within(
            f"list the referrers of {registry.name}/{repository}@{digest}"
        )


def _entries(found: Found) -> t.Iterator[tuple[str, Descriptor]]:
    by = found.referrers.found_by
    for descriptor in found.referrers.descriptors:
        yield by if by in (API, TAG_SCHEMA) else "", descriptor
    for _tag, descriptor in found.cosign_tags:
        yield COSIGN_TAG, descriptor


def _read(registry: End, repository: str, subject: str, found_by: str, descriptor: Descriptor) -> Referrer:
    try:
        manifest = registry.get_manifest(repository, descriptor.digest, descriptor.media_type)
    except BAD_CONTENT:
        return Referrer(subject, found_by, descriptor, None)
    if manifest.annotations.get(PREDICATE_ANNOTATION):
        return Referrer(subject, found_by, descriptor, manifest)
    statements = [_statement_in(registry, repository, layer) for layer in manifest.layers()]
    return Referrer(subject, found_by, descriptor, manifest, tuple(one for one in statements if one is not None))


def _statement_in(registry: End, repository: str, layer: Descriptor) -> _statement.Statement | None:
    """The statement in a layer, whoever has signed it; None where there is none, or one that can't be read."""
    kinds = (_DSSE, _statement.PAYLOAD_TYPE)
    if layer.size > MAXIMUM_SIZE or not (layer.media_type in kinds or is_bundle_type(layer.media_type)):
        return None
    try:
        content = read_signed(registry, repository, layer)
        if layer.media_type == _statement.PAYLOAD_TYPE:
            return _statement.parse_statement(content)
        if is_bundle_type(layer.media_type):
            return statement_in(content)
        envelope = _statement.parse_envelope(parse_object(content, "the envelope"))
        return _statement.parse_statement(envelope.payload)
    except BAD_CONTENT:
        return None
