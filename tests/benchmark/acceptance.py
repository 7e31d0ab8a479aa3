# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which of the targets of speed the results reach."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from results import Results
from workloads import EMPTY, GIB, PAYLOADS, PLAYS, Workload

MS_PER_IMAGE = {"plain": 2.5, "htpasswd": 4.0, "tokens": 4.0}
"""What a further unchanged image may cost, by the login."""
UNCHANGED = {"c": {"image_copy": 0.35, "promote": 0.70}, "d": {"image_copy": 0.35, "promote": 0.45}}
"""The play beyond one with an empty task, of the whole time of skopeo sync."""
LARGE = {"image_copy": 0.88, "promote": 0.95}
"""The play beyond one with an empty task, of the whole time of the fastest peer."""
FROM_NOTHING = {"image_copy": 0.55, "promote": 0.65}
"""The whole play, of that of skopeo sync."""
REQUESTS_FROM_NOTHING = 12
"""At the destination, for each image."""
SECONDS_BEYOND = 0.7
"""What a play may take beyond one with an empty task and the fastest peer."""


@dataclass(frozen=True)
class Line:
    """One target: a value that is not to pass a limit."""

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
    """All targets for what was measured."""
    found: list[Line] = []
    for workload in results.workloads:
        found += _LETTERS.get(workload.letter, _nothing)(results, workload)
        found += _memory(results, workload)
    return sorted([*found, *_further_images(results)], key=lambda line: line.number)


def _nothing(_results: Results, _workload: Workload) -> Iterator[Line]:
    return iter(())


def _large(results: Results, workload: Workload) -> Iterator[Line]:
    for name, factor in LARGE.items():
        play, peer = results.median(workload.key, name), results.fastest_peer(workload)
        beyond = _beyond_empty(results, workload, name)
        if play is None or peer is None or beyond is None:
            continue
        if workload.size <= GIB:
            text = f"{workload.title}: {name} beyond a play with one empty task, of the time of the fastest peer"
            yield Line(2, text, beyond / peer, factor)
        else:
            yield Line(2, f"{workload.title}: {name}, of the time of the fastest peer", play / peer, 1.0, below=True)


def _beyond_empty(results: Results, workload: Workload, name: str) -> float | None:
    """Seconds that a play takes beyond one with an empty task."""
    play, empty = results.median(workload.key, name), results.median(workload.key, EMPTY)
    return play - empty if play is not None and empty is not None else None


def _unchanged(results: Results, workload: Workload) -> Iterator[Line]:
    sync = results.median(workload.key, "skopeo sync")
    if workload.key.endswith("-repositories"):
        return
    for name, factor in UNCHANGED[workload.letter].items():
        beyond = _beyond_empty(results, workload, name)
        if beyond is not None and sync:
            text = f"{workload.title}: {name} beyond a play with one empty task, of the time of skopeo sync"
            yield Line(1, text, beyond / sync, factor)


def _further_images(results: Results) -> Iterator[Line]:
    """What each image between (c) and (d) costs."""
    by_key = {workload.key: workload for workload in results.workloads}
    for access, limit in MS_PER_IMAGE.items():
        few, many = by_key.get(f"c-{access}"), by_key.get(f"d-{access}")
        if few is None or many is None:
            continue
        for name in PLAYS:
            first, last = results.median(few.key, name), results.median(many.key, name)
            if first and last:
                cost = (last - first) * 1000 / (many.images - few.images)
                yield Line(1, f"each further unchanged image, {access}: {name}", cost, limit, unit=" ms")


def _from_nothing(results: Results, workload: Workload) -> Iterator[Line]:
    sync = results.median(workload.key, "skopeo sync")
    for name, factor in FROM_NOTHING.items():
        play = results.median(workload.key, name)
        if play and sync:
            yield Line(3, f"{workload.title}: {name}, of the time of skopeo sync", play / sync, factor)
    requests = results.requests(workload.key, "image_copy")
    if requests is not None and requests.destination:
        text = f"{workload.title}: requests to the destination for each image"
        yield Line(3, text, requests.destination / workload.images, REQUESTS_FROM_NOTHING)


def _near_the_fastest(results: Results, workload: Workload) -> Iterator[Line]:
    beyond, peer = _beyond_empty(results, workload, "image_copy"), results.fastest_peer(workload)
    if beyond is not None and peer is not None:
        text = f"{workload.title}: image_copy beyond a play with one empty task and the fastest peer"
        yield Line(3, text, beyond - peer, SECONDS_BEYOND, unit=" s")


def _changes(results: Results, workload: Workload) -> Iterator[Line]:
    yield from _near_the_fastest(results, workload)
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
    play, sync = results.median(workload.key, "image_copy"), results.median(workload.key, "skopeo sync")
    if play and sync and workload.key == "h-c":
        yield Line(5, f"{workload.title}: the whole play, of the time of skopeo sync", play / sync, 0.2)
    if workload.key == "h-bytes":
        yield from _near_the_fastest(results, workload)


def _memory(results: Results, workload: Workload) -> Iterator[Line]:
    if "image_copy" not in results.names(workload):
        return
    whole, _payload = results.peak(workload, "image_copy")
    if workload.letter in ("a", "b"):
        _whole, payload = results.peak(workload, PAYLOADS[0]) if PAYLOADS[0] in results.names(workload) else (0, 0)
        if payload:
            yield Line(
                6, f"{workload.title}: peak memory of the module as a payload", payload / 1024, 64.0, unit=" MiB"
            )
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
