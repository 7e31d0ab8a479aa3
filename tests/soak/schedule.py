# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A schedule: what is to be promoted, what goes wrong meanwhile, when the run is killed. Plain values, drawn at random.

A schedule that failed is written down as JSON, and read from there to be played again.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from hypothesis import strategies as st

IMAGE, DOCKER, INDEX, ARTIFACT = "image", "docker", "index", "artifact"
KIB = 1024


@dataclass(frozen=True)
class Node:
    """A manifest. ``parts`` are numbers of blobs; those of an index, and a subject, are numbers of nodes before it."""

    kind: str
    parts: tuple[int, ...]
    subject: int | None = None


@dataclass(frozen=True)
class Tagged:
    """A tag at the source, and what stands at the destination under that tag from before, if anything does."""

    repository: int
    destination: int
    node: int
    standing: int | None


@dataclass(frozen=True)
class Schedule:
    """One promotion that goes wrong, and its repetition."""

    blobs: tuple[int, ...]
    """Their sizes in bytes."""
    nodes: tuple[Node, ...]
    images: tuple[Tagged, ...]
    present: tuple[tuple[int, int], ...]
    """Repositories of the destination, with nodes that are there already without a tag."""
    mounts: bool
    """Whether the other repositories of the destination are named to mount from."""
    artifacts: bool
    compare_artifacts: bool
    on_error: str
    jobs: int
    retries: int
    chunk_size: int
    nature: str
    """What the destination is like, in the first run and in the second: the name of a fault, or nothing."""
    may_cancel: bool
    """Whether the account may cancel uploads."""
    source_faults: str
    destination_faults: str
    kill_at: int
    """The request at the destination at which the first run is killed; 0 for never."""
    kill_before: bool
    """Whether the registry never sees that request, or has carried it out."""

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Schedule:
        """The schedule that ``as_json`` has written."""
        nodes = tuple(Node(node["kind"], tuple(node["parts"]), node["subject"]) for node in value["nodes"])
        images = tuple(Tagged(**image) for image in value["images"])
        present = tuple((repository, node) for repository, node in value["present"])
        return cls(**{**value, "blobs": tuple(value["blobs"]), "nodes": nodes, "images": images, "present": present})


_NATURES = (
    "no-digest-header",
    "absent-is-denied",
    "html-errors",
    "mount-refused",
    "mount-refused=202",
    "chunk-minimum",
    "chunk-maximum",
    "no-chunks",
    "body-limit",
    "opaque-pages",
)
_SIZES = st.integers(1, 200 * KIB)
_COUNTS = st.integers(1, 12).map(str)
_CUTS = _SIZES.map(str) | st.builds("{}:{}".format, _SIZES, st.integers(1, 4))
_PASSING = st.sampled_from(["408", "429", "500", "502", "503", "504"])
_NOTHING = st.just("")
# What follows the name of a fault.
_ANYWHERE = {
    "delay": st.sampled_from(["1", "5"]),
    "no-digest-header": _NOTHING,
    "absent-is-denied": _NOTHING,
    "html-errors": _NOTHING,
    "html-pages": _NOTHING,
    "null-tags": _NOTHING,
    "endless-pages": _NOTHING,
    "refused": _COUNTS,
    "reset": _COUNTS | st.just("each"),
    "silent-close": _NOTHING,
    "stall": st.just("2"),
    "status": _PASSING,
    "status-early": _PASSING,
    "status-always": _PASSING,
    "retry-after": st.sampled_from(["1", "date", "past", "absurd", "absurd-date", "words", "none"]),
    "wrong-manifest": _NOTHING,
    "content-encoding": _NOTHING,
    "large-manifest": _NOTHING,
}
_AT_SOURCE = {
    **_ANYWHERE,
    "cut-download": _CUTS,
    "cut-download-clean": _CUTS,
    "no-range": _NOTHING,
    "wrong-range": st.sampled_from(["header", "body"]),
    "wrong-bytes": _NOTHING,
    "wrong-size": st.sampled_from(["more", "less"]),
    "endless-body": st.sampled_from(["manifest", "blob", "tags"]),
}
_AT_DESTINATION = {
    **_ANYWHERE,
    "cut-upload": _SIZES.map(str),
    "lost-answers": _NOTHING,
    "lost-tag-answer": _NOTHING,
    "session-gone": _NOTHING,
    "blob-forgotten": st.sampled_from(["named", "unnamed"]),
    "mount-refused": st.sampled_from(["", "202", "404", "503"]),
    "range-stands-still": _NOTHING,
    "chunk-minimum": _NOTHING,
    "chunk-maximum": _NOTHING,
    "no-chunks": _NOTHING,
    "body-limit": _NOTHING,
    "immutable-tags": st.sampled_from(["ecr", "harbor"]),
}


def _one_fault(known: dict[str, st.SearchStrategy[str]]) -> st.SearchStrategy[str]:
    return st.sampled_from(sorted(known)).flatmap(
        lambda name: known[name].map(lambda argument: f"{name}={argument}" if argument else name)
    )


def _faults(known: dict[str, st.SearchStrategy[str]]) -> st.SearchStrategy[str]:
    """Up to three of them."""
    several = st.lists(_one_fault(known), max_size=3, unique_by=lambda fault: fault.partition("=")[0])
    return several.map("+".join)


@st.composite
def _nodes(draw: st.DrawFn, blobs: int) -> tuple[Node, ...]:
    nodes: list[Node] = []
    depths: list[int] = []
    for number in range(draw(st.integers(1, 8))):
        kinds = [IMAGE, DOCKER, ARTIFACT] + ([INDEX, INDEX] if nodes else [])
        kind = draw(st.sampled_from(kinds))
        before = st.integers(0, number - 1)
        depth = 0
        subject = None
        if kind == INDEX:
            parts = draw(st.lists(before, min_size=1, max_size=4, unique=True))
            parts = [part for part in parts if depths[part] < 3] or [0]
            depth = 1 + max(depths[part] for part in parts)
        elif kind == ARTIFACT:
            parts = [draw(st.integers(0, blobs - 1))]
            subject = draw(st.none() | before) if nodes else None
        else:
            parts = draw(st.lists(st.integers(0, blobs - 1), max_size=4))
        nodes.append(Node(kind, tuple(parts), subject))
        depths.append(depth)
    return tuple(nodes)


@st.composite
def schedules(draw: st.DrawFn) -> Schedule:
    """Schedules of all kinds, the plainest ones first."""
    sizes = st.one_of(st.integers(0, 2), st.integers(0, 4 * KIB), st.integers(0, 300 * KIB))
    blobs = draw(st.lists(sizes, min_size=1, max_size=6))
    nodes = draw(_nodes(len(blobs)))
    node = st.integers(0, len(nodes) - 1)
    repository = st.integers(0, 2)
    tagged = st.builds(Tagged, repository, repository, node, st.none() | node)
    return Schedule(
        blobs=tuple(blobs),
        nodes=nodes,
        images=tuple(draw(st.lists(tagged, min_size=1, max_size=5))),
        present=tuple(draw(st.lists(st.tuples(repository, node), max_size=2))),
        mounts=draw(st.booleans()),
        artifacts=draw(st.sampled_from([True, True, False])),
        compare_artifacts=draw(st.booleans()),
        on_error=draw(st.sampled_from(["fail", "continue"])),
        jobs=draw(st.integers(1, 6)),
        retries=draw(st.integers(0, 3)),
        chunk_size=draw(st.sampled_from([0, 0, 64 * KIB])),
        nature=draw(st.just("") | st.sampled_from(_NATURES)),
        may_cancel=draw(st.sampled_from([True, True, False])),
        source_faults=draw(_faults(_AT_SOURCE)),
        destination_faults=draw(_faults(_AT_DESTINATION)),
        kill_at=draw(st.just(0) | st.integers(1, 20) | st.integers(1, 60)),
        kill_before=draw(st.booleans()),
    )
