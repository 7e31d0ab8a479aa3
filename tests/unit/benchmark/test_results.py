# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the benchmark makes of its measurements."""

from __future__ import annotations

import pathlib
import sys
import typing as t
from xml.etree import ElementTree

import pytest

TESTS = pathlib.Path(__file__).resolve().parents[2]
# They are programs of their own, no packages. Two are named as directories of tests: below, the path is as before.
sys.path[:0] = [str(TESTS / "benchmark"), str(TESTS / "registries")]

import acceptance  # noqa: E402
import plot  # noqa: E402
from measuring import Measurement, Requests  # noqa: E402
from results import Results  # noqa: E402
from workloads import PLAYS, Sizes, Workload, workloads  # noqa: E402

del sys.path[:2]

WORKLOADS = {workload.key: workload for workload in workloads(Sizes())}


def measured(*runs: tuple[str, str, Measurement]) -> Results:
    """One round of each, by workload and tool."""
    results = Results()
    for key, name, measurement in runs:
        results.add(WORKLOADS[key], name, measurement, warm_up=False)
    return results


def everything(seconds: t.Callable[[Workload, str], float]) -> Results:
    return measured(
        *(
            (key, name, Measurement(seconds(one, name), peak_kib=1, module_peak_kib=1))
            for key, one in WORKLOADS.items()
            for name in one.contenders
        )
    )


def target(results: Results, text: str) -> acceptance.Line:
    (line,) = [line for line in acceptance.lines(results) if text in line.text]
    return line


def test_each_workload_has_a_key_of_its_own() -> None:
    assert len(WORKLOADS) == len(workloads(Sizes()))


def test_medians_are_of_the_rounds_that_count_and_memory_is_of_all() -> None:
    results, workload = Results(), WORKLOADS["e"]
    results.add(workload, "crane", Measurement(9.0, peak_kib=300), warm_up=True)
    for seconds in (3.0, 1.0, 2.0):
        results.add(workload, "crane", Measurement(seconds, peak_kib=100), warm_up=False)
    assert results.median("e", "crane") == 2.0
    assert results.seconds(workload, "crane") == [1.0, 2.0, 3.0]
    assert results.peak(workload, "crane") == (300, 0)
    assert results.fastest_peer(workload) == 2.0


def test_who_failed_once_has_no_result() -> None:
    results, workload = Results(), WORKLOADS["e"]
    results.add(workload, "crane", Measurement(1.0), warm_up=False)
    results.fail(workload, "crane")
    assert results.names(workload) == []
    assert results.failed(workload) == ["crane"]
    assert results.median("e", "crane") is None


@pytest.mark.parametrize(("name", "seconds", "met"), [("image_copy", 5.4, True), ("image_copy", 5.6, False)])
def test_images_from_nothing(name: str, seconds: float, met: bool) -> None:
    results = measured(("e", name, Measurement(seconds)), ("e", "skopeo sync", Measurement(10.0)))
    assert target(results, "from nothing").met is met


@pytest.mark.parametrize(("requests", "met"), [(1200, True), (1201, False)])
def test_requests_for_images_from_nothing(requests: int, met: bool) -> None:
    results = measured(("e", "image_copy", Measurement(1.0, requests=Requests(destination=requests))))
    assert target(results, "requests to the destination").met is met


@pytest.mark.parametrize(
    ("key", "name", "seconds", "met"),
    [
        ("a-1024m", "image_copy", 4.5, True),
        ("a-1024m", "image_copy", 4.6, False),
        ("a-1024m", "promote", 4.7, True),
        ("a-4096m", "promote", 4.0, False),
    ],
)
def test_large_images(key: str, name: str, seconds: float, met: bool) -> None:
    """Up to a GiB, the start of Ansible isn't counted; it must be made up for with larger ones."""
    runs = [
        (key, "play with one empty task", Measurement(1.0)),
        (key, name, Measurement(seconds)),
        (key, "crane", Measurement(4.0)),
        (key, "regctl", Measurement(5.0)),
    ]
    assert target(measured(*runs), "the fastest peer").met is met


@pytest.mark.parametrize(("seconds", "met"), [(1.6, True), (1.8, False)])
def test_unchanged_images(seconds: float, met: bool) -> None:
    runs = [
        ("c-plain", "play with one empty task", Measurement(1.0)),
        ("c-plain", "image_copy", Measurement(seconds)),
        ("c-plain", "skopeo sync", Measurement(2.0)),
    ]
    assert target(measured(*runs), "skopeo sync").met is met


def test_an_unchanged_image_more() -> None:
    runs = [("c-plain", "image_copy", Measurement(1.0)), ("d-plain", "image_copy", Measurement(2.8))]
    line = target(measured(*runs), "further")
    assert (round(line.value, 6), line.limit, line.met) == (2.0, 2.5, True)


@pytest.mark.parametrize(("key", "seconds", "met"), [("f", 3.6, True), ("g", 3.8, False), ("h-bytes", 3.6, True)])
def test_little_work_takes_little_more_than_the_fastest_peer(key: str, seconds: float, met: bool) -> None:
    runs = [
        (key, "play with one empty task", Measurement(1.0)),
        (key, "image_copy", Measurement(seconds)),
        (key, "crane", Measurement(2.0)),
    ]
    assert target(measured(*runs), "beyond a play").met is met


def test_requests_for_safety_and_for_artifacts_are_counted_apart() -> None:
    ours = Requests(source=8, destination=6, tokens=1, safety=2, artifacts=5)
    theirs = Requests(source=4, destination=5, artifacts=1)
    results = measured(
        ("g", "image_copy", Measurement(1.0, requests=ours)), ("g", "crane", Measurement(1.0, requests=theirs))
    )
    line = target(results, "requests")
    assert (line.value, line.limit, line.met) == (8, 8, True)
    assert line.verdict == "met: 8, at most 8"


def test_all_is_measured_for_every_target() -> None:
    found = acceptance.lines(everything(lambda _workload, name: 1.0 if name in PLAYS else 2.0))
    assert {line.number for line in found} == {1, 2, 3, 4, 5, 6}


def test_picture_has_a_point_for_each_result() -> None:
    results = everything(lambda workload, _name: float(workload.images + workload.size))
    root = ElementTree.fromstring(plot.picture(results))
    points = root.findall(".//{*}circle")
    # Ours by play, theirs by tool: four numbers of images unchanged, three from nothing, three sizes.
    assert len(points) == (4 + 3) * 6 + 3 * 6
    assert all(0 < float(point.attrib["cx"]) < plot.WIDTH for point in points)
    assert all(0 < float(point.attrib["cy"]) < plot.HEIGHT for point in points)
