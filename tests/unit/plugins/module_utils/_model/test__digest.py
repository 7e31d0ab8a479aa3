# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import hashlib

import pytest
from ansible_collections.imageops.registry.plugins.module_utils._model._digest import (
    DigestVerifier,
    algorithm_of,
    check_digest,
    compute_digest,
    is_digest,
)
from ansible_collections.imageops.registry.plugins.module_utils._model._errors import ContentMismatch, InvalidInput

EMPTY_256 = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
HEX = "a" * 64


@pytest.mark.parametrize("digest", [EMPTY_256, f"sha256:{HEX}", "sha512:" + "0" * 128])
def test_sha256_and_sha512_of_exact_length_are_digests(digest: str) -> None:
    assert is_digest(digest)
    assert check_digest(digest) == digest


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no ':'"),
        (HEX, "no ':'"),
        ("sha256", "no ':'"),
        ("sha256:", "64 hexadecimal"),
        ("sha256:../../x", "64 hexadecimal"),
        ("sha256:" + "../" * 21 + "x", "only the digits"),
        (f"sha256:{HEX[:-1]}", "has 63"),
        (f"sha256:{HEX}a", "has 65"),
        (f"sha256:{HEX.upper()}", "lower case"),
        (f"sha256:{HEX}\n", "has 65"),
        (f"sha256:{HEX[:-1]}\n", "only the digits"),
        (f" sha256:{HEX}", "algorithm"),
        ("sha256:" + "\u0661" * 64, "only the digits"),
        ("sha256:" + "g" * 64, "only the digits"),
        ("sha384:" + "a" * 96, "algorithm"),
        ("md5:" + "a" * 32, "algorithm"),
        (f"SHA256:{HEX}", "algorithm"),
        (f"sha512:{HEX}", "128 hexadecimal"),
        (None, "no ':'"),
        (7, "no ':'"),
        (["sha256:" + HEX], "algorithm"),
        (b"sha256:" + HEX.encode(), "algorithm"),
    ],
)
def test_anything_else_is_refused_saying_why(text: object, why: str) -> None:
    assert not is_digest(text)
    with pytest.raises(InvalidInput, match=why):
        check_digest(text)


@pytest.mark.parametrize("text", ["sha256:d92b568be950", "d92b568be950", HEX[:63]])
def test_who_copies_what_a_report_shows_is_told_where_all_of_it_is(text: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        check_digest(text)
    assert "results and records have all of them" in caught.value.hint


def test_a_refused_digest_is_shown_short_and_escaped() -> None:
    with pytest.raises(InvalidInput) as caught:
        check_digest("\x1b[2J" * 1000)
    assert "\x1b" not in str(caught.value)
    assert len(str(caught.value)) < 1000


def test_digests_are_computed() -> None:
    assert compute_digest(b"") == EMPTY_256
    assert compute_digest(b"x", "sha512") == "sha512:" + hashlib.sha512(b"x").hexdigest()
    assert algorithm_of(compute_digest(b"x", "sha512")) == "sha512"


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
@pytest.mark.parametrize("size", [6, None])
def test_verifier_accepts_the_promised_bytes_in_pieces(algorithm: str, size: int | None) -> None:
    verifier = DigestVerifier(compute_digest(b"abcdef", algorithm), size)
    for piece in (b"ab", b"", memoryview(b"cdef")):
        verifier.update(piece)
    verifier.finish()
    assert verifier.received == 6


def test_verifier_accepts_an_empty_blob() -> None:
    DigestVerifier(EMPTY_256, 0).finish()


def test_verifier_stops_at_the_first_byte_too_many() -> None:
    verifier = DigestVerifier(compute_digest(b"abc"), 3)
    verifier.update(b"abc")
    with pytest.raises(ContentMismatch, match="more than the promised 3 bytes"):
        verifier.update(b"d")


def test_verifier_refuses_too_few_bytes_before_it_looks_at_the_digest() -> None:
    verifier = DigestVerifier(compute_digest(b"abc"), 3)
    verifier.update(b"ab")
    with pytest.raises(ContentMismatch, match="2 bytes of .* arrived, 3 were promised"):
        verifier.finish()


@pytest.mark.parametrize("size", [3, None])
def test_verifier_refuses_other_bytes_of_the_same_size(size: int | None) -> None:
    verifier = DigestVerifier(compute_digest(b"abc"), size)
    verifier.update(b"abd")
    with pytest.raises(ContentMismatch, match=compute_digest(b"abd")):
        verifier.finish()


def test_verifier_refuses_a_malformed_digest() -> None:
    with pytest.raises(InvalidInput):
        DigestVerifier("sha256:../../x", 3)
