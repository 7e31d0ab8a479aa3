# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The Pythons of this machine, and which of them the environments take."""

from __future__ import annotations

import functools
import glob
import os
import subprocess
from pathlib import Path
from typing import NamedTuple

from common import Failed


class Environment(NamedTuple):
    """A virtual environment: its name, its requirements (relative to the repository), and the Pythons it can take."""

    name: str
    requirements: str
    oldest: tuple[int, int]
    newest: tuple[int, int]
    prefer_oldest: bool = False


# The supported releases of ansible-core. Two of them are tested here: the oldest, and the newest for which there is a
# Python. The workflows test all of them, each on all of its Pythons, and what will be the next one.
OLD_CORE = Environment("2.19", "tests/requirements/core-2.19.txt", (3, 11), (3, 13), prefer_oldest=True)
NEW_CORES = (
    Environment("2.22", "tests/requirements/core-2.22.txt", (3, 13), (3, 15)),
    Environment("2.21", "tests/requirements/core-2.21.txt", (3, 12), (3, 14)),
    Environment("2.20", "tests/requirements/core-2.20.txt", (3, 12), (3, 14)),
)
DEVEL = Environment("devel", "tests/requirements/core-devel.txt", (3, 13), (3, 15))
# What a managed host has: the oldest Python at hand that modules support, without ansible-core.
TARGET = Environment("target", "tests/requirements/target.txt", (3, 9), (3, 15), prefer_oldest=True)
LINT = Environment("lint", "tests/requirements/lint.txt", (3, 11), (3, 14))
IMPORTER = Environment("importer", "tests/requirements/importer.txt", (3, 12), (3, 14))
REGISTRIES = Environment("registries", "tests/registries/requirements.txt", (3, 9), (3, 15))
TESTED = (TARGET, OLD_CORE, *reversed(NEW_CORES), DEVEL)

CHOICE = "TEST_ON"
"""The variable that names what to test on in place of the usual: RELEASE, or RELEASE/PYTHON."""

# Prints whether the interpreter is what its name says and has what an environment needs, and its path; for one in a
# virtual environment, which may go away, that of its base.
_QUESTION = """
import ensurepip, os, sys, venv
base = os.path.join(sys.base_prefix, "bin", "python%d.%d" % sys.version_info[:2])
print(sys.version_info[:2] == (3, {minor}), base if os.access(base, os.X_OK) else sys.executable)
"""


@functools.cache
def pythons() -> dict[tuple[int, int], Path]:
    """The interpreters of this machine that truly answer (a pyenv shim may not), by version."""
    directories = [Path(entry) for entry in os.environ.get("PATH", "").split(os.pathsep) if entry]
    pyenv = os.environ.get("PYENV_ROOT") or os.path.expanduser("~/.pyenv")
    # Not Path.glob: a directory that we may not read has no Pythons for us.
    directories += map(Path, sorted(glob.glob(f"{glob.escape(pyenv)}/versions/3.*/bin")))
    # Those of an active virtual environment last: what is installed must not change with it.
    directories.sort(key=lambda directory: os.path.exists(directory.parent / "pyvenv.cfg"))
    found: dict[tuple[int, int], Path] = {}
    for minor in range(9, 16):
        for directory in directories:
            candidate = directory / f"python3.{minor}"
            if not os.access(candidate, os.X_OK):
                continue
            question = [str(candidate), "-c", _QUESTION.format(minor=minor)]
            try:
                answer = subprocess.run(question, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
            except OSError:  # named like a Python, but no program
                continue
            good, _space, path = answer.stdout.strip().partition(" ")
            if good == "True":
                found[3, minor] = Path(path)
                break
    return found


def python_for(environment: Environment) -> Path | None:
    """The interpreter that an environment is built with."""
    fit = sorted(version for version in pythons() if environment.oldest <= version <= environment.newest)
    if not fit:
        return None
    return pythons()[fit[0] if environment.prefer_oldest else fit[-1]]


def version_of(python: Path) -> str:
    return next("%d.%d" % version for version, path in pythons().items() if path == python)


def matrix() -> list[str]:
    """Every supported release with each of its Pythons, as the variable TEST_ON names them."""
    return [f"{one.name}/3.{minor}" for one in TESTED for minor in range(one.oldest[1], one.newest[1] + 1)]


def chosen() -> Environment | None:
    """The environment that TEST_ON names; None where it isn't set."""
    choice = os.environ.get(CHOICE)
    if not choice:
        return None
    name, _slash, python = choice.partition("/")
    found = {one.name: one for one in TESTED}.get(name)
    if found is None or (python and choice not in matrix()):
        raise Failed(f"{CHOICE}={choice} names none of these: {' '.join(matrix())} (the Python may be left out).")
    if not python:
        return found
    version = (3, int(python.partition(".")[2]))
    return found._replace(oldest=version, newest=version)


def cores() -> list[Environment]:
    """The oldest and the newest tested ansible-core that this machine has a Python for, or the one of TEST_ON."""
    only = chosen()
    if only:
        if only.name == TARGET.name:
            raise Failed(f"This needs ansible-core, and {CHOICE}={os.environ[CHOICE]} names none.")
        return [only]
    newest = [core for core in NEW_CORES if python_for(core)][:1]
    found = ([OLD_CORE] if python_for(OLD_CORE) else []) + newest
    if not found:
        raise Failed("No Python 3.11 or newer with the venv module was found; install one (Debian: python3-venv).")
    return found


def bin_path(*first: Path) -> str:
    """PATH with the directories of the real interpreters in front, so that no shim answers in their place."""
    directories = [*first, *(path.parent for path in pythons().values())]
    return os.pathsep.join([*map(str, directories), os.environ.get("PATH", os.defpath)])
