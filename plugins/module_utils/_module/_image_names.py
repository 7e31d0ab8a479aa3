# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Images that a task looks at: from its parameters to names, and from what was found to what it returns."""

from __future__ import annotations

import typing as t

from .._images._listing import ImageName
from .._model._digest import check_digest
from .._model._errors import InvalidInput, RegistryError, at_entry
from .._model._reference import check_repository, check_tag
from ._places import own_place
from ._results import divided, unless_failed

Plain = dict[str, t.Any]


def image_names(params: Plain) -> list[ImageName]:
    """The manifests of a task, given as ``images`` or as one ``tag`` or ``digest`` of one ``repository``; checked.

    One that is given twice is there once.
    """
    if params["images"] is None:
        return [_image_name(params)]
    names = []
    for position, entry in enumerate(params["images"]):
        with at_entry("images", position):
            names.append(_image_name({**entry, "registry": params["registry"]}))
    return list(dict.fromkeys(names))


def _image_name(entry: Plain) -> ImageName:
    repository = check_repository(entry["repository"], own_place(entry))
    if entry["tag"] in (None, "") and not entry["digest"]:
        raise InvalidInput(
            f"{repository}: a tag or a digest is needed beside the repository",
            hint="Give one with the key tag or digest",
        )
    return ImageName(
        repository,
        check_tag(entry["tag"]) if entry["tag"] not in (None, "") else "",
        check_digest(entry["digest"]) if entry["digest"] else "",
    )


def images_found(params: Plain, names: t.Sequence[ImageName], outcomes: t.Sequence[Plain | RegistryError]) -> Plain:
    """The result of a module that looks at images: all of them, and at the top level the only one, if one was given."""
    done, failures = divided([name._asdict() for name in names], outcomes)
    images = [{"repository": place["repository"], "tag": place["tag"], **found} for place, found in done]
    single = images[0] if params["repository"] is not None and images else {}
    everything = unless_failed(failures, exists=all(image["exists"] for image in images))
    return {**single, **everything, "images": images, "failures": failures}
