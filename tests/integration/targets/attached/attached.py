# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plays that are stopped in the middle of a long copy, in every way there is: 20 seconds later nothing goes on."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

from killing import kill_tree
from runs import OUTPUT, PROMOTE, REGISTRIES, Plain, check, connection, main, mark, requests_since, say, seed, task

from fault_control import FaultControl

HERE = Path(__file__).resolve().parent
SOURCE, DESTINATION = "dev", "faulty"
TAG = "1.0"
LAYERS = 30
DELAY = 500
"""Milliseconds each way. With one job, a copy of so many layers takes about a minute."""
SECONDS_LATER = 20
TIMEOUT = 25
"""Seconds of the cases that end by themselves: less than the copy takes."""
PREFIX = f"attached/{time.time_ns()}"
"""New at every run: what an earlier one has left there would be taken for copied."""
SHOWN = re.compile(
    r"^(localhost|far): imageops\.registry\.(image_copy|blob): [1-9]\d* of \d+ blobs, [\d.]+ [kM]?B of [\d.]+ MB",
    re.MULTILINE,
)


class Case(NamedTuple):
    """A copy that is stopped: where the module runs, how it is stopped, and what copies."""

    host: str
    stop: str
    role: bool = False
    progress: bool = True

    @property
    def name(self) -> str:
        return f"{self.host}-{self.stop}{'-role' if self.role else ''}".lower()


CASES = [
    Case("localhost", "SIGINT"),
    Case("localhost", "SIGTERM"),
    Case("localhost", "SIGKILL"),
    Case("localhost", "timeout", progress=False),
    Case("far", "SIGINT", role=True),
    Case("far", "SIGTERM"),
    Case("far", "SIGKILL", role=True),
    Case("far", "timeout"),
    # The worker of the controller, too: only the lease is left.
    Case("far", "everything"),
]


class Running(NamedTuple):
    """A case under way."""

    case: Case
    process: subprocess.Popen[bytes]
    output: Path
    errors: Path
    log: Path


def copying(case: Case, image: Plain) -> Plain:
    wanted = {"repository": image["repository"], "tag": TAG, "destination_repository": f"{PREFIX}-{case.name}"}
    if case.role:
        variables = {
            "promote_source": connection(SOURCE),
            "promote_destination": connection(DESTINATION),
            "promote_images": [wanted],
            "promote_jobs": 1,
        }
        return {"name": "Promote", "ansible.builtin.include_role": {"name": PROMOTE}, "vars": variables}
    ends = {**connection(DESTINATION), "source": connection(SOURCE)}
    options = {**ends, "images": [wanted], "jobs": 1, "progress": case.progress}
    return task("image_copy", options, timeout=TIMEOUT if case.stop == "timeout" else 0)


def start(case: Case, image: Plain) -> Running:
    playbook, output, errors, log = (OUTPUT / f"{case.name}.{kind}" for kind in ("yml", "output", "errors", "log"))
    playbook.write_text(json.dumps([{"hosts": case.host, "gather_facts": False, "tasks": [copying(case, image)]}]))
    hosts = OUTPUT / "hosts"
    here = f"ansible_python_interpreter={sys.executable}"
    hosts.write_text(f"localhost ansible_connection=local {here}\nfar ansible_connection=apart {here}\n")
    environment = {
        **os.environ,
        "ANSIBLE_CONNECTION_PLUGINS": str(HERE / "connection"),
        "ANSIBLE_LOG_PATH": str(log),
        "ATTACHED_CASE": marker(case),
        "PYTHONUNBUFFERED": "1",
    }
    with output.open("wb") as stream, errors.open("wb") as error_stream:
        process = subprocess.Popen(
            ["ansible-playbook", "-i", str(hosts), str(playbook)],
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=error_stream,
            env=environment,
            start_new_session=True,
        )
    return Running(case, process, output, errors, log)


def marker(case: Case) -> str:
    return f"{OUTPUT}-{case.name}"


def processes(case: Case) -> list[int]:
    """All that the case has started and that still runs, wherever it belongs to now."""
    mark_of_it = f"ATTACHED_CASE={marker(case)}".encode()
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if mark_of_it in (entry / "environ").read_bytes().split(b"\0"):
                    found.append(int(entry.name))
            except OSError:
                continue
    return found


def stop(running: Running) -> None:
    process = running.process
    if running.case.stop == "everything":
        for pid in processes(running.case):
            if b"ansible-playbook" in Path(f"/proc/{pid}/cmdline").read_bytes():
                os.kill(pid, signal.SIGKILL)
    elif running.case.stop == "SIGINT":
        # As a terminal does it.
        os.killpg(process.pid, signal.SIGINT)
    else:
        os.kill(process.pid, signal.Signals[running.case.stop])


def stopped_plays() -> None:
    """Each is stopped when its copy is under way, which a line on standard error says, and none on standard output."""
    (image,) = seed(SOURCE, "single", "attached", layers=LAYERS, layer_size=64 * 1024)
    faults = FaultControl(REGISTRIES[DESTINATION]["faults_path"])
    faults.switch({"": f"delay={DELAY}"})
    beginning = mark()
    all_running: list[Running] = []
    try:
        # Those that end after a time begin alone, so that they copy something in it on a slow machine, too.
        all_running += [start(case, image) for case in CASES if case.stop == "timeout"]
        shown = [running for running in all_running if running.case.progress]
        while not all(SHOWN.search(running.errors.read_text()) for running in shown):
            check(all(running.process.poll() is None for running in shown), "a time-out came before the first blob")
            time.sleep(0.1)
        all_running += [start(case, image) for case in CASES if case.stop != "timeout"]
        waiting = list(all_running)
        while waiting:
            for running in list(waiting):
                output = running.output.read_text() + running.errors.read_text()
                by_itself = running.process.poll() is not None
                if running.case.stop == "timeout":
                    check(not by_itself or running.process.returncode == 2, f"{running.case.name}: {output}")
                    if by_itself:
                        waiting.remove(running)
                else:
                    check(not by_itself, f"{running.case.name} ended by itself:\n{output}")
                    if SHOWN.search(output):
                        stop(running)
                        waiting.remove(running)
            time.sleep(0.1)
        time.sleep(SECONDS_LATER)
        for running in all_running:
            left = processes(running.case)
            check(not left, f"{running.case.name}: {left} still run")
    finally:
        for running in all_running:
            kill_tree(running.process.pid)
            running.process.wait()
        faults.switch({"": ""})
    seen = requests_since(beginning, DESTINATION)
    for running in all_running:
        name = running.case.name
        of_it = [entry for entry in seen if f"/{PREFIX}-{name}/" in entry["path"]]
        uploads = [entry for entry in of_it if entry["method"] == "PUT" and "/blobs/uploads/" in entry["path"]]
        check(0 < len(uploads) < LAYERS, f"{name}: {len(uploads)} blobs had arrived")
        tags = [entry for entry in of_it if entry["method"] == "PUT" and entry["path"].endswith(f"/manifests/{TAG}")]
        check(not tags, f"{name}: a tag has moved: {tags}")
        say(f"{name}: {len(uploads)} blobs had arrived")
    for running in all_running:
        output, errors, log = (path.read_text() for path in (running.output, running.errors, running.log))
        whole = "\n".join((output, errors, log))
        check("\r" not in whole, f"{running.case.name}: a carriage return:\n{whole!r}")
        check("blobs, " not in output, f"{running.case.name}: a line that callbacks for machines can't have:\n{output}")
        shown = "blobs, " in errors and "blobs, " in log
        check(shown == running.case.progress, f"{running.case.name}: {whole}")


main([stopped_plays])
