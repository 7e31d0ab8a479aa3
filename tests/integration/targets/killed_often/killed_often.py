# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A promotion by the role that is killed every 200 ms. ``make soak`` does the same with the module and more images."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from killing import kill_tree
from runs import (
    COLLECTION,
    CONFIG,
    OUTPUT,
    PROMOTE,
    REGISTRIES,
    check,
    inventory,
    main,
    play,
    private_file,
    say,
    state_at,
)

sys.path.insert(0, str(Path(CONFIG["registries_script"]).parents[1] / "soak"))

from crowd import as_options, check_all, crowd, old_or_new, seed
from engine import Engine
from often import kill_until_done
from play import Rig
from reader import Reader

IMAGES = 6
LAYER = 20_000
"""Bytes."""
RUNS = 60


class Playbook:
    """Runs of a promotion by ansible-playbook, each killed with all that it has started."""

    def __init__(self, variables: dict[str, Any]) -> None:
        self._playbook = play([{"name": "Promote", "ansible.builtin.include_role": {"name": PROMOTE}}])
        self._variables = private_file("often.json", json.dumps(variables))
        self._inventory = inventory()
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        self._killed = False
        self.output = ""

    def run(self) -> bool:
        """Whether it came to its end."""
        command = ["ansible-playbook", "-i", str(self._inventory), "-e", f"@{self._variables}", str(self._playbook)]
        environment = {name: value for name, value in os.environ.items() if name != "RUNS_STARTED"}
        log = OUTPUT / "often.log"
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
        self.output = log.read_text(encoding="utf-8", errors="replace")
        check(self._killed or not status, f"a run that wasn't killed failed:\n{self.output}")
        return not self._killed or not status

    def kill(self) -> None:
        """SIGKILL it, and all below it."""
        with self._lock:
            if self._process is not None and self._process.poll() is None:
                self._killed = True
                kill_tree(self._process.pid)


@contextlib.contextmanager
def rig(name: str) -> Any:
    """The registries behind proxies of this process."""
    with contextlib.ExitStack() as stack:
        engine = stack.enter_context(Engine(str(shutil.which("python")), COLLECTION.parents[2], OUTPUT))
        ends = (REGISTRIES["dev"], REGISTRIES["prod"], str(state_at().ca_path))
        yield stack.enter_context(Rig(*ends, engine, name))


def a_playbook_that_is_killed_every_200_ms() -> None:
    with rig("often-playbook") as both:
        members = crowd(both.prefix(), IMAGES, LAYER)
        seed(both.source_pusher, members)
        source, destination = ({"registry": proxy.address, "plain_http": True} for proxy in both.proxies())
        variables = {"promote_source": source, "promote_destination": destination}
        promotion = Playbook({**variables, "promote_images": as_options(members)})
        with Reader(both.destination_address, old_or_new(members)) as reader:
            killings = kill_until_done(both.destination_proxy, "delay=2", promotion.run, promotion.kill, RUNS)
        check_all(both.destination_address, members)
        check(killings.killed > 1, f"{killings.killed} runs were killed before one was done, which shows nothing")
        check(promotion.run(), "a run after all was killed")
        check("changed=0" in promotion.output, f"a run after all changed something:\n{promotion.output}")
        say(
            f"{IMAGES} images by the role, killed every {1000 * killings.interval:.0f} ms: {killings.killed} runs "
            f"were killed; {reader.pulls} tags read meanwhile"
        )


main([a_playbook_that_is_killed_every_200_ms])
