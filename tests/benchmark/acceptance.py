# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which of the promises about speed the results keep."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from results import Results
from workloads import GIB, Workload

MS_PER_IMAGE = 4.0


@dataclass(frozen=True)
class Line:
    """One promise: a value that must not pass a limit."""

    number: int
    text: str
    value: float
    limit: float
    below: bool = False
    """Whether it must be less than the limit."""
    unit: str = ""

    @property
    def met(self) -> bool:
        return self.value < self.limit if self.below else self.value <= self.limit

    @property
    def verdict(self) -> str:
        """For a reader: yes or no, the value and the limit."""
        digits = 0 if self.value == int(self.value) and self.limit == int(self.limit) else 2
        limit = f"{'less than' if self.below else 'at most'} {self.limit:.{digits}f}"
        return f"{'met' if self.met else '**not met**'}: {self.value:.{digits}f}{self.unit}, {limit}"


def lines(results: Results) -> list[Line]:
    """All promises about what was measured."""
    found: list[Line] = []
    for workload in results.workloads:
        found += _LETTERS.get(workload.letter, _nothing)(results, workload)
        found += _memory(results, workload)
    return sorted([*found, *_further_images(results)], key=lambda line: line.number)


def _nothing(_results: Results, _workload: Workload) -> Iterator[Line]:
    return iter(())


def _large(results: Results, workload: Workload) -> Iterator[Line]:
    key, title = workload.key, workload.title
    copy = results.median(key, "image_copy", lambda one: one.module_seconds)
    for other, factor in (("crane", 0.8), ("skopeo copy", 0.88), ("destination from memory", 1.3)):
        seconds = results.median(key, other)
        if copy and seconds:
            yield Line(1, f"{title}: the module's own time, of that of {other} (aim)", copy / seconds, factor)
    play, role, peer = results.median(key, "image_copy"), results.median(key, "promote"), results.fastest_peer(workload)
    if play and peer:
        small = workload.size <= GIB
        text = f"{title}: the whole play, of the time of the fastest peer"
        yield Line(1, text, play / peer, 1.2 if small else 1.0, below=not small)
    if play and role:
        yield Line(1, f"{title}: what the role adds to the play", role - play, 1.8, unit=" s")


def _unchanged(results: Results, workload: Workload) -> Iterator[Line]:
    key = workload.key
    play, empty = results.median(key, "image_copy"), results.median(key, "play with one empty task")
    sync = results.median(key, "skopeo sync")
    if play and empty and sync and not key.endswith("-repositories"):
        text = f"{workload.title}: the play beyond one with an empty task, of the time of skopeo sync"
        yield Line(2, text, (play - empty) / sync, 0.6)


def _further_images(results: Results) -> Iterator[Line]:
    """What each image between (c) and (d) costs."""
    by_key = {workload.key: workload for workload in results.workloads}
    for access in ("plain", "htpasswd", "tokens"):
        few, many = by_key.get(f"c-{access}"), by_key.get(f"d-{access}")
        if few is None or many is None:
            continue
        costs = {}
        for name in ("image_copy", "skopeo sync"):
            first, last = results.median(few.key, name), results.median(many.key, name)
            if first and last:
                costs[name] = (last - first) * 1000 / (many.images - few.images)
        if len(costs) == 2:
            text = f"each further unchanged image, {access}"
            yield Line(2, text, costs["image_copy"], MS_PER_IMAGE, unit=" ms")
            half = costs["skopeo sync"] / 2
            yield Line(2, f"{text}, and half of that of skopeo sync", costs["image_copy"], half, below=True, unit=" ms")


def _from_nothing(results: Results, workload: Workload) -> Iterator[Line]:
    play, sync = results.median(workload.key, "image_copy"), results.median(workload.key, "skopeo sync")
    if play and sync:
        yield Line(3, f"{workload.title}: the whole play, of the time of skopeo sync", play / sync, 0.7)


def _changes(results: Results, workload: Workload) -> Iterator[Line]:
    requests = results.requests(workload.key, "image_copy")
    others = [results.requests(workload.key, name) for name in results.peers(workload)]
    totals = [other.total - other.artifacts for other in others if other is not None]
    if requests is None or not totals:
        return
    overhead = 64 * 1024  # manifests and the configuration
    mib = 1024 * 1024
    text = f"{workload.title}: MiB read at the source, of those that changed"
    yield Line(4, text, requests.source_bytes / mib, (workload.size + overhead) / mib)
    apart = f"without {requests.safety} for safety and {requests.artifacts} that look for artifacts"
    text = f"{workload.title}: requests {apart}; and those of the best peer without the latter"
    yield Line(4, text, requests.total - requests.safety - requests.artifacts, min(totals))


def _delayed(results: Results, workload: Workload) -> Iterator[Line]:
    play = results.median(workload.key, "image_copy")
    sync, peer = results.median(workload.key, "skopeo sync"), results.fastest_peer(workload)
    if play and sync and workload.key == "h-c":
        yield Line(5, f"{workload.title}: the whole play, of the time of skopeo sync", play / sync, 0.2)
    if play and peer and workload.key == "h-bytes":
        yield Line(5, f"{workload.title}: the whole play, of the time of the fastest peer", play / peer, 1.0)


def _memory(results: Results, workload: Workload) -> Iterator[Line]:
    if "image_copy" not in results.names(workload):
        return
    whole, module = results.peak(workload, "image_copy")
    if module and workload.letter in ("a", "b"):
        yield Line(6, f"{workload.title}: peak memory of the module", module / 1024, 64.0, unit=" MiB")
    if whole and workload.letter == "d":
        yield Line(6, f"{workload.title}: peak memory of the largest process", whole / 1024, 200.0, unit=" MiB")


_LETTERS = {
    "a": _large,
    "c": _unchanged,
    "d": _unchanged,
    "e": _from_nothing,
    "f": _changes,
    "g": _changes,
    "h": _delayed,
}
