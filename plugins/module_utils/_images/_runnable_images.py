# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The images that can be run of what a digest leads to: platform, config, labels, layers, and when each was made."""

from __future__ import annotations

import typing as t

from .._end._end import End
from .._model._actions import ARTIFACT, IMAGE, INDEX
from .._model._errors import RegistryError
from .._model._manifest import DOCKER_MANIFEST, MANIFEST_TYPES, Descriptor, Manifest, format_platform
from .._model._times import parse_time
from .._run._parallel import run_all
from ._inspection import labels_of, look_at_config
from ._platform_choice import ATTESTATION_TYPE

Plain = dict[str, t.Any]

_CONFIG_TYPES = ("application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json")

_STATEMENT = "application/vnd.in-toto+json"
_NO_PLATFORM = "unknown/unknown"
"""What BuildKit says of attestations."""

_TAKEN_FOR_CONFIG_TYPES = ("application/octet-stream", "application/json", "text/html")
"""What old registries and clients said of configs; Docker runs such images."""


class RunnableImage(t.NamedTuple):
    """One image, for one platform."""

    manifest: Manifest
    platform: str
    config: Plain
    """Parsed. Empty where it isn't a JSON object, or larger than 4 MiB."""
    problem: str = ""
    """Why its config isn't parsed, so that nothing of that can be told."""

    @property
    def created(self) -> str:
        """When it was made, as its config says; empty where it doesn't say a time."""
        created = self.config.get("created")
        return str(created) if parse_time(created) is not None else ""

    @property
    def labels(self) -> dict[str, str]:
        """The labels in its config."""
        return labels_of(self.config)

    @property
    def total_size(self) -> int:
        """Bytes of its manifest and its blobs, each once."""
        return self.manifest.size + sum(blob.size for blob in self.manifest.blobs())


def kind_of(manifest: Manifest) -> str:
    """Whether it is an index, an image that can be run, or an artifact (OCI image spec, "Guidelines for Artifacts")."""
    if manifest.is_index:
        return INDEX
    config = manifest.config
    is_artifact = manifest.document.get("artifactType") or config is None or config.media_type not in _CONFIG_TYPES
    return ARTIFACT if is_artifact else IMAGE


def runnable_images(registry: End, repository: str, tree: t.Sequence[Manifest]) -> list[RunnableImage]:
    """The images in a tree that was read, the last of which is the top; in the index's order. Configs are read.

    What a runtime would run counts as an image, whatever its manifest or the index calls it.
    """
    known = {manifest.digest: manifest for manifest in tree}
    found = [(known[child.digest], child) for child in _leaves(tree[-1], known)]

    def read(entry: tuple[Manifest, Descriptor]) -> RunnableImage:
        manifest, descriptor = entry
        config, problem = look_at_config(registry, repository, manifest)
        return RunnableImage(manifest, descriptor.platform or format_platform(config), config, problem)

    images = run_all(read, [entry for entry in found if _can_be_run(entry[0])], registry.jobs)
    for image in images:
        if isinstance(image, RegistryError):
            raise image
    return t.cast("list[RunnableImage]", images)


def _can_be_run(manifest: Manifest) -> bool:
    """Whether a runtime takes it for an image, as kindly as any of them: none looks at the artifact type."""
    config = manifest.config
    if config is None:
        return False
    return manifest.media_type == DOCKER_MANIFEST or config.media_type in (*_CONFIG_TYPES, *_TAKEN_FOR_CONFIG_TYPES)


def _is_attestation(descriptor: Descriptor, manifest: Manifest) -> bool:
    """Whether an entry of an index is an attestation, and no image that is only called one.

    Runtimes choose by the platform, and know nothing of the annotation.
    """
    if ATTESTATION_TYPE not in descriptor.annotations:
        return False
    layers = manifest.layers()
    return descriptor.platform == _NO_PLATFORM or all(layer.media_type == _STATEMENT for layer in layers)


def _leaves(top: Manifest, known: t.Mapping[str, Manifest]) -> list[Descriptor]:
    """The manifests below that are no index, without attestations, each once."""
    found: dict[str, Descriptor] = {}
    open_ = [top.descriptor]
    while open_:
        descriptor = open_.pop(0)
        manifest = known.get(descriptor.digest)
        if manifest is None or _is_attestation(descriptor, manifest):
            continue
        if manifest.is_index:
            open_ += [child for child in manifest.children() if child.media_type in MANIFEST_TYPES]
        else:
            found.setdefault(descriptor.digest, descriptor)
    return list(found.values())
