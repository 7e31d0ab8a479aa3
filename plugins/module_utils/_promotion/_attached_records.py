# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Records of promotions that are attached to an image: statements with our predicate type, signed or not."""

from __future__ import annotations

import datetime
import typing as t

from .._end._end import End
from .._model._errors import ContentMismatch, NotFound, Unverified
from .._model._manifest import Descriptor, Manifest
from .._model._times import age_of
from . import _sigstore_bundle, _statement
from ._referrer_facts import Referrer
from ._signed_content import read_signed
from ._trust import Subject, Trust

Plain = dict[str, t.Any]

PREDICATE_TYPE = "https://github.com/imageops/registry/promotion/v1"
_DONE = "done"
_TEXTS = ("environment", "actor", "job", "reason")


class AttachedRecord(t.NamedTuple):
    """One record that is attached to an image."""

    digest: str
    """Of the manifest that holds it."""
    statement: _statement.Statement
    verified: bool
    """Whether a key that is trusted has signed it. Whoever may push may attach one that is not."""

    def as_plain(self, now: datetime.datetime) -> Plain:
        """As the image document has it. What a record doesn't say is null."""
        predicate = self.statement.predicate
        finished = _text(predicate.get("finished_at"))
        return {
            **{name: _text(predicate.get(name)) for name in _TEXTS},
            "source": _registry_of(predicate.get("source")),
            "destination": _registry_of(predicate.get("destination")),
            "tags": _tags_of(predicate.get("images")),
            "finished_at": finished,
            "age_seconds": age_of(finished or "", now),
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
                if record is not None and record.statement.predicate.get("outcome") == _DONE:
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
    except (ContentMismatch, NotFound, Unverified):
        return None
    return AttachedRecord(digest, statement, verified) if statement.predicate_type == PREDICATE_TYPE else None


def _in_bundle(content: bytes, subject: Subject, trust: Trust) -> tuple[_statement.Statement, bool]:
    """The statement in a bundle, and whether it verifies."""
    statement = _sigstore_bundle.statement_in(content)
    try:
        _sigstore_bundle.verify(content, subject, trust)
    except Unverified:
        return statement, False
    return statement, True


def _text(value: t.Any) -> str | None:
    return value if isinstance(value, str) else None


def _registry_of(value: t.Any) -> str | None:
    return _text(value.get("registry")) if isinstance(value, dict) else None


def _tags_of(images: t.Any) -> list[str]:
    entries = [entry for entry in images if isinstance(entry, dict)] if isinstance(images, list) else []
    tags = [tag for entry in entries for tag in entry.get("tags") or () if isinstance(tag, dict)]
    return list(dict.fromkeys(tag["tag"] for tag in tags if isinstance(tag.get("tag"), str)))
