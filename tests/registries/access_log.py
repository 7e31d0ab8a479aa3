# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which requests a registry saw, from its access log.

For pytest: ``mark_logs(state)`` before, ``read_requests(state, name, since=mark)`` after.
"""

from __future__ import annotations

import base64
import json
import os
import re
import time
from typing import Any
from urllib.parse import urlsplit

from errors import HarnessError
from specification import USER_AGENT
from state import State

_COMBINED = re.compile(
    r'\S+ \S+ \S+ \[[^\]]*\] "(?P<method>\S+) (?P<target>.*?) HTTP/[0-9.]+" (?P<status>\d{3}) (?P<bytes>\d+|-)'
    r'(?: "(?P<referrer>(?:[^"\\]|\\.)*)" "(?P<agent>(?:[^"\\]|\\.)*)")?\s*'
)
_OLAREG = re.compile(r'.* msg=ServeHTTP .*?method=(?P<method>\S+) url="?(?P<target>[^" ]+)"? status=(?P<status>\d+) .*')
_OLAREG_AGENT = re.compile(r"req-headers=.*?User-Agent:\[(?P<agent>[^\]]*)\].*? resp-headers=")
_OLAREG_LENGTH = re.compile(r"resp-headers=.*?Content-Length:\[(\d+)\]")


def mark_logs(state: State) -> str:
    """The present end of every log, as one word."""
    sizes = {path: _size(path) for entry in state.load()["registries"].values() for path in _logs(entry)}
    return base64.urlsafe_b64encode(json.dumps(sizes, sort_keys=True).encode()).decode()


def read_requests(
    state: State, name: str, since: str | None = None, source: str = "registry", own: bool = False
) -> list[dict[str, Any]]:
    """The requests to one registry, or to its ``token`` server or fault ``proxy``, in the order they ended.

    What a proxy logs has one key more, ``faults``: the names of those that did something.
    """
    entry = state.registry(name)
    path = entry.get("access_log" if source == "registry" else f"{source}_access_log")
    if path is None:
        raise HarnessError(f"Registry '{name}' has no {source} server with a log of its own.")
    _settle(path)
    try:
        with open(path, "rb") as stream:
            stream.seek(_offset(since, path))
            lines = stream.read().decode("utf-8", "replace").splitlines()
    except FileNotFoundError:
        return []
    parse = _PARSERS.get(source, _parse_olareg if entry["flavour"] == "olareg" else _parse_combined)
    found = [request for request in map(parse, lines) if request is not None]
    return [request for request in found if own or not request["user_agent"].startswith(USER_AGENT)]


def _parse_combined(line: str) -> dict[str, Any] | None:
    match = _COMBINED.fullmatch(line)
    if match is None:
        return None
    agent = re.sub(r"\\(.)", r"\1", match["agent"] or "")
    return _request(match, agent, int(match["bytes"]) if match["bytes"].isdigit() else 0)


def _parse_proxy(line: str) -> dict[str, Any] | None:
    request, match = _parse_combined(line), _COMBINED.fullmatch(line)
    if request is not None and match is not None:
        request["faults"] = [name for name in (match["referrer"] or "").split("+") if name]
    return request


def _parse_olareg(line: str) -> dict[str, Any] | None:
    match = _OLAREG.fullmatch(line)
    if match is None:
        return None
    agent, length = _OLAREG_AGENT.search(line), _OLAREG_LENGTH.search(line)
    return _request(match, agent["agent"] if agent else "", int(length[1]) if length else 0)


_PARSERS = {"token": _parse_combined, "proxy": _parse_proxy}


def _request(match: re.Match[str], agent: str, size: int) -> dict[str, Any]:
    target = urlsplit(match["target"])
    return {
        "method": match["method"],
        "path": target.path,
        "query": target.query,
        "status": int(match["status"]),
        "user_agent": agent,
        "bytes": size,
    }


def _logs(entry: dict[str, Any]) -> list[str]:
    return [entry[key] for key in ("access_log", "token_access_log", "proxy_access_log") if entry.get(key)]


def _size(path: str) -> int:
    _settle(path)
    try:
        return os.path.getsize(path)
    except FileNotFoundError:
        return 0


def _settle(path: str) -> None:
    """A registry writes the line after it has answered: wait until the file stands still."""
    before, deadline = -1, time.monotonic() + 2
    while time.monotonic() < deadline:
        now = os.path.getsize(path) if os.path.exists(path) else 0
        if now == before:
            return
        before = now
        time.sleep(0.05)


def _offset(since: str | None, path: str) -> int:
    if since is None:
        return 0
    try:
        return int(json.loads(base64.urlsafe_b64decode(since.encode())).get(path, 0))
    except (ValueError, AttributeError, TypeError) as error:
        raise HarnessError("The mark is not one that `mark` printed.") from error
