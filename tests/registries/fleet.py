# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Bring a set of registries up and down."""

from __future__ import annotations

import os
import secrets
import shutil
import time
from collections.abc import Sequence
from typing import Any

import requests

from binaries import find_binary
from certificates import CertificateAuthority
from configuration import RegistryFiles, configure_proxy, configure_registry, configure_token_server, marker
from errors import HarnessError
from processes import end, free_port, is_ours, spawn
from specification import DEFAULT_TOKEN_SECONDS, USER_AGENT, Specification
from state import State

_PATIENCE = 20.0  # seconds until a registry must answer
_OLAREG_SERVICE = "olareg registry"  # built in


class PortTakenError(Exception):
    """Someone else took the port between our choice and the registry's start."""


def start(state: State, specifications: Sequence[Specification]) -> str:
    """Start what does not run yet; returns a closing line. Without specifications: all that are known."""
    names = [specification.name for specification in specifications]
    if len(set(names)) != len(names):
        raise HarnessError("A registry name is given twice.")
    for specification in specifications:
        find_binary(specification.binary)  # fail before anything is written
    if not specifications and not state.exists():
        raise HarnessError("Name at least one registry to start.")
    state.create()
    with state.locked():
        value = state.load() if state.exists() else {"registries": {}}
        known = value["registries"]
        if not specifications:
            specifications = [Specification.from_json(entry["specification"]) for entry in known.values()]
        waiting, running = [], []
        for specification in specifications:
            entry = known.get(specification.name)
            if entry is None or not _complete(entry):
                waiting.append(specification)
            elif Specification.from_json(entry["specification"]) == specification:
                running.append(specification.name)
            else:
                raise HarnessError(f"Registry '{specification.name}' runs with other options; stop it first.")
        if waiting:
            _start_all(state, value, waiting)
        lines = []
        if waiting:
            lines.append("started " + ", ".join(_title(known[item.name]) for item in waiting))
        if running:
            lines.append("already running " + ", ".join(_title(known[name]) for name in running))
        return "; ".join(lines)


def stop(state: State, delete: bool = False) -> str:
    """End every process of the state; returns a closing line."""
    if not state.directory.exists():
        return "nothing to stop"
    if not state.is_ours():
        raise HarnessError(f"{state.directory} was not made by start.")
    with state.locked():
        value = state.load() if state.exists() else {"registries": {}}
        processes = [_processes(entry) for entry in value["registries"].values()]
        alive = [found for found in processes if any(is_ours(pid, own) for pid, own in found.items())]
        end({pid: own for found in processes for pid, own in found.items()})
        for entry in value["registries"].values():
            entry["pid"] = None
            for part in ("token_pid", "proxy_pid"):
                if part in entry:
                    entry[part] = None
        if state.exists():
            state.save(value)
    if delete:
        shutil.rmtree(state.directory)
    return f"stopped {len(alive)} of {len(processes)} registries" + (" and deleted their state" if delete else "")


def _start_all(state: State, value: dict[str, Any], specifications: Sequence[Specification]) -> None:
    authority = CertificateAuthority.open(state.ca_path, state.ca_key_path, "registries-harness throw-away CA")
    CertificateAuthority.open(state.other_ca_path, state.other_ca_key_path, "registries-harness other CA")
    value.update(
        ca_path=str(state.ca_path),
        other_ca_path=str(state.other_ca_path),
        auth_path=str(state.directory / "auth.json"),
        pull_auth_path=str(state.directory / "pull-auth.json"),
    )
    known = value["registries"]
    entries: dict[str, dict[str, Any]] = {}
    begun: dict[int, str] = {}
    try:
        for specification in specifications:
            before = known.get(specification.name, {})
            end(_processes(before))  # a half that still runs
            entries[specification.name] = _launch(state, specification, before, authority, begun)
        for specification in specifications:
            entries[specification.name] = _settle(state, specification, entries[specification.name], authority, begun)
        known.update(entries)
        state.save(value)
    except BaseException:
        end(begun)
        raise


def _settle(
    state: State,
    specification: Specification,
    entry: dict[str, Any],
    authority: CertificateAuthority,
    begun: dict[int, str],
) -> dict[str, Any]:
    """Wait for the registry; begin again on other ports where someone else took one of them in between."""
    for _attempt in range(3):
        try:
            _wait(state, entry)
            return entry
        except PortTakenError:
            end(_processes(entry))
            entry = _launch(
                state, specification, {**entry, "address": None, "inner_address": None, "realm": None}, authority, begun
            )
    raise HarnessError(f"Registry '{specification.name}' finds no free port.")


def _launch(
    state: State,
    specification: Specification,
    before: dict[str, Any],
    authority: CertificateAuthority,
    begun: dict[int, str],
) -> dict[str, Any]:
    binary = find_binary(specification.binary)
    if binary.flavour == "olareg":
        if specification.relative_urls:
            raise HarnessError("olareg has no relative-urls option.")
        if specification.client_certificate or specification.token_post_only:
            raise HarnessError("olareg has neither client-certificate nor token-post-only.")
        if specification.token_seconds != DEFAULT_TOKEN_SECONDS:
            raise HarnessError("olareg has no token-seconds option: its tokens last 300 s.")
    files = RegistryFiles(state.directory / specification.name)
    files.directory.mkdir(mode=0o700, exist_ok=True)
    scheme = "https" if specification.tls else "http"
    entry: dict[str, Any] = {
        "address": f"localhost:{_port(before.get('address'))}",
        "scheme": scheme,
        "tls": specification.tls,
        "login": specification.login,
        "username": None,
        "password": None,
        "pull_username": None,
        "pull_password": None,
        "access_log": str(files.access_log),
        "log": str(files.log),
        "storage": str(files.storage),
        "binary": binary.path,
        "flavour": binary.flavour,
        "delete": specification.delete,
        "specification": specification.to_json(),
    }
    if binary.flavour == "olareg":
        entry["access_log"] = entry["log"]
    if specification.faults is not None:
        entry["inner_address"] = f"localhost:{_port(before.get('inner_address'))}"
        entry["proxy_access_log"] = str(files.proxy_access_log)
        entry["proxy_log"] = str(files.proxy_log)
        entry["faults_path"] = str(files.faults)
    if specification.login != "none":
        same = before.get("login") not in (None, "none")  # a restart keeps what its users already hold
        entry["username"] = "main"
        entry["password"] = specification.password or (before["password"] if same else secrets.token_urlsafe(32))
        entry["pull_username"] = "puller"
        entry["pull_password"] = before["pull_password"] if same else secrets.token_urlsafe(32)
    if specification.client_certificate:
        entry["client_certificate"] = str(files.client_certificate)
        entry["client_key"] = str(files.client_key)
    separate_tokens = specification.login == "token" and binary.flavour != "olareg"
    if specification.login == "token":
        entry["service"] = f"registries-harness {specification.name}"
        entry["token_seconds"] = specification.token_seconds
        if separate_tokens:
            old_realm = (before.get("realm") or "").rpartition("/")[0]
            entry["realm"] = f"{scheme}://localhost:{_port(old_realm)}/token"
            entry["identity_token"] = before.get("identity_token") or secrets.token_urlsafe(32)
            entry["owners"] = before.get("owners") or {name: secrets.token_urlsafe(32) for name in ("left", "right")}
            entry["token_access_log"] = str(files.token_access_log)
            entry["token_log"] = str(files.token_log)
        else:
            entry["service"] = _OLAREG_SERVICE
            entry["realm"] = f"{scheme}://{entry['address']}/token"
    command = configure_registry(entry, specification, binary, files, authority, state.ca_path)
    environment = _environment()
    entry["marker"] = marker(command, files)
    entry["pid"] = spawn(command, files.access_log, files.log, environment)
    begun[entry["pid"]] = entry["marker"]
    if separate_tokens:
        command = configure_token_server(entry, specification, files)
        entry["token_marker"] = marker(command, files)
        entry["token_pid"] = spawn(command, files.token_access_log, files.token_log, environment)
        begun[entry["token_pid"]] = entry["token_marker"]
    if specification.faults is not None:
        command = configure_proxy(entry, specification, files)
        entry["proxy_marker"] = marker(command, files)
        entry["proxy_pid"] = spawn(command, files.proxy_access_log, files.proxy_log, environment)
        begun[entry["proxy_pid"]] = entry["proxy_marker"]
    return entry


def client_certificate(entry: dict[str, Any]) -> tuple[str, str] | None:
    """What a client must have to speak to the registry: the paths of a certificate and its key."""
    return (entry["client_certificate"], entry["client_key"]) if "client_certificate" in entry else None


def _port(before: str | None) -> int:
    """The port of last time where it is still free, so that addresses survive a restart."""
    port = (before or "").rpartition(":")[2]
    return free_port(int(port) if port.isdigit() else None)


def _environment() -> dict[str, str]:
    # distribution takes any REGISTRY_* variable as configuration, also skopeo's REGISTRY_AUTH_FILE.
    kept = {name: text for name, text in os.environ.items() if not name.startswith(("REGISTRY_", "OTEL_"))}
    return {**kept, "OTEL_TRACES_EXPORTER": "none"}


def _processes(entry: dict[str, Any]) -> dict[int, str]:
    pairs = ((entry.get(f"{part}pid"), entry.get(f"{part}marker")) for part in ("", "token_", "proxy_"))
    return {pid: own for pid, own in pairs if pid and own}


def _complete(entry: dict[str, Any]) -> bool:
    expected = 1 + ("token_marker" in entry) + ("proxy_marker" in entry)
    return sum(is_ours(pid, own) for pid, own in _processes(entry).items()) == expected


def _wait(state: State, entry: dict[str, Any]) -> None:
    """Until the registry, its token server and its proxy answer."""
    url = f"{entry['scheme']}://{entry['address']}/v2/"
    if "proxy_pid" in entry:
        _wait_for(state, f"http://{entry['inner_address']}/v2/", (200, 401), entry, "")
        _wait_for(state, url, (200, 401), entry, "proxy_")
    else:
        _wait_for(state, url, (200, 401), entry, "")
    if "token_pid" in entry:
        _wait_for(state, entry["realm"], (400, 405), entry, "token_")


def _wait_for(state: State, url: str, expected: tuple[int, ...], entry: dict[str, Any], part: str) -> None:
    nonce = secrets.token_hex(8)
    deadline = time.monotonic() + _PATIENCE
    with requests.Session() as session:
        session.trust_env = False
        session.verify = str(state.ca_path)
        session.cert = client_certificate(entry)
        session.headers["User-Agent"] = f"{USER_AGENT}/{nonce}"
        while True:
            alive = is_ours(entry[f"{part}pid"], entry[f"{part}marker"])
            problem = _probe(session, url, expected)
            if problem is None and _tail(entry[f"{part}access_log"]).find(nonce) >= 0:  # it is ours that answered
                return
            if not alive:
                log = _tail(entry[f"{part}log"]).strip()
                if "address already in use" in log.lower():
                    raise PortTakenError
                last = log.splitlines()[-1] if log else "it ended without a word."
                raise HarnessError(f"{url} did not start: {last}")
            if time.monotonic() > deadline:
                raise HarnessError(f"{url} did not answer within {_PATIENCE:.0f} s: {problem or 'another server did'}.")
            time.sleep(0.05)


def _probe(session: requests.Session, url: str, expected: tuple[int, ...]) -> str | None:
    try:
        status = session.get(url, timeout=5).status_code
    except requests.RequestException as error:
        return type(error).__name__
    return None if status in expected else f"HTTP {status}"


def _tail(path: str) -> str:
    with open(path, "rb") as stream:
        stream.seek(max(0, os.path.getsize(path) - 65536))
        return stream.read().decode("utf-8", "replace")


def _title(entry: dict[str, Any]) -> str:
    return f"{entry['specification']['name']} ({entry['scheme']}://{entry['address']})"
