# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Promotions by ansible-playbook that can be killed, with all that they have started."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from killing import kill_tree
from runs import CONFIG, OUTPUT, PROMOTE, check, inventory, play, private_file, write_task

sys.path.insert(0, str(Path(CONFIG["registries_script"]).parents[1] / "soak"))

from engine import Ended

Plain = dict[str, Any]


class Playbook:
    """Runs of the role ``promote``, one at a time. ``name`` is that of its files."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._result = OUTPUT / f"{name}-result.json"
        keep = write_task("promote_result", self._result)
        self._playbook = play([{"name": "Promote", "ansible.builtin.include_role": {"name": PROMOTE}}, keep])
        self._inventory = inventory()
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        self._killed = False

    def run(self, variables: Plain) -> Ended:
        """One run. Its result is ``promote_result``. One that fails and wasn't killed is an error."""
        extra = private_file(f"{self._name}.json", json.dumps(variables))
        self._result.unlink(missing_ok=True)
        command = ["ansible-playbook", "-i", str(self._inventory), "-e", f"@{extra}", str(self._playbook)]
        environment = {name: value for name, value in os.environ.items() if name != "RUNS_STARTED"}
        log = OUTPUT / f"{self._name}.log"
        with self._lock, log.open("w", encoding="utf-8") as stream:
            self._killed = False
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                text=True,
                env=environment,
                start_new_session=True,
            )
        status = self._process.wait()
        with self._lock:
            self._process = None
        output = log.read_text(encoding="utf-8", errors="replace")
        check(self._killed or not status, f"a run that was not killed failed:\n{output}")
        if self._killed and status:
            return Ended(True, {}, output)
        return Ended(False, json.loads(self._result.read_text(encoding="utf-8")), output)

    def kill(self) -> None:
        """SIGKILL the run, and all below it."""
        with self._lock:
            if self._process is not None and self._process.poll() is None:
                self._killed = True
                kill_tree(self._process.pid)


class PlayEngine:
    """Plays in place of the engine without Ansible: takes the options of the module."""

    def __init__(self, name: str) -> None:
        self._runs = Playbook(name)
        self.kill = self._runs.kill

    def run(self, params: Plain) -> Ended:
        """One run, with the variables that say the same as these options."""
        ends = ("registry", "plain_http", "search_auth_files")
        others = {f"promote_{name}": value for name, value in params.items() if name not in (*ends, "source")}
        destination = {name: params[name] for name in ends}
        variables = {"promote_source": params["source"], "promote_destination": destination}
        return self._runs.run({**variables, **others})
