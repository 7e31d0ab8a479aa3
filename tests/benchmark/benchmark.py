# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""make bench: this collection beside the tools that people shell out to, on the same work."""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
# The harness is programs of its own, and no package that could be imported otherwise.
sys.path[:0] = [str(HERE), str(HERE.parent / "registries")]

import report  # noqa: E402
from binaries import find_binary  # noqa: E402
from contenders import Contender, Job, contenders  # noqa: E402
from measuring import Measurement, RunError  # noqa: E402
from results import Results  # noqa: E402
from sites import Sites  # noqa: E402
from workloads import BASELINES, LIMITS, QUICK, Sizes, Workload, workloads  # noqa: E402


class Benchmark:
    """Runs workloads, and keeps what they took."""

    def __init__(self, sites: Sites, directory: Path, known: dict[str, Contender], rounds: int, warm_up: bool) -> None:
        self._sites = sites
        self._directory = directory
        self._contenders = known
        self._rounds = rounds
        self._first = 1 if warm_up else 0
        self.results = Results()

    def run(self, workload: Workload) -> None:
        """Each contender in turn, in a round to warm up and in those that count, each time another one first."""
        started = time.monotonic()
        site = self._sites[workload.access]
        print(f"({workload.letter}) {workload.title}", flush=True)
        images = workload.prepare(site)
        layers = workload.layers() if workload.layers else []
        names = [name for name in workload.contenders if name in self._contenders]
        number = 0
        for count in range(self._first + self._rounds):
            start = count % len(names)
            for name in names[start:] + names[:start]:
                once = name in workload.once
                if self.results.has_failed(workload, name) or (once and count != self._first):
                    continue
                number += 1
                files = self._directory / "files"
                shutil.rmtree(files, ignore_errors=True)
                files.mkdir()
                wanted = workload.prepare_run(site, images, number)
                log = self._directory / f"{workload.key}-{name.replace(' ', '-')}.log"
                watch = workload.watch_modules or count == 0
                job = Job(site, workload.destination, wanted, layers, files, log, watch)
                try:
                    measurement = self._measure(workload, self._contenders[name], job)
                except RunError as error:
                    print(f"    {name} failed: {error}", flush=True)
                    self.results.fail(workload, name)
                    continue
                self.results.add(workload, name, measurement, warm_up=count < self._first)
        if workload.fresh:
            site.empty()
        for line in report.summary(self.results, workload):
            print(f"    {line}", flush=True)
        print(f"    measured in {time.monotonic() - started:.0f} s", flush=True)

    @staticmethod
    def _measure(workload: Workload, contender: Contender, job: Job) -> Measurement:
        job.site.forget_requests()
        before = job.site.processor_seconds(workload.destination)
        measurement = contender.run(job)
        measurement.registries_seconds = job.site.processor_seconds(workload.destination) - before
        if contender.name not in (*BASELINES, *LIMITS):
            job.site.check(workload.destination, job.images)
        measurement.requests = job.site.requests(workload.destination)
        return measurement


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench ARGS=...", description=__doc__)
    parser.add_argument("--core", type=Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--directory", type=Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--docs", type=Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--only", default="", metavar="a,c-plain", help="letters or names of workloads; prints only")
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="after one to warm up (default: 3)")
    parser.add_argument("--write", action="store_true", help="write docs/benchmark.md with the parts of --only as well")
    parser.add_argument("--quick", action="store_true", help="little work, once, to see that it runs; prints only")
    options = parser.parse_args()
    if options.rounds < 1:
        parser.error("at least one round is needed")
    return options


def _end(number: int, _frame: object) -> None:
    """End, once: further signals must not disturb the cleaning up."""
    for ending in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, signal.SIG_IGN)
    sys.exit(128 + number)


def main() -> int:
    options = _arguments()
    for ending in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, _end)
    every = workloads(QUICK if options.quick else Sizes())
    only = [name for name in options.only.split(",") if name]
    unknown = [name for name in only if not any(name in (one.letter, one.key) for one in every)]
    if unknown:
        keys = ", ".join(dict.fromkeys(key for one in every for key in (one.letter, one.key)))
        raise SystemExit(f"There is no workload {unknown[0]}. There are: {keys}")
    chosen = [one for one in every if not only or one.letter in only or one.key in only]
    options.directory.mkdir(parents=True, exist_ok=True)
    sites = Sites(options.directory / "registries")
    sites.stop()  # what an interrupted run has left
    known = contenders(options.core)
    rounds = 1 if options.quick else options.rounds
    benchmark = Benchmark(sites, options.directory, known, rounds, warm_up=not options.quick)
    try:
        for workload in chosen:
            benchmark.run(workload)
    finally:
        sites.stop()
    text = report.text(benchmark.results, known, options.core, find_binary(None).path)
    benchmark.results.save(options.directory / "results.json")
    if (only and not options.write) or options.quick:
        print(text)
    else:
        report.write(options.docs, text, benchmark.results)
    failed = benchmark.results.failures
    print(f"bench: {len(chosen)} workloads, {failed} failures")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
