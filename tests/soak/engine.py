# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Promotions by the module image_copy, each in a process of its own that can be killed."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from problems import Problem

Plain = dict[str, Any]


class Ended(NamedTuple):
    """How a run ended. ``result`` is empty where it was killed."""

    killed: bool
    result: Plain
    output: str

    @property
    def succeeded(self) -> bool:
        return not self.killed and not self.result.get("failed", False)

    @property
    def sessions_left_open(self) -> int:
        return int(self.result["transfer"]["sessions_left_open"])


class Engine:
    """Starts runs, one at a time. ``python`` has ansible-core; the collection is on the path that is given."""

    def __init__(self, python: str | Path, collections: str | Path, work: Path) -> None:
        self._output = work / "result.json"
        environment = {**os.environ, "PYTHONPATH": str(collections), "HOME": str(work)}
        self._forks = subprocess.Popen(
            [str(python), str(Path(__file__).with_name("forks.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        self._lock = threading.Lock()
        self._pid = 0
        self._doomed = False

    def run(self, params: Mapping[str, Any]) -> Ended:
        """One run, to its end. Raises :class:`Problem` where the module ended in another way than modules do."""
        assert self._forks.stdin is not None and self._forks.stdout is not None
        self._doomed = False
        self._forks.stdin.write(json.dumps({"params": params, "output": str(self._output)}) + "\n")
        self._forks.stdin.flush()
        with self._lock:
            self._pid = self._answer()
        status = self._answer()
        with self._lock:
            self._pid = 0
        output = self._output.read_text(encoding="utf-8", errors="replace")
        if self._doomed and status == -signal.SIGKILL:
            return Ended(True, {}, output)
        try:
            result = json.loads(output)
        except ValueError:
            raise Problem(f"the module ended with status {status}, and without a result:\n{output}") from None
        message = result.get("msg", "")
        if status not in (0, 1) or "Traceback" in output or "\n" in message or bool(status) != ("failed" in result):
            raise Problem(f"the module ended with status {status}, and not with one sentence:\n{output}")
        return Ended(False, result, output)

    def _answer(self) -> int:
        assert self._forks.stdout is not None
        line = self._forks.stdout.readline()
        if not line:
            raise Problem("the process that starts the runs has ended")
        return int(line)

    def kill(self) -> None:
        """SIGKILL the run, at once, if there is one."""
        with self._lock:
            if self._pid:
                self._doomed = True
                with contextlib.suppress(ProcessLookupError):
                    os.kill(self._pid, signal.SIGKILL)

    def close(self) -> None:
        assert self._forks.stdin is not None
        self._forks.stdin.close()
        self._forks.wait()

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()
