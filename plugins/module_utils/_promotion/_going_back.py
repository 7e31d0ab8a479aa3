# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""All or nothing: tags of a set that moved go back where one of them can't be moved."""

from __future__ import annotations

import typing as t

from .._end._deleting import as_deleting
from .._end._end import End
from .._end._purpose import Purpose
from .._images._tagging import TagItem, TagOutcome, move_tags, served, verify_tags, when_moved
from .._images._untagging import delete_tags
from .._model._actions import CREATE, REVERTED
from .._model._errors import Conflict, RegistryError
from .._model._manifest import Manifest
from .._run._parallel import run_all
from ._items import MOVING
from ._outcomes import Outcomes, Part
from ._plan import Place, Plan
from ._record import NotReverted
from ._words import STILL_SERVED


def go_back(destination: End, plan: Plan, outcomes: Outcomes, *, check: bool) -> None:
    """Bring back every tag that has moved and still serves what this promotion put there; note what came of it.

    A tag that was created is removed. What can't go back stays, is told in :attr:`.Outcomes.not_reverted`, and doesn't
    stop the rest. Tags of images go back before those of their artifacts, and the last to move is the first to return.
    Tags that keep what was replaced go when that is done, where nothing needs them. A registry that deletes the
    manifest with such a tag gets it back under the tags that are to serve it.
    """
    moved = [outcome for outcome in outcomes.tags.done if outcome.action in MOVING]
    artifacts = [outcome for outcome in outcomes.artifact_tags.done if outcome.action in MOVING]
    # A registry may move a tag and fail all the same.
    unsure = [] if check else _maybe_moved(destination, plan, outcomes)
    reasons: dict[Place, str] = {}
    for one_after_another in (_by_image([*moved, *unsure]), [[outcome] for outcome in artifacts]):
        groups = [] if check else one_after_another
        for found in run_all(lambda group: _revert_all(destination, group), groups, destination.jobs):
            reasons.update(t.cast("dict[Place, str]", found))
    created = [one for one in (*artifacts, *moved, *unsure) if reasons.get(_place(one)) and not one.previous_digest]
    # One that couldn't be removed is gone where the registry takes another one for it that was (Gitea).
    reasons.update((_place(one), "") for one in created if _is_gone(destination, one))
    tags = {_place(one): one for one in (*artifacts, *moved, *unsure)}
    for item in (*plan.artifact_tags, *plan.tags):
        tags.setdefault((item.repository, item.tag), when_moved(item))
    needed = {(one.repository, one.previous_digest) for place, one in tags.items() if reasons.get(place)}
    outcomes.replaced_tags, lost = _without(destination, outcomes.replaced_tags, needed, tags.values(), check=check)
    reasons.update(lost)
    outcomes.not_reverted = tuple(
        NotReverted(*place, one.digest, one.previous_digest, reasons[place])
        for place, one in tags.items()
        if reasons.get(place)
    )
    outcomes.tags = _with_reverted(outcomes.tags, reasons)
    outcomes.artifact_tags = _with_reverted(outcomes.artifact_tags, reasons)


def _is_gone(destination: End, outcome: TagOutcome) -> bool:
    """Whether it is seen that there is no such tag any more."""
    try:
        return destination.head_manifest(outcome.repository, outcome.tag, Purpose.GUARD) is None
    except RegistryError:
        return False


def _place(outcome: TagOutcome) -> Place:
    return outcome.repository, outcome.tag


def _by_image(outcomes: t.Iterable[TagOutcome]) -> list[list[TagOutcome]]:
    """The tags of each digest in a repository, the last that moved first."""
    groups: dict[Place, list[TagOutcome]] = {}
    for outcome in outcomes:
        groups.setdefault((outcome.repository, outcome.digest), []).insert(0, outcome)
    return list(groups.values())


def _with_reverted(part: Part[TagOutcome], reasons: t.Mapping[Place, str]) -> Part[TagOutcome]:
    done = tuple(
        outcome._replace(action=REVERTED) if outcome.action in MOVING and not reasons.get(_place(outcome)) else outcome
        for outcome in part.done
    )
    return Part(done, part.failed)


def _without(
    destination: End,
    part: Part[TagOutcome],
    needed: t.Container[Place],
    tags: t.Collection[TagOutcome],
    *,
    check: bool,
) -> tuple[Part[TagOutcome], dict[Place, str]]:
    """The tags that keep what was replaced, without those that were made for nothing; one that stays does no harm.

    Beside them, why some of the tags that are back, or have never moved, don't serve what they did before.
    """
    lost: dict[Place, str] = {}

    def remove(outcome: TagOutcome) -> TagOutcome:
        if outcome.action != CREATE or (outcome.repository, outcome.digest) in needed:
            return outcome
        if not check:
            found = _let_go(destination, outcome, tags)
            if found is None:
                return outcome
            lost.update(found)
        return outcome._replace(action=REVERTED)

    done = t.cast("tuple[TagOutcome, ...]", tuple(run_all(remove, part.done, destination.jobs)))
    return Part(done, part.failed), lost


def _let_go(destination: End, kept: TagOutcome, tags: t.Iterable[TagOutcome]) -> dict[Place, str] | None:
    """Remove a tag that keeps a digest; None where it stays, else why tags on the digest don't serve it any more."""
    standing = [one for one in tags if (one.repository, one.previous_digest) == (kept.repository, kept.digest)]
    try:
        # Some registries delete the manifest with a tag. Only a look afterwards tells.
        manifest = destination.get_manifest(kept.repository, kept.digest)
    except RegistryError:
        return None
    return None if _revert(destination, kept) else _restored(destination, standing, manifest)


def _restored(destination: End, standing: t.Sequence[TagOutcome], manifest: Manifest) -> dict[Place, str]:
    """Have tags serve a manifest again that is perhaps gone with another tag; why some don't."""
    items = [
        TagItem(*_place(one), manifest.digest, "", manifest, is_guarded=True, distrusts_head=True) for one in standing
    ]
    found = zip(items, move_tags(destination, items, check=False))
    return {
        (item.repository, item.tag): f"It is gone with the tag that kept its digest: {outcome}"
        for item, outcome in found
        # One that serves something else meanwhile is somebody else's.
        if isinstance(outcome, RegistryError) and not isinstance(outcome, Conflict)
    }


def _maybe_moved(destination: End, plan: Plan, outcomes: Outcomes) -> list[TagOutcome]:
    """The tags whose move was sent and has failed, and that don't serve what they served before.

    No answer says for sure that a move hasn't happened, whatever its status.
    """
    planned = {(item.repository, item.tag): item for item in (*plan.artifact_tags, *plan.tags)}
    known = set(map(_place, outcomes.moved))
    asked = [
        planned[failure.repository, failure.tag]
        for failure in (*outcomes.artifact_tags.failed, *outcomes.tags.failed)
        if failure.error.may_have_written and (failure.repository, failure.tag) not in known
    ]
    found = run_all(lambda item: _seen(destination, item), asked, destination.jobs)
    return [outcome for outcome in found if isinstance(outcome, TagOutcome)]


def _seen(destination: End, item: TagItem) -> TagOutcome | None:
    """A tag as it is to go back; None where it serves what it served before.

    What can't be looked at, and what serves a third digest, is as well tried: that says why it can't go back.
    """
    outcome = when_moved(item)
    try:
        found = served(destination, item.repository, item.tag, item.digest, Purpose.GUARD)
    except RegistryError:
        return outcome
    return None if found == outcome.previous_digest else outcome


def _revert_all(destination: End, outcomes: t.Sequence[TagOutcome]) -> dict[Place, str]:
    """Why each of these tags, one after another, can't go back; empty where it is back."""
    return {_place(outcome): _revert(destination, outcome) for outcome in outcomes}


def _revert(destination: End, outcome: TagOutcome) -> str:
    place = (outcome.repository, outcome.tag)
    item = TagItem(*place, outcome.previous_digest, outcome.digest, is_guarded=True, distrusts_head=True)
    if not outcome.previous_digest:
        return _remove(destination, item)
    (found,) = move_tags(destination, [item], check=False)
    if isinstance(found, RegistryError):
        return str(found)
    problems = verify_tags(destination, [found], distrusts_head=True)
    return str(problems[0][1]) if problems else ""


def _remove(destination: End, item: TagItem) -> str:
    registry = as_deleting(destination)
    if registry is None:
        return f"{destination.name} cannot remove a tag, and it did not exist before."
    (found,) = delete_tags(registry, [item], delete_manifest=False, check=False)
    if isinstance(found, RegistryError):
        return str(found)
    if found.unseen is not None:
        return str(found.unseen)
    return STILL_SERVED if found.deletion_pending else ""
