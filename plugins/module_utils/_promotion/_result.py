# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What a promotion did, as the result of a module."""

from __future__ import annotations

from .._blobs._deletion import outcome_as_plain
from .._images._manifest_push import ManifestOutcome
from .._model._actions import UNCHANGED
from ._image_result import image_result
from ._items import Plain
from ._outcomes import Outcomes
from ._plan import Plan
from ._plan_as_plain import image_as_plain
from ._summary import image_outcomes
from ._tag_results import TagResults


def result_of(plan: Plan, outcomes: Outcomes) -> Plain:
    """The result of a module: ``changed``, an entry for each image, what happened to tags, ``given_up``: what was tried
    in vain for blobs and manifests, and ``not_reverted``: tags that should have gone back, and could not."""
    results = TagResults(outcomes)
    return {
        "changed": outcomes.changed,
        "images": [
            image_result(
                image_as_plain(plan, outcome.image._replace(tags=tuple(results.of(outcome.image)))),
                *(UNCHANGED if outcome.is_done_before else outcome.action, outcome.reason, outcome.sums),
            )
            for outcome in image_outcomes(plan, outcomes)
        ],
        "artifact_tags": [outcome_as_plain(tag) for tag in outcomes.artifact_tags.done],
        "tags": [outcome_as_plain(tag) for tag in outcomes.tags.done],
        "given_up": _given_up(outcomes),
        "not_reverted": [one._asdict() for one in outcomes.not_reverted],
    }


def _given_up(outcomes: Outcomes) -> list[Plain]:
    """What was tried in vain, each in words."""
    told = [(blob.repository, blob.digest, list(blob.given_up)) for blob in outcomes.blobs.done]
    told += [(one.repository, one.digest, _given_up_for(one)) for one in outcomes.manifests.done]
    return [
        {"repository": repository, "digest": digest, "given_up": given_up}
        for repository, digest, given_up in told
        if given_up
    ]


def _given_up_for(manifest: ManifestOutcome) -> list[str]:
    again = [
        f"The registry said that it has {digest}, but refused the manifest without it; it was uploaded again."
        for digest in manifest.uploaded_again
    ]
    return [*manifest.given_up, *again]
