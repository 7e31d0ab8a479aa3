# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The secrets that a task knows: whose they are decides who hides them."""

from __future__ import annotations

import re
import threading
import typing as t

from .._model._digest import is_digest
from .._model._hiding import Needle, hidden, hidden_in, needles_of

SHORTEST_ISSUED = 16
"""Characters of a token that is hidden in texts. Token servers hand out longer ones."""
_MEDIA_TYPE = re.compile(r"[a-z]+/[a-z0-9][a-z0-9.+-]*", re.ASCII)


class Secrets:
    """The secrets of one task. Shared by all threads.

    Those of the user, from options, files, credential helpers and proxies, are the user's own: ``on_own`` gets each, to
    have Ansible mask it. The tokens that a token server hands out may be any text, such as a digest or a word of
    results: whoever hands them out would decide what Ansible cuts out of results and logs. They are hidden in
    what registries say, and nowhere else. ``names`` gives the texts of the task's other options, of which none is
    taken for such a token.
    """

    def __init__(
        self,
        on_own: t.Callable[[str], None] = lambda secret: None,
        names: t.Callable[[], t.Iterable[str]] = tuple,
    ) -> None:
        self._on_own = on_own
        self._find_names = names
        self._names: str | None = None
        self._lock = threading.Lock()
        self._own: dict[str, None] = {}
        self._issued: dict[str, None] = {}
        self._needles: dict[str, list[Needle]] = {}

    def own(self, secret: str) -> None:
        """Take a secret of the user."""
        with self._lock:
            is_new = bool(secret) and secret not in self._own
            if is_new:
                self._own[secret] = None
        if is_new:
            self._on_own(secret)

    def issued(self, token: str) -> None:
        """Take a token that a token server has handed out. A short one, a digest and a media type are no secrets."""
        if len(token) >= SHORTEST_ISSUED and not is_digest(token) and not _MEDIA_TYPE.fullmatch(token):
            with self._lock:
                self._issued[token] = None

    def hidden(self, text: str) -> str:
        """What a registry, or something else that is no user, has said, without secrets in any form."""
        return hidden(text, self._looked_for(self.known())) if text else ""

    def hidden_in(self, texts: t.Iterable[str]) -> list[str]:
        """Short texts of registries without secrets, see :func:`._hiding.hidden_in`."""
        return hidden_in(texts, self.known())

    def hidden_beside_names(self, text: str) -> str:
        """A sentence of ours, in which a registry may be quoted. What is a part of the task's names stays in it, and
        what is short: it may be a word of the sentence.
        """
        secrets = [secret for secret in self.known() if not self._is_name(secret)]
        return hidden(text, [needle for needle in self._looked_for(secrets) if not needle.is_word])

    def known(self) -> list[str]:
        """Those that are looked for in what registries say."""
        with self._lock:
            own, issued = list(self._own), list(self._issued)
        return own + [token for token in issued if token not in own and not self._is_name(token)]

    def _is_name(self, secret: str) -> bool:
        # Looked at where something is to be hidden only: a task may have thousands of names and tokens.
        if self._names is None:
            self._names = "\n".join(self._find_names())
        return secret in self._names

    def _looked_for(self, secrets: t.Iterable[str]) -> list[Needle]:
        with self._lock:
            for secret in secrets:
                if secret not in self._needles:
                    self._needles[secret] = needles_of(secret)
            return [needle for secret in secrets for needle in self._needles[secret]]
