# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Where a credential comes from: the options of the task, the auth file that they name, or the files of podman and
Docker."""

from __future__ import annotations

import copy
import functools
import re
import threading
import typing as t

from .._model._errors import CredentialError, RegistryError
from ._auth_files import AuthFile, Place, default_places, server_of
from ._credential import ANONYMOUS, Credential
from ._credential_helper import ask_helper

_TOKEN = re.compile(r"[\x21-\x7e]+", re.ASCII)


class Credentials:
    """The credentials of one registry, by repository. Looked up when a login is needed, once each; for all threads."""

    def __init__(
        self,
        registry: str,
        places: t.Sequence[Place],
        *,
        given: Credential | None = None,
        on_secret: t.Callable[[str], None] = lambda secret: None,
    ) -> None:
        self.given = given
        """The one for all repositories, where nothing need be looked at to know it."""
        self._registry = registry
        self._places = places
        self._on_secret = on_secret
        self._lock = threading.Lock()
        self._files: dict[Place, AuthFile | None] = {}
        self._found: dict[str, Credential] = {}
        self._answers: dict[tuple[str, str], Credential | CredentialError | None] = {}
        if given:
            self._hide(given)

    def find(self, repository: str) -> Credential:
        """The credential for a repository; an empty one asks for that of the registry as a whole.

        That there is none is no error: the registry may be open to all. Raises :class:`CredentialError` where a file
        or a credential helper fails.
        """
        if self.given is not None:
            return self.given
        with self._lock:
            if repository not in self._found:
                found = self._look_up(repository)
                self._hide(found)
                self._found[repository] = found
            return self._found[repository]

    def _look_up(self, repository: str) -> Credential:
        for place in self._places:
            if place not in self._files:
                self._files[place] = place.read()
            file = self._files[place]
            found = file.find(self._registry, repository, functools.partial(self._ask, file.name)) if file else None
            if found is not None:
                return found
        places = ", ".join(map(str, self._places))
        advice = f"No credential for {self._registry} is in {places}: log in to it with docker login or podman login"
        return ANONYMOUS._replace(advice=f"{advice}, or give username and password, or an auth_file that has one")

    def _ask(self, named_by: str, helper: str) -> Credential | None:
        # Helpers know registries only, so that one answer serves all repositories.
        if (named_by, helper) not in self._answers:
            try:
                self._answers[named_by, helper] = ask_helper(helper, server_of(self._registry), named_by)
            except CredentialError as error:
                self._answers[named_by, helper] = error
        answer = self._answers[named_by, helper]
        if isinstance(answer, CredentialError):
            # The caller adds its own operation to what it gets.
            raise copy.copy(answer)
        return answer

    def _hide(self, credential: Credential) -> None:
        for secret in credential.secrets:
            self._on_secret(secret)


def no_credentials() -> Credentials:
    """Anonymous access everywhere."""
    return Credentials("", (), given=ANONYMOUS)


def credentials_from_options(
    registry: str,
    *,
    username: str | None,
    password: str | None,
    token: str | None,
    auth_file: str | None,
    search: bool,
    on_secret: t.Callable[[str], None],
) -> Credentials:
    """The credentials for ``registry``: the options if they are given, else those of the auth file, else, where
    ``search`` is set, those of the files in which podman and Docker look.

    Raises :class:`CredentialError` where an auth file is named and can't be read; all other files are read when the
    registry asks for a login.
    """
    refuse_empty({"username": username, "token": token, "auth_file": auth_file})
    if username and ":" in username:
        raise CredentialError("the user name has a ':' in it, which HTTP Basic authentication cannot carry").at_option(
            "username"
        )
    if token and not _TOKEN.fullmatch(token):
        raise CredentialError(
            "the token has spaces, line breaks or characters outside of ASCII in it, which an HTTP header cannot carry",
            hint="Where it is read from a file, trim it",
        ).at_option("token")
    if username or password or token:
        given = Credential(username or "", password or "", token or "")
        if not given.is_text:
            raise CredentialError("the user name or the password contains an invalid Unicode character")
        return Credentials(registry, (), given=given, on_secret=on_secret)
    if auth_file:
        place = Place(auth_file, is_required=True)
        try:
            place.read()
        except CredentialError as error:
            error.at_option("auth_file")
            raise
        return Credentials(registry, (place,), on_secret=on_secret)
    if search:
        return Credentials(registry, default_places(), on_secret=on_secret)
    return no_credentials()


def refuse_empty(options: t.Mapping[str, str | None], kind: type[RegistryError] = CredentialError) -> None:
    """Refuse empty text, which is what a variable gives that wasn't set, with an error of that kind.

    Taken for 'none', it would lead to another login, or to trust in other CAs.
    """
    for name, value in options.items():
        if value == "":
            raise kind(
                "it is empty text",
                hint="Leave it out where it is not needed, in a template with default(omit, true)",
            ).at_option(name)
