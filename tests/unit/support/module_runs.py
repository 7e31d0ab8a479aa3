# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs of whole modules in this process: from the options that Ansible hands over to the result that it reads."""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import pathlib
import typing as t
from unittest import mock

import pytest
from ansible.module_utils import _internal
from ansible.module_utils.common import warnings
from ansible.module_utils.testing import patch_module_args
from ansible_collections.imageops.registry.tests.unit.support.returned_keys import note

Plain = dict[str, t.Any]

PACKAGE = "ansible_collections.imageops.registry.plugins.modules"
NO_TRANSFER: Plain = dict.fromkeys(
    ("requests", "retries", "bytes_uploaded", "bytes_downloaded", "bytes_mounted", "bytes_skipped")
    + ("sessions_left_open",),
    0,
)
"""``transfer`` of a task that did nothing."""


def names_of_modules() -> list[str]:
    """Every module of the collection."""
    folder = pathlib.Path(__file__).parents[3] / "plugins" / "modules"
    return sorted(file.stem for file in folder.glob("*.py"))


def transfer(**counted: int) -> Plain:
    """The result ``transfer`` with these numbers, and nothing else."""
    assert set(counted) <= set(NO_TRANSFER)
    return {**NO_TRANSFER, **counted}


def run_module(name: str, options: Plain, *, check: bool = False, diff: bool = False) -> Plain:
    """Run the ``main`` of a module. Returns what it would print, ``failed`` in it where it failed.

    Raises what the module lets through: a traceback is a failure of the test.
    """
    result = printed_by(name, options, check=check, diff=diff)
    # What Ansible adds when it is asked to show the options.
    result.pop("invocation", None)
    return result


def printed_by(name: str, options: Plain, *, check: bool = False, diff: bool = False) -> Plain:
    """The same, with the options that Ansible shows when it is asked to."""
    module = importlib.import_module(f"{PACKAGE}.{name}")
    given = {**options, "_ansible_check_mode": check, "_ansible_diff": diff}
    printed = io.StringIO()
    with contextlib.ExitStack() as patched:
        # As in a process of its own: warnings are returned, and there are none yet.
        patched.enter_context(mock.patch.object(_internal, "is_controller", False))
        patched.enter_context(mock.patch.dict(warnings._global_warnings, clear=True))
        patched.enter_context(patch_module_args(given))
        patched.enter_context(contextlib.redirect_stdout(printed))
        with pytest.raises(SystemExit) as ended:
            module.main()
    result: Plain = json.loads(printed.getvalue())
    assert bool(ended.value.code) == result.get("failed", False)
    note(name, {key: value for key, value in result.items() if key != "invocation"}, module.RETURN)
    return result


def succeed(name: str, options: Plain, **how: bool) -> Plain:
    """The result of a run that must not fail."""
    result = run_module(name, options, **how)
    assert not result.get("failed"), result["msg"]
    return result


def fail(name: str, options: Plain, **how: bool) -> Plain:
    """The result of a run that must fail, with one sentence that needs no second line."""
    result = run_module(name, options, **how)
    assert result.get("failed"), result
    assert isinstance(result["msg"], str) and "\n" not in result["msg"]
    assert "Traceback" not in json.dumps(result)
    return result


class FourRuns(t.NamedTuple):
    """What one task returned: in check mode, for real, again, and again in check mode; all in diff mode."""

    foreseen: Plain
    done: Plain
    again: Plain
    foreseen_again: Plain


def four_runs(name: str, options: Plain, *, writes: t.Callable[[], t.Sequence[str]]) -> FourRuns:
    """Run a task that changes something four times.

    Checks what is true of every module: the first two are changed and show the same diff, the other two are unchanged
    and show none. ``writes`` gives the writing requests so far; only the second run makes any.
    """
    before = len(writes())
    foreseen = succeed(name, options, check=True, diff=True)
    assert len(writes()) == before, f"check mode wrote: {writes()[before:]}"
    done = succeed(name, options, diff=True)
    after = len(writes())
    again = succeed(name, options, diff=True)
    foreseen_again = succeed(name, options, check=True, diff=True)
    assert len(writes()) == after, f"an unchanged run wrote: {writes()[after:]}"
    runs = FourRuns(foreseen, done, again, foreseen_again)
    assert [run["changed"] for run in runs] == [True, True, False, False]
    assert foreseen["diff"] == done["diff"] != []
    assert again["diff"] == foreseen_again["diff"] == []
    return runs
