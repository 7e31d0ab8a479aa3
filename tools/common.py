# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the commands of the Makefile share. Standard library only, Python 3.9 or newer.

Everything that is made goes to `.build`: virtual environments, a home directory for the tools, logs, and a copy of
the collection at the path where ansible-test wants to find it.
"""

from __future__ import annotations

import fcntl
import functools
import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple


class Failed(Exception):
    """A sentence for the user; the command ends with it."""


def build_directory() -> Path:
    """`.build`, or the directory named by BUILD_DIR.

    ansible-test starts programs by a first line that neither takes blanks nor a long path: then everything goes
    through a short symbolic link.
    """
    path = Path(os.environ.get("BUILD_DIR") or ROOT / ".build").resolve()
    if len(str(path)) <= 60 and re.fullmatch(r"[\w./+-]+", str(path), re.ASCII):
        return path
    name = hashlib.sha256(os.fsencode(path)).hexdigest()[:8]
    link = Path(tempfile.gettempdir(), f"imageops-registry-{os.getuid()}-{name}")
    try:
        link.symlink_to(path, target_is_directory=True)
    except FileExistsError:
        pass
    if not link.is_symlink() or link.lstat().st_uid != os.getuid() or Path(os.readlink(link)) != path:
        raise SystemExit(f"{link} stands in the way; remove it, or set BUILD_DIR to a short path without blanks.")
    return link


ROOT = Path(__file__).resolve().parent.parent
BUILD = build_directory()
COLLECTIONS = BUILD / "collections"
COPY = COLLECTIONS / "ansible_collections" / "imageops" / "registry"
HOME = BUILD / "home"
LOGS = BUILD / "logs"


class Environment(NamedTuple):
    """A virtual environment: its name, its requirements (relative to the repository), and the Pythons it can take."""

    name: str
    requirements: str
    oldest: tuple[int, int]
    newest: tuple[int, int]
    prefer_oldest: bool = False


# The releases of ansible-core that are tested: the oldest supported one, and the newest for which there is a Python.
OLD_CORE = Environment("2.19", "tests/requirements/core-2.19.txt", (3, 11), (3, 13), prefer_oldest=True)
NEW_CORES = (
    Environment("2.22", "tests/requirements/core-2.22.txt", (3, 13), (3, 15)),
    Environment("2.21", "tests/requirements/core-2.21.txt", (3, 12), (3, 14)),
)
# What a managed host has: the oldest Python at hand that modules support, without ansible-core.
TARGET = Environment("target", "tests/requirements/target.txt", (3, 9), (3, 15), prefer_oldest=True)
LINT = Environment("lint", "tests/requirements/lint.txt", (3, 11), (3, 14))
REGISTRIES = Environment("registries", "tests/registries/requirements.txt", (3, 9), (3, 15))


def say(text: str) -> None:
    print(text, flush=True)


def shown(path: Path) -> str:
    """A path as a user looks for it: from the repository, unless BUILD_DIR says otherwise."""
    return str(path) if os.environ.get("BUILD_DIR") else f".build/{path.relative_to(BUILD)}"


# --- Pythons -------------------------------------------------------------------------------------------------------


@functools.cache
def pythons() -> dict[tuple[int, int], Path]:
    """The interpreters of this machine that truly answer (a pyenv shim may not), by version."""
    directories = [Path(entry) for entry in os.environ.get("PATH", "").split(os.pathsep) if entry]
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    directories += sorted(pyenv.glob("versions/3.*/bin"))
    found: dict[tuple[int, int], Path] = {}
    for minor in range(9, 16):
        for directory in directories:
            candidate = directory / f"python3.{minor}"
            if not os.access(candidate, os.X_OK):
                continue
            code = "import ensurepip, sys, venv; print(sys.version_info[:2] == (3, %d), sys.executable)" % minor
            answer = subprocess.run([str(candidate), "-c", code], capture_output=True, text=True, check=False)
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


def cores() -> list[Environment]:
    """The oldest and the newest tested ansible-core that this machine has a Python for."""
    newest = [core for core in NEW_CORES if python_for(core)][:1]
    chosen = ([OLD_CORE] if python_for(OLD_CORE) else []) + newest
    if not chosen:
        raise Failed("No Python 3.11 or newer with the venv module was found; install one (Debian: python3-venv).")
    return chosen


def bin_path(*first: Path) -> str:
    """PATH with the directories of the real interpreters in front, so that no shim answers in their place."""
    directories = [*first, *(path.parent for path in pythons().values())]
    return os.pathsep.join([*map(str, directories), os.environ.get("PATH", os.defpath)])


# --- running -------------------------------------------------------------------------------------------------------


def environment_for(venv: Path, **more: str) -> dict[str, str]:
    """The environment variables for a tool: its own home, the copy of the collection, and no colours."""
    env = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(("ANSIBLE_", "PYTEST_", "PYENV_VERSION")) and key not in {"PYTHONPATH", "MAKEFLAGS"}
    }
    env.update(
        HOME=str(HOME),
        PATH=bin_path(venv / "bin"),
        ANSIBLE_COLLECTIONS_PATH=str(COLLECTIONS),
        ANSIBLE_NOCOLOR="1",
        NO_COLOR="1",
        LC_ALL="C.UTF-8",
        PYTHONDONTWRITEBYTECODE="1",
    )
    env.update(more)
    return env


RUNNING: set[int] = set()


def stop(pid: int) -> None:
    """Stop a tool and what it has started."""
    try:
        os.killpg(pid, signal.SIGTERM)
        time.sleep(1)
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def run(command: Sequence[object], log: str, timeout: int = 900, **options: object) -> tuple[int, str]:
    """Run a tool without a terminal, its output into a log file. Returns its exit status and its output."""
    LOGS.mkdir(parents=True, exist_ok=True)
    path = LOGS / f"{log}.log"
    with path.open("wb") as stream:
        process = subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            **options,  # type: ignore[call-overload]
        )
        RUNNING.add(process.pid)
        try:
            status = process.wait(timeout)
        except subprocess.TimeoutExpired:
            stop(process.pid)
            process.wait()
            stream.write(f"\nStopped: it did not end within {timeout} seconds.\n".encode())
            status = 124
        finally:
            RUNNING.discard(process.pid)
    return status, path.read_text(encoding="utf-8", errors="replace")


def shorten(text: str, lines: int = 200) -> str:
    """The end of a long output; the whole is in the log."""
    every = text.rstrip().splitlines()
    return "\n".join(every[-lines:])


def stop_on_signal() -> None:
    """End as on an exception when somebody stops the command: what it has started is stopped as well."""

    def end(number: int, _frame: object) -> None:
        for pid in list(RUNNING):
            stop(pid)
        sys.exit(128 + number)

    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, end)


class lock:  # noqa: N801 - reads as a statement
    """One command at a time in one build directory."""

    def __enter__(self) -> None:
        BUILD.mkdir(parents=True, exist_ok=True)
        self._stream = (BUILD / "lock").open("w")
        try:
            fcntl.flock(self._stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"Waiting for another command that uses {shown(BUILD)} (or set BUILD_DIR to another directory) ...")
            fcntl.flock(self._stream, fcntl.LOCK_EX)

    def __exit__(self, *_exc: object) -> None:
        self._stream.close()


# --- making --------------------------------------------------------------------------------------------------------


def venv(environment: Environment) -> Path:
    """The virtual environment, built again when its requirements or its Python changed."""
    path = BUILD / "venv" / environment.name
    requirements = ROOT / environment.requirements
    python = python_for(environment)
    if python is None:
        raise Failed(
            "No Python %d.%d or newer with the venv module was found, which %s needs."
            % (*environment.oldest, environment.requirements)
        )
    wanted = hashlib.sha256(f"1 {python} {path}\n".encode() + requirements.read_bytes()).hexdigest()
    stamp = path / "stamp"
    if stamp.is_file() and stamp.read_text() == wanted:
        return path
    say(f"Installing {environment.requirements} (Python {version_of(python)}) ...")
    shutil.rmtree(path, ignore_errors=True)
    name = f"install-{environment.name}"
    for command in (
        [python, "-m", "venv", path],
        [path / "bin" / "python", "-m", "pip", "install", "--disable-pip-version-check", "-r", requirements],
    ):
        status, output = run(command, name)
        if status:
            raise Failed(f"{shorten(output)}\nInstalling {environment.requirements} failed.")
    patch_ansible_test(path)
    stamp.write_text(wanted)
    return path


def patch_ansible_test(venv: Path) -> None:
    """Two things that ansible-test has no option for."""
    for file, pattern, replacement in (
        # A pre-release takes this from a source archive that an offline machine cannot reach; its release serves too.
        ("_data/requirements/sanity.pylint.txt", r"(?m)^dill @ .*$", "dill==0.4.1"),
        # It hides deprecation warnings, and a target must fail for them.
        ("_internal/ansible_util.py", r"ANSIBLE_DEPRECATION_WARNINGS='false'", "ANSIBLE_DEPRECATION_WARNINGS='true'"),
    ):
        for path in venv.glob(f"lib/*/site-packages/ansible_test/{file}"):
            text, count = re.subn(pattern, replacement, path.read_text())
            if not count and "deprecation" in replacement.lower():
                raise Failed(f"{path} has changed: deprecations would no longer fail the tests.")
            path.write_text(text)


def system_packages(commands: dict[str, str]) -> None:
    """Make sure that programs are there: installed by root, named to everybody else."""
    missing = sorted({package for command, package in commands.items() if not shutil.which(command, path=bin_path())})
    if not missing:
        return
    install = "apt-get install -y --no-install-recommends " + " ".join(missing)
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise Failed("Programs are missing. Run this command first: sudo " + install)
    say("Installing the Debian packages " + " ".join(missing) + " ...")
    env = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
    run(["apt-get", "update", "-q"], "apt-update", env=env)
    status, output = run(install.split(), "apt-install", env=env)
    if status:
        raise Failed(f"{shorten(output)}\nThis command failed: {install}")


def sync() -> None:
    """Copy the collection (tracked files, and untracked ones that are not ignored) to COPY; remove what is gone."""
    system_packages({"git": "git"})
    listing = subprocess.run(
        ["git", "-c", "safe.directory=*", "-C", str(ROOT), "ls-files", "-z", "-co", "--exclude-standard"],
        capture_output=True,
        check=False,
    )
    if listing.returncode:
        raise Failed(listing.stderr.decode(errors="replace").strip() + "\nThe commands work in a git clone only.")
    wanted = {os.fsdecode(name) for name in listing.stdout.split(b"\0") if name}
    wanted = {name for name in wanted if (ROOT / name).is_file()}
    COPY.mkdir(parents=True, exist_ok=True)
    for directory, directories, files in os.walk(COPY):
        relative = Path(directory).relative_to(COPY)
        directories[:] = [name for name in directories if str(relative / name) not in {".git", "tests/output"}]
        for name in files:
            if str(relative / name) not in wanted:
                (COPY / relative / name).unlink()
        for name in list(directories):
            if (COPY / relative / name).is_symlink():
                (COPY / relative / name).unlink()
    for name in wanted:
        source, copy = ROOT / name, COPY / name
        before, after = source.stat(), (copy.stat() if copy.is_file() else None)
        same = after and (after.st_size, after.st_mtime_ns, after.st_mode) == (
            before.st_size,
            before.st_mtime_ns,
            before.st_mode,
        )
        if not same:
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, copy)
    for directory, _directories, _files in os.walk(COPY, topdown=False):
        if ".git" not in Path(directory).parts and not os.listdir(directory):
            os.rmdir(directory)
    if not (COPY / ".git").exists():
        subprocess.run(["git", "init", "-q", str(COPY)], check=True, stdin=subprocess.DEVNULL)


def prepare_home() -> None:
    """A home for the tools, so that the user's own is neither read nor written.

    ansible-test starts its virtual environments with a script that it downloads from a place of its own; a stand-in
    in its cache makes do with the pip that comes with Python. It also hides the variables that configure pip.
    """
    cache = HOME / ".ansible" / "test" / "cache"
    cache.mkdir(parents=True, exist_ok=True)
    for name in ("get_pip_24_2.py", "get_pip_25_2.py"):
        shutil.copy2(ROOT / "tools" / "get_pip.py", cache / name)
    settings = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=False
    ).stdout
    lines = ["[global]", "disable-pip-version-check = 1"]
    for line in settings.splitlines():
        match = re.fullmatch(r"(?:global|install|:env:)\.([a-z-]+)='(.*)'", line)
        if match and match.group(1) not in {"disable-pip-version-check", "config-file", "require-virtualenv"}:
            lines.append(f"{match.group(1)} = {match.group(2)}")
    config = HOME / ".config" / "pip" / "pip.conf"
    config.parent.mkdir(parents=True, exist_ok=True)
    config.touch(mode=0o600)
    config.write_text("\n".join(dict.fromkeys(lines)) + "\n")


# --- counting ------------------------------------------------------------------------------------------------------


class Count:
    """What passed and what failed, kept in a file for the command that adds them up."""

    def __init__(self, name: str) -> None:
        self.file = BUILD / "counts" / name
        self.passed = self.failed = 0
        self.file.parent.mkdir(parents=True, exist_ok=True)
        self.file.unlink(missing_ok=True)

    def add(self, passed: int, failed: int) -> None:
        self.passed += passed
        self.failed += failed

    def close(self) -> int:
        """Write the file; the exit status of the command. Nothing passed is a failure, too."""
        if not self.passed and not self.failed:
            self.failed = 1
        self.file.write_text(f"{self.passed} {self.failed}\n")
        return 1 if self.failed else 0
