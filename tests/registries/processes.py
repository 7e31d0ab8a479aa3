# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Start, recognise and end background processes that outlive the command."""

from __future__ import annotations

import io
import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path


def free_port(preferred: int | None = None) -> int:
    """A TCP port of 127.0.0.1 that nothing listens on, the preferred one if it is free."""
    for port in (preferred, 0):
        if port is None:
            continue
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise OSError("no free port on 127.0.0.1")


def spawn(command: Sequence[str], output: Path, errors: Path, environment: Mapping[str, str]) -> int:
    """Start a process in a session of its own; both logs are appended to."""
    with _open_log(output) as out, _open_log(errors) as err:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=out, stderr=err, env=environment, start_new_session=True
        )
    process.returncode = 0  # it is meant to outlive us: no ResourceWarning when this object goes
    return process.pid


def is_ours(pid: int | None, marker: str) -> bool:
    """Whether ``pid`` lives and has ``marker`` (a path only we use) as an argument."""
    if not pid:
        return False
    deadline = time.monotonic() + 2.0
    # For a moment after its start, a process has no arguments yet.
    while not any(arguments := _arguments(pid)) and not _has_ended(pid) and time.monotonic() < deadline:
        time.sleep(0.005)
    return marker in arguments


def end(processes: Mapping[int, str], patience: float = 5.0) -> None:
    """End the processes (pid: marker) that are ours: SIGTERM, and SIGKILL for those that stay."""
    for number, wait in ((signal.SIGTERM, patience), (signal.SIGKILL, 2.0)):
        left = [pid for pid, marker in processes.items() if is_ours(pid, marker)]
        for pid in left:
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                pass
        deadline = time.monotonic() + wait
        while any(is_ours(pid, processes[pid]) for pid in left) and time.monotonic() < deadline:
            time.sleep(0.02)
    for pid in processes:
        try:
            os.waitpid(pid, os.WNOHANG)  # no zombie where start and stop run in one process
        except ChildProcessError:
            pass


def _open_log(path: Path) -> io.FileIO:
    return open(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "ab", buffering=0)


def _has_ended(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()[0]
    except OSError:
        return True
    return state in "ZX"


def _arguments(pid: int) -> list[str]:
    try:
        content = Path(f"/proc/{pid}/cmdline").read_bytes()  # empty for a zombie
        return [os.fsdecode(argument) for argument in content.split(b"\0")]
    except FileNotFoundError:
        if Path("/proc/self").exists():
            return []
    except (PermissionError, ProcessLookupError):
        return []
    listed = subprocess.run(["ps", "-o", "args=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return listed.stdout.split()
