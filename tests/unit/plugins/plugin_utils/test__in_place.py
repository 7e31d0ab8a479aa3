# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import types
import typing as t

import pytest
from ansible_collections.imageops.registry.plugins.plugin_utils._child import NoChild, Outcome
from ansible_collections.imageops.registry.plugins.plugin_utils._in_place import InPlace


@pytest.mark.parametrize(
    "status, how",
    [
        (-9, "SIGKILL before it had a result, perhaps because the machine ran out of memory."),
        (-11, "SIGSEGV before it had a result."),
        (-63, "signal 63 before it had a result."),
    ],
)
def test_a_child_that_was_killed_is_a_failure_in_one_sentence(status: int, how: str) -> None:
    run = InPlace.__new__(InPlace)
    run._task = types.SimpleNamespace(action="imageops.registry.blob")
    run._outcome = lambda: Outcome(status, b'{"half', b"noise")  # type: ignore[method-assign]  # of this one only
    answer: dict[str, t.Any] = run._low_level_execute_command("")
    result = json.loads(answer["stdout"])
    assert result == {"failed": True, "msg": f"The module imageops.registry.blob was killed by {how}"}
    assert answer["stderr"] == ""


@pytest.mark.parametrize(
    ("ends", "why"),
    [
        (Outcome(255, b"", b""), "the kernel does not end a process with its parent"),
        (NoChild("Cannot allocate memory"), "no process can be forked (Cannot allocate memory)"),
    ],
)
def test_a_child_that_can_not_be_started_is_a_failure_in_one_sentence(ends: Outcome | NoChild, why: str) -> None:
    def outcome() -> Outcome:
        if isinstance(ends, NoChild):
            raise ends
        return ends

    run = InPlace.__new__(InPlace)
    run._task = types.SimpleNamespace(action="imageops.registry.blob")
    run._outcome = outcome  # type: ignore[method-assign]  # of this one only
    answer: dict[str, t.Any] = run._low_level_execute_command("")
    assert (answer["rc"], answer["stderr"]) == (255, "")
    said = f"The module imageops.registry.blob could not be started in place: {why}."
    assert json.loads(answer["stdout"]) == {
        "failed": True,
        "msg": f"{said} With imageops_registry_in_place: false, modules run as payloads.",
    }
