# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pathlib
import typing as t

import pytest
from ansible_collections.imageops.registry.plugins.module_utils._model._errors import InvalidInput, RegistryError
from ansible_collections.imageops.registry.plugins.module_utils._promotion import _cryptography
from ansible_collections.imageops.registry.plugins.module_utils._promotion._signature_rules import read_rules, rule_for
from ansible_collections.imageops.registry.plugins.module_utils._promotion._trust import COSIGN_SIGN
from ansible_collections.imageops.registry.tests.unit.support.signing import Draft, certify, private_key, public_pem

PEM = public_pem(private_key("p256")).decode()
CERTIFICATE = certify(Draft("release")).pem.decode()


def rule(**changes: t.Any) -> dict[str, t.Any]:
    """A rule as the argument spec gives it."""
    empty = ("repositories", "keys", "certificates", "subjects", "annotations", "predicate_types")
    return {**dict.fromkeys(empty), "mode": "required", "each_image": False, **changes}


def test_the_first_rule_whose_pattern_matches_decides() -> None:
    rules = read_rules(
        [
            rule(repositories=["third-party/*"], mode="none"),
            rule(repositories=["*/app", "team"], keys=[PEM]),
            rule(repositories=["team/*"], keys=[PEM], mode="if_present"),
        ]
    )
    found = {name: rule_for(rules, name) for name in ("third-party/a/app", "team/app", "team/b/c", "team", "Team/x")}
    assert [one and one.mode for one in found.values()] == ["none", "required", "if_present", "required", None]
    assert rule_for(read_rules([rule(keys=[PEM])]), "whatever/there/is") is not None


def test_keys_and_certificates_come_from_files_and_from_texts(tmp_path: pathlib.Path) -> None:
    key, certificates = tmp_path / "key.pem", tmp_path / "roots.pem"
    key.write_text(PEM, encoding="utf-8")
    other = certify(Draft("other")).pem.decode()
    certificates.write_text(CERTIFICATE + other, encoding="utf-8")
    (found,) = read_rules(
        [
            rule(
                keys=[str(key), PEM],
                certificates=[str(certificates), CERTIFICATE],
                subjects=["CN=release"],
                annotations={"approved": "yes"},
                predicate_types=["https://slsa.dev/provenance/v1"],
                each_image=True,
            )
        ]
    )
    assert len(found.trust.keys) == 2 and found.trust.keys[0].name == found.trust.keys[1].name
    assert len(found.trust.roots.certificates) == 3 and found.trust.roots.subjects == (
        frozenset({("2.5.4.3", "release")}),
    )
    assert (found.trust.annotations, found.each_image) == ({"approved": "yes"}, True)
    assert found.trust.predicate_types == ("https://slsa.dev/provenance/v1",)


def test_only_signatures_count_unless_more_is_named() -> None:
    (found,) = read_rules([rule(keys=[PEM])])
    assert found.trust.predicate_types == (COSIGN_SIGN,)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "needs keys or certificates"),
        ({"mode": "if_present"}, "needs keys or certificates"),
        ({"keys": [PEM], "subjects": ["CN=a"]}, "signatures[1].subjects"),
        ({"keys": [PEM, PEM.replace("PUBLIC", "SECRET")]}, "signatures[1].keys[1]"),
        ({"keys": [CERTIFICATE]}, "is not a public key"),
        ({"keys": ["/nowhere/key.pem"]}, "/nowhere/key.pem"),
        ({"keys": ["/"]}, "is not a file"),
        ({"certificates": [PEM]}, "signatures[1].certificates[0]"),
        ({"certificates": [CERTIFICATE], "subjects": ["release"]}, "signatures[1].subjects[0]"),
        ({"keys": [public_pem(private_key("k256")).decode()]}, "secp256k1"),
        ({"keys": [public_pem(private_key("rsa1024")).decode()]}, "1024 bits"),
    ],
)
def test_what_is_wrong_with_a_rule_is_said_with_its_place(changes: dict[str, t.Any], words: str) -> None:
    with pytest.raises(RegistryError) as caught:
        read_rules([rule(mode="none"), rule(**changes)])
    assert words in str(caught.value) and "signatures[1]" in str(caught.value)
    assert "BEGIN" not in str(caught.value).partition("Give")[0]


def test_every_key_in_a_text_counts() -> None:
    others = [public_pem(private_key(kind, 7)).decode() for kind in ("p384", "ed25519")]
    together = "# old\n" + "".join([PEM, *others]).replace("\n", "\r\n")
    (found,) = read_rules([rule(keys=[together])])
    assert [read_rules([rule(keys=[one])])[0].trust.keys[0].name for one in (PEM, *others)] == [
        key.name for key in found.trust.keys
    ]


@pytest.mark.parametrize("broken", ["-----BEGIN {0}-----\nAAAA\n-----END {0}-----\n", "-----BEGIN {0}-----\nAAAA\n"])
@pytest.mark.parametrize(("name", "whole"), [("keys", PEM), ("certificates", CERTIFICATE)])
def test_a_text_of_which_a_part_can_not_be_read_is_refused(name: str, whole: str, broken: str) -> None:
    label = "PUBLIC KEY" if name == "keys" else "CERTIFICATE"
    for text in (whole + broken.format(label), broken.format(label) + whole):
        with pytest.raises(InvalidInput, match=rf"signatures\[0\]\.{name}\[0\]"):
            read_rules([rule(**{name: [text]})])


def test_keys_of_a_rule_that_exempts_are_read_and_trusted() -> None:
    (found,) = read_rules([rule(mode="none", keys=[PEM])])
    assert len(found.trust.keys) == 1
    with pytest.raises(RegistryError, match="/nowhere/key.pem"):
        read_rules([rule(mode="none", keys=["/nowhere/key.pem"])])


def test_a_truth_value_of_yaml_is_the_text_that_was_written() -> None:
    (found,) = read_rules([rule(keys=[PEM], annotations={"approved": True, "draft": False, "run": 12})])
    assert found.trust.annotations == {"approved": "true", "draft": "false", "run": "12"}


def test_a_large_file_is_no_key(tmp_path: pathlib.Path) -> None:
    large = tmp_path / "large"
    large.write_bytes(b" " * (1024 * 1024 + 1))
    with pytest.raises(RegistryError, match="larger than"):
        read_rules([rule(keys=[str(large)])])


def test_without_cryptography_a_rule_that_needs_it_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_cryptography, "PROBLEM", "the Python library cryptography cannot be imported (No module)")
    with pytest.raises(InvalidInput, match="cryptography cannot be imported"):
        read_rules([rule(keys=[PEM])])
    assert read_rules([rule(mode="none")])


@pytest.mark.parametrize(
    ("repositories", "words"),
    [
        ([], "signatures[0].repositories: the list is empty, so that nothing would match"),
        (["team/*", ""], "signatures[0].repositories[1]: '' matches no repository"),
        (["r.example:5000/team/*"], "signatures[0].repositories[0]: 'r.example:5000/team/*' matches no repository"),
        (["team/app:1.0"], "in lower case, such as team/*"),
        (["team/App"], "matches no repository"),
        ([" team/*"], "matches no repository"),
        (["team/[a"], "matches no repository"),
    ],
)
@pytest.mark.parametrize("given", [{"keys": [PEM]}, {"mode": "none"}])
def test_a_rule_that_could_never_decide_is_refused(
    repositories: list[str], words: str, given: dict[str, t.Any]
) -> None:
    """Otherwise the next one would decide, which may exempt all others."""
    with pytest.raises(InvalidInput) as caught:
        read_rules([rule(repositories=repositories, **given), rule(mode="none")])
    assert words in str(caught.value)


def test_patterns_may_have_all_that_shell_style_has() -> None:
    (found,) = read_rules([rule(repositories=["team-?/[a-c]*_x.y", "[!z]*"], keys=[PEM])])
    assert found.decides("team-1/b_x.y") and found.decides("other") and not found.decides("zoo")
