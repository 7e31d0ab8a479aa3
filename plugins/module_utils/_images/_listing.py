# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What is in repositories, without the content of a manifest or blob: tags, and what names stand for."""

from __future__ import annotations

import typing as t

from .._end._end import End
from .._model._errors import NotFound, RegistryError
from .._model._manifest import Descriptor
from .._run._parallel import run_all


class ImageName(t.NamedTuple):
    """A manifest by its tag or digest; the digest wins where both are given."""

    repository: str
    tag: str
    digest: str

    @property
    def reference(self) -> str:
        """What is asked for."""
        return self.digest or self.tag


def list_tags(registry: End, repositories: t.Sequence[str]) -> list[list[str] | RegistryError | None]:
    """The tags of the repositories, in their order; None for a repository that isn't there."""

    def listed(repository: str) -> list[str] | None:
        try:
            return registry.list_tags(repository)
        except NotFound:
            return None

    return run_all(listed, repositories, registry.jobs)


def head_images(registry: End, names: t.Sequence[ImageName]) -> list[Descriptor | RegistryError | None]:
    """What the names stand for, in their order; None for what isn't there."""
    return run_all(lambda name: registry.head_manifest(name.repository, name.reference), names, registry.jobs)


def resolve_tags(registry: End, images: t.Sequence[tuple[str, str]]) -> list[dict[str, t.Any] | RegistryError | None]:
    """Digest, media type and size of tags, given as repository and tag, in their order; None for what isn't there."""
    found = head_images(registry, [ImageName(repository, tag, "") for repository, tag in images])
    return [descriptor_as_plain(one) if isinstance(one, Descriptor) else one for one in found]


def descriptor_as_plain(descriptor: Descriptor) -> dict[str, t.Any]:
    """What a name stands for, as a result."""
    return {"digest": descriptor.digest, "media_type": descriptor.media_type, "size": descriptor.size}
