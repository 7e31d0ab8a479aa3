# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A Pulp with the settings and keys of the guide to registries, and databases of its own. All is gone at the end.

The guide uses the PostgreSQL and the Redis of the machine, on which a test must not depend.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import requests
from runs import Failed, Plain
from services import PATIENCE, Commands, Service, await_answer, fresh_directory, page_commands, page_file, started

from processes import free_port

ACCOUNT, PASSWORD = "admin", "of Pulp, for a test"


def missing(programs: Path) -> str:
    """What has to be installed first, as a command; empty if all is there."""
    if not all((programs / "pulp" / "bin" / name).exists() for name in ("python", "pulpcore-api", "pulpcore-worker")):
        return "tests/registries/install-optional.sh pulp"
    if not _postgresql() or not shutil.which("redis-server"):
        return "apt-get install postgresql redis-server"
    return ""


@contextmanager
def running(programs: Path) -> Iterator[Service]:
    """Pulp, with the settings of the guide, on free ports."""
    with fresh_directory("pulp") as directory:
        ports = {24816: free_port(), 24817: free_port(), 6379: free_port()}
        changed = {f"localhost:{usual}": f"localhost:{ports[usual]}" for usual in (24816, 24817)}
        changed["REDIS_PORT = 6379"] = f"REDIS_PORT = {ports[6379]}"
        changed['"/var/run/postgresql"'] = repr(str(directory / "postgresql"))
        changed['"NAME": "pulp"'] = '"NAME": "pulp", "USER": "pulp"'
        (directory / "settings.py").write_text(page_file("settings.py", changed), encoding="utf-8")
        commands = Commands(directory, {"PULP_SETTINGS": str(directory / "settings.py")})
        for command in page_commands("openssl"):
            commands.run(command)
        for name in ("media", "tmp"):
            (directory / name).mkdir()
        manager = _program(programs, "pulpcore-manager")
        with _database(commands), started(commands, ["redis-server", "--port", str(ports[6379]), "--save", ""]):
            commands.run([*manager, "migrate", "--noinput"])
            commands.run([*manager, "reset-admin-password", "--password", PASSWORD])
            with _pulp(commands, programs, ports):
                yield Service(f"localhost:{ports[24817]}", ACCOUNT, PASSWORD)


def _program(programs: Path, name: str) -> list[str]:
    """A program of Pulp. Its first line names the Python of the place where it was installed, which may have moved."""
    return [str(programs / "pulp" / "bin" / part) for part in ("python", name)]


@contextmanager
def _pulp(commands: Commands, programs: Path, ports: dict[int, int]) -> Iterator[None]:
    """The three services of Pulp."""
    with (
        started(commands, [*_program(programs, "pulpcore-content"), "--bind", f"127.0.0.1:{ports[24816]}"]),
        started(commands, [*_program(programs, "pulpcore-worker")]),
        started(commands, [*_program(programs, "pulpcore-api"), "--bind", f"127.0.0.1:{ports[24817]}"]),
    ):
        await_answer(f"http://localhost:{ports[24817]}/v2/", 401)
        await_answer(f"http://localhost:{ports[24816]}/pulp/content/", 200)
        yield


@contextmanager
def _database(commands: Commands) -> Iterator[None]:
    """PostgreSQL, which doesn't run as root: then as the account of Debian's package."""
    account = "postgres" if os.geteuid() == 0 else None
    data = commands.directory / "postgresql"
    data.mkdir()
    if account:
        shutil.chown(data, account, account)
    initdb, postgres = (str(Path(_postgresql()) / name) for name in ("initdb", "postgres"))
    commands.run([initdb, "-D", str(data), "-U", "pulp", "-A", "trust", "-N"], account)
    with started(commands, [postgres, "-D", str(data), "-k", str(data), "-c", "listen_addresses="], account):
        commands.repeat([str(Path(_postgresql()) / "createdb"), "-h", str(data), "-U", "pulp", "pulp"], account)
        yield


def _postgresql() -> str:
    """The directory with the programs of PostgreSQL, empty if it isn't installed."""
    found: Sequence[Path] = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return str(found[-1].parent) if found else ""


def clean_up(service: Service) -> int:
    """Have Pulp remove at once what it calls orphans. Returns how much of its content that was."""
    base, login = f"http://{service.address}", (service.username, service.password)
    asked = requests.post(
        f"{base}/pulp/api/v3/orphans/cleanup/", json={"orphan_protection_time": 0}, auth=login, timeout=60
    )
    asked.raise_for_status()
    task: Plain = {"state": "waiting"}
    end = time.monotonic() + PATIENCE
    while task["state"] in ("waiting", "running") and time.monotonic() < end:
        time.sleep(0.2)
        task = requests.get(base + asked.json()["task"], auth=login, timeout=60).json()
    if task["state"] != "completed":
        raise Failed(f"Pulp: {task}")
    return int(sum(entry["total"] for entry in task["progress_reports"] if "Content" in entry["message"]))
