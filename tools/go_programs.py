# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where Go is, and a linter that is built with it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import common
import running
from common import Failed, say

HOME = "/usr/local/go/bin"
"""Where Go's own installation puts its program, in case PATH doesn't say so."""
ACTIONLINT = "github.com/rhysd/actionlint/cmd/actionlint@v1.7.12"


def path() -> str:
    """PATH with the place of Go's own installation."""
    return f"{os.environ.get('PATH', os.defpath)}:{HOME}"


def actionlint() -> Path | None:
    """The program actionlint, built within a minute; None where that can't be done.

    With ``REQUIRE_OPTIONAL`` in the environment, that is a failure.
    """
    directory = common.BUILD / "go" / ACTIONLINT.rpartition("@")[2]
    program = directory / "actionlint"
    if os.access(program, os.X_OK):
        return program
    go = shutil.which("go", path=path())
    if go:
        say("Building actionlint with Go ...")
        env = {**os.environ, "PATH": path(), "GOBIN": str(directory)}
        status, output = running.run([go, "install", ACTIONLINT], "install-actionlint", timeout=600, env=env)
        if not status:
            return program
        reason = f"{running.shorten(output)}\nactionlint was not built, which checks .github/workflows."
    else:
        reason = "Go is missing, with which actionlint is built, which checks .github/workflows."
    if os.environ.get("REQUIRE_OPTIONAL"):
        raise Failed(f"{reason} REQUIRE_OPTIONAL is set, so it cannot be left out.")
    say(f"{reason} It is left out.")
    return None
