# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whatever is in a signature, it is refused with a reason, and never with another exception."""

from __future__ import annotations

import base64
import json
import typing as t

import pytest
from ansible_collections.imageops.registry.plugins.module_utils._model._digest import compute_digest
from ansible_collections.imageops.registry.plugins.module_utils._model._errors import Unverified
from ansible_collections.imageops.registry.plugins.module_utils._model._manifest import OCI_MANIFEST, Descriptor
from ansible_collections.imageops.registry.plugins.module_utils._promotion import (
    _cosign_tag,
    _notation,
    _sigstore_bundle,
)
from ansible_collections.imageops.registry.plugins.module_utils._promotion._certificate_chain import Roots
from ansible_collections.imageops.registry.plugins.module_utils._promotion._public_keys import public_key
from ansible_collections.imageops.registry.plugins.module_utils._promotion._trust import Subject, Trust
from ansible_collections.imageops.registry.tests.unit.support.documents import encoded, image
from ansible_collections.imageops.registry.tests.unit.support.signing import (
    NOW,
    WAYS,
    Draft,
    Made,
    authority,
    b64,
    b64url,
    certify,
    notary,
    private_key,
    public_pem,
    signed_manifest,
    signed_statement,
    simple_signing,
)
from cryptography import x509
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st

# Of certificates that it will refuse in a later release.
pytestmark = pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")

# The same at every run, and nothing is kept.
SETTINGS = settings(
    max_examples=100,
    derandomize=True,
    deadline=None,
    database=None,
    phases=(Phase.generate, Phase.shrink),
    suppress_health_check=(HealthCheck.too_slow,),
)

CONTENT = encoded(image())
SUBJECT = Subject(Descriptor(OCI_MANIFEST, compute_digest(CONTENT), len(CONTENT)), CONTENT)
DIGEST = SUBJECT.descriptor.digest
KIND, SIGN = WAYS["P-256 with SHA-256"]
KEY = private_key(KIND)
ROOT = certify(authority("root", number=1))
LEAF = certify(Draft("release"), ROOT)
TRUST = Trust((public_key(public_pem(KEY), "keys"),), Roots((ROOT.certificate,)))

Verify = t.Callable[[Descriptor, bytes], object]
FORMS: dict[str, tuple[Made, Verify]] = {
    "cosign_tag": (
        simple_signing(DIGEST, KEY, SIGN),
        lambda layer, content: _cosign_tag.verify(layer, content, SUBJECT, TRUST),
    ),
    "statement": (
        signed_statement(DIGEST, KEY, SIGN),
        lambda layer, content: _sigstore_bundle.verify(content, SUBJECT, TRUST),
    ),
    "message": (
        signed_manifest(CONTENT, KEY, SIGN),
        lambda layer, content: _sigstore_bundle.verify(content, SUBJECT, TRUST),
    ),
    "notation": (
        notary(SUBJECT.descriptor, LEAF, [LEAF, ROOT], algorithm="ES256"),
        lambda layer, content: _notation.verify(layer, content, SUBJECT, TRUST, NOW),
    ),
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["AAAA", DIGEST, "ES256"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def refused(verify: Verify, layer: Descriptor, content: bytes) -> None:
    with pytest.raises(Unverified) as caught:
        verify(layer, content)
    assert caught.value.reason and len(str(caught.value)) < 3000


@pytest.mark.parametrize("form", FORMS)
def test_what_is_fuzzed_verifies_as_it_is(form: str) -> None:
    made, verify = FORMS[form]
    assert verify(made.layer, made.content)


@pytest.mark.parametrize("form", FORMS)
@SETTINGS
@given(content=st.binary(max_size=200))
def test_bytes_are_refused(form: str, content: bytes) -> None:
    made, verify = FORMS[form]
    refused(verify, made.layer, content)


def paths(value: t.Any, path: tuple[t.Any, ...] = ()) -> t.Iterator[tuple[t.Any, ...]]:
    """Where there is something in a document."""
    yield path
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in entries:
        yield from paths(inner, (*path, key))


def with_value(document: t.Any, path: tuple[t.Any, ...], value: t.Any) -> t.Any:
    if not path:
        return value
    changed = json.loads(json.dumps(document))
    place = changed
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return changed


_UNSIGNED = {"verificationMaterial", "hint", "messageDigest", "mediaType"}
"""Parts of a bundle that prove nothing: with others in their place, it may still verify."""


@pytest.mark.parametrize("form", FORMS)
@SETTINGS
@given(data=st.data())
def test_a_document_with_another_value_somewhere_is_refused(form: str, data: st.DataObject) -> None:
    made, verify = FORMS[form]
    document = json.loads(made.content)
    known = [path for path in paths(document) if not _UNSIGNED & set(path)]
    path = data.draw(st.sampled_from(known))
    value = data.draw(JSON)
    changed = with_value(document, path, value)
    if changed == document:
        return
    refused(verify, made.layer, json.dumps(changed).encode())


def flipped(content: bytes, place: int) -> bytes:
    changed = bytearray(content)
    changed[place % len(changed)] ^= 1 << (place % 8)
    return bytes(changed)


@SETTINGS
@given(place=st.integers(0, 100_000), number=st.sampled_from([0, 1]))
def test_a_certificate_with_a_bit_flipped_is_refused(place: int, number: int) -> None:
    made, verify = FORMS["notation"]
    document = json.loads(made.content)
    chain = [base64.b64decode(one) for one in document["header"]["x5c"]]
    # The byte before the signature says how many bits at its end don't count: it is neither signed nor a part of it.
    assume(
        place % len(chain[number]) != chain[number].rindex(x509.load_der_x509_certificate(chain[number]).signature) - 1
    )
    chain[number] = flipped(chain[number], place)
    document["header"]["x5c"] = [b64(one) for one in chain]
    refused(verify, made.layer, json.dumps(document).encode())


def test_a_certificate_with_a_name_of_an_unknown_type_is_refused() -> None:
    made, verify = FORMS["notation"]
    document = json.loads(made.content)
    signer = base64.b64decode(document["header"]["x5c"][0])
    common_name = bytes.fromhex("0603550403")
    assert common_name + b"\x0c" in signer
    document["header"]["x5c"][0] = b64(signer.replace(common_name + b"\x0c", common_name + b"\x8c"))
    refused(verify, made.layer, json.dumps(document).encode())


@SETTINGS
@given(place=st.integers(0, 100_000), part=st.sampled_from(["protected", "payload", "signature"]))
def test_an_envelope_with_a_bit_flipped_is_refused(place: int, part: str) -> None:
    made, verify = FORMS["notation"]
    document = json.loads(made.content)
    content = base64.urlsafe_b64decode(document[part] + "==")
    document[part] = b64url(flipped(content, place))
    refused(verify, made.layer, json.dumps(document).encode())


@SETTINGS
@given(place=st.integers(0, 100_000), part=st.sampled_from(["payload", "sig"]))
def test_a_bundle_with_a_bit_flipped_is_refused(place: int, part: str) -> None:
    made, verify = FORMS["statement"]
    document = json.loads(made.content)
    holder = document["dsseEnvelope"] if part == "payload" else document["dsseEnvelope"]["signatures"][0]
    holder[part] = b64(flipped(base64.b64decode(holder[part]), place))
    refused(verify, made.layer, json.dumps(document).encode())


@SETTINGS
@given(place=st.integers(0, 100_000))
def test_a_payload_with_a_bit_flipped_is_refused(place: int) -> None:
    made, verify = FORMS["cosign_tag"]
    refused(verify, made.layer, flipped(made.content, place))
