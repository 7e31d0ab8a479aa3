# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.imageops.registry.plugins.module_utils._blobs._missing_repositories import MissingRepositories
from ansible_collections.imageops.registry.plugins.module_utils._images._artifacts import (
    Artifact,
    ArtifactsWanted,
    compare_artifacts,
)
from ansible_collections.imageops.registry.plugins.module_utils._images._referrers import referrers_of
from ansible_collections.imageops.registry.plugins.module_utils._model._digest import compute_digest
from ansible_collections.imageops.registry.plugins.module_utils._model._errors import (
    AccessDenied,
    AuthenticationFailed,
    NotFound,
    RegistryError,
    UnexpectedAnswer,
)
from ansible_collections.imageops.registry.plugins.module_utils._model._manifest import (
    OCI_INDEX,
    OCI_MANIFEST,
    WITHDRAWN_TYPES,
    Descriptor,
    Manifest,
    foreign_type,
)
from ansible_collections.imageops.registry.tests.unit.support.documents import DIGEST, descriptor, encoded, image, index
from ansible_collections.imageops.registry.tests.unit.support.fake_registry import FakeRegistry

Plain = dict[str, t.Any]
IMAGE = image()
IMAGE_DIGEST = compute_digest(encoded(IMAGE))
SIGNATURES = "application/vnd.dev.cosign.simplesigning.v1+json"
SPDX = "application/spdx+json"


def referrer(subject: Plain, artifact_type: str = SPDX, content: bytes = b"x") -> Plain:
    return image(
        artifactType=artifact_type,
        subject=descriptor(encoded(subject), OCI_MANIFEST),
        layers=[descriptor(content, artifact_type)],
    )


def signatures(*contents: bytes) -> Plain:
    return image(layers=[descriptor(content, SIGNATURES) for content in contents])


def cosign_tag(digest: str, suffix: str = ".sig") -> str:
    return digest.replace(":", "-") + suffix


def digest_of(document: Plain) -> str:
    return compute_digest(encoded(document))


@pytest.fixture
def source() -> FakeRegistry:
    registry = FakeRegistry("dev.example")
    registry.add("team/app", IMAGE, "1")
    return registry


@pytest.fixture
def destination() -> FakeRegistry:
    return FakeRegistry("prod.example")


def wanted(
    *digests: str, types: tuple[str, ...] = ("all",), on_conflict: str = "replace", **more: t.Any
) -> ArtifactsWanted:
    return ArtifactsWanted(
        repository="team/app",
        destination_repository="prod/app",
        digests=digests or (IMAGE_DIGEST,),
        left_behind=more.get("left_behind", ()),
        types=types,
        on_conflict=lambda tag: on_conflict,
    )


def compared(source: FakeRegistry, destination: FakeRegistry, request: ArtifactsWanted) -> tuple[Artifact, ...]:
    (outcome,) = compare_artifacts(source.client, destination.client, [request])
    assert not isinstance(outcome, RegistryError), outcome
    return outcome


def told(artifacts: t.Iterable[Artifact]) -> list[tuple[str, str, str]]:
    return [(artifact.digest, artifact.tag, artifact.action) for artifact in artifacts]


def test_an_image_without_artifacts_costs_four_requests_and_none_at_the_destination(
    source: FakeRegistry, destination: FakeRegistry
) -> None:
    assert compared(source, destination, wanted()) == ()
    assert source.calls == [
        f"REFERRERS team/app {IMAGE_DIGEST}",
        *(f"HEAD team/app {cosign_tag(IMAGE_DIGEST, suffix)}" for suffix in (".sig", ".att", ".sbom")),
    ]
    assert destination.calls == []


def test_what_refers_to_an_image_is_found_and_what_refers_to_that(
    source: FakeRegistry, destination: FakeRegistry
) -> None:
    sbom = referrer(IMAGE)
    signature = referrer(sbom, "application/vnd.cncf.notary.signature")
    source.add("team/app", sbom)
    source.add("team/app", signature)
    signed = source.add("team/app", signatures(b"s"), cosign_tag(digest_of(sbom)))
    artifacts = compared(source, destination, wanted())
    assert told(artifacts) == [
        (digest_of(sbom), "", "copy"),
        (digest_of(signature), "", "copy"),
        (signed.digest, cosign_tag(digest_of(sbom)), "copy"),
    ]
    assert [artifact.tree[-1].digest for artifact in artifacts] == [artifact.digest for artifact in artifacts]
    assert artifacts[2].artifact_type == SIGNATURES


def test_what_the_destination_lists_is_left_alone(source: FakeRegistry, destination: FakeRegistry) -> None:
    sbom = referrer(IMAGE)
    signed = signatures(b"s")
    for registry, repository in ((source, "team/app"), (destination, "prod/app")):
        registry.add(repository, sbom)
        registry.add(repository, signed, cosign_tag(IMAGE_DIGEST))
    assert {action for _digest, _tag, action in told(compared(source, destination, wanted()))} == {"exists"}
    assert not any(call.startswith("GET") for call in source.calls)


@pytest.mark.parametrize("media_type", [*WITHDRAWN_TYPES, "application/vnd.example.manifest.v9+json"])
@pytest.mark.parametrize("answer", ["served", "refused"])
@pytest.mark.parametrize("tag", ["", "cosign"])
def test_what_is_of_a_type_that_cannot_be_pushed_is_left_out_with_that_reason(
    source: FakeRegistry, destination: FakeRegistry, media_type: str, answer: str, tag: str
) -> None:
    digest = DIGEST
    listed = Descriptor(media_type, digest, 7, artifact_type=SPDX)
    if tag:
        source.found[cosign_tag(IMAGE_DIGEST)] = listed
    else:
        source.listed[IMAGE_DIGEST] = (listed,)
    error = foreign_type(media_type) if answer == "served" else NotFound("MANIFEST_UNKNOWN")
    source.failing[f"GET team/app {digest}"] = error
    (artifact,) = compared(source, destination, wanted())
    assert (artifact.action, artifact.digest) == ("left_out", digest)
    assert media_type in artifact.reason and "does not have it" not in artifact.reason
    assert source.accepted[digest] == media_type


def test_what_the_source_lists_under_a_type_of_today_and_does_not_have_is_missing(
    source: FakeRegistry, destination: FakeRegistry
) -> None:
    source.listed[IMAGE_DIGEST] = (Descriptor(OCI_MANIFEST, DIGEST, 7),)
    assert told(compared(source, destination, wanted())) == [(DIGEST, "", "missing")]


def test_the_manifest_decides_where_the_list_names_a_withdrawn_type(
    source: FakeRegistry, destination: FakeRegistry
) -> None:
    sbom = source.add("team/app", referrer(IMAGE))
    source.listed[IMAGE_DIGEST] = (Descriptor(WITHDRAWN_TYPES[0], sbom.digest, sbom.size),)
    assert told(compared(source, destination, wanted())) == [(sbom.digest, "", "copy")]


def test_an_artifact_that_is_an_index_with_a_withdrawn_type_is_left_out(
    source: FakeRegistry, destination: FakeRegistry
) -> None:
    child = descriptor(b"{}", WITHDRAWN_TYPES[1])
    made = source.add("team/app", index(child, subject=descriptor(encoded(IMAGE), OCI_MANIFEST), artifactType=SPDX))
    (artifact,) = compared(source, destination, wanted())
    assert (artifact.action, artifact.digest) == ("left_out", made.digest)
    assert child["digest"] in artifact.reason and WITHDRAWN_TYPES[1] in artifact.reason


def test_signatures_made_at_the_destination_stay(source: FakeRegistry, destination: FakeRegistry) -> None:
    source.add("team/app", signatures(b"ours"), cosign_tag(IMAGE_DIGEST))
    destination.add("prod/app", signatures(b"ours", b"theirs"), cosign_tag(IMAGE_DIGEST))
    (artifact,) = compared(source, destination, wanted())
    assert (artifact.action, artifact.tree) == ("exists", ())


@pytest.mark.parametrize(("on_conflict", "pushed"), [("replace", True), ("skip", False), ("refused", False)])
def test_a_tag_on_other_signatures_follows_the_conditions(
    source: FakeRegistry, destination: FakeRegistry, on_conflict: str, pushed: bool
) -> None:
    source.add("team/app", signatures(b"ours"), cosign_tag(IMAGE_DIGEST))
    standing = destination.add("prod/app", signatures(b"theirs"), cosign_tag(IMAGE_DIGEST))
    (artifact,) = compared(source, destination, wanted(on_conflict=on_conflict))
    assert artifact.action == on_conflict
    assert artifact.previous_digest == standing.digest
    assert bool(artifact.tree) is pushed
    assert bool(artifact.reason) is not pushed
    # Whatever the conditions: what was signed at the destination as well must not be taken away.
    assert destination.guarded


def test_an_index_under_a_tag_of_cosign_is_never_taken_for_a_part_of_another(
    source: FakeRegistry, destination: FakeRegistry
) -> None:
    source.add("team/app", index(descriptor(encoded(IMAGE), OCI_MANIFEST)), cosign_tag(IMAGE_DIGEST))
    destination.add("prod/app", signatures(b"theirs"), cosign_tag(IMAGE_DIGEST))
    (artifact,) = compared(source, destination, wanted())
    assert artifact.action == "replace"


def test_only_the_types_asked_for(source: FakeRegistry, destination: FakeRegistry) -> None:
    kept = referrer(IMAGE)
    source.add("team/app", kept)
    source.add("team/app", referrer(IMAGE, "application/vnd.example"))
    source.add("team/app", signatures(b"s"), cosign_tag(IMAGE_DIGEST))
    source.add("team/app", image(layers=[descriptor(b"a", "application/vnd.dsse")]), cosign_tag(IMAGE_DIGEST, ".att"))
    artifacts = compared(source, destination, wanted(types=(SPDX, SIGNATURES)))
    assert [artifact.artifact_type for artifact in artifacts] == [SPDX, SIGNATURES]


EMPTY = "application/vnd.oci.empty.v1+json"


def listed(source: FakeRegistry, listed_as: str, *documents: Plain) -> None:
    """Put a list under the tag that gives these referrers of the image another type, or none."""
    source.referrers_api = False
    entries = [descriptor(encoded(document), OCI_MANIFEST, artifactType=listed_as or None) for document in documents]
    entries = [{key: value for key, value in entry.items() if value is not None} for entry in entries]
    source.add("team/app", index(*entries), cosign_tag(IMAGE_DIGEST, ""))


@pytest.mark.parametrize("listed_as", ["", EMPTY, "application/wrong"])
def test_a_type_that_a_list_does_not_give_is_that_of_the_manifest(
    source: FakeRegistry, destination: FakeRegistry, listed_as: str
) -> None:
    kept, other = referrer(IMAGE), referrer(IMAGE, "application/vnd.example")
    for document in (kept, other):
        source.add("team/app", document)
    listed(source, listed_as, kept, other)
    artifacts = compared(source, destination, wanted(types=(SPDX,)))
    assert [(one.digest, one.artifact_type, one.action) for one in artifacts] == [(digest_of(kept), SPDX, "copy")]
    everything = compared(source, destination, wanted())
    assert [one.artifact_type for one in everything] == [SPDX, "application/vnd.example"]


def test_an_artifact_without_any_type_is_of_none_that_is_asked_for(
    source: FakeRegistry, destination: FakeRegistry
) -> None:
    untyped = index(descriptor(b"child", OCI_MANIFEST), subject=descriptor(encoded(IMAGE), OCI_MANIFEST))
    source.add("team/app", untyped)
    assert compared(source, destination, wanted(types=(SPDX,))) == ()


@pytest.mark.parametrize(("listed_as", "expected"), [("", ["missing"]), ("application/wrong", [])])
def test_of_what_is_listed_and_not_there_the_list_decides(
    source: FakeRegistry, destination: FakeRegistry, listed_as: str, expected: list[str]
) -> None:
    listed(source, listed_as, referrer(IMAGE))
    assert [one.action for one in compared(source, destination, wanted(types=(SPDX,)))] == expected


def test_a_type_that_may_not_be_read_is_an_error(source: FakeRegistry, destination: FakeRegistry) -> None:
    other = referrer(IMAGE, "application/vnd.example")
    source.add("team/app", other)
    source.failing[f"GET team/app {digest_of(other)}"] = AccessDenied("no")
    (outcome,) = compare_artifacts(source.client, destination.client, [wanted(types=(SPDX,))])
    assert isinstance(outcome, AccessDenied)


def test_what_belongs_to_a_whole_index_is_named_and_left_out(source: FakeRegistry, destination: FakeRegistry) -> None:
    whole = index(descriptor(encoded(IMAGE), OCI_MANIFEST))
    source.add("team/app", whole)
    sbom = image(artifactType=SPDX, subject=descriptor(encoded(whole), OCI_INDEX))
    source.add("team/app", sbom)
    source.add("team/app", signatures(b"s"), cosign_tag(digest_of(sbom)))
    (artifact,) = compared(source, destination, wanted(left_behind=(digest_of(whole),)))
    assert (artifact.digest, artifact.action, artifact.tree) == (digest_of(sbom), "left_out", ())
    assert "whole index" in artifact.reason


def test_a_tag_that_belongs_to_a_whole_index_is_left_out_whatever_its_type(
    source: FakeRegistry, destination: FakeRegistry
) -> None:
    whole = index(descriptor(encoded(IMAGE), OCI_MANIFEST))
    source.add("team/app", signatures(b"s"), cosign_tag(digest_of(whole)))
    (artifact,) = compared(source, destination, wanted(left_behind=(digest_of(whole),), types=(SIGNATURES,)))
    assert (artifact.action, artifact.tree) == ("left_out", ())


def test_what_is_listed_and_not_there_is_a_result(source: FakeRegistry, destination: FakeRegistry) -> None:
    source.referrers_api = False
    source.add("team/app", index(descriptor(b"gone", OCI_MANIFEST)), cosign_tag(IMAGE_DIGEST, ""))
    (artifact,) = compared(source, destination, wanted())
    assert (artifact.action, artifact.tree) == ("missing", ())
    assert artifact.reason


def test_what_has_another_subject_is_left_out(source: FakeRegistry, destination: FakeRegistry) -> None:
    source.referrers_api = False
    other = referrer(image(layers=[]))
    source.add("team/app", other)
    source.add("team/app", index(descriptor(encoded(other), OCI_MANIFEST)), cosign_tag(IMAGE_DIGEST, ""))
    (artifact,) = compared(source, destination, wanted())
    assert artifact.action == "left_out"


def test_what_is_listed_without_a_subject_is_left_out_with_a_word(
    source: FakeRegistry, destination: FakeRegistry
) -> None:
    source.referrers_api = False
    plain = image(artifactType=SPDX)
    source.add("team/app", plain)
    source.add("team/app", index(descriptor(encoded(plain), OCI_MANIFEST)), cosign_tag(IMAGE_DIGEST, ""))
    (artifact,) = compared(source, destination, wanted())
    assert (artifact.action, artifact.tree) == ("left_out", ())
    assert "names no subject" in artifact.reason


def test_what_belongs_to_the_children_of_an_artifact_is_found(source: FakeRegistry, destination: FakeRegistry) -> None:
    child = image(layers=[descriptor(b"of an artifact")])
    artifact = index(descriptor(encoded(child), OCI_MANIFEST), subject=descriptor(encoded(IMAGE), OCI_MANIFEST))
    for document in (child, artifact):
        source.add("team/app", document)
    signed = source.add("team/app", signatures(b"s"), cosign_tag(digest_of(child)))
    found = compared(source, destination, wanted())
    assert told(found) == [(digest_of(artifact), "", "copy"), (signed.digest, cosign_tag(digest_of(child)), "copy")]


def test_artifacts_that_may_not_be_read_are_an_error(source: FakeRegistry, destination: FakeRegistry) -> None:
    source.failing[f"REFERRERS team/app {IMAGE_DIGEST}"] = AccessDenied("no")
    (outcome,) = compare_artifacts(source.client, destination.client, [wanted()])
    assert isinstance(outcome, AccessDenied)


def test_a_destination_that_can_not_be_asked_is_an_error(source: FakeRegistry, destination: FakeRegistry) -> None:
    source.add("team/app", referrer(IMAGE))
    destination.failing[f"REFERRERS prod/app {IMAGE_DIGEST}"] = AccessDenied("no")
    (outcome,) = compare_artifacts(source.client, destination.client, [wanted()])
    assert isinstance(outcome, AccessDenied)


def test_artifacts_that_refer_to_one_another_end(source: FakeRegistry, destination: FakeRegistry) -> None:
    """With real digests there are no cycles; with tags of cosign there may be."""
    signed = source.add("team/app", signatures(b"s"), cosign_tag(IMAGE_DIGEST))
    source.manifests["team/app", cosign_tag(signed.digest)] = Manifest.parse(encoded(IMAGE))
    assert told(compared(source, destination, wanted())) == [
        (signed.digest, cosign_tag(IMAGE_DIGEST), "copy"),
        (IMAGE_DIGEST, cosign_tag(signed.digest), "copy"),
    ]


def test_artifacts_in_too_many_levels_are_refused(source: FakeRegistry, destination: FakeRegistry) -> None:
    subject = IMAGE
    for number in range(10):
        subject = referrer(subject, content=str(number).encode())
        source.add("team/app", subject)
    (outcome,) = compare_artifacts(source.client, destination.client, [wanted()])
    assert isinstance(outcome, RegistryError)
    assert "more than 8 levels" in str(outcome)


def test_a_question_for_two_images_is_asked_once(source: FakeRegistry, destination: FakeRegistry) -> None:
    source.add("team/app", referrer(IMAGE))
    compare_artifacts(source.client, destination.client, [wanted(), wanted()])
    assert source.calls.count(f"REFERRERS team/app {IMAGE_DIGEST}") == 1


def test_a_sha512_digest_has_no_tags_of_cosign(source: FakeRegistry, destination: FakeRegistry) -> None:
    digest = compute_digest(encoded(IMAGE), "sha512")
    assert compared(source, destination, wanted(digest)) == ()
    assert source.calls == [f"REFERRERS team/app {digest}"]


def test_a_list_of_the_destination_that_has_lost_an_artifact_is_seen(
    source: FakeRegistry, destination: FakeRegistry
) -> None:
    lost, kept = referrer(IMAGE), referrer(IMAGE, "application/vnd.example")
    for registry, repository in ((source, "team/app"), (destination, "prod/app")):
        for document in (lost, kept):
            registry.add(repository, document)
    destination.lost[digest_of(lost)] = 0
    found = {artifact.digest: artifact.action for artifact in compared(source, destination, wanted())}
    assert found == {digest_of(lost): "copy", digest_of(kept): "exists"}


def test_a_list_of_the_destination_that_can_not_be_read_says_nothing(
    source: FakeRegistry, destination: FakeRegistry
) -> None:
    sbom = referrer(IMAGE)
    source.add("team/app", sbom)
    destination.failing[f"REFERRERS prod/app {IMAGE_DIGEST}"] = UnexpectedAnswer("no", status=500)
    assert told(compared(source, destination, wanted())) == [(digest_of(sbom), "", "copy")]


@pytest.mark.parametrize("kind", [AccessDenied, AuthenticationFailed])
def test_a_list_of_the_destination_that_is_denied_is_an_error(
    source: FakeRegistry, destination: FakeRegistry, kind: type[RegistryError]
) -> None:
    source.add("team/app", referrer(IMAGE))
    destination.failing[f"REFERRERS prod/app {IMAGE_DIGEST}"] = kind("no")
    (outcome,) = compare_artifacts(source.client, destination.client, [wanted()])
    assert isinstance(outcome, kind)


def test_a_list_of_the_source_that_can_not_be_read_is_an_error(source: FakeRegistry, destination: FakeRegistry) -> None:
    source.failing[f"REFERRERS team/app {IMAGE_DIGEST}"] = UnexpectedAnswer("no", status=500)
    (outcome,) = compare_artifacts(source.client, destination.client, [wanted()])
    assert isinstance(outcome, UnexpectedAnswer)


def test_an_artifact_is_what_its_manifest_says_where_the_list_does_not(
    source: FakeRegistry, destination: FakeRegistry
) -> None:
    child = source.add("team/app", image(layers=[]))
    top = index(
        descriptor(child.content, OCI_MANIFEST), artifactType=SPDX, subject=descriptor(encoded(IMAGE), OCI_MANIFEST)
    )
    gone = "sha256:" + "1" * 64
    source.add("team/app", top)
    source.listed[IMAGE_DIGEST] = (Descriptor("", digest_of(top), 0), Descriptor("", gone, 0))
    found = {artifact.digest: artifact for artifact in compared(source, destination, wanted())}
    assert {digest: artifact.action for digest, artifact in found.items()} == {digest_of(top): "copy", gone: "missing"}
    assert found[digest_of(top)].artifact_type == SPDX
    # Its children may be signed as well.
    assert f"REFERRERS team/app {child.digest}" in source.calls


def test_a_list_that_clients_keep_does_not_prove_that_an_artifact_is_there(
    source: FakeRegistry, destination: FakeRegistry
) -> None:
    sbom = referrer(IMAGE)
    source.add("team/app", sbom)
    destination.referrers_api = False
    destination.add("prod/app", index(descriptor(encoded(sbom), OCI_MANIFEST)), cosign_tag(IMAGE_DIGEST, ""))
    (artifact,) = compared(source, destination, wanted())
    assert artifact.action == "copy" and artifact.tree
    destination.add("prod/app", sbom)
    (artifact,) = compared(source, destination, wanted())
    assert (artifact.action, artifact.tree) == ("exists", ())


def test_two_keys_sign_the_same_payload_and_one_signature_is_not_the_other(
    source: FakeRegistry, destination: FakeRegistry
) -> None:
    def by(*keys: str) -> Plain:
        named = [{"dev.cosignproject.cosign/signature": key} for key in keys]
        layers = [descriptor(b"payload", SIGNATURES, annotations=one) for one in named]
        return image(layers=layers)

    tag = cosign_tag(IMAGE_DIGEST)
    source.add("team/app", by("ours"), tag)
    for standing, action in ((by("theirs"), "replace"), (by("theirs", "ours"), "exists")):
        destination.add("prod/app", standing, tag)
        found = [one for one in compared(source, destination, wanted()) if one.tag]
        assert [one.action for one in found] == [action]


def test_a_repository_that_is_presumed_to_be_missing_lists_no_referrers_and_may_have_signatures(
    source: FakeRegistry, destination: FakeRegistry
) -> None:
    source.add("team/app", referrer(IMAGE))
    tag = cosign_tag(IMAGE_DIGEST)
    source.add("team/app", signatures(b"1"), tag)
    missing = MissingRepositories(destination.client)
    missing.consider(["prod/app", "prod/api"])
    assert missing.look("prod/api", lambda: None) is None
    destination.calls.clear()
    (outcome,) = compare_artifacts(source.client, destination.client, [wanted()], missing=missing)
    assert not isinstance(outcome, RegistryError), outcome
    assert [artifact.action for artifact in outcome] == ["copy", "copy"]
    # A signature that was made at the destination must not be taken away.
    assert destination.calls == [f"HEAD prod/app {tag}"] and destination.guarded == {f"prod/app {tag}"}


def test_answers_that_are_known_are_not_asked_for(source: FakeRegistry, destination: FakeRegistry) -> None:
    known = dict(zip([("team/app", IMAGE_DIGEST)], referrers_of(source.client, [("team/app", IMAGE_DIGEST)])))
    source.calls.clear()
    assert compare_artifacts(source.client, destination.client, [wanted()], known) == [()]
    assert not source.calls
