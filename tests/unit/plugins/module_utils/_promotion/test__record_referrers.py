# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import typing as t

import pytest
from ansible_collections.imageops.registry.plugins.module_utils._end._referrers import referrers_tag
from ansible_collections.imageops.registry.plugins.module_utils._images._listing import ImageName
from ansible_collections.imageops.registry.plugins.module_utils._model._errors import (
    AccessDenied,
    Conflict,
    RegistryError,
    Unsupported,
)
from ansible_collections.imageops.registry.plugins.module_utils._model._manifest import Descriptor, Manifest
from ansible_collections.imageops.registry.plugins.module_utils._promotion._attached_records import (
    AttachedRecord,
    BrokenRecord,
    records_of,
)
from ansible_collections.imageops.registry.plugins.module_utils._promotion._document import ImageDocument, Surroundings
from ansible_collections.imageops.registry.plugins.module_utils._promotion._record import (
    PREDICATE_TYPE,
    Record,
    RecordedImage,
    RecordedTag,
    encode_record,
)
from ansible_collections.imageops.registry.plugins.module_utils._promotion._record_referrers import (
    Attached,
    attach_records,
    records_of_images,
)
from ansible_collections.imageops.registry.plugins.module_utils._promotion._signing import Signer, read_signer
from ansible_collections.imageops.registry.plugins.module_utils._promotion._trust import NOBODY, Trust
from ansible_collections.imageops.registry.tests.unit.support.documents import OTHER_DIGEST, descriptor, image
from ansible_collections.imageops.registry.tests.unit.support.fake_registry import FakeRegistry
from ansible_collections.imageops.registry.tests.unit.support.records import APP, DONE, EQUAL
from ansible_collections.imageops.registry.tests.unit.support.signing import (
    BUNDLE,
    IN_TOTO,
    NOW,
    private_key,
    private_pem,
)

EMPTY = "application/vnd.oci.empty.v1+json"
Outcomes = dict[tuple[str, str], t.Union[Attached, RegistryError]]


def signer(number: int = 0) -> Signer:
    return read_signer(private_pem(private_key("p256", number)), None, "sign_with", "sign_passphrase")


class Prod:
    """A registry with two promoted images, and the record of their promotion."""

    def __init__(self) -> None:
        self.registry = FakeRegistry("prod.example")
        self.app = self.registry.add("team/app", image(), "1.4.2")
        self.api = self.registry.add("team/api", image(layers=[descriptor(b"api")]), "2")
        self.record = DONE._replace(images=(promoted("team/app", self.app), promoted("team/api", self.api), EQUAL))

    def attach(self, signed_by: Signer | None = None, *, check: bool = False, **changes: t.Any) -> Outcomes:
        """Attach the record, with changes, and see that nothing else is read than has to be."""
        self.registry.calls.clear()
        records = records_of_images(self.record._replace(**changes))
        known = {("team/app", self.app.digest): self.app}
        return attach_records(self.registry.client, records, known, signed_by, {} if check else None)

    def referrer(self, outcomes: Outcomes, manifest: Manifest) -> Manifest:
        """What was attached to an image."""
        outcome = next(outcomes[place] for place in outcomes if place[1] == manifest.digest)
        assert isinstance(outcome, Attached) and outcome.pushed
        repository = "team/app" if manifest is self.app else "team/api"
        return self.registry.manifests[repository, outcome.digest]

    def promotions(self, trust: Trust = NOBODY) -> list[dict[str, t.Any]]:
        """What a gate sees of them, for ``team/app``."""
        name = ImageName("team/app", "1.4.2", "")
        document = ImageDocument(self.registry.client, name, self.app, "", Surroundings(NOW, trust))
        found: list[dict[str, t.Any]] = document.part("promotions")
        return found


def promoted(repository: str, manifest: Manifest) -> RecordedImage:
    tags = (RecordedTag("1.4.2", "", manifest.digest, "create"),)
    return APP._replace(repository=repository, digest=manifest.digest, source_digest=manifest.digest, tags=tags)


@pytest.fixture
def prod() -> Prod:
    return Prod()


def pushed(outcomes: Outcomes) -> list[bool]:
    assert all(isinstance(one, Attached) for one in outcomes.values()), outcomes
    return [one.pushed for one in outcomes.values() if isinstance(one, Attached)]


def test_each_promoted_image_gets_a_statement_about_itself_alone(prod: Prod) -> None:
    outcomes = prod.attach()
    assert list(outcomes) == [("team/app", prod.app.digest), ("team/api", prod.api.digest)]
    for place, manifest in zip(outcomes, (prod.app, prod.api)):
        referrer = prod.referrer(outcomes, manifest)
        (layer,) = referrer.layers()
        assert referrer.document == {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "artifactType": IN_TOTO,
            "config": descriptor(b"{}", EMPTY),
            "layers": [{"mediaType": IN_TOTO, "digest": layer.digest, "size": layer.size}],
            "subject": descriptor(manifest.content, manifest.media_type),
            "annotations": {"org.opencontainers.image.created": "2026-05-31T12:00:09Z"},
        }
        told = json.loads(prod.registry.blobs[place[0], layer.digest])
        assert told["subject"] == [
            {"name": f"prod.example/{place[0]}", "digest": {"sha256": manifest.digest.partition(":")[2]}}
        ]
        assert told["predicateType"] == PREDICATE_TYPE
        assert [one["repository"] for one in told["predicate"]["images"]] == [place[0]]
        assert (told["predicate"]["outcome"], told["predicate"]["environment"]) == ("done", "production")


def test_a_signed_record_is_a_bundle_as_cosign_has_it(prod: Prod) -> None:
    referrer = prod.referrer(prod.attach(signer()), prod.app)
    (layer,) = referrer.layers()
    assert (referrer.artifact_type, layer.media_type) == (BUNDLE, BUNDLE)
    assert referrer.document["config"] == {**descriptor(b"{}", EMPTY), "artifactType": BUNDLE}
    assert referrer.annotations == {
        "org.opencontainers.image.created": "2026-05-31T12:00:09Z",
        "dev.sigstore.bundle.content": "dsse-envelope",
        "dev.sigstore.bundle.predicateType": PREDICATE_TYPE,
    }


@pytest.mark.parametrize("by", [None, signer()])
def test_what_is_attached_is_what_gates_read(prod: Prod, by: Signer | None) -> None:
    prod.attach(by)
    trust = Trust((signer().public,))
    (found,) = prod.promotions(trust)
    assert (found["environment"], found["tags"], found["age_seconds"]) == ("production", ["1.4.2"], 86391)
    assert (found["source"], found["destination"]) == ("dev.example:5000", "prod.example")
    assert found["verified"] is (by is not None)
    assert prod.promotions()[0]["verified"] is False
    assert prod.promotions(Trust((signer(1).public,)))[0]["verified"] is False


@pytest.mark.parametrize("by", [None, signer()])
def test_a_second_run_attaches_nothing_and_writes_nothing(prod: Prod, by: Signer | None) -> None:
    first = prod.attach(by)
    assert pushed(first) == [True, True]
    again = prod.attach(by, begun_at="2026-06-01T12:00:00Z", finished_at="2026-06-01T12:00:09Z")
    assert pushed(again) == [False, False] and not prod.registry.writes
    assert [t.cast(Attached, one).digest for one in again.values()] == [
        t.cast(Attached, one).digest for one in first.values()
    ]


def test_another_environment_gets_its_own(prod: Prod) -> None:
    prod.attach()
    assert pushed(prod.attach(environment="staging")) == [True, True]
    assert pushed(prod.attach(environment="staging")) == [False, False]
    assert sorted(one["environment"] for one in prod.promotions()) == ["production", "staging"]


def test_without_a_name_the_registry_is_the_environment(prod: Prod) -> None:
    assert pushed(prod.attach(environment="", destination="staging.example")) == [True, True]
    assert pushed(prod.attach(environment="")) == [True, True]
    assert pushed(prod.attach(environment="")) == [False, False]
    assert pushed(prod.attach(destination="elsewhere.example")) == [True, True]
    assert pushed(prod.attach()) == [False, False]


def test_one_that_anybody_may_have_pushed_does_not_stand_in_for_a_signed_one(prod: Prod) -> None:
    prod.attach()
    prod.attach(signer(1), environment="production")
    assert pushed(prod.attach(signer())) == [True, True]
    assert pushed(prod.attach(signer())) == [False, False]
    assert pushed(prod.attach()) == [False, False]


def test_check_mode_foresees_that_and_writes_nothing(prod: Prod) -> None:
    assert pushed(prod.attach(check=True)) == [True, True] and not prod.registry.writes
    prod.attach()
    assert pushed(prod.attach(check=True)) == [False, False] and not prod.registry.writes


def test_without_the_api_it_is_listed_under_the_tag(prod: Prod) -> None:
    prod.registry.referrers_api = False
    referrer = prod.referrer(prod.attach(), prod.app)
    listed = prod.registry.manifests["team/app", referrers_tag(prod.app.digest)]
    assert [one.digest for one in listed.children()] == [referrer.digest]
    assert pushed(prod.attach()) == [False, False] and not prod.registry.writes
    assert len(prod.promotions()) == 1


def calls(prod: Prod) -> dict[str, str]:
    """Where a registry may refuse a record of ``team/app``."""
    foreseen = Prod()
    referrer = foreseen.referrer(foreseen.attach(), foreseen.app)
    (layer,) = referrer.layers()
    return {
        "blob": f"PUT team/app {layer.digest}",
        "manifest": f"PUT team/app {referrer.digest}",
        "list": f"REFERRERS team/app {prod.app.digest}",
    }


@pytest.mark.parametrize("what", ["blob", "manifest", "list"])
@pytest.mark.parametrize("error", [Unsupported("no artifacts here"), AccessDenied("not for you")])
def test_what_is_refused_is_told_of_its_image_and_stops_no_other(prod: Prod, what: str, error: RegistryError) -> None:
    prod.registry.failing[calls(prod)[what]] = error
    refused, other = prod.attach().values()
    assert refused is error and isinstance(other, Attached) and other.pushed


def test_a_tag_for_the_list_that_is_immutable_is_told(prod: Prod) -> None:
    prod.registry.referrers_api = False
    tag = f"PUT team/app {referrers_tag(prod.app.digest)}"
    prod.registry.failing[tag] = Conflict("the tag is immutable", status=400)
    refused, other = prod.attach().values()
    assert isinstance(refused, RegistryError) and isinstance(other, Attached)


def test_a_record_that_nobody_would_read_is_not_pushed(prod: Prod) -> None:
    refused, _other = prod.attach(reason="x" * 4 * 1024 * 1024).values()
    assert isinstance(refused, RegistryError) and "at most 4194304 are read" in str(refused)
    assert not prod.registry.writes


def test_what_was_not_promoted_gets_none() -> None:
    manifest = FakeRegistry().add("team/app", image())
    kept = promoted("team/app", manifest)
    others = [kept._replace(action=action) for action in ("failed", "refused", "missing", "unchanged")]
    record = DONE._replace(images=(*others, EQUAL, kept._replace(digest="")), outcome="failed")
    assert records_of_images(record) == {}
    found = records_of_images(record._replace(images=(*others, kept)))
    assert [(one.images, one.outcome) for one in found.values()] == [((kept,), "done")]


def test_two_entries_of_one_digest_get_one() -> None:
    manifest = FakeRegistry().add("team/app", image())
    one, other = promoted("team/app", manifest), promoted("team/app", manifest)._replace(reference="dev.example/b:1")
    elsewhere = promoted("team/b", manifest)
    found = records_of_images(DONE._replace(images=(one, elsewhere, other)))
    assert [record.images for record in found.values()] == [(one, other), (elsewhere,)]


def hold(prod: Prod, content: bytes, kind: str = IN_TOTO, **annotations: str) -> str:
    """Have a referrer of ``team/app`` hold something. Returns its digest."""
    layer = descriptor(content, kind)
    prod.registry.add_blob(content, "team/app")
    subject = descriptor(prod.app.content, prod.app.media_type)
    document = image(subject=subject, layers=[layer], artifactType=kind, annotations=annotations)
    return prod.registry.add("team/app", document).digest


def found_in(prod: Prod) -> list[AttachedRecord | BrokenRecord]:
    return records_of(prod.registry.client, "team/app", prod.app)


def record_of(prod: Prod) -> Record:
    return records_of_images(prod.record)["team/app", prod.app.digest]


def test_what_claims_to_be_a_record_and_is_none_is_told(prod: Prod) -> None:
    ours = {"dev.sigstore.bundle.predicateType": PREDICATE_TYPE}
    not_whole = json.loads(encode_record(record_of(prod)))
    del not_whole["predicate"]["actor"]
    broken = {
        hold(prod, b"no JSON"): "is not valid JSON",
        hold(prod, b"no JSON", BUNDLE, **ours): "is not valid JSON",
        hold(prod, json.dumps(not_whole).encode()): "has no actor",
        hold(prod, encode_record(records_of_images(prod.record)["team/api", prod.api.digest])): "it is about",
        hold(prod, encode_record(prod.record)): f"speaks of {prod.api.digest} too",
    }
    good = hold(prod, encode_record(record_of(prod)))
    found = {one.digest: one for one in found_in(prod)}
    assert set(found) == {*broken, good}
    assert isinstance(found[good], AttachedRecord)
    for digest, words in broken.items():
        one = found[digest]
        assert isinstance(one, BrokenRecord) and words in one.reason
    partly = records_of(prod.registry.client, "team/app", prod.app, partly=True)
    assert sum(isinstance(one, AttachedRecord) for one in partly) == 2
    assert len(prod.promotions()) == 2


@pytest.mark.parametrize("by", [None, signer()])
@pytest.mark.parametrize("partly", [False, True])
@pytest.mark.parametrize(
    ("digest", "tag_digest"),
    [(OTHER_DIGEST, OTHER_DIGEST), ("", OTHER_DIGEST), (OTHER_DIGEST, ""), (None, OTHER_DIGEST)],
)
def test_a_record_that_speaks_of_other_images_too_is_none(
    prod: Prod, digest: str | None, tag_digest: str, partly: bool, by: Signer | None
) -> None:
    """Who may push to one repository could say there where the tags of others were to go back to."""
    tags = (RecordedTag("stable", "sha256:" + "1" * 64, tag_digest, "replace" if tag_digest else "failed"),)
    digest = prod.app.digest if digest is None else digest
    other = APP._replace(repository="payments/api", action="unchanged", digest=digest, tags=tags)
    own = record_of(prod)
    content = encode_record(own._replace(images=(*own.images, other)))
    hold(
        prod,
        content if by is None else by.bundle(content),
        IN_TOTO if by is None else BUNDLE,
        **({} if by is None else {"dev.sigstore.bundle.predicateType": PREDICATE_TYPE}),
    )
    (found,) = records_of(prod.registry.client, "team/app", prod.app, partly=partly)
    assert isinstance(found, BrokenRecord) and f"speaks of {OTHER_DIGEST} too" in found.reason
    assert prod.promotions() == []


def test_what_is_something_else_is_left_out(prod: Prod) -> None:
    spdx = {"dev.sigstore.bundle.predicateType": "https://spdx.dev/Document"}
    hold(prod, b"no JSON", BUNDLE, **spdx)
    hold(prod, b'{"messageSignature": {}}', BUNDLE)
    hold(prod, b"an SBOM", "application/spdx+json")
    other = json.loads(encode_record(record_of(prod)))
    hold(prod, json.dumps({**other, "predicateType": "https://spdx.dev/Document"}).encode())
    gone = Descriptor("", "sha256:" + "1" * 64, 7, artifact_type=IN_TOTO)
    prod.registry.listed[prod.app.digest] = (gone,)
    assert found_in(prod) == []


def test_more_referrers_than_are_read_are_an_error(prod: Prod) -> None:
    many = [Descriptor("", f"sha256:{number:064}", 7) for number in range(1001)]
    prod.registry.listed[prod.app.digest] = tuple(many)
    with pytest.raises(RegistryError, match="more than 1000 manifests refer to the image"):
        found_in(prod)
