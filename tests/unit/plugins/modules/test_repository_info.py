# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.imageops.registry.tests.unit.support.hostile_server import answer
from ansible_collections.imageops.registry.tests.unit.support.module_runs import Plain, fail, succeed, transfer
from ansible_collections.imageops.registry.tests.unit.support.registry_server import RegistryServer


@pytest.mark.parametrize(
    ("given", "selected"),
    [
        ({}, ["other/app", "team/api", "team/app"]),
        ({"match": ["team/.*"]}, ["team/api", "team/app"]),
        ({"match": ["team/.*", "other/.*"], "exclude": [".*/api"]}, ["other/app", "team/app"]),
        ({"match": ["none"]}, []),
    ],
)
def test_repositories_are_listed_and_selected(registry: RegistryServer, given: Plain, selected: list[str]) -> None:
    registry.add_image("team/app:1", "team/api:1", "other/app:1")
    result = succeed("repository_info", {**registry.options, **given})
    assert result == {
        "supported": True,
        "repositories": selected,
        "all_count": 3,
        "malformed_count": 0,
        "transfer": transfer(requests=1),
    }
    assert succeed("repository_info", {**registry.options, **given}, check=True) == result


def test_names_that_are_malformed_are_counted(registry: RegistryServer) -> None:
    registry.on("GET", "/v2/_catalog", answer(200, {"repositories": ["a", "B c"]}))
    result = succeed("repository_info", registry.options)
    assert (result["repositories"], result["all_count"], result["malformed_count"]) == (["a"], 2, 1)


@pytest.mark.parametrize("status", [404, 405])
def test_a_registry_without_a_list_is_no_failure(registry: RegistryServer, status: int) -> None:
    registry.on("GET", "/v2/_catalog", answer(status))
    result = succeed("repository_info", registry.options)
    assert (result["supported"], result["repositories"], result["all_count"]) == (False, [], 0)


def test_a_list_that_fails(registry: RegistryServer) -> None:
    registry.on("GET", "/v2/_catalog", answer(500))
    failed = fail("repository_info", registry.options)
    assert registry.host in failed["msg"] and failed["error"]["status"] == 500
