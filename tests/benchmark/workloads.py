# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The work that is measured, (a) to (h) of the benchmark, and what its pictures need besides."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Callable

from catalogue import Item
from copies import Image
from images import Blob, Manifest, image, layer

if TYPE_CHECKING:
    from sites import Site

KIB, MIB, GIB = 1024, 1024**2, 1024**3

PLAYS = ("image_copy", "promote")
PAYLOADS = ("image_copy as a payload", "promote as a payload")
"""The same plays where modules can't run in place: how it is on other machines than Ansible's own."""
ONE_BY_ONE = ("crane", "regctl", "oras")
EMPTY = "play with one empty task"
FOR_ONE_IMAGE = (EMPTY, *PLAYS, *PAYLOADS, "skopeo copy", *ONE_BY_ONE)
FOR_MANY_IMAGES = (EMPTY, *PLAYS, *PAYLOADS, "skopeo sync", *ONE_BY_ONE)
LIMITS = ("destination from memory", "source to nobody")
BASELINES = ("play without tasks", EMPTY)
REPOSITORIES = 20


@dataclass(frozen=True)
class Sizes:
    """How much work there is."""

    large: Sequence[tuple[int, int]] = ((GIB, 8), (4 * GIB, 16))  # bytes and layers
    changed: tuple[int, int] = (GIB, 8 * MIB)  # bytes of an image, and of its top layer
    delayed: tuple[int, int] = (64 * MIB, 8)
    few: int = 100
    many: int = 1000
    access: Sequence[str] = ("plain", "htpasswd", "tokens")  # to images that are unchanged
    points: Sequence[int] = (1, 10)  # numbers of images, for the picture


QUICK = Sizes(((16 * MIB, 8),), (16 * MIB, MIB), (2 * MIB, 8), 3, 6, ("tokens",), ())


@dataclass(frozen=True)
class Workload:
    """One piece of work, done again and again by each of the contenders."""

    letter: str
    key: str
    title: str
    access: str
    contenders: tuple[str, ...]
    items: Callable[[], list[Item]] = field(repr=False)
    """What the source has."""
    fresh: bool = True
    """Whether the destination is emptied before every run. Otherwise it has the items from the beginning."""
    again: Callable[[int], tuple[Item, str]] | None = field(default=None, repr=False)
    """What is copied by the run of that number, and to which tag, where this isn't all of the items."""
    layers: Callable[[], list[Blob]] | None = field(default=None, repr=False)
    """The layers, for those that measure limits."""
    once: tuple[str, ...] = ()
    """Who does it in one round only, since it takes long."""
    watch_modules: bool = False
    """Whether the own time of modules as payloads is wanted; it costs a little."""
    images: int = 1
    size: int = 0
    """Bytes of all blobs that are to be moved."""

    @property
    def destination(self) -> str:
        return "emptied" if self.fresh else "kept"

    def prepare(self, site: Site) -> list[Image]:
        """Seed the registries. Returns what is copied, if that is the same every time."""
        items = self.items()
        digests = site.seed("source", items)
        targets = [Item(item.kind, _destination(item.repository), item.tag, item.manifest) for item in items]
        if not self.fresh:
            site.seed("kept", targets)
        return [
            Image(item.repository, item.tag, target.repository, target.tag, digest)
            for item, target, digest in zip(items, targets, digests)
        ]

    def prepare_run(self, site: Site, images: list[Image], number: int) -> list[Image]:
        """Make ready what the run of that number copies."""
        if self.fresh:
            site.empty()
        if self.again is None:
            return images
        item, tag = self.again(number)
        (digest,) = site.seed("source", [item])
        return [Image(item.repository, item.tag, _destination(item.repository), tag, digest)]


def _destination(repository: str) -> str:
    """The last part stays, as with skopeo sync."""
    return "mirror/" + repository.rpartition("/")[2]


def _large(name: str, size: int, count: int) -> list[Blob]:
    return [layer(f"{name}/{number}", size // count) for number in range(count)]


def _one(name: str, size: int, count: int) -> Callable[[], list[Item]]:
    return lambda: [Item("benchmark", f"large/{name}", "1.0", image(_large(name, size, count), name))]


def _small(name: str, count: int, repositories: int) -> Callable[[], list[Item]]:
    """Small images that share three layers, spread over repositories."""

    def items() -> list[Item]:
        base = [layer(f"base/{number}", 64 * KIB) for number in range(3)]
        spread = min(count, repositories)
        return [
            Item(
                "benchmark",
                f"small/{name}-{number % spread:04d}",
                f"1.{number // spread}",
                image([*base, layer(f"small/{number}", 64 * KIB)], f"{name} {number}"),
            )
            for number in range(count)
        ]

    return items


def _title(size: int) -> str:
    return f"{size // GIB} GiB" if size >= GIB else f"{size // MIB} MiB"


def workloads(sizes: Sizes) -> list[Workload]:
    """All of them, in the order of the report."""
    return [
        *_bytes(sizes),
        *_unchanged(sizes),
        *_from_nothing(sizes),
        *_changes(sizes),
        *_delayed(sizes),
        *_points(sizes),
    ]


def _bytes(sizes: Sizes) -> Iterator[Workload]:
    ways = (("a", "tokens", "TLS, tokens", sizes.large), ("b", "plain", "plain HTTP, no login", sizes.large[:1]))
    for letter, access, how, large in ways:
        for size, count in large:
            name = f"{size // MIB}m"
            yield Workload(
                letter,
                f"{letter}-{name}",
                f"one image of {_title(size)} in {count} layers, from nothing; {how}",
                access,
                (*FOR_ONE_IMAGE, *LIMITS),
                _one(name, size, count),
                layers=functools.partial(_large, name, size, count),
                watch_modules=True,
                size=size,
            )


def _unchanged(sizes: Sizes) -> Iterator[Workload]:
    ways = {"plain": "no login", "htpasswd": "TLS, htpasswd", "tokens": "TLS, tokens"}
    for letter, count in (("c", sizes.few), ("d", sizes.many)):
        for access in sizes.access:
            loops = ONE_BY_ONE if letter == "c" or access == "plain" else ()
            yield Workload(
                letter,
                f"{letter}-{access}",
                f"{count} images unchanged, in {min(count, REPOSITORIES)} repositories; {ways[access]}",
                access,
                (*BASELINES, *PLAYS, *PAYLOADS, "skopeo sync", *loops),
                _small(f"set{count}", count, REPOSITORIES),
                fresh=False,
                once=loops if letter == "d" else (),
                images=count,
            )
    yield Workload(
        "d",
        "d-tokens-repositories",
        f"{sizes.many} images unchanged, in as many repositories; TLS, tokens",
        "tokens",
        (*BASELINES, *PLAYS, *PAYLOADS, "skopeo sync"),
        _small("repository", sizes.many, sizes.many),
        fresh=False,
        images=sizes.many,
    )


def _from_nothing(sizes: Sizes) -> Iterator[Workload]:
    yield Workload(
        "e",
        "e",
        f"{sizes.few} small images that share base layers, from nothing; no login",
        "plain",
        FOR_MANY_IMAGES,
        _small("fresh", sizes.few, sizes.few),
        images=sizes.few,
    )


def _changes(sizes: Sizes) -> Iterator[Workload]:
    size, top = sizes.changed

    def manifest(number: int) -> Manifest:
        return image([*_base, layer(f"top/{number}", top)], f"version {number}")

    def first() -> list[Item]:
        _base[:] = _large("base-of-changed", size - top, 7)
        return [Item("benchmark", "large/changed", "1.0", manifest(0))]

    _base: list[Blob] = []
    yield Workload(
        "f",
        "f",
        f"one changed top layer of {_title(top)} on an image of {_title(size)}; TLS, tokens",
        "tokens",
        FOR_ONE_IMAGE,
        first,
        fresh=False,
        again=lambda number: (Item("benchmark", "large/changed", f"2.{number}", manifest(number)), f"2.{number}"),
        watch_modules=True,
        size=top,
    )
    yield Workload(
        "g",
        "g",
        f"a tag added to an image of {_title(size)} that is there; TLS, tokens",
        "tokens",
        FOR_ONE_IMAGE,
        first,
        fresh=False,
        again=lambda number: (Item("benchmark", "large/changed", "1.0", manifest(0)), f"also-{number}"),
        watch_modules=True,
    )


def _delayed(sizes: Sizes) -> Iterator[Workload]:
    how = "25 ms each way, no login"
    size, count = sizes.delayed
    yield Workload(
        "h",
        "h-c",
        f"{sizes.few} images unchanged, in {min(sizes.few, REPOSITORIES)} repositories; {how}",
        "delay",
        ("play without tasks", *FOR_MANY_IMAGES),
        _small(f"set{sizes.few}", sizes.few, REPOSITORIES),
        fresh=False,
        once=ONE_BY_ONE,
        images=sizes.few,
    )
    yield Workload(
        "h",
        "h-e",
        f"{sizes.few} small images that share base layers, from nothing; {how}",
        "delay",
        FOR_MANY_IMAGES,
        _small("fresh", sizes.few, sizes.few),
        once=("skopeo sync", *ONE_BY_ONE),
        images=sizes.few,
    )
    yield Workload(
        "h",
        "h-bytes",
        f"one image of {_title(size)} in {count} layers, from nothing; {how}",
        "delay",
        FOR_ONE_IMAGE,
        _one("delayed", size, count),
        size=size,
    )


def _points(sizes: Sizes) -> Iterator[Workload]:
    """Small numbers for the picture."""
    for count in sizes.points:
        for fresh in (False, True):
            yield Workload(
                "p",
                f"p-{count}-{'fresh' if fresh else 'unchanged'}",
                f"{count} small image{'s' * (count > 1)} {'from nothing' if fresh else 'unchanged'}; no login",
                "plain",
                FOR_MANY_IMAGES,
                _small(f"point{count}", count, REPOSITORIES),
                fresh=fresh,
                images=count,
            )
    size, count = sizes.delayed
    yield Workload(
        "p",
        "p-bytes",
        f"one image of {_title(size)} in {count} layers, from nothing; TLS, tokens",
        "tokens",
        FOR_ONE_IMAGE,
        _one("point", size, count),
        size=size,
    )
