# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Where a credential comes from: the options of the task, or the auth file that they name."""

from __future__ import annotations

import base64
import binascii
import json
import re
import typing as t

from ._errors import CredentialError
from ._local_path import absolute, relative_hint
from ._reference import is_docker_hub

_MAXIMUM_FILE_SIZE = 1024 * 1024
_TOKEN = re.compile(r"[\x21-\x7e]+", re.ASCII)


class Credential(t.NamedTuple):
    """What to log in with. ``token`` is a bearer token that is sent as it is. All empty: anonymous."""

    username: str = ""
    password: str = ""
    token: str = ""
    advice: str = ""
    """What to do where it is refused; empty where there is nothing better to say than to check it."""

    @property
    def is_anonymous(self) -> bool:
        """Whether there is nothing to log in with."""
        return not (self.username or self.password or self.token)

    def __repr__(self) -> str:
        return "Credential(anonymous)" if self.is_anonymous else "Credential(hidden)"


ANONYMOUS = Credential()


def credential_from_options(
    username: str | None, password: str | None, token: str | None, auth_file: str | None, registry: str
) -> Credential:
    """The credential for ``registry``: the options if they are given, else the auth file, else none.

    Raises :class:`CredentialError` where an auth file is named and can't be read.
    """
    if username and ":" in username:
        raise CredentialError("the user name has a ':' in it, which HTTP Basic authentication can't carry").at_option(
            "username"
        )
    if token and not _TOKEN.fullmatch(token):
        raise CredentialError(
            "the token has spaces, line breaks or characters outside of ASCII in it, which an HTTP header can't carry",
            hint="Where it is read from a file, trim it",
        ).at_option("token")
    if username or password or token:
        return Credential(username or "", password or "", token or "")
    if auth_file:
        try:
            return credential_from_file(auth_file, registry)
        except CredentialError as error:
            error.at_option("auth_file")
            raise
    return ANONYMOUS


def credential_from_file(path: str, registry: str) -> Credential:
    """Look ``registry`` up in a file of the form that ``docker login`` and ``podman login`` write.

    An entry without a match is no error: the registry may be open to all. Raises :class:`CredentialError`.
    """
    document = _read(path)
    path = absolute(path)
    helpers = document.get("credHelpers")
    if (isinstance(helpers, dict) and registry in helpers) or document.get("credsStore"):
        raise CredentialError(
            f"the auth file {path} leaves the credential of {registry} to a credential helper",
            hint="Give username and password, or an auth file that holds the credential itself",
        )
    entries = document.get("auths", {})
    if not isinstance(entries, dict):
        raise CredentialError(f"the auth file {path} has no valid 'auths' in it")
    for key, entry in entries.items():
        if _same_registry(_host_of_key(key), registry):
            return _credential_of_entry(entry, key, path)
    return ANONYMOUS._replace(
        advice=f"The auth file {path} has no entry for {registry}: log in to it with that file, or give another one"
    )


def _read(path: str) -> dict[str, t.Any]:
    expanded = absolute(path)
    try:
        with open(expanded, "rb") as file:
            content = file.read(_MAXIMUM_FILE_SIZE + 1)
    except OSError as error:
        raise CredentialError(
            f"the auth file {expanded} can't be read: {error.strerror}", hint=relative_hint(path)
        ) from error
    if len(content) > _MAXIMUM_FILE_SIZE:
        raise CredentialError(f"the auth file {expanded} is larger than {_MAXIMUM_FILE_SIZE} bytes")
    try:
        document = json.loads(content.decode("utf-8"))
    except (ValueError, RecursionError):
        # The parser's own message may quote the file, and with it a secret.
        raise CredentialError(f"the auth file {expanded} is no valid JSON") from None
    if not isinstance(document, dict):
        raise CredentialError(f"the auth file {expanded} is no JSON object")
    return document


def _host_of_key(key: str) -> str:
    """Keys are written as ``host[:port]`` or, by old versions of Docker, as a URL."""
    _scheme, separator, rest = key.partition("://")
    return rest.partition("/")[0] if separator else key


def _same_registry(one: str, other: str) -> bool:
    return one.lower() == other.lower() or (is_docker_hub(one) and is_docker_hub(other))


def _credential_of_entry(entry: t.Any, key: str, path: str) -> Credential:
    problem = CredentialError(f"the entry {key!r} of the auth file {path} holds no valid credential")
    if not isinstance(entry, dict):
        raise problem
    if isinstance(entry.get("registrytoken"), str) and entry["registrytoken"]:
        if not _TOKEN.fullmatch(entry["registrytoken"]):
            raise problem
        return Credential(token=entry["registrytoken"])
    if isinstance(entry.get("identitytoken"), str) and entry["identitytoken"]:
        raise CredentialError(
            f"the entry {key!r} of the auth file {path} holds an identity token, which isn't supported",
            hint="Log in with a user name and password",
        )
    username, password = entry.get("username"), entry.get("password")
    if isinstance(entry.get("auth"), str) and entry["auth"]:
        try:
            text = base64.b64decode(entry["auth"], validate=True).decode("utf-8")
        except (binascii.Error, UnicodeDecodeError):
            raise problem from None
        username, colon, password = text.partition(":")
        if not colon:
            raise problem
        password = password.rstrip("\0")
    if isinstance(username, str) and username and isinstance(password, str):
        return Credential(username, password)
    raise CredentialError(
        f"the entry {key!r} of the auth file {path} holds no credential",
        hint="It may be kept by a credential helper; give username and password",
    )
