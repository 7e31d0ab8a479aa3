# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest
from ansible.errors import AnsibleFilterError
from ansible.parsing.dataloader import DataLoader
from ansible_collections.imageops.registry.plugins.filter.image_entries import FilterModule

image_entries = FilterModule().filters()["image_entries"]


def test_values_of_a_play_are_taken() -> None:
    references = DataLoader().load("- dev.example/team/app:1\n- dev.example/team/app:1\n")
    assert image_entries(references, "mirror") == [
        {"repository": "team/app", "tag": "1", "destination_repository": "mirror/team/app"}
    ]


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"prefix": None}, "takes prefix as text"),
        ({"registry": ["r"]}, "takes registry as text"),
        ({"registries": "docker.io"}, "takes registries as a mapping of hosts to prefixes"),
        ({"registry": "other.example"}, "cannot be applied: none of the references is of other.example"),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(options: dict[str, t.Any], why: str) -> None:
    with pytest.raises(AnsibleFilterError, match=rf"^The filter imageops.registry.image_entries [^\n]*{why}[^\n]*\.$"):
        image_entries(["dev.example/a:1"], **options)
