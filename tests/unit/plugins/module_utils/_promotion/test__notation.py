# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import typing as t

import pytest
from ansible_collections.imageops.registry.plugins.module_utils._model._digest import compute_digest
from ansible_collections.imageops.registry.plugins.module_utils._model._errors import InvalidInput, Unverified
from ansible_collections.imageops.registry.plugins.module_utils._model._manifest import OCI_MANIFEST, Descriptor
from ansible_collections.imageops.registry.plugins.module_utils._promotion._certificate_chain import (
    Roots,
    read_certificates,
    read_subject,
)
from ansible_collections.imageops.registry.plugins.module_utils._promotion._notation import verify
from ansible_collections.imageops.registry.plugins.module_utils._promotion._trust import Subject, Trust
from ansible_collections.imageops.registry.tests.unit.support.documents import OTHER_DIGEST, encoded, image
from ansible_collections.imageops.registry.tests.unit.support.signing import (
    ALGORITHMS,
    DAY,
    NOW,
    Certified,
    Draft,
    Made,
    authority,
    b64,
    b64url,
    certify,
    made,
    notary,
)
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import ExtendedKeyUsageOID

CONTENT = encoded(image())
SUBJECT = Subject(Descriptor(OCI_MANIFEST, compute_digest(CONTENT), len(CONTENT)), CONTENT)
ABOUT = SUBJECT.descriptor

ROOT = certify(authority("root", number=1))
MIDDLE = certify(authority("middle", number=2, path_length=0), ROOT)
LEAF = certify(Draft("release"), MIDDLE)
CHAIN = (LEAF, MIDDLE, ROOT)


def trusting(*certified: Certified, subjects: t.Sequence[str] = (), **more: t.Any) -> Trust:
    certificates = read_certificates(b"".join(one.pem for one in certified or (ROOT,)), "certificates")
    return Trust(roots=Roots(certificates, tuple(read_subject(one, "subjects") for one in subjects)), **more)


def signed(chain: t.Sequence[Certified] = CHAIN, **more: t.Any) -> Made:
    return notary(ABOUT, chain[0], chain, **{"algorithm": "ES256", **more})


def by(found: Made, trust: Trust | None = None) -> str:
    return verify(found.layer, found.content, SUBJECT, trust or trusting(), NOW)


def reason(found: Made, trust: Trust | None = None) -> str:
    with pytest.raises(Unverified) as caught:
        by(found, trust)
    return str(caught.value)


def changed(found: Made, **changes: t.Any) -> Made:
    return Made(found.layer, json.dumps({**json.loads(found.content), **changes}).encode())


@pytest.mark.parametrize("kind", ALGORITHMS)
def test_every_kind_of_key_verifies_with_the_algorithm_that_belongs_to_it_and_no_other(kind: str) -> None:
    chain = [certify(Draft("release", kind=kind), MIDDLE), MIDDLE, ROOT]
    name = "certificate:CN=release,O=Example,C=DE"
    assert by(signed(chain, algorithm=ALGORITHMS[kind])) == name
    for other in {*ALGORITHMS.values(), "none", "HS256", "RS256"} - {ALGORITHMS[kind]}:
        assert "algorithm" in reason(signed(chain, algorithm=other))


def test_authorities_with_rsa_keys_lead_to_a_signer_too() -> None:
    root = certify(authority("root", kind="rsa2048"))
    assert by(signed([certify(Draft("release"), root), root]), trusting(root))


def test_one_certificate_signed_by_itself_is_its_own_root() -> None:
    alone = certify(Draft("alone"))
    assert by(signed([alone]), trusting(alone)) == "certificate:CN=alone,O=Example,C=DE"
    assert "none of the trusted certificates" in reason(signed([alone]), trusting(ROOT))


def test_a_trusted_certificate_in_the_middle_is_enough() -> None:
    assert by(signed(), trusting(MIDDLE))
    assert by(signed([LEAF, MIDDLE]), trusting(MIDDLE))


@pytest.mark.parametrize(
    ("subjects", "words"),
    [
        (["C=DE, O=Example"], ""),
        (["O=Other", "CN=release,O=Example"], ""),
        (["C=DE,O=Example,CN=somebody"], "none of the subjects"),
        (["OU=team"], "none of the subjects"),
    ],
)
def test_the_signer_must_have_one_of_the_subjects(subjects: list[str], words: str) -> None:
    trust = trusting(subjects=subjects)
    if words:
        assert words in reason(signed(), trust)
    else:
        assert by(signed(), trust)


CONSTRAINED = x509.NameConstraints(permitted_subtrees=[x509.DNSName("example.com")], excluded_subtrees=None)
UNKNOWN = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00")


@pytest.mark.parametrize(
    "changes",
    [
        {"extended": (ExtendedKeyUsageOID.CODE_SIGNING,)},
        {"extended": (ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE)},
        {"more": ((UNKNOWN, False),)},
    ],
)
def test_an_authority_may_be_for_signing_too_and_have_what_need_not_be_understood(changes: dict[str, t.Any]) -> None:
    assert by(signed(below(**changes)))


def leaf(**changes: t.Any) -> list[Certified]:
    return [certify(Draft("release")._replace(**changes), MIDDLE), MIDDLE, ROOT]


def below(**changes: t.Any) -> list[Certified]:
    """A chain whose authority in the middle is another one."""
    middle = certify(authority("middle", number=2)._replace(**changes), ROOT)
    return [certify(Draft("release"), middle), middle, ROOT]


def too_long() -> list[Certified]:
    chain = [certify(authority("root", number=1, path_length=0))]
    for number in range(2):
        chain.insert(0, certify(authority(f"middle {number}", number=number + 2), chain[0]))
    return [certify(Draft("release"), chain[0]), *chain]


@pytest.mark.parametrize(
    ("chain", "words"),
    [
        (leaf(end=NOW - DAY), "is valid from"),
        (leaf(begin=NOW + DAY), "is valid from"),
        (below(end=NOW - DAY), "'CN=middle,O=Example,C=DE' is valid from"),
        (leaf(usage="key_encipherment"), "digitalSignature"),
        (leaf(usage=""), "digitalSignature"),
        (leaf(critical=False), "digitalSignature"),
        (leaf(usage="digital_signature key_cert_sign"), "it is a CA certificate"),
        (leaf(authority=True), "it is a CA certificate"),
        (leaf(extended=(ExtendedKeyUsageOID.CODE_SIGNING, ExtendedKeyUsageOID.SERVER_AUTH)), "serverAuth"),
        (leaf(extended=(ExtendedKeyUsageOID.CLIENT_AUTH,)), "clientAuth"),
        (leaf(extended=(ExtendedKeyUsageOID.EMAIL_PROTECTION,)), "emailProtection"),
        (leaf(extended=(ExtendedKeyUsageOID.TIME_STAMPING,)), "timeStamping"),
        (leaf(extended=(ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,)), "any"),
        (leaf(kind="k256"), "is not safe"),
        (leaf(hashed=hashes.SHA224()), "sha224"),
        (below(authority=False), "not a CA certificate"),
        (below(critical=False), "not a CA certificate"),
        (below(usage="digital_signature"), "keyCertSign"),
        (below(usage=""), "keyCertSign"),
        (below(extended=(ExtendedKeyUsageOID.SERVER_AUTH,)), "other uses"),
        (below(extended=(ExtendedKeyUsageOID.TIME_STAMPING, ExtendedKeyUsageOID.CLIENT_AUTH)), "other uses"),
        (below(more=((CONSTRAINED, True),)), "critical extension 2.5.29.30"),
        (leaf(more=((UNKNOWN, True),)), "critical extension 1.2.3.4"),
        (too_long(), "2 authorities are below it"),
        ([LEAF, ROOT], "is not issued by"),
        ([LEAF, certify(authority("middle", number=3), ROOT), ROOT], "is not issued by"),
        ([LEAF, MIDDLE], "none of the trusted certificates"),
        ([], "has 0 certificates"),
        ([*CHAIN, *[ROOT] * 8], "has 11 certificates"),
    ],
)
def test_what_is_wrong_with_a_chain_is_said(chain: list[Certified], words: str) -> None:
    trust = trusting(*(one for one in chain[-1:] if one is not MIDDLE), ROOT)
    assert words in reason(notary(ABOUT, LEAF, chain, algorithm="ES256"), trust)


def test_without_certificates_nothing_verifies() -> None:
    assert "no certificates are given" in reason(signed(), Trust())


def test_the_key_of_another_is_refused() -> None:
    other = certify(Draft("release", number=9), MIDDLE)
    found = notary(ABOUT, Certified(other.key, LEAF.certificate), CHAIN, algorithm="ES256")
    assert "does not verify it" in reason(found)


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ({"crit": None}, "crit"),
        ({"crit": []}, "crit"),
        ({"crit": ["io.cncf.notary.signingScheme", "io.cncf.notary.verificationPlugin"]}, "verificationPlugin"),
        ({"crit": ["io.cncf.notary.signingScheme", 7]}, "7"),
        ({"io.cncf.notary.signingScheme": "notary.x510"}, "notary.x510"),
        ({"cty": "application/json"}, "application/json"),
        ({"io.cncf.notary.expiry": "2026-06-01T12:00:00Z"}, "has expired"),
        ({"io.cncf.notary.expiry": "tomorrow"}, "is not a time"),
    ],
)
def test_what_is_wrong_with_the_protected_header_is_said(header: dict[str, t.Any], words: str) -> None:
    assert words in reason(signed(header=header))


def test_an_expiry_to_come_and_the_scheme_of_an_authority_are_fine() -> None:
    crit = ["io.cncf.notary.signingScheme", "io.cncf.notary.expiry", "io.cncf.notary.authenticSigningTime"]
    header = {
        "crit": crit,
        "io.cncf.notary.expiry": "2026-06-01T13:00:00+00:30",
        "io.cncf.notary.signingScheme": "notary.x509.signingAuthority",
        "io.cncf.notary.authenticSigningTime": "2026-05-01T00:00:00Z",
    }
    assert by(signed(header=header))


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ({"digest": OTHER_DIGEST}, OTHER_DIGEST),
        ({"mediaType": "application/json"}, "mediaType"),
        ({"size": ABOUT.size + 1}, "size"),
        ({"size": True}, "size"),
        ({"annotations": []}, "annotations"),
    ],
)
def test_a_signature_about_something_else_is_refused(target: dict[str, t.Any], words: str) -> None:
    assert words in reason(signed(target=target))


def test_annotations_must_be_in_what_is_signed() -> None:
    found = signed(target={"annotations": {"approved": "yes"}})
    assert by(found, trusting(annotations={"approved": "yes"}))
    assert "is not signed" in reason(found, trusting(annotations={"ticket": "1"}))


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (changed(signed(), protected="not base64!"), "is not valid base64"),
        (changed(signed(), protected=b64url(b"[]")), "is not a JSON object"),
        (changed(signed(), payload=b64url(b"{}")), "targetArtifact"),
        (changed(signed(), payload=b64(b"{}") + "=="), "base64url"),
        (changed(signed(), signature="AAAA"), "does not verify it"),
        (changed(signed(), signature=7), "base64url"),
        (changed(signed(), header={}), "x5c"),
        (changed(signed(), header={"x5c": [7]}), "base64"),
        (changed(signed(), header={"x5c": [b64(b"no certificate")]}), "cannot be read"),
        (made(b"\xd2\x84", "application/cose"), "application/cose"),
        (Made(signed().layer, b"{"), "is not valid JSON"),
    ],
)
def test_what_is_wrong_with_an_envelope_is_said(found: Made, words: str) -> None:
    assert words in reason(found)


def test_a_certificate_for_ed25519_signs_nothing() -> None:
    alone = certify(Draft("alone", kind="ed25519"))
    document = json.loads(signed().content)
    document["header"]["x5c"] = [b64(alone.der)]
    found = Made(signed().layer, json.dumps(document).encode())
    assert "is not safe" in reason(found, trusting(alone))


@pytest.mark.parametrize("text", ["", "C", "C=", "XX=1", "CN=a, b", " , "])
def test_what_is_no_subject_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match=r"subjects\[0\]"):
        read_subject(text, "subjects[0]")


@pytest.mark.parametrize("pem", [b"", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
def test_what_is_no_certificate_is_refused(pem: bytes) -> None:
    with pytest.raises(InvalidInput, match="certificates"):
        read_certificates(pem, "certificates")
