# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This plugin util is PRIVATE to the collection. It can have breaking changes at any time.

"""A module over which the controller watches while it runs: how far it is, is shown, and it ends with the play.

In place, it needs nothing of this (``_in_place``). A payload runs as any other. Beside it, a thread looks in on it
every few seconds, by a short command over a copy of the same connection: that renews the module's lease, and reads its
state. ``plugins/module_utils/_run/_attachment.py`` has the other side. Where the worker process dies without a word,
the lease runs out. Where only Ansible's main process does, the worker cancels the module and ends: else it would
continue with the next item of a loop, or with the next attempt.
"""

from __future__ import annotations

import contextlib
import contextvars
import copy
import os
import secrets
import signal
import threading
import time
import types
import typing as t

from ansible.utils.display import Display

from ..module_utils._run._attachment import LEASE_SECONDS, SEPARATOR, VARIABLE
from ._bond_commands import cancel_command, look_command
from ._module_action import ModuleAction
from ._orphan import end_process, is_orphaned
from ._progress_line import ProgressLines
from ._progress_report import FIRST_LOOK, PAUSE, show_line

_PARENT_PAUSE = 0.5
"""Seconds between two looks whether Ansible is still there."""
_PATIENCE = 5.0
"""Seconds that a task waits for its watcher in the end."""
_SYSTEM_TMPDIRS = ("/var/tmp", "/tmp")
"""Ansible's own default, where the list is empty or the shell plugin has none."""
_FOR_MAIN_THREAD = (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)
"""Stops and time-outs. Python runs their handlers in the main thread, which only wakes up if it gets them itself."""

display = Display()


class AttendedModule(ModuleAction):
    """Runs the module of the same name, and watches over it, unless it is detached by ``async``."""

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Run the module. A worker that is left over starts nothing any more, and doesn't come back from here."""
        if is_orphaned():
            end_process()
        try:
            return super().run(tmp, task_vars)
        finally:
            if is_orphaned():
                end_process()

    def _execute(self, task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        name = f"ansible-imageops-{secrets.token_hex(16)}"
        places = [
            self._connection._shell.join_path(parent, name)
            for parent in self.get_shell_option("system_tmpdirs") or _SYSTEM_TMPDIRS
        ]
        watcher = _Watcher(self._on_copied_connection(), places, self._label(task_vars))
        self._task.environment.append({VARIABLE: SEPARATOR.join(places)})
        returned = False
        handlers: dict[int, t.Any] = {}

        def cancel_first(number: int, frame: types.FrameType | None) -> None:
            # Ansible's own handler ends this process at once, and on another host the module would go on.
            watcher.end(cancel=True)
            signal.signal(number, handlers[number])
            os.kill(os.getpid(), number)

        watcher.start()
        try:
            if threading.current_thread() is threading.main_thread():
                for number in (signal.SIGINT, signal.SIGTERM):
                    handlers[number] = signal.getsignal(number)
                    signal.signal(number, cancel_first)
            result = super()._execute(task_vars)
            returned = True
        finally:
            for caught, handler in handlers.items():
                signal.signal(caught, handler)
            self._task.environment.pop()
            watcher.end(cancel=not returned)
        return result

    def _on_copied_connection(self) -> AttendedModule:
        """This, for commands beside the module. Connection and become plugin remember the command that they run."""
        other = copy.copy(self)
        other._connection = copy.copy(self._connection)
        other._connection.become = copy.copy(self._connection.become)
        return other


class _Watcher:
    """Looks in on a module until it ends."""

    def __init__(self, action: AttendedModule, places: list[str], label: str) -> None:
        self._action = action
        self._places = [action._connection._shell.quote(place) for place in places]
        self._silent = bool(action._task.no_log)
        self._label = label
        self._lines = ProgressLines(label)
        self._over = threading.Event()
        self._cancelled = False
        self._warned = False
        context = contextvars.copy_context()
        self._thread = threading.Thread(target=context.run, args=(self._watch,), name="watcher", daemon=True)

    def start(self) -> None:
        """Begin, in a thread."""
        before = signal.pthread_sigmask(signal.SIG_BLOCK, _FOR_MAIN_THREAD)
        try:
            self._thread.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def end(self, *, cancel: bool) -> None:
        """The module has ended; or with ``cancel`` it has to end, since nobody waits for it any more."""
        self._cancelled = self._cancelled or cancel
        self._over.set()
        self._thread.join(_PATIENCE)

    def _watch(self) -> None:
        next_look = time.monotonic() + FIRST_LOOK
        orphaned = False
        while not self._over.wait(_PARENT_PAUSE):
            orphaned = is_orphaned()
            if orphaned:
                self._cancelled = True
                break
            if time.monotonic() >= next_look:
                self._look()
                next_look = time.monotonic() + PAUSE
        if self._cancelled:
            self._cancel()
        # The task gets the time to remove its temporary files from the host, and then ends the process itself.
        if orphaned and not self._over.wait(_PATIENCE):
            end_process()

    def _look(self) -> None:
        try:
            answer = self._action._low_level_execute_command(look_command(self._places))
        except Exception as error:
            # Connection and become plugins raise what the libraries below them do.
            self._warn(str(error) or type(error).__name__)
            return
        if answer["rc"] != 0:
            self._warn(f"exit status {answer['rc']} {answer['stderr'].strip() or answer['stdout'].strip()}".rstrip())
            return
        line = self._lines.line(answer["stdout"], time.monotonic())
        if not self._silent:
            show_line(line)

    def _cancel(self) -> None:
        # Where that doesn't succeed, the lease runs out.
        with contextlib.suppress(Exception):
            self._action._low_level_execute_command(cancel_command(self._places))

    def _warn(self, why: str) -> None:
        # A look that fails since the module ends just now is of no interest.
        if not self._warned and not self._over.is_set():
            self._warned = True
            display.warning(
                f"{self._label}: cannot check on the module while it runs. The module ends itself if no check "
                f"succeeds for {LEASE_SECONDS:.0f} seconds: {why}"
            )
