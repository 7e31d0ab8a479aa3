# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.imageops.registry.tests.unit.support.hostile_server import PASSWORD, USER, answer
from ansible_collections.imageops.registry.tests.unit.support.module_runs import Plain, fail, succeed, transfer
from ansible_collections.imageops.registry.tests.unit.support.registry_server import RegistryServer


def test_a_registry_without_a_login(registry: RegistryServer) -> None:
    registry.on("GET", "/v2/", answer(200))
    result = succeed("registry_info", registry.options)
    assert result == {
        "is_registry": True,
        "needs_login": False,
        "logged_in": False,
        "credential_source": "",
        "schemes": [],
        "api_version": "registry/2.0",
        "transfer": transfer(requests=1),
    }
    assert succeed("registry_info", registry.options, check=True) == result


@pytest.mark.parametrize("login", ["basic", "bearer"])
def test_a_registry_with_a_login(start: t.Callable[..., RegistryServer], login: str) -> None:
    registry = start(login=login)
    result = succeed("registry_info", {**registry.options, "username": USER, "password": PASSWORD})
    assert (result["needs_login"], result["logged_in"], result["schemes"]) == (True, True, [login])
    # It was given by options.
    assert result["credential_source"] == ""


def test_a_registry_with_a_login_that_is_not_given(start: t.Callable[..., RegistryServer]) -> None:
    registry = start(login="basic")
    result = succeed("registry_info", {**registry.options, "repository": "a/b"})
    assert (result["is_registry"], result["needs_login"], result["logged_in"]) == (True, True, False)
    assert result["repository"]["readable"] is False


def repository(registry: RegistryServer, name: str) -> Plain:
    found: Plain = succeed("registry_info", {**registry.options, "repository": name})["repository"]
    return found


def test_a_repository(registry: RegistryServer) -> None:
    registry.add_image("a/b:1.0")
    assert repository(registry, "a/b") == {
        "repository": "a/b",
        "exists": True,
        "readable": True,
        "referrers_api": True,
    }
    absent = repository(registry, "none")
    assert (absent["exists"], absent["readable"]) == (False, True)


def test_a_host_that_is_no_registry(registry: RegistryServer) -> None:
    registry.on("GET", "/v2/", answer(404, b"<html>", Content_Type="text/html"))
    result = succeed("registry_info", {**registry.options, "repository": "a/b"})
    assert result["is_registry"] is False and "repository" not in result


def test_a_host_that_does_not_answer(registry: RegistryServer) -> None:
    registry.close()
    failed = fail("registry_info", registry.options)
    assert failed["msg"].startswith(f"Cannot check the API of {registry.host}: ")
    assert failed["error"]["operation"] == f"check the API of {registry.host}" and failed["repository_missing"] is False
