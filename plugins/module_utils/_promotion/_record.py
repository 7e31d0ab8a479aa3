# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The record of a promotion: what was promoted, what its tags pointed to before, by whom and why, and how it ended.

One value for files and for what is attached to images. Written, it is a statement (in-toto attestation framework,
Statement v1); ``_record_reading`` reads it. The guide ``guide_records.rst`` is its specification: a change here is a
change there, and of ``docs/promotion-record.schema.json``.

Versions: the predicate type ends with the major version. Within it, keys may be added, and a reader leaves out those
that it doesn't know. No key is taken away or gets another meaning, and no word is added to outcomes and actions.
"""

from __future__ import annotations

import json
import typing as t

from .._model._actions import CREATE, EXISTS, FAILED, PROMOTE, REFUSED, REPLACE, REVERTED, SKIP
from .._model._deliverable import deliverable
from ._gates import GateResult
from ._items import Plain
from ._signatures import Signature
from ._statement import STATEMENT_TYPE

PREDICATE_TYPE = "https://github.com/imageops/registry/promotion/v1"

BEGUN, DONE = "begun", "done"
OUTCOMES = (BEGUN, DONE, REVERTED, FAILED)
"""``reverted``: every tag that had moved is back. ``failed``: anything else that isn't done."""
TAG_ACTIONS = (CREATE, REPLACE, EXISTS, SKIP, REFUSED, FAILED, REVERTED)
_SUBJECT_ACTIONS = (PROMOTE, FAILED)


class RecordTexts(t.NamedTuple):
    """What the caller says of a promotion. Empty where it says nothing."""

    environment: str = ""
    actor: str = ""
    job: str = ""
    reason: str = ""
    reverts: str = ""
    """The record that is reverted: the name of its file, or the digest of what is attached."""


class RecordedTag(t.NamedTuple):
    """A tag of an image at the destination."""

    tag: str
    previous_digest: str
    """What it pointed to before; empty where there was no such tag."""
    digest: str
    """What it was to point to."""
    action: str
    """One of :data:`TAG_ACTIONS`. As long as the promotion runs, what is to be done."""


class RecordedBytes(t.NamedTuple):
    """How many bytes the blobs of an image have, by the way in which they came."""

    uploaded: int = 0
    mounted: int = 0
    skipped: int = 0


class RecordedImage(t.NamedTuple):
    """One image of a promotion, also one that was equal, or wasn't promoted."""

    reference: str
    """At the source, as people write it."""
    repository: str
    """At the destination."""
    digest: str
    """What is promoted; empty where that isn't known."""
    source_digest: str
    """What the source serves: another where only some platforms are promoted; empty where that isn't known."""
    tags: tuple[RecordedTag, ...]
    action: str
    bytes: RecordedBytes = RecordedBytes()
    gates: tuple[GateResult, ...] = ()
    signatures: tuple[Signature, ...] = ()

    @property
    def is_subject(self) -> bool:
        """Whether its digest is among those that the record is about: those that were to be promoted."""
        return bool(self.digest) and self.action in _SUBJECT_ACTIONS


class NotReverted(t.NamedTuple):
    """A tag that moved and could not go back, in a promotion or rollback that wasn't done."""

    repository: str
    tag: str
    digest: str
    """What it points to."""
    previous_digest: str
    reason: str


class Record(t.NamedTuple):
    """One promotion between two registries. Texts that nobody has given are empty, and null in JSON."""

    source: str
    """The name of the registry, as is that of ``destination``."""
    destination: str
    images: tuple[RecordedImage, ...]
    begun_at: str
    """RFC 3339, UTC, to the second, as is ``finished_at``."""
    outcome: str = BEGUN
    environment: str = ""
    actor: str = ""
    job: str = ""
    reason: str = ""
    finished_at: str = ""
    """Empty as long as it isn't finished."""
    collection_version: str = ""
    reverts: str = ""
    """From what a rollback went back: the name of a record's file, without a directory, or an attached one's digest."""
    not_reverted: tuple[NotReverted, ...] = ()


def predicate_of(record: Record) -> Plain:
    """The predicate, as plain data, with all its keys. Texts that others have chosen are such that UTF-8 can carry."""
    found: Plain = {
        "source": {"registry": record.source},
        "destination": {"registry": record.destination},
        "environment": record.environment or None,
        "images": [_plain_image(image) for image in record.images],
        "actor": record.actor or None,
        "job": record.job or None,
        "reason": record.reason or None,
        "begun_at": record.begun_at,
        "finished_at": record.finished_at or None,
        "outcome": record.outcome,
        "collection_version": record.collection_version,
        "reverts": record.reverts or None,
        "not_reverted": [one._asdict() for one in record.not_reverted],
    }
    return t.cast(Plain, deliverable(found))


def subjects_of(record: Record) -> list[Plain]:
    """The promoted digests as subjects of a statement, each once for each repository at the destination."""
    places = dict.fromkeys((image.repository, image.digest) for image in record.images if image.is_subject)
    subjects = []
    for repository, digest in places:
        algorithm, _colon, encoded = digest.partition(":")
        subjects.append({"name": f"{record.destination}/{repository}", "digest": {algorithm: encoded}})
    return subjects


def statement_of(record: Record) -> Plain:
    """The record as a statement, as plain data."""
    return {
        "_type": STATEMENT_TYPE,
        "subject": subjects_of(record),
        "predicateType": PREDICATE_TYPE,
        "predicate": predicate_of(record),
    }


def encode_record(record: Record, *, indent: int | None = None) -> bytes:
    """The statement in bytes, the same for the same record; with ``indent``, for people."""
    text = json.dumps(statement_of(record), indent=indent, ensure_ascii=False, allow_nan=False)
    return text.encode("utf-8")


def _plain_image(image: RecordedImage) -> Plain:
    return {
        **image._asdict(),
        "tags": [tag._asdict() for tag in image.tags],
        "bytes": image.bytes._asdict(),
        "gates": [gate._asdict() for gate in image.gates],
        "signatures": [signature._asdict() for signature in image.signatures],
    }
