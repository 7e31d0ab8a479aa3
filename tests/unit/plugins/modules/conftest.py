# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Registries for the tests of whole modules."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.imageops.registry.plugins.module_utils._blobs._deletion import Pauses
from ansible_collections.imageops.registry.tests.unit.support.registry_server import RegistryServer


@pytest.fixture
def start() -> t.Iterator[t.Callable[..., RegistryServer]]:
    """Start registries."""
    servers: list[RegistryServer] = []

    def start_one(**options: t.Any) -> RegistryServer:
        servers.append(RegistryServer(**options))
        return servers[-1]

    yield start_one
    for server in servers:
        server.close()


@pytest.fixture
def registry(start: t.Callable[..., RegistryServer]) -> RegistryServer:
    """The registry that the option ``registry`` names."""
    return start()


@pytest.fixture
def source(start: t.Callable[..., RegistryServer]) -> RegistryServer:
    """The registry that the option ``source`` names."""
    return start()


@pytest.fixture
def no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for what a registry does in the background."""
    monkeypatch.setattr(Pauses, "pause", lambda self, number: False)
