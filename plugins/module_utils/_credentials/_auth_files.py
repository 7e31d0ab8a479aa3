# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The files in which ``docker login`` and ``podman login`` keep credentials (Docker's ``config.json`` and
containers-auth.json(5)), and where they are looked for."""

from __future__ import annotations

import errno
import json
import os
import re
import sys
import typing as t

from .._model._base64 import decode_base64
from .._model._errors import CredentialError, LocalFileError
from .._model._reference import is_docker_hub
from .._model._shown import HIDDEN, is_content, quoted
from .._run._local_path import absolute, check_is_path, relative_hint
from ._credential import Credential

RUNTIME_DIRECTORY = "/run/containers"
"""Where Linux has podman's file of each user, if XDG_RUNTIME_DIR isn't set."""
_MAXIMUM_SIZE = 1024 * 1024
_TOKEN = re.compile(r"[\x21-\x7e]+", re.ASCII)
_DOCKER_HUB_SERVER = "https://index.docker.io/v1/"
_LOG_IN_AGAIN = "It may have expired: log in again with docker login or podman login, or give another credential"

AskHelper = t.Callable[[str], t.Optional[Credential]]
"""Asks the credential helper of that name for the credential of the registry in question."""


class AuthFile(t.NamedTuple):
    """What one file holds. ``name`` is what it is called in messages."""

    name: str
    entries: t.Mapping[str, t.Any]
    helpers: t.Mapping[str, str]
    """Names of credential helpers, by registry."""
    store: str
    """The name of the helper for all other registries; empty where the file holds their credentials itself."""

    def find(self, registry: str, repository: str, ask_helper: AskHelper) -> Credential | None:
        """The credential for a repository, or, where that is empty, for the registry; None where there is none.

        A helper for just this registry hides all entries, and an empty one there the helper for all registries. Then
        comes the entry that names the most of the repository, then the helper for all registries, and the entry of the
        registry last. Raises :class:`CredentialError` where what is found can't be used.
        """
        helper = next((name for key, name in self.helpers.items() if _is_registry(key, registry)), None)
        if helper:
            return ask_helper(helper)
        keys = self._keys(registry, repository)
        if self.store and helper is None and not (keys and _namespace_of(keys[0])):
            found = ask_helper(self.store)
            # The empty entry only notes that the helper has been given one.
            if found is not None or not keys or self.entries[keys[0]] == {}:
                return found
        return _checked_credential(self.entries[keys[0]], keys[0], self.name) if keys else None

    def _keys(self, registry: str, repository: str) -> list[str]:
        """The keys that match, the longest first; of those that name the registry, the one that is it to the letter."""
        found = []
        for key in self.entries:
            namespace = _namespace_of(key)
            if _names(key, registry) and (not namespace or f"{repository}/".startswith(f"{namespace}/")):
                found.append((-len(namespace), key != registry, key))
        return [key for _length, _other, key in sorted(found)]


class Place(t.NamedTuple):
    """Where a file may be, or the text of one."""

    path: str
    named_by: str = ""
    """The environment variable that names the file, for messages."""
    is_text: bool = False
    """Whether that variable holds the text itself."""
    is_required: bool = False
    """Whether somebody asked for just this file: then it must be there."""
    is_legacy: bool = False
    """Whether the file is nothing but the entries."""

    def __str__(self) -> str:
        if self.is_text:
            return f"the environment variable {self.named_by}"
        path = HIDDEN if is_content(self.path) else absolute(self.path)
        return f"{path}{self.named_by and f' ({self.named_by})'}"

    def read(self) -> AuthFile | None:
        """What is there; None where nothing is. Raises :class:`CredentialError`, which quotes nothing of it."""
        name = str(self) if self.is_text else f"the auth file {self}"
        if self.is_required:
            self._check()
        try:
            content = os.environb[self.named_by.encode("ascii")] if self.is_text else self._content()
        except OSError as error:
            if not self.is_required and isinstance(error, (FileNotFoundError, NotADirectoryError)):
                return None
            hint = relative_hint(self.path)
            if not self.is_required:
                hint = "It is read because the task names no credential; search_auth_files: false skips it"
            raise CredentialError(f"{name} cannot be read: {error.strerror}", hint=hint) from error
        if len(content) > _MAXIMUM_SIZE:
            raise CredentialError(f"{name} is larger than {_MAXIMUM_SIZE} bytes")
        document = _parsed(content, name)
        return AuthFile(name, document, {}, "") if self.is_legacy else _checked(document, name)

    def _check(self) -> None:
        try:
            check_is_path(self.path)
        except LocalFileError as error:
            where = f"{self.named_by}: " if self.named_by else ""
            raise CredentialError(f"{where}{error.reason}", hint=error.hint) from None

    def _content(self) -> bytes:
        path = absolute(self.path)
        if os.path.exists(path) and not (os.path.isfile(path) or os.path.isdir(path)):
            # A pipe may never be written to, and a device never end.
            raise OSError(errno.EINVAL, "it is not a file")
        with open(path, "rb") as file:
            return file.read(_MAXIMUM_SIZE + 1)


def default_places() -> list[Place]:
    """Where podman and Docker look for credentials, in the order of podman (containers-auth.json(5)).

    Docker's DOCKER_AUTH_CONFIG comes before Docker's own file. Where REGISTRY_AUTH_FILE is set, it is all there is.
    """
    environment = os.environ
    if environment.get("REGISTRY_AUTH_FILE"):
        return [Place(environment["REGISTRY_AUTH_FILE"], "REGISTRY_AUTH_FILE", is_required=True)]
    if environment.get("XDG_RUNTIME_DIR"):
        runtime = os.path.join(environment["XDG_RUNTIME_DIR"], "containers/auth.json")
    elif sys.platform == "linux":
        runtime = os.path.join(RUNTIME_DIRECTORY, str(os.getuid()), "auth.json")
    else:
        runtime = "~/.config/containers/auth.json"
    configuration = os.path.join(environment.get("XDG_CONFIG_HOME") or "~/.config", "containers/auth.json")
    return [
        *map(Place, dict.fromkeys((runtime, configuration))),
        *([Place("", "DOCKER_AUTH_CONFIG", is_text=True)] if environment.get("DOCKER_AUTH_CONFIG") else []),
        Place(os.path.join(environment.get("DOCKER_CONFIG") or "~/.docker", "config.json")),
        Place("~/.dockercfg", is_legacy=True),
    ]


def server_of(registry: str) -> str:
    """What a credential helper knows a registry by."""
    return _DOCKER_HUB_SERVER if is_docker_hub(registry) else registry


def _parsed(content: bytes, name: str) -> dict[str, t.Any]:
    try:
        document = json.loads(content.decode("utf-8"))
    except (ValueError, RecursionError):
        # The parser's own message may quote the file, and with it a secret.
        raise CredentialError(f"{name} is not valid JSON") from None
    if not isinstance(document, dict):
        raise CredentialError(f"{name} is not a JSON object")
    return document


def _checked(document: dict[str, t.Any], name: str) -> AuthFile:
    entries = {} if document.get("auths") is None else document["auths"]
    helpers = document.get("credHelpers") or {}
    store = document.get("credsStore") or ""
    if not isinstance(entries, dict):
        raise CredentialError(f"{name} has no valid 'auths' in it")
    if not isinstance(helpers, dict) or not all(isinstance(helper, str) for helper in helpers.values()):
        raise CredentialError(f"{name} has no valid 'credHelpers' in it")
    if not isinstance(store, str):
        raise CredentialError(f"{name} has no valid 'credsStore' in it")
    return AuthFile(name, entries, helpers, store)


def _is_registry(key: str, registry: str) -> bool:
    """Whether the key of a helper is that of the registry: it names no namespace, and is no URL but Docker Hub's."""
    if is_docker_hub(registry):
        return key == _DOCKER_HUB_SERVER or is_docker_hub(key)
    return key.lower() == registry.lower()


def _names(key: str, registry: str) -> bool:
    host = key.partition("://")[2] if "://" in key else key
    host = host.partition("/")[0]
    return host.lower() == registry.lower() or (is_docker_hub(host) and is_docker_hub(registry))


def _namespace_of(key: str) -> str:
    """What a key names below its registry. Old versions of Docker wrote URLs: their path names nothing."""
    return "" if "://" in key else key.partition("/")[2].rstrip("/")


def _checked_credential(entry: t.Any, key: str, name: str) -> Credential:
    problem = CredentialError(f"the entry {quoted(key)} of {name} holds no valid credential")
    found = _credential_of(entry, key, name, problem)
    if not found.is_text:
        raise problem
    return found


def _credential_of(entry: t.Any, key: str, name: str, problem: CredentialError) -> Credential:
    if not isinstance(entry, dict):
        raise problem
    found = Credential(source=f"the entry {quoted(key)} of {name}", advice=_LOG_IN_AGAIN)
    token, identity_token = _text(entry, "registrytoken"), _text(entry, "identitytoken")
    if token:
        if not _TOKEN.fullmatch(token):
            raise problem
        return found._replace(token=token)
    if identity_token:
        return found._replace(identity_token=identity_token)
    username, password = entry.get("username"), entry.get("password")
    if _text(entry, "auth"):
        try:
            text = decode_base64(entry["auth"]).decode("utf-8")
        except ValueError:  # no base64, no ASCII, or no UTF-8 in it
            raise problem from None
        username, colon, password = text.partition(":")
        if not colon:
            raise problem
        password = password.rstrip("\0")
    if isinstance(username, str) and username and ":" not in username and isinstance(password, str):
        return found._replace(username=username, password=password)
    raise CredentialError(
        f"the entry {quoted(key)} of {name} holds no credential",
        hint="It may be kept by a credential helper that this file does not name; give username and password",
    )


def _text(entry: t.Mapping[str, t.Any], key: str) -> str:
    """A token, or ``auth``: white space around it is none of it."""
    return entry[key].strip() if isinstance(entry.get(key), str) else ""
