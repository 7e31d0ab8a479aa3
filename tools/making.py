# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Make what the commands need: virtual environments, programs, a home, and copies of the collection."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from common import BUILD, COPY, HOME, ROOT, Failed, say
from pythons import Environment, bin_path, python_for, version_of
from running import run, shorten, side_by_side

# What ansible-test pins in its own files and cannot be told otherwise.
ANSIBLE_TEST_PINS = "tests/requirements/ansible-test.txt"


def venvs(*environments: Environment) -> None:
    """Make several virtual environments, side by side."""
    side_by_side(venv, [(environment,) for environment in dict.fromkeys(environments)])


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
    recipe = f"2 {python} {path}\n".encode() + requirements.read_bytes() + (ROOT / ANSIBLE_TEST_PINS).read_bytes()
    wanted = hashlib.sha256(recipe).hexdigest()
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


def ansible_test_pins(package: str) -> Iterator[str]:
    """The versions of a package in the file of pins."""
    for line in (ROOT / ANSIBLE_TEST_PINS).read_text(encoding="utf-8").splitlines():
        if line.startswith(f"{package}=="):
            yield line.partition("==")[2]


def patch_ansible_test(venv: Path) -> None:
    """Two things that ansible-test has no option for."""
    (dill,) = ansible_test_pins("dill")
    for file, pattern, replacement in (
        # A pre-release takes this from a source archive that an offline machine cannot reach; its release serves too.
        ("_data/requirements/sanity.pylint.txt", r"(?m)^dill @ .*$", f"dill=={dill}"),
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


def collection_files() -> set[str]:
    """The files of the collection: those that git tracks, and others that it doesn't ignore.

    Where the repository is no clone, but was unpacked from an archive, git looks with an empty repository of ours.
    """
    system_packages({"git": "git"})
    git = ["git", "-c", "safe.directory=*", "-C", str(ROOT)]
    if not (ROOT / ".git").exists():
        empty = BUILD / "git"
        subprocess.run(["git", "init", "-q", "--bare", str(empty)], check=True, stdin=subprocess.DEVNULL)
        git += ["--git-dir", str(empty), "--work-tree", str(ROOT)]
    listing = subprocess.run([*git, "ls-files", "-z", "-co", "--exclude-standard"], capture_output=True, check=False)
    if listing.returncode:
        raise Failed(f"git does not list the files of {ROOT}: {listing.stderr.decode(errors='replace').strip()}")
    names = {os.fsdecode(name) for name in listing.stdout.split(b"\0") if name}
    return {name for name in names if (ROOT / name).is_file() and BUILD not in (ROOT / name).parents}


def sync(destination: Path = COPY) -> None:
    """Copy the files of the collection; remove what is gone."""
    wanted = collection_files()
    destination.mkdir(parents=True, exist_ok=True)
    for directory, directories, files in os.walk(destination):
        relative = Path(directory).relative_to(destination)
        directories[:] = [name for name in directories if str(relative / name) not in {".git", "tests/output"}]
        for name in files:
            if str(relative / name) not in wanted:
                (destination / relative / name).unlink()
        for name in list(directories):
            if (destination / relative / name).is_symlink():
                (destination / relative / name).unlink()
    for name in wanted:
        source, copy = ROOT / name, destination / name
        before, after = source.stat(), (copy.stat() if copy.is_file() else None)
        same = after and (after.st_size, after.st_mtime_ns, after.st_mode) == (
            before.st_size,
            before.st_mtime_ns,
            before.st_mode,
        )
        if not same:
            if copy.is_dir():
                shutil.rmtree(copy)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, copy)
    for directory, _directories, _files in os.walk(destination, topdown=False):
        if ".git" not in Path(directory).parts and not os.listdir(directory):
            os.rmdir(directory)
    if not (destination / ".git").exists():
        subprocess.run(["git", "init", "-q", str(destination)], check=True, stdin=subprocess.DEVNULL)


def prepare_home(home: Path = HOME) -> None:
    """A home for the tools, so that the user's own is neither read nor written.

    ansible-test starts its virtual environments with a script that it downloads from a place of its own; a stand-in
    in its cache makes do with the pip that comes with Python. It also hides the variables that configure pip.
    """
    cache = home / ".ansible" / "test" / "cache"
    cache.mkdir(parents=True, exist_ok=True)
    for version in ansible_test_pins("pip"):
        shutil.copy2(ROOT / "tools" / "get_pip.py", cache / f"get_pip_{version.replace('.', '_')}.py")
    settings = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=False
    ).stdout
    lines = ["[global]", "disable-pip-version-check = 1"]
    for line in settings.splitlines():
        match = re.fullmatch(r"(?:global|install|:env:)\.([a-z-]+)='(.*)'", line)
        if match and match.group(1) not in {"disable-pip-version-check", "config-file", "require-virtualenv"}:
            lines.append(f"{match.group(1)} = {match.group(2)}")
    config = home / ".config" / "pip" / "pip.conf"
    config.parent.mkdir(parents=True, exist_ok=True)
    config.touch(mode=0o600)
    config.write_text("\n".join(dict.fromkeys(lines)) + "\n")
