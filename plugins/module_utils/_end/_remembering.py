# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""A side that is asked for the same manifest, list of referrers or tag once, while a task compares and judges.

What is judged is then what was compared: a signature that another client replaces meanwhile isn't seen twice.
"""

from __future__ import annotations

import threading
import typing as t

from .._model._digest import is_digest
from .._model._manifest import Descriptor, Manifest
from ._end import End
from ._purpose import Purpose
from ._referrers import Referrers

_MOST_BYTES = 32 * 1024 * 1024
"""Of all manifests that are kept, together. Those that are read after that are read again."""

Answer = t.TypeVar("Answer")


def remembering(end: End) -> End:
    """The same side, which keeps its answers. Errors aren't kept, and neither is what only a guard may say."""
    return end if isinstance(end, _Remembering) else t.cast(End, _Remembering(end))


class _Question:
    """One question, asked by one thread while others that have the same one wait."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.answers: list[t.Any] = []


class _Remembering:
    """Passes on everything but what it keeps."""

    def __init__(self, end: End) -> None:
        self._end = end
        self._lock = threading.Lock()
        self._questions: dict[tuple[str, ...], _Question] = {}
        self._kept_bytes = 0

    def __getattr__(self, name: str) -> t.Any:
        return getattr(self._end, name)

    def list_referrers(self, repository: str, digest: str) -> Referrers:
        """As :meth:`.End.list_referrers`."""
        return self._once(("referrers", repository, digest), lambda: self._end.list_referrers(repository, digest))

    def head_manifest(self, repository: str, reference: str, purpose: Purpose = Purpose.REPORT) -> Descriptor | None:
        """As :meth:`.End.head_manifest`."""
        if purpose is not Purpose.REPORT:
            return self._end.head_manifest(repository, reference, purpose)
        return self._once(("head", repository, reference), lambda: self._end.head_manifest(repository, reference))

    def get_manifest(self, repository: str, reference: str, media_type: str = "") -> Manifest:
        """As :meth:`.End.get_manifest`. A digest never changes, and by which type it is asked for may."""
        if not is_digest(reference):
            return self._end.get_manifest(repository, reference, media_type)
        return self._once(
            ("manifest", repository, reference, media_type),
            lambda: self._end.get_manifest(repository, reference, media_type),
            size_of=lambda manifest: manifest.size,
        )

    def _once(
        self, key: tuple[str, ...], ask: t.Callable[[], Answer], size_of: t.Callable[[Answer], int] = lambda answer: 0
    ) -> Answer:
        with self._lock:
            question = self._questions.setdefault(key, _Question())
        with question.lock:
            if question.answers:
                return t.cast(Answer, question.answers[0])
            answer = ask()
            with self._lock:
                size = size_of(answer)
                if self._kept_bytes + size <= _MOST_BYTES:
                    self._kept_bytes += size
                    question.answers.append(answer)
            return answer
