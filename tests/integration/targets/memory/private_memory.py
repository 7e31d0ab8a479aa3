# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The memory that worker and child of a module in place have for themselves while a large layer is copied."""

from __future__ import annotations

import time
from pathlib import Path

from runs import CONFIG, Plain, check, connection, inventory, say, seed, task
from stopping import begin, parent_of

SOURCE, DESTINATION = "dev", "prod"
LIMIT_MIB = 40
LAYER = int(CONFIG["layer_mib"]) * 1024**2


def private_memory(pid: int) -> int:
    """Bytes that no other process has (USS)."""
    total = 0
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        name, _colon, rest = line.partition(":")
        if name in ("Private_Clean", "Private_Dirty", "Private_Hugetlb"):
            total += int(rest.split()[0]) * 1024
    return total


def peak(name: str, step: Plain) -> float:
    """The most that workers and what they fork have at a time, in MiB, while a play runs."""
    running = begin(name, [{"hosts": "localhost", "gather_facts": False, "tasks": [step]}], inventory())
    most = 0
    try:
        while running.process.poll() is None:
            below = [running.process.pid]
            found = running.processes()
            for pid in below:
                below += [child for child in found if child not in below and has_parent(child, pid)]
            try:
                most = max(most, sum(private_memory(pid) for pid in below[1:]))
            except OSError:
                continue
            time.sleep(0.02)
    finally:
        running.end()
    check(running.process.returncode == 0, running.printed())
    return most / 1024**2


def has_parent(child: int, pid: int) -> bool:
    try:
        return parent_of(child) == pid
    except OSError:
        return False


def little_memory() -> None:
    """Beyond a worker with an empty task, which waits so that it can be looked at."""
    (image,) = seed(SOURCE, "single", "memory", layers=1, layer_size=LAYER)
    empty = peak("empty", {"ansible.builtin.debug": {"msg": "{{ lookup('ansible.builtin.pipe', 'exec sleep 2') }}"}})
    wanted = {"repository": image["repository"], "tag": image["tag"], "destination_repository": f"m/{time.time_ns()}"}
    ends = {**connection(DESTINATION), "source": connection(SOURCE)}
    copied = peak("copied", task("image_copy", {**ends, "images": [wanted]}))
    say(f"private memory: {copied:.1f} MiB, {empty:.1f} MiB of a worker with an empty task")
    check(0 < empty < copied < empty + LIMIT_MIB, "that is too much, or nothing was seen")
