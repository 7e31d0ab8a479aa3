# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The index of a layout: ``index.json`` and ``oci-layout`` (OCI image spec, "Image Layout")."""

from __future__ import annotations

import json
import typing as t

from .._model._errors import InvalidInput, LocalFileError, RegistryError
from .._model._manifest import MAXIMUM_SIZE, OCI_INDEX, Descriptor, Manifest
from .._model._shown import quoted
from ._entries import Entries, name_in
from ._names import CONTAINERD_NAME, REF_NAME

LAYOUT = b'{"imageLayoutVersion":"1.0.0"}'
_MAXIMUM_LAYOUT = 64 * 1024
_OWN = ("schemaVersion", "mediaType", "manifests")


def check_layout(content: bytes, path: str) -> None:
    """Look at the bytes of ``oci-layout``. Raises :class:`LocalFileError` for a version that isn't known."""
    try:
        document = json.loads(content[:_MAXIMUM_LAYOUT].decode("utf-8"))
    except (ValueError, RecursionError):
        document = None
    version = document.get("imageLayoutVersion") if isinstance(document, dict) else None
    if version != "1.0.0":
        raise LocalFileError(f"{path} is not an image layout of version 1.0.0: oci-layout says {str(version)[:100]!r}")


class LayoutIndex:
    """The entries of a layout. What other tools have written in them stays as it is."""

    def __init__(self, content: bytes, path: str) -> None:
        """Read ``index.json``; there are no entries where ``content`` is empty. Raises :class:`LocalFileError`."""
        self._path = path
        self._document: dict[str, t.Any] = {}
        self._entries = Entries()
        self.changed = False
        if content:
            try:
                parsed = Manifest.parse(content, OCI_INDEX)
            except RegistryError as error:
                raise LocalFileError(f"the index.json of {path} cannot be read: {error.reason}") from error
            self._document = parsed.document
            for descriptor, raw in zip(parsed.children(), parsed.document.get("manifests") or ()):
                self._entries.add(descriptor, raw)

    @property
    def entries(self) -> list[Descriptor]:
        """What the layout has, names among the annotations."""
        return [descriptor for descriptor, _raw in self._entries]

    def named(self, name: str) -> Descriptor | None:
        """The entry that has this very name. Raises :class:`InvalidInput` where several manifests have it."""
        return self._only(f"the name {quoted(name)}", self._entries.named(name))

    def unnamed(self) -> Descriptor | None:
        """The only image of a layout, as a name that is empty has it. Raises :class:`InvalidInput` for several."""
        return self._only("an empty name", self.entries)

    def find(self, repository: str, tag: str) -> Descriptor | None:
        """The entry whose name says this repository and tag, whatever registry it says; else that of the tag alone.

        Raises :class:`InvalidInput` where it could be one or another.
        """
        exact = self.named(f"{repository}:{tag}")
        if exact is not None:
            return exact
        for wanted in (repository, ""):
            fitting = self._entries.tagged(wanted, tag)
            if fitting:
                return self._only(f"{repository}:{tag}", fitting)
        return None

    def tags(self, repository: str) -> list[str] | None:
        """The tags of a repository in the names; None where no name has it."""
        found = self._entries.tags(repository)
        return sorted(filter(None, found)) if found else None

    def _only(self, what: str, entries: t.Sequence[Descriptor]) -> Descriptor | None:
        if len({entry.digest for entry in entries}) > 1:
            shown = ", ".join(name_in(entry) or entry.digest for entry in entries[:5])
            raise InvalidInput(
                f"{what} could be one or another of {self._path}: {shown}", hint="Give the name, or the digest"
            )
        return entries[0] if entries else None

    def tag(self, name: str, descriptor: Descriptor, artifact_type: str = "") -> None:
        """Let a name stand for a manifest, and for nothing else. An entry of it without a name is replaced."""
        standing = [entry.digest for entry in self._entries.named(name) if name_in(entry) == name]
        if standing == [descriptor.digest]:
            return
        self._entries.rename(name, descriptor.digest)
        self._add(descriptor, artifact_type, {REF_NAME: name})

    def add(self, descriptor: Descriptor, artifact_type: str, annotations: t.Mapping[str, str]) -> None:
        """An entry without a name, as a referrer has it, unless there is an entry of the manifest."""
        if not self._entries.of_digest(descriptor.digest):
            self._add(descriptor, artifact_type, {k: v for k, v in annotations.items() if k not in _NAMES})

    def _add(self, descriptor: Descriptor, artifact_type: str, annotations: t.Mapping[str, str]) -> None:
        raw: dict[str, t.Any] = {
            "mediaType": descriptor.media_type,
            "digest": descriptor.digest,
            "size": descriptor.size,
        }
        if artifact_type:
            raw["artifactType"] = artifact_type
        if annotations:
            raw["annotations"] = dict(sorted(annotations.items()))
        self._entries.add(descriptor._replace(artifact_type=artifact_type, annotations=dict(annotations)), raw)
        self.changed = True

    def encoded(self) -> bytes:
        """The bytes of ``index.json``: the same for the same entries, in whatever order they came.

        Raises :class:`LocalFileError` where they are too many.
        """
        entries = sorted(self._entries, key=lambda entry: (name_in(entry[0]), entry[0].digest))
        document = {
            "schemaVersion": 2,
            "mediaType": OCI_INDEX,
            "manifests": [raw for _descriptor, raw in entries],
            **{key: value for key, value in self._document.items() if key not in _OWN},
        }
        content = json.dumps(document, separators=(",", ":")).encode("ascii")
        if len(content) > MAXIMUM_SIZE:
            raise LocalFileError(
                f"the index.json of {self._path} would be larger than {MAXIMUM_SIZE} bytes",
                hint="Write the images to several layouts",
            )
        return content


_NAMES = (REF_NAME, CONTAINERD_NAME)
