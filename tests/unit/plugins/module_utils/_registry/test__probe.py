# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.imageops.registry.plugins.module_utils._model._errors import AuthenticationFailed
from ansible_collections.imageops.registry.plugins.module_utils._model._manifest import OCI_INDEX
from ansible_collections.imageops.registry.plugins.module_utils._registry._probe import (
    RepositoryProbe,
    probe_repository,
)
from ansible_collections.imageops.registry.plugins.module_utils._registry._registry import Registry
from ansible_collections.imageops.registry.tests.unit.support.documents import LOGIN, errors, index, transport
from ansible_collections.imageops.registry.tests.unit.support.scripted_server import ScriptedServer

ZEROS = "sha256:" + "0" * 64


@pytest.fixture
def registry(server: ScriptedServer) -> t.Iterator[Registry]:
    opened = Registry(transport(server.host, jobs=1), writing=False)
    yield opened
    opened.close()


@pytest.mark.parametrize(
    ("status", "media_type", "api"),
    [(200, OCI_INDEX, True), (404, "text/plain", False), (403, "text/plain", False), (507, "text/plain", False)],
)
def test_the_referrers_api_of_a_repository(
    server: ScriptedServer, registry: Registry, status: int, media_type: str, api: bool
) -> None:
    server.expect("GET", "/v2/a/b/tags/list", 200, {"name": "a/b", "tags": None})
    server.expect("GET", f"/v2/a/b/referrers/{ZEROS}", status, index(), {"Content-Type": media_type})
    assert probe_repository(registry, "a/b", anonymous=True) == RepositoryProbe("a/b", True, True, api)


@pytest.mark.parametrize(("status", "readable"), [(404, True), (403, False)])
def test_of_a_repository_that_isnt_there_or_closed_nothing_more_is_known(
    server: ScriptedServer, registry: Registry, status: int, readable: bool
) -> None:
    server.expect("GET", "/v2/a/b/tags/list", status, errors("NAME_UNKNOWN"))
    found = probe_repository(registry, "a/b", anonymous=False)
    assert found == RepositoryProbe("a/b", False, readable, None)


def test_a_closed_door_is_no_error_without_a_credential(server: ScriptedServer, registry: Registry) -> None:
    server.expect("GET", "/v2/a/b/tags/list", 401, headers={"WWW-Authenticate": 'Basic realm="x"'})
    assert not probe_repository(registry, "a/b", anonymous=True).readable


def test_a_refused_credential_is_an_error(server: ScriptedServer) -> None:
    server.expect("GET", "/v2/a/b/tags/list", 401, headers={"WWW-Authenticate": 'Basic realm="x"'}, times=2)
    server.expect("GET", "/v2/", 401)
    registry = Registry(transport(server.host, credential=LOGIN), writing=False)
    with pytest.raises(AuthenticationFailed):
        probe_repository(registry, "a/b", anonymous=False)
    registry.close()
