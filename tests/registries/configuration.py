# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Write what a registry program and its token server read at start."""

from __future__ import annotations

import json
import secrets
import sys
from pathlib import Path
from typing import Any

import bcrypt

from binaries import Binary
from certificates import CertificateAuthority
from fault_control import FaultControl
from files import write_json, write_private
from specification import Specification

TOKEN_ISSUER = "registries-harness"
_HERE = Path(__file__).resolve().parent


class RegistryFiles:
    """The directory of one registry: its configuration, storage and logs."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.configuration = directory / "config.yml"
        self.storage = directory / "storage"
        self.access_log = directory / "access.log"
        self.log = directory / "registry.log"
        self.token_configuration = directory / "token-server.json"
        self.token_access_log = directory / "token-access.log"
        self.token_log = directory / "token-server.log"
        self.proxy_configuration = directory / "fault-proxy.json"
        self.proxy_access_log = directory / "proxy-access.log"
        self.proxy_log = directory / "fault-proxy.log"
        self.faults = directory / "faults.json"
        self.certificate = directory / "server.crt"
        self.key = directory / "server.key"
        self.client_certificate = directory / "client.crt"
        self.client_key = directory / "client.key"
        self.signing_certificate = directory / "token.crt"
        self.signing_key = directory / "token.key"
        self.htpasswd = directory / "htpasswd"
        self.acl = directory / "acl.yml"


def configure_registry(
    entry: dict[str, Any],
    specification: Specification,
    binary: Binary,
    files: RegistryFiles,
    authority: CertificateAuthority,
    ca_path: Path,
) -> list[str]:
    """Write the files and return the command line that serves ``entry``."""
    files.storage.mkdir(parents=True, exist_ok=True)
    if specification.tls:
        authority.issue("localhost", files.certificate, files.key)
    if binary.flavour == "olareg":
        return _olareg_command(entry, specification, binary, files)
    if specification.login == "token":
        authority.issue(TOKEN_ISSUER, files.signing_certificate, files.signing_key)
    port = int(_listening(entry).rpartition(":")[2])
    http: dict[str, Any] = {
        "addr": f"127.0.0.1:{port}",
        "secret": secrets.token_urlsafe(24),
        "relativeurls": specification.relative_urls,
        "draintimeout": "2s",
    }
    if specification.tls and specification.faults is None:
        http["tls"] = {"certificate": str(files.certificate), "key": str(files.key)}
    if specification.client_certificate:
        authority.issue("client", files.client_certificate, files.client_key, client=True)
        http["tls"]["clientcas"] = [str(ca_path)]
    configuration: dict[str, Any] = {
        "version": "0.1",
        "log": {"level": "info", "accesslog": {"disabled": False}},
        "storage": {
            "filesystem": {"rootdirectory": str(files.storage)},
            "delete": {"enabled": specification.delete},
            "cache": {"blobdescriptor": "inmemory"},
            "maintenance": {"uploadpurging": {"enabled": False}},
        },
        "http": http,
        "health": {"storagedriver": {"enabled": False}},
    }
    if specification.login == "htpasswd":
        write_private(files.htpasswd, _htpasswd(entry))
        configuration["auth"] = {"htpasswd": {"realm": "registries-harness", "path": str(files.htpasswd)}}
    elif specification.login == "token":
        configuration["auth"] = {
            "token": {
                "realm": entry["realm"],
                "service": entry["service"],
                "issuer": TOKEN_ISSUER,
                "rootcertbundle": str(ca_path),
            }
        }
    write_json(files.configuration, configuration)  # JSON is YAML
    return [binary.path, "serve", str(files.configuration)]


def configure_token_server(entry: dict[str, Any], specification: Specification, files: RegistryFiles) -> list[str]:
    configuration: dict[str, Any] = {
        "port": int(entry["realm"].rpartition(":")[2].partition("/")[0]),
        "service": entry["service"],
        "issuer": TOKEN_ISSUER,
        "token_seconds": specification.token_seconds,
        "signing_certificate": str(files.signing_certificate),
        "signing_key": str(files.signing_key),
        "accounts": {
            entry["username"]: {"role": "main", "password": entry["password"]},
            entry["pull_username"]: {"role": "pull", "password": entry["pull_password"]},
            **{name: {"role": "owner", "password": password} for name, password in entry["owners"].items()},
        },
        "identity_tokens": {entry["identity_token"]: entry["username"]},
        "post_only": specification.token_post_only,
    }
    if specification.tls:
        configuration.update(certificate=str(files.certificate), key=str(files.key))
    write_json(files.token_configuration, configuration)
    return [sys.executable, str(_HERE / "token_server.py"), str(files.token_configuration)]


def configure_proxy(entry: dict[str, Any], specification: Specification, files: RegistryFiles) -> list[str]:
    configuration: dict[str, Any] = {
        "port": int(entry["address"].rpartition(":")[2]),
        "upstream": entry["inner_address"],
        "control": str(files.faults),
    }
    if entry["flavour"] == "distribution":
        configuration["storage"] = str(files.storage)
    if specification.tls:
        configuration.update(certificate=str(files.certificate), key=str(files.key))
    write_json(files.proxy_configuration, configuration)
    FaultControl(files.faults).switch({"": specification.faults or ""})
    return [sys.executable, str(_HERE / "fault_proxy.py"), str(files.proxy_configuration)]


def _listening(entry: dict[str, Any]) -> str:
    """Where the registry itself listens: behind its proxy, if it has one."""
    return str(entry.get("inner_address") or entry["address"])


def marker(command: list[str], files: RegistryFiles) -> str:
    """The argument by which this process is known to be ours."""
    own = (
        str(files.configuration),
        str(files.token_configuration),
        str(files.proxy_configuration),
        str(files.storage),
    )
    return next(argument for argument in command if argument in own)


def _olareg_command(
    entry: dict[str, Any], specification: Specification, binary: Binary, files: RegistryFiles
) -> list[str]:
    port = _listening(entry).rpartition(":")[2]
    command = [binary.path, "serve", "--verbosity", "trace"]  # trace: it logs requests only there
    command += ["--addr", "127.0.0.1", "--port", port, "--dir", str(files.storage)]
    if specification.delete:
        command += ["--api-delete", "--api-blob-delete"]
    if specification.tls and specification.faults is None:
        command += ["--tls-cert", str(files.certificate), "--tls-key", str(files.key)]
    if specification.login != "none":
        write_private(files.acl, _olareg_acl(entry))
    if specification.login == "htpasswd":
        command += ["--auth-basic", str(files.acl)]
    elif specification.login == "token":
        external = f"{entry['scheme']}://{entry['address']}"
        command += ["--auth-token-opaque", str(files.acl), "--external-url", external]
    return command


def _accounts(entry: dict[str, Any]) -> list[tuple[str, str]]:
    pairs = ((entry["username"], entry["password"]), (entry["pull_username"], entry["pull_password"]))
    # The lowest cost: the registry hashes at every request, and the passwords are long and random.
    return [(user, bcrypt.hashpw(password.encode(), bcrypt.gensalt(4)).decode()) for user, password in pairs]


def _htpasswd(entry: dict[str, Any]) -> bytes:
    return "".join(f"{user}:{digest}\n" for user, digest in _accounts(entry)).encode()


def _olareg_acl(entry: dict[str, Any]) -> bytes:
    main, pull = entry["username"], entry["pull_username"]
    rules = {
        "users": {user: {"cred": digest} for user, digest in _accounts(entry)},
        "acls": [
            {"repo": "", "members": [main, pull], "access": ["read"]},
            {"repo": "*", "members": [main], "access": ["*"]},
            {"repo": "*", "members": [pull], "access": ["read"]},
            {"repo": "public/*", "anonymous": True, "access": ["read"]},
        ],
    }
    return json.dumps(rules, indent=2).encode() + b"\n"
