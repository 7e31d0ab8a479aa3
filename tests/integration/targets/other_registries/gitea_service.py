# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A Gitea with the configuration of the guide to registries. All of it is gone at the end."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import requests
from services import Commands, Service, await_answer, fresh_directory, page_file, started

from processes import free_port

ACCOUNT, PASSWORD = "ci", "of-Gitea-for-a-test-1"


def missing(programs: Path) -> str:
    """What has to be installed first, as a command; empty if all is there."""
    there = os.access(programs / "gitea", os.X_OK) and (programs / "gitea-files").is_dir()
    return "" if there else "tests/registries/install-optional.sh gitea"


@contextmanager
def running(programs: Path) -> Iterator[Service]:
    """Gitea, with the configuration of the guide, on a free port."""
    with fresh_directory("gitea") as directory:
        port = free_port()
        # What install-optional.sh builds lacks the files of releases, and a test may run as root.
        changed = {"[server]": f"[server]\nSTATIC_ROOT_PATH = {programs / 'gitea-files'}", "3000": str(port)}
        text = page_file("app.ini", changed)
        (directory / "app.ini").write_text(f"I_AM_BEING_UNSAFE_RUNNING_AS_ROOT = true\n{text}", encoding="utf-8")
        commands = Commands(directory, {"GITEA_WORK_DIR": str(directory)})
        gitea = [str(programs / "gitea"), "--config", str(directory / "app.ini")]
        commands.run([*gitea, "migrate"])
        account = ["--username", ACCOUNT, "--password", PASSWORD, "--email", "ci@example.com"]
        commands.run([*gitea, "admin", "user", "create", *account, "--must-change-password=false"])
        with started(commands, [*gitea, "web"]):
            await_answer(f"http://localhost:{port}/v2/", 401)
            yield Service(f"localhost:{port}", ACCOUNT, PASSWORD)


def token(service: Service) -> str:
    """A new personal access token that may write packages, and nothing else."""
    answer = requests.post(
        f"http://{service.address}/api/v1/users/{service.username}/tokens",
        json={"name": "promotions", "scopes": ["write:package"]},
        auth=(service.username, service.password),
        timeout=60,
    )
    answer.raise_for_status()
    return str(answer.json()["sha1"])
