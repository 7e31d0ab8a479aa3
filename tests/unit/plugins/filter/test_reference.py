# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible.parsing.dataloader import DataLoader
from ansible_collections.imageops.registry.plugins.filter.reference import FilterModule

reference = FilterModule().filters()["reference"]
DIGEST = "sha256:" + "a" * 64


def test_the_parts_of_a_reference() -> None:
    assert reference(f"registry.example:5000/team/app:1.4.2@{DIGEST}") == {
        "registry": "registry.example:5000",
        "repository": "team/app",
        "tag": "1.4.2",
        "digest": DIGEST,
    }


def test_parts_that_it_doesnt_have_are_empty() -> None:
    assert reference("team/app") == {"registry": "", "repository": "team/app", "tag": "", "digest": ""}


def test_values_of_a_play_are_taken() -> None:
    text = DataLoader().load("- localhost/app:1")[0]
    assert text.__class__ is not str
    assert reference(text)["registry"] == "localhost"


@pytest.mark.parametrize("text", ["", "a/Team", "a:b:c", f"app@{DIGEST[:-1]}", None, 5, ["app"], "a//b", "a\nb"])
def test_what_is_no_reference_is_told_in_one_sentence(text: object) -> None:
    with pytest.raises(AnsibleFilterError, match=r"^malformed reference [^\n]*\.$"):
        reference(text)
