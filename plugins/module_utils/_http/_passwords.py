# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Which passwords a registry accepts (Basic): one that isn't known yet is tried by one thread."""

from __future__ import annotations

import contextlib
import threading
import typing as t

from .._credentials._credential import Credential
from .._model._errors import AuthenticationFailed
from ._given_up import GivenUp


class Passwords:
    """The credentials that one registry has accepted, and a turn to try another. Shared by all threads."""

    def __init__(self, given_up: GivenUp) -> None:
        self._given_up = given_up
        self._accepted: set[Credential] = set()
        # A last look sends a request of its own.
        self._turn = threading.RLock()

    def accept(self, credential: Credential) -> None:
        """Note that a credential was accepted, for whatever it was."""
        self._accepted.add(credential)

    def is_accepted(self, credential: Credential) -> bool:
        """Whether a credential was accepted for anything."""
        return credential in self._accepted

    @contextlib.contextmanager
    def tried_by_one(self, credential: Credential) -> t.Iterator[None]:
        """Wait while another thread tries a password, unless this one is known. Try it within the block.

        Raises the refusal of a credential that was refused; an :class:`AuthenticationFailed` in the block is one.
        """
        if credential.is_anonymous or credential in self._accepted:
            yield
            return
        with self._turn:
            self._given_up.check_credential(credential)
            if credential not in self._accepted:
                try:
                    yield
                except AuthenticationFailed as error:
                    raise self._given_up.refuse(credential, error) from error
                return
        yield
