# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Find the program that serves a registry, and tell which family of programs it is."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from errors import HarnessError

OPTIONAL = ("distribution3", "olareg")


@dataclass(frozen=True)
class Binary:
    path: str
    flavour: str  # "distribution" or "olareg": they are configured in different ways


def optional_directory() -> Path:
    """Where install-optional.sh puts its programs."""
    chosen = os.environ.get("REGISTRIES_OPTIONAL")
    if chosen:
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "imageops-registries"


def find_binary(asked: str | None) -> Binary:
    if asked in OPTIONAL:
        found = shutil.which(asked, path=str(optional_directory()))
        if not found:
            raise HarnessError(f"binary={asked} is not installed; run tests/registries/install-optional.sh first.")
    elif asked or os.environ.get("REGISTRY_BINARY"):
        wanted = asked or os.environ["REGISTRY_BINARY"]
        found = shutil.which(wanted)
        if not found:
            raise HarnessError(f"The registry program '{wanted}' is missing or not executable.")
    else:
        found = shutil.which("docker-registry") or shutil.which("registry")
        if not found:
            raise HarnessError("No registry program was found; install one with: apt-get install docker-registry")
    path = os.path.abspath(found)
    return Binary(path, "olareg" if os.path.basename(path).startswith("olareg") else "distribution")
