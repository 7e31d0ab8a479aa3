# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The names of images in a layout: free text, in which each tool writes what it likes.

``skopeo`` writes what the user gave, ``podman save`` the whole reference, ``oras`` and ``regctl`` the tag alone,
``docker save`` the tag, and the reference in another annotation. We write ``repository:tag``, and ``repository@digest``
for what has no tag.
"""

from __future__ import annotations

import typing as t

from .._model._digest import is_digest
from .._model._errors import InvalidInput
from .._model._reference import check_tag, parse_reference

REF_NAME = "org.opencontainers.image.ref.name"
"""The annotation of a name (OCI image spec, "Pre-Defined Annotation Keys")."""
CONTAINERD_NAME = "io.containerd.image.name"
"""Where containerd and ``docker save`` have the whole reference."""


class ImageName(t.NamedTuple):
    """What a name says. A name that is a tag alone has no repository."""

    repository: str
    tag: str = ""
    digest: str = ""


def name_of(repository: str, reference: str) -> str:
    """The name under which an image is written, by its tag or digest."""
    return f"{repository}{'@' if is_digest(reference) else ':'}{reference}"


def read_names(annotations: t.Mapping[str, str]) -> list[ImageName]:
    """What the annotations of an entry say, the registry in a reference left out; empty where there is no such name."""
    found = [_read(annotations[key]) for key in (CONTAINERD_NAME, REF_NAME) if annotations.get(key)]
    names = [name for name in found if name is not None]
    # The tag alone says nothing more where the whole reference is there, too.
    whole = {name.tag for name in names if name.repository}
    return list(dict.fromkeys(name for name in names if name.repository or name.tag not in whole))


def _read(text: str) -> ImageName | None:
    try:
        if not any(sign in text for sign in "/:@"):
            return ImageName("", check_tag(text))
        reference = parse_reference(text)
    except InvalidInput:
        return None
    if not reference.tag and not reference.digest:
        return None
    return ImageName(reference.repository, reference.tag, reference.digest)
