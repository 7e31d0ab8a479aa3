# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.imageops.registry.plugins.filter.promotion import FilterModule
from ansible_collections.imageops.registry.plugins.module_utils._promotion._plan_as_plain import as_plain
from ansible_collections.imageops.registry.tests.unit.support.fake_registry import FakeRegistry
from ansible_collections.imageops.registry.tests.unit.support.promotions import BY_TAG, filled_source, plan_for

Plain = dict[str, t.Any]
FILTERS = FilterModule().filters()
WRONG: dict[str, tuple[t.Any, ...]] = {
    "promotion_summary": ({"images": [{}]}, {}),
    "promotion_report": ({"images": [{}]},),
    "promotion_problem": ({},),
    "promotion_stats": ({"images": []},),
}


def test_each_filter_takes_what_the_one_before_returns() -> None:
    plan = as_plain(plan_for(filled_source(), FakeRegistry("prod.example"), BY_TAG))
    summary = FILTERS["promotion_summary"]({**plan, "transfer": {"requests": 2}}, copied={"skipped": True})
    assert FILTERS["promotion_report"](summary)[-1].startswith(
        "0 promoted, 0 unchanged, 1 blocked by others; 2 requests"
    )
    assert FILTERS["promotion_problem"](summary) == "prod.example/team/app:1 was not moved"


def test_all_filters_are_tried_with_something_else() -> None:
    assert set(FILTERS) == set(WRONG)


@pytest.mark.parametrize("name", sorted(WRONG))
def test_something_else_is_refused_by_the_name_of_the_filter(name: str) -> None:
    with pytest.raises(AnsibleFilterError, match=f"^{name} takes "):
        FILTERS[name](*WRONG[name])
