# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run tools: their environment, their logs, how long they took, and how they and the commands end."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from common import BUILD, COLLECTIONS, HOME, LOGS, Failed, shown
from pythons import bin_path


class Interrupted(BaseException):
    """A signal ends the command. No failure: nothing that handles failures may go on with it."""


class _Ending:
    """What must end when a signal arrives."""

    signal: int | None = None
    running: set[int] = set()


def environment_for(venv: Path, home: Path = HOME, collections: Path = COLLECTIONS, **more: str) -> dict[str, str]:
    """The environment variables for a tool: its own home, a copy of the collection, and no colours."""
    env = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(("ANSIBLE_", "PYTEST_", "PYENV_VERSION", "PYTHON")) and key != "MAKEFLAGS"
    }
    env.update(
        HOME=str(home),
        PATH=bin_path(venv / "bin"),
        ANSIBLE_COLLECTIONS_PATH=str(collections),
        # Ansible looks for a home in the database of users, too, and there may be none.
        ANSIBLE_HOME=str(home / ".ansible"),
        ANSIBLE_LOCAL_TEMP=str(home / ".ansible" / "tmp"),
        ANSIBLE_REMOTE_TEMP=str(home / ".ansible" / "tmp"),
        ANSIBLE_NOCOLOR="1",
        NO_COLOR="1",
        LC_ALL="C.UTF-8",
        PYTHONDONTWRITEBYTECODE="1",
    )
    env.update(more)
    return env


def run_in_front(command: Sequence[object], env: Mapping[str, str]) -> int:
    """Run a program that shows its own progress, and end it with the command. Returns its status."""
    process = subprocess.Popen([str(part) for part in command], env=dict(env), stdin=subprocess.DEVNULL)
    try:
        return process.wait()
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait()


def run(
    command: Sequence[object], log: str, timeout: int = 1800, cleanup: bool = False, **options: object
) -> tuple[int, str]:
    """Run a tool without a terminal, its output into a log file. Returns its exit status and its output.

    Raises :class:`Interrupted` where the command has been interrupted, except for a ``cleanup``.
    """
    if _Ending.signal and not cleanup:
        raise Interrupted
    LOGS.mkdir(parents=True, exist_ok=True)
    path = LOGS / f"{log}.log"
    with path.open("wb") as stream, timed(log):
        process = subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            **options,
        )
        if not cleanup:
            _Ending.running.add(process.pid)
        try:
            if _Ending.signal and not cleanup:
                raise Interrupted
            status = process.wait(timeout)
        except subprocess.TimeoutExpired:
            stop([process.pid])
            process.wait()
            stream.write(f"\nStopped: it did not end within {timeout} seconds.\n".encode())
            status = 124
        except BaseException:
            stop([process.pid])
            process.wait()
            raise
        finally:
            _Ending.running.discard(process.pid)
    if _Ending.signal and not cleanup:
        raise Interrupted
    return status, path.read_text(encoding="utf-8", errors="replace")


def side_by_side(
    function: Callable[..., object], runs: Iterable[Sequence[object]], at_a_time: int | None = None
) -> None:
    """Call the function with each of the arguments, so many at a time, or as many as there are processors."""
    with ThreadPoolExecutor(max_workers=at_a_time or os.cpu_count()) as pool:
        for outcome in [pool.submit(function, *arguments) for arguments in runs]:
            outcome.result()


def shorten(text: str, lines: int = 200) -> str:
    """The end of a long output; the whole is in the log."""
    every = text.rstrip().splitlines()
    return "\n".join(every[-lines:])


# --- how long ------------------------------------------------------------------------------------------------------


_TOOK: dict[str, float] = {}
_TOOK_LOCK = threading.Lock()


def took(name: str, seconds: float) -> None:
    """Remember how long something took; what has one name is added up."""
    with _TOOK_LOCK:
        _TOOK[name] = _TOOK.get(name, 0.0) + seconds


@contextlib.contextmanager
def timed(name: str) -> Iterator[None]:
    started = time.monotonic()
    try:
        yield
    finally:
        took(name, time.monotonic() - started)


def since(started: float) -> str:
    """How long it is since that moment of the monotonic clock."""
    return f"{time.monotonic() - started:.0f} s"


def write_durations(name: str) -> Path:
    """A table of all that was timed, the longest first. Returns its file."""
    path = LOGS / f"durations-{name}.log"
    rows = sorted(_TOOK.items(), key=lambda row: -row[1])
    path.write_text("".join(f"{seconds:7.1f} s  {what}\n" for what, seconds in rows))
    return path


# --- ending --------------------------------------------------------------------------------------------------------


def stop(pids: Iterable[int]) -> None:
    """Stop tools and what they have started."""
    pids = list(pids)
    for number, patience in ((signal.SIGTERM, 1), (signal.SIGKILL, 0)):
        for pid in pids:
            try:
                os.killpg(pid, number)
            except ProcessLookupError:
                pass
        time.sleep(patience)


def _end(number: int, _frame: object) -> None:
    """Stop what runs, once. Further signals must not disturb the cleaning up."""
    if _Ending.signal is None:
        _Ending.signal = number
        stop(_Ending.running)
        raise Interrupted


def command(main: Callable[[], int]) -> None:
    """Run the main function of a command and end with its status; whatever happens is one sentence for the user."""
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, _end)
    try:
        sys.exit(main())
    except Failed as failure:
        sys.exit(str(failure))
    except Interrupted:
        sys.stderr.write("Interrupted; all that was started is stopped, and the next run begins again.\n")
        sys.exit(128 + (_Ending.signal or signal.SIGINT))
    except OSError as error:
        what = f"{error.filename}: {error.strerror}" if error.filename else str(error)
        sys.exit(
            f"This cannot go on. {what}. Everything is made in {shown(BUILD)}; "
            "set BUILD_DIR to have it made in another directory."
        )
