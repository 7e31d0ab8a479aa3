# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The report: tables, targets, and the description of the machine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import acceptance
import machine
import plot
from contenders import Contender
from results import Results
from workloads import BASELINES, LIMITS, PAYLOADS, PLAYS, Workload

MIB = 1024 * 1024
HEAD = """<!--
GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
SPDX-License-Identifier: GPL-3.0-or-later
-->

# How fast it is

Written by `make bench`; do not edit it. It runs this collection and the tools that people shell out to in turn, on the
same work, against the same registries. skopeo is that of Debian, with `--all --preserve-digests`. crane, regctl and
oras (with `--recursive`) take part where they are on the `PATH`, in `~/go/bin`, or where
`tests/benchmark/install-peers.sh` builds them with Go.

    make bench                              all of it, and this page
    make bench ARGS="--only a,c-plain"      parts of it, printed only
    make bench ARGS="--only a,c --write"    the same, and this page with these parts only
    make bench ARGS="--quick"               little work, to see that it runs

"""
EXPLANATION = """Times are medians of some rounds after one to warm up, in which the tools take turns: seconds of wall
time, with the least and the most in parentheses unless the work was done once, of processor time, and of that which
source and destination (without token servers) took meanwhile.
`image_copy` and `promote` are whole plays, the start of `ansible-playbook` included. Their modules run in place,
or, where the row says so, as payloads; the modules' own time is the lifetime of the payloads' processes. Where a
tool has no command for many images, its command is run in a loop of the shell. Memory is that of the largest single
process, and for plays that of the largest payload after the comma. Requests are those in the access logs of source,
destination and token servers; MiB are those read at the source. Every copy from nothing goes to a new, empty
registry. `destination from memory` and `source to nobody` are limits: the time in which the destination takes the
same bytes from memory over four connections, without a source, and in which the source gives them to nobody.
"""
TARGETS = "For developers: what the project aims at, and what this run reached. They are no promises."


def text(results: Results, known: Mapping[str, Contender], core: Path, registry: str) -> str:
    """Machine, tables and targets as Markdown."""
    parts = ["## Machine", ""]
    parts += [f"- {line}" for line in machine.describe(known, core, registry)]
    parts += ["", "## Measurements", "", EXPLANATION.rstrip()]
    for workload in results.workloads:
        parts += ["", *table(results, workload)]
    targets = acceptance.lines(results)
    if targets:
        parts += ["", "## Targets", "", TARGETS, "", "| | what | result |", "| --- | --- | --- |"]
        parts += [f"| {line.number} | {line.text} | {line.verdict} |" for line in targets]
    return "\n".join(parts) + "\n"


def write(docs: Path, body: str, results: Results) -> None:
    """The page and its picture."""
    (docs / "benchmark.svg").write_text(plot.picture(results), encoding="utf-8")
    page = HEAD + "![Cost against the number of images and of bytes](benchmark.svg)\n\n" + body
    (docs / "benchmark.md").write_text(page, encoding="utf-8")


def table(results: Results, workload: Workload) -> Iterator[str]:
    name = "for the picture" if workload.letter == "p" else workload.letter
    yield f"### ({name}) {workload.title}"
    yield ""
    yield "| tool | seconds | of the best peer | of skopeo | processor | registries | memory, MiB | requests | MiB |"
    yield "| --- | --- | --- | --- | --- | --- | --- | --- | --- |"
    best = results.fastest_peer(workload)
    skopeo = next((results.median(workload.key, name) for name in results.peers(workload) if "skopeo" in name), None)
    for name in results.names(workload):
        yield from _row(results, workload, name, best, skopeo)
    for name in results.failed(workload):
        yield f"| {name} | failed | | | | | | | |"


def _row(results: Results, workload: Workload, name: str, best: float | None, skopeo: float | None) -> Iterator[str]:
    seconds = results.median(workload.key, name) or 0.0
    every = results.seconds(workload, name)
    spread = f" ({every[0]:.2f} to {every[-1]:.2f})" if len(every) > 1 else ""
    processor = results.median(workload.key, name, lambda one: one.processor_seconds) or 0.0
    whole, module = results.peak(workload, name)
    requests = results.requests(workload.key, name)
    cells = [name, f"{seconds:.2f}{spread}"]
    compared = name not in BASELINES
    cells += [
        f"{seconds / best:.2f}" if best and compared else "",
        f"{seconds / skopeo:.2f}" if skopeo and compared else "",
    ]
    cells += ["" if name in LIMITS else f"{processor:.2f}"]
    registries = results.median(workload.key, name, lambda one: one.registries_seconds) or 0.0
    cells += ["" if name in BASELINES else f"{registries:.2f}"]
    cells += ["" if name in LIMITS else f"{whole / 1024:.0f}" + (f", {module / 1024:.0f}" if module else "")]
    if requests is None or name in (*BASELINES, *LIMITS):
        cells += ["", ""]
    else:
        apart = [f"{requests.safety} for safety"] * (requests.safety > 0 and name in (*PLAYS, *PAYLOADS))
        apart += [f"{requests.artifacts} for artifacts"] * (requests.artifacts > 0)
        sides = f"{requests.source} + {requests.destination} + {requests.tokens}"
        cells += [sides + (f", of them {', '.join(apart)}" if apart else ""), f"{requests.source_bytes / MIB:.1f}"]
    yield f"| {' | '.join(cells)} |"
    own = results.median(workload.key, name, lambda one: one.module_seconds)
    if own and workload.watch_modules:
        shares = [f"{own / other:.2f}" if other else "" for other in (best, skopeo)]
        yield f"| {name}, modules' own time | {own:.2f} | {shares[0]} | {shares[1]} | | | | | |"


def summary(results: Results, workload: Workload) -> Iterator[str]:
    """One line for each tool, while it runs."""
    for name in results.names(workload):
        own = results.median(workload.key, name, lambda one: one.module_seconds)
        watched = f", modules {own:.2f} s" if own and workload.watch_modules else ""
        yield f"{name}: {results.median(workload.key, name) or 0:.2f} s{watched}"
