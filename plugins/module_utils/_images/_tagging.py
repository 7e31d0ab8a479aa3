# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Tags pointed at digests, and removed: the only step of a push that others see."""

from __future__ import annotations

import typing as t

from .._blobs._deletion import TEN_SECONDS, Deletions, Patience, is_still_there, settled
from .._end._deleting import Deleting
from .._end._end import End
from .._end._purpose import Purpose
from .._model._actions import ABSENT, CREATE, DELETE, EXISTS, REPLACE
from .._model._errors import Conflict, NotFound, ReferencesMissing, RegistryError, UnexpectedAnswer, Unsupported
from .._model._manifest import Manifest
from .._run._parallel import run_all
from ._refused_tags import may_be_immutable, what_to_check

_TRIES = 4
"""Where the registry says that a tag's content isn't there."""


class TagItem(t.NamedTuple):
    """A tag and the digest that it is to serve."""

    repository: str
    tag: str
    digest: str
    previous_digest: str | None = None
    """The digest that the tag must still point to; empty where there must be no tag, None where it doesn't matter."""
    content: bytes | Manifest | None = None
    """The manifest; bytes are parsed when it is pushed. Without it, it is read from the repository."""
    is_guarded: bool = False
    """Whether it decides over more than the outcome that there is no such tag: see :attr:`.Purpose.GUARD`.

    Guards are what a user says: a digest that is expected, tags that are immutable, a conflict that isn't to be solved
    by moving the tag. The ``previous_digest`` that a comparison has found is none: nobody has asked for it. Only the
    caller knows where it comes from.
    """

    def purpose_or(self, purpose: Purpose) -> Purpose:
        """Why it is looked for: with a guard, also where one was there before; else for this."""
        return Purpose.GUARD if self.is_guarded or self.previous_digest else purpose


class TagOutcome(t.NamedTuple):
    """What happened to one tag, or in check mode what would."""

    repository: str
    tag: str
    digest: str
    previous_digest: str
    action: str
    deletion_pending: bool = False
    """Whether the registry has accepted the delete, and the tag still serves its digest."""
    unseen: RegistryError | None = None
    """Why it can't be seen whether a delete has happened that the registry has accepted."""


BeforeWrite = t.Callable[[TagOutcome], None]
"""Called with what is about to be done, to raise an error where it must not be."""


def move_tags(
    registry: End, items: t.Sequence[TagItem], *, check: bool, before_write: BeforeWrite = lambda outcome: None
) -> list[TagOutcome | RegistryError]:
    """Point every tag at its digest; outcomes in the items' order. In check mode the digest needn't be there."""
    return run_all(lambda item: _move(registry, item, check, before_write), items, registry.jobs)


def verify_tags(registry: End, outcomes: t.Sequence[TagOutcome]) -> list[tuple[TagOutcome, RegistryError]]:
    """Look whether each tag that was moved serves its digest. Returns those of which that isn't sure, and why."""

    def look(outcome: TagOutcome) -> None:
        found = _served(registry, outcome.repository, outcome.tag, outcome.digest)
        if found != outcome.digest:
            raise Conflict(
                f"it was moved to {outcome.digest}, and serves {found or 'nothing'}",
                hint="Another client moved it meanwhile; compare again",
            ).within(f"tag {registry.name}/{outcome.repository}:{outcome.tag}")

    moved = [outcome for outcome in outcomes if outcome.action != EXISTS]
    problems = run_all(look, moved, registry.jobs)
    return [(outcome, problem) for outcome, problem in zip(moved, problems) if isinstance(problem, RegistryError)]


def _move(registry: End, item: TagItem, check: bool, before_write: BeforeWrite) -> TagOutcome:
    what = f"tag {registry.name}/{item.repository}:{item.tag}"
    # Looked at right before the move, although it was compared before: content takes its time to arrive.
    current = registry.head_manifest(item.repository, item.tag, item.purpose_or(Purpose.PUSH))
    standing = "" if current is None else current.digest
    if standing == item.digest:
        return TagOutcome(item.repository, item.tag, item.digest, standing, EXISTS)
    _check_expected(item, standing, what)
    outcome = TagOutcome(item.repository, item.tag, item.digest, standing, CREATE if current is None else REPLACE)
    before_write(outcome)
    if not check:
        manifest = _manifest_of(registry, item, what)
        try:
            _put(registry, item, manifest)
        except RegistryError as error:
            # A registry may fail after it has moved the tag, and refuse what somebody else has done meanwhile.
            refused = may_be_immutable(error)
            may_have_moved = refused or error.temporary
            if not may_have_moved or _served(registry, item.repository, item.tag, item.digest) != item.digest:
                if refused and standing:
                    raise _as_immutable(error, outcome) from error
                raise
    return outcome


def _put(registry: End, item: TagItem, manifest: Manifest) -> None:
    """Push under the tag; a few times where the registry misses what the manifest refers to.

    distribution writes what it has of a manifest again, in place, with every push, be it of another tag: who pushes an
    index of it at that moment is told that it isn't there.
    """
    for attempt in range(1, _TRIES + 1):
        try:
            registry.put_manifest(item.repository, item.tag, manifest)
            return
        except ReferencesMissing:
            if attempt == _TRIES or not registry.retries:
                raise
        # Others are at it for a moment only.
        registry.back_off(0)


def _as_immutable(error: RegistryError, outcome: TagOutcome) -> RegistryError:
    """The refusal to move a tag, in words that name all of it. Its status and codes differ with every registry."""
    return Conflict(
        f"the registry refuses to move it from {outcome.previous_digest} to {outcome.digest}: {error.reason}",
        hint=f"{what_to_check(error)} whether its tags are immutable there: then use another tag, or have the rule "
        "changed",
        **error.answer(),
    ).within(error.operation)


def _served(registry: End, repository: str, tag: str, expected: str) -> str:
    """The digest that a tag serves, which was just moved to the expected one; empty where there is no such tag.

    A cache may answer a HEAD with what the tag served before: where it says something else, GET decides.
    """
    found = registry.head_manifest(repository, tag)
    if found is None or found.digest == expected:
        return found.digest if found else ""
    try:
        return registry.get_manifest(repository, tag).digest
    except NotFound:
        return ""


def _check_expected(item: TagItem, standing: str, what: str) -> None:
    if item.previous_digest is not None and standing != item.previous_digest:
        raise Conflict(
            f"it points to {standing or 'nothing'}, and {item.previous_digest or 'nothing'} was expected",
            hint="Another client moved it meanwhile; compare again",
        ).within(what)


def _manifest_of(registry: End, item: TagItem, what: str) -> Manifest:
    if item.content is None:
        try:
            return registry.get_manifest(item.repository, item.digest)
        except NotFound as error:
            error.hint = error.hint or f"A tag can only point to a manifest of {item.repository}: push it there first"
            raise
    if isinstance(item.content, Manifest):
        return item.content
    try:
        return Manifest.parse(item.content, "", item.digest)
    except RegistryError as error:
        error.within(what)
        raise


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

    Where the registry can't delete a tag alone, :class:`Unsupported` is raised, unless ``delete_manifest`` allows to
    delete the manifest, and with it every other tag on it.
    """
    deletions: Deletions[tuple[str, str]] = Deletions(registry.jobs, patience)

    def delete(item: TagItem) -> TagOutcome:
        current = registry.head_manifest(item.repository, item.tag, item.purpose_or(Purpose.REPORT))
        if current is None:
            return TagOutcome(item.repository, item.tag, "", "", ABSENT)
        _check_expected(item, current.digest, f"delete {registry.name}/{item.repository}:{item.tag}")
        outcome = TagOutcome(item.repository, item.tag, "", current.digest, DELETE)
        before_write(outcome)
        if not check:
            _delete(registry, item, current.digest, delete_manifest, deletions)
        return outcome

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
    registry: Deleting, item: TagItem, digest: str, delete_manifest: bool, deletions: Deletions[tuple[str, str]]
) -> None:
    place = (item.repository, item.tag)

    def serves_it() -> bool:
        # Another digest was pushed since: the delete has happened before that.
        found = registry.head_manifest(*place)
        return found is not None and found.digest == digest

    refusal: RegistryError | None = None
    try:
        if registry.delete_manifest(*place):
            deletions.accepted(place, serves_it)
            return
        # A registry that knows no deletes of tags may answer that the tag isn't there, although it is.
        if not is_still_there(lambda: registry.head_manifest(*place) is not None):
            return
    except (Unsupported, UnexpectedAnswer) as error:
        # distribution 2.x answers 400 DIGEST_INVALID: to it, only a digest can be deleted.
        if error.status not in (400, 405, 501):
            raise
        refusal = error
    if not delete_manifest:
        raise Unsupported(
            f"the registry can't delete a tag alone{f' ({refusal.reason})' if refusal else ''}",
            hint="delete_manifest: true deletes the manifest, and with it all other tags on it",
            **({} if refusal is None else refusal.answer()),
        ).within(f"delete {registry.name}/{item.repository}:{item.tag}")
    deletions.delete(
        place,
        lambda: registry.delete_manifest(item.repository, digest),
        serves_it,
        f"delete {registry.name}/{item.repository}@{digest}",
    )
