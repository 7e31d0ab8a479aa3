# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import base64
import json
import typing as t

import pytest
from ansible_collections.imageops.registry.plugins.module_utils._images._referrers import cosign_tags
from ansible_collections.imageops.registry.plugins.module_utils._model._digest import compute_digest
from ansible_collections.imageops.registry.plugins.module_utils._model._errors import InvalidInput
from ansible_collections.imageops.registry.plugins.module_utils._model._manifest import OCI_INDEX, OCI_MANIFEST
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
    registry.add_blob(CONFIG, "team/app")
    return registry


@pytest.fixture
def destination() -> FakeRegistry:
    return FakeRegistry("prod.example")


def made_for(source: FakeRegistry, destination: FakeRegistry) -> Plain:
    return t.cast(Plain, json.loads(json.dumps(as_plain(plan_for(source, destination, ITEM)))))


def check(made: Plain, source: FakeRegistry, destination: FakeRegistry) -> None:
    plan = from_plain(made, [ITEM], "dev.example", "prod.example")
    check_conditions(plan)
    check_subjects(plan, source.client, destination.client)


def test_artifacts_of_children_and_of_artifacts_go_with_the_image(
    source: FakeRegistry, destination: FakeRegistry
) -> None:
    made = made_for(source, destination)
    assert len(made["images"][0]["artifacts"]) == 3
    source.calls.clear()
    destination.calls.clear()
    check(made, source, destination)
    assert not source.calls and not destination.calls


def test_an_image_that_is_there_is_read(source: FakeRegistry, destination: FakeRegistry) -> None:
    destination.add("team/app", CHILD)
    destination.add("team/app", IMAGE)
    made = made_for(source, destination)
    assert not any(entry["digest"] == DIGEST for entry in made["manifests"])
    check(made, source, destination)
    destination.manifests.clear()
    with pytest.raises(InvalidInput, match="cannot be read, and only it shows which artifacts go with it"):
        check(made, source, destination)


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
    with pytest.raises(InvalidInput, match=f"is about {OTHER_DIGEST}, which is neither {DIGEST} nor in it") as raised:
        check(made, source, destination)
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
        check(made, source, destination)


def manifest_of(content: bytes) -> Plain:
    return {
        "repository": "team/app",
        "source_repository": "team/app",
        "digest": compute_digest(content),
        "media_type": OCI_MANIFEST,
        "content_base64": base64.b64encode(content).decode(),
    }


def artifact_of(subject: str, content: bytes, tag: str = "", action: str = "copy") -> Plain:
    place = {"subject": subject, "digest": compute_digest(content), "artifact_type": "", "tag": tag}
    return {**place, "action": action, "reason": ""}


def with_chain(made: Plain, *artifacts: tuple[Plain, bytes]) -> Plain:
    """The plan with more artifacts, all of which it brings along."""
    for artifact, content in artifacts:
        made["images"][0]["artifacts"].append(artifact)
        if manifest_of(content) not in made["manifests"]:
            made["manifests"].append(manifest_of(content))
        if artifact["tag"]:
            tag = {"repository": "team/app", "tag": artifact["tag"], "digest": artifact["digest"]}
            made["artifact_tags"].append({**tag, "previous_digest": ""})
    return made


EVIL = encoded(image(layers=[descriptor(b"another signature")]))


@pytest.mark.parametrize(
    ("tag", "words"),
    [
        # Its manifest has no subject, so it is none of the image's.
        ("", "no image of the plan has it"),
        ("sha256-" + DIGEST[7:] + ".att", f"is about {OTHER_DIGEST}, which is neither {DIGEST} nor in it"),
    ],
)
def test_an_image_that_is_called_an_artifact_gets_no_signature(
    source: FakeRegistry, destination: FakeRegistry, tag: str, words: str
) -> None:
    """A chain: the image OTHER is called an artifact of the plan's image, and so its signature goes with that."""
    destination.add("team/app", OTHER, "stable")
    called = artifact_of(DIGEST, encoded(OTHER), tag)
    evil = artifact_of(OTHER_DIGEST, EVIL, cosign_tags(OTHER_DIGEST)[0])
    made = with_chain(made_for(source, destination), (called, encoded(OTHER)), (evil, EVIL))
    with pytest.raises(InvalidInput, match=words):
        check(made, source, destination)
    # What isn't to be copied proves nothing either.
    made = with_chain(made_for(source, destination), (evil, EVIL))
    made["images"][0]["artifacts"].append({**called, "action": "exists"})
    with pytest.raises(InvalidInput, match=f"is about {OTHER_DIGEST}, which is neither {DIGEST} nor in it"):
        check(made, source, destination)


@pytest.mark.parametrize("is_there", [False, True])
def test_the_signature_of_an_attestation_goes_with_the_image_where_the_source_has_that(
    source: FakeRegistry, destination: FakeRegistry, is_there: bool
) -> None:
    attestation = source.add("team/app", image(layers=[descriptor(b"attestation")]), cosign_tags(DIGEST)[1])
    source.add("team/app", image(layers=[descriptor(b"of the attestation")]), cosign_tags(attestation.digest)[0])
    if is_there:
        destination.add("team/app", attestation.document, cosign_tags(DIGEST)[1])
    made = made_for(source, destination)
    assert len(made["images"][0]["artifacts"]) == 5
    check(made, source, destination)
    source.manifests.pop(("team/app", cosign_tags(DIGEST)[1]))
    with pytest.raises(InvalidInput, match=f"is about {attestation.digest}"):
        check(made, source, destination)


def test_the_signature_of_an_sbom_that_is_there_goes_with_the_image(
    source: FakeRegistry, destination: FakeRegistry
) -> None:
    destination.add("team/app", SBOM)
    made = made_for(source, destination)
    assert [one["action"] for one in made["images"][0]["artifacts"]] == ["exists", "copy", "copy"]
    check(made, source, destination)
    source.manifests.pop(("team/app", SBOM_DIGEST))
    with pytest.raises(InvalidInput, match=f"is about {SBOM_DIGEST}"):
        check(made, source, destination)


STRANGER = image(artifactType="application/evil", subject=descriptor(encoded(OTHER), OCI_MANIFEST))


def test_what_is_tagged_for_the_image_must_not_refer_to_another(
    source: FakeRegistry, destination: FakeRegistry
) -> None:
    """A registry would list it under its own subject."""
    content = encoded(STRANGER)
    made = with_chain(made_for(source, destination), (artifact_of(DIGEST, content, cosign_tags(DIGEST)[1]), content))
    with pytest.raises(InvalidInput, match=f"is about {OTHER_DIGEST}"):
        check(made, source, destination)


def test_what_is_in_an_artifact_must_not_refer_to_another_image(
    source: FakeRegistry, destination: FakeRegistry
) -> None:
    top = encoded(index(descriptor(encoded(STRANGER), OCI_MANIFEST), subject=descriptor(encoded(IMAGE), OCI_INDEX)))
    made = made_for(source, destination)
    made["manifests"].append(manifest_of(encoded(STRANGER)))
    made["images"][0]["artifacts"].append(artifact_of(DIGEST, top))
    made["manifests"].append({**manifest_of(top), "media_type": OCI_INDEX})
    with pytest.raises(InvalidInput, match=f"is about {OTHER_DIGEST}"):
        check(made, source, destination)
