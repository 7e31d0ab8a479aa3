# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What a diff of a promotion has to read before anything is written: what tags serve, and what they will serve."""

from __future__ import annotations

from .._end._end import End
from .._images._inspection import children_first, describe, describe_tree
from .._images._tag_diff import describe_tags
from .._model._errors import RegistryError
from .._run._parallel import run_all
from ._change_request import Described
from ._items import Plain
from ._plan import Plan, PlannedImage


def described(source: End, destination: End, plan: Plan) -> Described:
    """Read what the tags that move serve, and of what is promoted whatever the plan doesn't say itself.

    Manifests of the plan aren't read again. Raises what keeps from being read what the tags serve.
    """

    def after(image: PlannedImage) -> Plain:
        if image.summary:
            return image.summary
        tree = {manifest.digest: manifest for manifest in plan.tree_of(image, ())}
        if image.digest in tree:
            return describe_tree(source, image.item.repository, children_first(tree, image.digest))
        return describe(destination, *image.place)

    moving = [image for image in plan.promoted if image.moving_tags or not image.tags]
    found = run_all(after, moving, source.jobs)
    return Described(
        describe_tags(destination, [(tag.repository, tag.tag) for tag in plan.tags]),
        # Of what can't be read, the digest is all that is said.
        {image.place: {} if isinstance(one, RegistryError) else one for image, one in zip(moving, found)},
    )
