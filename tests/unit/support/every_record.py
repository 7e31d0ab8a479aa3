# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Records of promotions of all kinds of images, with every action of an image or tag, and every outcome."""

from __future__ import annotations

import contextlib
import os
import pathlib
import tempfile
import typing as t
from unittest import mock

from ansible_collections.imageops.registry.plugins.module_utils._model._actions import REFUSED
from ansible_collections.imageops.registry.plugins.module_utils._model._errors import AccessDenied
from ansible_collections.imageops.registry.plugins.module_utils._model._manifest import OCI_MANIFEST, Manifest
from ansible_collections.imageops.registry.plugins.module_utils._promotion._copy import CopyRules, Promotion
from ansible_collections.imageops.registry.plugins.module_utils._promotion._gates import read_gates
from ansible_collections.imageops.registry.plugins.module_utils._promotion._items import ImageItem
from ansible_collections.imageops.registry.plugins.module_utils._promotion._judging import Conditions
from ansible_collections.imageops.registry.plugins.module_utils._promotion._record import Record, RecordTexts
from ansible_collections.imageops.registry.plugins.module_utils._promotion._record_reading import parse_record
from ansible_collections.imageops.registry.plugins.module_utils._promotion._recorded_images import (
    outcome_of,
    recorded_images,
)
from ansible_collections.imageops.registry.plugins.module_utils._promotion._recording import recording_in
from ansible_collections.imageops.registry.plugins.module_utils._promotion._signature_rules import SignatureRule
from ansible_collections.imageops.registry.plugins.module_utils._run._progress import Progress

from .documents import CONFIG, LAYER, descriptor, encoded, image, index
from .fake_registry import FakeRegistry
from .promotions import image_item, plan_for
from .records import DONE

_DOCKER = "application/vnd.docker.distribution.manifest.v2+json"
_HELM = "application/vnd.cncf.helm.config.v1+json"
_KINDS = ("image", "index", "docker", "chart", "signed")
_SPDX = "application/spdx+json"
_GATE = {"msg": None, "severity": "error", "repositories": None}


def every_record() -> list[Record]:
    """All of them, as the engine makes them."""
    return [
        *_of_a_directory(),
        *(_promoted(item) for item in _kinds()),
        _promoted(*_kinds(), *_conflicts(), gates=True),
    ]


class _CutOff(BaseException):
    """A run is killed."""


def _of_a_directory() -> list[Record]:
    """Those that runs leave in a directory: cut off, finished, gone back in whole and in part, and rolled back."""
    return [*_moved_and_back(), *_rolled_back(created=False), *_rolled_back(created=True)]


def _moved_and_back() -> list[Record]:
    """Of a promotion of which a tag is refused, without and with one that can't go back, and of one that goes well."""
    found = []
    for stays in (False, True):
        destination = _destination()
        old = destination.add("kinds/image", image(annotations={"it": "is old"}), "1", "stable")
        destination.failing["PUT kinds/docker 1"] = AccessDenied("this account may not push here")
        found += _run(_source(), destination, refused_back=old.digest if stays else "")
    return [*found, *_run(_source(), _destination())]


def _rolled_back(*, created: bool) -> list[Record]:
    """Of a promotion that is cut off, as it was begun and as it was ended by its rollback, and of the rollback."""
    source, destination = _source(), _destination()
    tags = ("1",) if created else ("1", "stable")
    old = destination.add("kinds/image", image(annotations={"it": "is old"}), *tags)
    destination.add_blob(CONFIG, "kinds/image")
    destination.add_blob(LAYER, "kinds/image")
    with tempfile.TemporaryDirectory() as path:
        texts = RecordTexts("production", "ci", "https://ci.example/jobs/7", "CHG-1234")
        _carry_out(path, source, destination, texts, _kinds()[0], cut_off=True)
        (name,) = os.listdir(path)
        begun = _records_in(path)
        back = image_item("kinds/image", digest=old.digest, tags=tags)
        _carry_out(path, destination, destination, RecordTexts(reverts=name), back)
        return [*begun, *_records_in(path)]


def _run(source: FakeRegistry, destination: FakeRegistry, *, refused_back: str = "") -> list[Record]:
    """Of two images. The digest ``refused_back`` is refused where it gets the tag ``stable``."""
    two = image_item("kinds/image", tag="1", tags=("1", "stable")), image_item("kinds/docker", tag="1", tags=("1",))
    real = destination.put_manifest

    def put(repository: str, reference: str, manifest: Manifest, *more: t.Any) -> bool:
        if (reference, manifest.digest) == ("stable", refused_back):
            raise AccessDenied("this account may not push here").within("move the tag")
        return real(repository, reference, manifest, *more)

    with tempfile.TemporaryDirectory() as path, mock.patch.object(destination, "put_manifest", put):
        _carry_out(path, source, destination, RecordTexts(), *two)
        return _records_in(path)


def _carry_out(
    path: str,
    source: FakeRegistry,
    destination: FakeRegistry,
    texts: RecordTexts,
    *items: ImageItem,
    cut_off: bool = False,
) -> None:
    """Carry out a promotion that is recorded, of all or none. It can be cut off when its tags have moved."""
    plan = plan_for(source, destination, *items)
    rules = CopyRules(all_or_nothing=True, check=False)
    with recording_in(path, texts, check=False) as recording:
        promotion = Promotion(source.client, destination.client, plan, rules, Progress(), None, recording)
        if not cut_off:
            promotion.carry_out()
            return
        with contextlib.suppress(_CutOff), mock.patch.object(recording, "end", side_effect=_CutOff):
            promotion.carry_out()


def _records_in(path: str) -> list[Record]:
    return [parse_record(pathlib.Path(path, name).read_bytes()) for name in sorted(os.listdir(path))]


def _kinds() -> list[ImageItem]:
    return [
        image_item("kinds/image", tag="1", tags=("1", "stable")),
        image_item("kinds/image", digest=_source().manifests["kinds/image", "1"].digest),
        image_item("kinds/index", tag="1", tags=("1",)),
        image_item("kinds/index", tag="1", tags=("amd64",), platforms=("linux/amd64",)),
        image_item("kinds/index", tag="1", tags=("flat",), platforms=("linux/arm64",), flatten=True),
        image_item("kinds/docker", tag="1", tags=("1",)),
        image_item("kinds/chart", tag="1", destination_repository="charts/chart", tags=("1",)),
        image_item("kinds/signed", tag="1", tags=("1",), artifacts=("all",)),
    ]


def _conflicts() -> list[ImageItem]:
    return [
        image_item("equal", tag="1", tags=("1",)),
        image_item("standing", tag="1", tags=("1",)),
        image_item("standing", tag="1", tags=("2",), on_conflict="skip"),
        image_item("standing", tag="1", tags=("3",), on_conflict="fail"),
        image_item("gone", tag="1", tags=("1",)),
        image_item("denied", tag="1", tags=("1",)),
        image_item("refused", tag="1", tags=("1",)),
    ]


def _promoted(*items: ImageItem, gates: bool = False) -> Record:
    """The record of a promotion, with what failed in it."""
    found: tuple[t.Any, ...] = ()
    if gates:
        found = read_gates([{**_GATE, "name": "not that one", "that": "repository != 'refused'"}])
    rules = (SignatureRule(("*",), "none"),) if gates else ()
    source, destination = _source(), _destination()
    plan = plan_for(source, destination, *items, conditions=Conditions(found, rules))
    outcomes = Promotion(
        source.client, destination.client, plan, CopyRules(all_or_nothing=False, check=False), Progress()
    ).carry_out()
    images = recorded_images(plan, outcomes)
    assert not gates or {one.action for one in images} >= {REFUSED}
    record = DONE._replace(
        source=plan.source,
        destination=plan.destination,
        images=images,
        environment="",
        actor="",
        job="",
        reason="",
    )
    return record._replace(outcome=outcome_of(record, all_or_nothing=False))


def _source() -> FakeRegistry:
    registry = FakeRegistry("dev.example:5000")
    for content in (CONFIG, LAYER, b"{}"):
        registry.add_blob(content, *(f"kinds/{name}" for name in _KINDS), "equal", "standing", "denied", "refused")
    one, other = image(), image(annotations={"of": "arm64"})
    children = [
        descriptor(encoded(document), OCI_MANIFEST, platform={"os": "linux", "architecture": name})
        for document, name in ((one, "amd64"), (other, "arm64"))
    ]
    for repository in ("kinds/image", "equal", "standing", "denied", "refused"):
        registry.add(repository, one, "1")
    for document in (one, other):
        registry.add("kinds/index", document)
    registry.add("kinds/index", index(*children), "1")
    registry.add("kinds/docker", {**image(), "mediaType": _DOCKER}, "1")
    registry.add("kinds/chart", image(config=descriptor(b"{}", _HELM)), "1")
    signed = registry.add("kinds/signed", image(), "1")
    registry.add("kinds/signed", image(artifactType=_SPDX, subject=descriptor(signed.content, signed.media_type)))
    return registry


def _destination() -> FakeRegistry:
    registry = FakeRegistry("prod.example")
    registry.add("equal", image(), "1")
    registry.add("standing", image(annotations={"it": "is old"}), "1", "2", "3")
    registry.failing["PUT denied 1"] = AccessDenied("this account may not push here")
    return registry
