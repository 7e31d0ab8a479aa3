# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The entries of a layout's index, found by digest and name: each name is read once, however often it is looked for."""

from __future__ import annotations

import typing as t

from .._model._manifest import Descriptor
from ._names import CONTAINERD_NAME, REF_NAME, read_names

Raw = dict[str, t.Any]
"""An entry as ``index.json`` has it."""
_ByTag = dict[str, dict[str, dict[int, None]]]


class Entries:
    """Entries in the order in which they came."""

    def __init__(self) -> None:
        self._entries: dict[int, tuple[Descriptor, Raw]] = {}
        self._last = 0
        self._by_digest: dict[str, dict[int, None]] = {}
        self._by_text: dict[str, dict[int, None]] = {}
        self._by_tag: _ByTag | None = None
        """By repository and tag, read where they are looked for first: few layouts are read so."""

    def __iter__(self) -> t.Iterator[tuple[Descriptor, Raw]]:
        return iter(list(self._entries.values()))

    def add(self, descriptor: Descriptor, raw: Raw) -> None:
        """One more, the last."""
        self._last += 1
        self._entries[self._last] = (descriptor, raw)
        self._by_digest.setdefault(descriptor.digest, {})[self._last] = None
        for text in _texts(descriptor):
            self._by_text.setdefault(text, {})[self._last] = None
        if self._by_tag is not None:
            _note(self._by_tag, descriptor, self._last)

    def rename(self, name: str, digest: str) -> None:
        """Take out what has this name, and the entry of a manifest that has none: another takes their place."""
        named = [number for number in self._by_text.get(name, ()) if name_in(self._entries[number][0]) == name]
        of_digest = self._by_digest.get(digest, ())
        unnamed = [number for number in of_digest if not any(_texts(self._entries[number][0]))]
        for number in {*named, *unnamed}:
            self._remove(number)

    def of_digest(self, digest: str) -> list[Descriptor]:
        """Those of a manifest."""
        return self._found(self._by_digest, digest)

    def named(self, name: str) -> list[Descriptor]:
        """Those that have this very name, whoever wrote it."""
        return self._found(self._by_text, name)

    def tagged(self, repository: str, tag: str) -> list[Descriptor]:
        """Those whose name says this repository and tag, in the order of the entries."""
        return self._found(self._read().get(repository, {}), tag)

    def tags(self, repository: str) -> t.Collection[str]:
        """The tags that names say of a repository, an empty one for a digest; none where no name says it."""
        return self._read().get(repository, {})

    def _read(self) -> _ByTag:
        if self._by_tag is None:
            self._by_tag = {}
            for number, (descriptor, _raw) in self._entries.items():
                _note(self._by_tag, descriptor, number)
        return self._by_tag

    def _found(self, numbers: t.Mapping[str, t.Iterable[int]], key: str) -> list[Descriptor]:
        return [self._entries[number][0] for number in numbers.get(key, ())]

    def _remove(self, number: int) -> None:
        descriptor, _raw = self._entries.pop(number)
        _forget(self._by_digest, descriptor.digest, number)
        for text in _texts(descriptor):
            _forget(self._by_text, text, number)
        if self._by_tag is None:
            return
        for name in read_names(descriptor.annotations):
            tags = self._by_tag[name.repository]
            _forget(tags, name.tag, number)
            if not tags:
                del self._by_tag[name.repository]


def name_in(entry: Descriptor) -> str:
    """The name that is ours in an entry; empty where there is none."""
    return entry.annotations.get(REF_NAME, "")


def _texts(entry: Descriptor) -> list[str]:
    """The names in an entry, as they are written."""
    return list(
        dict.fromkeys(entry.annotations[key] for key in (REF_NAME, CONTAINERD_NAME) if entry.annotations.get(key))
    )


def _note(by_tag: _ByTag, entry: Descriptor, number: int) -> None:
    for name in read_names(entry.annotations):
        by_tag.setdefault(name.repository, {}).setdefault(name.tag, {})[number] = None


def _forget(numbers: dict[str, dict[int, None]], key: str, number: int) -> None:
    """Keys that are left without any are no keys: the tags of a layout are asked for by them."""
    found = numbers.get(key, {})
    found.pop(number, None)
    if not found:
        numbers.pop(key, None)
