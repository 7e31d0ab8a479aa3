# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.imageops.registry.tests.unit.support.fake_registry import FakeRegistry
from ansible_collections.imageops.registry.tests.unit.support.promotions import (
    BY_TAG,
    IMAGE,
    OTHER,
    filled_source,
    image_item,
    plan_for,
)

WEB = image_item("team/web", tag="1", tags=("1",))


@pytest.mark.parametrize("tagged", [False, True])
def test_a_plan_says_which_repositories_are_new(tagged: bool) -> None:
    source, destination = filled_source(), FakeRegistry("prod.example")
    source.add("team/web", OTHER, "1")
    if tagged:
        destination.add("team/web", IMAGE, "1")
    plan = plan_for(source, destination, BY_TAG, WEB)
    assert plan.untagged_repositories == ({"team/app"} if tagged else {"team/app", "team/web"})
