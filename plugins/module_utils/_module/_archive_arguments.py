# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The images of a module that writes or reads image layouts, and what they are called in there."""

from __future__ import annotations

import re
import typing as t

from .._layout._layout import Layout
from .._layout._names import ImageName, name_of, read_names
from .._model._digest import check_digest
from .._model._errors import InvalidInput
from .._model._reference import check_tag
from .._model._shown import quoted, without_login
from ._image_arguments import IMAGE_OPTIONS

Plain = dict[str, t.Any]

ARCHIVE_IMAGES: Plain = {
    **IMAGE_OPTIONS["images"],
    "required": False,
    "options": {**IMAGE_OPTIONS["images"]["options"], "name": {"type": "str"}},
}

_NAME = re.compile(r"[A-Za-z0-9]+(?:(?:[-._:@+]|--|/)[A-Za-z0-9]+)*", re.ASCII)
"""OCI image spec, "Pre-Defined Annotation Keys", of ``org.opencontainers.image.ref.name``."""
_MAXIMUM_NAME = 512


def names_to_write(params: Plain) -> dict[tuple[str, str], str]:
    """What images are called in a layout that is written, by repository and by tag, or by digest without tags.

    Raises :class:`InvalidInput` where two images would have one name.
    """
    names: dict[tuple[str, str], str] = {}
    owners: dict[str, tuple[str, str, int]] = {}
    for position, entry in enumerate(params["images"]):
        repository = entry["destination_repository"] or entry["repository"]
        references = entry["tags"] if entry["tags"] is not None else [entry["tag"]]
        references = list(dict.fromkeys(check_tag(name) for name in references if name not in (None, "")))
        if not references and entry["digest"]:
            references = [check_digest(entry["digest"])]
        if entry["name"] is not None and len(references) != 1:
            raise InvalidInput(f"images[{position}]: name takes an image with one tag, and this has {len(references)}")
        for reference in references:
            name = name_of(repository, reference) if entry["name"] is None else _checked(entry["name"], position)
            owner = owners.setdefault(name, (repository, reference, position))
            if owner[:2] != (repository, reference):
                raise InvalidInput(
                    f"images[{owner[2]}] and images[{position}] would both be called {without_login(name)}"
                )
            if names.setdefault((repository, reference), name) != name:
                raise InvalidInput(
                    f"images[{position}]: {repository} {reference} has another name before, "
                    f"{without_login(names[repository, reference])}"
                )
    return names


def _checked(name: str, position: int) -> str:
    # Long names first: the pattern is for what tools write.
    if len(name) > _MAXIMUM_NAME or not _NAME.fullmatch(name):
        raise InvalidInput(
            f"images[{position}]: malformed name {quoted(name)}: letters and digits are allowed, and between them "
            "one of '-', '.', '_', ':', '@', '+' and '/'"
        )
    return name


def names_to_read(params: Plain) -> dict[tuple[str, str], str]:
    """What images are called in a layout that is read, where that is given, by repository and tag."""
    names: dict[tuple[str, str], str] = {}
    for position, entry in enumerate(params["images"] or ()):
        if entry["name"] is not None:
            if entry["digest"] or entry["tag"] in (None, ""):
                raise InvalidInput(f"images[{position}]: name goes with a tag, not with a digest")
            place = entry["repository"], check_tag(entry["tag"])
            if names.setdefault(place, entry["name"]) != entry["name"]:
                raise InvalidInput(f"images[{position}]: {place[0]}:{place[1]} has another name before")
    return names


def all_images(layout: Layout, default_repository: str) -> list[Plain]:
    """All images of a layout, as the options of the module would name them.

    Raises :class:`InvalidInput` for names that say no repository, unless there is a default one.
    """
    tags: dict[tuple[str, str], list[str]] = {}
    without: list[str] = []
    for found in layout.images():
        for name in read_names(found.annotations) or [ImageName("")]:
            repository = name.repository or default_repository
            if not repository:
                without.append(name.tag or found.digest)
            tags.setdefault((repository, found.digest), []).extend([name.tag] if name.tag else [])
    if without:
        raise InvalidInput(
            f"names in {layout.name} say no repository: {', '.join(without[:5])}",
            hint="Give default_repository, or images",
        )
    nothing = dict.fromkeys(ARCHIVE_IMAGES["options"])
    return [
        {**nothing, "repository": repository, "digest": digest, "tags": names}
        for (repository, digest), names in tags.items()
    ]
