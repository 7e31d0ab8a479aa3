# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Images for programs of others that sign and verify, and what this collection says of their signatures."""

from __future__ import annotations

import time
from typing import NamedTuple

from runs import REGISTRIES, Plain, call, check, connection, seed, task

RUN = time.time_ns()
"""New at every run: what an earlier one has promoted would be equal."""


class Image(NamedTuple):
    """An image at one of the registries."""

    registry: str
    repository: str
    tag: str
    digest: str

    @property
    def name(self) -> str:
        """As such programs take it."""
        return f"{REGISTRIES[self.registry]['address']}/{self.repository}@{self.digest}"


def seeded(registry: str, name: str) -> Image:
    """A new image, under a name that this run has once."""
    made = seed(registry, "single", f"signing/{RUN}/{name}")[0]
    return Image(registry, made["repository"], made["tag"], made["digest"])


def promoted(image: Image, destination: str, **options: object) -> Image:
    """It at another registry, in the repository of the same name, after image_copy with these options."""
    entry = {"repository": image.repository, "tag": image.tag}
    ends = {**connection(destination), "source": connection(image.registry)}
    _run(task("image_copy", {**ends, "images": [entry], **options}))
    return image._replace(registry=destination)


def reasons(image: Image, rule: Plain) -> list[str]:
    """Why the signatures of an image don't verify by a rule; an empty text for one that does."""
    place = {"repository": image.repository, "tag": image.tag}
    found = _run(task("signature_info", {**connection(image.registry), **place, "signatures": [rule]}))
    told = [one["reason"] for one in found["signatures"]]
    check(found["verified"] is ("" in told), f"{found}")
    return told


def _run(step: Plain) -> Plain:
    return call([step]).of(step["name"])
