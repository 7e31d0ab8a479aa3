# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.imageops.registry.plugins.module_utils._end._referrers import referrers_tag
from ansible_collections.imageops.registry.plugins.module_utils._model._errors import (
    AccessDenied,
    ConnectionFailed,
    ProtocolViolation,
)
from ansible_collections.imageops.registry.plugins.module_utils._model._manifest import (
    OCI_MANIFEST,
    Descriptor,
    Manifest,
)
from ansible_collections.imageops.registry.plugins.module_utils._promotion._certificate_chain import Roots
from ansible_collections.imageops.registry.plugins.module_utils._promotion._public_keys import public_key
from ansible_collections.imageops.registry.plugins.module_utils._promotion._signature_rules import (
    SignatureRule,
    rule_for,
)
from ansible_collections.imageops.registry.plugins.module_utils._promotion._signatures import (
    Judgement,
    judge_one,
)
from ansible_collections.imageops.registry.plugins.module_utils._promotion._trust import Trust
from ansible_collections.imageops.registry.tests.unit.support.documents import descriptor, image, index
from ansible_collections.imageops.registry.tests.unit.support.fake_registry import FakeRegistry
from ansible_collections.imageops.registry.tests.unit.support.signing import (
    BUNDLE,
    NOW,
    WAYS,
    Draft,
    Made,
    authority,
    bundle,
    certify,
    envelope,
    notary,
    private_key,
    public_pem,
    signed_statement,
    simple_signing,
    statement,
)

KIND, SIGN = WAYS["P-256 with SHA-256"]
KEY, OTHER = private_key(KIND), private_key(KIND, 1)
TRUSTED = public_key(public_pem(KEY), "keys")
NOTARY = "application/vnd.cncf.notary.signature"
EMPTY = descriptor(b"{}", "application/vnd.oci.empty.v1+json")


class Images:
    """A registry with an image, and what is attached to it."""

    def __init__(self) -> None:
        self.registry = FakeRegistry()
        self.image = self.registry.add("team/app", image(), "1")

    def layer_of(self, made: Made) -> dict[str, t.Any]:
        self.registry.add_blob(made.content, "team/app")
        return made.listed()

    def tag(self, *signatures: Made, digest: str = "") -> Manifest:
        """Put signatures under cosign's tag."""
        name = referrers_tag(digest or self.image.digest) + ".sig"
        return self.registry.add("team/app", image(layers=[self.layer_of(one) for one in signatures]), name)

    def attach(self, made: Made, artifact_type: str = BUNDLE, subject: Manifest | None = None) -> Manifest:
        """Attach a signature as a referrer."""
        about = subject or self.image
        document = image(
            artifactType=artifact_type,
            config=EMPTY,
            layers=[self.layer_of(made)],
            subject=descriptor(about.content, about.media_type),
        )
        return self.registry.add("team/app", document)

    def judge(self, asked: Manifest | None = None, **changes: t.Any) -> Judgement:
        """By a rule that trusts KEY."""
        rule = SignatureRule(("*",), "required", Trust((TRUSTED,)))._replace(**changes)
        return judge_one(self.registry.client, "team/app", asked or self.image, rule_for([rule], "team/app"), NOW)


@pytest.fixture
def images() -> Images:
    return Images()


def reasons(judgement: Judgement) -> list[str]:
    return [signature.reason for signature in judgement.signatures]


def test_one_signature_in_each_form_verifies_and_the_others_are_told(images: Images) -> None:
    digest = images.image.digest
    images.tag(simple_signing(digest, OTHER, SIGN), simple_signing(digest, KEY, SIGN))
    images.attach(signed_statement(digest, KEY, SIGN))
    root = certify(authority("root", number=1))
    signer = certify(Draft("release"), root)
    images.attach(notary(images.image.descriptor, signer, [signer, root], algorithm="ES256"), NOTARY)
    found = images.judge(trust=Trust((TRUSTED,), Roots((root.certificate,))))
    assert (found.verified, found.reason) == (True, "")
    assert [(one.form, one.verified) for one in found.signatures] == [
        ("cosign_tag", False),
        ("cosign_tag", True),
        ("sigstore_bundle", True),
        ("notation", True),
    ]
    assert "does not verify it" in found.signatures[0].reason
    assert {one.by for one in found.signatures if one.verified} == {
        TRUSTED.name,
        "certificate:CN=release,O=Example,C=DE",
    }
    assert {one.subject for one in found.signatures} == {digest}
    plain = found.as_plain()["signatures"][0]
    assert set(plain) == {"form", "digest", "subject", "verified", "by", "reason"}


def test_an_image_without_signatures_is_refused_where_they_are_required(images: Images) -> None:
    assert images.judge() == Judgement(False, (), f"{images.image.digest} has no signature")
    assert images.judge(mode="if_present") == Judgement(True)
    assert images.judge(mode="none") == Judgement(None)


def test_a_signature_that_does_not_verify_is_refused_where_it_need_not_be_there(images: Images) -> None:
    images.tag(simple_signing(images.image.digest, OTHER, SIGN))
    found = images.judge(mode="if_present")
    assert found.verified is False and "the signature of" in found.reason
    images.attach(signed_statement(images.image.digest, KEY, SIGN))
    assert images.judge(mode="if_present").verified is True


@pytest.mark.parametrize("mode", ["if_present", "required"])
@pytest.mark.parametrize("where", [".sig", ".att", ".sbom"])
def test_a_tag_that_is_denied_is_no_proof_that_there_is_no_signature(images: Images, mode: str, where: str) -> None:
    tag = referrers_tag(images.image.digest) + where
    images.registry.denied[tag] = AccessDenied("DENIED").within(f"look for r.example/team/app:{tag}")
    found = images.judge(mode=mode)
    assert found.verified is False
    assert found.reason == (
        f"whether {images.image.digest} is signed cannot be told: Cannot look for r.example/team/app:{tag}: DENIED"
    )
    images.attach(signed_statement(images.image.digest, KEY, SIGN))
    assert images.judge(mode=mode).verified is True


@pytest.mark.parametrize("mode", ["if_present", "required"])
def test_a_list_that_was_denied_or_failed_is_no_proof_that_there_is_no_signature(images: Images, mode: str) -> None:
    error = AccessDenied("DENIED").within(f"list the referrers of {images.image.digest}")
    images.registry.unread[images.image.digest] = error
    found = images.judge(mode=mode)
    assert (found.verified, found.reason.endswith("DENIED")) == (False, True)
    # Each image has to be known, where each has to be signed.
    top = images.registry.add("team/app", index(descriptor(images.image.content, OCI_MANIFEST)))
    assert images.judge(top, mode=mode, each_image=True).verified is False
    assert images.judge(top, mode="if_present").verified is True


def test_where_a_signature_need_not_be_there_a_head_that_finds_none_is_not_believed(images: Images) -> None:
    """Caches answer HEAD from what they have, and GET from the registry behind them."""
    made = images.tag(simple_signing(images.image.digest, OTHER, SIGN))
    tag = referrers_tag(images.image.digest) + ".sig"
    images.registry.hidden_from_head.add(tag)
    assert images.judge(mode="if_present").verified is False
    assert [one.digest for one in images.judge(mode="if_present").signatures] == [made.digest]


def test_an_attached_sbom_is_no_signature_that_need_verify(images: Images) -> None:
    kind = "https://spdx.dev/Document"
    images.attach(signed_statement(images.image.digest, OTHER, SIGN, predicateType=kind))
    assert images.judge(mode="if_present").verified is True
    found = images.judge()
    assert found.verified is False and kind in found.reason
    images.attach(signed_statement(images.image.digest, KEY, SIGN, predicateType=kind))
    assert images.judge().verified is False


@pytest.mark.parametrize("what", ["index", "other layers", "no layers"])
def test_what_stands_under_the_tag_of_signatures_in_another_form_is_one_that_does_not_verify(
    images: Images, what: str
) -> None:
    made = {
        "index": index(descriptor(images.image.content, OCI_MANIFEST)),
        "other layers": image(),
        "no layers": image(layers=[]),
    }
    images.registry.add("team/app", made[what], referrers_tag(images.image.digest) + ".sig")
    _unknown_form(images, "cosign_tag")


@pytest.mark.parametrize("listed", ["as it is", "untyped"])
@pytest.mark.parametrize(
    ("form", "kind", "layer"),
    [
        ("sigstore_bundle", BUNDLE, "application/vnd.dev.sigstore.bundle.v0.4+json"),
        ("sigstore_bundle", *["application/vnd.dev.sigstore.bundle.v0.4+json"] * 2),
        ("sigstore_bundle", BUNDLE, ""),
        ("cosign_tag", "application/vnd.dev.cosign.artifact.sig.v1+json", BUNDLE.replace("v0.3", "v1")),
        ("notation", NOTARY, ""),
    ],
)
def test_a_referrer_that_is_called_a_signature_and_has_another_form_does_not_verify(
    images: Images, form: str, kind: str, layer: str, listed: str
) -> None:
    made = signed_statement(images.image.digest, KEY, SIGN)
    layers = [images.layer_of(made._replace(layer=made.layer._replace(media_type=layer)))] if layer else []
    about = descriptor(images.image.content, OCI_MANIFEST)
    found = images.registry.add("team/app", image(artifactType=kind, config=EMPTY, layers=layers, subject=about))
    if listed == "untyped":
        entry = Descriptor(OCI_MANIFEST, found.digest, found.size)
        images.registry.listed[images.image.digest] = (entry,)
    _unknown_form(images, form)


def test_a_list_that_calls_something_else_a_signature_makes_it_none(images: Images) -> None:
    made = signed_statement(images.image.digest, KEY, SIGN)
    other = Made(made.layer._replace(media_type="application/spdx+json"), made.content)
    found = images.attach(other, "application/spdx+json")
    listed = Descriptor(OCI_MANIFEST, found.digest, found.size, artifact_type=BUNDLE)
    images.registry.listed[images.image.digest] = (listed,)
    assert images.judge(mode="if_present") == Judgement(True)


def _unknown_form(images: Images, form: str) -> None:
    """It is told, and passes nowhere; one that verifies beside it is enough."""
    for mode in ("required", "if_present"):
        found = images.judge(mode=mode)
        assert found.verified is False and "the signature of" in found.reason
        (told,) = found.signatures
        assert (told.form, told.reason) == (form, "it has no signature in a form that is known")
    images.attach(signed_statement(images.image.digest, KEY, SIGN, predicate={"beside": "it"}))
    assert images.judge(mode="if_present").verified is True


def test_an_image_that_no_rule_matches_is_refused(images: Images) -> None:
    images.tag(simple_signing(images.image.digest, KEY, SIGN))
    found = images.judge(repositories=("other/*",))
    assert (found.verified, found.reason) == (False, "no rule of signatures matches")


def test_each_image_of_an_index_needs_a_signature_where_that_is_asked_for(images: Images) -> None:
    second = images.registry.add("team/app", image(layers=[]))
    children = [descriptor(one.content, OCI_MANIFEST) for one in (images.image, second)]
    top = images.registry.add("team/app", index(*children), "all")
    images.attach(signed_statement(top.digest, KEY, SIGN), subject=top)
    images.attach(signed_statement(images.image.digest, KEY, SIGN))
    assert images.judge(top).verified is True
    found = images.judge(top, each_image=True)
    assert (found.verified, found.reason) == (False, f"{second.digest} has no signature")
    images.attach(signed_statement(second.digest, KEY, SIGN), subject=second)
    found = images.judge(top, each_image=True)
    assert found.verified is True
    assert {one.subject for one in found.signatures} == {top.digest, images.image.digest, second.digest}


@pytest.mark.parametrize("kind", ["", "application/vnd.oci.empty.v1+json"])
def test_a_referrer_that_a_list_does_not_name_is_looked_into(images: Images, kind: str) -> None:
    made = images.attach(signed_statement(images.image.digest, KEY, SIGN))
    images.registry.listed[images.image.digest] = (
        Descriptor(OCI_MANIFEST, made.digest, made.size, artifact_type=kind),
    )
    assert images.judge().verified is True


def test_what_a_list_calls_something_else_is_not_read(images: Images) -> None:
    made = images.attach(signed_statement(images.image.digest, KEY, SIGN), "application/spdx+json")
    assert images.judge().verified is False
    assert f"GET team/app {made.digest}" not in images.registry.calls


def test_the_referrers_of_a_version_of_cosign_are_signatures_as_under_its_tag(images: Images) -> None:
    images.attach(simple_signing(images.image.digest, KEY, SIGN), "application/vnd.dev.cosign.artifact.sig.v1+json")
    assert images.judge().verified is True


def test_what_is_too_large_or_gone_or_wrong_is_a_reason(images: Images) -> None:
    registry, digest = images.registry, images.image.digest
    made = signed_statement(digest, KEY, SIGN)
    large = Made(made.layer._replace(size=4 * 1024 * 1024 + 1), made.content)
    images.attach(large)
    assert "at most 4194304 are read" in images.judge().reason
    registry.listed[digest] = (Descriptor(OCI_MANIFEST, f"sha256:{'0' * 64}", 5, artifact_type=BUNDLE),)
    assert any("is not there" in one for one in reasons(images.judge()))
    wrong = images.attach(bundle(dsseEnvelope=envelope(statement(digest), KEY, SIGN)))
    registry.blobs["team/app", wrong.layers()[0].digest] = b"x" * wrong.layers()[0].size
    assert any("have the digest" in one for one in reasons(images.judge()))
    assert images.judge().verified is False
    assert images.judge(mode="if_present").verified is False


@pytest.mark.parametrize(
    "error", [AccessDenied("not for you"), ConnectionFailed("no answer"), ProtocolViolation("page")]
)
def test_a_list_that_can_not_be_read_fails_and_passes_nothing(images: Images, error: t.Any) -> None:
    images.tag(simple_signing(images.image.digest, KEY, SIGN))
    images.registry.failing[f"REFERRERS team/app {images.image.digest}"] = error
    rule = SignatureRule(("*",), "if_present", Trust((TRUSTED,)))
    with pytest.raises(type(error)) as caught:
        judge_one(images.registry.client, "team/app", images.image, rule, NOW)
    assert caught.value is error


def test_a_registry_that_fails_decides_nothing(images: Images) -> None:
    made = images.attach(signed_statement(images.image.digest, KEY, SIGN))
    error = ConnectionFailed("no answer")
    images.registry.failing[f"GET team/app {made.digest}"] = error
    rule = SignatureRule(("*",), "required", Trust((TRUSTED,)))
    with pytest.raises(type(error)) as caught:
        judge_one(images.registry.client, "team/app", images.image, rule, NOW)
    assert caught.value is error


def test_only_so_many_signatures_are_tried(images: Images) -> None:
    forged = simple_signing(images.image.digest, OTHER, SIGN)
    images.tag(*[Made(forged.layer._replace(annotations={}), forged.content)] * 199, forged, forged)
    images.attach(signed_statement(images.image.digest, KEY, SIGN))
    found = images.judge()
    assert (found.verified, len(found.signatures)) == (False, 200)


def test_what_is_not_tried_may_be_a_signature(images: Images) -> None:
    sbom = signed_statement(images.image.digest, KEY, SIGN, predicateType="https://spdx.dev/Document")
    for number in range(200):
        images.attach(sbom._replace(layer=sbom.layer._replace(annotations={"number": str(number)})))
    rules = {"mode": "if_present"}
    assert images.judge(**rules).verified is True
    images.attach(signed_statement(images.image.digest, OTHER, SIGN))
    found = images.judge(**rules)
    assert found.verified is False and len(found.signatures) == 200
    assert "more than 200" in found.signatures[-1].reason


def test_a_signature_of_an_equal_image_in_another_repository_is_not_looked_for(images: Images) -> None:
    images.attach(signed_statement(images.image.digest, KEY, SIGN))
    other = images.registry.add("team/other", image(), "1")
    rule = SignatureRule(("*",), "required", Trust((TRUSTED,)))
    assert judge_one(images.registry.client, "team/other", other, rule, NOW).verified is False
