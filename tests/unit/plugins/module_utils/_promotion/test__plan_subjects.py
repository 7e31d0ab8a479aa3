# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import typing as t

import pytest
from ansible_collections.imageops.registry.plugins.module_utils._images._referrers import cosign_tags
from ansible_collections.imageops.registry.plugins.module_utils._model._digest import compute_digest
from ansible_collections.imageops.registry.plugins.module_utils._model._errors import InvalidInput
from ansible_collections.imageops.registry.plugins.module_utils._model._manifest import OCI_MANIFEST
from ansible_collections.imageops.registry.plugins.module_utils._promotion._plan_as_plain import as_plain, from_plain
from ansible_collections.imageops.registry.plugins.module_utils._promotion._plan_conditions import check_conditions
from ansible_collections.imageops.registry.plugins.module_utils._promotion._plan_subjects import check_subjects
from ansible_collections.imageops.registry.tests.unit.support.documents import CONFIG, descriptor, encoded, image, index
from ansible_collections.imageops.registry.tests.unit.support.fake_registry import FakeRegistry
from ansible_collections.imageops.registry.tests.unit.support.promotions import image_item, plan_for

Plain = dict[str, t.Any]
CHILD = image(annotations={"of": "the index"})
IMAGE = index(descriptor(encoded(CHILD), OCI_MANIFEST))
DIGEST, CHILD_DIGEST = (compute_digest(encoded(document)) for document in (IMAGE, CHILD))
OTHER = image(annotations={"other": "image"})
OTHER_DIGEST = compute_digest(encoded(OTHER))
SIGNATURE = image(layers=[descriptor(b"signature")])
SBOM = image(artifactType="application/spdx+json", subject=descriptor(encoded(CHILD), OCI_MANIFEST))
SBOM_DIGEST = compute_digest(encoded(SBOM))
SBOM_SIGNATURE = image(artifactType="application/signature", subject=descriptor(encoded(SBOM), OCI_MANIFEST))
ITEM = image_item("team/app", tag="1", tags=("1",), artifacts=("all",))


@pytest.fixture
def source() -> FakeRegistry:
    registry = FakeRegistry("dev.example")
    registry.add("team/app", CHILD)
    registry.add("team/app", IMAGE, "1")
    registry.add("team/app", SIGNATURE, cosign_tags(CHILD_DIGEST)[0])
    for document in (SBOM, SBOM_SIGNATURE):
        registry.add("team/app", document)
    registry.blobs[compute_digest(CONFIG)] = CONFIG
    return registry


@pytest.fixture
def destination() -> FakeRegistry:
    return FakeRegistry("prod.example")


def made_for(source: FakeRegistry, destination: FakeRegistry) -> Plain:
    return t.cast(Plain, json.loads(json.dumps(as_plain(plan_for(source, destination, ITEM)))))


def check(made: Plain, destination: FakeRegistry) -> None:
    plan = from_plain(made, [ITEM], "dev.example", "prod.example")
    check_conditions(plan)
    check_subjects(plan, destination)


def test_artifacts_of_children_and_of_artifacts_go_with_the_image(
    source: FakeRegistry, destination: FakeRegistry
) -> None:
    made = made_for(source, destination)
    assert len(made["images"][0]["artifacts"]) == 3
    destination.calls.clear()
    check(made, destination)
    assert not destination.calls


def test_an_image_that_is_there_is_read(source: FakeRegistry, destination: FakeRegistry) -> None:
    destination.add("team/app", CHILD)
    destination.add("team/app", IMAGE)
    made = made_for(source, destination)
    assert not any(entry["digest"] == DIGEST for entry in made["manifests"])
    check(made, destination)
    destination.manifests.clear()
    with pytest.raises(InvalidInput, match="can't be read, and only it shows which artifacts go with it"):
        check(made, destination)


@pytest.mark.parametrize("is_there", [False, True])
def test_a_signature_of_something_else_is_refused(
    source: FakeRegistry, destination: FakeRegistry, is_there: bool
) -> None:
    """It would take the place of the right one under the tag of another image of the repository."""
    destination.add("team/app", OTHER, "other")
    if is_there:
        destination.add("team/app", CHILD)
        destination.add("team/app", IMAGE)
    made = made_for(source, destination)
    (tag,) = made["artifact_tags"]
    signature = next(entry for entry in made["images"][0]["artifacts"] if entry["tag"])
    signature["subject"] = OTHER_DIGEST
    tag["tag"] = signature["tag"] = cosign_tags(OTHER_DIGEST)[0]
    with pytest.raises(InvalidInput, match=f"is about {OTHER_DIGEST}, which isn't {DIGEST} and not in it") as raised:
        check(made, destination)
    assert raised.value.hint


def test_a_referrer_of_something_else_is_refused(source: FakeRegistry, destination: FakeRegistry) -> None:
    source.add("team/app", OTHER, "other")
    stranger = image(artifactType="application/evil", subject=descriptor(encoded(OTHER), OCI_MANIFEST))
    source.add("team/app", stranger)
    other = image_item("team/app", tag="other", tags=("1",), artifacts=("all",))
    theirs = json.loads(json.dumps(as_plain(plan_for(source, destination, other))))
    made = made_for(source, destination)
    (artifact,) = theirs["images"][0]["artifacts"]
    made["images"][0]["artifacts"].append(artifact)
    made["manifests"] += [entry for entry in theirs["manifests"] if entry["digest"] == artifact["digest"]]
    with pytest.raises(InvalidInput, match=f"is about {OTHER_DIGEST}"):
        check(made, destination)
