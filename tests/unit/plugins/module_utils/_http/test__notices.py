# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.imageops.registry.plugins.module_utils._http._notices import Notices


def sentence_of(*texts: str, registry: str = "dev.example") -> str:
    notices = Notices()
    for text in texts:
        notices.add(registry, [text])
    return notices.sentence()


def test_nothing_that_was_told_is_no_sentence() -> None:
    assert Notices().sentence() == ""


def test_each_text_is_told_once_for_each_registry() -> None:
    notices = Notices()
    for registry in ("prod.example", "dev.example", "dev.example"):
        notices.add(registry, ["Ends soon", "Ends soon"])
    assert notices.sentence() == (
        'The registry dev.example says: "Ends soon". The registry prod.example says: "Ends soon"'
    )


def test_of_many_texts_the_first_are_told() -> None:
    assert sentence_of(*"abcde") == 'The registry dev.example says: "a"; "b"; "c"; "d"; "e"'
    assert sentence_of(*"abcdefgh") == 'The registry dev.example says: "a"; "b"; "c"; "d"; "e"; and more'


def test_a_text_is_cut_and_fit_for_a_screen() -> None:
    assert sentence_of("\x1b[31mred\u202e\n" + "x" * 9999).endswith('"[31mred ' + "x" * 192 + '..."')


def test_a_secret_is_hidden_before_a_text_is_cut() -> None:
    for before in range(180, 205):
        notices = Notices()
        notices.add("dev.example", ["x" * before + "a-password"])
        assert "a-p" not in notices.sentence(["a-password"])


@pytest.mark.parametrize(
    "texts",
    [
        ["you sent Sup3r%53%33cretPw%21"],
        ["you sent Sup3r%2553%2533cretPw%2521"],
        ["you sent Sup3r\x01S3cretPw!"],
        ["you sent Sup3r \u200bS3cret\u2066Pw!"],
        ["you sent Sup3rS3", "cretPw!"],
    ],
)
def test_a_text_with_a_secret_in_another_form_is_not_shown(texts: list[str]) -> None:
    notices = Notices()
    for text in texts:
        notices.add("dev.example", [text])
    assert notices.sentence(["Sup3rS3cretPw!", "other"]) == (
        'The registry dev.example says: "(notice not shown: it contains a secret)"'
    )


def test_beside_a_text_that_is_not_shown_the_others_are() -> None:
    notices = Notices()
    notices.add("dev.example", ["you sent p%20w+d", "Ends soon"])
    assert notices.sentence(["p w+d"]).endswith('(notice not shown: it contains a secret)"; "Ends soon"')
