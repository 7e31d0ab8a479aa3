# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The registries: for every kind of access a source, a destination that is emptied, and one that is kept."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from access_log import read_requests
from catalogue import Item
from copies import Image
from fleet import start, stop
from measuring import Requests, RunError
from processes import end
from seeding import Pusher
from specification import Specification
from state import State

ACCESS = {
    "plain": "",
    "htpasswd": ",tls,login=htpasswd",
    "tokens": ",tls,login=token",
    "delay": ",faults=delay=25",
}
_LOGS = ("access_log", "token_access_log", "proxy_access_log")


class Site:
    """All registries with one kind of access."""

    def __init__(self, state: State, access: str) -> None:
        self.access = access
        self._state = state
        self._names = {role: f"{access}-{role}" for role in ("source", "emptied", "kept")}
        start(state, [self._specification(role) for role in self._names])
        # The place in which most tools look for credentials.
        self.docker_config = state.directory / "docker"
        self.docker_config.mkdir(exist_ok=True)
        link = self.docker_config / "config.json"
        if not link.is_symlink():
            link.symlink_to(self.auth_file)

    @property
    def ca_path(self) -> Path:
        return self._state.ca_path

    @property
    def auth_file(self) -> Path:
        return self._state.directory / "auth.json"

    @property
    def plain(self) -> bool:
        return "tls" not in ACCESS[self.access]

    def entry(self, role: str) -> dict[str, Any]:
        return self._state.registry(self._names[role])

    def address(self, role: str) -> str:
        return str(self.entry(role)["address"])

    def empty(self) -> None:
        """Replace the destination that is emptied by a new one under another address.

        Tools that remember where they have seen blobs must not find them there.
        """
        name = self._names["emptied"]
        with self._state.locked():
            value = self._state.load()
            entry = value["registries"].pop(name)
            parts = ("", "token_", "proxy_")
            end({entry[f"{part}pid"]: entry[f"{part}marker"] for part in parts if entry.get(f"{part}pid")})
            shutil.rmtree(self._state.directory / name)
            self._state.save(value)
        start(self._state, [self._specification("emptied")])

    def seed(self, role: str, items: Sequence[Item]) -> list[str]:
        """Push images; what is there stays as it is. Returns their digests."""
        with Pusher(self.entry(role), str(self.ca_path)) as pusher:
            return [str(pusher.push(item)["digest"]) for item in items]

    def forget_requests(self) -> None:
        for role in self._names:
            entry = self.entry(role)
            for log in _LOGS:
                if entry.get(log):
                    os.truncate(entry[log], 0)

    def requests(self, destination: str) -> Requests:
        """Those since they were forgotten."""
        found = Requests()
        looked: set[str] = set()
        written = {"digest": 0, "tag": 0}
        for role in ("source", destination):
            seen = read_requests(self._state, self._names[role])
            setattr(found, "source" if role == "source" else "destination", len(seen))
            for request in seen:
                path, reads = request["path"], request["method"] in ("GET", "HEAD")
                if "/referrers/" in path or "/manifests/sha256-" in path or (role == "source" and "/tags/list" in path):
                    found.artifacts += 1
                elif role == "source":
                    found.source_bytes += request["bytes"] if request["method"] == "GET" else 0
                elif reads and "/manifests/" in path and "/manifests/sha256:" not in path and request["status"] != 401:
                    found.safety += path in looked
                    looked.add(path)
                elif request["method"] == "PUT" and "/manifests/" in path and request["status"] == 201:
                    written["digest" if "/manifests/sha256:" in path else "tag"] += 1
            if "token_access_log" in self.entry(role):
                found.tokens += len(read_requests(self._state, self._names[role], source="token"))
        found.safety += min(written.values())
        return found

    def processor_seconds(self, destination: str) -> float:
        """What source and destination have taken of the processors since they were started."""
        pids = [self.entry(role)["pid"] for role in ("source", destination)]
        return sum(_processor_seconds(pid) for pid in pids)

    def check(self, destination: str, images: Sequence[Image]) -> None:
        """Look into the files of a destination whether its tags are where they must be. Raises :class:`RunError`."""
        repositories = Path(self.entry(destination)["storage"], "docker", "registry", "v2", "repositories")
        for image in images:
            tags = repositories / image.destination_repository / "_manifests" / "tags"
            link = tags / image.destination_tag / "current" / "link"
            found = link.read_text(encoding="ascii") if link.is_file() else "nothing"
            if found != image.digest:
                raise RunError(f"{image.destination_repository}:{image.destination_tag} is {found}, not {image.digest}")

    def _specification(self, role: str) -> Specification:
        return Specification.parse(self._names[role] + ACCESS[self.access])


def _processor_seconds(pid: int) -> float:
    """In user and in kernel mode; a process may have any name, in parentheses."""
    words = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


class Sites:
    """Those that the workloads need, started when one asks for them."""

    def __init__(self, directory: Path) -> None:
        self._state = State(directory)
        self._sites: dict[str, Site] = {}

    def __getitem__(self, access: str) -> Site:
        if access not in self._sites:
            self._sites[access] = Site(self._state, access)
        return self._sites[access]

    def stop(self) -> None:
        """End all registries, and remove what they hold."""
        if self._state.is_ours():
            stop(self._state)
        shutil.rmtree(self._state.directory, ignore_errors=True)
