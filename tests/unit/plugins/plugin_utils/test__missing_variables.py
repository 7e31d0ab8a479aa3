# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pathlib

import pytest
import yaml
from ansible_collections.imageops.registry.plugins.filter.missing_variables import FilterModule

sentence = FilterModule().filters()["missing_variables"]

ROLES = pathlib.Path(__file__).parents[4] / "roles"
NEEDED = ["promote_source", "promote_destination", "promote_images"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (NEEDED, ""),
        ([*NEEDED, "promote_image"], ""),
        (NEEDED[:2], "promote_images is missing."),
        (
            [*NEEDED[:2], "promote_image"],
            "promote_images is missing. promote_image is not known: perhaps promote_images is meant.",
        ),
        ([], "promote_source, promote_destination and promote_images are missing."),
        (
            ["promote_source", "promote_destinaton", "promote_imags"],
            "promote_destination and promote_images are missing. promote_destinaton is not known: perhaps "
            "promote_destination is meant. promote_imags is not known: perhaps promote_images is meant.",
        ),
    ],
)
def test_what_is_missing_is_named_with_what_is_perhaps_meant(given: list[str], said: str) -> None:
    assert sentence(NEEDED, given) == said


@pytest.mark.parametrize("role", sorted(path.name for path in ROLES.iterdir()))
def test_nothing_that_a_role_knows_is_taken_for_a_misspelt_name(role: str) -> None:
    text = (ROLES / role / "meta" / "argument_specs.yml").read_text(encoding="utf-8")
    options = yaml.safe_load(text)["argument_specs"]["main"]["options"]
    assert not [name for name, option in options.items() if option.get("required")]
    needed = [f"{role}_{name}" for name in ("source", "destination", "images", "archive")]
    for name in needed:
        others = [other for other in (*options, f"{role}_result") if other != name]
        assert sentence([name], others) == f"{name} is missing."
