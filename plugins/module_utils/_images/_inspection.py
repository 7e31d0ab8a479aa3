# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What an image is, in the words that a person compares it by: platforms, size, labels, children, config."""

from __future__ import annotations

import base64
import json
import typing as t

from .._blobs._transfer import RegistrySource, verified_pieces
from .._end._end import End
from .._model._digest import compute_digest
from .._model._errors import InvalidInput, NotFound, RegistryError
from .._model._manifest import (
    FOREIGN_TYPES,
    INDEX_TYPES,
    MANIFEST_TYPES,
    Descriptor,
    Manifest,
    blobs_of,
    foreign_type,
    format_platform,
)
from .._model._times import parse_time
from .._run._parallel import run_all
from ._listing import ImageName, descriptor_as_plain

_MAXIMUM_CONFIG = 4 * 1024 * 1024
MAXIMUM_DEPTH = 8
MAXIMUM_MANIFESTS = 1000
MAXIMUM_TREE = 64 * 1024 * 1024
"""Bytes of all manifests of an image together."""


def read_tree(
    registry: End,
    repository: str,
    digest: str,
    known: t.Mapping[str, Manifest] | None = None,
    *,
    media_type: str = "",
    is_there: t.Callable[[Descriptor], bool] = lambda child: False,
) -> list[Manifest]:
    """The manifest with this digest and all that it leads to, children before parents, each once.

    ``known`` are manifests that needn't be read, by digest. ``media_type`` is the type in the descriptor that led to
    it. Children of which ``is_there`` says so, and what they lead to, aren't wanted.

    Entries of an index that aren't manifests (BuildKit lists the blobs of a cache so) are left to :func:`blobs_of`.
    Raises :class:`InvalidInput` where an index is nested too deep or too large, and :class:`ForeignType` where it leads
    to a manifest of a type that can't be pushed.
    """
    found: dict[str, Manifest] = {}
    seen = {digest}

    def read(child: Descriptor) -> Manifest | None:
        if child.digest != digest and is_there(child):
            return None
        return (known or {}).get(child.digest) or registry.get_manifest(repository, child.digest, child.media_type)

    level = [Descriptor(media_type, digest, 0)]
    depth = 1
    while level:
        if depth > MAXIMUM_DEPTH or len(seen) > MAXIMUM_MANIFESTS:
            raise too_large(registry, repository, digest)
        outcomes = run_all(read, level, registry.jobs)
        children: dict[str, Descriptor] = {}
        for child, manifest in zip(level, outcomes):
            if isinstance(manifest, RegistryError):
                raise manifest
            if manifest is not None:
                found[child.digest] = manifest
                _check_children(registry, repository, manifest)
                children.update((entry.digest, entry) for entry in manifest.children())
        if sum(manifest.size for manifest in found.values()) > MAXIMUM_TREE:
            raise InvalidInput(f"the manifests of the image are larger than {MAXIMUM_TREE} bytes together").within(
                f"read {registry.name}/{repository}@{digest}"
            )
        level = [
            child for child in children.values() if child.digest not in seen and child.media_type in MANIFEST_TYPES
        ]
        seen.update(child.digest for child in level)
        depth += 1
    return children_first(found, digest)


def _check_children(registry: End, repository: str, index: Manifest) -> None:
    """Raise :class:`ForeignType` where a child is a manifest of a type that can't be pushed.

    What an index lists under an unknown type may be a blob. It is looked for where its type speaks of a manifest: one
    that isn't there as a blob is none.
    """
    for child in index.children():
        if child.media_type in MANIFEST_TYPES:
            continue
        known = child.media_type in FOREIGN_TYPES
        if known or ("manifest" in child.media_type and registry.head_blob(repository, child.digest) is None):
            error = foreign_type(child.media_type)
            error.reason = f"the index {index.digest} lists {child.digest}, and {error.reason}"
            raise error.within(f"read {registry.name}/{repository}@{child.digest}")


def children_first(found: t.Mapping[str, Manifest], top: str) -> list[Manifest]:
    """The manifests that ``top`` leads to over others that were found, itself included, children before parents."""
    ordered: dict[str, Manifest] = {}

    def add(digest: str) -> None:
        if digest in found and digest not in ordered:
            for child in found[digest].children():
                add(child.digest)
            ordered[digest] = found[digest]

    add(top)
    return list(ordered.values())


def manifest_digests(
    registry: End, repository: str, top: Descriptor, known: t.Mapping[str, Manifest] | None = None
) -> list[str]:
    """The digests of a manifest and of all that it leads to, each once; only indexes are read.

    Raises :class:`InvalidInput` where an index is nested too deep or too large.
    """
    found: dict[str, None] = {}

    def look(descriptor: Descriptor, depth: int) -> None:
        if descriptor.digest in found or descriptor.media_type not in (*MANIFEST_TYPES, ""):
            return
        if depth > MAXIMUM_DEPTH or len(found) >= MAXIMUM_MANIFESTS:
            raise too_large(registry, repository, top.digest)
        found[descriptor.digest] = None
        if descriptor.media_type in (*INDEX_TYPES, ""):
            manifest = (known or {}).get(descriptor.digest) or registry.get_manifest(
                repository, descriptor.digest, descriptor.media_type
            )
            for child in manifest.children():
                look(child, depth + 1)

    look(top, 1)
    return list(found)


def too_large(registry: End, repository: str, digest: str) -> RegistryError:
    """What is raised for an index that is nested too deep, or has too many manifests."""
    return InvalidInput(f"the index has more than {MAXIMUM_DEPTH} levels or {MAXIMUM_MANIFESTS} manifests").within(
        f"read {registry.name}/{repository}@{digest}"
    )


class Config(t.NamedTuple):
    """The config of an image."""

    document: dict[str, t.Any]
    """Parsed. Empty where it can't be."""
    problem: str = ""
    """Why it can't be."""


def look_at_config(registry: End, repository: str, manifest: Manifest) -> Config:
    """The config of an image, verified, or why it isn't parsed. Raises what keeps it from being read."""
    config = manifest.config
    if config is None:
        return Config({}, "it has no config")
    if config.size > _MAXIMUM_CONFIG:
        return Config({}, f"its config has {config.size} bytes, and at most {_MAXIMUM_CONFIG} are read")
    source = RegistrySource(registry, repository, config.digest)
    pieces = verified_pieces(source, config.digest, config.size)
    try:
        document = json.loads(b"".join(pieces).decode("utf-8"))
    except (ValueError, RecursionError):
        document = None
    return Config(document) if isinstance(document, dict) else Config({}, "its config is not a JSON object")


def read_config(registry: End, repository: str, manifest: Manifest) -> dict[str, t.Any]:
    """The config of an image, verified; empty where it isn't a JSON object or larger than 4 MiB."""
    return look_at_config(registry, repository, manifest).document


def labels_of(config: t.Mapping[str, t.Any]) -> dict[str, str]:
    """The labels of an image config (OCI image spec, "Image Configuration")."""
    inner = config.get("config")
    labels = inner.get("Labels") if isinstance(inner, dict) else None
    return {str(name): str(value) for name, value in labels.items()} if isinstance(labels, dict) else {}


def platforms_of(manifest: Manifest, config: t.Mapping[str, t.Any]) -> list[str]:
    """The platforms of an index by its entries, of an image by its config."""
    named = [child.platform for child in manifest.children()] if manifest.is_index else [format_platform(dict(config))]
    return sorted({platform for platform in named if platform})


def describe(registry: End, repository: str, reference: str) -> dict[str, t.Any]:
    """What a diff shows of an image: digest, media type, platforms, labels, and when it was made.

    ``total_size`` is that of all it leads to, in bytes. Labels of an index are those of its first image, and so is
    ``created``, which isn't there where the image doesn't say it. Empty where there is no such image.
    """
    try:
        top = registry.get_manifest(repository, reference)
        tree = read_tree(registry, repository, top.digest, {top.digest: top})
    except NotFound:
        return {}
    return describe_tree(registry, repository, tree)


def describe_tree(registry: End, repository: str, tree: t.Sequence[Manifest]) -> dict[str, t.Any]:
    """The same of manifests that were read already, the last of which is the image; configs are read."""
    top = tree[-1]
    first = next((manifest for manifest in tree if not manifest.is_index), None)
    config = {} if first is None else read_config(registry, repository, first)
    return {
        "digest": top.digest,
        "media_type": top.media_type,
        "platforms": platforms_of(top, config),
        "total_size": sum(manifest.size for manifest in tree) + sum(blob.size for blob in blobs_of(tree)),
        "labels": labels_of(config),
        **({"created": config["created"]} if parse_time(config.get("created")) is not None else {}),
    }


def describe_content(content: bytes) -> dict[str, t.Any]:
    """What a diff shows of a manifest by its bytes alone: ``size`` is its own, in bytes."""
    try:
        manifest = Manifest.parse(content)
    except RegistryError:
        return {"digest": compute_digest(content), "size": len(content)}
    shown = {"digest": manifest.digest, "media_type": manifest.media_type, "size": manifest.size}
    return {**shown, "platforms": platforms_of(manifest, {})} if manifest.is_index else shown


def describe_descriptor(entry: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """What a diff shows of a manifest of which only the descriptor is known."""
    return {name: entry[name] for name in ("digest", "media_type", "size")}


def look_at_images(
    registry: End, names: t.Sequence[ImageName], include: t.Container[str]
) -> list[dict[str, t.Any] | RegistryError]:
    """What the names stand for, as plain values, in their order. What isn't there is a result and no error.

    ``include`` may name ``content``, ``children``, ``config`` and ``platforms``; without any, no manifest is read.
    """
    return run_all(lambda name: _look_at(registry, name, include), names, registry.jobs)


def _look_at(registry: End, name: ImageName, include: t.Container[str]) -> dict[str, t.Any]:
    found: Descriptor | None
    manifest: Manifest | None = None
    if not any(part in include for part in ("content", "children", "config", "platforms")):
        found = registry.head_manifest(name.repository, name.reference)
    else:
        try:
            manifest = registry.get_manifest(name.repository, name.reference)
        except NotFound:
            pass
        found = None if manifest is None else manifest.descriptor
    result = descriptor_as_plain(found) if found else {"digest": name.digest, "media_type": "", "size": 0}
    return {"exists": found is not None, **result, **_parts(registry, name.repository, manifest, include)}


def _parts(registry: End, repository: str, manifest: Manifest | None, include: t.Container[str]) -> dict[str, t.Any]:
    parts: dict[str, t.Any] = {}
    config: dict[str, t.Any] = {}
    if manifest is not None and ("config" in include or ("platforms" in include and not manifest.is_index)):
        config = read_config(registry, repository, manifest)
    if "content" in include:
        parts["content"] = {} if manifest is None else manifest.document
        parts["content_base64"] = "" if manifest is None else base64.b64encode(manifest.content).decode("ascii")
    if "children" in include:
        children = [] if manifest is None else manifest.children()
        parts["children"] = [{**descriptor_as_plain(child), "platform": child.platform} for child in children]
    if "config" in include:
        parts.update(config=config, labels=labels_of(config))
    if "platforms" in include:
        parts["platforms"] = [] if manifest is None else platforms_of(manifest, config)
    if parts:
        parts["annotations"] = {} if manifest is None else manifest.annotations
        parts["artifact_type"] = "" if manifest is None else manifest.artifact_type
    return parts
