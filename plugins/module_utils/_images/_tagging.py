# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Tags pointed at digests: the only step of a push that others see."""

from __future__ import annotations

import itertools
import threading
import typing as t

from .._end._end import End
from .._end._last_look import LastLook
from .._end._purpose import Purpose
from .._model._actions import ABSENT, CREATE, DELETE, EXISTS, REPLACE
from .._model._errors import Conflict, NotFound, ReferencesMissing, RegistryError, doing
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
    distrusts_head: bool = False
    """Whether GET decides where a HEAD says that nothing is to be done: a cache may answer it with what was before."""

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


def when_moved(item: TagItem) -> TagOutcome:
    """What will have happened to a tag when it has moved from where it was expected."""
    previous = item.previous_digest or ""
    return TagOutcome(item.repository, item.tag, item.digest, previous, REPLACE if previous else CREATE)


BeforeWrite = t.Callable[[TagOutcome], None]
"""Called with what is about to be done, to raise an error where it must not be."""


def move_tags(
    registry: End, items: t.Sequence[TagItem], *, check: bool, before_write: BeforeWrite = lambda outcome: None
) -> list[TagOutcome | RegistryError]:
    """Point every tag at its digest; outcomes in the items' order. In check mode the digest needn't be there."""
    return run_all(lambda item: _move(registry, item, check, before_write), items, registry.jobs)


def move_in_order(
    registry: End, sequences: t.Sequence[t.Sequence[TagItem]], *, check: bool, all_or_nothing: bool
) -> list[list[TagOutcome | RegistryError]]:
    """Move the tags of each sequence one after another, and the sequences at the same time.

    A sequence ends with the tag that can't be moved: those that were to follow it, such as a pointer to a version,
    stay. With ``all_or_nothing``, no other sequence moves anything after that either. Outcomes are in the order of the
    items, without those that nothing was done about.
    """
    has_failed = threading.Event()

    def move(sequence: t.Sequence[TagItem]) -> list[TagOutcome | RegistryError]:
        outcomes: list[TagOutcome | RegistryError] = []
        for item in sequence:
            if all_or_nothing and has_failed.is_set():
                break
            try:
                outcomes.append(_move(registry, item, check, lambda outcome: None))
            except RegistryError as error:
                has_failed.set()
                outcomes.append(error)
                break
        return outcomes

    done = run_all(move, sequences, registry.jobs)
    return t.cast("list[list[TagOutcome | RegistryError]]", done)


def verify_tags(
    registry: End,
    outcomes: t.Sequence[TagOutcome],
    *,
    beside: t.Iterable[TagOutcome] = (),
    distrusts_head: bool = False,
) -> list[tuple[TagOutcome, RegistryError]]:
    """Look whether each tag that was moved serves its digest. Returns those of which that isn't sure, and why.

    A tag that wasn't moved, also one of those ``beside``, is looked at only where a registry may take it for one that
    was; that one is returned then. With ``distrusts_head``, only a GET counts: where the tag was on that digest before,
    a cache may say so.
    """
    names = _Names([*outcomes, *beside])

    def look(outcome: TagOutcome) -> None:
        place = (outcome.repository, outcome.tag)
        found = _got(registry, *place) if distrusts_head else served(registry, *place, outcome.digest)
        if found != outcome.digest:
            did = "pointed" if outcome.action == EXISTS else "was moved"
            raise Conflict(
                f"it {did} to {outcome.digest}, and serves {found or 'nothing'}",
                hint=names.advice(*place) or "Another client moved it meanwhile; compare again",
            ).within(f"tag {registry.name}/{outcome.repository}:{outcome.tag}")

    moved = [outcome for outcome in outcomes if outcome.action != EXISTS]
    pairs = [*zip(moved, moved), *((one, other) for one in moved for other in names.standing_like(one))]
    problems = run_all(look, [looked_at for _moved, looked_at in pairs], registry.jobs)
    return [(one, problem) for (one, _other), problem in zip(pairs, problems) if isinstance(problem, RegistryError)]


def alike(outcomes: t.Sequence[TagOutcome]) -> list[TagOutcome]:
    """Those that differ from another one of their repository, and of another digest, in upper and lower case only."""
    names = _Names(outcomes)
    return [outcome for outcome in outcomes if names.advice(outcome.repository, outcome.tag)]


def advise_of_case(error: RegistryError, item: TagItem, items: t.Iterable[TagItem]) -> None:
    """Say in a conflict about a tag that another one of the same task may be what the registry takes for it."""
    if isinstance(error, Conflict):
        error.hint = _Names(items).advice(item.repository, item.tag) or error.hint


class _Names:
    """Tags by their names without upper case: registries that don't tell these apart take them for one (Gitea)."""

    def __init__(self, tags: t.Iterable[TagItem | TagOutcome]) -> None:
        self._by_name: dict[tuple[str, str], list[TagItem | TagOutcome]] = {}
        for tag in tags:
            self._by_name.setdefault((tag.repository, tag.tag.lower()), []).append(tag)

    def advice(self, repository: str, tag: str) -> str:
        """What to do about a tag, of which another one differs in upper and lower case only; empty if none does."""
        found = self._by_name.get((repository, tag.lower()), [])
        others = [other.tag for other in found if other.tag != tag]
        if not others or len({one.digest for one in found}) == 1:
            return ""
        return (
            f"The registry may treat {tag} and {others[0]} as one tag, because they differ only in upper and lower "
            "case: use one of them"
        )

    def standing_like(self, moved: TagOutcome) -> list[TagOutcome]:
        """The tags that stay where they are, and that a registry may take for one that was moved."""
        found = self._by_name.get((moved.repository, moved.tag.lower()), [])
        outcomes = [one for one in found if isinstance(one, TagOutcome) and one.tag != moved.tag]
        return [one for one in outcomes if one.action == EXISTS and one.digest != moved.digest]


class NothingToDo(Exception):
    """The tag is as it is to be, so there is nothing to write any more."""


class TagWatch:
    """Looks at a tag before it is written or removed, and again before each try that comes after a wait.

    ``before_write`` is called after each look with what is about to be done, where something is.
    """

    def __init__(self, registry: End, item: TagItem, before_write: BeforeWrite, *, removes: bool = False) -> None:
        self._registry = registry
        self._item = item
        self._before_write = before_write
        self._removes = removes
        self._waited = 0
        self._has_tried = False
        self.has_ended = False
        """Whether a look has ended the tries by an error."""
        self.outcome = self._look()
        """What is to be done, as it was last seen."""

    @property
    def may_have_written(self) -> bool:
        """Whether what has failed may have been sent: only a look before the first try rules that out."""
        return self._has_tried or not self.has_ended

    def keep(self) -> None:
        """Have the tag stay where it was seen last: from now on it must point there."""
        self._item = self._item._replace(previous_digest=self.outcome.previous_digest)

    def last_look(self) -> LastLook:
        """What is called before each try of one write: before its first, it looks only if anything was waited for.

        Raises :class:`NothingToDo`, :class:`Conflict` where the tag isn't where it was expected, and what looking and
        ``before_write`` raise.
        """
        tries = itertools.count()

        def look() -> None:
            if next(tries) or self._registry.waited() != self._waited:
                self._look_again()
            self._has_tried = True

        return look

    def _look_again(self) -> None:
        try:
            outcome = self._look()
        except RegistryError:
            self.has_ended = True
            raise
        is_done = outcome.action in (EXISTS, ABSENT)
        if not (is_done and self._has_tried):
            # Else it was ours: a registry may fail after it has done what it was asked for.
            self.outcome = outcome
        if is_done:
            raise NothingToDo

    def _look(self) -> TagOutcome:
        item = self._item
        purpose = item.purpose_or(Purpose.REPORT if self._removes else Purpose.PUSH)
        current = self._registry.head_manifest(item.repository, item.tag, purpose)
        wanted = "" if self._removes else item.digest
        standing = "" if current is None else current.digest
        if standing == wanted and item.distrusts_head:
            standing = _got(self._registry, item.repository, item.tag)
        self._waited = self._registry.waited()
        if standing == wanted:
            done = ABSENT if self._removes else EXISTS
            return TagOutcome(item.repository, item.tag, standing, standing, done)
        what = f"{'delete' if self._removes else 'tag'} {self._registry.name}/{item.repository}:{item.tag}"
        _check_expected(item, standing, what)
        action = DELETE if self._removes else REPLACE if standing else CREATE
        outcome = TagOutcome(item.repository, item.tag, "" if self._removes else item.digest, standing, action)
        self._before_write(outcome)
        return outcome


def _move(registry: End, item: TagItem, check: bool, before_write: BeforeWrite) -> TagOutcome:
    # Looked at right before the move, although it was compared before: content takes its time to arrive.
    watch = TagWatch(registry, item, before_write)
    if check or watch.outcome.action == EXISTS:
        return watch.outcome
    manifest = _manifest_of(registry, item)
    try:
        _put(registry, item, manifest, watch.last_look())
    except NothingToDo:
        pass
    except RegistryError as error:
        error.may_have_written = watch.may_have_written
        if watch.has_ended:
            raise
        # A registry may fail after it has moved the tag, and refuse what somebody else has done meanwhile.
        refused = may_be_immutable(error)
        may_have_moved = refused or error.temporary
        if not may_have_moved or served(registry, item.repository, item.tag, item.digest) != item.digest:
            if refused and watch.outcome.previous_digest:
                raise _as_immutable(error, watch.outcome) from error
            raise
    return watch.outcome


def _put(registry: End, item: TagItem, manifest: Manifest, last_look: LastLook) -> None:
    """Push under the tag; a few times where the registry misses what the manifest refers to.

    distribution writes what it has of a manifest again, in place, with every push, be it of another tag: who pushes an
    index of it at that moment is told that it isn't there.
    """
    for attempt in range(1, _TRIES + 1):
        try:
            registry.put_manifest(item.repository, item.tag, manifest, last_look)
            return
        except ReferencesMissing:
            if attempt == _TRIES or not registry.retries:
                raise
        # Others are at it for a moment only.
        registry.back_off(0)


def _as_immutable(error: RegistryError, outcome: TagOutcome) -> RegistryError:
    """The refusal to move a tag, in words that name all of it. Its status and codes differ with every registry."""
    conflict = Conflict(
        f"the registry refuses to move it from {outcome.previous_digest} to {outcome.digest}: {error.reason}",
        hint=f"{what_to_check(error)} whether its tags are immutable there: then use another tag, or have the rule "
        "changed",
        **error.answer(),
    )
    conflict.may_have_written = error.may_have_written
    return conflict.within(error.operation)


def served(registry: End, repository: str, tag: str, expected: str, purpose: Purpose = Purpose.REPORT) -> str:
    """The digest that a tag serves, which was just moved to the expected one; empty where there is no such tag.

    A cache may answer a HEAD with what was there before: where it says something else, GET decides.
    """
    found = registry.head_manifest(repository, tag, purpose)
    return expected if found is not None and found.digest == expected else _got(registry, repository, tag)


def _got(registry: End, repository: str, tag: str) -> str:
    """The digest of what a GET of a tag answers; empty where there is no such tag."""
    try:
        return registry.get_manifest(repository, tag).digest
    except NotFound:
        return ""


def _check_expected(item: TagItem, standing: str, what: str) -> None:
    if item.previous_digest is not None and standing != item.previous_digest:
        raise Conflict(
            f"it points to {standing or 'nothing'}, and {item.previous_digest or 'no tag'} was expected",
            hint="Another client moved it meanwhile; compare again",
        ).within(what)


def _manifest_of(registry: End, item: TagItem) -> Manifest:
    if item.content is None:
        try:
            return registry.get_manifest(item.repository, item.digest)
        except NotFound as error:
            error.hint = error.hint or f"A tag can only point to a manifest of {item.repository}: push it there first"
            raise
    if isinstance(item.content, Manifest):
        return item.content
    with doing(f"tag {registry.name}/{item.repository}:{item.tag}"):
        return Manifest.parse(item.content, "", item.digest)
