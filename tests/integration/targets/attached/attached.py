# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plays that are stopped in the middle of a long copy, or while a module that only reads waits for a credential helper,
in every way there is: 20 seconds later nothing goes on."""

from __future__ import annotations

import json
import os
import re
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from runs import (
    PROMOTE,
    REGISTRIES,
    Plain,
    check,
    connection,
    main,
    mark,
    private_file,
    requests_since,
    say,
    seed,
    task,
)
from stopping import Running, begin

from fault_control import FaultControl

HERE = Path(__file__).resolve().parent
SOURCE, DESTINATION = "dev", "faulty"
LOGIN = "prod-htpasswd"
TAG = "1.0"
LAYERS = 30
DELAY = 500
"""Milliseconds each way. With one job, a copy of so many layers takes about a minute."""
TIMEOUT = 25
"""Seconds of the cases that end by themselves: less than the copy takes."""
TIMEOUT_ASKING = 15
"""The same of those that ask a helper: less than it is given."""
PREFIX = f"attached/{time.time_ns()}"
"""New at every run: what an earlier one has left there would be taken for copied."""
SHOWN = re.compile(
    r"^(localhost|far): imageops\.registry\.(image_copy|blob): [1-9]\d* of \d+ blobs, [\d.]+ [kM]?B of [\d.]+ MB",
    re.MULTILINE,
)


class Case(NamedTuple):
    """A task that is stopped: where the module runs, how it is stopped, and what copies, or asks a helper."""

    host: str
    stop: str
    role: bool = False
    progress: bool = True
    asks: bool = False

    @property
    def name(self) -> str:
        return f"{self.host}-{self.stop}{'-role' if self.role else ''}{'-asks' if self.asks else ''}".lower()


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


ASKING = [
    Case("localhost", "SIGINT", asks=True),
    Case("localhost", "SIGKILL", asks=True),
    Case("localhost", "everything", asks=True),
    Case("far", "SIGTERM", asks=True),
    Case("far", "SIGKILL", asks=True),
    Case("far", "everything", asks=True),
    Case("far", "timeout", asks=True),
]
"""Stopped while a credential helper is asked, which would be given 30 seconds."""


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


def asking(case: Case, auth_file: str) -> Plain:
    """Looks whether a registry takes the credential; or, in check mode, what a module that writes would do."""
    options = {**connection(LOGIN, None), "auth_file": auth_file}
    timeout = TIMEOUT_ASKING if case.stop == "timeout" else 0
    if case.stop == "SIGTERM":
        absent = {**options, "repository": "attached", "tag": TAG, "state": "absent"}
        return {**task("tag", absent, timeout=timeout), "check_mode": True}
    return task("registry_info", options, timeout=timeout)


def start(case: Case, task_of_it: Plain, **environment: str) -> Running:
    here = f"ansible_python_interpreter='{sys.executable}'"
    # In place there is no lease: the target in_place stops what runs so.
    hosts = private_file(
        "hosts",
        f"localhost ansible_connection=local imageops_registry_in_place=false {here}\n"
        f"far ansible_connection=apart {here}\n",
    )
    plays: list[Plain] = [{"hosts": case.host, "gather_facts": False, "tasks": [task_of_it]}]
    return begin(case.name, plays, hosts, ANSIBLE_CONNECTION_PLUGINS=str(HERE / "connection"), **environment)


def stop(case: Case, running: Running) -> None:
    process = running.process
    if case.stop == "everything":
        for pid in running.processes():
            if b"ansible-playbook" in Path(f"/proc/{pid}/cmdline").read_bytes():
                os.kill(pid, signal.SIGKILL)
    elif case.stop == "SIGINT":
        # As a terminal does it.
        os.killpg(process.pid, signal.SIGINT)
    else:
        os.kill(process.pid, signal.Signals[case.stop])


def stop_all(all_running: dict[Case, Running], is_under_way: Callable[[Case], bool]) -> None:
    """Stop each as soon as it is under way, unless it ends after a time, and see that nothing runs after it."""
    waiting = dict(all_running)
    while waiting:
        for case, running in list(waiting.items()):
            has_ended = running.process.poll() is not None
            if case.stop == "timeout":
                check(not has_ended or running.process.returncode == 2, f"{case.name}: {running.printed()}")
            else:
                check(not has_ended, f"{case.name} ended by itself:\n{running.printed()}")
                if is_under_way(case):
                    stop(case, running)
                    has_ended = True
            if has_ended:
                del waiting[case]
        time.sleep(0.1)
    all_stopped = time.monotonic()
    for running in all_running.values():
        say(f"{running.name}: nothing runs after {running.wait_until_nothing_runs(all_stopped):.1f} s")


def stopped_plays() -> None:
    """Each is stopped when its copy is under way, which a line on standard error says, and none on standard output."""
    (image,) = seed(SOURCE, "single", "attached", layers=LAYERS, layer_size=64 * 1024)
    faults = FaultControl(REGISTRIES[DESTINATION]["faults_path"])
    faults.switch({"": f"delay={DELAY}"})
    beginning = mark()
    all_running: dict[Case, Running] = {}
    try:
        # Those that end after a time begin alone, so that they copy something in it on a slow machine, too.
        all_running = {case: start(case, copying(case, image)) for case in CASES if case.stop == "timeout"}
        shown = [running for case, running in all_running.items() if case.progress]
        while not all(SHOWN.search(running.errors.read_text()) for running in shown):
            check(all(running.process.poll() is None for running in shown), "a time-out came before the first blob")
            time.sleep(0.1)
        all_running |= {case: start(case, copying(case, image)) for case in CASES if case.stop != "timeout"}
        stop_all(all_running, lambda case: SHOWN.search(all_running[case].printed()) is not None)
    finally:
        for running in all_running.values():
            running.end()
        faults.switch({"": ""})
    seen = requests_since(beginning, DESTINATION)
    for name in (case.name for case in all_running):
        of_it = [entry for entry in seen if f"/{PREFIX}-{name}/" in entry["path"]]
        uploads = [entry for entry in of_it if entry["method"] == "PUT" and "/blobs/uploads/" in entry["path"]]
        check(0 < len(uploads) < LAYERS, f"{name}: {len(uploads)} blobs had arrived")
        tags = [entry for entry in of_it if entry["method"] == "PUT" and entry["path"].endswith(f"/manifests/{TAG}")]
        check(not tags, f"{name}: a tag has moved: {tags}")
        say(f"{name}: {len(uploads)} blobs had arrived")
    for case, running in all_running.items():
        output, errors, log = (path.read_text() for path in (running.output, running.errors, running.log))
        whole = "\n".join((output, errors, log))
        check("\r" not in whole, f"{case.name}: a carriage return:\n{whole!r}")
        check("blobs, " not in output, f"{case.name}: a line that callbacks for machines cannot have:\n{output}")
        shown = "blobs, " in errors and "blobs, " in log
        check(shown == case.progress, f"{case.name}: {whole}")


def stopped_helpers() -> None:
    """Each is stopped when its helper has been asked, which a file says."""
    helpers = {"credHelpers": {REGISTRIES[LOGIN]["address"]: "asleep"}}
    auth_file = str(private_file("asleep.json", json.dumps(helpers)))
    all_running: dict[Case, Running] = {}
    asked = {case: private_file(f"asked-{case.name}", "") for case in ASKING}
    path = f"{HERE / 'helpers'}:{os.environ['PATH']}"
    try:
        # Those that end after a time begin alone, as those that copy.
        for case, file in sorted(asked.items(), key=lambda pair: pair[0].stop != "timeout"):
            all_running[case] = start(case, asking(case, auth_file), PATH=path, ASLEEP=str(file))
            while case.stop == "timeout" and not file.read_text():
                check(all_running[case].process.poll() is None, f"{case.name}: the time-out came first")
                time.sleep(0.1)
        stop_all(all_running, lambda case: asked[case].read_text() != "")
    finally:
        for running in all_running.values():
            running.end()


main([stopped_helpers, stopped_plays])
