# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Records of promotions attached to what was promoted: a referrer of each image, once for each digest and environment.

They say what has happened, so they are pushed when tags have moved. An image is promoted whether or not that can be
told beside it: what fails here is told, and nothing else.
"""

from __future__ import annotations

import json
import typing as t

from .._blobs._blob_group import BlobGroup
from .._blobs._placement import BlobPlacement
from .._blobs._transfer import ContentSource
from .._end._end import End
from .._images._manifest_push import ManifestItem, ManifestPush
from .._model._actions import PROMOTE
from .._model._digest import compute_digest
from .._model._errors import InvalidInput, RegistryError
from .._model._manifest import EMPTY_TYPE, MAXIMUM_SIZE, OCI_MANIFEST, Manifest
from .._run._parallel import StepGraph, run_all
from .._run._progress import Progress
from ._attached_records import AttachedRecord, records_of
from ._plan import Place
from ._record import DONE, PREDICATE_TYPE, Record, encode_record
from ._signing import Signer
from ._sigstore_bundle import CONTENT_ANNOTATION, DSSE, MEDIA_TYPE, PREDICATE_ANNOTATION
from ._statement import PAYLOAD_TYPE
from ._trust import NOBODY, Trust

_CREATED = "org.opencontainers.image.created"
_EMPTY = b"{}"


class Attached(t.NamedTuple):
    """A record that is attached to an image now, or in check mode would be."""

    digest: str = ""
    """Of the manifest that holds it; empty where that isn't known, in check mode."""
    pushed: bool = False
    """Whether this run has pushed it, or would; otherwise an earlier one had."""


def records_of_images(record: Record) -> dict[Place, Record]:
    """What is attached where: a record for each digest that was promoted, about that alone."""
    found: dict[Place, Record] = {}
    for image in record.images:
        if image.action == PROMOTE and image.digest:
            place = (image.repository, image.digest)
            images = found[place].images if place in found else ()
            found[place] = record._replace(images=(*images, image), outcome=DONE, not_reverted=())
    return found


class Coming(t.NamedTuple):
    """What is copied with an image. In check mode it is at its source only, and a record may be among it."""

    source: End
    repository: str
    digests: frozenset[str]


def attach_records(
    destination: End,
    records: t.Mapping[Place, Record],
    known: t.Mapping[Place, Manifest],
    signer: Signer | None,
    coming: t.Mapping[Place, Coming] | None = None,
) -> dict[Place, Attached | RegistryError]:
    """Attach each record to its digest, unless one of that environment is there; outcomes by the same places.

    ``known`` are manifests of these digests that needn't be read. One that is there counts with a ``signer`` only where
    it has signed it, since whoever may push may attach one. In check mode, ``coming`` is given, and nothing is written.
    """
    trust = NOBODY if signer is None else Trust((signer.public,))

    def read(side: End, repository: str, manifest: Manifest) -> list[AttachedRecord]:
        found = records_of(side, repository, manifest, trust, partly=True)
        valid = [one for one in found if isinstance(one, AttachedRecord) and one.record.outcome == DONE]
        return [one for one in valid if signer is None or one.verified]

    def look(place: Place) -> _Made | Attached:
        manifest = known.get(place) or destination.get_manifest(*place)
        found = read(destination, place[0], manifest)
        if coming and place in coming:
            source, repository, digests = coming[place]
            found += [one for one in read(source, repository, manifest) if one.digest in digests]
        for one in found:
            if _is_same(one.record, records[place]):
                return Attached(one.digest)
        return _Made(manifest, records[place], signer)

    outcomes = dict(zip(records, run_all(look, list(records), destination.jobs)))
    made = {place: one for place, one in outcomes.items() if isinstance(one, _Made)}
    pushed = dict.fromkeys(made, Attached(pushed=True)) if coming is not None else _push(destination, made)
    return {place: pushed[place] if isinstance(one, _Made) else one for place, one in outcomes.items()}


def _is_same(there: Record, record: Record) -> bool:
    """Whether both are about one environment. Without a name, the registry is the environment."""
    same_place = record.environment or there.destination == record.destination
    return there.environment == record.environment and bool(same_place)


class _Made:
    """A referrer with a record in it, and the blobs that it needs."""

    def __init__(self, subject: Manifest, record: Record, signer: Signer | None) -> None:
        content = encode_record(record)
        kind = PAYLOAD_TYPE
        config = _descriptor(EMPTY_TYPE, _EMPTY)
        annotations = {_CREATED: record.finished_at}
        if signer is not None:
            content, kind = signer.bundle(content), MEDIA_TYPE
            # As cosign writes them, and looks for them.
            config["artifactType"] = kind
            annotations.update({CONTENT_ANNOTATION: DSSE, PREDICATE_ANNOTATION: PREDICATE_TYPE})
        if len(content) > MAXIMUM_SIZE:
            raise InvalidInput(f"the record has {len(content)} bytes, and at most {MAXIMUM_SIZE} are read by anybody")
        self.blobs = {compute_digest(blob): blob for blob in (_EMPTY, content)}
        self.content_digest = compute_digest(content)
        document = {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "artifactType": kind,
            "config": config,
            "layers": [_descriptor(kind, content)],
            "subject": _descriptor(subject.media_type, subject.content, subject.digest),
            "annotations": annotations,
        }
        self.manifest = Manifest.parse(json.dumps(document, separators=(",", ":")).encode("ascii"), OCI_MANIFEST)


def _descriptor(kind: str, content: bytes, digest: str = "") -> dict[str, t.Any]:
    return {"mediaType": kind, "digest": digest or compute_digest(content), "size": len(content)}


def _push(destination: End, made: t.Mapping[Place, _Made]) -> dict[Place, Attached | RegistryError]:
    """Push referrers with their blobs, and see that they are listed."""
    blobs: dict[str, dict[str, bytes]] = {}
    for (repository, _digest), one in made.items():
        blobs.setdefault(repository, {}).update(one.blobs)
    groups = [
        BlobGroup(repository, "", (), tuple((digest, len(content)) for digest, content in wanted.items()))
        for repository, wanted in blobs.items()
    ]
    placement = BlobPlacement(
        destination,
        lambda group, digest: ContentSource(blobs[group.repository][digest]),
        check=False,
        progress=Progress(),  # They are small, and what is shown has ended.
        # What was just made is nowhere.
        presumed_missing={(repository, one.content_digest) for (repository, _digest), one in made.items()},
    )
    graph = StepGraph()
    places = [(group.repository, digest) for group in groups for digest, _size in group.blobs]
    steps = dict(zip(places, placement.add_to(graph, groups)))
    items = [
        ManifestItem(repository, one.manifest.digest, content=one.manifest, known_missing=True)
        for (repository, _digest), one in made.items()
    ]
    push = ManifestPush(destination, None, check=False)
    push.add_to(graph, items, steps)
    graph.run(destination.jobs)
    outcomes: dict[Place, Attached | RegistryError] = {}
    for (place, one), outcome in zip(made.items(), push.finish()):
        broken = [steps[place[0], digest].outcome for digest in one.blobs]
        errors = [error for error in (*broken, outcome) if isinstance(error, RegistryError)]
        outcomes[place] = errors[0] if errors else Attached(one.manifest.digest, pushed=True)
    return outcomes
