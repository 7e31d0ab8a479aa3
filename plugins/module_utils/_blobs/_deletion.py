# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Deletes that are known to have happened: what a registry accepted is looked for until it is gone.

Lists of referrers are waited for in the same way, see :mod:`.._images._referrers_index`.
"""

from __future__ import annotations

import itertools
import threading
import time
import typing as t

from .._model._actions import ABSENT, EXISTS
from .._model._errors import AccessDenied, NotGranted, RegistryError, Unsupported
from .._run._parallel import run_all

Key = t.TypeVar("Key", bound=t.Hashable)
Done = t.TypeVar("Done", bound="Outcome")
Place = t.TypeVar("Place")

_FIRST_PAUSE = 0.5
"""Seconds between the first two looks. Every further pause is twice as long."""


class Patience(t.NamedTuple):
    """How long accepted deletes, or lists of referrers, may take, in ``seconds`` for all of a task together."""

    seconds: float = 10.0
    clock: t.Callable[[], float] = time.monotonic
    sleep: t.Callable[[float], None] = time.sleep


TEN_SECONDS = Patience()


class Pauses:
    """The pauses between looks at what a registry does in the background; the patience begins with the first one.

    Shared by all threads of a task, whose pauses may overlap.
    """

    def __init__(self, patience: Patience) -> None:
        self._patience = patience
        self._lock = threading.Lock()
        self._end: float | None = None

    def pause(self, number: int) -> bool:
        """Wait; the pause after the first look has the number 0. Returns False, at once, where the patience is over."""
        now = self._patience.clock()
        with self._lock:
            if self._end is None:
                self._end = now + self._patience.seconds
            rest = self._end - now
        if rest <= 0:
            return False
        self._patience.sleep(min(_FIRST_PAUSE * 2**number, rest))
        return True


class Outcome(t.Protocol):
    """What happened to one thing: a named tuple with the fields ``deletion_pending`` and ``unseen``."""

    @property
    def unseen(self) -> RegistryError | None:
        """Why it can't be seen whether a delete has happened that the registry has accepted."""

    def _asdict(self) -> dict[str, t.Any]:
        """All fields by their names."""

    def _replace(self: Done, *, deletion_pending: bool = ..., unseen: RegistryError | None = ...) -> Done:
        """The same with other values."""


def outcome_as_plain(outcome: Outcome) -> dict[str, t.Any]:
    """An outcome as a result. Only what is still there has ``deletion_pending``."""
    plain = outcome._asdict()
    del plain["unseen"]
    if not plain["deletion_pending"]:
        del plain["deletion_pending"]
    return plain


def settled(
    outcome: Done | RegistryError, key: Key, pending: t.Mapping[Key, RegistryError | None]
) -> Done | RegistryError:
    """The outcome of a delete with what :meth:`Deletions.settle` says of it. A delete that was accepted stays one."""
    if isinstance(outcome, RegistryError) or key not in pending:
        return outcome
    error = pending[key]
    return outcome._replace(deletion_pending=True) if error is None else outcome._replace(unseen=error)


def unseen(done: t.Iterable[tuple[Place, Outcome]]) -> list[tuple[Place, RegistryError]]:
    """Those of the places whose deletes were accepted, and can't be looked for; and why."""
    return [(place, outcome.unseen) for place, outcome in done if outcome.unseen is not None]


def is_change(entry: t.Mapping[str, t.Any]) -> bool:
    """Whether a result says that something has happened, or in check mode would. What is still there wasn't deleted."""
    return entry["action"] not in (EXISTS, ABSENT) and "deletion_pending" not in entry


class Deletions(t.Generic[Key]):
    """The deletes of one task, each under a key. Shared by all its threads.

    An accepted delete may still be pending. Some registries delete in the background. Others keep what an index still
    has, or what another repository shares, for good.
    """

    def __init__(self, jobs: int, patience: Patience) -> None:
        self._jobs = jobs
        self._patience = patience
        self._accepted: dict[Key, t.Callable[[], bool]] = {}

    def delete(self, key: Key, delete: t.Callable[[], bool], is_there: t.Callable[[], bool], what: str) -> None:
        """Delete what is there. ``delete`` returns whether the registry accepts it; else it says that it isn't there.

        Some registries without deletes say so. Raises :class:`Unsupported` where it is still there then.
        """
        if delete():
            self.accepted(key, is_there)
        elif is_still_there(is_there):
            raise Unsupported(
                "the registry answers that it is not there, although it is", hint="It may not offer deletes"
            ).within(what)

    def accepted(self, key: Key, is_there: t.Callable[[], bool]) -> None:
        """Note a delete that the registry has accepted."""
        self._accepted[key] = is_there

    def settle(self) -> dict[Key, RegistryError | None]:
        """Look for all that was accepted, until it is gone or the patience ends.

        Returns what isn't known to be gone: None for what is still there, or the error that keeps it from being known.
        """
        left = dict(self._accepted)
        errors: dict[Key, RegistryError] = {}
        pauses = Pauses(self._patience)
        for number in itertools.count():
            keys = list(left)
            for key, found in zip(keys, run_all(lambda key: is_still_there(left[key]), keys, self._jobs)):
                if found is True:
                    continue
                del left[key]
                if isinstance(found, RegistryError):
                    errors[key] = _unseen(found)
            if not left or not pauses.pause(number):
                break
        return {**dict.fromkeys(left), **errors}


def is_still_there(is_there: t.Callable[[], bool]) -> bool:
    """Whether something is there that could be read right before, and was to be deleted since.

    Some registries deny what isn't there, so what is denied now is gone; unless nothing was asked of the registry.
    """
    try:
        return is_there()
    except NotGranted:
        raise
    except AccessDenied:
        return False


def _unseen(error: RegistryError) -> RegistryError:
    return RegistryError(
        f"the registry has accepted the delete, and whether it has happened cannot be seen: {error.reason}",
        hint=error.hint or "Run the task again to see whether it is gone",
        temporary=error.temporary,
        **error.answer(),
    ).within(error.operation)
