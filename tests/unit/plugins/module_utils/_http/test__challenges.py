# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import time

import pytest
from ansible_collections.imageops.registry.plugins.module_utils._http._challenges import Challenge, parse_challenges


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ([], []),
        ([""], []),
        (['Basic realm="harbor"'], [("basic", {"realm": "harbor"})]),
        (["BASIC Realm=harbor"], [("basic", {"realm": "harbor"})]),
        (
            ['Bearer realm="https://h/tok?x=1",service="probe, svc"'],
            [("bearer", {"realm": "https://h/tok?x=1", "service": "probe, svc"})],
        ),
        (
            ['Bearer realm="r",service="s",scope="repository:a/b:pull,push repository:c/d:pull"'],
            [("bearer", {"realm": "r", "service": "s", "scope": "repository:a/b:pull,push repository:c/d:pull"})],
        ),
        (['Bearer realm="a\\"b\\\\c"'], [("bearer", {"realm": 'a"b\\c'})]),
        (['Bearer realm = "r" , service = "s"'], [("bearer", {"realm": "r", "service": "s"})]),
        (['Bearer realm="r",realm="second"'], [("bearer", {"realm": "r"})]),
        (['Bearer realm=""'], [("bearer", {"realm": ""})]),
        (['Negotiate, Basic realm="x"'], [("negotiate", {}), ("basic", {"realm": "x"})]),
        (["Negotiate"], [("negotiate", {})]),
        (['Negotiate YII=, Basic realm="x"'], [("negotiate", {}), ("basic", {"realm": "x"})]),
        (
            ['Basic realm="x", Bearer realm="r",service="s"'],
            [("basic", {"realm": "x"}), ("bearer", {"realm": "r", "service": "s"})],
        ),
        (
            ['Bearer realm="r",service="s", Basic realm="x"'],
            [("bearer", {"realm": "r", "service": "s"}), ("basic", {"realm": "x"})],
        ),
        (['Bearer realm="r"', 'Basic realm="x"'], [("bearer", {"realm": "r"}), ("basic", {"realm": "x"})]),
        (
            ['Digest qop="auth, auth-int", nonce=abc, Basic realm="x"'],
            [("digest", {"qop": "auth, auth-int", "nonce": "abc"}), ("basic", {"realm": "x"})],
        ),
        (['Bearer realm="r",,service="s"'], [("bearer", {"realm": "r", "service": "s"})]),
    ],
)
def test_challenges_of_the_corpus_are_read(headers: list[str], expected: list[tuple[str, dict[str, str]]]) -> None:
    assert parse_challenges(headers) == [Challenge(scheme, parameters) for scheme, parameters in expected]


def test_a_comma_in_quotes_starts_no_challenge() -> None:
    (challenge,) = parse_challenges(['Bearer realm="r",service="x, Basic realm=y"'])
    assert challenge.parameters["service"] == "x, Basic realm=y"


@pytest.mark.parametrize(
    "header",
    [
        'Bearer realm="unterminated',
        "=",
        ",,,,",
        "\x00",
        '"',
        "Bearer =",
        "Bearer realm=https://r/",
        "a" * 100000,
        'B r="' + "\\" * 100000,
        "Bearer " + "a=b," * 50000,
        ", " * 50000,
        "a " * 50000,
        'Bearer realm="x" ' * 5000,
    ],
)
def test_malformed_and_huge_challenges_neither_raise_nor_take_long(header: str) -> None:
    started = time.monotonic()
    parse_challenges([header])
    assert time.monotonic() - started < 1
