# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The first contact with a registry, which one thread makes while all others wait."""

from __future__ import annotations

import contextlib
import enum
import threading
import typing as t


class State(enum.Enum):
    """How far the first contact is."""

    NOT_MADE = "nobody has asked, or whoever did has learned nothing that holds for all"
    UNDER_WAY = "one thread asks, and the others wait"
    MADE = "what all need to know of the registry is known"
    FAILED = "the registry cannot be reached, and nobody needs to try"


class FirstContact:
    """So a registry sees one request without a login, and only one thread tries a host that isn't there.

    It begins as ``NOT_MADE``. One thread takes it (``UNDER_WAY``); it ends as ``MADE`` or ``FAILED``, or is taken by
    the next thread.
    """

    def __init__(self) -> None:
        self._state = State.NOT_MADE
        self._changed = threading.Condition()

    @property
    def state(self) -> State:
        """How far it is."""
        return self._state

    @property
    def is_made(self) -> bool:
        """Whether it is made. Where it isn't, and hasn't failed, only the thread that makes it sends anything."""
        return self._state is State.MADE

    @contextlib.contextmanager
    def by_one_thread(self) -> t.Iterator[bool]:
        """Wait while another thread makes it. Then say whether this one is to make it.

        That thread says within the block how it ends, by :meth:`made` or :meth:`failed`; where it says nothing, the
        next thread is to make it.
        """
        leads = self._take()
        try:
            yield leads
        finally:
            if leads:
                self._end(State.NOT_MADE)

    def made(self) -> None:
        """Nobody waits any longer: what all need to know is known. Only for the thread that makes it."""
        self._end(State.MADE)

    def failed(self) -> None:
        """Nobody waits any longer, and nobody makes it any more. Only for the thread that makes it."""
        self._end(State.FAILED)

    def _take(self) -> bool:
        # Thousands of requests come later.
        if self._state is State.MADE:
            return False
        with self._changed:
            self._changed.wait_for(lambda: self._state is not State.UNDER_WAY)
            if self._state is not State.NOT_MADE:
                return False
            self._state = State.UNDER_WAY
            return True

    def _end(self, state: State) -> None:
        with self._changed:
            if self._state is State.UNDER_WAY:
                self._state = state
                self._changed.notify_all()
