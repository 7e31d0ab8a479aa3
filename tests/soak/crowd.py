# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Many small images in several repositories, and the look whether the destination has all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

from images import AMD64, ARM64, Manifest, image, index, layer
from reader import Client, Watched
from seeding import Pusher

Plain = dict[str, Any]

_REPOSITORY = 25
"""Images in a repository; they share a layer. Every fifth is an index of two."""


class Member(NamedTuple):
    """One image of the crowd."""

    repository: str
    tag: str
    manifest: Manifest


def crowd(prefix: str, count: int, layer_size: int, *, own: int = 1) -> list[Member]:
    """So many images, with layers of so many bytes; each ``own``-th has one of its own beside the shared one.

    The same bytes for the same numbers, whatever the prefix.
    """
    return list(_members(prefix, count, layer_size, own))


def _members(prefix: str, count: int, layer_size: int, own: int) -> Iterator[Member]:
    for number in range(count):
        shared = layer(f"shared {number // _REPOSITORY}", layer_size)
        layers = [shared] if number % own else [shared, layer(f"own {number}", layer_size)]
        first = image(layers, f"image {number}")
        manifest = first
        if number % 5 == 4:
            second = image(layers, f"image {number}", ARM64)
            manifest = index([(first, AMD64), (second, ARM64)])
        yield Member(f"{prefix}/team-{number // _REPOSITORY}", f"1.{number}", manifest)


def seed(open_pusher: Callable[[], Pusher], members: list[Member]) -> None:
    """Push them, some repositories at a time."""
    by_repository: dict[str, list[Member]] = {}
    for member in members:
        by_repository.setdefault(member.repository, []).append(member)

    def push(group: list[Member]) -> None:
        with open_pusher() as pusher:
            for member in group:
                pusher.push_manifest(member.repository, member.manifest, member.tag)

    with ThreadPoolExecutor(max_workers=4) as pool:
        for done in [pool.submit(push, group) for group in by_repository.values()]:
            done.result()


def old_or_new(members: list[Member]) -> list[Watched]:
    """The tags at the destination, none of which was there before."""
    return [Watched(one.repository, one.tag, frozenset({"", one.manifest.digest})) for one in members]


def check_all(address: str, members: list[Member]) -> None:
    """All tags are at the destination, with all their content. Raises :class:`Problem`."""
    client = Client(address)
    try:
        for one in members:
            client.check_tag(Watched(one.repository, one.tag, frozenset({one.manifest.digest})))
    finally:
        client.close()


def as_options(members: list[Member]) -> list[Plain]:
    """The images as the collection takes them."""
    return [{"repository": one.repository, "tag": one.tag} for one in members]
