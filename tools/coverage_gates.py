# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How much of the code the unit tests must run, lines and branches together, and which parts of it they don't."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

MODULE_UTILS = "module_utils"
BORDER = ("modules", "action", "plugin_utils")
WHOLE_LEAST = 97.0
PACKAGE_LEAST = 95.0
BORDER_LEAST = 90.0
_NAMED = 5
"""Files that a sentence names."""


class Counted(NamedTuple):
    """What of a file, or of several, was run."""

    run: int
    all: int

    def __add__(self, other: object) -> Counted:
        run, every = other if isinstance(other, Counted) else (0, 0)
        return Counted(self.run + run, self.all + every)

    @property
    def missing(self) -> int:
        """Lines and branches that no test runs."""
        return self.all - self.run

    @property
    def percent(self) -> float:
        """Of lines and branches. What has none is run as a whole."""
        return 100.0 * self.run / self.all if self.all else 100.0


class Gate(NamedTuple):
    """A part of the code, and how many per cent of it must be run."""

    name: str
    least: float
    files: Mapping[str, Counted]

    @property
    def counted(self) -> Counted:
        """All of its files together."""
        return sum(self.files.values(), Counted(0, 0))

    def problem(self) -> str:
        """One sentence with the files that miss most, where it is too little; else empty."""
        if self.counted.percent >= self.least:
            return ""
        worst = sorted(self.files.items(), key=lambda entry: -entry[1].missing)[:_NAMED]
        named = ", ".join(f"{name} ({counted.missing})" for name, counted in worst if counted.missing)
        return (
            f"Unit tests run {self.counted.percent:.1f} % of {self.name}, and {self.least:.0f} % are needed. "
            f"Lines and branches that are missing: {named}."
        )


def files_of(report: Mapping[str, Any]) -> dict[str, Counted]:
    """What was run of each file below ``plugins``, from what ``coverage json`` has written."""
    files = {}
    for path, entry in report["files"].items():
        summary = entry["summary"]
        run = summary["covered_lines"] + summary["covered_branches"]
        name = str(PurePosixPath(path).relative_to("plugins"))
        files[name] = Counted(run, summary["num_statements"] + summary["num_branches"])
    return files


def gates(files: Mapping[str, Counted]) -> Iterator[Gate]:
    """All gates: module_utils, each of its packages, and what is at the border to Ansible.

    Raises :class:`ValueError` where there is nothing to measure: then nothing was held.
    """
    utils = _below(files, [MODULE_UTILS])
    border = _below(files, BORDER)
    packages = sorted({PurePosixPath(name).parts[1] for name in utils})
    if not utils or any(not _below(files, [part]) for part in BORDER):
        raise ValueError("parts of plugins were not measured")
    yield Gate(MODULE_UTILS, WHOLE_LEAST, utils)
    for package in packages:
        yield Gate(f"{MODULE_UTILS}/{package}", PACKAGE_LEAST, _below(files, [f"{MODULE_UTILS}/{package}"]))
    yield Gate(", ".join(BORDER), BORDER_LEAST, border)


def _below(files: Mapping[str, Counted], parts: Iterable[str]) -> dict[str, Counted]:
    prefixes = tuple(f"{part}/" for part in parts)
    return {name: counted for name, counted in files.items() if name.startswith(prefixes)}


def judge(report: Path) -> tuple[str, list[str]]:
    """One line with what was run, and a sentence for each gate that isn't met. Raises :class:`OSError`."""
    found = list(gates(files_of(json.loads(report.read_text(encoding="utf-8")))))
    whole, *packages, border = found
    lowest = min(packages, key=lambda gate: gate.counted.percent)
    line = (
        f"coverage with branches: {_shown(whole)}, lowest {_shown(lowest)}; {_shown(border)} "
        f"(at least {WHOLE_LEAST:.0f}, {PACKAGE_LEAST:.0f} and {BORDER_LEAST:.0f} %)"
    )
    return line, [problem for problem in (gate.problem() for gate in found) if problem]


def _shown(gate: Gate) -> str:
    return f"{gate.name.rpartition('/')[2]} {gate.counted.percent:.1f} %"
