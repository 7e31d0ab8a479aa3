# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This plugin util is PRIVATE to the collection. It can have breaking changes at any time.

"""What tasks need of the collection, imported where Ansible itself runs: once, not in the worker process of each task.

Action plugins are loaded in Ansible's main process, before it forks the worker processes that run tasks.
"""

from __future__ import annotations

import contextlib
import importlib
import types
import typing as t
import warnings

from ansible.plugins.loader import filter_loader

from ._bytecode import keeping_bytecode

_PLUGINS = __name__.rpartition(".plugin_utils.")[0]
_MODULES = f"{_PLUGINS}.modules"
_REQUIRED = ("requests",)
_imported: dict[str, types.ModuleType] = {}
_problems: dict[str, str] = {}


def import_module(name: str) -> None:
    """Import a module and what it needs. An import that fails is kept, and told by :func:`problem`."""
    try:
        # Libraries warn of each other while they are imported, and set filters: neither concerns Ansible's process.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for library in _REQUIRED:
                importlib.import_module(library)
            with keeping_bytecode(_MODULES, f"{_PLUGINS}.module_utils"):
                _imported[name] = importlib.import_module(f"{_MODULES}.{name}")
    except Exception as error:
        # Of what fails in there, nothing is our own: a library may be damaged in any way.
        _problems[name] = f"{type(error).__name__}: {error}"


def load_filters(*names: str) -> None:
    """Load filters that tasks of a role use. What can't be loaded, the task that uses it tells.

    With its first filter a process loads all those of ansible-core, which start a program to look for a library.
    """
    with contextlib.suppress(Exception), keeping_bytecode(_PLUGINS):
        for name in names:
            filter_loader.get(name)


def problem(name: str) -> str:
    """Why a module couldn't be imported; empty where it was."""
    return _problems.get(name, "")


def module(name: str) -> t.Any:
    """The module of that name, which was imported."""
    return _imported[name]
