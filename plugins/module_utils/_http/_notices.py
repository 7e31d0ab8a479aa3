# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What registries tell their users beside their answers: ``Warning`` headers (distribution spec, "Warnings")."""

from __future__ import annotations

import threading
import typing as t

from .._model._errors import printable
from .._model._hiding import hidden_in

_MOST = 5
"""Texts of a registry that are kept."""
_LONGEST = 200
"""Characters of a text that are shown."""


class Notices:
    """Collects such texts from all threads of a task, each once for each registry."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._texts: dict[str, dict[str, None]] = {}
        self._remarks: dict[str, None] = {}

    def add(self, registry: str, texts: t.Iterable[str]) -> None:
        """Note what a registry tells."""
        with self._lock:
            for text in texts:
                found = self._texts.setdefault(registry, {})
                # One more than is shown says that there are others.
                if len(found) <= _MOST:
                    found[text] = None

    def remark(self, text: str) -> None:
        """Note a sentence of our own, without its full stop."""
        with self._lock:
            if len(self._remarks) < _MOST:
                self._remarks[text] = None

    def sentence(self, secrets: t.Collection[str] = ()) -> str:
        """All of it for a screen, without ``secrets``; empty where no registry has told anything."""
        with self._lock:
            told = [
                f"The registry {registry} says: {_listed([_shown(text) for text in hidden_in(texts, secrets)])}"
                for registry, texts in sorted(self._texts.items())
            ]
            return ". ".join([*told, *hidden_in([printable(text) for text in self._remarks], secrets)])


def _shown(text: str) -> str:
    # Hidden before it is cut: half a secret is one.
    text = printable(text).strip()
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def _listed(texts: t.Sequence[str]) -> str:
    named = "; ".join(f'"{text}"' for text in dict.fromkeys(texts[:_MOST]))
    return f"{named}; and more" if len(texts) > _MOST else named
