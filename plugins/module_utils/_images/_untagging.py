# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Tags removed, and nothing else, unless the manifest may go as well."""

from __future__ import annotations

import typing as t

from .._blobs._deletion import TEN_SECONDS, Deletions, Patience, is_still_there, settled
from .._end._deleting import Deleting
from .._model._actions import ABSENT
from .._model._errors import NoTagAlone, RegistryError, UnexpectedAnswer, Unsupported
from .._run._parallel import run_all
from ._tagging import BeforeWrite, NothingToDo, TagItem, TagOutcome, TagWatch


def delete_tags(
    registry: Deleting,
    items: t.Sequence[TagItem],
    *,
    delete_manifest: bool,
    check: bool,
    before_write: BeforeWrite = lambda outcome: None,
    patience: Patience = TEN_SECONDS,
) -> list[TagOutcome | RegistryError]:
    """Remove tags, and nothing else, and see that they are gone; outcomes in the items' order.

    Where the registry can't delete a tag alone, :class:`NoTagAlone` is raised, unless ``delete_manifest`` allows to
    delete the manifest, and with it every other tag on it.
    """
    deletions: Deletions[tuple[str, str]] = Deletions(registry.jobs, patience)

    def delete(item: TagItem) -> TagOutcome:
        watch = TagWatch(registry, item, before_write, removes=True)
        if not check and watch.outcome.action != ABSENT:
            try:
                _delete(registry, item, watch, delete_manifest, deletions)
            except NothingToDo:
                pass
        return watch.outcome

    outcomes = run_all(delete, items, registry.jobs)
    pending = deletions.settle()
    return [
        _still_served(settled(outcome, (item.repository, item.tag), pending)) for item, outcome in zip(items, outcomes)
    ]


def _still_served(outcome: TagOutcome | RegistryError) -> TagOutcome | RegistryError:
    """The outcome with the digest that the tag serves where its delete is pending."""
    if isinstance(outcome, TagOutcome) and outcome.deletion_pending:
        return outcome._replace(digest=outcome.previous_digest)
    return outcome


def _delete(
    registry: Deleting, item: TagItem, watch: TagWatch, delete_manifest: bool, deletions: Deletions[tuple[str, str]]
) -> None:
    place = (item.repository, item.tag)

    def serves_it() -> bool:
        # Another digest was pushed since: the delete has happened before that.
        found = registry.head_manifest(*place)
        return found is not None and found.digest == watch.outcome.previous_digest

    refusal: RegistryError | None = None
    try:
        if registry.delete_manifest(*place, watch.last_look()):
            deletions.accepted(place, serves_it)
            return
        # A registry that knows no deletes of tags may answer that the tag isn't there, although it is.
        if not is_still_there(lambda: registry.head_manifest(*place) is not None):
            return
    except (Unsupported, UnexpectedAnswer) as error:
        # distribution 2.x answers 400 DIGEST_INVALID: to it, only a digest can be deleted.
        if watch.has_ended or error.status not in (400, 405, 501):
            raise
        refusal = error
    if not delete_manifest:
        raise NoTagAlone(
            f"the registry cannot delete a tag alone{f' ({refusal.reason})' if refusal else ''}",
            hint="delete_manifest: true deletes the manifest, and with it all other tags that point to it",
            **({} if refusal is None else refusal.answer()),
        ).within(f"delete {registry.name}/{item.repository}:{item.tag}")
    digest = watch.outcome.previous_digest
    # Another manifest than the one that was seen is nobody's to delete.
    watch.keep()
    last_look = watch.last_look()
    deletions.delete(
        place,
        lambda: registry.delete_manifest(item.repository, digest, last_look),
        serves_it,
        f"delete {registry.name}/{item.repository}@{digest}",
    )
