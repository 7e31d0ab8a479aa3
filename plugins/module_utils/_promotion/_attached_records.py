# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Records of promotions that are attached to an image: statements with our predicate type, signed or not."""

from __future__ import annotations

import datetime
import typing as t

from .._end._end import End
from .._model._errors import BAD_CONTENT, Unverified
from .._model._manifest import Descriptor, Manifest
from .._model._times import age_of
from . import _sigstore_bundle, _statement
from ._record import DONE, PREDICATE_TYPE, Record
from ._record_reading import record_in
from ._referrer_facts import Referrer
from ._signed_content import read_signed
from ._trust import Subject, Trust

Plain = dict[str, t.Any]


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
        tags = [tag.tag for image in record.images for tag in image.tags if tag.tag]
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


def records_among(
    registry: End, repository: str, manifest: Manifest, referrers: t.Sequence[Referrer], trust: Trust
) -> list[AttachedRecord]:
    """The records of promotions that ended well among what refers to an image, in the order of that."""
    subject = Subject(manifest.descriptor, manifest.content)
    trust = trust._replace(predicate_types=(PREDICATE_TYPE,), annotations={})
    found = []
    for referrer in referrers:
        if referrer.subject == manifest.digest and PREDICATE_TYPE in referrer.predicate_types and referrer.manifest:
            for layer in referrer.manifest.layers():
                record = _read(registry, repository, referrer.descriptor.digest, layer, subject, trust)
                if record is not None and record.record.outcome == DONE:
                    found.append(record)
    return found


def _read(
    registry: End, repository: str, digest: str, layer: Descriptor, subject: Subject, trust: Trust
) -> AttachedRecord | None:
    """The record in a layer; None where there is none about this image, or one that can't be read."""
    try:
        content = read_signed(registry, repository, layer)
        if layer.media_type == _statement.PAYLOAD_TYPE:
            statement, verified = _statement.parse_statement(content), False
        elif _sigstore_bundle.is_bundle_type(layer.media_type):
            statement, verified = _in_bundle(content, subject, trust)
        else:
            return None
        statement.about(subject.descriptor.digest)
        return AttachedRecord(digest, record_in(statement, partly=True), verified)
    except BAD_CONTENT:
        return None


def _in_bundle(content: bytes, subject: Subject, trust: Trust) -> tuple[_statement.Statement, bool]:
    """The statement in a bundle, and whether it verifies."""
    statement = _sigstore_bundle.statement_in(content)
    try:
        _sigstore_bundle.verify(content, subject, trust)
    except Unverified:
        return statement, False
    return statement, True
