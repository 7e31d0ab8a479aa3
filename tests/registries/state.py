# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The state directory: ``registries.json``, the credential files and the lock."""

from __future__ import annotations

import base64
import contextlib
import fcntl
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from errors import HarnessError
from files import write_json


class State:
    """One directory that holds everything about one set of registries."""

    def __init__(self, directory: str | Path) -> None:
        self.directory = Path(os.path.abspath(directory))
        self.registries_path = self.directory / "registries.json"
        self._lock_path = self.directory / ".registries-lock"  # also says that the directory is ours
        self.ca_path = self.directory / "ca" / "ca.crt"  # a directory of its own serves `skopeo --cert-dir`
        self.ca_key_path = self.directory / "ca-key.pem"
        self.other_ca_path = self.directory / "other-ca" / "ca.crt"
        self.other_ca_key_path = self.directory / "other-ca-key.pem"

    def exists(self) -> bool:
        return self.registries_path.exists()

    def is_ours(self) -> bool:
        return self._lock_path.exists()

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """One start or stop at a time."""
        with open(self._lock_path, "w", encoding="ascii") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX)
            yield

    def create(self) -> None:
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            if not self.is_ours() and any(self.directory.iterdir()):
                raise HarnessError(f"{self.directory} holds other files; name a new directory.")
            self.directory.chmod(0o700)
            self._lock_path.touch()
            self.ca_path.parent.mkdir(exist_ok=True)
            self.other_ca_path.parent.mkdir(exist_ok=True)
        except OSError as error:
            raise HarnessError(f"The state directory {self.directory} cannot be used: {error.strerror}.") from error

    def load(self) -> dict[str, Any]:
        try:
            value: dict[str, Any] = json.loads(self.registries_path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise HarnessError(f"There are no registries in {self.directory}; run start first.") from None
        except (OSError, ValueError) as error:
            raise HarnessError(f"{self.registries_path} cannot be read: {error}.") from error
        return value

    def save(self, value: dict[str, Any]) -> None:
        write_json(self.registries_path, value)
        for name, account in (("auth.json", ""), ("pull-auth.json", "pull_")):
            auths = {
                entry["address"]: {"auth": _basic(entry[f"{account}username"], entry[f"{account}password"])}
                for entry in value["registries"].values()
                if entry["login"] != "none"
            }
            write_json(self.directory / name, {"auths": auths})

    def registry(self, name: str) -> dict[str, Any]:
        registries = self.load()["registries"]
        if name not in registries:
            raise HarnessError(f"There is no registry '{name}' here; there are: {', '.join(sorted(registries))}.")
        entry: dict[str, Any] = registries[name]
        return entry


def _basic(username: str, password: str) -> str:
    return base64.b64encode(f"{username}:{password}".encode()).decode()
