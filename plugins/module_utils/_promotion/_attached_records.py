# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Records of promotions that are attached to an image: statements with our predicate type, signed or not."""

from __future__ import annotations

import datetime
import typing as t

from .._end._end import End
from .._model._actions import EXISTS
from .._model._errors import BAD_CONTENT, InvalidInput, RegistryError, Unverified
from .._model._manifest import Descriptor, Manifest
from .._model._times import age_of
from .._run._parallel import run_all
from . import _sigstore_bundle, _statement
from ._items import MOVING
from ._record import DONE, PREDICATE_TYPE, Record
from ._record_reading import record_in
from ._referrer_facts import Referrer, refuse_too_many
from ._signed_content import read_signed
from ._trust import NOBODY, Subject, Trust

Plain = dict[str, t.Any]


_SERVED = (*MOVING, EXISTS, "")
"""The actions of tags that point to the image when its promotion has ended; empty where a record doesn't say it."""


class AttachedRecord(t.NamedTuple):
    """One record that is attached to an image."""

    digest: str
    """Of the manifest that holds it."""
    record: Record
    """What it doesn't say is empty: whoever may push may attach anything."""
    verified: bool
    """Whether a key that is trusted has signed it. Whoever may push may attach one that is not."""

    def as_plain(self, now: datetime.datetime) -> Plain:
        """As the image document has it. What a record doesn't say is null."""
        record = self.record
        tags = [tag.tag for image in record.images for tag in image.tags if tag.tag and tag.action in _SERVED]
        return {
            "environment": record.environment or None,
            "actor": record.actor or None,
            "job": record.job or None,
            "reason": record.reason or None,
            "source": record.source or None,
            "destination": record.destination or None,
            "tags": list(dict.fromkeys(tags)),
            "finished_at": record.finished_at or None,
            "age_seconds": age_of(record.finished_at, now),
            "digest": self.digest,
            "verified": self.verified,
        }


class BrokenRecord(t.NamedTuple):
    """What claims to be a record, and isn't one that can be read."""

    digest: str
    """Of the manifest that holds it."""
    reason: str


def records_among(
    registry: End, repository: str, manifest: Manifest, referrers: t.Sequence[Referrer], trust: Trust
) -> list[AttachedRecord]:
    """The records of promotions that ended well among what refers to an image, in the order of that."""
    reader = _Reader(registry, repository, manifest, trust, partly=True)
    found = [
        one
        for referrer in referrers
        if referrer.subject == manifest.digest and PREDICATE_TYPE in referrer.predicate_types and referrer.manifest
        for one in reader.records_in(referrer.manifest)
    ]
    return [one for one in found if isinstance(one, AttachedRecord) and one.record.outcome == DONE]


def records_of(
    registry: End, repository: str, manifest: Manifest, trust: Trust = NOBODY, *, partly: bool = False
) -> list[AttachedRecord | BrokenRecord]:
    """The records that are attached to an image, however the promotion ended, and what claims to be one.

    With ``partly``, what a record doesn't say is empty, and a list that is denied is like an empty one. Otherwise,
    a record that isn't whole is broken. Raises what keeps the list of referrers, or one of them, from being read.
    """
    listed = registry.list_referrers(repository, manifest.digest)
    if listed.doubt is not None:
        raise listed.doubt
    if listed.unread is not None and not partly:
        # Whoever asks what there is must not be told that there is nothing.
        raise listed.unread
    refuse_too_many(registry, repository, manifest.digest, len(listed.descriptors))
    reader = _Reader(registry, repository, manifest, trust, partly)

    def read(descriptor: Descriptor) -> list[AttachedRecord | BrokenRecord]:
        try:
            found = registry.get_manifest(repository, descriptor.digest, descriptor.media_type)
        except BAD_CONTENT:
            # It is listed, and can't be had: nothing says that it was a record.
            return []
        return reader.records_in(found)

    records: list[AttachedRecord | BrokenRecord] = []
    for outcome in run_all(read, listed.descriptors, registry.jobs):
        if isinstance(outcome, RegistryError):
            raise outcome
        records += outcome
    return records


class _Reader:
    """Reads the records of one image."""

    def __init__(self, registry: End, repository: str, manifest: Manifest, trust: Trust, partly: bool) -> None:
        self._registry = registry
        self._repository = repository
        self._subject = Subject(manifest.descriptor, manifest.content)
        self._trust = trust._replace(predicate_types=(PREDICATE_TYPE,), annotations={})
        self._partly = partly

    def records_in(self, referrer: Manifest) -> list[AttachedRecord | BrokenRecord]:
        """The records in a referrer; none where it says, or its content does, that it is something else."""
        told = referrer.annotations.get(_sigstore_bundle.PREDICATE_ANNOTATION)
        if told not in (None, "", PREDICATE_TYPE):
            return []
        found = [self._read(referrer.digest, layer, bool(told)) for layer in referrer.layers()]
        return [one for one in found if one is not None]

    def _read(self, digest: str, layer: Descriptor, told: bool) -> AttachedRecord | BrokenRecord | None:
        is_bundle = _sigstore_bundle.is_bundle_type(layer.media_type)
        if not is_bundle and layer.media_type != _statement.PAYLOAD_TYPE:
            return None
        try:
            statement, verified = self._statement_in(layer, is_bundle)
            if statement.predicate_type != PREDICATE_TYPE and not told:
                return None
            statement.about(self._subject.descriptor.digest)
            record = record_in(statement, partly=self._partly)
            _check_about(record, self._subject.descriptor.digest)
            return AttachedRecord(digest, record, verified)
        except BAD_CONTENT as error:
            # A bundle that doesn't say what it is may be any signature; what is in in-toto's type is a statement.
            return BrokenRecord(digest, error.reason) if told or not is_bundle else None

    def _statement_in(self, layer: Descriptor, is_bundle: bool) -> tuple[_statement.Statement, bool]:
        """The statement in a layer, and whether it verifies."""
        content = read_signed(self._registry, self._repository, layer)
        if not is_bundle:
            return _statement.parse_statement(content), False
        statement = _sigstore_bundle.statement_in(content)
        try:
            _sigstore_bundle.verify(content, self._subject, self._trust)
        except Unverified:
            return statement, False
        return statement, True


def _check_about(record: Record, digest: str) -> None:
    """Raise :class:`InvalidInput` for a record that speaks of other digests than the one that it is attached to.

    Whoever may push to one repository could say there what happened in others.
    """
    for image in record.images:
        for named in (image.digest, *(tag.digest for tag in image.tags)):
            if named not in ("", digest):
                raise InvalidInput(f"it is attached to {digest}, and speaks of {named} too")
