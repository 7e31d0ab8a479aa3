# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Registries for the tests of whole modules."""

from __future__ import annotations

import ast
import pathlib
import typing as t

import pytest
from ansible_collections.imageops.registry.plugins.module_utils._blobs._deletion import Pauses
from ansible_collections.imageops.registry.tests.unit.support.registry_server import RegistryServer

_HERE = pathlib.Path(__file__).parent
_LAST = "test_every_documented_key_is_returned_by_some_test"


def _all_tests() -> set[tuple[str, str]]:
    """Every test of modules, by file and name."""
    found = set()
    for path in _HERE.glob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                found.add((path.name, node.name))
    return found


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What is asked about all tests of modules comes last; where only some of them run, there is nothing to ask."""
    ours = [item for item in items if item.path.parent == _HERE]
    names = {(item.path.name, getattr(item, "originalname", "")) for item in ours}
    last = [item for item in ours if getattr(item, "originalname", "") == _LAST]
    items[:] = [item for item in items if item not in last]
    if names >= _all_tests():
        items += last
    elif last:
        config.hook.pytest_deselected(items=last)


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
