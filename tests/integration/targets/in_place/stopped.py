# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Copies in place that are stopped in every way there is: nothing runs any more, and no tag has moved."""

from __future__ import annotations

import os
import re
import signal
import time

from runs import PROMOTE, REGISTRIES, Plain, check, connection, inventory, mark, requests_since, say, seed, task
from stopping import Running, begin, parent_of

from fault_control import FaultControl

SOURCE, DESTINATION = "dev", "faulty"
TAG = "1.0"
LAYERS = 30
DELAY = 500
"""Milliseconds each way. With one job, a copy of so many layers takes about a minute."""
TIMEOUT = 12
PREFIX = f"stopped/{time.time_ns()}"
"""New at every run: what an earlier one has left there would be taken for copied."""
WAYS = ("SIGINT", "SIGTERM", "SIGKILL", "worker", "timeout")
SHOWN = re.compile(
    r"^localhost: imageops\.registry\.image_copy: [1-9]\d* of \d+ blobs, [\d.]+ [kM]?B of [\d.]+ MB", re.MULTILINE
)


def start(way: str, image: Plain) -> Running:
    wanted = {"repository": image["repository"], "tag": TAG, "destination_repository": f"{PREFIX}-{way.lower()}"}
    ends = {**connection(DESTINATION), "source": connection(SOURCE)}
    copying = task("image_copy", {**ends, "images": [wanted], "jobs": 1}, timeout=TIMEOUT if way == "timeout" else 0)
    if way == "SIGKILL":
        # The comparison before it runs in place, too.
        role = {"promote_source": connection(SOURCE), "promote_destination": connection(DESTINATION)}
        variables = {**role, "promote_images": [wanted], "promote_jobs": 1}
        copying = {"name": "Promote", "ansible.builtin.include_role": {"name": PROMOTE}, "vars": variables}
    play: Plain = {"hosts": "localhost", "gather_facts": False, "tasks": [copying]}
    return begin(f"stopped-{way.lower()}", [play], inventory())


def stop(way: str, running: Running) -> None:
    if way == "SIGINT":
        # As a terminal does it.
        os.killpg(running.process.pid, signal.SIGINT)
    elif way == "worker":
        workers = [pid for pid in running.processes() if parent_of(pid) == running.process.pid]
        check(len(workers) == 1, f"{workers} are workers")
        os.kill(workers[0], signal.SIGKILL)
    elif way != "timeout":
        os.kill(running.process.pid, signal.Signals[way])


def nothing_goes_on() -> None:
    """Each play is stopped when its copy is under way, which a line on standard error says."""
    (image,) = seed(SOURCE, "single", "stopped", layers=LAYERS, layer_size=64 * 1024)
    faults = FaultControl(REGISTRIES[DESTINATION]["faults_path"])
    faults.switch({"": f"delay={DELAY}"})
    beginning = mark()
    started: dict[str, Running] = {}
    try:
        started = {way: start(way, image) for way in WAYS}
        waiting = dict(started)
        while waiting:
            for way, running in list(waiting.items()):
                output = running.printed()
                by_itself = running.process.poll() is not None
                if way == "timeout":
                    check(not by_itself or running.process.returncode == 2, f"{running.name}: {output}")
                    stopped = by_itself
                else:
                    check(not by_itself, f"{running.name} ended by itself:\n{output}")
                    stopped = bool(SHOWN.search(output))
                if stopped:
                    stop(way, running)
                    del waiting[way]
            time.sleep(0.1)
        all_stopped = time.monotonic()
        for way, running in started.items():
            # An Ansible whose worker was killed waits for ever.
            kept = [running.process.pid] if way == "worker" else []
            say(f"{running.name}: nothing runs after {running.wait_until_nothing_runs(all_stopped, *kept):.1f} s")
    finally:
        for running in started.values():
            running.end()
        faults.switch({"": ""})
    seen = requests_since(beginning, DESTINATION)
    for way in WAYS:
        of_it = [entry for entry in seen if f"/{PREFIX}-{way.lower()}/" in entry["path"]]
        uploads = [entry for entry in of_it if entry["method"] == "PUT" and "/blobs/uploads/" in entry["path"]]
        check(len(uploads) < LAYERS, f"{way}: {len(uploads)} blobs had arrived")
        tags = [entry for entry in of_it if entry["method"] == "PUT" and entry["path"].endswith(f"/manifests/{TAG}")]
        check(not tags, f"{way}: a tag has moved: {tags}")
    output = started["timeout"].printed()
    check("imed out" in output or "imeout" in output, f"no word of the time-out:\n{output}")
