# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Programs of others that serve a registry, started for a test and ended with it."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import requests
from runs import COLLECTION, Failed, Plain

sys.path.append(str(COLLECTION / "tools"))

import guide_pages

PATIENCE = 90.0
"""Seconds until a service must answer."""


class Service(NamedTuple):
    """A registry without TLS, and the account that may do everything there."""

    address: str
    username: str
    password: str

    @property
    def entry(self) -> Plain:
        """As the harness describes one."""
        login = {"login": "token", "username": self.username, "password": self.password}
        return {"address": self.address, "tls": False, "flavour": "other", **login}


class Commands(NamedTuple):
    """Where commands run, with what in their environment."""

    directory: Path
    more: Mapping[str, str] = {}

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "HOME": str(self.directory), **self.more}

    def run(self, command: Sequence[str], account: str | None = None) -> None:
        done = self._done(command, account)
        if done.returncode:
            raise Failed(f"{' '.join(command)}: {done.stdout}")

    def repeat(self, command: Sequence[str], account: str | None = None) -> None:
        """Run a command until it succeeds: what it needs is starting."""
        end = time.monotonic() + PATIENCE
        while (done := self._done(command, account)).returncode:
            if time.monotonic() > end:
                raise Failed(f"{' '.join(command)}: {done.stdout}")
            time.sleep(0.2)

    def _done(self, command: Sequence[str], account: str | None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            cwd=self.directory,
            env=self.environment,
            user=account,
        )


@contextmanager
def fresh_directory(name: str) -> Iterator[Path]:
    """A directory that other accounts can reach, too: a database that refuses to run as root is in it."""
    directory = Path(tempfile.mkdtemp(prefix=f"{name}-"))
    directory.chmod(0o711)
    try:
        yield directory
    finally:
        shutil.rmtree(directory)


@contextmanager
def started(commands: Commands, command: Sequence[str], account: str | None = None) -> Iterator[None]:
    """A program that runs until the end of the block. What it prints is shown if the block fails."""
    log = commands.directory / f"{'-'.join(Path(part).name for part in command[:2])}.log"
    with open(log, "w", encoding="utf-8") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=commands.directory,
            env=commands.environment,
            user=account,
        )
    try:
        yield
    except Failed as failure:
        raise Failed(f"{failure}\n{log.name}: {log.read_text(encoding='utf-8', errors='replace')[-2000:]}") from None
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def await_answer(url: str, status: int) -> None:
    """Wait until a URL is answered with this status."""
    end, met = time.monotonic() + PATIENCE, ""
    while met != str(status):
        if time.monotonic() > end:
            raise Failed(f"{url} does not answer with {status}: {met}")
        try:
            met = str(requests.get(url, timeout=5).status_code)
        except requests.RequestException as error:
            met = type(error).__name__
        time.sleep(0.2)


def page_file(name: str, changed: Mapping[str, str]) -> str:
    """A file that the guide to registries has its reader write, with these changes, each of which must apply."""
    text = guide_pages.files("registries")[name]
    for before, after in changed.items():
        if before not in text:
            raise Failed(f"The guide to registries has no {before} in {name}.")
        text = text.replace(before, after)
    return text


def page_commands(program: str) -> list[list[str]]:
    """The commands with this program that the guide to registries has its reader run."""
    found = re.findall(rf"^ *\$ ({program} .*)$", guide_pages.page("registries"), re.MULTILINE)
    if not found:
        raise Failed(f"The guide to registries runs no {program}.")
    return [shlex.split(command) for command in found]
