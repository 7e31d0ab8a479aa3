# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What was measured, by workload and tool."""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from measuring import Measurement, Requests
from workloads import BASELINES, LIMITS, PAYLOADS, PLAYS, Workload


class Results:
    """Medians are of the rounds that count, memory of all."""

    def __init__(self) -> None:
        self.workloads: list[Workload] = []
        self._counted: dict[tuple[str, str], list[Measurement]] = {}
        self._all: dict[tuple[str, str], list[Measurement]] = {}
        self._failed: set[tuple[str, str]] = set()

    def add(self, workload: Workload, name: str, measurement: Measurement, warm_up: bool) -> None:
        if workload not in self.workloads:
            self.workloads.append(workload)
        key = (workload.key, name)
        self._all.setdefault(key, []).append(measurement)
        if not warm_up:
            self._counted.setdefault(key, []).append(measurement)

    def fail(self, workload: Workload, name: str) -> None:
        """From now on it is left out."""
        key = (workload.key, name)
        self._failed.add(key)
        self._counted.pop(key, None)

    def has_failed(self, workload: Workload, name: str) -> bool:
        return (workload.key, name) in self._failed

    @property
    def failures(self) -> int:
        return len(self._failed)

    def names(self, workload: Workload) -> list[str]:
        """Who was measured, in the order of the workload."""
        return [name for name in workload.contenders if (workload.key, name) in self._counted]

    def failed(self, workload: Workload) -> list[str]:
        return [name for name in workload.contenders if (workload.key, name) in self._failed]

    def peers(self, workload: Workload) -> list[str]:
        """The tools that are compared with this collection."""
        return [name for name in self.names(workload) if name not in (*PLAYS, *PAYLOADS, *LIMITS, *BASELINES)]

    def median(
        self, key: str, name: str, what: Callable[[Measurement], float] = lambda one: one.seconds
    ) -> float | None:
        """None where that was not measured."""
        found = self._counted.get((key, name))
        return statistics.median(map(what, found)) if found else None

    def seconds(self, workload: Workload, name: str) -> list[float]:
        """Of every round that counts, the shortest first."""
        return sorted(one.seconds for one in self._counted[workload.key, name])

    def peak(self, workload: Workload, name: str) -> tuple[int, int]:
        """The most memory of a process, and of a module, in KiB."""
        found = self._all[workload.key, name]
        return max(one.peak_kib for one in found), max(one.module_peak_kib for one in found)

    def requests(self, key: str, name: str) -> Requests | None:
        """Those of the last round: every round makes the same ones, apart from the renewal of tokens."""
        found = self._counted.get((key, name))
        return found[-1].requests if found else None

    def fastest_peer(self, workload: Workload) -> float | None:
        found = [self.median(workload.key, name) for name in self.peers(workload)]
        return min((seconds for seconds in found if seconds is not None), default=None)

    def save(self, path: Path) -> None:
        """Every single run, for those who want to calculate with them."""
        value = [
            {"workload": key, "tool": name, "counted": number > 0, **asdict(one)}
            for (key, name), found in self._all.items()
            for number, one in enumerate(found)
        ]
        path.write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")
