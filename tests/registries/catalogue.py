# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The kinds of images that can be seeded."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Callable

from images import AMD64, ARM64, Blob, Manifest, artifact, image, index, layer


@dataclass(frozen=True)
class Options:
    seed: str = "1"
    layers: int = 2
    layer_size: int = 64 * 1024
    images: int = 3
    prefix: str = "team"
    tag: str = "1.0"


@dataclass(frozen=True)
class Item:
    kind: str
    repository: str
    tag: str
    manifest: Manifest


def plan(kind: str, options: Options) -> Iterator[Item]:
    """What a kind consists of; each item is made when it is asked for."""
    for name, manifest in KINDS[kind](options):
        yield Item(kind, f"{options.prefix}/{name}", options.tag, manifest)


def _layers(options: Options, name: str, docker: bool = False) -> list[Blob]:
    return [layer(f"{options.seed}/{name}/{n}", options.layer_size, docker) for n in range(1, options.layers + 1)]


def _platforms(options: Options, name: str, docker: bool = False) -> Manifest:
    children = [
        (image(_layers(options, f"{name}/{at.architecture}", docker), name, at, docker), at) for at in (AMD64, ARM64)
    ]
    return index(list(children), docker)


def _single(options: Options) -> Iterator[tuple[str, Manifest]]:
    yield "single", image(_layers(options, "single"), "single")


def _docker(options: Options) -> Iterator[tuple[str, Manifest]]:
    yield "docker", image(_layers(options, "docker", docker=True), "docker", docker=True)


def _multi(options: Options) -> Iterator[tuple[str, Manifest]]:
    yield "multi", _platforms(options, "multi")


def _docker_list(options: Options) -> Iterator[tuple[str, Manifest]]:
    yield "docker-list", _platforms(options, "docker-list", docker=True)


def _nested(options: Options) -> Iterator[tuple[str, Manifest]]:
    plain = image(_layers(options, "nested"), "nested")
    yield "nested", index([(plain, AMD64), (_platforms(options, "nested-inner"), None)])


def _document(options: Options) -> bytes:
    return b'{"seed":"' + options.seed.encode().hex().encode() + b'"}'


def _artifact(options: Options) -> Iterator[tuple[str, Manifest]]:
    yield "artifact", artifact(_document(options))


def _referrer(options: Options) -> Iterator[tuple[str, Manifest]]:
    yield "referrer", artifact(_document(options), subject=image(_layers(options, "referrer"), "referrer"))


def _family(options: Options) -> Iterator[tuple[str, Manifest]]:
    base = _layers(options, "family/base")[:-1]
    for number in range(1, options.images + 1):
        name = f"family-{number:02d}"
        own = layer(f"{options.seed}/family/{number}", options.layer_size)
        yield name, image([*base, own], name)


KINDS: dict[str, Callable[[Options], Iterator[tuple[str, Manifest]]]] = {
    "single": _single,
    "docker": _docker,
    "multi": _multi,
    "docker-list": _docker_list,
    "nested": _nested,
    "artifact": _artifact,
    "referrer": _referrer,
    "family": _family,
}
DEFAULT_KINDS = ("single", "docker", "multi", "docker-list", "nested", "artifact", "family")
