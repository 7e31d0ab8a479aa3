# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The picture of the report: cost against the number of images and of bytes, as SVG, both scales logarithmic."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

from results import Results
from workloads import BASELINES, LIMITS, PAYLOADS, Workload

HEADER = """\
<!-- GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
     SPDX-License-Identifier: GPL-3.0-or-later
     Written by make bench. -->"""
MIB = 1024 * 1024
WIDTH, HEIGHT, LEFT, TOP, BOTTOM, RIGHT = 420, 380, 52, 40, 44, 14
COLOURS = {
    "image_copy": "#c1121f",
    "promote": "#f08a24",
    "skopeo copy": "#1d4e89",
    "skopeo sync": "#1d4e89",
    "crane": "#2a9d4b",
    "regctl": "#7b4fa3",
    "oras": "#777777",
}
Points = dict[str, list[tuple[float, float]]]  # by tool


def picture(results: Results) -> str:
    """Three charts beside each other."""
    charts = (
        ("Unchanged images, no login", "images", _points(results, _unchanged, lambda one: one.images)),
        ("Small images from nothing, no login", "images", _points(results, _fresh, lambda one: one.images)),
        ("One image, TLS and tokens", "MiB", _points(results, _bytes, lambda one: one.size / MIB)),
    )
    width = WIDTH * len(charts)
    parts = [
        HEADER,
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {HEIGHT + 24}" width="{width}" '
        f'height="{HEIGHT + 24}" font-family="sans-serif" font-size="12">',
        f'<rect width="{width}" height="{HEIGHT + 24}" fill="#ffffff"/>',
    ]
    for number, (title, unit, points) in enumerate(charts):
        parts.append(f'<g transform="translate({number * WIDTH},0)">')
        parts += _chart(title, unit, points)
        parts.append("</g>")
    parts += _legend({name for _title, _unit, points in charts for name in points})
    return "\n".join([*parts, "</svg>", ""])


def _unchanged(workload: Workload) -> bool:
    return workload.access == "plain" and not workload.fresh and workload.letter in "cdp"


def _fresh(workload: Workload) -> bool:
    return workload.access == "plain" and workload.fresh and workload.letter in "ep"


def _bytes(workload: Workload) -> bool:
    return workload.access == "tokens" and workload.fresh and workload.size > 0


def _points(results: Results, chosen: Callable[[Workload], bool], x: Callable[[Workload], float]) -> Points:
    points: Points = {}
    for workload in sorted(filter(chosen, results.workloads), key=x):
        for name in results.names(workload):
            seconds = results.median(workload.key, name)
            if seconds and name not in (*BASELINES, *LIMITS, *PAYLOADS):
                points.setdefault(name, []).append((x(workload), seconds))
    return points


def _chart(title: str, unit: str, points: Points) -> Iterator[str]:
    yield f'<text x="{LEFT}" y="22" font-weight="bold">{title}</text>'
    every = [point for line in points.values() for point in line]
    if not every:
        return
    across = _Scale([x for x, _y in every], LEFT, WIDTH - RIGHT)
    up = _Scale([y for _x, y in every], HEIGHT - BOTTOM, TOP)
    for value in sorted({point[0] for point in every}):
        column = f"{across(value):.1f}"
        yield f'<line x1="{column}" x2="{column}" y1="{TOP}" y2="{HEIGHT - BOTTOM}" stroke="#eeeeee"/>'
        yield f'<text x="{column}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">{value:g}</text>'
    for value in up.ticks():
        level = f"{up(value):.1f}"
        yield f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{level}" y2="{level}" stroke="#dddddd"/>'
        yield f'<text x="{LEFT - 6}" y="{up(value) + 4:.1f}" text-anchor="end">{value:g}</text>'
    yield f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 10}" text-anchor="middle">{unit}</text>'
    yield f'<text x="{LEFT - 40}" y="{TOP - 4}">s</text>'
    for name, line in points.items():
        path = " ".join(f"{across(x):.1f},{up(y):.1f}" for x, y in line)
        yield f'<polyline points="{path}" fill="none" stroke="{COLOURS[name]}" stroke-width="2"/>'
        for x, y in line:
            yield f'<circle cx="{across(x):.1f}" cy="{up(y):.1f}" r="3" fill="{COLOURS[name]}"/>'


def _legend(names: set[str]) -> Iterator[str]:
    x = LEFT
    for name, colour in COLOURS.items():
        if name in names:
            yield f'<rect x="{x}" y="{HEIGHT + 4}" width="12" height="12" fill="{colour}"/>'
            yield f'<text x="{x + 17}" y="{HEIGHT + 14}">{name}</text>'
            x += 40 + 7 * len(name)


class _Scale:
    """Logarithmic, with a little room at both ends."""

    def __init__(self, values: list[float], first: float, last: float) -> None:
        self._low, self._high = math.log(min(values) / 1.25), math.log(max(values) * 1.25)
        self._first, self._last = first, last

    def __call__(self, value: float) -> float:
        share = (math.log(value) - self._low) / (self._high - self._low)
        return self._first + share * (self._last - self._first)

    def ticks(self) -> Iterator[float]:
        for power in range(-3, 6):
            for factor in (1, 2, 5):
                value = factor * 10.0**power
                if self._low <= math.log(value) <= self._high:
                    yield value
