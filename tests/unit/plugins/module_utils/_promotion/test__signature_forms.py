# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import typing as t

import pytest
from ansible_collections.imageops.registry.plugins.module_utils._model._digest import compute_digest
from ansible_collections.imageops.registry.plugins.module_utils._model._errors import Unverified
from ansible_collections.imageops.registry.plugins.module_utils._model._manifest import OCI_MANIFEST, Descriptor
from ansible_collections.imageops.registry.plugins.module_utils._promotion import _cosign_tag, _sigstore_bundle
from ansible_collections.imageops.registry.plugins.module_utils._promotion._public_keys import PublicKey, public_key
from ansible_collections.imageops.registry.plugins.module_utils._promotion._trust import Subject, Trust
from ansible_collections.imageops.registry.tests.unit.support.documents import OTHER_DIGEST, encoded, image
from ansible_collections.imageops.registry.tests.unit.support.signing import (
    WAYS,
    Made,
    b64,
    bundle,
    envelope,
    private_key,
    public_pem,
    signed_manifest,
    signed_statement,
    simple_signing,
    statement,
)

CONTENT = encoded(image())
SUBJECT = Subject(Descriptor(OCI_MANIFEST, compute_digest(CONTENT), len(CONTENT)), CONTENT)
DIGEST = SUBJECT.descriptor.digest
KIND, SIGN = WAYS["P-256 with SHA-256"]
KEY = private_key(KIND)

Verify = t.Callable[[Made, Trust], str]
Forge = t.Callable[..., Made]


def by_tag(made: Made, trust: Trust) -> str:
    return _cosign_tag.verify(made.layer, made.content, SUBJECT, trust)


def by_bundle(made: Made, trust: Trust) -> str:
    return _sigstore_bundle.verify(made.content, SUBJECT, trust)


def statement_by(key: t.Any, sign: t.Any) -> Made:
    return signed_statement(DIGEST, key, sign)


def tag_by(key: t.Any, sign: t.Any) -> Made:
    return simple_signing(DIGEST, key, sign)


def manifest_by(key: t.Any, sign: t.Any) -> Made:
    return signed_manifest(CONTENT, key, sign)


FORMS: dict[str, tuple[Forge, Verify]] = {
    "cosign_tag": (tag_by, by_tag),
    "statement in a bundle": (statement_by, by_bundle),
    "message in a bundle": (manifest_by, by_bundle),
}


def known(key: t.Any) -> PublicKey:
    return public_key(public_pem(key), "keys")


def trusting(*keys: t.Any, **more: t.Any) -> Trust:
    return Trust(tuple(map(known, keys or (KEY,))), **more)


def reason(verify: Verify, made: Made, trust: Trust | None = None) -> str:
    with pytest.raises(Unverified) as caught:
        verify(made, trust or trusting())
    return str(caught.value)


def changed(made: Made, change: t.Callable[[dict[str, t.Any]], object]) -> Made:
    """The same with another document in it, and so with a signature of something else."""
    document = json.loads(made.content)
    change(document)
    return Made(made.layer, json.dumps(document).encode())


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("way", WAYS)
def test_every_form_verifies_with_every_kind_of_key(form: str, way: str) -> None:
    (forge, verify), (kind, sign) = FORMS[form], WAYS[way]
    key = private_key(kind)
    assert verify(forge(key, sign), trusting(private_key("p256", 7), key)) == known(key).name


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("way", WAYS)
def test_another_key_of_the_same_kind_is_refused(form: str, way: str) -> None:
    (forge, verify), (kind, sign) = FORMS[form], WAYS[way]
    assert "does not verify it" in reason(verify, forge(private_key(kind, 1), sign), trusting(private_key(kind)))


@pytest.mark.parametrize("form", FORMS)
def test_without_keys_nothing_verifies(form: str) -> None:
    forge, verify = FORMS[form]
    assert "no keys are given" in reason(verify, forge(KEY, SIGN), Trust())


@pytest.mark.parametrize("form", FORMS)
def test_a_signature_with_one_bit_changed_is_refused(form: str) -> None:
    forge, verify = FORMS[form]

    def sign(key: t.Any, data: bytes) -> bytes:
        found = SIGN(key, data)
        return found[:-1] + bytes([found[-1] ^ 1])

    assert "does not verify it" in reason(verify, forge(KEY, sign))


@pytest.mark.parametrize(
    ("form", "made"),
    [
        ("cosign_tag", simple_signing(OTHER_DIGEST, KEY, SIGN)),
        ("statement in a bundle", signed_statement(OTHER_DIGEST, KEY, SIGN)),
    ],
)
def test_a_signature_about_another_image_is_refused_although_the_key_is_right(form: str, made: Made) -> None:
    said = reason(FORMS[form][1], made)
    assert OTHER_DIGEST in said and DIGEST in said


def test_a_message_over_another_manifest_is_refused() -> None:
    assert "does not verify it" in reason(by_bundle, signed_manifest(b"{}", KEY, SIGN))


def test_an_ed25519_key_says_which_signatures_it_does_not_verify() -> None:
    key = private_key("ed25519")
    made = simple_signing(DIGEST, key, lambda key, data: b"\x01" * 64)
    assert "Ed25519ph" in reason(by_tag, made, trusting(key))


@pytest.mark.parametrize("form", ["cosign_tag", "statement in a bundle"])
def test_annotations_must_be_in_what_is_signed(form: str) -> None:
    signed = {"approved": "yes", "by": "qa"}
    if form == "cosign_tag":
        made = simple_signing(DIGEST, KEY, SIGN, optional={**signed, "not a text": 1})
    else:
        (about,) = statement(DIGEST)["subject"]
        made = signed_statement(DIGEST, KEY, SIGN, subject=[{**about, "annotations": signed}])
    verify = FORMS[form][1]
    assert verify(made, trusting(annotations={"approved": "yes"}))
    assert "the annotation approved is 'yes'" in reason(verify, made, trusting(annotations={"approved": "no"}))
    assert "the annotation ticket is not signed" in reason(verify, made, trusting(annotations={"ticket": "1"}))
    assert "is not signed" in reason(verify, made, trusting(annotations={"not a text": "1"}))


def test_a_message_signature_has_no_annotations() -> None:
    made = signed_manifest(CONTENT, KEY, SIGN)
    assert "the annotation approved is not signed" in reason(by_bundle, made, trusting(annotations={"approved": "yes"}))


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (simple_signing(DIGEST, KEY, SIGN, kind="atomic container signature"), "'atomic container signature'"),
        (simple_signing(DIGEST, KEY, SIGN, optional=["no object"]), "annotations"),
        (Made(simple_signing(DIGEST, KEY, SIGN).layer, b"[]"), "is not a JSON object"),
        (Made(simple_signing(DIGEST, KEY, SIGN).layer, b"\xff"), "is not valid JSON"),
        (Made(simple_signing(DIGEST, KEY, SIGN).layer, b'{"critical": 1}'), "critical"),
        (Made(simple_signing(DIGEST, KEY, SIGN).layer, b'{"critical": {"type": 1}, "critical": {}}'), "twice"),
        (Made(simple_signing(DIGEST, KEY, SIGN).layer, b" " * (4 * 1024 * 1024 + 1)), "larger than"),
        (Made(Descriptor("", DIGEST, 1), simple_signing(DIGEST, KEY, SIGN).content), "no signature"),
        (
            Made(
                Descriptor("", DIGEST, 1, annotations={"dev.cosignproject.cosign/signature": "not base64!"}),
                simple_signing(DIGEST, KEY, SIGN).content,
            ),
            "is not valid base64",
        ),
        (
            Made(
                Descriptor(
                    "",
                    DIGEST,
                    1,
                    annotations={
                        "dev.cosignproject.cosign/signature": "AAAA",
                        "dev.sigstore.cosign/certificate": "-----BEGIN CERTIFICATE-----",
                    },
                ),
                simple_signing(DIGEST, KEY, SIGN).content,
            ),
            "keyless",
        ),
    ],
)
def test_what_is_wrong_under_the_tag_of_cosign_is_said(made: Made, words: str) -> None:
    assert words in reason(by_tag, made)


def other_material(document: dict[str, t.Any]) -> None:
    document["verificationMaterial"] = {"certificate": {"rawBytes": "AAAA"}}


def two_signatures(document: dict[str, t.Any]) -> None:
    document["dsseEnvelope"]["signatures"] *= 2


def no_signatures(document: dict[str, t.Any]) -> None:
    document["dsseEnvelope"]["signatures"] = []


def odd_signature(document: dict[str, t.Any]) -> None:
    document["dsseEnvelope"]["signatures"] = ["AAAA"]


def other_payload_type(document: dict[str, t.Any]) -> None:
    document["dsseEnvelope"]["payloadType"] = "application/json"


def odd_payload(document: dict[str, t.Any]) -> None:
    document["dsseEnvelope"]["payload"] += "\n"


def other_payload(document: dict[str, t.Any]) -> None:
    document["dsseEnvelope"]["payload"] = b64(json.dumps(statement(DIGEST, predicate={"more": 1})).encode())


def other_media_type(document: dict[str, t.Any]) -> None:
    document["mediaType"] = "application/vnd.dev.sigstore.bundle.v9.9+json"


def both_kinds(document: dict[str, t.Any]) -> None:
    document["messageSignature"] = {"signature": "AAAA"}


def no_content(document: dict[str, t.Any]) -> None:
    del document["dsseEnvelope"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (other_material, "keyless"),
        (two_signatures, "has 2 signatures"),
        (no_signatures, "has 0 signatures"),
        (odd_signature, "exactly one"),
        (other_payload_type, "'application/json'"),
        (odd_payload, "is not valid base64"),
        (other_payload, "does not verify it"),
        (other_media_type, "is not known"),
        (both_kinds, "must have one"),
        (no_content, "no valid dsseEnvelope"),
        (lambda document: document.pop("verificationMaterial"), "no valid verificationMaterial"),
    ],
)
def test_what_is_wrong_with_a_bundle_is_said(change: t.Callable[[dict[str, t.Any]], object], words: str) -> None:
    assert words in reason(by_bundle, changed(signed_statement(DIGEST, KEY, SIGN), change))


@pytest.mark.parametrize(
    ("document", "words"),
    [
        (statement(DIGEST, predicateType="https://slsa.dev/provenance/v1"), "does not count as a signature"),
        (statement(DIGEST, predicateType=None), "no valid predicateType"),
        (statement(DIGEST, _type="https://in-toto.io/Statement/v2"), "Statement/v2"),
        (statement(DIGEST, subject=[]), "about 'nothing'"),
        (statement(DIGEST, subject=[{"name": "without"}]), "without a digest"),
        (statement(DIGEST, subject={}), "no valid subject"),
        (statement(DIGEST, subject=[{"digest": {"sha512": DIGEST[7:]}}]), "not sha256:"),
        (statement(DIGEST, subject=[{"digest": {"sha256": DIGEST[7:]}, "annotations": []}]), "annotations"),
        ([], "is not a JSON object"),
    ],
)
def test_what_is_wrong_with_a_signed_statement_is_said(document: t.Any, words: str) -> None:
    assert words in reason(by_bundle, bundle(dsseEnvelope=envelope(document, KEY, SIGN)))


def test_a_statement_may_be_about_several_and_of_another_type_where_that_counts() -> None:
    (about,) = statement(DIGEST)["subject"]
    kind = "https://slsa.dev/provenance/v1"
    subjects = [{"digest": {"sha256": "0" * 64}}, about]
    made = signed_statement(DIGEST, KEY, SIGN, subject=subjects, predicateType=kind, predicate={"who": "builder"})
    assert by_bundle(made, trusting(predicate_types=(kind,)))
    assert _sigstore_bundle.statement_in(made.content).predicate == {"who": "builder"}


def test_a_statement_of_the_older_type_counts_as_well() -> None:
    """``cosign attest`` writes it."""
    made = signed_statement(DIGEST, KEY, SIGN, _type="https://in-toto.io/Statement/v0.1")
    assert by_bundle(made, trusting())


def test_older_types_of_bundles_are_read_and_others_are_none() -> None:
    made = signed_statement(DIGEST, KEY, SIGN)
    for version in ("0.1", "0.2", "0.3"):
        kind = f"application/vnd.dev.sigstore.bundle+json;version={version}"
        older = json.dumps({**json.loads(made.content), "mediaType": kind}).encode()
        assert by_bundle(Made(made.layer, older), trusting())
    assert not _sigstore_bundle.is_bundle_type("application/vnd.dev.sigstore.bundle.v0.3+json\n")
