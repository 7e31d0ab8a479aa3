# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.imageops.registry.plugins.module_utils._promotion._plan import Plan
from ansible_collections.imageops.registry.tests.unit.support.fake_registry import FakeRegistry
from ansible_collections.imageops.registry.tests.unit.support.promotions import (
    MULTI,
    OTHER,
    filled_source,
    image_item,
    plan_for,
)


@pytest.fixture
def source() -> FakeRegistry:
    return filled_source()


@pytest.fixture
def destination() -> FakeRegistry:
    return FakeRegistry("prod.example")


@pytest.fixture
def both(source: FakeRegistry, destination: FakeRegistry) -> Plan:
    """A plan of an index, and of an image of another repository."""
    source.add("team/api", OTHER, "1")
    return plan_for(source, destination, MULTI, image_item("team/api", tag="1", tags=("1",)))
