# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Where an option names a repository of one of the registries of a task, for messages."""

from __future__ import annotations

import typing as t

from .._model._reference import Place

Plain = dict[str, t.Any]


def own_place(params: Plain, option: str = "repository") -> Place:
    """Where an option names a repository of the registry that the task reads or changes."""
    return Place(option, params["registry"], "registry", "destination" if params.get("source") else "")


def source_place(params: Plain) -> Place:
    """Where ``source_repository`` names one of the other end, if there is one."""
    source = params.get("source")
    if not source:
        return Place("source_repository")
    return Place("source_repository", source["registry"], "source.registry", "source")
