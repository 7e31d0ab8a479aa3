# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import base64
import json
import typing as t

import pytest
from ansible_collections.imageops.registry.plugins.module_utils._end._referrers import referrers_tag
from ansible_collections.imageops.registry.plugins.module_utils._images._listing import ImageName
from ansible_collections.imageops.registry.plugins.module_utils._model._digest import compute_digest
from ansible_collections.imageops.registry.plugins.module_utils._model._errors import (
    BAD_CONTENT,
    AccessDenied,
    NotFound,
    RegistryError,
)
from ansible_collections.imageops.registry.plugins.module_utils._model._manifest import (
    DOCKER_MANIFEST,
    OCI_MANIFEST,
    Manifest,
)
from ansible_collections.imageops.registry.plugins.module_utils._promotion._document import (
    PARTS,
    ImageDocument,
    Surroundings,
)
from ansible_collections.imageops.registry.plugins.module_utils._promotion._public_keys import public_key
from ansible_collections.imageops.registry.plugins.module_utils._promotion._record import PREDICATE_TYPE, TAG_ACTIONS
from ansible_collections.imageops.registry.plugins.module_utils._promotion._trust import Trust
from ansible_collections.imageops.registry.tests.unit.support.documents import (
    OTHER_DIGEST,
    descriptor,
    encoded,
    image,
    index,
)
from ansible_collections.imageops.registry.tests.unit.support.fake_registry import FakeRegistry
from ansible_collections.imageops.registry.tests.unit.support.signing import (
    BUNDLE,
    NOW,
    WAYS,
    bundle,
    private_key,
    public_pem,
    statement,
)
from ansible_collections.imageops.registry.tests.unit.support.signing import envelope as envelope_of

CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
DSSE = "application/vnd.dsse.envelope.v1+json"
SPDX = "https://spdx.dev/Document"


class Repository:
    """The repository team/app of a registry."""

    def __init__(self) -> None:
        self.registry = FakeRegistry("dev.example")

    def blob(self, content: bytes, kind: str, **more: t.Any) -> dict[str, t.Any]:
        self.registry.add_blob(content, "team/app")
        return descriptor(content, kind, **more)

    def config(self, **content: t.Any) -> dict[str, t.Any]:
        return self.blob(json.dumps(content).encode(), CONFIG_TYPE)

    def image(self, architecture: str, created: str, labels: dict[str, str], layer: bytes = b"layer") -> Manifest:
        config = self.config(os="linux", architecture=architecture, created=created, config={"Labels": labels})
        return self.registry.add("team/app", image(config=config, layers=[self.blob(layer, "application/x-layer")]))

    def attach(self, subject: Manifest, **changes: t.Any) -> Manifest:
        return self.registry.add("team/app", image(subject=descriptor(subject.content, subject.media_type), **changes))

    def of(self, manifest: Manifest, tag: str = "1") -> ImageDocument:
        self.registry.calls.clear()
        reference = f"dev.example/team/app:{tag}"
        name = ImageName("team/app", tag, "")
        return ImageDocument(self.registry.client, name, manifest, reference, Surroundings(NOW))


@pytest.fixture
def repository() -> Repository:
    return Repository()


def envelope(kind: str, version: str = "v1") -> dict[str, t.Any]:
    """An envelope with a statement that nobody has signed."""
    statement = {"_type": f"https://in-toto.io/Statement/{version}", "subject": [], "predicateType": kind}
    payload = json.dumps(statement).encode()
    return {
        "payloadType": "application/vnd.in-toto+json",
        "payload": base64.b64encode(payload).decode(),
        "signatures": [{"sig": ""}],
    }


def test_an_image_for_one_platform(repository: Repository) -> None:
    made = repository.image("arm64", "2026-05-31T12:00:00.5+00:00", {"team": "app"})
    plain = repository.of(made).as_plain()
    config_size = made.descriptors()[0].size
    assert plain == {
        "reference": "dev.example/team/app:1",
        "registry": "dev.example",
        "repository": "team/app",
        "tag": "1",
        "digest": made.digest,
        "media_type": OCI_MANIFEST,
        "artifact_type": CONFIG_TYPE,
        "kind": "image",
        "total_size": made.size + config_size + 5,
        "annotations": {},
        "manifest": made.document,
        "images": [
            {
                "digest": made.digest,
                "platform": "linux/arm64",
                "created": "2026-05-31T12:00:00.5+00:00",
                "age_seconds": 86400,
                "labels": {"team": "app"},
                "annotations": {},
                "config": {
                    "os": "linux",
                    "architecture": "arm64",
                    "created": "2026-05-31T12:00:00.5+00:00",
                    "config": {"Labels": {"team": "app"}},
                },
                "layers": [{"digest": compute_digest(b"layer"), "media_type": "application/x-layer", "size": 5}],
                "total_size": made.size + config_size + 5,
            }
        ],
        "platforms": ["linux/arm64"],
        "created": "2026-05-31T12:00:00.5+00:00",
        "age_seconds": 86400,
        "labels": {"team": "app"},
        "referrers": [],
        "signatures": [],
        "promotions": [],
        "destination": None,
        "first_seen_at": None,
        "first_seen_seconds": None,
        "now": "2026-06-01T12:00:00Z",
    }
    assert list(plain) == list(PARTS)


def test_an_index_has_its_images_without_attestations_and_what_they_have_in_common(repository: Repository) -> None:
    one = repository.image("amd64", "2026-05-30T12:00:00Z", {"team": "app", "platform": "amd64"})
    other = repository.image("arm64", "2026-05-31T12:00:00Z", {"team": "app", "platform": "arm64"}, b"other layer")
    attestation = repository.registry.add("team/app", image(layers=[descriptor(b"attestation")]))
    top = repository.registry.add(
        "team/app",
        index(
            descriptor(one.content, OCI_MANIFEST, platform={"os": "linux", "architecture": "amd64", "variant": "v3"}),
            descriptor(other.content, OCI_MANIFEST),
            descriptor(
                attestation.content,
                OCI_MANIFEST,
                platform={"os": "unknown", "architecture": "unknown"},
                annotations={"vnd.docker.reference.type": "attestation-manifest"},
            ),
            annotations={"org.opencontainers.image.version": "1.4.2"},
        ),
    )
    plain = repository.of(top).as_plain()
    assert (plain["kind"], plain["artifact_type"]) == ("index", None)
    assert [found["digest"] for found in plain["images"]] == [one.digest, other.digest]
    # The index's word on a platform counts, and where it has none, that of the config.
    assert plain["platforms"] == ["linux/amd64/v3", "linux/arm64"]
    assert plain["labels"] == {"team": "app"}
    assert (plain["created"], plain["age_seconds"]) == ("2026-05-31T12:00:00Z", 86400)
    assert plain["annotations"] == {"org.opencontainers.image.version": "1.4.2"}
    blobs = {blob.digest: blob.size for manifest in (one, other, attestation) for blob in manifest.blobs()}
    sizes = [manifest.size for manifest in (one, other, attestation, top)]
    assert plain["total_size"] == sum(sizes) + sum(blobs.values())


def test_an_artifact_has_no_images(repository: Repository) -> None:
    config = repository.blob(b"{}", "application/vnd.oci.empty.v1+json")
    made = repository.registry.add("team/app", image(artifactType="application/vnd.cncf.helm", config=config))
    plain = repository.of(made, tag="").as_plain()
    assert (plain["kind"], plain["artifact_type"], plain["tag"]) == ("artifact", "application/vnd.cncf.helm", None)
    assert (plain["images"], plain["platforms"], plain["labels"]) == ([], [], {})
    assert (plain["created"], plain["age_seconds"]) == (None, None)
    helm = image(config=repository.blob(b"{}", "application/vnd.cncf.helm.config.v1+json"))
    assert repository.of(repository.registry.add("team/app", helm)).part("kind") == "artifact"


@pytest.mark.parametrize("content", [b"[]", b"not JSON", b"{}", b'{"created": "yesterday", "config": 7}'])
def test_what_a_config_does_not_tell_is_null(repository: Repository, content: bytes) -> None:
    made = repository.registry.add("team/app", image(config=repository.blob(content, CONFIG_TYPE), layers=[]))
    (found,) = repository.of(made).part("images")
    assert (found["created"], found["age_seconds"], found["platform"], found["labels"]) == (None, None, None, {})


@pytest.mark.parametrize("part", ["referrers", "promotions"])
def test_where_a_tag_or_a_list_is_denied_no_gate_sees_that_nothing_is_there(repository: Repository, part: str) -> None:
    made = repository.image("amd64", "2026-05-30T12:00:00Z", {})
    tag = referrers_tag(made.digest) + ".att"
    repository.registry.denied[tag] = AccessDenied("DENIED").within(f"look for dev.example/team/app:{tag}")
    with pytest.raises(AccessDenied, match=r"Cannot look for dev.example/team/app:.*\.att: DENIED"):
        repository.of(made).part(part)
    repository.registry.denied.clear()
    repository.registry.unread[made.digest] = AccessDenied("DENIED").within("list the referrers")
    with pytest.raises(AccessDenied, match="Cannot list the referrers: DENIED"):
        repository.of(made).part(part)


def test_what_a_runtime_would_run_is_an_image_whatever_it_is_called(repository: Repository) -> None:
    config = repository.config(os="linux", architecture="amd64", config={"Labels": {"team": "evil"}})
    layer = repository.blob(b"layer", "application/vnd.oci.image.layer.v1.tar+gzip")
    called = repository.registry.add("team/app", image(artifactType="a/sbom", config=config, layers=[layer]))
    assert [one["labels"] for one in repository.of(called).part("images")] == [{"team": "evil"}]
    assert repository.of(called).part("labels") == {"team": "evil"}
    for kind in ("application/octet-stream", "application/json", "text/html"):
        made = image(config={**config, "mediaType": kind}, layers=[layer])
        assert repository.of(repository.registry.add("team/app", made)).part("platforms") == ["linux/amd64"]
    made = image(config={**config, "mediaType": "a/b"}, layers=[layer], mediaType=DOCKER_MANIFEST)
    assert repository.of(repository.registry.add("team/app", made)).part("platforms") == ["linux/amd64"]
    listed = {"annotations": {"vnd.docker.reference.type": "attestation-manifest"}}
    amd64 = {"os": "linux", "architecture": "amd64"}
    for platform in ({"platform": amd64}, {}):
        made = image(config=config, layers=[layer], annotations={"n": str(platform)})
        hidden = repository.registry.add("team/app", made)
        top = repository.registry.add("team/app", index(descriptor(hidden.content, OCI_MANIFEST, **platform, **listed)))
        assert repository.of(top).part("platforms") == ["linux/amd64"]
        assert repository.of(top).part("labels") == {"team": "evil"}
    statement = image(config=config, layers=[repository.blob(b"{}", "application/vnd.in-toto+json")])
    real = repository.registry.add("team/app", statement)
    top = repository.registry.add("team/app", index(descriptor(real.content, OCI_MANIFEST, **listed)))
    assert repository.of(top).part("images") == []


def test_only_what_is_asked_for_is_read_and_each_once(repository: Repository) -> None:
    one = repository.image("amd64", "2026-05-30T12:00:00Z", {})
    top = repository.registry.add("team/app", index(descriptor(one.content, OCI_MANIFEST)))
    document = repository.of(top)
    free = ("reference", "digest", "kind", "annotations", "manifest", "now")
    assert set(document.as_plain(free)) == set(free) and not repository.registry.calls
    document.as_plain(("total_size",))
    assert repository.registry.calls == [f"GET team/app {one.digest}"]
    for _again in range(2):
        document.as_plain(("images", "labels", "created", "platforms"))
    assert repository.registry.calls[1:] == [f"GET team/app {one.descriptors()[0].digest}"]
    document.as_plain(("referrers",))
    seen = len(repository.registry.calls)
    document.as_plain(("referrers",))
    assert len(repository.registry.calls) == seen


def test_referrers_of_the_image_and_its_children_say_what_they_state(repository: Repository) -> None:
    child = repository.image("amd64", "2026-05-30T12:00:00Z", {})
    top = repository.registry.add("team/app", index(descriptor(child.content, OCI_MANIFEST)))
    annotated = repository.attach(
        top,
        artifactType=BUNDLE,
        annotations={"dev.sigstore.bundle.predicateType": SPDX},
        layers=[descriptor(b"not there", BUNDLE)],
    )
    bundle = json.dumps({"dsseEnvelope": envelope("https://slsa.dev/provenance/v1")}).encode()
    read = repository.attach(child, artifactType=BUNDLE, layers=[repository.blob(bundle, BUNDLE)])
    attestations = [
        repository.blob(json.dumps(envelope(kind, "v0.1")).encode(), DSSE)
        for kind in (SPDX, "https://cyclonedx.org/bom")
    ]
    tagged = repository.registry.add("team/app", image(layers=attestations), referrers_tag(top.digest) + ".att")
    plain = repository.of(top).part("referrers")
    assert [(one["digest"], one["subject"], one["found_by"], one["predicate_types"]) for one in plain] == [
        (annotated.digest, top.digest, "api", [SPDX]),
        (tagged.digest, top.digest, "cosign_tag", [SPDX, "https://cyclonedx.org/bom"]),
        (read.digest, child.digest, "api", ["https://slsa.dev/provenance/v1"]),
    ]
    assert plain[0]["annotations"] == {"dev.sigstore.bundle.predicateType": SPDX}
    assert [one["size"] for one in plain] == [annotated.size, tagged.size, read.size]
    assert plain[0]["artifact_type"] == BUNDLE


@pytest.mark.parametrize(
    "content", [b"[]", b"\xff", b"{}", json.dumps({"dsseEnvelope": {"payloadType": "x"}}).encode()]
)
def test_what_states_nothing_has_no_types(repository: Repository, content: bytes) -> None:
    made = repository.image("amd64", "2026-05-30T12:00:00Z", {})
    repository.attach(made, artifactType=BUNDLE, layers=[repository.blob(content, BUNDLE)])
    (found,) = repository.of(made).part("referrers")
    assert found["predicate_types"] == []


def test_a_statement_that_is_too_large_or_gone_is_not_read(repository: Repository) -> None:
    made = repository.image("amd64", "2026-05-30T12:00:00Z", {})
    large = {**descriptor(b"large", BUNDLE), "size": 4 * 1024 * 1024 + 1}
    repository.attach(made, artifactType=BUNDLE, layers=[large])
    (found,) = repository.of(made).part("referrers")
    assert found["predicate_types"] == []
    assert not any(large["digest"] in call for call in repository.registry.calls)


def test_a_referrer_that_is_listed_and_not_there_is_told_as_it_is_listed(repository: Repository) -> None:
    made = repository.image("amd64", "2026-05-30T12:00:00Z", {})
    listed = Manifest.parse(encoded(image(artifactType="application/spdx+json"))).descriptor
    repository.registry.listed[made.digest] = (listed._replace(artifact_type="application/x", annotations={"a": "b"}),)
    (found,) = repository.of(made).part("referrers")
    assert (found["artifact_type"], found["annotations"], found["predicate_types"]) == ("application/x", {"a": "b"}, [])


@pytest.mark.parametrize("kind", BAD_CONTENT)
def test_what_is_bad_about_a_referrer_itself_is_passed_over(repository: Repository, kind: type[RegistryError]) -> None:
    made = repository.image("amd64", "2026-05-30T12:00:00Z", {})
    in_toto = "application/vnd.in-toto+json"
    layer = repository.blob(json.dumps(record(made.digest)).encode(), in_toto)
    attached = repository.attach(made, artifactType=in_toto, layers=[layer])
    for broken in (attached.digest, layer["digest"]):
        document = repository.of(made)
        repository.registry.failing = {f"GET team/app {broken}": kind("it is broken")}
        (found,) = document.part("referrers")
        assert (found["digest"], found["predicate_types"]) == (attached.digest, [])
        assert document.part("promotions") == []


@pytest.mark.parametrize("part", ["referrers", "promotions"])
def test_a_registry_that_fails_is_an_error_whatever_it_was_asked_for(repository: Repository, part: str) -> None:
    made = repository.image("amd64", "2026-05-30T12:00:00Z", {})
    in_toto = "application/vnd.in-toto+json"
    layer = repository.blob(json.dumps(record(made.digest)).encode(), in_toto)
    attached = repository.attach(made, artifactType=in_toto, layers=[layer])
    for broken in (attached.digest, layer["digest"]):
        document = repository.of(made)
        repository.registry.failing = {f"GET team/app {broken}": AccessDenied("not for you")}
        with pytest.raises(AccessDenied):
            document.part(part)


def test_a_list_that_can_not_be_read_is_an_error(repository: Repository) -> None:
    made = repository.image("amd64", "2026-05-30T12:00:00Z", {})
    repository.registry.failing[f"REFERRERS team/app {made.digest}"] = AccessDenied("not for you")
    with pytest.raises(AccessDenied):
        repository.of(made).part("referrers")


def test_an_index_without_a_child_is_an_error(repository: Repository) -> None:
    top = repository.registry.add("team/app", index(descriptor(b"{}", OCI_MANIFEST)))
    with pytest.raises(NotFound):
        repository.of(top).part("images")


def record(digest: str, **predicate: t.Any) -> dict[str, t.Any]:
    """A statement of ours about a promotion."""
    told = {
        "environment": "staging",
        "source": {"registry": "dev.example"},
        "destination": {"registry": "staging.example"},
        "images": [{"tags": [{"tag": "1.4.2"}, {"tag": "stable"}, {"tag": "stable"}]}],
        "actor": "ci",
        "job": "https://ci.example/1",
        "reason": None,
        "finished_at": "2026-05-31T12:00:00Z",
        "outcome": "done",
    }
    return statement(digest, predicateType=PREDICATE_TYPE, predicate={**told, **predicate})


def test_records_of_promotions_are_told_and_whether_they_are_signed(repository: Repository) -> None:
    made = repository.image("amd64", "2026-05-30T12:00:00Z", {})
    kind, sign = WAYS["P-256 with SHA-256"]
    key = private_key(kind)
    plain = json.dumps(record(made.digest)).encode()
    signed = bundle(dsseEnvelope=envelope_of(record(made.digest, environment="qa", images=[], source={}), key, sign))
    in_toto = "application/vnd.in-toto+json"
    unsigned = repository.attach(made, artifactType=in_toto, layers=[repository.blob(plain, in_toto)])
    layers = [repository.blob(signed.content, BUNDLE)]
    annotations = {"dev.sigstore.bundle.predicateType": PREDICATE_TYPE}
    attached = repository.attach(made, artifactType=BUNDLE, layers=layers, annotations=annotations)
    malformed = [record(made.digest, **wrong) for wrong in ({"images": 7}, {"source": []}, {"environment": 1})]
    others = [record(made.digest, outcome="failed"), record(OTHER_DIGEST), statement(made.digest)]
    for other in [*malformed, *others]:
        content = json.dumps(other).encode()
        repository.attach(made, artifactType=in_toto, layers=[repository.blob(content, in_toto)])
    trust = Trust((public_key(public_pem(key), "keys"),), annotations={"not": "in it"})
    name = ImageName("team/app", "1", "")
    document = ImageDocument(repository.registry.client, name, made, "", Surroundings(NOW, trust))
    assert document.part("promotions") == [
        {
            "environment": "staging",
            "source": "dev.example",
            "destination": "staging.example",
            "tags": ["1.4.2", "stable"],
            "finished_at": "2026-05-31T12:00:00Z",
            "age_seconds": 86400,
            "actor": "ci",
            "job": "https://ci.example/1",
            "reason": None,
            "digest": unsigned.digest,
            "verified": False,
        },
        {
            "environment": "qa",
            "source": None,
            "destination": "staging.example",
            "tags": [],
            "finished_at": "2026-05-31T12:00:00Z",
            "age_seconds": 86400,
            "actor": "ci",
            "job": "https://ci.example/1",
            "reason": None,
            "digest": attached.digest,
            "verified": True,
        },
    ]
    assert [one["verified"] for one in repository.of(made).part("promotions")] == [False, False]


def test_promotions_name_the_tags_that_the_promotion_left_on_the_image(repository: Repository) -> None:
    made = repository.image("amd64", "2026-05-30T12:00:00Z", {})
    tags = [{"tag": action, "action": action} for action in TAG_ACTIONS]
    content = json.dumps(record(made.digest, images=[{"tags": tags}])).encode()
    in_toto = "application/vnd.in-toto+json"
    repository.attach(made, artifactType=in_toto, layers=[repository.blob(content, in_toto)])
    (found,) = repository.of(made).part("promotions")
    assert found["tags"] == ["create", "replace", "exists"]
